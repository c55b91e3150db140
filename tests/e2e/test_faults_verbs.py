"""kill -9 of each command at any moment, of the keeper, and of the whole machine."""

import contextlib
import os
import random
import shutil
import subprocess
import time

import pytest
from harness.cresset import eventually, one_object, path_of
from harness.faults import (
    FULL,
    Process,
    keepers,
    kill_all,
    step_processes,
)
from harness.pipelines import Pipeline, output_artifact

SEED = int(os.environ.get("CRESSET_SEED", random.SystemRandom().randrange(10**6)))
TIMES = 100 if FULL else 10


@pytest.fixture
def dice():
    print(f"CRESSET_SEED={SEED}")
    return random.Random(SEED)


def three_steps(tmp_path, last="true"):
    """Each notes its run; the last then does what it is told."""
    pipeline = Pipeline("three")
    for number, work in enumerate(["true", "true", last]):
        step = pipeline.shell(
            f"step-{number}",
            f'echo "$CRESSET_RUN_ID {number}" >> "$1/effects"; echo made > "$2"\n{work}',
            str(tmp_path),
            output_artifact(),
            made={"data": "system.Dataset"},
        )
        pipeline.task(f"step-{number}", step, after=[f"step-{number - 1}"] if number else [])
    return pipeline.write(tmp_path / "three.yaml")


def effects(tmp_path, run):
    """The numbers of the steps that began, in order."""
    path = tmp_path / "effects"
    lines = path.read_text().splitlines() if path.exists() else []
    return [int(line.split()[1]) for line in lines if line.split()[0] == run]


def killed_after(cresset, seconds, *arguments):
    """Starts a command and kills it at that moment, unless it has ended before."""
    process = cresset.start(*arguments)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=seconds)
    process.kill()
    process.communicate()


def seconds_of(cresset, *arguments):
    begin = time.monotonic()
    cresset(*arguments, status=None)
    return time.monotonic() - begin


def test_run_is_killed_at_any_moment(cresset, tmp_path, dice):
    """Before the run is accepted there is none, afterwards it goes on: nothing in between."""
    file = three_steps(tmp_path)
    whole = seconds_of(cresset, "run", file)
    for _ in range(TIMES):
        killed_after(cresset, dice.uniform(0, whole), "run", file)
    accepted = {run["id"] for run in cresset.runs()}
    begun = {line.split()[0] for line in (tmp_path / "effects").read_text().splitlines()}
    assert begun <= accepted
    for run in accepted:
        view = cresset.view("resume", run)
        assert {task.attempts for task in view.tasks} == {1}
        assert effects(tmp_path, run) == [0, 1, 2]
    assert {run["id"] for run in cresset.runs()} == accepted


def test_retry_is_killed_at_any_moment(cresset, tmp_path, dice):
    """The run has failed as before, or is open again."""
    file = three_steps(tmp_path, 'test -e "$1/mended"')
    failed = [cresset.run(file, state="FAILED").id for _ in range(TIMES)]
    (tmp_path / "mended").touch()
    whole = seconds_of(cresset, "show", failed[0]) * 3
    for run in failed:
        killed_after(cresset, dice.uniform(0, whole), "retry", run)
        is_open = cresset.show(run).state != "FAILED"
        view = cresset.view("resume" if is_open else "retry", run)
        assert [task.attempts for task in view.tasks] == [1, 1, 2]
        assert effects(tmp_path, run) == [0, 1, 2, 2]


