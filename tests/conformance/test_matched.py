"""The matched cases of the KFP samples: control flow and data, each with what it must give."""

import ast
from datetime import datetime
from pathlib import Path

import pytest
from harness.cresset import path_of, text_of


def whole(numbers):
    """Integers stay integers on the way: 4, never 4.0."""
    return all(whole(item) if isinstance(item, list) else type(item) is int for item in numbers)


def moment(text):
    return datetime.fromisoformat(text)


def test_container_artifacts(cresset, sample):
    run = cresset.run(sample("two_step_pipeline_containerized"))
    assert run.task("component2").log == "Hello KFP Containerized!\n"
    (made,) = run.task("component1").artifacts("output_gcs")
    assert text_of(made) == "Hello KFP Containerized!\n"


def test_metrics(cresset, sample):
    run = cresset.run(sample("output_metrics"))
    (metrics,) = run.artifacts("metrics")
    assert metrics["type"] == "system.Metrics"
    accuracy = metrics["metadata"]["accuracy"]
    assert type(accuracy) is int
    assert 0 <= accuracy <= 100


def test_caching(cresset, sample):
    first = cresset.run(sample("parameter_cache"))
    second = cresset.run(sample("parameter_cache"))
    steps = ("mantle/core/core-comp", "crust-comp")
    for path in steps:
        assert not first.task(path).cached
        assert first.task(path).attempts == 1
        assert second.task(path).cached
        assert second.task(path).attempts == 0
    assert second.log == ""
    assert first.task(steps[0]).parameters == second.task(steps[0]).parameters == {"Output": "foo"}
    assert second.task("mantle").parameters == {"Output": "foo"}
    assert second.task("crust-comp").given == {"input": "foo"}


def test_nested_pipelines_with_conditions_and_fstrings(cresset, sample):
    run = cresset.run(sample("pipeline_in_pipeline_complex"))
    assert run.task("print-op1").log == "Hello\n"
    inner = "for-loop-2[{}]/inner-pipeline/{}"
    assert run.task(inner.format(0, "print-op1")).log == "Hello\n"
    assert run.task(inner.format(0, "condition-1/print-op2")).log == "world\n"
    assert run.task(inner.format(1, "print-op1")).log == "world!\n"
    assert run.task(inner.format(1, "condition-2/print-op")).log == "Bye!\n"
    skipped = [path for path, state in run.states().items() if state == "SKIPPED"]
    assert skipped == [inner.format(0, "condition-2"), inner.format(1, "condition-1")]


def test_null_inputs(cresset, sample):
    run = cresset.run(sample("nested_pipeline_opt_inputs_nil_compiled"))
    for kind in ("bool", "int", "str"):
        task = run.task(f"nested-pipeline/component-{kind}")
        assert task.state == "SUCCEEDED"
        assert set(task.given.values()) == {None}


def test_oneof_parameters(cresset, sample):
    run = cresset.run(sample("if_else_with_oneof_parameters"))
    side = run.task("flip-coin").parameters["Output"]
    taken, other = {
        "heads": ("condition-2", "condition-3"),
        "tails": ("condition-3", "condition-2"),
    }[side]
    assert run.parameters == {"Output": f"Got {side}!"}
    assert run.task("print-and-return-3").log == f"Got {side}!\n"
    assert run.task(f"condition-branches-1/{taken}").state == "SUCCEEDED"
    assert run.task(f"condition-branches-1/{other}").state == "SKIPPED"
    assert not any(task.path.startswith(f"condition-branches-1/{other}/") for task in run.tasks)


def test_oneof_artifacts(cresset, sample):
    run = cresset.run(sample("if_else_with_oneof_artifacts"))
    inner = run.task("flip-coin-pipeline/print-artifact")
    outer = run.task("print-artifact")
    assert (inner.log, outer.log) == ("heads\n", "heads\n")
    branches = "flip-coin-pipeline/condition-branches-1"
    assert run.task(f"{branches}/condition-3").state == "SKIPPED"
    taken = run.task(f"{branches}/condition-2/param-to-artifact").artifacts("a")
    assert run.task("flip-coin-pipeline").artifacts("Output") == taken
    assert outer.inputs["artifacts"]["a"] == taken


