import os
from pathlib import Path

import pytest
from harness.cresset import REPOSITORY


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
