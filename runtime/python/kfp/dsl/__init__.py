"""`kfp.dsl` as a running step sees it: annotations, artifact classes, placeholders.

What is needed to write pipelines and not to run a step (If, ParallelFor, PipelineTask …) comes from
the real kfp when it is installed. Decorators are here in a form that does no harm.
"""

import os

from kfp import missing_names
from kfp.dsl._records import PipelineTaskFinalStatus, TaskConfig
from kfp.dsl.types.artifact_types import (
    HTML,
    Artifact,
    ClassificationMetrics,
    Dataset,
    Markdown,
    Metrics,
    Model,
    SlicedClassificationMetrics,
    get_uri,
)
from kfp.dsl.types.type_annotations import EmbeddedInput, Input, InputPath, Output, OutputPath

PIPELINE_JOB_NAME_PLACEHOLDER = "{{$.pipeline_job_name}}"
PIPELINE_JOB_RESOURCE_NAME_PLACEHOLDER = "{{$.pipeline_job_resource_name}}"
PIPELINE_JOB_ID_PLACEHOLDER = "{{$.pipeline_job_uuid}}"
PIPELINE_TASK_NAME_PLACEHOLDER = "{{$.pipeline_task_name}}"
PIPELINE_TASK_ID_PLACEHOLDER = "{{$.pipeline_task_uuid}}"
PIPELINE_TASK_EXECUTOR_OUTPUT_PATH_PLACEHOLDER = "{{$.outputs.output_file}}"
PIPELINE_TASK_EXECUTOR_INPUT_PLACEHOLDER = "{{$}}"
PIPELINE_ROOT_PLACEHOLDER = "{{$.pipeline_root}}"
PIPELINE_JOB_CREATE_TIME_UTC_PLACEHOLDER = "{{$.pipeline_job_create_time_utc}}"
PIPELINE_JOB_SCHEDULE_TIME_UTC_PLACEHOLDER = "{{$.pipeline_job_schedule_time_utc}}"
WORKSPACE_PATH_PLACEHOLDER = "{{$.workspace_path}}"

__all__ = [
    "HTML",
    "PIPELINE_JOB_CREATE_TIME_UTC_PLACEHOLDER",
    "PIPELINE_JOB_ID_PLACEHOLDER",
    "PIPELINE_JOB_NAME_PLACEHOLDER",
    "PIPELINE_JOB_RESOURCE_NAME_PLACEHOLDER",
    "PIPELINE_JOB_SCHEDULE_TIME_UTC_PLACEHOLDER",
    "PIPELINE_ROOT_PLACEHOLDER",
    "PIPELINE_TASK_EXECUTOR_INPUT_PLACEHOLDER",
    "PIPELINE_TASK_EXECUTOR_OUTPUT_PATH_PLACEHOLDER",
    "PIPELINE_TASK_ID_PLACEHOLDER",
    "PIPELINE_TASK_NAME_PLACEHOLDER",
    "WORKSPACE_PATH_PLACEHOLDER",
    "Artifact",
    "ClassificationMetrics",
    "Dataset",
    "EmbeddedInput",
    "Input",
    "InputPath",
    "Markdown",
    "Metrics",
    "Model",
    "Output",
    "OutputPath",
    "PipelineTaskFinalStatus",
    "SlicedClassificationMetrics",
    "TaskConfig",
    "get_uri",
    "run_notebook",
]

_DECORATORS = ("component", "container_component", "notebook_component", "pipeline")

# A containerised component's module still has its decorators, a lightweight component's source has
# none.
if os.environ.get("_KFP_RUNTIME") != "true":
    __all__ += _DECORATORS


def run_notebook(**parameters: object) -> None:
    """Runs the notebook; the source of a notebook component puts the real one in this place."""
    raise NotImplementedError("dsl.run_notebook() works only inside a notebook component")


_ask_real = missing_names(__name__)


def __getattr__(name: str) -> object:
    if name not in _DECORATORS:
        return _ask_real(name)
    import _cresset_decorators

    return getattr(_cresset_decorators, name)
