"""Parameters: types, texts, placeholders, sizes."""

import json

import pytest
from harness.pipelines import (
    BOOLEAN,
    DOUBLE,
    INTEGER,
    LIST,
    STRING,
    STRUCT,
    Pipeline,
    given,
    output_file,
    output_of,
    parameter,
)

INJECTED = "{{$.inputs.parameters['x']}} {{$}} {\"IfPresent\": 1} $HOME `id` '\" \\ \n{{"


def arguments_of(name, pipeline, *arguments, inputs=None, artifacts=None):
    """A step that prints its arguments as a JSON list."""
    script = "import json, sys; print(json.dumps(sys.argv[1:]))"
    return pipeline.container(
        name, ["python3", "-c", script], arguments, inputs=inputs, artifacts=artifacts
    )


def seen(task):
    return json.loads(task.log)


@pytest.mark.parametrize(
    "kind, value, text",
    [
        (STRING, "plain", "plain"),
        (STRING, "", ""),
        (STRING, "  spaces\n\n", "  spaces\n\n"),
        (STRING, "1.0", "1.0"),
        (STRING, "true", "true"),
        (STRING, "null", "null"),
        (INTEGER, 7, "7"),
        (INTEGER, -(2**53 - 1), "-9007199254740991"),
        (DOUBLE, 0.1, "0.1"),
        (DOUBLE, 3, "3"),
        (DOUBLE, 1e21, "1000000000000000000000"),
        (DOUBLE, 1e-7, "0.0000001"),
        (BOOLEAN, True, "true"),
        (BOOLEAN, False, "false"),
        (LIST, [1, 2.5, "x", None, [True]], '[1,2.5,"x",null,[true]]'),
        (LIST, [], "[]"),
        (STRUCT, {"b": 1, "a": {"c": []}}, '{"b":1,"a":{"c":[]}}'),
    ],
)
def test_texts_of_values(cresset, tmp_path, kind, value, text):
    """As an argument, through an output file, and back."""
    pipeline = Pipeline(parameters={"value": kind})
    pipeline.task("give", pipeline.give(kind), {"value": given("value")})
    show = arguments_of("show", pipeline, parameter("value"), inputs={"value": kind})
    pipeline.task("show", show, {"value": output_of("give")})
    pipeline.gives("value", kind, ("give", "out"))
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"), parameters={"value": value})
    assert seen(run.task("show")) == [text]
    assert run.parameters == {"value": value}
    assert run.inputs["parameters"] == {"value": value}


def test_integers_stay_integers_and_doubles_may_be_whole(cresset, tmp_path):
    pipeline = Pipeline(parameters={"n": INTEGER, "d": DOUBLE, "l": LIST})
    for name, kind in (("n", INTEGER), ("d", DOUBLE), ("l", LIST)):
        pipeline.task(name, pipeline.give(kind, name), {"value": given(name)})
        pipeline.gives(name, kind, (name, "out"))
    file = pipeline.write(tmp_path / "p.yaml")
    run = cresset.run(file, "-p", "n=4", "-p", "d=4.0", "-p", "l=[1.0, 2, 0.5]")
    assert json.dumps(run.parameters["n"]) == "4"
    assert run.parameters["d"] == 4
    assert json.dumps(run.parameters["l"]) == "[1, 2, 0.5]"


@pytest.mark.parametrize("where", ["root", "upstream", "item"])
def test_placeholders_in_values_arrive_as_they_are(cresset, tmp_path, where):
    pipeline = Pipeline(parameters={"value": STRING})
    show = arguments_of(
        "show",
        pipeline,
        parameter("value"),
        "<" + parameter("value") + ">",
        inputs={"value": STRING, "x": STRING},
    )
    values = {"value": given("value"), "x": "expanded"}
    path = "show"
    if where == "root":
        pipeline.task("show", show, values)
    elif where == "upstream":
        pipeline.task("give", pipeline.give(), {"value": given("value")})
        pipeline.task("show", show, {**values, "value": output_of("give")})
    else:
        body = pipeline.dag({"item": STRING})
        body.task("show", show, {**values, "value": given("item")})
        pipeline.task("loop", body, {"all": given("value")}, items_of="all")
        path = "loop[0]/show"
    value = json.dumps([INJECTED]) if where == "item" else INJECTED
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"), parameters={"value": value})
    assert seen(run.task(path)) == [INJECTED, f"<{INJECTED}>"]


