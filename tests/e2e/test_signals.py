"""Ctrl-C, a second Ctrl-C, a terminal that goes away."""

import os
import signal

import pytest
from harness.cresset import eventually, goes_on, one_object
from harness.pipelines import Pipeline


@pytest.fixture
def slow(tmp_path):
    """slow, and an exit task that lasts as long as `hold` is there."""
    pipeline = Pipeline("slow")
    started, hold = tmp_path / "started", tmp_path / "hold"
    step = pipeline.shell("slow", 'touch "$1"; sleep 60', str(started))
    script = 'touch "$1.exit"; while test -e "$2"; do sleep 0.02; done; echo cleaned up'
    body = pipeline.guarded(step, pipeline.shell("exit", script, str(started), str(hold)))
    body.task("next", pipeline.echo(), {"text": "never"}, after=["step"])
    return pipeline.write(tmp_path / "slow.yaml"), started, hold


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_the_first_cancels_and_runs_exit_handlers(cresset, slow, number):
    file, started, _ = slow
    process = cresset.start("run", file, "-o", "json")
    eventually(started.exists, "the step has begun")
    process.send_signal(number)
    stdout, _ = process.communicate(timeout=20)
    view = one_object(stdout)
    assert (process.returncode, view["state"]) == (1, "CANCELED")
    assert {task["path"]: task["state"] for task in view["tasks"]} == {
        "exit": "SUCCEEDED",
        "exit-handler-1": "CANCELED",
        "exit-handler-1/next": "CANCELED",
        "exit-handler-1/step": "CANCELED",
    }
    assert cresset("logs", "latest", "exit").stdout == "cleaned up\n"


def test_the_second_kills(cresset, slow):
    file, started, hold = slow
    hold.touch()
    process = cresset.start("run", file, "-o", "json")
    eventually(started.exists, "the step has begun")
    process.send_signal(signal.SIGINT)
    eventually(started.with_suffix(".exit").exists, "the exit task has begun")
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    stdout, _ = process.communicate(timeout=10)
    view = one_object(stdout)
    assert (process.returncode, view["state"]) == (1, "CANCELED")
    assert {task["state"] for task in view["tasks"]} == {"CANCELED"}


def test_a_follower_passes_it_on(cresset, slow):
    file, started, _ = slow
    cresset.run(file, "--detach", state=None)
    eventually(started.exists, "the step has begun")
    process = cresset.start("resume", "latest", "-o", "json")
    goes_on(process)
    process.send_signal(signal.SIGINT)
    stdout, _ = process.communicate(timeout=20)
    assert (process.returncode, one_object(stdout)["state"]) == (1, "CANCELED")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_waiting_cresset_only_stops_waiting(cresset, slow, number):
    file, started, _ = slow
    cresset.run(file, "--detach", state=None)
    eventually(started.exists, "the step has begun")
    process = cresset.start("wait", "latest")
    goes_on(process)
    process.send_signal(number)
    process.communicate(timeout=10)
    assert process.returncode == -number
    assert cresset.show("latest").state == "RUNNING"


@pytest.fixture
def gated(tmp_path):
    pipeline = Pipeline("gated")
    gate, started = tmp_path / "gate", tmp_path / "started"
    script = 'touch "$1"; while ! test -e "$2"; do sleep 0.02; done; echo through'
    pipeline.task("wait", pipeline.shell("wait", script, str(started), str(gate)))
    pipeline.task("after", pipeline.echo(), {"text": "after"}, after=["wait"])
    return pipeline.write(tmp_path / "gated.yaml"), started, gate


def test_a_hang_up_detaches(cresset, gated):
    file, started, gate = gated
    process = cresset.start("run", file)
    eventually(started.exists, "the step has begun")
    process.send_signal(signal.SIGHUP)
    process.stdout.close()
    process.stderr.close()
    gate.touch()
    cresset("wait", "latest", timeout=20)
    run = cresset.show("latest", state="SUCCEEDED")
    assert [task.attempts for task in run.tasks] == [1, 1]
    assert run.task("wait").log == "through\n"
    process.wait(timeout=10)


def test_a_reader_that_goes_away_does_not_stop_the_run(cresset, gated):
    file, started, gate = gated
    process = cresset.start("run", file)
    eventually(started.exists, "the step has begun")
    process.stdout.close()
    process.stderr.close()
    gate.touch()
    process.wait(timeout=20)
    assert cresset.show("latest").state == "SUCCEEDED"


def test_a_stopped_and_continued_cresset_goes_on(cresset, gated):
    file, started, gate = gated
    process = cresset.start("run", file, "-o", "json")
    eventually(started.exists, "the step has begun")
    process.send_signal(signal.SIGSTOP)
    gate.touch()
    os.kill(process.pid, signal.SIGCONT)
    stdout, _ = process.communicate(timeout=20)
    assert one_object(stdout)["state"] == "SUCCEEDED"
