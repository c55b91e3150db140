import json
from datetime import datetime

import pytest
from harness.cresset import text_of
from harness.pipelines import (
    BOOLEAN,
    DOUBLE,
    INTEGER,
    LIST,
    STRING,
    STRUCT,
    Pipeline,
    artifact,
    artifact_of,
    field,
    given,
    given_artifact,
    list_of,
    output_artifact,
    output_file,
    output_of,
    parameter,
)

DATASET = "system.Dataset"


def moment(text):
    return datetime.fromisoformat(text)


def loop_of_give(pipeline, kind, name="loop", **iterator):
    """A loop over `item` whose iterations give their item back as `collected`."""
    body = pipeline.dag({"item": kind})
    body.task("give", pipeline.give(kind), {"value": given("item")})
    body.gives("collected", kind, ("give", "out"))
    return pipeline.task(name, body, **iterator)


@pytest.mark.parametrize(
    "kind, items",
    [
        (STRING, ["b", "", "a b", "ü", "b"]),
        (INTEGER, [3, -1, 0, 2**53 - 1]),
        (DOUBLE, [0.5, -2.25, 1e-3]),
        (BOOLEAN, [True, False]),
        (LIST, [[], [1, "x"], [[2]]]),
        (STRUCT, [{}, {"a": {"b": [1]}}]),
    ],
)
@pytest.mark.parametrize("dynamic", [False, True], ids=["static", "dynamic"])
def test_items_of_all_types_come_back_in_order(cresset, tmp_path, kind, items, dynamic):
    pipeline = Pipeline(parameters={"all": LIST})
    if dynamic:
        loop_of_give(pipeline, kind, parameters={"list": given("all")}, items_of="list")
    else:
        loop_of_give(pipeline, kind, items=items)
    pipeline.gives("all", LIST, ("loop", "collected"))
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"), parameters={"all": items})
    assert run.parameters == {"all": items}
    assert json.dumps(run.parameters["all"]) == json.dumps(items)
    assert run.task("loop").state == "SUCCEEDED"
    assert [run.task(f"loop[{i}]/give").state for i in range(len(items))] == ["SUCCEEDED"] * len(
        items
    )


@pytest.mark.parametrize("dynamic", [False, True], ids=["static", "dynamic"])
def test_empty_loops_succeed_with_empty_outputs(cresset, tmp_path, dynamic):
    pipeline = Pipeline(parameters={"all": LIST})
    if dynamic:
        loop_of_give(pipeline, STRING, parameters={"list": given("all")}, items_of="list")
    else:
        loop_of_give(pipeline, STRING, items=[])
    pipeline.task("after", pipeline.give(LIST, "after"), {"value": output_of("loop", "collected")})
    pipeline.gives("all", LIST, ("loop", "collected"))
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"), parameters={"all": []})
    assert run.parameters == {"all": []}
    assert run.task("loop").state == "SUCCEEDED"
    assert run.task("after").parameters == {"out": []}
    assert len(run.tasks) == 2


def test_items_from_an_upstream_task_as_json_text(cresset, tmp_path):
    pipeline = Pipeline()
    pipeline.task("list", pipeline.give(STRING, "list"), {"value": '["x", "y"]'})
    loop_of_give(pipeline, STRING, parameters={"list": output_of("list")}, items_of="list")
    pipeline.gives("all", LIST, ("loop", "collected"))
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"))
    assert run.parameters == {"all": ["x", "y"]}


def test_what_is_no_list_fails_the_loop_with_the_reason(cresset, tmp_path):
    pipeline = Pipeline()
    pipeline.task("list", pipeline.give(STRING, "list"), {"value": "no list"})
    loop_of_give(pipeline, STRING, parameters={"list": output_of("list")}, items_of="list")
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"), state="FAILED")
    assert "list" in run.task("loop").error["message"]
    assert run.task("list").state == "SUCCEEDED"


