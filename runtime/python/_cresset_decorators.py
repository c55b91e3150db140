"""Decorators of `kfp.dsl` that do nothing until someone needs what they make.

A step runs one function of a module that may define many components and pipelines. Building those
takes the whole SDK; so each decorated function waits as it is. When the real kfp is loaded later,
they are built by it, in the order of their definition, and put in the place of the waiting ones.
"""

from __future__ import annotations

import importlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_waiting: list[Decorated] = []


class Decorated:
    """A function under one of the decorators. Calling it calls the function."""

    def __init__(
        self, decorator: str, function: Callable[..., Any], options: dict[str, Any]
    ) -> None:
        self.python_func = function
        self.__name__ = function.__name__
        self.__doc__ = function.__doc__
        self._decorator, self._options = decorator, options

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self.python_func(*arguments, **named)

    def build(self) -> Any:
        """What the real decorator makes of the function."""
        decorator = getattr(importlib.import_module("kfp.dsl"), self._decorator)
        return decorator(**self._options)(self.python_func)


def _make(decorator: str) -> Callable[..., Any]:
    def decorate(func: Callable[..., Any] | None = None, **options: Any) -> Any:
        if func is None:
            return lambda function: decorate(function, **options)
        import _cresset_real_kfp

        decorated = Decorated(decorator, func, options)
        if _cresset_real_kfp.is_loaded():
            return decorated.build()
        _waiting.append(decorated)
        return decorated

    decorate.__name__ = decorator
    return decorate


component = _make("component")
container_component = _make("container_component")
notebook_component = _make("notebook_component")
pipeline = _make("pipeline")


def finish() -> None:
    """Replaces each waiting function in its module by what the real kfp makes of it."""
    while _waiting:
        decorated = _waiting.pop(0)
        namespace = decorated.python_func.__globals__
        names = [name for name, value in namespace.items() if value is decorated]
        if names:
            built = decorated.build()
            namespace.update({name: built for name in names})
