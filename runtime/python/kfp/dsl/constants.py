"""Constants of `kfp.dsl` that steps may ask for."""

from kfp.dsl.types._artifact import WORKSPACE_MOUNT_PATH

__all__ = ["WORKSPACE_MOUNT_PATH"]