def test_a_loop_over_a_single_step(cresset, tmp_path):
    pipeline = Pipeline()
    pipeline.task("loop", pipeline.give(INTEGER), items=[7, 8], item="value")
    pipeline.task("all", pipeline.give(LIST, "all"), {"value": output_of("loop")})
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"))
    assert run.task("all").parameters == {"out": [7, 8]}
    assert [run.task(f"loop[{i}]").parameters for i in (0, 1)] == [{"out": 7}, {"out": 8}]
    assert run.task("loop").kind == "loop"
    assert run.task("loop[1]").kind == "container"


def nested(pipeline, inner_name, inner_kind):
    """outer: items 1, 2; inner: items of `inner` of each, giving "<outer><inner>"."""
    join = pipeline.shell(
        "join",
        'printf %s%s "$1" "$2" | tee "$4" > "$3"',
        parameter("a"),
        parameter("b"),
        output_file(),
        output_artifact(),
        inputs={"a": STRING, "b": STRING},
        outputs={"out": STRING},
        made={"data": DATASET},
    )
    inner = pipeline.dag({"outer": STRING, "item": STRING})
    inner.task("join", join, {"a": given("outer"), "b": given("item")})
    inner.gives("texts", STRING, ("join", "out"))
    inner.gives_artifact("files", DATASET, ("join", "data"))
    outer = pipeline.dag({"item": STRUCT})
    outer.task(
        inner_name,
        inner,
        {"outer": field("item", "name"), "list": field("item", "list")},
        items_of="list",
    )
    outer.gives("texts", LIST, (inner_name, "texts"))
    outer.gives_artifact("files", list_of(DATASET), (inner_name, "files"))
    return outer


def test_nested_loops_nest_parameters_and_flatten_artifacts(cresset, tmp_path):
    pipeline = Pipeline()
    items = [
        {"name": "a", "list": ["1", "2", "3"]},
        {"name": "b", "list": []},
        {"name": "c", "list": ["4"]},
    ]
    pipeline.task("outer", nested(pipeline, "inner", LIST), items=items)
    cat = pipeline.shell(
        "cat",
        'printf %s "$1"',
        "{{$.inputs.artifacts['all']}}",
        artifacts={"all": list_of(DATASET)},
    )
    pipeline.task("cat", cat, artifacts={"all": artifact_of("outer", "files")})
    pipeline.gives("texts", LIST, ("outer", "texts"))
    pipeline.gives_artifact("files", list_of(DATASET), ("outer", "files"))
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"))
    assert run.parameters == {"texts": [["a1", "a2", "a3"], [], ["c4"]]}
    assert [text_of(one) for one in run.artifacts("files")] == ["a1", "a2", "a3", "c4"]
    shown = json.loads(run.task("cat").log)
    assert [one["uri"] for one in shown] == [one["uri"] for one in run.artifacts("files")]
    assert len({one["uri"] for one in shown}) == 4


def test_skipped_iterations_contribute_nothing(cresset, tmp_path):
    pipeline = Pipeline()
    body = pipeline.dag({"item": INTEGER})
    branch = pipeline.dag({"item": INTEGER})
    branch.task("give", pipeline.give(INTEGER), {"value": given("item")})
    branch.gives("big", INTEGER, ("give", "out"))
    body.task(
        "if-big",
        branch,
        {"item": given("item")},
        condition="int(inputs.parameter_values['item']) > 2",
    )
    body.gives("big", INTEGER, ("if-big", "big"))
    pipeline.task("loop", body, items=[1, 5, 2, 3])
    pipeline.gives("big", LIST, ("loop", "big"))
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"))
    assert run.parameters == {"big": [5, 3]}
    assert [run.task(f"loop[{i}]/if-big").state for i in range(4)] == [
        "SKIPPED",
        "SUCCEEDED",
        "SKIPPED",
        "SUCCEEDED",
    ]


