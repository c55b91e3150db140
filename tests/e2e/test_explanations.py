"""What a user is told who asks where something is, what it is called, and why."""

import pathlib
import subprocess

import pytest
from harness.cresset import Cresset
from harness.disk import remount, small_disk
from harness.pipelines import STRING, Pipeline, given


@pytest.fixture
def looped(tmp_path):
    pipeline = Pipeline("looped")
    body = pipeline.dag({"item": STRING})
    body.task("say", pipeline.echo(), {"text": given("item")})
    body.task("again", pipeline.echo(), {"text": given("item")}, after=["say"])
    pipeline.task("for-loop-1", body, items=["a", "b"], taskInfo={"name": "sweep"})
    return pipeline.write(tmp_path / "looped.yaml")


def test_a_task_is_found_by_the_end_of_its_path_and_by_its_name(cresset, looped):
    run = cresset.run(looped)
    assert run.task("for-loop-1").display_name == "sweep"
    assert '"sweep"' in cresset("show", run.id).stdout
    for name in ("[1]/say", "for-loop-1[1]/say"):
        assert "for-loop-1[1]/say" in cresset("show", run.id, name).stdout
    assert "for-loop-1" in cresset("show", run.id, "sweep").stdout
    refused = cresset("explain", run.id, "say", status=2).stderr
    assert "fits 2 tasks" in refused
    assert "for-loop-1[0]/say, for-loop-1[1]/say" in refused


def test_logs_say_where_a_cached_step_has_printed(cresset, made):
    first = made()
    again = made()
    path = next(task.path for task in again.tasks if task.cached)
    told = cresset("logs", again.id, path)
    assert told.stdout == ""
    assert f"taken from run {first.id[:8]}" in told.stderr
    assert f"`cresset logs {first.id[:8]} {path}`" in told.stderr
    assert "came from the cache" in cresset("logs", again.id).stderr
    assert cresset("logs", first.id).stderr == ""


def test_doctor_says_what_cannot_be_written(tmp_path, looped):
    with small_disk(tmp_path / "disk", size="20m") as disk:
        program = Cresset(disk / "home")
        program.run(looped)
        program.stop_everything()
        remount(disk, "ro")
        try:
            told = program("doctor").stdout
            assert "cannot be written: Read-only file system" in told
            told = Cresset(disk / "other")("doctor").stdout
            assert f"cannot be made: {disk}: Read-only file system" in told
        finally:
            remount(disk, "rw")


def test_the_demo_does_not_leave_its_run_behind():
    demo = pathlib.Path(__file__).parents[2] / "examples/digits/demo.sh"
    done = subprocess.run([demo, "--detach"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "leave out --detach" in done.stderr
