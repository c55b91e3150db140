"""The artifact classes of `kfp.dsl`."""

from __future__ import annotations

import os

from kfp import missing_names
from kfp.dsl.types._artifact import OCI, OCI_MODELS, Artifact, convert_local_path_to_remote_path
from kfp.dsl.types._classification_metrics import (
    ClassificationMetrics,
    SlicedClassificationMetrics,
)

# Folder of the running task; the executor sets it, get_uri() builds on it.
CONTAINER_TASK_ROOT: str | None = None


class Model(Artifact):
    schema_title = "system.Model"

    def _get_path(self) -> str:
        path = super()._get_path()
        # An image that holds a model has it in this folder.
        return path + OCI_MODELS if self.uri.startswith(OCI) and not self._custom_path else path

    @property
    def framework(self) -> str:
        """What trained the model, kept in the metadata."""
        return str(self.metadata.get("framework", ""))

    @framework.setter
    def framework(self, framework: str) -> None:
        self.metadata["framework"] = framework


class Dataset(Artifact):
    schema_title = "system.Dataset"


class HTML(Artifact):
    schema_title = "system.HTML"


class Markdown(Artifact):
    schema_title = "system.Markdown"


class Metrics(Artifact):
    """Named numbers, kept in the metadata."""

    schema_title = "system.Metrics"

    def log_metric(self, metric: str, value: float) -> None:
        self.metadata[metric] = value


def get_uri(suffix: str = "Output") -> str:
    """A URI below the running task's folder, for an artifact that the function builds itself."""
    if CONTAINER_TASK_ROOT is None:
        raise RuntimeError("dsl.get_uri() has an answer only while a step runs")
    return os.path.join(convert_local_path_to_remote_path(CONTAINER_TASK_ROOT), suffix)


_SCHEMA_TITLE_TO_TYPE: dict[str, type[Artifact]] = {
    cls.schema_title: cls
    for cls in (
        Artifact,
        Model,
        Dataset,
        HTML,
        Markdown,
        Metrics,
        ClassificationMetrics,
        SlicedClassificationMetrics,
    )
}


__getattr__ = missing_names(__name__)
