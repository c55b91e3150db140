"""The shapes that a pipeline file may have."""

import json

import pytest
import yaml
from harness.pipelines import INTEGER, STRING, Pipeline, given


def adder():
    pipeline = Pipeline("in-a-file", parameters={"n": INTEGER, "s": STRING})
    pipeline.task("give", pipeline.give(INTEGER), {"value": given("n")})
    pipeline.task("echo", pipeline.echo(), {"text": given("s")})
    pipeline.gives("n", INTEGER, ("give", "out"))
    return pipeline


def check(run, number=5, text="t"):
    assert run.parameters == {"n": number}
    assert run.task("echo").said == text


GIVEN = {"n": 5, "s": "t"}


@pytest.mark.parametrize("name", ["p.yaml", "p.json", "p.yml", "no-ending"])
@pytest.mark.parametrize("form", ["yaml", "json"])
def test_the_content_decides_not_the_name(cresset, tmp_path, name, form):
    (spec,) = adder().documents()
    file = tmp_path / name
    file.write_text(json.dumps(spec) if form == "json" else yaml.safe_dump(spec))
    check(cresset.run(file, parameters=GIVEN))


def test_json_with_blanks_before_it(cresset, tmp_path):
    (spec,) = adder().documents()
    file = tmp_path / "p.json"
    file.write_text("\n  " + json.dumps(spec, indent=1))
    check(cresset.run(file, parameters=GIVEN))


def test_two_documents(cresset, tmp_path):
    pipeline = adder()
    pipeline.config = {"workspace": {"size": "1Mi"}}
    show = pipeline.shell("show", 'test -d "$1"', "{{$.workspace_path}}")
    pipeline.task("show", show)
    file = pipeline.write(tmp_path / "p.yaml")
    assert "\n---\n" in file.read_text()
    check(cresset.run(file, parameters=GIVEN))


def test_three_documents_are_refused(cresset, tmp_path):
    file = adder().write(tmp_path / "p.yaml")
    file.write_text(file.read_text() + "---\nplatforms: {}\n---\nx: 1\n")
    cresset.refuses("run", file, "-p", "n=1", "-p", "s=x", says="document")


def test_the_form_of_the_rest_interface(cresset, tmp_path):
    spec = adder().documents()[0]
    file = tmp_path / "p.json"
    file.write_text(
        json.dumps({"pipeline_spec": spec, "platform_spec": {"platforms": {"kubernetes": {}}}})
    )
    check(cresset.run(file, parameters=GIVEN))


def test_a_pipeline_job_brings_its_values(cresset, tmp_path):
    spec = adder().documents()[0]
    file = tmp_path / "p.json"
    job = {
        "displayName": "A job",
        "pipelineSpec": spec,
        "labels": {"a": "b"},
        "runtimeConfig": {"parameterValues": {"n": 8, "s": "from the job"}},
    }
    file.write_text(json.dumps(job))
    check(cresset.run(file), 8, "from the job")
    check(cresset.run(file, parameters={"n": 9}), 9, "from the job")


def test_older_spellings(cresset, tmp_path):
    pipeline = adder()
    spec = pipeline.documents()[0]
    spec["root"]["inputDefinitions"]["parameters"] = {"n": {"type": "INT"}, "s": {"type": "STRING"}}
    tasks = spec["root"]["dag"]["tasks"]
    tasks["old"] = {
        "taskInfo": {"name": "old"},
        "componentRef": tasks["echo"]["componentRef"],
        "inputs": {
            "parameters": {"text": {"runtimeValue": {"constantValue": {"stringValue": "old"}}}}
        },
    }
    file = tmp_path / "p.yaml"
    file.write_text(yaml.safe_dump(spec))
    run = cresset.run(file, parameters=GIVEN)
    check(run)
    assert run.task("old").said == "old"


