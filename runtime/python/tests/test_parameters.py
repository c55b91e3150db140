"""Parameters in and out: every type, both forms of NamedTuple, defaults, and what is refused."""

import json

import pytest


def test_every_type_comes_in_as_its_own(run):
    ended = run(
        """
        def step(text: str, whole: int, real: float, flag: bool, listed: list, fields: dict,
                 typed: List[int], mapped: Dict[str, float]) -> str:
            values = [text, whole, real, flag, listed, fields, typed, mapped]
            return repr([(type(value).__name__, value) for value in values])
        """,
        parameters={
            "text": "a 'b' {{$.inputs}}\n é",
            "whole": 3.0,  # JSON of the engine has one kind of number
            "real": 2,
            "flag": True,
            "listed": [1, "x", None, [2.5]],
            "fields": {"a": {"b": []}},
            "typed": [1, 2],
            "mapped": {"k": 0.5},
        },
        output_parameters=["Output"],
    )
    assert eval(ended.values["Output"]) == [
        ("str", "a 'b' {{$.inputs}}\n é"),
        ("int", 3),
        ("float", 2.0),
        ("bool", True),
        ("list", [1, "x", None, [2.5]]),
        ("dict", {"a": {"b": []}}),
        ("list", [1, 2]),
        ("dict", {"k": 0.5}),
    ]


@pytest.mark.parametrize(
    "annotation, returned, written",
    [
        ("str", "'a\\n\"b\" é'", 'a\n"b" é'),
        ("int", "2**40", 2**40),
        ("float", "0.1", 0.1),
        ("float", "7", 7),
        ("bool", "False", False),
        ("int", "True", 1),
        ("list", "[1, {'a': None}]", [1, {"a": None}]),
        ("dict", "{'a': [1.5]}", {"a": [1.5]}),
        ("List[str]", "['x']", ["x"]),
        ("Dict[str, List[int]]", "{'k': [1]}", {"k": [1]}),
        ("list[int]", "[]", []),
        ("Optional[int]", "None", None),
        ("Optional[int]", "4", 4),
        ("'int'", "4", 4),
    ],
)
def test_every_type_goes_out(run, annotation, returned, written):
    ended = run(
        f"def step() -> {annotation}:\n    return {returned}\n", output_parameters=["Output"]
    )
    assert ended.values == {"Output": written}
    assert type(ended.values["Output"]) is type(written)


@pytest.mark.parametrize(
    "annotation, returned, kind",
    [
        ("int", "'1'", "str"),
        ("int", "1.0", "float"),
        ("str", "1", "int"),
        ("bool", "1", "int"),
        ("float", "'x'", "str"),
        ("list", "(1,)", "tuple"),
        ("Dict[str, int]", "[]", "list"),
        ("int", "None", "NoneType"),
    ],
)
def test_a_wrong_return_type_is_refused_and_nothing_is_written(make, annotation, returned, kind):
    source = f"def step() -> {annotation}:\n    return {returned}\n"
    ended = make(source, output_parameters=["Output"]).run()
    assert ended.status == 1
    declared = annotation.partition("[")[0].lower()
    assert f"output 'Output' of function 'step' is declared {declared}" in ended.log
    assert f"but the function returned {kind}" in ended.log
    assert "Traceback" not in ended.log
    assert ended.output is None


def test_a_value_without_a_declared_return_is_refused(make):
    ended = make("def step():\n    return 1\n").run()
    assert ended.status == 1
    assert "returned int but declares no return type" in ended.log


def test_numpy_scalars_are_refused_with_a_hint(make):
    source = "def step() -> float:\n    import numpy\n    return numpy.float32(1)\n"
    ended = make(source, output_parameters=["Output"]).run()
    assert ended.status == 1
    assert "numpy.float32; return its .item()" in ended.log


NAMED_TUPLES = {
    "functional": "NamedTuple('Outputs', [('total', int), ('name', str), ('parts', list)])",
    "functional with types as text": "NamedTuple('Outputs', [('total', 'int'), ('name', 'str'),"
    " ('parts', 'list')])",
    "by keyword": "NamedTuple('Outputs', total=int, name=str, parts=list)",
}


@pytest.mark.parametrize("returned", ["(3, 'x', [1])", "Made(3, 'x', [1])", "Other([1], 'x', 3)"])
@pytest.mark.parametrize("form", NAMED_TUPLES.values(), ids=NAMED_TUPLES.keys())
def test_named_tuples_in_the_annotation(run, form, returned):
    ended = run(
        f"""
        def step() -> {form}:
            from collections import namedtuple
            Made = namedtuple('Made', ['total', 'name', 'parts'])
            Other = namedtuple('Other', ['parts', 'name', 'total'])
            return {returned}
        """,
        output_parameters=["total", "name", "parts"],
    )
    assert ended.values == {"total": 3, "name": "x", "parts": [1]}


def test_a_named_tuple_class(run):
    ended = run(
        """
        class Outputs(NamedTuple):
            total: int
            share: float

        def step() -> Outputs:
            return Outputs(share=1, total=2)
        """,
        output_parameters=["total", "share"],
    )
    assert ended.values == {"total": 2, "share": 1}


def test_a_named_tuple_of_parameters_and_artifacts(run, tmp_path):
    ended = run(
        """
        def step() -> NamedTuple('Outputs', [('count', int), ('data', Dataset)]):
            return (2, 'payload')
        """,
        output_parameters=["count"],
        output_artifacts={"data": "system.Dataset"},
    )
    assert ended.values == {"count": 2}
    assert (tmp_path / "artifacts/data").read_text() == "payload"


