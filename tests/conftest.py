import pytest
from harness.cresset import Cresset


@pytest.fixture
def cresset(tmp_path):
    """The program with a home of its own, and nothing left running after the test."""
    program = Cresset(tmp_path / "home")
    yield program
    program.stop_everything()
