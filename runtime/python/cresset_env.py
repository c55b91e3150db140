"""What a Python interpreter is and holds, asked by the engine.

python3 cresset_env.py probe         one JSON object: executable, version, implementation, prefixes, site_dirs, platform
python3 cresset_env.py check REQ…    {"missing": [REQ…]}: the PEP 508 requirements that the interpreter does not meet
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
    # This folder holds stand-ins for kfp and pip, which must not be taken for the interpreter's own.
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != _RUNTIME]
    if arguments == ["probe"]:
        print(json.dumps(probe()))
    elif arguments[:1] == ["check"]:
        print(json.dumps({"missing": missing(arguments[1:])}))
    else:
        print("usage: cresset_env.py probe | check REQUIREMENT...", file=sys.stderr)
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


def missing(requirements: list[str]) -> list[str]:
    """Those of the requirements that are not met, in their order. One that cannot be judged is missing."""
    parse = _parser()
    if parse is None:
        return requirements
    return [text for text in requirements if not _is_met(text, parse, "", set())]


def _parser() -> Any:
    try:
        from packaging.requirements import Requirement
    except ImportError:
        try:
            from pip._vendor.packaging.requirements import Requirement
        except ImportError:
            return None
    return Requirement


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
    # An extra is met when what it asks for is there; packages may ask for each other's extras in a circle.
    for extra in wanted.extras:
        if (wanted.name, extra) in seen:
            continue
        seen.add((wanted.name, extra))
        needs = [text for text in found.requires or () if "extra" in text]
        if not all(_is_met(text, parse, extra, seen) for text in needs):
            return False
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
