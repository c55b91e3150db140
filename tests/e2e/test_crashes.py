"""kill -9 at any moment, then resume."""

import os
import random
import signal
import time

import pytest
from harness.cresset import Cresset, eventually, goes_on, one_object
from harness.pipelines import INTEGER, Pipeline, output_file, output_of, parameter

STEPS = 40
MOMENTS = 20


def chain(folder, pause="0"):
    """40 steps, each adding one to what the last gave and its number to the file `effects`."""
    pipeline = Pipeline("chain")
    effects = folder / "effects"
    add = pipeline.shell(
        "add",
        'echo "$1" >> "$2"; sleep "$5"; echo "step $1 done"; echo $(($3 + 1)) > "$4"',
        parameter("number"),
        str(effects),
        parameter("before"),
        output_file(),
        pause,
        inputs={"number": INTEGER, "before": INTEGER},
        outputs={"out": INTEGER},
    )
    for number in range(STEPS):
        before = output_of(f"step-{number - 1:02}") if number else 0
        pipeline.task(f"step-{number:02}", add, {"number": number, "before": before})
    pipeline.gives("out", INTEGER, (f"step-{STEPS - 1:02}", "out"))
    return pipeline.write(folder / "chain.yaml"), effects


def essence(view):
    """What of a run must not depend on how often its engine died."""
    fields = ("path", "state", "cached", "attempts", "error", "inputs", "outputs")
    return {
        "state": view["state"],
        "outputs": view["outputs"],
        "tasks": [{name: task[name] for name in fields} for task in view["tasks"]],
    }


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    cresset = Cresset(folder / "home")
    file, effects = chain(folder)
    begin = time.monotonic()
    run = cresset.run(file)
    seconds = time.monotonic() - begin
    assert effects.read_text().split() == [str(number) for number in range(STEPS)]
    assert run.parameters == {"out": STEPS}
    cresset.stop_everything()
    return seconds, essence(run.view)


@pytest.mark.parametrize("moment", range(MOMENTS))
def test_kill_9_of_the_engine_at_a_random_moment(cresset, tmp_path, undisturbed, moment):
    seconds, expected = undisturbed
    file, effects = chain(tmp_path)
    engine = cresset.start("run", file, "-o", "json")
    time.sleep(random.Random(moment).uniform(0, 1) * seconds)
    engine.kill()
    engine.wait()
    if not cresset.runs():  # cut before the run was accepted: nothing may have happened
        assert not effects.exists()
        run = cresset.run(file)
    else:
        run = cresset.view("resume", "latest")
    assert essence(run.view) == expected
    assert effects.read_text().split() == [str(number) for number in range(STEPS)]
    assert run.task("step-17").log == "step 17 done\n"
    assert len(cresset.runs()) == 1


def test_kill_9_again_and_again(cresset, tmp_path, undisturbed):
    seconds, expected = undisturbed
    file, effects = chain(tmp_path)
    dice = random.Random(2026)
    cresset.start("run", file)
    eventually(cresset.runs, "the run is accepted")
    for _ in range(10):
        time.sleep(dice.uniform(0, 0.15) * seconds)
        cresset.started[-1].kill()
        cresset.started[-1].wait()
        cresset.start("resume", "latest")
    cresset.started[-1].communicate(timeout=60)
    run = cresset.show("latest", state="SUCCEEDED")
    assert essence(run.view) == expected
    assert effects.read_text().split() == [str(number) for number in range(STEPS)]


def test_kill_9_of_everything(cresset, tmp_path, undisturbed):
    """The keeper too: the step that it kept is cut and started once more, no other."""
    seconds, expected = undisturbed
    file, effects = chain(tmp_path, pause="0.05")
    cresset.start("run", file)
    eventually(lambda: effects.exists() and len(effects.read_text().split()) > 12, "step 12 began")
    cresset.signal_all(signal.SIGKILL)
    cresset.started[-1].wait()
    run = cresset.view("resume", "latest")
    assert run.parameters == {"out": STEPS}
    done = effects.read_text().split()
    assert sorted(set(done), key=int) == [str(number) for number in range(STEPS)]
    repeated = [number for number in set(done) if done.count(number) > 1]
    assert len(repeated) <= 1
    assert all(done.count(number) == 2 for number in repeated)