def test_nested_loops(cresset, sample):
    run = cresset.run(sample("pipeline_with_nested_loops"))
    printed = sorted(
        task.log
        for task in run.tasks
        if task.name.startswith("print-op") and task.kind == "container"
    )
    alone = ["1", "2", "11", "22", "1", "2"]
    pairs = [(a, b) for a in "12" for b in ("100", "200", "300")]
    assert printed == sorted(
        [f"msg: {text}, msg2: None\n" for text in alone]
        + [f"msg: {a}, msg2: {b}\n" for a, b in pairs]
    )
    assert [run.task(f"for-loop-1[1]/for-loop-2[{i}]/print-op").log for i in (0, 1)] == [
        "msg: 11, msg2: None\n",
        "msg: 22, msg2: None\n",
    ]


def test_integer_fan_in(cresset, sample):
    run = cresset.run(sample("nested_with_parameters"))
    assert run.parameters == {"Output": [[4, 6, 8], [6, 8, 10], [8, 10, 12]]}
    assert whole(run.parameters["Output"])
    total = run.task("add").parameters["Output"]
    assert (total, type(total)) == (72, int)


def test_artifact_fan_in(cresset, sample):
    run = cresset.run(sample("collected_artifacts"))
    models = run.task("collecting-artifacts").artifacts("Output")
    names = [(char, number) for number in ("s1", "s2", "s3") for char in "xyz"]
    assert [text_of(model) for model in models] == [f"{a}-{b}" for a, b in names]
    assert {model["type"] for model in models} == {"system.Model"}
    assert [model["metadata"] for model in models] == [
        {"model": a, "model_name": f"model-artifact-inner-iteration-{a}-{b}"} for a, b in names
    ]
    lines = run.task("read-models").log.splitlines()
    shown = [line for line in lines if line.startswith("Model raw data: ")]
    assert shown == [f"Model raw data: {a}-{b}" for a, b in names]
    for index in range(3):
        inner = run.task(f"collecting-artifacts/for-loop-1[{index}]/read-models")
        assert inner.log.count("Model raw data: ") == 3


def test_order(cresset, sample):
    run = cresset.run(sample("parallel_for_after_dependency"))
    foo = [run.task(f"for-loop-2[{index}]/print-op") for index in range(3)]
    assert len(run.named("print-op")) == 3
    assert [task.log for task in foo] == ["foo\n"] * 3
    last = max(moment(task.finished_at) for task in foo)
    for name, text in (("print-op-2", "bar\n"), ("print-op-3", "baz\n")):
        assert run.task(name).log == text
        assert moment(run.task(name).started_at) >= last


def test_exit_handler_after_failure(cresset, sample):
    run = cresset.run(sample("pipeline_with_exit_handler"), state="FAILED")
    assert run.task("exit-handler-1/print-op-2").log == "Hello World!\n"
    failed = run.task("exit-handler-1/fail-op")
    assert failed.log == "Task failed.\n"
    assert failed.state == "FAILED"
    assert failed.error["log_tail"] == "Task failed.\n"
    assert run.task("print-op").log == "Exit handler has worked!\n"
    assert run.task("print-op").state == "SUCCEEDED"
    for text in ("Hello World!", "Task failed.", "Exit handler has worked!"):
        assert text in run.log


def test_final_status(cresset, sample):
    run = cresset.run(sample("pipeline_as_exit_task"), state="FAILED")
    assert run.task("conditional-notification/get-run-state").parameters == {"Output": "FAILED"}
    assert run.task("conditional-notification/condition-1").state == "SUCCEEDED"
    printed = run.task("conditional-notification/condition-1/print-op")
    assert printed.log == "notify task failure.\n"


