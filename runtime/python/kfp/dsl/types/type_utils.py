"""Questions about types that component code may ask at run time."""

from __future__ import annotations

from kfp import missing_names
from kfp.dsl.types.artifact_types import _SCHEMA_TITLE_TO_TYPE
from kfp.dsl.types.type_annotations import PARAMETER_TYPE_NAMES, get_short_type_name

DEFAULT_ARTIFACT_SCHEMA_VERSION = "0.0.1"

ARTIFACT_CLASSES_MAPPING = {
    title.partition(".")[2].lower(): cls for title, cls in _SCHEMA_TITLE_TO_TYPE.items()
}


def is_task_final_status_type(type_name: object) -> bool:
    return type_name == "PipelineTaskFinalStatus"


def is_task_config_type(type_name: object) -> bool:
    return type_name == "TaskConfig"


def is_parameter_type(type_name: object) -> bool:
    """True for the name of a parameter type: `int`, `Dict[str, int]`, `JsonArray` …"""
    if isinstance(type_name, dict):
        type_name = next(iter(type_name), None)
    if not isinstance(type_name, str):
        return False
    short = get_short_type_name(type_name)
    return (
        short.lower() in PARAMETER_TYPE_NAMES
        or is_task_final_status_type(short)
        or is_task_config_type(short)
    )


def create_bundled_artifact_type(schema_title: str, schema_version: str | None = None) -> str:
    return f"{schema_title}@{schema_version or DEFAULT_ARTIFACT_SCHEMA_VERSION}"


__getattr__ = missing_names(__name__)
