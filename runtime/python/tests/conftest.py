import pathlib
import sys
from collections.abc import Callable
from typing import Any

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from steps import Ended, Step  # noqa: E402


@pytest.fixture
def make(tmp_path: pathlib.Path) -> Callable[..., Step]:
    def make_step(source: str, **options: Any) -> Step:
        return Step(tmp_path, source, **options)

    return make_step


@pytest.fixture
def run(make: Callable[..., Step]) -> Callable[..., Ended]:
    """Runs a component that is expected to succeed."""

    def run_step(source: str, **options: Any) -> Ended:
        ended = make(source, **options).run()
        assert ended.status == 0, ended.log
        return ended

    return run_step
