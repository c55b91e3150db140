"""What a Python interpreter is and holds, asked by the engine. Each verb prints one JSON object.

cresset_env.py probe           executable, version, implementation, prefixes, site_dirs, platform
cresset_env.py check REQ…      {"missing": [REQ…]}: PEP 508 requirements that are not met
cresset_env.py check-all REQ…  the same, with what packages of this very environment need in turn
cresset_env.py uv-settings     {"UV_…": "…"}: pip's settings, which uv does not read, by uv's names
"""

from __future__ import annotations

import json
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_RUNTIME = os.path.dirname(os.path.abspath(__file__))


def main(arguments: list[str]) -> int:
    # This folder holds stand-ins for kfp and pip, which are not the interpreter's own.
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != _RUNTIME]
    if arguments == ["probe"]:
        print(json.dumps(probe()))
    elif arguments[:1] == ["check"]:
        print(json.dumps({"missing": missing(arguments[1:])}))
    elif arguments[:1] == ["check-all"]:
        print(json.dumps({"missing": missing_with_dependencies(arguments[1:])}))
    elif arguments == ["uv-settings"]:
        print(json.dumps(uv_settings()))
    else:
        print(
            "usage: cresset_env.py probe | check REQUIREMENT... | check-all REQUIREMENT... | "
            "uv-settings",
            file=sys.stderr,
        )
        return 2
    return 0


def probe() -> dict[str, Any]:
    import sysconfig

    return {
        # As it was called: a virtual environment's python stays the environment's.
        "executable": os.path.abspath(sys.executable) if sys.executable else "",
        "version": ".".join(str(part) for part in sys.version_info[:3]),
        "implementation": sys.implementation.name,
        "prefix": sys.prefix,
        "base_prefix": sys.base_prefix,
        "site_dirs": _site_dirs(),
        "absent_site_dirs": _absent_site_dirs(),
        "platform": sysconfig.get_platform(),
    }


