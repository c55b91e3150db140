"""A clock that is set back or forward while a run goes on."""

import json
import shutil
import sqlite3
import struct
import subprocess
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from harness.cresset import Cresset, eventually, one_object
from harness.pipelines import Pipeline

HOUR = 3600
SHIM = Path(__file__).parents[1] / "harness/shifted_clock.c"


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    compiler = shutil.which("clang-19") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler for tests/harness/shifted_clock.c")
    out = tmp_path_factory.mktemp("clock") / "shifted_clock.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", out, SHIM], check=True)
    return out


class ShiftedCresset(Cresset):
    """The program, with a calendar that can be set."""

    def __init__(self, home, library, file):
        super().__init__(home)
        self.file = file
        self.set_clock(0)
        self.environment |= {"LD_PRELOAD": str(library), "CRESSET_TEST_CLOCK": str(file)}

    def set_clock(self, seconds):
        with open(self.file, "r+b" if self.file.exists() else "wb") as file:
            file.write(struct.pack("<q", seconds))


@pytest.fixture
def cresset(tmp_path, library):
    program = ShiftedCresset(tmp_path / "home", library, tmp_path / "clock")
    yield program
    program.stop_everything()


@pytest.fixture
def flaky(tmp_path):
    """A step that fails after `gate` and succeeds a second later, then one more."""
    pipeline = Pipeline("flaky")
    script = (
        'echo x >> "$1/effects"; while ! test -e "$1/gate"; do sleep 0.02; done\n'
        'test -e "$1/failed" || { touch "$1/failed"; exit 3; }'
    )
    policy = {"maxRetryCount": 2, "backoffDuration": "1s", "backoffFactor": 1.0}
    step = pipeline.shell("flaky", script, str(tmp_path))
    pipeline.task("flaky", step, retryPolicy=policy)
    pipeline.task("after", pipeline.echo(), {"text": "after"}, after=["flaky"])
    return pipeline.write(tmp_path / "flaky.yaml")


def has_stored(cresset, event):
    uri = f"file:{cresset.home}/cresset.db?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        events = connection.execute("SELECT payload FROM event").fetchall()
    return any(json.loads(payload)["event"] == event for (payload,) in events)


def at(text):
    return datetime.fromisoformat(text)


def is_shifted(cresset, tmp_path, shift):
    """Whether the program goes by the clock that was set: else these tests show nothing."""
    pipeline = Pipeline("clock")
    pipeline.task("step", pipeline.echo(), {"text": "now"})
    created = cresset.run(pipeline.write(tmp_path / "clock.yaml")).view["created_at"]
    off = (at(created) - datetime.now(UTC)).total_seconds() - shift
    return abs(off) < 60


def check(view, tmp_path):
    assert view["state"] == "SUCCEEDED"
    assert {task["name"]: task["attempts"] for task in view["tasks"]} == {"flaky": 2, "after": 1}
    assert (tmp_path / "effects").read_text() == "x\nx\n"
    for part in [view, *view["tasks"]]:
        assert at(part["started_at"]) <= at(part["finished_at"]), part


@pytest.mark.parametrize("shift", [-HOUR, HOUR], ids=["back", "forward"])
def test_a_clock_that_is_set_while_a_run_goes_on(cresset, tmp_path, flaky, shift):
    engine = cresset.start("run", flaky, "-o", "json")
    eventually((tmp_path / "effects").exists, "the step has begun")
    cresset.set_clock(shift)
    (tmp_path / "gate").touch()
    stdout, stderr = engine.communicate(timeout=20)
    assert engine.returncode == 0, stderr
    check(one_object(stdout), tmp_path)
    assert is_shifted(cresset, tmp_path, shift)


@pytest.mark.parametrize("shift", [-HOUR, HOUR], ids=["back", "forward"])
def test_a_clock_that_is_set_while_no_engine_is_there(cresset, tmp_path, flaky, shift):
    """What is due after a pause is stored as a calendar time; the pause is no longer for it."""
    (tmp_path / "gate").touch()
    engine = cresset.start("run", flaky)
    eventually((tmp_path / "failed").exists, "the step has failed")
    eventually(lambda: has_stored(cresset, "failed"), "this is stored")
    engine.kill()
    engine.wait()
    cresset.set_clock(shift)
    outcome = cresset("resume", "latest", "-o", "json", timeout=20)
    check(one_object(outcome.stdout), tmp_path)
    assert is_shifted(cresset, tmp_path, shift)
