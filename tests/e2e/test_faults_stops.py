"""SIGSTOP of engine, keeper or step, for minutes in `./dev faults`, then SIGCONT."""

import os
import signal
import subprocess

import pytest
from harness.cresset import eventually, one_object
from harness.faults import FULL, Process, keepers, step_processes
from harness.pipelines import INTEGER, Pipeline, output_file, output_of, parameter

SECONDS = float(os.environ.get("CRESSET_STOP_SECONDS", "150" if FULL else "1"))
STEPS = 6


@pytest.fixture
def gate(tmp_path):
    """Opens the gate that the second step waits at. It is a FIFO: a step that slept in turns would
    have children that end between being found and being stopped."""
    path = tmp_path / "gate"
    os.mkfifo(path)
    held = os.open(path, os.O_RDWR)
    yield lambda: os.write(held, b"\n")
    os.close(held)


@pytest.fixture
def chain(tmp_path, gate):
    """Steps that add one each; the second waits at the gate."""
    pipeline = Pipeline("chain")
    add = pipeline.shell(
        "add",
        'echo "$1" >> "$3/effects"\n'
        'test "$1" != 1 || read -r _ < "$3/gate"\n'
        'echo $(($1 + 1)) > "$2"',
        parameter("before"),
        output_file(),
        str(tmp_path),
        inputs={"before": INTEGER},
        outputs={"out": INTEGER},
    )
    for number in range(STEPS):
        before = output_of(f"step-{number - 1}") if number else 0
        pipeline.task(f"step-{number}", add, {"before": before})
    pipeline.gives("out", INTEGER, (f"step-{STEPS - 1}", "out"))
    return pipeline.write(tmp_path / "chain.yaml")


def has_begun(tmp_path, count):
    effects = tmp_path / "effects"
    return effects.exists() and len(effects.read_text().split()) >= count


def stays_stopped(processes, seconds=SECONDS):
    """Stops them and waits; they are stopped all the time."""
    try:
        for process in processes:
            assert process.signal(signal.SIGSTOP)
        eventually(
            lambda: all(process.fields[0] in "Tt" for process in processes), "all have stopped"
        )
        with pytest.raises(subprocess.TimeoutExpired):
            subprocess.run(["sleep", "infinity"], timeout=seconds)
        assert all(process.fields[0] in "Tt" for process in processes)
    finally:
        for process in processes:
            process.signal(signal.SIGCONT)


@pytest.mark.parametrize("who", ["engine", "keeper", "step", "everyone"])
def test_what_was_stopped_goes_on(cresset, tmp_path, chain, gate, who):
    """As if nothing had been: each step once, and its end in time."""
    engine = cresset.start("run", chain, "-o", "json")
    eventually(lambda: has_begun(tmp_path, 2), "the second step has begun")
    run = cresset.runs()[0]["id"]
    found = {
        "engine": [Process(engine.pid)],
        "keeper": keepers(cresset),
        "step": step_processes(run),
    }
    stopped = sum(found.values(), []) if who == "everyone" else found[who]
    assert stopped
    if who in ("engine", "keeper"):
        gate()  # the step, which is not stopped, ends meanwhile
    stays_stopped(stopped)
    gate()
    stdout, stderr = engine.communicate(timeout=60)
    assert engine.returncode == 0, stderr
    view = one_object(stdout)
    assert view["outputs"]["parameters"] == {"out": STEPS}
    assert {task["attempts"] for task in view["tasks"]} == {1}
    assert (tmp_path / "effects").read_text().split() == [str(n) for n in range(STEPS)]


def test_another_engine_follows_while_the_first_is_stopped(cresset, tmp_path, chain, gate):
    """A stopped engine is alive: it keeps its run. Another follows, and takes over once it is
    killed; what the stopped one would have done is done once."""
    first = cresset.start("run", chain)
    eventually(lambda: has_begun(tmp_path, 2), "the second step has begun")
    second = cresset.start("resume", "latest", "-o", "json")
    assert "another process drives this run" in second.stderr.readline()
    gate()
    stays_stopped([Process(first.pid)])
    # The step ended while its engine was stopped, and nobody went on in its place.
    assert second.poll() is None
    stdout, _ = second.communicate(timeout=60)
    assert one_object(stdout)["outputs"]["parameters"] == {"out": STEPS}
    first.communicate(timeout=60)
    assert first.returncode == 0
    assert (tmp_path / "effects").read_text().split() == [str(n) for n in range(STEPS)]


def test_a_stopped_engine_that_is_killed_hands_its_run_over(cresset, tmp_path, chain, gate):
    first = cresset.start("run", chain)
    eventually(lambda: has_begun(tmp_path, 2), "the second step has begun")
    second = cresset.start("resume", "latest", "-o", "json")
    assert "another process drives this run" in second.stderr.readline()
    os.kill(first.pid, signal.SIGSTOP)
    gate()
    first.kill()
    stdout, stderr = second.communicate(timeout=60)
    assert second.returncode == 0, stderr
    assert one_object(stdout)["outputs"]["parameters"] == {"out": STEPS}
    assert (tmp_path / "effects").read_text().split() == [str(n) for n in range(STEPS)]


def test_other_runs_wait_for_a_stopped_keeper(cresset, tmp_path, chain, gate):
    """They are accepted, and start when it goes on."""
    engine = cresset.start("run", chain)
    eventually(lambda: has_begun(tmp_path, 2), "the second step has begun")
    (keeper,) = keepers(cresset)
    pipeline = Pipeline("other")
    pipeline.task("echo", pipeline.echo(), {"text": "hello"})
    file = pipeline.write(tmp_path / "other.yaml")
    keeper.signal(signal.SIGSTOP)
    other = cresset.start("run", file, "-o", "json")
    eventually(lambda: len(cresset.runs()) == 2, "the other run is accepted")
    stays_stopped([keeper])
    stdout, stderr = other.communicate(timeout=60)
    assert other.returncode == 0, stderr
    assert one_object(stdout)["state"] == "SUCCEEDED"
    gate()
    engine.communicate(timeout=60)
    assert engine.returncode == 0
