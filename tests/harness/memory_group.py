"""Control groups of the kernel's that hold little memory, for steps that run out of it."""

import contextlib
import pathlib
import uuid

import pytest

from harness.cresset import eventually

ROOT = pathlib.Path("/sys/fs/cgroup")


@contextlib.contextmanager
def memory_group(limit):
    """The file that takes the numbers of processes which then have `limit` bytes together, and no
    swap. Skips the test, and says why, where no such group can be made."""
    is_unified = (ROOT / "cgroup.controllers").exists()
    group = (ROOT if is_unified else ROOT / "memory") / f"cresset-test-{uuid.uuid4().hex}"
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"needs to make control groups for memory: {error}")
    try:
        if not (group / ("memory.max" if is_unified else "memory.limit_in_bytes")).exists():
            pytest.skip("control groups have no say over memory here")
        if is_unified:
            limits = {"memory.max": limit, "memory.swap.max": 0}
        else:
            limits = {"memory.limit_in_bytes": limit, "memory.memsw.limit_in_bytes": limit}
        for name, value in limits.items():
            if (group / name).exists():  # the one for swap, where there can be none
                (group / name).write_text(str(value))
        yield group / "cgroup.procs"
    finally:
        eventually(lambda: _is_removed(group), "the group is empty")


def _is_removed(group):
    with contextlib.suppress(OSError):
        group.rmdir()
    return not group.exists()
