"""What the engine tells a step about another task and about its own settings."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class _DataclassFields:
    """Makes dataclasses.asdict() and replace() work; only they load the slow module."""

    def __get__(self, instance: object, owner: type[_Record]) -> object:
        from dataclasses import field, make_dataclass

        fields = [(name, object, field(default=None)) for name in owner._fields]
        made: Any = make_dataclass(owner.__name__, fields)
        return made.__dataclass_fields__


class _Record:
    _fields: tuple[str, ...] = ()
    __dataclass_fields__ = _DataclassFields()

    def __eq__(self, other: object) -> bool:
        return vars(self) == vars(other) if type(other) is type(self) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._fields)
        return f"{type(self).__name__}({values})"


class PipelineTaskFinalStatus(_Record):
    """How the tasks that an exit task waits for ended: state SUCCEEDED, FAILED or CANCELED."""

    _fields = (
        "state",
        "pipeline_job_resource_name",
        "pipeline_task_name",
        "error_code",
        "error_message",
    )

    def __init__(
        self,
        state: str | None = None,
        pipeline_job_resource_name: str | None = None,
        pipeline_task_name: str | None = None,
        error_code: int | None = None,
        error_message: str | None = None,
    ) -> None:
        self.state = state
        self.pipeline_job_resource_name = pipeline_job_resource_name
        self.pipeline_task_name = pipeline_task_name
        self.error_code = error_code
        self.error_message = error_message

    @classmethod
    def from_payload(cls, payload: dict[str, Any]) -> PipelineTaskFinalStatus:
        error = payload.get("error") or {}
        return cls(
            state=payload.get("state"),
            pipeline_job_resource_name=payload.get("pipelineJobResourceName")
            or payload.get("pipeline_job_resource_name"),
            pipeline_task_name=payload.get("pipelineTaskName") or payload.get("pipeline_task_name"),
            error_code=error.get("code"),
            error_message=error.get("message"),
        )


class TaskConfig(_Record):
    """Settings that the pipeline's author put on the task, as fragments of a Kubernetes pod."""

    _fields = (
        "affinity",
        "tolerations",
        "node_selector",
        "env",
        "volumes",
        "volume_mounts",
        "resources",
    )

    def __init__(
        self,
        affinity: dict[str, Any] | None = None,
        tolerations: list[dict[str, Any]] | None = None,
        node_selector: dict[str, str] | None = None,
        env: list[dict[str, Any]] | None = None,
        volumes: list[dict[str, Any]] | None = None,
        volume_mounts: list[dict[str, Any]] | None = None,
        resources: dict[str, Any] | None = None,
    ) -> None:
        self.affinity = affinity
        self.tolerations = tolerations
        self.node_selector = node_selector
        self.env = env
        self.volumes = volumes
        self.volume_mounts = volume_mounts
        self.resources = resources

    @classmethod
    def from_payload(cls, payload: dict[str, Any]) -> TaskConfig:
        return cls(
            affinity=payload.get("affinity"),
            tolerations=payload.get("tolerations"),
            node_selector=payload.get("nodeSelector"),
            env=payload.get("env"),
            volumes=payload.get("volumes"),
            volume_mounts=payload.get("volumeMounts"),
            resources=payload.get("resources"),
        )
