"""`cresset show RUN --timeline`: where the time of a run went."""

import json

import pytest
from harness.pipelines import Pipeline


@pytest.fixture
def file(tmp_path):
    pipeline = Pipeline("timed")
    pipeline.task("first", pipeline.shell("first", "sleep 0.3"))
    pipeline.task("long", pipeline.shell("long", "sleep 0.6"), after=["first"])
    pipeline.task("short", pipeline.shell("short", "true"), after=["first"])
    pipeline.task("last", pipeline.shell("last", "sleep 0.2"), after=["long", "short"])
    return pipeline.write(tmp_path / "p.yaml")


def timeline(cresset, *arguments):
    return json.loads(cresset("show", "latest", *arguments, "--timeline", "-o", "json").stdout)


def test_where_the_time_went(cresset, file):
    run = cresset.run(file)
    told = timeline(cresset)
    assert told["id"] == run.id
    assert told["critical_path"] == ["first", "long", "last"]
    steps = {step["path"]: step for step in told["steps"]}
    assert set(steps) == {"first", "long", "short", "last"}
    for name, least in {"first": 0.3, "long": 0.6, "last": 0.2}.items():
        step = steps[name]
        assert least <= step["running"] < least + 5, step
        assert step["started_at"] == run.task(name).started_at
        assert step["critical"]
    for step in steps.values():
        for part in ("waiting", "starting", "running", "finishing"):
            assert step[part] >= 0, step
        assert step["ready_at"] <= step["started_at"] <= step["ended_at"] <= told["ended_at"]
    # What made a step ready was known at that instant, and not before.
    assert steps["last"]["ready_at"] == steps["long"]["ended_at"]


def test_as_text(cresset, file):
    cresset.run(file)
    text = cresset("show", "latest", "--timeline").stdout
    assert all(len(line) <= 80 for line in text.splitlines()), text
    assert "Critical path: " in text
    assert "\x1b" not in text
    path = text[text.index("Critical path") :]
    assert [line.split()[0] for line in path.splitlines()[2:5]] == ["first", "long", "last"]


def test_of_one_task(cresset, file):
    cresset.run(file)
    assert [step["path"] for step in timeline(cresset, "long")["steps"]] == ["long"]
    cresset.refuses("show", "latest", "lung", "--timeline", says='"long"')


def test_a_step_from_the_cache_and_one_that_is_tried_again(cresset, tmp_path):
    pipeline = Pipeline("again")
    pipeline.task("echo", pipeline.echo(), {"text": "x"}, cached=True)
    mark = tmp_path / "mark"
    script = f"sleep 0.2; test -e {mark} || {{ touch {mark}; exit 1; }}"
    pipeline.task("flaky", pipeline.shell("flaky", script), retryPolicy={"maxRetryCount": 1})
    file = pipeline.write(tmp_path / "p.yaml")
    cresset.run(file)
    told = {step["path"]: step for step in timeline(cresset)["steps"]}
    assert told["flaky"]["attempts"] == 2
    assert told["flaky"]["running"] >= 0.4
    cresset.run(file)
    told = {step["path"]: step for step in timeline(cresset)["steps"]}
    assert told["echo"]["cached"]
    assert told["echo"]["running"] == 0