def test_pythonic_artifacts(cresset, sample):
    run = cresset.run(sample("pythonic_artifacts_test_pipeline"))
    (dataset,) = run.task("gen-data").artifacts("Output")
    assert dataset["type"] == "system.Dataset"
    assert text_of(dataset) == "some data"
    assert dataset["metadata"] == {"length": 9}
    (model,) = run.task("train-model").artifacts("Output")
    assert model["type"] == "system.Model"
    assert text_of(model) == "model trained"
    assert path_of(model).name == "model"


def test_custom_path(cresset, sample):
    place = Path("/tmp/out_dataset")
    place.unlink(missing_ok=True)
    try:
        run = cresset.run(sample("pipeline_with_artifact_custom_path"))
        assert run.task("validate-input-artifact").parameters == {"Output": True}
    finally:
        place.unlink(missing_ok=True)


def test_resources_by_channel(cresset, sample):
    run = cresset.run(sample("pipeline_with_string_machine_fields_pipeline_input"))
    assert run.task("sum-numbers").parameters == {"Output": 3}


def test_placeholders(cresset, sample):
    run = cresset.run(sample("pipeline_with_placeholders"))
    values = run.task("print-all-placeholders").log.strip().split(", ")
    job, resource, identity, task, task_identity = values
    assert all(values)
    assert job == run.name
    assert resource.startswith("pipeline-with-placeholders-")
    assert identity == run.id
    assert task == "print-all-placeholders"
    assert task_identity not in (identity, task)


def test_lightweight_types(cresset, sample):
    run = cresset.run(sample("lightweight_python_functions_pipeline"), parameters={"message": "x"})
    (model,) = run.task("train").artifacts("model")
    lines = text_of(model).splitlines()
    assert sum(line.startswith("Step ") for line in lines) == 100
    parts = dict(part.split(": ", 1) for part in lines[1].split(" || "))
    assert parts["dataset_one_contents"] == parts["dataset_two_contents"] == "x"
    assert parts["message"] == "x"
    assert parts["input_bool"] == "True, type <class 'bool'>"
    shown, kind = parts["input_dict"].split(", type ")
    assert (ast.literal_eval(shown), kind) == ({"A": 1, "B": 2}, "<class 'dict'>")
    shown, kind = parts["input_list"].strip().split(", type ")
    assert (ast.literal_eval(shown), kind) == (["a", "b", "c"], "<class 'list'>")
    assert model["metadata"] == {"accuracy": 0.9}


def test_retry(cresset, sample, tmp_path):
    run = cresset.run(
        sample("local_execution_pipeline_with_retry"),
        parameters={"counter_path": str(tmp_path / "counter")},
    )
    assert run.parameters == {"Output": "attempt=2"}
    assert run.task("flaky").attempts == 2


def test_loops_and_conditions(cresset, sample):
    run = cresset.run(sample("pipeline_with_loops_and_conditions"))
    side = run.task("flip-coin-op").parameters["Output"]
    steps = [task for task in run.tasks if task.kind == "container"]
    prints = [task for task in steps if task.name.startswith("print-")]
    assert {task.state for task in steps} == {"SUCCEEDED"}
    assert len(prints) == {"heads": 28, "tails": 26}[side]
    assert len(steps) == len(prints) + 3
    loop = "condition-1/for-loop-2"
    for index in (0, 1):
        assert run.task(f"{loop}[{index}]/condition-3").state == "SKIPPED"
        assert run.task(f"{loop}[{index}]/condition-5").state == "SKIPPED"
        assert run.task(f"{loop}[{index}]/condition-4").state == (
            "SUCCEEDED" if side == "heads" else "SKIPPED"
        )
    assert run.task("for-loop-14[0]/condition-15").state == "SUCCEEDED"
    assert run.task("for-loop-14[1]/condition-15").state == "SKIPPED"
    assert [task.log for task in run.named("print-text-9") if task.kind == "container"] == [
        "msg: A, msg2: None\n",
        "msg: B, msg2: None\n",
    ]


@pytest.mark.parametrize(
    "name",
    ["collected_artifacts", "pipeline_with_loops_and_conditions", "if_else_with_oneof_artifacts"],
)
def test_valid_samples_validate(cresset, sample, name):
    cresset("validate", sample(name))
    assert cresset.runs() == []
