import os
from pathlib import Path

import pytest
from harness.cresset import REPOSITORY, Cresset, eventually
from harness.warm import waiting_workers

# A component of the SDK's form that does nothing.
PRIMER = Path(__file__).parent / "primer.yaml"


@pytest.fixture(params=["cold", "warm"])
def cresset(request, tmp_path):
    """The program with a home of its own, whose Python steps begin in new interpreters or in forks
    of one that waits."""
    program = Cresset(tmp_path / "home")
    if request.param == "cold":
        program.run_options = ["--cold"]
    else:
        program("rm", program.run(PRIMER).id)
        eventually(lambda: len(waiting_workers(program)) >= 3, "workers are warm")
    yield program
    program.stop_everything()


def sample_folder():
    named = os.environ.get("CRESSET_KFP_SAMPLES")
    folder = Path(named) if named else REPOSITORY.parent / "shared/conformance"
    if not (folder / "kfp").is_dir():
        pytest.skip(
            f"NO KFP SAMPLES in {folder}: set CRESSET_KFP_SAMPLES to the folder that holds kfp/ "
            "and kfp-invalid/"
        )
    return folder


@pytest.fixture
def sample():
    """The path of a compiled pipeline of kubeflow/pipelines by its name."""
    folder = sample_folder()
    return lambda name: folder / "kfp" / f"{name}.yaml"


@pytest.fixture
def invalid_sample():
    folder = sample_folder()
    return lambda name: folder / "kfp-invalid" / f"{name}.yaml"