def test_placeholders_in_constants_expand_once(cresset, tmp_path):
    pipeline = Pipeline("expanding", parameters={"x": STRING, "n": INTEGER})
    kinds = {"whole": INTEGER, "text": STRING, "struct": STRUCT, "x": STRING, "n": INTEGER}
    pipeline.task(
        "echo",
        pipeline.shell("echo", "true", inputs=kinds),
        {
            "x": given("x"),
            "n": given("n"),
            "whole": parameter("n"),
            "text": f"n is {parameter('n')}, x is {parameter('x')}",
            "struct": {"list": [parameter("n"), parameter("x")], parameter("x"): 1},
        },
    )
    run = cresset.run(
        pipeline.write(tmp_path / "p.yaml"), parameters={"x": "{{$.pipeline_job_uuid}}", "n": 5}
    )
    literal = "{{$.pipeline_job_uuid}}"
    assert run.task("echo").given == {
        "n": 5,
        "struct": {"list": [5, literal], literal: 1},
        "text": f"n is 5, x is {literal}",
        "whole": 5,
        "x": literal,
    }


def test_job_placeholders(cresset, tmp_path):
    names = ["name", "resource_name", "uuid", "create_time_utc", "schedule_time_utc"]
    pipeline = Pipeline("jobs")
    arguments = [f"<{{{{$.pipeline_job_{name}}}}}>" for name in names]
    arguments += ["<{{$.pipeline_task_name}}>", "<{{$.pipeline_task_uuid}}>", "{{$.pipeline_root}}"]
    pipeline.task(
        "show-them", arguments_of("show", pipeline, *arguments), taskInfo={"name": "Shown"}
    )
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"))
    task = run.task("show-them")
    assert task.name == "show-them"
    name, resource, uuid, created, scheduled, task_name, task_uuid, root = seen(task)
    assert (name, uuid, task_name) == (f"<{run.name}>", f"<{run.id}>", "<Shown>")
    assert resource.startswith("<jobs-")
    assert created == scheduled
    assert created.startswith(f"<{run.created_at[:16]}")
    assert len(task_uuid) > 2
    assert root.startswith("file:///")


def test_the_executor_input(cresset, tmp_path):
    pipeline = Pipeline()
    step = pipeline.container(
        "step",
        ["sh", "-ec", 'echo "$1"; printf x > "$2"', "sh", "{{$}}", output_file()],
        inputs={"n": INTEGER, "d": DOUBLE, "none": {"parameterType": STRING, "isOptional": True}},
        outputs={"out": STRING},
        made={"data": "system.Model"},
    )
    pipeline.task("step", step, {"n": 2.0, "d": 0.5})
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"))
    shown = json.loads(run.task("step").log)
    assert shown["inputs"]["parameterValues"] == {"n": 2, "d": 0.5, "none": None}
    assert '"n":2,' in run.task("step").log.replace(" ", "")
    assert shown["outputs"]["parameters"]["out"]["outputFile"].startswith("/")
    (made,) = shown["outputs"]["artifacts"]["data"]["artifacts"]
    assert made["type"] == {"schemaTitle": "system.Model", "schemaVersion": "0.0.1"}
    assert made["uri"] == run.task("step").artifacts("data")[0]["uri"]
    assert shown["outputs"]["outputFile"].startswith("/")


def test_values_in_the_output_metadata_win_over_files(cresset, tmp_path):
    pipeline = Pipeline()
    content = '{"parameterValues":{"out":"from metadata"},"artifacts":{}}'
    step = pipeline.shell(
        "step",
        'printf file > "$1"; printf %s "$2" > "$3"',
        output_file(),
        content,
        "{{$.outputs.output_file}}",
        outputs={"out": STRING},
    )
    pipeline.task("step", step)
    pipeline.gives("out", STRING, ("step", "out"))
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"))
    assert run.parameters == {"out": "from metadata"}


def test_output_files_are_read_by_type(cresset, tmp_path):
    pipeline = Pipeline()
    texts = {
        STRING: ("  raw \n", "  raw \n"),
        INTEGER: (" 12\n", 12),
        DOUBLE: ("1e3\n", 1000),
        BOOLEAN: ("True\n", True),
        LIST: ("[1, 2]\n", [1, 2]),
        STRUCT: ('{"a": null}', {"a": None}),
    }
    for kind, (text, _) in texts.items():
        name = kind.lower().replace("_", "-")
        step = pipeline.shell(
            name, 'printf %s "$1" > "$2"', text, output_file(), outputs={"out": kind}
        )
        pipeline.task(name, step)
        pipeline.gives(kind, kind, (name, "out"))
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"))
    assert run.parameters == {kind: value for kind, (_, value) in texts.items()}


