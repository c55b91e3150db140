"""Small file systems in memory, for homes that run full."""

import contextlib
import os
import subprocess

import pytest


@contextlib.contextmanager
def small_disk(folder, **options):
    """A tmpfs on `folder`: `size` in bytes or with k or m, `nr_inodes`. Skips the test, and says
    why, where nothing may be mounted."""
    folder.mkdir(exist_ok=True)
    text = ",".join(f"{name}={value}" for name, value in options.items())
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", text, "tmpfs", folder], capture_output=True, text=True
    )
    if done.returncode != 0:
        pytest.skip(f"needs root, or `unshare -rm`, to mount a tmpfs: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def remount(folder, *options):
    text = ",".join(["remount", *options])
    command = ["mount", "-t", "tmpfs", "-o", text, "tmpfs", folder]
    subprocess.run(command, check=True, capture_output=True)


def fill(folder):
    """Takes all room there is; what to remove to have it back."""
    ballast = folder / "ballast"
    with open(ballast, "wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            with contextlib.suppress(OSError):
                while file.write(b"x" * size):
                    pass
    return ballast


def fill_inodes(folder):
    """Takes all names there are; what to remove to have them back."""
    ballast = folder / "ballast"
    ballast.mkdir()
    with contextlib.suppress(OSError):
        for number in range(10**6):
            os.close(os.open(ballast / str(number), os.O_CREAT | os.O_WRONLY))
    return ballast
