"""`python3 -m kfp.dsl.executor_main`: one step, from its command line to its output file.

Exit status: 0 when the function returned and its outputs are written, 1 when it raised, broke the
contract, or could not be found; a SystemExit of the function stays what it is.
"""

from __future__ import annotations

import os
import sys

from kfp.dsl._errors import ContractError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

_RUNTIME = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_OPTIONS = (
    "executor_input",
    "executor_input_file",
    "function_to_execute",
    "component_module_path",
)


def main(arguments: list[str] | None = None) -> int:
    options = _parse(sys.argv[1:] if arguments is None else arguments)
    try:
        run(options)
    except ContractError as error:
        print(f"{_title(error)}: {error}", file=sys.stderr)
        return 1
    except Exception as error:
        _show(error)
        return 1
    return 0


def executor_main() -> None:
    sys.exit(main())


def run(options: dict[str, str]) -> str | None:
    """The path of the output file, or None where another worker writes it."""
    from kfp.dsl._logging import configure_on_import
    from kfp.dsl._source import load_source
    from kfp.dsl.executor import Executor

    name = options.get("function_to_execute")
    if not name:
        raise ContractError("--function_to_execute is missing")
    executor_input = _executor_input(options)
    path = options.get("component_module_path") or _configured_path(name)
    sys.argv = [path]
    configure_on_import()
    try:
        module = load_source(path)
    except OSError as error:
        if error.filename != os.path.abspath(path):
            raise
        raise ContractError(f"cannot read the component's source: {error}") from None
    function = getattr(module, name, None)
    if function is None:
        raise ContractError(f"the component's source {path} defines no function {name!r}")
    return Executor(executor_input, function).execute()


def _parse(arguments: list[str]) -> dict[str, str]:
    """`--name value` and `--name=value`; what is not known is left alone."""
    options: dict[str, str] = {}
    rest = iter(arguments)
    for argument in rest:
        name, equals, value = argument[2:].partition("=")
        if argument.startswith("--") and name in _OPTIONS:
            options[name] = value if equals else next(rest, "")
    return options


def _executor_input(options: dict[str, str]) -> dict[str, Any]:
    import gc

    from kfp.dsl._json import loads

    path = options.get("executor_input_file")
    try:
        if path:
            with open(path, "rb") as file:
                text = file.read().decode()
        else:
            text = options.get("executor_input", "")
            path = "--executor_input"
        # A large value makes many objects and no garbage.
        gc.disable()
        parsed = loads(text)
    except OSError as error:
        raise ContractError(f"cannot read the executor input: {error}") from None
    except ValueError as error:
        raise ContractError(f"the executor input in {path} is not JSON: {error}") from None
    finally:
        gc.enable()
    if not isinstance(parsed, dict):
        raise ContractError(f"the executor input in {path} is not a JSON object")
    return parsed


def _configured_path(function: str) -> str:
    """Where kfp_config.ini of the working folder says that the function lies."""
    from kfp.dsl.kfp_config import KFPConfig

    components = KFPConfig().get_components()
    if not components:
        raise ContractError(
            "no --component_module_path, and no components in kfp_config.ini of the working folder"
        )
    if function not in components:
        known = ", ".join(sorted(components))
        raise ContractError(f"kfp_config.ini has no component {function!r}; it has {known}")
    return str(components[function])


def _title(error: ContractError) -> str:
    return "TypeError" if isinstance(error, TypeError) else "error"


def _show(error: Exception) -> None:
    """The user's traceback, without this package's frames around it."""
    seen: BaseException | None = error
    while seen is not None:
        trimmed = _without_runtime(seen.__traceback__)
        # With no frame of the user's the fault is in this package: show all of it.
        if trimmed is not None or isinstance(seen, SyntaxError):
            seen.__traceback__ = trimmed
        seen = seen.__cause__ or seen.__context__
    sys.excepthook(type(error), error, error.__traceback__)


def _without_runtime(traceback: TracebackType | None) -> TracebackType | None:
    while traceback and traceback.tb_frame.f_code.co_filename.startswith(_RUNTIME + os.sep):
        traceback = traceback.tb_next
    return traceback


if __name__ == "__main__":
    executor_main()