@pytest.mark.parametrize("returned", ["(1,)", "(1, 2, 3)", "7", "None"])
def test_a_named_tuple_of_another_size_is_refused(make, returned):
    source = f"def step() -> NamedTuple('Two', a=int, b=int):\n    return {returned}\n"
    ended = make(source, output_parameters=["a", "b"]).run()
    assert ended.status == 1
    assert "declares a NamedTuple of 2 outputs (a, b)" in ended.log


def test_defaults_stand_in_for_what_is_absent_or_null(run):
    ended = run(
        """
        def step(absent: int = 1, null: str = "two", nothing: Optional[str] = None,
                 bare: Optional[int] = None, given: Optional[float] = 0.5) -> list:
            return [absent, null, nothing, bare, given]
        """,
        parameters={"null": None, "nothing": None, "given": 4},
        output_parameters=["Output"],
    )
    assert ended.values["Output"] == [1, "two", None, None, 4]


def test_what_has_no_value_and_no_default_is_named(make):
    ended = make("def step(needed: int, other: Optional[str]):\n    pass\n").run()
    assert ended.status == 1
    assert "function 'step' needs 'needed', which the executor input does not give" in ended.log


def test_output_paths_of_parameters(run, tmp_path):
    ended = run(
        """
        def step(number: OutputPath(int), text: dsl.OutputPath(str)):
            for path, value in ((number, "12"), (text, "  kept as it is\\n")):
                with open(path, "w") as file:
                    file.write(value)
        """,
        output_parameters=["number", "text"],
    )
    assert ended.values == {}
    assert (tmp_path / "outputs/number").read_text() == "12"
    assert (tmp_path / "outputs/text").read_text() == "  kept as it is\n"


def test_a_10_mb_parameter_travels(run):
    ended = run(
        "def step(text: str) -> str:\n    return text[::-1]\n",
        parameters={"text": "ab" * 5_000_000},
        output_parameters=["Output"],
    )
    assert ended.values["Output"] == "ba" * 5_000_000


@pytest.mark.parametrize("value", ["float('nan')", "[float('inf')]", "{'a': object()}"])
def test_what_json_cannot_hold_is_refused(make, value):
    annotation = {"f": "float", "[": "list", "{": "dict"}[value[0]]
    source = f"def step() -> {annotation}:\n    return {value}\n"
    ended = make(source, output_parameters=["Output"]).run()
    assert ended.status == 1
    assert "output 'Output' cannot be written as JSON" in ended.log
    assert ended.output is None


def test_final_status(run):
    payload = {
        "state": "FAILED",
        "pipelineJobResourceName": "job-1",
        "pipelineTaskName": "trains",
        "error": {"code": 9, "message": "it broke"},
    }
    ended = run(
        """
        def step(status: PipelineTaskFinalStatus, also: dsl.PipelineTaskFinalStatus,
                 raw: dict) -> list:
            return [status.state, status.pipeline_job_resource_name, status.pipeline_task_name,
                    status.error_code, status.error_message, also == status, raw]
        """,
        parameters={"status": payload, "also": payload, "raw": payload},
        output_parameters=["Output"],
    )
    assert ended.values["Output"] == ["FAILED", "job-1", "trains", 9, "it broke", True, payload]


def test_final_status_without_an_error_and_with_the_older_names(run):
    ended = run(
        """
        def step(status: PipelineTaskFinalStatus) -> list:
            import dataclasses
            return [dataclasses.asdict(status)]
        """,
        parameters={
            "status": {
                "state": "SUCCEEDED",
                "pipeline_job_resource_name": "j",
                "pipeline_task_name": "t",
            }
        },
        output_parameters=["Output"],
    )
    assert ended.values["Output"] == [
        {
            "state": "SUCCEEDED",
            "pipeline_job_resource_name": "j",
            "pipeline_task_name": "t",
            "error_code": None,
            "error_message": None,
        }
    ]


def test_task_config(run):
    ended = run(
        """
        def step(config: dsl.TaskConfig, empty: dsl.TaskConfig) -> list:
            return [config.resources, config.node_selector, config.volume_mounts, config.env,
                    empty.resources]
        """,
        parameters={
            "config": {
                "resources": {"limits": {"cpu": "2"}},
                "nodeSelector": {"a": "b"},
                "volumeMounts": [{"name": "v"}],
            },
            "empty": {},
        },
        output_parameters=["Output"],
    )
    limits = {"limits": {"cpu": "2"}}
    assert ended.values["Output"] == [limits, {"a": "b"}, [{"name": "v"}], None, None]


def test_task_config_that_nobody_sent_is_empty(run):
    ended = run(
        "def step(config: dsl.TaskConfig) -> bool:\n    return config.env is None\n",
        output_parameters=["Output"],
    )
    assert ended.values["Output"] is True


def test_annotations_may_be_text(run, tmp_path):
    ended = run(
        """
        def step(count: "int", rows: "List[int]", data: "Output[Dataset]",
                 parts: Input["List[Model]"], extra: "Optional[str]" = None) -> "float":
            open(data.path, "w").write(f"{count}{rows}{parts}{extra}")
            return count
        """,
        parameters={"count": 2.0, "rows": [1]},
        artifacts={"parts": []},
        output_parameters=["Output"],
        output_artifacts={"data": "system.Dataset"},
    )
    assert json.dumps(ended.values) == '{"Output": 2}'
    assert (tmp_path / "artifacts/data").read_text() == "2[1][]None"


def test_pydantic_models_are_structs(run):
    pytest.importorskip("pydantic")
    ended = run(
        """
        import pydantic

        class Config(pydantic.BaseModel):
            depth: int
            name: str = "x"

        def step(config: Config) -> Config:
            return Config(depth=config.depth + 1)
        """,
        parameters={"config": {"depth": 1}},
        output_parameters=["Output"],
    )
    assert ended.values["Output"] == {"depth": 2, "name": "x"}
