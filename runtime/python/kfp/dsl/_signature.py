"""What a component's function declares, without the cost of importing inspect and typing."""

from __future__ import annotations

from kfp.dsl._errors import ContractError
from kfp.dsl.types.type_annotations import (
    get_inner_type,
    is_union,
    marker,
    maybe_strip_optional_from_annotation,
    strip_Input_or_Output_marker,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

REQUIRED = object()


class Parameter:
    """One parameter of the function, its annotation taken apart."""

    def __init__(self, name: str, annotation: Any, default: Any, positional_only: bool) -> None:
        self.name = name
        self.default = default
        self.positional_only = positional_only
        self.annotation = maybe_strip_optional_from_annotation(annotation)
        self.may_be_none = self.annotation is not annotation
        self.mark = marker(self.annotation)
        self.type = self.annotation
        if self.mark is not None:
            self.type = maybe_strip_optional_from_annotation(
                strip_Input_or_Output_marker(self.annotation)
            )
        self.is_list = self.type is list or getattr(self.type, "__origin__", None) is list
        # What one artifact of a list is, or the type itself.
        self.item_type = (get_inner_type(self.type) or object) if self.is_list else self.type


class Signature:
    """Parameters in order, and the return annotation (None when there is none)."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.name = getattr(function, "__name__", repr(function))
        while hasattr(function, "__wrapped__"):
            function = function.__wrapped__
        code = getattr(function, "__code__", None)
        if code is None:
            raise ContractError(f"{self.name!r} is not a Python function")
        names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        defaults = _defaults(function, names[: code.co_argcount])
        annotations = _annotations(function)
        self.parameters = [
            Parameter(
                name,
                annotations.get(name),
                defaults.get(name, REQUIRED),
                position < code.co_posonlyargcount,
            )
            for position, name in enumerate(names)
        ]
        self.returns = annotations.get("return")


def _defaults(function: Any, positional: tuple[str, ...]) -> dict[str, Any]:
    values = function.__defaults__ or ()
    found = dict(zip(positional[len(positional) - len(values) :], values))
    found.update(function.__kwdefaults__ or {})
    return found


def _annotations(function: Any) -> dict[str, Any]:
    namespace = function.__globals__
    try:
        declared = function.__annotations__
    except NameError as error:  # Python 3.14 evaluates annotations only here
        raise ContractError(
            f"an annotation of {function.__name__!r} cannot be evaluated: {error}"
        ) from None
    return {name: resolve(annotation, namespace) for name, annotation in declared.items()}


def resolve(annotation: Any, namespace: dict[str, Any]) -> Any:
    """Evaluates annotations that are text, also inside Input[…] and List[…].

    Text that cannot be evaluated stays text: what the engine passes decides then what the parameter
    is.
    """
    text = getattr(annotation, "__forward_arg__", annotation)
    if isinstance(text, str):
        return _evaluate(text, namespace)
    arguments = getattr(annotation, "__args__", None)
    if not arguments or not any(_holds_text(argument) for argument in arguments):
        return annotation
    resolved = tuple(resolve(argument, namespace) for argument in arguments)
    mark = marker(annotation)
    if mark is not None:
        from typing import Annotated

        return Annotated[resolved[0], mark]
    if getattr(annotation, "__origin__", None) is list:
        return list[resolved[0]]  # type: ignore[valid-type]
    if is_union(annotation):
        from typing import Union

        return Union[resolved]
    return annotation


def _evaluate(text: str, namespace: dict[str, Any]) -> Any:
    try:
        return resolve(eval(text, namespace), namespace)
    except NameError:  # the source may use names of typing without having imported it, see _source
        import typing
    except Exception:
        return text
    try:
        return resolve(eval(text, {**vars(typing), **namespace}), namespace)
    except Exception:
        return text


def _holds_text(annotation: Any) -> bool:
    if isinstance(annotation, str) or hasattr(annotation, "__forward_arg__"):
        return True
    return any(_holds_text(argument) for argument in getattr(annotation, "__args__", None) or ())
