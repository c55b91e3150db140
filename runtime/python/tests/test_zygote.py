"""cresset_zygote.py: what it does beside forking, which the engine's tests look at."""

import subprocess
import sys

from steps import RUNTIME

# Like a zygote that has imported, then rehearses.
REHEARSING = """
import os, sys
import cresset_zygote

cresset_zygote._import_all([])
from kfp.dsl.types import artifact_types

def state():
    return [
        dict(os.environ), list(sys.path), list(sys.argv), list(sys.meta_path), sorted(sys.modules),
        sys.modules["__main__"], artifact_types.CONTAINER_TASK_ROOT, os.listdir(PARENT),
    ]

PARENT = os.path.dirname(os.getcwd())
before = state()
cresset_zygote._do_a_step()
assert state() == before, (before, state())
assert list(cresset_zygote._compiled) == [cresset_zygote._STEP_SCRIPT]
os.rmdir(os.getcwd())
before = state()
cresset_zygote._rehearse()  # cannot write: no matter, and the folder stays away
assert state() == before, (before, state())
print("rehearsed")
"""


def test_a_rehearsal_does_a_step_and_leaves_nothing(tmp_path):
    folder = tmp_path / "zygote"
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", REHEARSING],
        cwd=folder,
        env={"PYTHONPATH": str(RUNTIME), "_KFP_RUNTIME": "true"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.stdout == "rehearsed\n"
