"""Runs a component's function: values and artifacts in, outputs out."""

from __future__ import annotations

import os

from kfp import missing_names
from kfp.dsl import _outputs, _signature
from kfp.dsl._errors import ContractError
from kfp.dsl._records import PipelineTaskFinalStatus, TaskConfig
from kfp.dsl.types import artifact_types
from kfp.dsl.types.type_annotations import (
    EmbeddedAnnotation,
    InputPath,
    OutputAnnotation,
    OutputPath,
    is_artifact_class,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_ABSENT = object()


class Executor:
    """One call of one function. Makes the artifacts when made, calls and writes in execute()."""

    def __init__(
        self, executor_input: dict[str, Any], function_to_execute: Callable[..., Any]
    ) -> None:
        self.func = getattr(function_to_execute, "python_func", function_to_execute)
        self.executor_input = executor_input
        self._signature = _signature.Signature(self.func)
        inputs = executor_input.get("inputs") or {}
        outputs = executor_input.get("outputs") or {}
        self.executor_output_path = outputs.get("outputFile")
        if not self.executor_output_path:
            raise ContractError("the executor input has no outputs.outputFile")
        artifact_types.CONTAINER_TASK_ROOT = os.path.dirname(self.executor_output_path)
        self._values = inputs.get("parameterValues") or {}
        self._output_files = outputs.get("parameters") or {}
        declared = {parameter.name: parameter for parameter in self._signature.parameters}
        self.input_artifacts = _make_all(inputs.get("artifacts") or {}, declared)
        self.output_artifacts = _make_all(outputs.get("artifacts") or {}, declared)
        self._make_output_folders()

    def execute(self) -> str | None:
        """The path of the output file, or None where another worker writes it."""
        positional, named = self._arguments()
        result = self.func(*positional, **named)
        values = _outputs.collect(
            result,
            self._signature,
            getattr(self.func, "__globals__", {}),
            self.output_artifacts,
        )
        if not _outputs.is_chief(os.environ.get("CLUSTER_SPEC")):
            return None
        _outputs.write(self.executor_output_path, values, self.output_artifacts)
        return str(self.executor_output_path)

    def _arguments(self) -> tuple[list[Any], dict[str, Any]]:
        positional: list[Any] = []
        named: dict[str, Any] = {}
        missing = []
        for parameter in self._signature.parameters:
            value = self._argument(parameter)
            if value is _ABSENT or (value is None and parameter.default is not _signature.REQUIRED):
                value = parameter.default
            if value is _signature.REQUIRED:
                if parameter.may_be_none:
                    value = None
                else:
                    missing.append(repr(parameter.name))
            if parameter.positional_only:
                positional.append(value)
            else:
                named[parameter.name] = value
        if missing:
            raise ContractError(
                f"function {self._signature.name!r} needs {', '.join(missing)}, "
                "which the executor input does not give"
            )
        return positional, named

    def _argument(self, parameter: _signature.Parameter) -> Any:
        """What the engine passes, or _ABSENT. What is passed counts more than the annotation."""
        name, annotation = parameter.name, parameter.annotation
        if isinstance(annotation, OutputPath) or annotation is OutputPath:
            return self._output_path(name)
        if parameter.mark is OutputAnnotation:
            return self.output_artifacts.get(name, _ABSENT)
        if parameter.mark is EmbeddedAnnotation:
            return self._embedded(parameter)
        if name in self.input_artifacts:
            artifact = self.input_artifacts[name]
            as_path = isinstance(annotation, InputPath) or annotation is InputPath
            return artifact.path if as_path and artifact is not None else artifact
        value = self._values.get(name, _ABSENT)
        if annotation is TaskConfig and (value is None or value is _ABSENT):
            return TaskConfig()  # nobody has put a setting on the task
        return value if value is None or value is _ABSENT else _converted(value, parameter)

    def _output_path(self, name: str) -> Any:
        if name in self._output_files:
            return self._output_files[name].get("outputFile")
        artifact = self.output_artifacts.get(name)
        return _ABSENT if artifact is None else artifact.path

    def _embedded(self, parameter: _signature.Parameter) -> Any:
        namespace = self.func.__globals__
        path = namespace.get("__KFP_EMBEDDED_ASSET_FILE") or namespace.get(
            "__KFP_EMBEDDED_ASSET_DIR"
        )
        if not path:
            raise ContractError(
                f"input {parameter.name!r} is declared EmbeddedInput, "
                "but the component's source holds no archive"
            )
        cls = parameter.type if is_artifact_class(parameter.type) else artifact_types.Artifact
        artifact = cls()
        artifact.path = path
        return artifact

    def _make_output_folders(self) -> None:
        files = [output.get("outputFile") for output in self._output_files.values()]
        for artifact in self.output_artifacts.values():
            files += [one.path for one in (artifact if isinstance(artifact, list) else [artifact])]
        for folder in {os.path.dirname(file) for file in files if file and os.path.isabs(file)}:
            try:
                os.makedirs(folder, exist_ok=True)
            except OSError as error:
                raise ContractError(f"cannot make the folder of an output: {error}") from None


def _make_all(given: dict[str, Any], declared: dict[str, _signature.Parameter]) -> dict[str, Any]:
    """Artifact objects by name: a list where the function declares one, else the first or None."""
    made: dict[str, Any] = {}
    for name, entry in given.items():
        parameter = declared.get(name)
        item_type = parameter.item_type if parameter else object
        artifacts = [
            create_artifact_instance(one, item_type) for one in (entry.get("artifacts") or ())
        ]
        if parameter is not None and parameter.is_list:
            made[name] = artifacts
        else:
            made[name] = artifacts[0] if artifacts else None
    return made


def create_artifact_instance(
    runtime_artifact: dict[str, Any], fallback_artifact_cls: Any = artifact_types.Artifact
) -> Any:
    """An artifact of the class that its type names, or of the declared one if narrower."""
    title = (runtime_artifact.get("type") or {}).get("schemaTitle", "")
    cls: Any = artifact_types._SCHEMA_TITLE_TO_TYPE.get(title)
    declared = fallback_artifact_cls
    if isinstance(declared, type) and is_artifact_class(declared):
        if cls is None or issubclass(declared, cls):
            cls = declared
    cls = cls or artifact_types.Artifact
    artifact = getattr(cls, "_from_executor_fields", cls)(
        name=runtime_artifact.get("name") or "",
        uri=runtime_artifact.get("uri") or "",
        metadata=runtime_artifact.get("metadata") or {},
    )
    custom_path = runtime_artifact.get("customPath") or runtime_artifact.get("custom_path")
    if custom_path:
        artifact.custom_path = custom_path
    return artifact


def _converted(value: Any, parameter: _signature.Parameter) -> Any:
    """JSON has one kind of number and no models: the annotation says which one is meant."""
    declared = parameter.annotation
    if declared is float and type(value) is int:
        return float(value)
    if declared is int and type(value) is float and value.is_integer():
        return int(value)
    if not isinstance(value, dict):
        return value
    if declared is PipelineTaskFinalStatus or declared is TaskConfig:
        return declared.from_payload(value)
    if not _outputs.is_model(declared):
        return value
    try:
        return getattr(declared, "model_validate", declared.parse_obj)(value)
    except ValueError as error:
        raise ContractError(f"input {parameter.name!r}: {error}") from None


__getattr__ = missing_names(__name__)
