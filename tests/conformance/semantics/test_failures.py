"""Failures, retries, time-outs, exit handlers."""

import json
import os
from datetime import datetime
from pathlib import Path

import pytest
from harness.cresset import eventually
from harness.pipelines import (
    LIST,
    STRING,
    Pipeline,
    final_status,
    output_file,
    output_of,
    parameter,
)


def seconds(task):
    return (
        datetime.fromisoformat(task.finished_at) - datetime.fromisoformat(task.started_at)
    ).total_seconds()


def count_to(pipeline, file, name="flaky"):
    """Fails until it has been started `wanted` times, which it counts in `file`."""
    return pipeline.shell(
        name,
        'echo x >> "$1"; test "$(wc -l < "$1")" -ge "$2"',
        str(file),
        parameter("wanted"),
        inputs={"wanted": "NUMBER_INTEGER"},
    )


def retry(count, duration="0s", factor=2.0, longest="3600s"):
    return {
        "retryPolicy": {
            "maxRetryCount": count,
            "backoffDuration": duration,
            "backoffFactor": factor,
            "backoffMaxDuration": longest,
        }
    }


@pytest.mark.parametrize(
    "retries, wanted, state, attempts",
    [(3, 3, "SUCCEEDED", 3), (2, 3, "SUCCEEDED", 3), (1, 3, "FAILED", 2), (0, 2, "FAILED", 1)],
)
def test_retry_of_a_step(cresset, tmp_path, retries, wanted, state, attempts):
    pipeline = Pipeline()
    count = tmp_path / "count"
    pipeline.task("flaky", count_to(pipeline, count), {"wanted": wanted}, **retry(retries))
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"), state=state)
    assert run.task("flaky").attempts == attempts
    assert len(count.read_text().splitlines()) == attempts


def test_retry_waits_longer_each_time(cresset, tmp_path):
    pipeline = Pipeline()
    times = tmp_path / "times"
    step = pipeline.shell("step", 'date +%s.%N >> "$1"; exit 1', str(times))
    pipeline.task("step", step, **retry(3, "0.2s", 2.0, "0.5s"))
    cresset.run(pipeline.write(tmp_path / "p.yaml"), state="FAILED")
    moments = [float(line) for line in times.read_text().splitlines()]
    waits = [after - before for before, after in zip(moments, moments[1:])]
    assert len(waits) == 3
    for wait, least in zip(waits, (0.2, 0.4, 0.5)):
        assert least <= wait < least + 2


def test_retry_of_a_group_does_all_of_it_again(cresset, tmp_path):
    pipeline = Pipeline()
    first, second = tmp_path / "first", tmp_path / "second"
    body = pipeline.dag()
    body.task("one", pipeline.shell("one", 'echo x >> "$1"', str(first)))
    body.task("two", count_to(pipeline, second), {"wanted": 2}, after=["one"])
    body.task("three", pipeline.echo(), {"text": "done"}, after=["two"])
    pipeline.task("group", body, **retry(2))
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"))
    assert run.task("group").attempts == 2
    assert first.read_text() == second.read_text() == "x\nx\n"
    assert run.task("group/three").said == "done"
    assert len(run.tasks) == 4


def test_retries_of_a_group_and_its_step_multiply(cresset, tmp_path):
    pipeline = Pipeline()
    count = tmp_path / "count"
    body = pipeline.dag()
    body.task("step", count_to(pipeline, count), {"wanted": 100}, **retry(1))
    pipeline.task("group", body, **retry(2))
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"), state="FAILED")
    assert len(count.read_text().splitlines()) == 6
    assert run.task("group").state == "FAILED"


@pytest.mark.parametrize(
    "script, cause, tail",
    [
        ("echo first; echo last words >&2; exit 3", "exit status 3", "first\nlast words\n"),
        ("kill -SEGV $$", "SIGSEGV", ""),
        ("kill -KILL $$", "SIGKILL", ""),
        ("no-such-program-here", "command not found", None),
        ("for i in $(seq 500); do echo line $i; done; exit 1", "exit status 1", "line 500\n"),
    ],
    ids=["status", "fault", "killed", "not-found", "long-log"],
)
def test_one_sentence_says_the_cause(cresset, tmp_path, script, cause, tail):
    pipeline = Pipeline()
    pipeline.task("bad", pipeline.shell("bad", script))
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"), state="FAILED")
    error = run.task("bad").error
    assert cause in error["message"]
    assert "\n" not in error["message"]
    if tail is not None:
        assert error["log_tail"].endswith(tail)
    assert "bad" in run.error["message"]
    assert cause in run.error["message"]


