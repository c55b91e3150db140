"""Detach, wait, follow, cancel, resume, retry, rerun, explain: runs over their life."""

import os
from datetime import datetime

import pytest
from harness.cresset import eventually, goes_on, one_object, path_of
from harness.pipelines import (
    DOUBLE,
    INTEGER,
    STRING,
    Pipeline,
    artifact,
    artifact_of,
    given,
    output_file,
    output_of,
    parameter,
)

WAIT_FOR = 'echo begun; while ! test -e "$1"; do sleep 0.02; done; echo done'


@pytest.fixture
def gate(tmp_path):
    """A step waits until this file is there."""
    return tmp_path / "gate"


@pytest.fixture
def gated(tmp_path, gate):
    pipeline = Pipeline("gated")
    pipeline.task("wait", pipeline.shell("wait", WAIT_FOR, str(gate)))
    pipeline.task("after", pipeline.echo(), {"text": "after\n"}, after=["wait"])
    return pipeline.write(tmp_path / "gated.yaml")


def state_of(cresset, path, run="latest"):
    if not cresset.runs():
        return None
    states = cresset.show(run).states()
    return states.get(path)


def until_running(cresset, path, run="latest"):
    eventually(lambda: state_of(cresset, path, run) == "RUNNING", f"{path} runs")


def test_detach_and_wait(cresset, gated, gate):
    run = cresset.run(gated, "--detach", state=None)
    assert run.state in ("PENDING", "RUNNING")
    until_running(cresset, "wait")
    live = cresset.show("latest")
    assert live.state == "RUNNING"
    assert live.task("after").state == "PENDING"
    assert live.finished_at is None
    waiting = cresset.start("wait", run.id, "-o", "json")
    gate.touch()
    stdout, _ = waiting.communicate(timeout=20)
    assert waiting.returncode == 0
    view = one_object(stdout)
    assert view["state"] == "SUCCEEDED"
    assert view == cresset.show(run.id).view


def test_detach_in_text(cresset, gated, gate):
    outcome = cresset("run", gated, "--detach")
    gate.touch()
    assert cresset.runs()[0]["id"][:8] in outcome.stdout
    cresset("wait", "latest")


def test_logs_follow_live(cresset, gated, gate):
    cresset.run(gated, "--detach", state=None)
    until_running(cresset, "wait")
    following = cresset.start("logs", "-f", "latest")
    assert following.stdout.readline() == "begun\n"
    assert following.poll() is None
    gate.touch()
    rest, _ = following.communicate(timeout=20)
    assert rest.splitlines() == ["done", "after"]
    assert following.returncode == 0


def test_logs_follow_one_task(cresset, gated, gate):
    cresset.run(gated, "--detach", state=None)
    until_running(cresset, "wait")
    following = cresset.start("logs", "-f", "latest", "wait")
    gate.touch()
    text, _ = following.communicate(timeout=20)
    assert text == "begun\ndone\n"


def test_cancel(cresset, gated):
    run = cresset.run(gated, "--detach", state=None)
    until_running(cresset, "wait")
    cresset("cancel", "latest")
    ended = cresset.view("wait", run.id, state="CANCELED")
    assert ended.states() == {"after": "CANCELED", "wait": "CANCELED"}
    assert cresset("wait", run.id, status=1)
    cresset.refuses("cancel", run.id, says="CANCELED")


def test_cancel_runs_exit_handlers(cresset, tmp_path):
    pipeline = Pipeline()
    pipeline.guarded(pipeline.shell("slow", "sleep 60"), pipeline.shell("exit", "echo cleaned up"))
    cresset.run(pipeline.write(tmp_path / "p.yaml"), "--detach", state=None)
    until_running(cresset, "exit-handler-1/step")
    cresset("cancel", "latest")
    run = cresset.view("wait", "latest", state="CANCELED")
    assert run.states() == {
        "exit": "SUCCEEDED",
        "exit-handler-1": "CANCELED",
        "exit-handler-1/step": "CANCELED",
    }
    assert run.task("exit").log == "cleaned up\n"