@pytest.fixture
def gated(tmp_path):
    pipeline = Pipeline("gated")
    started, gate = tmp_path / "started", tmp_path / "gate"
    script = (
        'echo begun; echo x >> "$1"; while ! test -e "$2"; do sleep 0.02; done; echo ended; exit $3'
    )
    for number, status in (("good", "0"), ("bad", "7")):
        step = pipeline.shell(
            f"wait-{number}",
            script,
            f"{started}-{number}",
            str(gate),
            status,
            resources={"resourceCpuLimit": "100m"},
        )
        pipeline.task(number, step)
    return pipeline.write(tmp_path / "gated.yaml"), started, gate


@pytest.mark.parametrize("ended", [False, True], ids=["still-running", "ended-meanwhile"])
def test_live_steps_are_adopted(cresset, tmp_path, gated, ended):
    """With their exit status and whole log, whether they end before the resume or after."""
    file, started, gate = gated
    marks = [tmp_path / f"started-{name}" for name in ("good", "bad")]
    engine = cresset.start("run", file)
    eventually(lambda: all(mark.exists() for mark in marks), "both steps have begun")
    eventually(
        lambda: set(cresset.show("latest").states().values()) == {"RUNNING"}, "both are noted"
    )
    engine.kill()
    engine.wait()
    assert cresset.show("latest").state == "RUNNING"
    if ended:
        gate.touch()
        eventually(
            lambda: cresset("logs", "latest", "bad").stdout == "begun\nended\n", "the steps ended"
        )
        resumed = cresset.start("resume", "latest", "-o", "json")
    else:
        resumed = cresset.start("resume", "latest", "-o", "json")
        goes_on(resumed)
        gate.touch()
    stdout, _ = resumed.communicate(timeout=20)
    view = one_object(stdout)
    assert resumed.returncode == 1
    bad, good = view["tasks"]
    assert (good["state"], bad["state"]) == ("SUCCEEDED", "FAILED")
    assert (good["attempts"], bad["attempts"]) == (1, 1)
    assert "exit status 7" in bad["error"]["message"]
    assert bad["error"]["log_tail"] == "begun\nended\n"
    assert [mark.read_text() for mark in marks] == ["x\n", "x\n"]
    assert cresset("logs", "latest", "good").stdout == "begun\nended\n"


def test_a_detached_engine_may_die_too(cresset, tmp_path, undisturbed):
    _, expected = undisturbed
    file, effects = chain(tmp_path)
    cresset.run(file, "--detach", state=None)
    eventually(effects.exists, "the first step began")
    engines = [pid for pid in cresset.processes() if is_engine(pid)]
    assert engines
    for pid in engines:
        os.kill(pid, signal.SIGKILL)
    run = cresset.view("resume", "latest")
    assert essence(run.view) == expected
    assert effects.read_text().split() == [str(number) for number in range(STEPS)]


def is_engine(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as stream:
            return b"drive" in stream.read().split(b"\0")
    except OSError:
        return False


def test_cancel_of_a_run_whose_engine_died(cresset, tmp_path):
    pipeline = Pipeline()
    mark = tmp_path / "mark"
    slow = pipeline.shell("slow", 'touch "$1"; sleep 60', str(mark))
    pipeline.guarded(slow, pipeline.shell("exit", "echo cleaned up"))
    engine = cresset.start("run", pipeline.write(tmp_path / "p.yaml"))
    eventually(mark.exists, "the step has begun")
    engine.kill()
    engine.wait()
    cresset("cancel", "latest")
    run = cresset.view("wait", "latest", state="CANCELED")
    assert run.task("exit").state == "SUCCEEDED"
    assert run.task("exit-handler-1/step").state == "CANCELED"


def test_a_crash_between_attempts_keeps_the_count(cresset, tmp_path):
    pipeline = Pipeline()
    count = tmp_path / "count"
    step = pipeline.shell("flaky", 'echo x >> "$1"; exit 1', str(count))
    policy = {"maxRetryCount": 2, "backoffDuration": "0.5s", "backoffFactor": 1.0}
    pipeline.task("flaky", step, retryPolicy=policy)
    engine = cresset.start("run", pipeline.write(tmp_path / "p.yaml"))
    eventually(count.exists, "the first attempt began")
    time.sleep(0.2)
    engine.kill()
    engine.wait()
    run = cresset.view("resume", "latest", state="FAILED")
    assert run.task("flaky").attempts == 3
    assert count.read_text() == "x\nx\nx\n"