def test_a_command_that_is_not_there(cresset, tmp_path):
    pipeline = Pipeline()
    pipeline.task("bad", pipeline.container("bad", ["no-such-program-here", "x"]))
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"), state="FAILED")
    assert "command not found: no-such-program-here" in run.task("bad").error["message"]


def test_an_output_that_was_not_written(cresset, tmp_path):
    pipeline = Pipeline()
    lazy = pipeline.shell("lazy", "true", output_file(), outputs={"out": STRING})
    pipeline.task("lazy", lazy)
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"), state="FAILED")
    assert '"out"' in run.task("lazy").error["message"]


@pytest.mark.parametrize(
    "kind, text",
    [("NUMBER_INTEGER", "1.5"), ("NUMBER_INTEGER", "one"), ("BOOLEAN", "yes"), ("LIST", "{}")],
)
def test_an_output_of_the_wrong_type(cresset, tmp_path, kind, text):
    pipeline = Pipeline()
    wrong = pipeline.shell(
        "wrong", 'printf %s "$1" > "$2"', text, output_file(), outputs={"out": kind}
    )
    pipeline.task("wrong", wrong)
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"), state="FAILED")
    message = run.task("wrong").error["message"]
    assert kind in message
    assert text in message


def failing_and_free(pipeline):
    pipeline.task("bad", pipeline.shell("bad", "exit 1"))
    pipeline.task("after-bad", pipeline.echo(), {"text": "never"}, after=["bad"])
    pipeline.task("free-1", pipeline.shell("nap", "sleep 0.3"))
    pipeline.task("free-2", pipeline.echo(), {"text": "free"}, after=["free-1"])


def test_independent_branches_finish_after_a_failure(cresset, tmp_path):
    pipeline = Pipeline()
    failing_and_free(pipeline)
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"), "-j", "2", state="FAILED")
    assert run.states() == {
        "after-bad": "SKIPPED",
        "bad": "FAILED",
        "free-1": "SUCCEEDED",
        "free-2": "SUCCEEDED",
    }


def test_fail_fast_starts_nothing_more(cresset, tmp_path):
    pipeline = Pipeline()
    failing_and_free(pipeline)
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"), "--fail-fast", "-j", "2", state="FAILED")
    assert run.task("bad").state == "FAILED"
    assert run.task("free-1").state == "SUCCEEDED"
    assert run.task("free-2").state == "SKIPPED"


def exit_task(pipeline, watched, status_file):
    tell = pipeline.shell(
        "tell",
        'printf %s "$1" > "$2"',
        parameter("status"),
        str(status_file),
        inputs={"status": "TASK_FINAL_STATUS"},
    )
    pipeline.task("tell", tell, {"status": final_status(watched)}, after=[watched], always=True)


@pytest.mark.parametrize("script, state", [("exit 0", "SUCCEEDED"), ("exit 7", "FAILED")])
def test_final_status(cresset, tmp_path, script, state):
    pipeline = Pipeline("told")
    status = tmp_path / "status"
    body = pipeline.dag()
    body.task("step", pipeline.shell("step", script))
    pipeline.task("body", body)
    exit_task(pipeline, "body", status)
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"), state=state)
    assert run.task("tell").state == "SUCCEEDED"
    told = json.loads(status.read_text())
    assert told["state"] == state
    assert told["pipelineTaskName"] == "body"
    assert told["pipelineJobResourceName"].startswith("told-")
    assert ("error" in told) == (state == "FAILED")
    if state == "FAILED":
        assert "exit status 7" in told["error"]["message"]


def test_an_exit_task_that_fails_fails_the_run(cresset, tmp_path):
    pipeline = Pipeline()
    pipeline.task("good", pipeline.echo(), {"text": "x"})
    pipeline.task("exit", pipeline.shell("bad", "exit 1"), after=["good"], always=True)
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"), state="FAILED")
    assert run.states() == {"exit": "FAILED", "good": "SUCCEEDED"}


