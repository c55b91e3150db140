"""`python3 -m pip`: an install of what is there ends at once; all else is the real pip's.

kfp itself counts as there, because the runtime stands in for it. Nothing here touches the network.
"""

from __future__ import annotations

import os
import sys

_RUNTIME = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_FLAGS = frozenset(
    """
    -q -qq -qqq --quiet -v --verbose --no-deps --user --pre --prefer-binary --no-input --no-color
    --no-cache-dir --no-warn-script-location --no-warn-conflicts --no-python-version-warning
    --disable-pip-version-check --break-system-packages --no-build-isolation --compile --no-compile
    """.split()
)
_FLAGS_WITH_VALUE = frozenset(
    """
    -i --index-url --extra-index-url --trusted-host -f --find-links --timeout --retries --proxy
    --cert --cache-dir --progress-bar --root-user-action --exists-action --log
    """.split()
)


def requirements(arguments: list[str]) -> list[str] | None:
    """What a plain `install` asks for, or None when the command is anything else."""
    if arguments[:1] != ["install"]:
        return None
    wanted = []
    rest = iter(arguments[1:])
    for argument in rest:
        name, equals, _ = argument.partition("=")
        if not argument.startswith("-"):
            wanted.append(argument)
        elif name in _FLAGS_WITH_VALUE:
            if not equals:
                next(rest, None)
        elif argument not in _FLAGS:
            return None
    return wanted or None


def is_kfp(requirement: str) -> bool:
    """kfp, any version. Not kfp[extra] nor a package that only begins with kfp."""
    if "://" in requirement:
        # The SDK's own source, as a component's kfp_package_path names it.
        return "#egg=kfp" in requirement or "subdirectory=sdk/python" in requirement
    name = requirement.partition(";")[0].strip().lower()
    return name[:3] == "kfp" and name[3:].lstrip()[:1] in ("", "=", "<", ">", "~", "!", "@", "(")


def _is_for_older_python(requirement: str) -> bool:
    """The one marker of the SDK's preamble, without a parser: this runtime needs 3.9."""
    marker = requirement.partition(";")[2].replace(" ", "").replace("'", '"')
    return marker == 'python_version<"3.9"'


def _missing(wanted: list[str]) -> list[str]:
    rest = [text for text in wanted if not is_kfp(text) and not _is_for_older_python(text)]
    if not rest:
        return []
    _uncover_real_pip()
    sys.path.insert(0, _RUNTIME)
    import cresset_env

    sys.path.remove(_RUNTIME)
    return cresset_env.missing(rest)


def _uncover_real_pip() -> None:
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != _RUNTIME]
    for name in [name for name in sys.modules if name == "pip" or name.startswith("pip.")]:
        del sys.modules[name]


def _run_real_pip(arguments: list[str]) -> int:
    environment = dict(os.environ)
    folders = environment.get("PYTHONPATH", "").split(os.pathsep)
    kept = [entry for entry in folders if entry and os.path.abspath(entry) != _RUNTIME]
    environment["PYTHONPATH"] = os.pathsep.join(kept)
    if not kept:
        del environment["PYTHONPATH"]
    command = [sys.executable, "-m", "pip", *arguments]
    status = os.spawnve(os.P_WAIT, sys.executable, command, environment)
    return status if status >= 0 else 128 - status


def main(arguments: list[str]) -> int:
    wanted = requirements(arguments)
    missing = None if wanted is None else _missing(wanted)
    if missing == []:
        return 0
    status = _run_real_pip(arguments if missing is None else _without_kfp(arguments))
    if status != 0 and missing:
        print(
            f"error: the step asks pip for {', '.join(missing)}, which its interpreter "
            f"{sys.executable} does not hold and a step may not download: add it to the "
            "component's packages_to_install, or install it there",
            file=sys.stderr,
        )
    return status


def _without_kfp(arguments: list[str]) -> list[str]:
    return [argument for argument in arguments if argument.startswith("-") or not is_kfp(argument)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