def test_results_are_in_item_order_whatever_ends_first(cresset, tmp_path):
    pipeline = Pipeline()
    slow = pipeline.shell(
        "slow",
        'sleep "$1"; printf %s "$1" > "$2"',
        parameter("item"),
        output_file(),
        inputs={"item": STRING},
        outputs={"out": STRING},
    )
    pipeline.task("loop", slow, items=["0.4", "0.01"])
    pipeline.task("all", pipeline.give(LIST, "all"), {"value": output_of("loop")})
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"), "-j", "2")
    assert run.task("all").parameters == {"out": ["0.4", "0.01"]}


def test_a_parallelism_limit_keeps_iterations_apart(cresset, tmp_path):
    pipeline = Pipeline()
    nap = pipeline.shell("nap", "sleep 0.05", inputs={"item": INTEGER})
    pipeline.task("loop", nap, items=[1, 2, 3], parallelism=1)
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"), "-j", "4")
    tasks = [run.task(f"loop[{i}]") for i in range(3)]
    for before, after in zip(tasks, tasks[1:]):
        assert moment(before.finished_at) <= moment(after.started_at)


def test_a_failed_iteration_lets_the_others_finish(cresset, tmp_path):
    pipeline = Pipeline()
    step = pipeline.shell("step", 'test "$1" != 2', parameter("item"), inputs={"item": INTEGER})
    pipeline.task("loop", step, items=[1, 2, 3])
    pipeline.task("after", pipeline.echo(), {"text": "never"}, after=["loop"])
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"), "-j", "1", state="FAILED")
    assert [run.task(f"loop[{i}]").state for i in range(3)] == ["SUCCEEDED", "FAILED", "SUCCEEDED"]
    assert run.task("loop").state == "FAILED"
    assert run.task("after").state == "SKIPPED"
    assert "loop[1]" in run.error["message"]


def test_an_artifact_iterator_gives_each_its_artifact(cresset, tmp_path):
    """KFP's own backend answers that this is not implemented."""
    pipeline = Pipeline()
    pipeline.task("make", pipeline.make(), items=["x", "y", "z"], item="text")
    copy = pipeline.shell(
        "copy",
        '{ cat "$1"; printf !; } > "$2"',
        artifact("one"),
        output_artifact(),
        artifacts={"one": DATASET},
        made={"data": DATASET},
    )
    pipeline.task(
        "each",
        copy,
        artifacts={"list": artifact_of("make")},
        artifact_items_of="list",
        item="one",
    )
    body = pipeline.dag(artifacts={"one": DATASET})
    body.task("read", pipeline.read(), artifacts={"data": given_artifact("one")})
    pipeline.task(
        "group",
        body,
        artifacts={"list": artifact_of("each")},
        artifact_items_of="list",
        item="one",
    )
    pipeline.gives_artifact("all", list_of(DATASET), ("each", "data"))
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"))
    assert [text_of(one) for one in run.artifacts("all")] == ["x!", "y!", "z!"]
    assert [run.task(f"group[{i}]/read").said for i in range(3)] == ["x!", "y!", "z!"]


def test_fields_of_items(cresset, tmp_path):
    pipeline = Pipeline()
    body = pipeline.dag({"item": STRUCT})
    body.task("text", pipeline.echo(), {"text": field("item", "a")})
    body.task("number", pipeline.give(INTEGER), {"value": field("item", "n")})
    body.gives("numbers", INTEGER, ("number", "out"))
    pipeline.task("loop", body, items=[{"a": "one", "n": 1}, {"a": "two", "n": 2}])
    pipeline.gives("numbers", LIST, ("loop", "numbers"))
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"))
    assert [run.task(f"loop[{i}]/text").said for i in (0, 1)] == ["one", "two"]
    assert run.parameters == {"numbers": [1, 2]}


def test_a_field_that_an_item_lacks_fails_with_its_name(cresset, tmp_path):
    pipeline = Pipeline()
    body = pipeline.dag({"item": STRUCT})
    body.task("echo", pipeline.echo(), {"text": field("item", "absent")})
    pipeline.task("loop", body, items=[{"a": "one"}])
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"), state="FAILED")
    assert "absent" in run.task("loop[0]/echo").error["message"]