def test_cancel_kill_runs_none(cresset, tmp_path):
    pipeline = Pipeline()
    stubborn = pipeline.shell("slow", 'trap "" TERM; sleep 60 & wait; sleep 60')
    pipeline.guarded(stubborn, pipeline.shell("exit", "true"))
    cresset.run(pipeline.write(tmp_path / "p.yaml"), "--detach", state=None)
    until_running(cresset, "exit-handler-1/step")
    cresset("cancel", "latest", "--kill")
    run = cresset.view("wait", "latest", state="CANCELED", timeout=10)
    assert set(run.states().values()) == {"CANCELED"}


def test_resume_prints_a_finished_run(cresset, gated, gate):
    gate.touch()
    run = cresset.run(gated)
    assert cresset.view("resume", run.id).view == run.view
    assert "SUCCEEDED" in cresset("resume", run.id).stdout


def test_resume_attaches_to_a_live_run(cresset, gated, gate):
    first = cresset.start("run", gated, "-o", "json")
    until_running(cresset, "wait")
    second = cresset.start("resume", "latest", "-o", "json")
    goes_on(second)
    gate.touch()
    views = [one_object(process.communicate(timeout=20)[0]) for process in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0)
    assert views[0] == views[1]
    assert [task["attempts"] for task in views[0]["tasks"]] == [1, 1]


def retryable(tmp_path):
    """first → second (fails until `fixed` is there) → third; each counts its starts."""
    pipeline = Pipeline("retryable")
    counts = tmp_path / "counts"
    count = f'echo "$1" >> {counts}'
    step = pipeline.shell("step", count, parameter("name"), inputs={"name": STRING})
    second = pipeline.shell("second", f"{count}; test -e {tmp_path}/fixed", "second")
    pipeline.task("first", step, {"name": "first"})
    pipeline.task("second", second, after=["first"])
    pipeline.task("third", step, {"name": "third"}, after=["second"])
    return pipeline.write(tmp_path / "p.yaml"), counts


def test_retry_keeps_what_succeeded(cresset, tmp_path):
    file, counts = retryable(tmp_path)
    run = cresset.run(file, state="FAILED")
    assert cresset.view("retry", run.id, state="FAILED").id == run.id
    (tmp_path / "fixed").touch()
    again = cresset.view("retry", run.id)
    assert again.id == run.id
    assert set(again.states().values()) == {"SUCCEEDED"}
    assert counts.read_text().split() == ["first", "second", "second", "second", "third"]
    assert again.task("first").fields == run.task("first").fields
    assert again.task("second").attempts == 3
    assert len(cresset.runs()) == 1
    cresset.refuses("retry", run.id, says="succeeded")


def test_retry_of_a_cancelled_run(cresset, gated, gate):
    cresset.run(gated, "--detach", state=None)
    until_running(cresset, "wait")
    cresset("cancel", "latest")
    cresset("wait", "latest", status=1)
    gate.touch()
    assert cresset.view("retry", "latest").task("after").state == "SUCCEEDED"


def test_retry_of_a_live_run_is_refused(cresset, gated, gate):
    cresset.run(gated, "--detach", state=None)
    until_running(cresset, "wait")
    outcome = cresset("retry", "latest", status=2)
    assert outcome.stdout == ""
    gate.touch()
    cresset("wait", "latest")


def test_retry_inside_loops_and_groups(cresset, tmp_path):
    pipeline = Pipeline()
    counts = tmp_path / "counts"
    step = pipeline.shell(
        "step",
        f'echo "$1" >> {counts}; test "$1" != 2 || test -e {tmp_path}/fixed; printf %s "$1" > "$2"',
        parameter("item"),
        output_file(),
        inputs={"item": INTEGER},
        outputs={"out": INTEGER},
    )
    body = pipeline.dag({"item": INTEGER})
    body.task("step", step, {"item": given("item")})
    body.gives("all", INTEGER, ("step", "out"))
    pipeline.task("loop", body, items=[1, 2, 3])
    pipeline.gives("all", "LIST", ("loop", "all"))
    cresset.run(pipeline.write(tmp_path / "p.yaml"), state="FAILED")
    (tmp_path / "fixed").touch()
    assert cresset.view("retry", "latest").parameters == {"all": [1, 2, 3]}
    assert sorted(counts.read_text().split()) == ["1", "2", "2", "3"]


