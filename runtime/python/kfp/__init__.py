"""The part of `kfp` that a running step needs, without the SDK's imports.

A step imports this package in place of the SDK, because runtime/python stands first on PYTHONPATH.
A name or module that is not here comes from the real kfp when the interpreter has one
(`_cresset_real_kfp`).
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__version__ = "2.17.0"
TYPE_CHECK = True


def missing_names(module: str) -> Callable[[str], Any]:
    """The `__getattr__` of a module of this package: asks the real module of the same name."""

    def missing(name: str) -> Any:
        # The import system asks a package for private names that it may lack, and for its modules.
        if name.startswith("_"):
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        import _cresset_real_kfp

        return _cresset_real_kfp.attribute(module, name)

    return missing


class _MissingModules:
    """Asked after every other finder: what this package lacks comes from the real kfp."""

    @staticmethod
    def find_spec(fullname: str, path: Any = None, target: Any = None) -> Any:
        if not fullname.startswith("kfp."):
            return None
        import _cresset_real_kfp

        return _cresset_real_kfp.find_spec(fullname)


sys.meta_path.append(_MissingModules)  # type: ignore[arg-type]

# A program that a step starts and that is no component (a script that compiles pipelines, say)
# wants the whole SDK. `python3 -m kfp.dsl.executor_main` imports this package while sys.argv[0] is
# "-m".
if os.environ.get("_KFP_RUNTIME") != "true" and sys.argv[:1] != ["-m"]:
    import _cresset_real_kfp

    _cresset_real_kfp.load_if_installed()

__getattr__ = missing_names(__name__)
