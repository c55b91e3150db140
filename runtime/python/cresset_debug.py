"""A lightweight component's step in Python's debugger; arguments as of cresset_step.py.

Stops at the first line of the component's function, and where an exception left it. Exit status:
that of cresset_step.py, and 1 after `quit`.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from pdb import Pdb
    from typing import Any


class _Debugged:
    """The function, which stops at its first line."""

    def __init__(self, function: Callable[..., Any], debugger: Pdb) -> None:
        self._function, self._debugger = function, debugger
        self.__globals__ = getattr(function, "__globals__", {})

    def __call__(self, *positional: Any, **named: Any) -> Any:
        result = self._debugger.runcall(self._function, *positional, **named)
        if self._debugger.was_left:  # type: ignore[attr-defined]
            # runcall() takes that for an end without a result.
            from bdb import BdbQuit

            raise BdbQuit
        return result


def _debug_functions(debugger: Pdb) -> None:
    from kfp.dsl import executor

    class Executor(executor.Executor):
        def __init__(self, *positional: Any) -> None:
            super().__init__(*positional)
            self.func = _Debugged(self.func, debugger)

    executor.Executor = Executor  # type: ignore[misc]


def main() -> int:
    from bdb import BdbQuit
    from pdb import Pdb

    from kfp.dsl import executor_main
    from kfp.dsl._errors import ContractError

    class Debugger(Pdb):
        was_left = False

        def set_quit(self) -> None:
            super().set_quit()
            self.was_left = True

    debugger = Debugger()
    _debug_functions(debugger)
    options = executor_main._parse(sys.argv[1:])
    try:
        executor_main.run(options)
    except BdbQuit:
        return 1
    except ContractError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except Exception as error:
        trace = error.__traceback__
        executor_main._show(error)
        print("The function raised this; the debugger stands where it did.", file=sys.stderr)
        debugger.reset()
        debugger.interaction(None, trace)
        return 1
    return 0


# A child process of a step (multiprocessing's spawn) runs this file again under another name: it
# must do nothing.
if __name__ == "__main__":
    os.environ["_KFP_RUNTIME"] = "true"
    folder = os.path.dirname(os.path.abspath(__file__))
    if folder not in sys.path:
        sys.path.insert(0, folder)
    sys.exit(main())