@pytest.fixture
def trained(cresset, tmp_path):
    pipeline = Pipeline("training", parameters={"lr": DOUBLE})
    pipeline.task("data", pipeline.make(), {"text": "the data"}, cached=True)
    train = pipeline.shell(
        "train",
        'echo "lr $1 on $(cat "$2") in $4"; printf %s "$1" > "$3"',
        parameter("lr"),
        artifact("data"),
        output_file(),
        parameter("mode"),
        inputs={"lr": DOUBLE, "mode": STRING},
        outputs={"out": DOUBLE},
        artifacts={"data": "system.Dataset"},
    )
    values = {"lr": given("lr"), "mode": "fast"}
    data = {"data": artifact_of("data")}
    pipeline.task("train", train, values, data, cached=True)
    file = pipeline.write(tmp_path / "p.yaml")

    def run(lr, *arguments):
        return cresset.run(file, *arguments, parameters={"lr": lr})

    return run


def test_rerun_runs_one_step_with_its_real_inputs(cresset, trained):
    run = trained(0.1)
    outcome = cresset("rerun", run.id, "train")
    assert "lr 0.1 on the data in fast" in outcome.stdout
    again = cresset.view("rerun", run.id, "train", "-p", "lr=0.25", "-p", "mode=slow")
    assert again.id != run.id
    assert list(again.states()) == ["train"]
    assert again.task("train").log == "lr 0.25 on the data in slow\n"
    assert again.task("train").parameters == {"out": 0.25}
    assert cresset.show(run.id).view == run.view


