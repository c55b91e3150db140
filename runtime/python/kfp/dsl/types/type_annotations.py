"""Annotations of a component's parameters: Input, Output, EmbeddedInput, InputPath, OutputPath."""

from __future__ import annotations

import sys

from kfp import missing_names
from kfp.dsl.types.artifact_types import _SCHEMA_TITLE_TO_TYPE, Artifact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Names of parameter types, as annotations and older component files spell them.
PARAMETER_TYPE_NAMES = frozenset(
    "int integer float double str string text bool boolean dict jsonobject list jsonarray".split()
)


class InputAnnotation:
    """Marks an input artifact inside typing.Annotated."""


class OutputAnnotation:
    """Marks an output artifact inside typing.Annotated."""


class EmbeddedAnnotation:
    """Marks an artifact that travels inside the component's source."""


class _Marked:
    """Stands for `Annotated[item, mark]` while typing, which is slow to import, is not imported."""

    def __init__(self, item: object, mark: type) -> None:
        self.__origin__ = item
        self.__args__ = (item,)
        self.__metadata__ = (mark,)

    def _annotated(self) -> Any:
        from typing import Annotated

        return Annotated[self.__origin__, self.__metadata__[0]]

    def __or__(self, other: object) -> object:
        return self._annotated() | other

    def __ror__(self, other: object) -> object:
        return other | self._annotated()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Marked) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(self.__metadata__)

    def __repr__(self) -> str:
        return repr(self._annotated())


class _Marker:
    """`Marker[T]` is `Annotated[T, mark]`."""

    mark: type = object

    def __class_getitem__(cls, item: object) -> object:
        marked = _Marked(item, cls.mark)
        return marked._annotated() if "typing" in sys.modules else marked


class Input(_Marker):
    mark = InputAnnotation


class Output(_Marker):
    mark = OutputAnnotation


class EmbeddedInput(_Marker):
    mark = EmbeddedAnnotation


class _Path:
    """An annotation that asks for a path instead of a value or an artifact object."""

    def __init__(self, type: object = None) -> None:
        self.type = _canonical_type(type)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.type == self.type

    def __hash__(self) -> int:
        return hash((type(self).__name__, str(self.type)))


class InputPath(_Path):
    """The function gets the local path of an input artifact."""


class OutputPath(_Path):
    """The function gets the path of the file or folder that it must write."""


def _canonical_type(declared: object) -> object:
    """Parameter types stay as they are; everything else becomes `<schema title>@<version>`."""
    if is_artifact_class(declared):
        return f"{declared.schema_title}@{declared.schema_version}"  # type: ignore[attr-defined]
    if isinstance(declared, str):
        for title in _SCHEMA_TITLE_TO_TYPE:
            if title.lower() == "system." + declared.lower():
                return title + "@" + Artifact.schema_version
    if declared is not None and get_short_type_name(declared).lower() in PARAMETER_TYPE_NAMES:
        return declared
    return Artifact.schema_title + "@" + Artifact.schema_version


def get_short_type_name(annotation: object) -> str:
    """`typing.List[int]`, `list` and `List` all give the bare name."""
    text = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    return text.partition("[")[0].rpartition(".")[2]


def is_artifact_class(annotation: object) -> bool:
    """By its two class attributes, so that artifact classes of other packages count too."""
    return hasattr(annotation, "schema_title") and hasattr(annotation, "schema_version")


def marker(annotation: object) -> object:
    """InputAnnotation, OutputAnnotation, EmbeddedAnnotation, or None for any other annotation."""
    metadata = getattr(annotation, "__metadata__", None) or (None,)
    known = (InputAnnotation, OutputAnnotation, EmbeddedAnnotation)
    return metadata[0] if metadata[0] in known else None


def is_Input_Output_artifact_annotation(annotation: object) -> bool:
    return marker(annotation) in (InputAnnotation, OutputAnnotation)


def is_artifact_wrapped_in_Input(annotation: object) -> bool:
    return marker(annotation) is InputAnnotation


def is_artifact_wrapped_in_Output(annotation: object) -> bool:
    return marker(annotation) is OutputAnnotation


def is_embedded_input_annotation(annotation: object) -> bool:
    return marker(annotation) is EmbeddedAnnotation


def strip_Input_or_Output_marker(annotation: Any) -> Any:
    return annotation.__args__[0]


def get_inner_type(annotation: object) -> Any:
    """The one type argument, a tuple of several, or None."""
    arguments = getattr(annotation, "__args__", None)
    if not arguments:
        return None
    return arguments[0] if len(arguments) == 1 else tuple(arguments)


def is_list_of_artifacts(annotation: object) -> bool:
    return getattr(annotation, "__origin__", None) is list and is_artifact_class(
        get_inner_type(annotation)
    )


def maybe_strip_optional_from_annotation(annotation: Any) -> Any:
    """`Optional[T]` and `T | None` give T; everything else stays."""
    arguments = getattr(annotation, "__args__", ())
    if len(arguments) == 2 and type(None) in arguments and is_union(annotation):
        return arguments[0] if arguments[1] is type(None) else arguments[1]
    return annotation


def is_union(annotation: object) -> bool:
    # By name: the class of `int | None` differs between Python versions, and a name needs no
    # import.
    return type(annotation).__name__ in ("UnionType", "_UnionGenericAlias", "Union")


__getattr__ = missing_names(__name__)