def test_ten_megabytes_travel_by_file(cresset, tmp_path):
    text = "0123456789abcde\n" * (10 * 2**20 // 16)
    pipeline = Pipeline(parameters={"big": STRING})
    make = pipeline.shell(
        "make",
        'yes 0123456789abcde | head -c 10485760 > "$1"',
        output_file(),
        outputs={"out": STRING},
    )
    pipeline.task("make", make)
    pipeline.task("give", python_length(pipeline), {"text": output_of("make")})
    pipeline.task("given", python_length(pipeline), {"text": given("big")})
    (tmp_path / "given.json").write_text(json.dumps({"big": text}))
    run = cresset.run(pipeline.write(tmp_path / "p.json"), "--params", tmp_path / "given.json")
    for name in ("give", "given"):
        assert run.task(name).parameters == {"Output": 10 * 2**20}
    assert run.task("make").parameters["out"] == text


def python_length(pipeline):
    """A lightweight component as the SDK compiles it: its inputs come in a file."""
    source = (
        "\nimport kfp\nfrom kfp import dsl\nfrom kfp.dsl import *\nfrom typing import *\n\n"
        "def length(text: str) -> int:\n    return len(text)\n"
    )
    run = (
        'program_path=$(mktemp -d)\n\nprintf "%s" "$0" > "$program_path/ephemeral_component.py"\n'
        "_KFP_RUNTIME=true python3 -m kfp.dsl.executor_main --component_module_path "
        '"$program_path/ephemeral_component.py" "$@"\n'
    )
    return pipeline.container(
        "length",
        ["sh", "-ec", run, source],
        ["--executor_input", "{{$}}", "--function_to_execute", "length"],
        inputs={"text": STRING},
        outputs={"Output": INTEGER},
    )


def test_an_argument_beyond_the_kernels_limit_fails_before_the_start(cresset, tmp_path):
    pipeline = Pipeline(parameters={"big": STRING})
    mark = tmp_path / "mark"
    step = pipeline.shell("step", 'touch "$1"', str(mark), parameter("big"), inputs={"big": STRING})
    pipeline.task("step", step, {"big": given("big")}, retryPolicy={"maxRetryCount": 3})
    (tmp_path / "given.json").write_text(json.dumps({"big": "x" * 200_000}))
    run = cresset.run(
        pipeline.write(tmp_path / "p.yaml"), "--params", tmp_path / "given.json", state="FAILED"
    )
    message = run.task("step").error["message"]
    assert "too long for the kernel" in message
    assert "200000" in message
    assert run.task("step").attempts == 1
    assert not mark.exists()


PRESENT = {"InputName": "maybe", "Then": ["--maybe", parameter("maybe")], "Else": "--none"}


@pytest.mark.parametrize(
    "argument, value, expected",
    [
        ({"IfPresent": PRESENT}, "v", ["--maybe", "v"]),
        ({"IfPresent": PRESENT}, None, ["--none"]),
        ({"IfPresent": {"InputName": "maybe", "Then": "yes"}}, "v", ["yes"]),
        ({"IfPresent": {"InputName": "maybe", "Then": "yes"}}, None, []),
        ({"IfPresent": {"InputName": "maybe", "Then": "a", "Else": ["b", "c"]}}, None, ["b", "c"]),
        ({"Concat": ["a=", parameter("sure"), ";"]}, None, ["a=s;"]),
        ({"Concat": ["a", {"Concat": ["b", {"Concat": [parameter("sure")]}]}]}, None, ["abs"]),
        (
            {"Concat": ["m=", {"IfPresent": {"InputName": "maybe", "Then": parameter("maybe")}}]},
            "v",
            ["m=v"],
        ),
        (
            {"Concat": ["m=", {"IfPresent": {"InputName": "maybe", "Then": parameter("maybe")}}]},
            None,
            ["m="],
        ),
        (
            {
                "IfPresent": {
                    "InputName": "sure",
                    "Then": [{"Concat": ["x", parameter("sure")]}, "y"],
                    "Else": "no",
                }
            },
            None,
            ["xs", "y"],
        ),
        ({"IfPresent": {"InputName": "maybe", "Then": "given", "Else": "not"}}, "", ["given"]),
    ],
)
def test_concat_and_if_present(cresset, tmp_path, argument, value, expected):
    pipeline = Pipeline()
    inputs = {"sure": STRING, "maybe": {"parameterType": STRING, "isOptional": True}}
    text = json.dumps(argument)
    show = arguments_of("show", pipeline, "first", text, "last", inputs=inputs)
    values = {"sure": "s"} if value is None else {"sure": "s", "maybe": value}
    pipeline.task("show", show, values)
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"))
    assert seen(run.task("show")) == ["first", *expected, "last"]


def test_optional_inputs(cresset, tmp_path):
    """Given, omitted with a default, omitted without, and omitted for a nested pipeline."""
    optional = {"parameterType": STRING, "isOptional": True}
    spare = {**optional, "defaultValue": "spare"}
    pipeline = Pipeline(parameters={"plain": optional, "spare": spare})
    inner = pipeline.dag({"plain": optional, "spare": {**spare, "defaultValue": "inner spare"}})
    step = pipeline.shell("step", "true", inputs={"plain": optional, "spare": spare})
    inner.task("step", step, {"plain": given("plain"), "spare": given("spare")})
    pipeline.task("nothing", inner)
    pipeline.task("passed", inner, {"plain": given("plain"), "spare": given("spare")})
    pipeline.task("step", step)
    file = pipeline.write(tmp_path / "p.yaml")
    run = cresset.run(file)
    assert run.inputs["parameters"] == {"plain": None, "spare": "spare"}
    assert run.task("step").given == {"plain": None, "spare": "spare"}
    assert run.task("nothing/step").given == {"plain": None, "spare": "inner spare"}
    assert run.task("passed/step").given == {"plain": None, "spare": "spare"}
    run = cresset.run(file, parameters={"plain": "p", "spare": "s"})
    assert run.task("passed/step").given == {"plain": "p", "spare": "s"}


@pytest.mark.parametrize(
    "kind, literals, good, bad", [(STRING, ["a", "b"], "b", "c"), (INTEGER, [1, 2], 2, 3)]
)
def test_literals(cresset, tmp_path, kind, literals, good, bad):
    definition = {"parameterType": kind, "literals": literals}
    pipeline = Pipeline(parameters={"choice": definition})
    pipeline.task("give", pipeline.give(kind), {"value": given("choice")})
    pipeline.gives("choice", kind, ("give", "out"))
    file = pipeline.write(tmp_path / "p.yaml")
    assert cresset.run(file, parameters={"choice": good}).parameters == {"choice": good}
    outcome = cresset.refuses("run", file, "-p", f"choice={bad}", says="choice")
    assert all(str(literal) in outcome.stderr for literal in literals)


def test_env_values_are_never_resolved(cresset, tmp_path):
    pipeline = Pipeline()
    value = parameter("x") + " $HOME {{$.pipeline_job_uuid}}"
    step = pipeline.shell(
        "step", 'printf %s "$VALUE"', inputs={"x": STRING}, env=[{"name": "VALUE", "value": value}]
    )
    pipeline.task("step", step, {"x": "expanded"})
    assert cresset.run(pipeline.write(tmp_path / "p.yaml")).task("step").said == value


def test_the_environment_is_what_is_declared(cresset, tmp_path):
    cresset.environment["LEAKED"] = "1"
    cresset.environment["PASSED"] = "from outside"
    pipeline = Pipeline()
    step = pipeline.shell(
        "step", "env; pwd", env=[{"name": "OWN", "value": "mine"}, {"name": "PATH_X", "value": ""}]
    )
    pipeline.task("step", step)
    file = pipeline.write(tmp_path / "p.yaml")
    log = cresset.run(file, "--env", "PASSED", "--env", "MORE=a=b").task("step").log
    lines = log.splitlines()
    assert not any(line.startswith("LEAKED=") for line in lines)
    for line in ("OWN=mine", "PATH_X=", "PASSED=from outside", "MORE=a=b", "PYTHONUNBUFFERED=1"):
        assert line in lines
    variables = dict(line.split("=", 1) for line in lines[:-1])
    for name in ("HOME", "TMPDIR"):
        assert variables[name].startswith(str(cresset.home))
    for name in ("HF_HOME", "TORCH_HOME"):
        assert variables[name].startswith(str(cresset.home))
    assert lines[-1].startswith(str(cresset.home))
    assert lines[-1] != variables["HOME"]
