"""Helpers of `kfp.dsl` that programs may import by name."""

from __future__ import annotations

import os

from kfp import missing_names
from kfp.dsl._source import load_source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType


def load_module(module_name: str, module_directory: str) -> ModuleType:
    return load_source(os.path.join(module_directory, module_name + ".py"))


__getattr__ = missing_names(__name__)
