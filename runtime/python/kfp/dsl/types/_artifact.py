"""What every artifact has: a name, a URI, metadata, and a place on this machine."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Where the pipeline's workspace lies. A pod mounts it at the fixed place; an engine that cannot
# mount says where.
WORKSPACE_MOUNT_PATH = os.environ.get("CRESSET_WORKSPACE") or "/kfp-workspace"

_FILE = "file://"
_MOUNTS = (("gs://", "/gcs/"), ("minio://", "/minio/"), ("s3://", "/s3/"))
_OCI_MOUNT = "/oci/"
OCI, OCI_MODELS = "oci://", "/models"


class Artifact:
    """Any output of a step that is more than a value: a file or folder, with metadata."""

    schema_title = "system.Artifact"
    schema_version = "0.0.1"

    def __init__(
        self,
        name: str | None = None,
        uri: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self.name = name or ""
        self.uri = uri or ""
        self.metadata = metadata or {}
        self._custom_path = ""

    @property
    def path(self) -> str:
        """The local file or folder; setting it sets the URI."""
        return self._get_path()

    @path.setter
    def path(self, path: str) -> None:
        self._set_path(path)

    @property
    def custom_path(self) -> str:
        """A place outside the pipeline root that the step chose; empty when it did not."""
        return self._custom_path

    @custom_path.setter
    def custom_path(self, path: str) -> None:
        self._custom_path = path

    def set_path(self, path: str) -> None:
        self._custom_path = path

    def _get_path(self) -> str:
        if self._custom_path:
            return self._custom_path
        path = _local_path(self.uri)
        if self.metadata.get("_kfp_workspace") is True:
            return os.path.join(WORKSPACE_MOUNT_PATH, ".artifacts", path.lstrip("/"))
        return path

    def _set_path(self, path: str) -> None:
        self.uri = convert_local_path_to_remote_path(path)


def _local_path(uri: str) -> str:
    if uri.startswith(_FILE):
        return uri[len(_FILE) :]  # raw: a `%` in a file's name stays a `%`
    for scheme, mount in _MOUNTS:
        if uri.startswith(scheme):
            return mount + uri[len(scheme) :]
    if uri.startswith(OCI):
        return _OCI_MOUNT + uri[len(OCI) :].replace("/", "_")
    return uri


def convert_local_path_to_remote_path(path: str) -> str:
    """The URI of a local path: the store's when the path lies in a store's mount, else file://."""
    path = os.fspath(path)
    for scheme, mount in _MOUNTS:
        if path.startswith(mount):
            return scheme + path[len(mount) :]
    if path.startswith(_OCI_MOUNT):
        image = path[len(_OCI_MOUNT) :].replace("_", "/")
        return OCI + (image[: -len(OCI_MODELS)] if image.endswith(OCI_MODELS) else image)
    if not path or "://" in path:
        return path
    return _FILE + os.path.abspath(path)