def test_ignore_upstream_failure_falls_back_to_the_default(cresset, tmp_path):
    pipeline = Pipeline()
    broken = pipeline.shell(
        "broken", 'echo x > "$1"; exit 1', output_file(), outputs={"out": STRING}
    )
    pipeline.task("broken", broken)
    tell = pipeline.shell(
        "tell",
        'printf %s "$1"',
        parameter("text"),
        inputs={"text": {"parameterType": STRING, "defaultValue": "spare", "isOptional": True}},
    )
    pipeline.task("tell", tell, {"text": output_of("broken")}, after=["broken"], always=True)
    pipeline.task("then", pipeline.echo(), {"text": "goes on"}, after=["tell"])
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"), state="FAILED")
    assert run.task("tell").said == "spare"
    assert run.task("tell").given == {"text": "spare"}
    assert run.task("then").said == "goes on"


def test_ignore_upstream_failure_takes_the_value_when_there_is_one(cresset, tmp_path):
    pipeline = Pipeline()
    pipeline.task("fine", pipeline.give(), {"value": "real"})
    tell = pipeline.shell(
        "tell",
        'printf %s "$1"',
        parameter("text"),
        inputs={"text": {"parameterType": STRING, "defaultValue": "spare", "isOptional": True}},
    )
    pipeline.task("tell", tell, {"text": output_of("fine")}, after=["fine"], always=True)
    assert cresset.run(pipeline.write(tmp_path / "p.yaml")).task("tell").said == "real"


def test_a_step_over_its_limit_times_out(cresset, tmp_path):
    pipeline = Pipeline()
    status = tmp_path / "status"
    slow = pipeline.shell("slow", "echo begun; sleep 60", platform={"activeDeadlineSeconds": 1})
    pipeline.task("slow", slow)
    exit_task(pipeline, "slow", status)
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"), state="FAILED")
    task = run.task("slow")
    assert (task.state, task.log) == ("FAILED", "begun\n")
    assert "timed out" in task.error["message"]
    assert 1 <= seconds(task) < 10
    assert json.loads(status.read_text())["state"] == "FAILED"


def test_a_run_over_its_limit_runs_exit_tasks(cresset, tmp_path):
    pipeline = Pipeline()
    status = tmp_path / "status"
    pipeline.config = {"activeDeadlineSeconds": 1}
    body = pipeline.dag()
    body.task("slow", pipeline.shell("slow", "sleep 60"))
    body.task("never", pipeline.echo(), {"text": "x"}, after=["slow"])
    pipeline.task("body", body)
    exit_task(pipeline, "body", status)
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"), state="FAILED")
    assert "time-out" in run.error["message"]
    assert run.task("body/slow").state == "FAILED"
    assert run.task("body/never").state == "SKIPPED"
    assert run.task("tell").state == "SUCCEEDED"
    assert json.loads(status.read_text())["state"] == "FAILED"


def test_a_step_takes_its_children_along(cresset, tmp_path):
    pipeline = Pipeline()
    mark = tmp_path / "mark"
    tree = pipeline.shell(
        "tree",
        '(trap "" TERM; sleep 9; echo alive > "$1") & sleep 60',
        str(mark),
        platform={"activeDeadlineSeconds": 1},
    )
    pipeline.task("tree", tree)
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"), state="FAILED")
    assert seconds(run.task("tree")) < 9
    eventually(lambda: not processes_naming(mark), "the step's children are gone")
    assert not mark.exists()


def processes_naming(path):
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                line = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if str(path).encode() in line:
                found.append(folder.name)
    return found


def test_a_loop_inside_a_retried_group(cresset, tmp_path):
    pipeline = Pipeline()
    count = tmp_path / "count"
    body = pipeline.dag()
    body.task("loop", pipeline.give(), items=["a", "b"], item="value")
    body.task("flaky", count_to(pipeline, count), {"wanted": 2}, after=["loop"])
    body.gives("all", LIST, ("loop", "out"))
    pipeline.task("group", body, **retry(1))
    pipeline.gives("all", LIST, ("group", "all"))
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"))
    assert run.parameters == {"all": ["a", "b"]}
    assert sorted(run.states()) == [
        "group",
        "group/flaky",
        "group/loop",
        "group/loop[0]",
        "group/loop[1]",
    ]