def _site_dirs() -> list[str]:
    """Folders of sys.path that packages may lie in: all but the standard library's."""
    import sysconfig

    standard = {os.path.realpath(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib")}
    standard |= {os.path.join(folder, "lib-dynload") for folder in standard}
    folders: list[str] = []
    for entry in sys.path:
        folder = os.path.abspath(entry)
        if os.path.isdir(folder) and os.path.realpath(folder) not in standard | set(folders):
            folders.append(folder)
    return folders


def _absent_site_dirs() -> list[str]:
    """Folders that would be among the site_dirs if they were there."""
    import site

    # A virtual environment made by an old virtualenv has a site module of its own.
    folders = getattr(site, "getsitepackages", list)()
    return [folder for folder in folders if not os.path.isdir(folder)]


def missing(requirements: list[str]) -> list[str]:
    """Those that are not met, in their order. One that cannot be judged is missing."""
    parse = _parser()
    if parse is None:
        return requirements
    return [text for text in requirements if not _is_met(text, parse, "", set())]


def _parser() -> Any:
    for find in (_packaging, _pips_packaging, _bundled_packaging):
        try:
            return find()
        except (ImportError, OSError):
            continue
    return None


def _packaging() -> Any:
    from packaging.requirements import Requirement

    return Requirement


def _pips_packaging() -> Any:
    from pip._vendor.packaging.requirements import Requirement

    return Requirement


def _bundled_packaging() -> Any:
    """Out of the pip that ensurepip would install: a zip, which Python can import from."""
    import ensurepip
    import glob
    import sysconfig

    folders = [os.path.join(os.path.dirname(ensurepip.__file__), "_bundled")]
    elsewhere = sysconfig.get_config_var("WHEEL_PKG_DIR")
    # Debian's Pythons before 3.12 do not say where they moved it.
    folders += [elsewhere] if elsewhere else ["/usr/share/python-wheels"]
    wheels = [wheel for folder in folders for wheel in glob.glob(os.path.join(folder, "pip-*.whl"))]
    if not wheels:
        raise ImportError("ensurepip has no pip")
    sys.path.append(max(wheels))
    return _pips_packaging()


def _is_met(text: str, parse: Any, extra: str, seen: set[tuple[str, str]]) -> bool:
    """True also when the requirement's marker does not concern this interpreter."""
    try:
        wanted = parse(text)
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": extra}):
            return True
    except Exception:
        # Not PEP 508 (a path, a URL, a git address), or a marker that has no value here.
        return False
    return wanted.url is None and _is_installed(wanted, parse, seen)


def _is_installed(wanted: Any, parse: Any, seen: set[tuple[str, str]]) -> bool:
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        found = distribution(wanted.name)
    except PackageNotFoundError:
        return False
    if not wanted.specifier.contains(found.version, prereleases=True):
        return False
    # An extra is met when what it asks for is there. Extras may ask for each other in a circle.
    for extra in wanted.extras:
        if (wanted.name, extra) in seen:
            continue
        seen.add((wanted.name, extra))
        needs = [text for text in found.requires or () if "extra" in text]
        if not all(_is_met(text, parse, extra, seen) for text in needs):
            return False
    return True


def missing_with_dependencies(requirements: list[str]) -> list[str]:
    """Unmet requirements, those of the packages that meet the others included."""
    parse = _parser()
    if parse is None:
        return requirements
    unmet: list[str] = []
    seen: set[tuple[str, str]] = set()
    waiting = [(text, "") for text in requirements]
    while waiting:
        text, extra = waiting.pop(0)
        if not _is_met(text, parse, extra, set()):
            plain = text.partition(";")[0].strip()
            if plain not in unmet:
                unmet.append(plain)
            continue
        waiting += _needs(parse(text), extra, seen)
    return unmet


def _needs(wanted: Any, extra: str, seen: set[tuple[str, str]]) -> list[tuple[str, str]]:
    """What a package that meets a requirement asks for, each with the extra that asks; once.

    A package outside this environment was there before it, and whole or not, it stays as it is.
    """
    import sysconfig
    from importlib.metadata import distribution

    if wanted.marker is not None and not wanted.marker.evaluate({"extra": extra}):
        return []
    found = distribution(wanted.name)
    if os.path.realpath(str(found.locate_file(""))) != os.path.realpath(
        sysconfig.get_path("purelib")
    ):
        return []
    needs: list[tuple[str, str]] = []
    for name in ("", *wanted.extras):
        if (wanted.name, name) not in seen:
            seen.add((wanted.name, name))
            needs += [(text, name) for text in found.requires or ()]
    return needs


# `pip config list` prints section.key='value'; a later section of these counts more; :env: is PIP_…
_PIP_TO_UV = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "no-index": "UV_NO_INDEX",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
    "default-timeout": "UV_HTTP_TIMEOUT",
    "timeout": "UV_HTTP_TIMEOUT",
}
_COMMA_SEPARATED = ("UV_FIND_LINKS",)
_PIP_SECTIONS = ("global", "install", ":env:")


def uv_settings() -> dict[str, str]:
    import ast
    import subprocess

    command = [sys.executable, "-I", "-m", "pip", "config", "list"]
    # A pip that is set to be quiet lists nothing.
    loud = {**os.environ, "PIP_QUIET": "0", "PIP_VERBOSE": "0"}
    listed = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=loud, check=True
    )
    found: dict[tuple[int, str], str] = {}
    for line in listed.stdout.decode().splitlines():
        place, equals, text = line.partition("=")
        section, _, key = place.rpartition(".")
        if equals and section in _PIP_SECTIONS and key in _PIP_TO_UV:
            try:
                found[_PIP_SECTIONS.index(section), key] = str(ast.literal_eval(text))
            except (ValueError, SyntaxError):
                continue  # no value that pip itself would take
    settings: dict[str, str] = {}
    for (_, key), value in sorted(found.items()):
        name = _PIP_TO_UV[key]
        words = value.split()
        if not words:
            continue  # nor does pip take an empty value for a setting
        settings[name] = ",".join(words) if name in _COMMA_SEPARATED else " ".join(words)
    return settings


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