def test_display_names(cresset, tmp_path):
    pipeline = Pipeline("named")
    pipeline.task(
        "shell",
        pipeline.shell("shell", 'echo "$1"', "{{$.pipeline_task_name}}"),
        taskInfo={"name": "My shell"},
    )
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"))
    assert run.task("shell").log == "My shell\n"
    assert run.task("shell").name == "shell"


@pytest.mark.parametrize("version", ["2.0.0", "1.0", "3.0.0"])
def test_other_schema_versions(cresset, tmp_path, version):
    spec = adder().documents()[0]
    spec["schemaVersion"] = version
    file = tmp_path / "p.yaml"
    file.write_text(yaml.safe_dump(spec))
    cresset.refuses("run", file, says=[version, "2.1.0"])


def test_yaml_anchors_and_comments(cresset, tmp_path):
    file = adder().write(tmp_path / "p.yaml")
    text = file.read_text().replace("  image: alpine\n", "  image: &image alpine\n", 1)
    file.write_text("# a comment\n" + text.replace("  image: alpine\n", "  image: *image\n"))
    assert "*image" in file.read_text()
    check(cresset.run(file, parameters=GIVEN))


@pytest.mark.parametrize(
    "old, new, says",
    [
        ("dependentTasks", "dependantTasks", "dependentTasks"),
        ("componentRef", "componentReff", "componentRef"),
        ("name: comp-echo", "name: comp-ecko", "comp-echo"),
        ("componentInputParameter: s", "componentInputParameter: t", "t"),
        ("producerSubtask: give", "producerSubtask: giv", "give"),
        ("outputParameterKey: out", "outputParameterKey: ut", "out"),
        ("executorLabel: exec-echo", "executorLabel: exec-eko", "exec-eko"),
        ("parameterType: STRING", "parameterType: TEXT", "TEXT"),
        ("  text:", "  texts:", "text"),
    ],
)
def test_mistakes_are_named_with_their_place(cresset, tmp_path, old, new, says):
    pipeline = adder()
    pipeline.tasks["echo"]["dependentTasks"] = ["give"]
    file = pipeline.write(tmp_path / "p.yaml")
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    outcome = cresset.refuses("validate", file, says=[says, f"{file}:"])
    assert "^" in outcome.stderr


@pytest.mark.parametrize(
    "breakage, says",
    [
        (lambda root: root["tasks"]["give"].update(dependentTasks=["echo"]), "wait for each other"),
        (lambda root: root["tasks"]["echo"].update(dependentTasks=["echo"]), "itself"),
        (lambda root: root["tasks"]["echo"]["inputs"]["parameters"].clear(), "text"),
    ],
    ids=["cycle", "self", "missing-input"],
)
def test_graphs_that_cannot_run(cresset, tmp_path, breakage, says):
    pipeline = adder()
    pipeline.tasks["echo"]["dependentTasks"] = ["give"]
    spec = pipeline.documents()[0]
    breakage(spec["root"]["dag"])
    file = tmp_path / "p.yaml"
    file.write_text(yaml.safe_dump(spec))
    cresset.refuses("validate", file, says=says)


def test_recursion_is_refused(cresset, tmp_path):
    pipeline = adder()
    body = pipeline.dag()
    body.task("again", "comp-body")
    pipeline.task("body", body)
    cresset.refuses("validate", pipeline.write(tmp_path / "p.yaml"), says="comp-body")


def test_everything_wrong_is_told_in_one_go(cresset, tmp_path):
    spec = adder().documents()[0]
    tasks = spec["root"]["dag"]["tasks"]
    tasks["echo"]["componentRef"]["name"] = "comp-absent"
    tasks["give"]["unknownField"] = 1
    spec["root"]["inputDefinitions"]["parameters"]["s"]["parameterType"] = "TEXT"
    file = tmp_path / "p.yaml"
    file.write_text(yaml.safe_dump(spec))
    cresset.refuses("validate", file, says=["comp-absent", "unknownField", "TEXT"])