def test_cancel_is_killed_at_any_moment(cresset, tmp_path, dice):
    """The wish is known or not; asked again, the run ends, and no process of it is left."""
    file = three_steps(tmp_path, "sleep 1000")
    whole = seconds_of(cresset, "ls") * 3
    for number in range(max(3, TIMES // 3)):
        engine = cresset.start("run", file)
        eventually(lambda count=number: len(cresset.runs()) > count, "the run is accepted")
        run = cresset.runs()[0]["id"]
        eventually(lambda run=run: 2 in effects(tmp_path, run), "the last step has begun")
        killed_after(cresset, dice.uniform(0, whole), "cancel", run)
        cresset("cancel", run, status=None)
        cresset("wait", run, status=1)
        assert cresset.show(run).state == "CANCELED"
        assert effects(tmp_path, run) == [0, 1, 2]
        assert step_processes(run) == []
        engine.communicate(timeout=20)


def test_rm_and_gc_are_killed_at_any_moment(cresset, tmp_path, dice):
    """A run is there with all that is its, or forgotten; gc then takes what is left of it."""
    file = three_steps(tmp_path)
    runs = [cresset.run(file, "--no-cache") for _ in range(TIMES + 1)]
    kept, *doomed = runs
    whole = seconds_of(cresset, "ls") * 4
    for run in doomed:
        killed_after(cresset, dice.uniform(0, whole), "rm", run.id)
        if run.id in [each["id"] for each in cresset.runs()]:
            assert cresset.show(run.id).view == run.view
            assert path_of(run.task("step-2").artifacts("data")[0]).read_text() == "made\n"
        killed_after(cresset, dice.uniform(0, whole), "gc")
    for run in cresset.runs():
        if run["id"] != kept.id:
            cresset("rm", run["id"])
    cresset("gc")
    assert [run["id"] for run in cresset.runs()] == [kept.id]
    assert cresset.show(kept.id).view == kept.view
    assert path_of(kept.task("step-0").artifacts("data")[0]).read_text() == "made\n"
    gone = [run.id for run in doomed]
    left = [path for path in cresset.home.rglob("*") if any(run in str(path) for run in gone)]
    assert left == []


def test_the_keeper_is_killed_while_steps_run(cresset, tmp_path):
    """The step is lost and starts again without using up a retry; nothing of it lives on, not what
    it had put into a session of its own either."""
    pipeline = Pipeline("family")
    script = (
        'setsid sleep 1000 & sleep 1000 & echo x >> "$1/begun"\n'
        'test "$(wc -l < "$1/begun")" -lt 2 && wait; exit 0'
    )
    pipeline.task("family", pipeline.shell("family", script, str(tmp_path)))
    engine = cresset.start("run", pipeline.write(tmp_path / "p.yaml"), "-o", "json")
    eventually((tmp_path / "begun").exists, "the step has begun")
    run = cresset.runs()[0]["id"]
    family = step_processes(run)
    assert len(family) >= 3
    assert kill_all(keepers(cresset)) == 1
    stdout, stderr = engine.communicate(timeout=60)
    assert engine.returncode == 0, stderr
    (task,) = one_object(stdout)["tasks"]
    assert (task["state"], task["attempts"]) == ("SUCCEEDED", 2)
    assert all(process.is_gone() for process in family)
    eventually(lambda: step_processes(run) == [], "nothing of the run is left")


@pytest.mark.parametrize("lost", ["socket", "journal", "keeper"])
def test_the_machine_goes_down(cresset, tmp_path, lost):
    """All processes at once, and of the keeper's files those that were never synced. What was
    stored as done is not done again; a step that ran is started again in folders as new."""
    pipeline = Pipeline("machine")
    script = (
        'test ! -e "$2" || exit 9; test -z "$(ls -A)" || exit 8\n'
        'echo "$3" >> "$1/effects"; echo half > "$2"; touch here\n'
        'test "$3" != slow || while ! test -e "$1/gate"; do sleep 0.02; done'
    )
    for name in ("quick", "slow"):
        step = pipeline.shell(
            name, script, str(tmp_path), output_artifact(), name, made={"data": "system.Dataset"}
        )
        pipeline.task(name, step, after=[] if name == "quick" else ["quick"])
    engine = cresset.start("run", pipeline.write(tmp_path / "p.yaml"))
    path = tmp_path / "effects"
    eventually(lambda: path.exists() and "slow" in path.read_text(), "the second step has begun")
    run = cresset.runs()[0]["id"]
    everything = [*map(Process, cresset.processes()), *step_processes(run)]
    kill_all(everything)
    engine.communicate()
    keeper = cresset.home / "keeper"
    shutil.rmtree(keeper) if lost == "keeper" else (keeper / lost).unlink()
    (tmp_path / "gate").touch()
    view = cresset.view("resume", run)
    assert view.task("quick").attempts == 1
    assert path.read_text().split() == ["quick", "slow", "slow"]


def test_many_engines_on_one_run(cresset, tmp_path, dice):
    """One drives it, the others follow; whichever is killed, another takes over."""
    pipeline = Pipeline("shared")
    steps = 30
    for number in range(steps):
        step = pipeline.shell(
            "step", 'echo "$1" >> "$2"; sleep 0.05', str(number), str(tmp_path / "n")
        )
        pipeline.task(f"step-{number:02}", step, after=[f"step-{number - 1:02}"] if number else [])
    file = pipeline.write(tmp_path / "p.yaml")
    engines = [cresset.start("run", file, "-o", "json")]
    eventually(cresset.runs, "the run is accepted")
    run = cresset.runs()[0]["id"]
    engines += [cresset.start("resume", run, "-o", "json") for _ in range(5)]
    for number in range(4):
        eventually(
            lambda count=5 * number: (
                (tmp_path / "n").exists() and len((tmp_path / "n").read_text().split()) > count
            ),
            "the run goes on",
        )
        engine = engines.pop(dice.randrange(len(engines)))
        engine.kill()
        engine.communicate()
    for engine in engines:
        stdout, stderr = engine.communicate(timeout=60)
        assert engine.returncode == 0, stderr
        assert one_object(stdout)["state"] == "SUCCEEDED"
    assert (tmp_path / "n").read_text().split() == [str(number) for number in range(steps)]
