"""What `run`, `resume` and `wait` tell of a run as it goes, above all when something goes wrong."""

import re
import threading

import pytest
from harness.cresset import eventually, one_object
from harness.faults import keepers, kill_all
from harness.pipelines import Pipeline

WAIT_FOR = 'echo begun; touch "$1.begun"; while ! test -e "$1"; do sleep 0.02; done'


@pytest.fixture
def two_gated(tmp_path):
    """Two steps, each of which waits for the file with its name, and these files."""
    pipeline = Pipeline("gated")
    gates = [tmp_path / "one", tmp_path / "two"]
    for gate in gates:
        pipeline.task(gate.name, pipeline.shell(gate.name, WAIT_FOR, str(gate)))
    return pipeline.write(tmp_path / "gated.yaml"), gates


def begun(gate):
    return gate.with_name(gate.name + ".begun")


def told(stderr):
    """The lines of a run's progress, without their times."""
    lines = [re.sub(r"^ *[\d.]+(ms|s) ", "", line) for line in stderr.splitlines()]
    return [re.sub(r"[\d.]+(ms|s)\b", "T", line).strip() for line in lines]


def told_until(process, word):
    """What is told up to the first line with this word; twenty seconds are enough for it."""
    lines = []
    timer = threading.Timer(20, process.kill)
    timer.start()
    while not any(word in line for line in lines):
        line = process.stderr.readline()
        assert line, f"no {word!r} in {lines}"
        lines += told(line)
    timer.cancel()
    return lines


def test_why_a_step_begins_again(cresset, two_gated):
    """Its keeper was killed: that is told at once, by `show`, and between its logs."""
    file, (one, two) = two_gated
    two.touch()
    engine = cresset.start("run", file)
    eventually(lambda: begun(one).exists(), "the step runs")
    eventually(lambda: cresset.show("latest").task("two").state == "SUCCEEDED", "the other ended")
    begun(one).unlink()
    assert kill_all(keepers(cresset)) == 1
    eventually(lambda: begun(one).exists(), "the step runs again")
    one.touch()
    _, stderr = engine.communicate(timeout=60)
    lines = told(stderr)
    lost = lines.index("one: attempt 1 was lost, attempt 2 follows")
    assert "keeper" in lines[lost + 1] and "killed" in lines[lost + 1]
    assert lines.index("one: started (attempt 2)") > lost
    assert lines[-1] == "one: succeeded (T  attempt 2)"

    shown = cresset("show", "latest", "one").stdout
    (first,) = re.findall(r"^  1  LOST .*$", shown, re.MULTILINE)
    assert "keeper" in first
    assert re.search(r"^  2  SUCCEEDED  \d{4}-", shown, re.MULTILINE)
    history = one_object(cresset("show", "latest", "one", "-o", "json").stdout)["history"]
    assert [(item["state"], item["lost"]) for item in history] == [
        ("FAILED", True),
        ("SUCCEEDED", False),
    ]
    assert history[0]["finished_at"] <= history[1]["started_at"]
    assert re.fullmatch(
        r"begun\n--- attempt 2 of 2, begun at \S+ ---\nbegun\n",
        cresset("logs", "latest", "one").stdout,
    )


def test_a_step_that_waits_for_a_cpu_has_not_started(cresset, two_gated):
    file, gates = two_gated
    engine = cresset.start("run", file, "-j", "1")
    eventually(lambda: any(begun(gate).exists() for gate in gates), "one runs")
    first, second = gates if begun(gates[0]).exists() else reversed(gates)
    assert told_until(engine, "waiting") == [
        f"{first.name}: started",
        f"{second.name}: waiting for 1 CPU",
    ]
    first.touch()
    second.touch()
    _, stderr = engine.communicate(timeout=60)
    assert told(stderr) == [
        f"{first.name}: succeeded (T)",
        f"{second.name}: started",
        f"{second.name}: succeeded (T)",
    ]


@pytest.mark.parametrize("verb", ["wait", "resume"])
def test_who_attaches_is_told_how_the_run_stands(cresset, tmp_path, verb):
    """Not that what had begun before begins now: neither a step nor the loop around it."""
    pipeline = Pipeline("sweep")
    gate = tmp_path / "gate"
    step = pipeline.shell("step", WAIT_FOR, str(gate))
    pipeline.task("done", pipeline.echo(), {"text": "x"})
    pipeline.task("sweep", step, items=[1, 2], parallelism=1, after=["done"])
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"), "--detach", state=None)
    eventually(lambda: begun(gate).exists(), "the step runs")
    eventually(lambda: cresset.show(run.id).task("sweep[0]").state == "RUNNING", "it is stored")
    following = cresset.start(verb, run.id)
    lines = told_until(following, "running for")
    gate.touch()
    _, stderr = following.communicate(timeout=60)
    lines = [line for line in lines if not line.startswith("note:")]
    assert lines == ["going on: 1 succeeded - 1 running", "sweep[0]: running for T"]
    assert told(stderr) == [
        "sweep[0]: succeeded (T)",
        "sweep[1]: started",
        "sweep[1]: succeeded (T)",
        "sweep: succeeded (2/2  T)",
    ]
