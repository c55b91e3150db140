"""The real kfp, for names that the runtime's own `kfp` lacks.

The first such name makes the real package take the runtime's place in sys.modules. Modules of the
runtime that are already imported go on working, and their classes (artifacts, annotations, final
status) replace the real ones everywhere in the real package: a step never meets two classes of one
name.
"""

from __future__ import annotations

import importlib
import os
import sys
from importlib.machinery import ModuleSpec, PathFinder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

_RUNTIME = os.path.dirname(os.path.abspath(__file__))
_SHARED = {
    "kfp.dsl": ("Input", "Output", "EmbeddedInput", "get_uri", "run_notebook"),
    "kfp.dsl.task_config": ("TaskConfig",),
    "kfp.dsl.task_final_status": ("PipelineTaskFinalStatus",),
    "kfp.dsl.types.artifact_types": (
        "Artifact",
        "ClassificationMetrics",
        "Dataset",
        "HTML",
        "Markdown",
        "Metrics",
        "Model",
        "SlicedClassificationMetrics",
    ),
    "kfp.dsl.types.type_annotations": (
        "EmbeddedAnnotation",
        "InputAnnotation",
        "InputPath",
        "OutputAnnotation",
        "OutputPath",
    ),
}


class _State:
    loading = False
    loaded = False


def attribute(module: str, name: str) -> Any:
    """A module of the runtime, else `name` of the real `module`. AttributeError when neither."""
    if not _State.loaded and _has_module(f"{module}.{name}"):
        return importlib.import_module(f"{module}.{name}")
    try:
        load(f"{module}.{name}")
        real = importlib.import_module(module)
    except ImportError as error:
        raise AttributeError(str(error)) from error
    if not hasattr(real, name):
        try:
            return importlib.import_module(f"{module}.{name}")
        except ModuleNotFoundError as error:
            if error.name != f"{module}.{name}":
                raise
    return getattr(real, name)


def _has_module(fullname: str) -> bool:
    stem = os.path.join(_RUNTIME, *fullname.split("."))
    return os.path.isfile(stem + ".py") or os.path.isfile(os.path.join(stem, "__init__.py"))


def find_spec(fullname: str) -> ModuleSpec | None:
    """For the import system: the real `fullname`, unless the real kfp is in place already."""
    if _State.loading or _State.loaded:
        return None
    load(fullname)
    module = importlib.import_module(fullname)
    return ModuleSpec(fullname, _Loaded(module))


class _Loaded:
    """A loader of a module that is loaded already."""

    def __init__(self, module: ModuleType) -> None:
        self._module, self._spec = module, module.__spec__

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec  # the import system has put its own there


def is_loaded() -> bool:
    return _State.loaded


def load_if_installed() -> None:
    if _is_installed(_path_elsewhere()):
        load("kfp")


def _path_elsewhere() -> list[str]:
    return [entry for entry in sys.path if os.path.abspath(entry) != _RUNTIME]


def _is_installed(path: list[str]) -> bool:
    spec = PathFinder.find_spec("kfp", path)
    # Without an origin it is a folder of that name, such as an extension's that was left without
    # its kfp.
    return spec is not None and spec.origin is not None


def load(wanted: str) -> None:
    """Puts the real kfp in place. ModuleNotFoundError, with the remedy, when there is none."""
    if _State.loading or _State.loaded:
        return
    elsewhere = _path_elsewhere()
    if not _is_installed(elsewhere):
        raise ModuleNotFoundError(
            f"the step's runtime has no {wanted}, and its interpreter no kfp that could supply it: "
            f"add kfp to the component's packages_to_install, or install it with "
            f"`{sys.executable} -m pip install kfp`",
            name="kfp",
        )
    own = {name: module for name, module in sys.modules.items() if _is_kfp(name)}
    for name in own:
        del sys.modules[name]
    path, flag = list(sys.path), os.environ.pop("_KFP_RUNTIME", None)
    sys.path[:] = elsewhere
    _State.loading = True
    try:
        importlib.import_module("kfp.dsl")
    except BaseException:
        for name in [name for name in sys.modules if _is_kfp(name)]:
            del sys.modules[name]
        sys.modules.update(own)
        raise
    finally:
        _State.loading = False
        sys.path[:] = path
        if flag is not None:
            os.environ["_KFP_RUNTIME"] = flag
    _State.loaded = True
    _share_classes(own)
    _finish_decorated()


def _is_kfp(name: str) -> bool:
    return name == "kfp" or name.startswith("kfp.")


def _share_classes(own: dict[str, ModuleType]) -> None:
    if "kfp.dsl" not in own:
        return
    replacement: dict[int, Any] = {}
    for module, names in _SHARED.items():
        real = sys.modules.get(module)
        for name in names:
            mine = getattr(own.get(module) or own["kfp.dsl"], name, None)
            if mine is not None and hasattr(real, name):
                replacement[id(getattr(real, name))] = mine
    for module in [name for name in sys.modules if _is_kfp(name)]:
        namespace = vars(sys.modules[module])
        for name, value in list(namespace.items()):
            if id(value) in replacement:
                namespace[name] = replacement[id(value)]
            elif isinstance(value, dict) and not name.startswith("__"):
                for key, entry in value.items():
                    value[key] = replacement.get(id(entry), entry)


def _finish_decorated() -> None:
    decorators = sys.modules.get("_cresset_decorators")
    if decorators is not None:
        decorators.finish()
