"""The smoke set of the KFP samples, and those that must be refused."""

import ast

import pytest
from harness.cresset import text_of

STRUCT = {"a": 1, "b": [1.5, "x", None], "c": {"d": True}}


@pytest.mark.parametrize(
    "name, given, expected",
    [
        ("add_numbers", {"a": 3, "b": -5}, -2),
        ("add_numbers", {"a": 2**53 - 2, "b": 1}, 2**53 - 1),
        ("concat_message", {"message1": "to", "message2": "gether {{$}}"}, "together {{$}}"),
        ("identity", {"value": "12"}, "12"),
        ("identity", {"value": 'quotes " and \\ and\nnew lines, ümlaut'}, None),
        ("nested_return", {}, [{"A_a": "1", "B_b": "2"}, {"A_a": "10", "B_b": "20"}]),
        ("local_execution_pipeline_with_oneof", {}, "selected:A"),
        ("local_execution_pipeline_with_oneof", {"pick_a": True}, "selected:A"),
        ("local_execution_pipeline_with_oneof", {"pick_a": False}, "selected:B"),
    ],
)
def test_output_parameter(cresset, sample, name, given, expected):
    run = cresset.run(sample(name), parameters=given)
    expected = given["value"] if expected is None else expected
    assert run.parameters == {"Output": expected}
    assert type(run.parameters["Output"]) is type(expected)


def test_preprocess(cresset, sample):
    given = {
        "message": "a message",
        "input_dict_parameter": {"x": 1, "y": 2},
        "input_list_parameter": ["one", "two"],
    }
    run = cresset.run(sample("preprocess"), parameters=given)
    assert run.parameters == {
        "output_bool_parameter_path": True,
        "output_dict_parameter_path": {"x": 1, "y": 2},
        "output_list_parameter_path": ["one", "two"],
        "output_parameter_path": "a message",
    }
    for name in ("output_dataset_one", "output_dataset_two_path"):
        (dataset,) = run.artifacts(name)
        assert dataset["type"] == "system.Dataset"
        assert text_of(dataset) == "a message"


def test_dict_input(cresset, sample):
    run = cresset.run(sample("dict_input"), parameters={"struct": STRUCT})
    assert ast.literal_eval(run.task("dict-input").log) == STRUCT


def test_hello_world(cresset, sample):
    assert cresset.run(sample("hello_world")).task("echo").log == "hello world\n"


def test_after(cresset, sample):
    run = cresset.run(sample("pipeline_with_after"))
    first, second, third = (run.task(f"print-text{suffix}") for suffix in ("", "-2", "-3"))
    assert first.finished_at <= second.started_at <= second.finished_at <= third.started_at


def test_producer_and_consumer(cresset, sample):
    run = cresset.run(sample("producer_consumer_param_pipeline"), parameters={"text": "A text"})
    value = "A text, this is an output parameter\n"
    assert run.task("producer").parameters == {"output_value": value}
    assert value in run.task("consumer").log


@pytest.mark.parametrize(
    "name, path, printed",
    [
        ("mixed_parameters", "crust-comp", "sum : 3\n"),
        ("multiple_artifacts_namedtuple", "crust-comp", "ds1:  foo\nds2:  bar\n"),
        ("multiple_parameters_namedtuple", "crust-comp", "val1:  foo\nval2:  bar\n"),
        ("pipeline_with_env", "print-env-op", "ENV1 val1\nENV2 None\n"),
    ],
)
def test_printed(cresset, sample, name, path, printed):
    assert cresset.run(sample(name)).task(path).log == printed


def test_env_of_a_container(cresset, sample):
    run = cresset.run(sample("pipeline_with_env"))
    lines = run.task("print-env").log.splitlines()
    assert [line for line in lines if not line.startswith("+")] == ["val0", "val2", "val3"]


def test_flip_coin(cresset, sample):
    run = cresset.run(sample("flip_coin"))
    heads = run.task("flip-coin").parameters["Output"] == "heads"
    taken, other = ("condition-1", "condition-4") if heads else ("condition-4", "condition-1")
    assert run.task(taken).state == "SUCCEEDED"
    assert run.task(other).state == "SKIPPED"
    number = run.task(f"{taken}/random-num{'' if heads else '-2'}").parameters["Output"]
    high = number > (5 if heads else 15)
    inner = ("condition-2", "condition-3") if heads else ("condition-5", "condition-6")
    assert run.task(f"{taken}/{inner[0]}").state == ("SUCCEEDED" if high else "SKIPPED")
    assert run.task(f"{taken}/{inner[1]}").state == ("SKIPPED" if high else "SUCCEEDED")
    (printed,) = [
        task.log for task in run.tasks if task.path.count("/") == 2 and task.state == "SUCCEEDED"
    ]
    side = "heads" if heads else "tails"
    bound = f"> {5 if heads else 15}" if high else f"<= {5 if heads else 15}"
    assert printed == f"{side} and {number} {bound}!\n"


def test_nested_conditions(cresset, sample):
    run = cresset.run(sample("pipeline_with_nested_conditions"))
    coin = {
        number: run.task(path).parameters["Output"]
        for number, path in ((2, "flip-coin-op-2"), (3, "condition-1/flip-coin-op-3"))
    }
    assert run.task("condition-1/print-op-3").log.strip() == coin[3]
    inner = run.task("condition-1/condition-2")
    assert inner.state == ("SUCCEEDED" if coin[2] == coin[3] else "SKIPPED")


def test_embedded_artifact(cresset, sample):
    run = cresset.run(sample("embedded_artifact"))
    assert set(run.states().values()) == {"SUCCEEDED"}


def test_failure(cresset, sample):
    run = cresset.run(sample("fail_v2"), state="FAILED")
    assert "exit status 1" in run.task("fail").error["message"]
    assert "fail" in run.error["message"]


def test_joined_list_of_artifacts(cresset, sample):
    run = cresset.run(sample("pythonic_artifacts_with_list_of_artifacts"))
    (joined,) = run.artifacts("Output")
    assert text_of(joined) == "Hello, world!"


@pytest.mark.parametrize("verb", ["run", "validate"])
@pytest.mark.parametrize("name", ["empty_file", "invalid_yaml", "no_name"])
def test_invalid(cresset, invalid_sample, verb, name):
    cresset.refuses(verb, invalid_sample(name), says=f"{name}.yaml")
