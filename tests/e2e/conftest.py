import pytest
from harness.homes import maker


@pytest.fixture
def made(cresset, tmp_path):
    """Runs a pipeline whose first step makes an artifact that the second reads."""
    file = maker(tmp_path)
    return lambda *arguments: cresset.run(file, *arguments)