@pytest.mark.parametrize(
    "arguments, says",
    [
        (["train", "-p", "lrr=1"], '"lr"'),
        (["train", "-p", "lr=fast"], "NUMBER_DOUBLE"),
        (["trian"], '"train"'),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_rerun_with_mistakes(cresset, trained, arguments, says):
    trained(0.1)
    cresset.refuses("rerun", "latest", *arguments, says=says)


def test_rerun_that_fails_has_status_1(cresset, tmp_path):
    pipeline = Pipeline()
    pipeline.task("step", pipeline.shell("step", "exit 3"))
    cresset.run(pipeline.write(tmp_path / "p.yaml"), state="FAILED")
    cresset("rerun", "latest", "step", status=1)


def test_explain(cresset, trained):
    first = trained(0.1)
    assert "no earlier run" in cresset("explain", first.id, "train").stdout
    second = trained(0.1)
    assert second.task("train").cached
    text = cresset("explain", second.id, "train").stdout
    assert "cached" in text and first.id in text
    third = trained(0.2)
    assert third.task("data").cached and not third.task("train").cached
    told = one_object(cresset("explain", third.id, "train", "-o", "json").stdout)
    differing = [part for part in told["ingredients"] if part["differs"]]
    assert len(differing) == 1
    assert "lr" in differing[0]["name"]
    assert (differing[0]["value"], differing[0]["other"]) == ("0.2", "0.1")
    text = cresset("explain", "latest", "train").stdout
    assert all(part in text for part in ("lr", "0.1", "0.2"))
    fourth = trained(0.2, "--no-cache")
    assert not fourth.task("train").cached
    assert "--no-cache" in cresset("explain", fourth.id, "train").stdout


def test_a_hit_comes_only_from_outputs_that_are_still_there(cresset, trained):
    run = trained(0.1)
    path_of(run.task("data").artifacts("data")[0]).write_text("changed")
    again = trained(0.1)
    assert not again.task("data").cached
    assert again.task("data").state == "SUCCEEDED"


def test_what_failed_is_never_a_hit(cresset, tmp_path):
    pipeline = Pipeline()
    step = pipeline.shell("step", f"test -e {tmp_path}/fixed")
    pipeline.task("step", step, cached=True)
    file = pipeline.write(tmp_path / "p.yaml")
    cresset.run(file, state="FAILED")
    (tmp_path / "fixed").touch()
    assert not cresset.run(file).task("step").cached
    assert cresset.run(file).task("step").cached


def test_the_cache_is_scoped_by_the_pipelines_name(cresset, tmp_path):
    for name, cached in (("one", False), ("two", False), ("one", True)):
        pipeline = Pipeline(name)
        pipeline.task("step", pipeline.echo(), {"text": "x"}, cached=True)
        run = cresset.run(pipeline.write(tmp_path / "p.yaml"))
        assert run.task("step").cached is cached


def test_a_cache_key_of_the_pipeline_replaces_the_computed_one(cresset, tmp_path):
    pipeline = Pipeline(parameters={"x": STRING})
    options = {"enableCache": True, "cacheKey": "mine"}
    pipeline.task("step", pipeline.give(), {"value": given("x")}, cachingOptions=options)
    pipeline.gives("out", STRING, ("step", "out"))
    file = pipeline.write(tmp_path / "p.yaml")
    assert cresset.run(file, parameters={"x": "one"}).parameters == {"out": "one"}
    second = cresset.run(file, parameters={"x": "two"})
    assert second.task("step").cached
    assert second.parameters == {"out": "one"}


@pytest.mark.parametrize("form", ["text", "json"])
def test_artifacts(cresset, trained, form):
    run = trained(0.1)
    (data,) = run.task("data").artifacts("data")
    text = cresset("artifacts", "latest", "-o", form).stdout
    assert data["uri"] in text and "system.Dataset" in text
    assert data["uri"] in cresset("artifacts", "latest", "data", "-o", form).stdout
    assert data["uri"] not in cresset("artifacts", "latest", "train", "-o", form).stdout


def test_runs_of_one_home_share_the_machine(cresset, tmp_path):
    """Steps of one CPU each, of all runs together, never outnumber the CPUs."""
    cpus = len(os.sched_getaffinity(0))
    times = tmp_path / "times"
    pipeline = Pipeline()
    step = pipeline.shell(
        "step", 'begin=$(date +%s.%N); sleep 0.15; echo "$begin $(date +%s.%N)" >> "$1"', str(times)
    )
    for number in range(cpus + 2):
        pipeline.task(f"step-{number}", step)
    file = pipeline.write(tmp_path / "p.yaml")
    runs = [cresset.start("run", file) for _ in range(2)]
    for process in runs:
        process.communicate(timeout=60)
        assert process.returncode == 0
    spans = [tuple(map(float, line.split())) for line in times.read_text().splitlines()]
    assert len(spans) == 2 * (cpus + 2)
    for begin, _ in spans:
        assert sum(other <= begin < end for other, end in spans) <= cpus


def test_branches_run_side_by_side(cresset, tmp_path):
    """Each of two steps waits for the other's sign."""
    pipeline = Pipeline()
    meet = 'touch "$1"; while ! test -e "$2"; do sleep 0.02; done'
    a, b = tmp_path / "a", tmp_path / "b"
    half = {"resourceCpuLimit": "100m"}
    pipeline.task("one", pipeline.shell("one", meet, str(a), str(b), resources=half))
    pipeline.task("two", pipeline.shell("two", meet, str(b), str(a), resources=half))
    cresset.run(pipeline.write(tmp_path / "p.yaml"), timeout=20)


def test_times_of_a_run_are_in_order(cresset, trained):
    run = trained(0.1)
    moments = [
        run.created_at,
        run.started_at,
        run.task("data").started_at,
        run.task("data").finished_at,
        run.task("train").started_at,
        run.task("train").finished_at,
        run.finished_at,
    ]
    times = [datetime.fromisoformat(text) for text in moments]
    assert times == sorted(times)


def test_inputs_of_a_task_are_those_it_was_given(cresset, tmp_path):
    pipeline = Pipeline()
    pipeline.task("give", pipeline.give(INTEGER), {"value": 4})
    pipeline.task("echo", pipeline.echo(), {"text": output_of("give")})
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"))
    assert run.task("echo").given == {"text": "4"}


def test_fail_fast_takes_back_what_waits_for_a_slot(cresset, tmp_path):
    pipeline = Pipeline()
    bad = pipeline.shell("bad", "sleep 0.3; exit 3")
    slow = pipeline.shell("slow", "sleep 0.2")
    pipeline.task("a-bad", bad)
    for number in range(6):
        pipeline.task(f"b-{number}", slow)
    file = pipeline.write(tmp_path / "p.yaml")
    run = cresset.run(file, "--fail-fast", "-j", "1", state="FAILED")
    states = [run.task(f"b-{number}").state for number in range(6)]
    # One may have begun in the instant in which the failure came to light.
    assert states.count("SKIPPED") >= 5, states
    again = cresset.run(file, "-j", "1", state="FAILED")
    assert {again.task(f"b-{number}").state for number in range(6)} == {"SUCCEEDED"}
