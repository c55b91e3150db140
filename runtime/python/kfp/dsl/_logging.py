"""Makes logging.info() of a component appear in the step's log; no cost where it is not used."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def configure_on_import() -> None:
    """Sets up the root logger: at once when logging is loaded, else after its first import."""
    if "logging" in sys.modules:
        _configure()
    else:
        sys.meta_path.insert(0, _LoggingFinder)  # type: ignore[arg-type]


def _configure() -> None:
    import logging

    logging.basicConfig(
        stream=sys.stdout, level=logging.INFO, format="[%(asctime)s %(levelname)s] %(message)s"
    )


class _LoggingFinder:
    @classmethod
    def find_spec(cls, fullname: str, path: Any = None, target: Any = None) -> Any:
        if fullname != "logging":
            return None
        sys.meta_path.remove(cls)  # type: ignore[arg-type]
        from importlib.machinery import PathFinder

        spec = PathFinder.find_spec(fullname, path)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_configure(module: Any) -> None:
                execute(module)
                _configure()

            spec.loader.exec_module = execute_and_configure  # type: ignore[method-assign]
        return spec
