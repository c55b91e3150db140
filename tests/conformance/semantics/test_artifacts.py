"""Artifacts: importers, metadata, paths, lists, workspace."""

import json

import pytest
from harness.cresset import path_of, text_of
from harness.pipelines import (
    INTEGER,
    STRING,
    STRUCT,
    Pipeline,
    artifact,
    artifact_of,
    given,
    list_of,
    output_artifact,
    parameter,
)

MODEL, DATASET = "system.Model", "system.Dataset"


def imported(pipeline, uri, read='cat "$1"', **importer):
    pipeline.task("import", pipeline.importer("import", uri, **importer), {"uri": uri})
    read = pipeline.shell("read", read, artifact("data"), artifacts={"data": DATASET})
    pipeline.task("read", read, artifacts={"data": artifact_of("import", "artifact")})


@pytest.mark.parametrize("scheme", ["", "file://"], ids=["path", "uri"])
def test_importer_of_a_file(cresset, tmp_path, scheme):
    source = tmp_path / "data with space.txt"
    source.write_text("imported")
    pipeline = Pipeline()
    imported(pipeline, f"{scheme}{source}", metadata={"rows": 3})
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"))
    task = run.task("import")
    assert task.kind == "importer"
    (made,) = task.artifacts("artifact")
    assert path_of(made) == source
    assert (made["type"], made["metadata"]) == (DATASET, {"rows": 3})
    assert run.task("read").said == "imported"


def test_importer_of_a_directory(cresset, tmp_path):
    source = tmp_path / "folder"
    (source / "deep").mkdir(parents=True)
    (source / "deep/one").write_text("1")
    (source / "two").write_text("2")
    pipeline = Pipeline()
    imported(pipeline, str(source), read='cat "$1/deep/one" "$1/two"')
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"))
    assert run.task("read").said == "12"


def test_importer_metadata_with_placeholders(cresset, tmp_path):
    source = tmp_path / "data"
    source.write_text("x")
    pipeline = Pipeline(parameters={"who": STRING, "count": INTEGER})
    importer = pipeline.importer(
        "import",
        {"runtimeParameter": "uri"},
        metadata={
            "owner": parameter("who"),
            "text": f"by {parameter('who')}",
            parameter("who"): {"count": [parameter("count")]},
        },
        inputs={"who": STRING, "count": INTEGER},
    )
    values = {"uri": str(source), "who": given("who"), "count": given("count")}
    pipeline.task("import", importer, values)
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"), parameters={"who": "{{$}}", "count": 2})
    (made,) = run.task("import").artifacts("artifact")
    assert made["metadata"] == {"owner": "{{$}}", "text": "by {{$}}", "{{$}}": {"count": [2]}}
    assert path_of(made) == source


def test_importer_of_nothing_fails(cresset, tmp_path):
    pipeline = Pipeline()
    imported(pipeline, str(tmp_path / "absent"))
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"), state="FAILED")
    assert str(tmp_path / "absent") in run.task("import").error["message"]
    assert run.task("read").state == "SKIPPED"


def test_importer_of_a_remote_uri_registers_it(cresset, tmp_path):
    pipeline = Pipeline()
    uri = "s3://bucket/key"
    pipeline.task("import", pipeline.importer("import", uri), {"uri": uri})
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"))
    assert run.task("import").artifacts("artifact")[0]["uri"] == uri


def test_importer_of_a_changed_file_sees_the_change(cresset, tmp_path):
    source = tmp_path / "data"
    pipeline = Pipeline()
    pipeline.task("import", pipeline.importer("import", str(source)), {"uri": str(source)})
    read = pipeline.shell("read", 'cat "$1"', artifact("data"), artifacts={"data": DATASET})
    data = {"data": artifact_of("import", "artifact")}
    pipeline.task("read", read, artifacts=data, cached=True)
    file = pipeline.write(tmp_path / "p.yaml")
    for text, cached in (("one", False), ("one", True), ("two", False)):
        source.write_text(text)
        run = cresset.run(file)
        assert run.task("read").cached is cached, text
        if not cached:
            assert run.task("read").said == text


def test_importer_into_the_workspace(cresset, tmp_path):
    source = tmp_path / "folder"
    source.mkdir()
    (source / "one").write_text("1")
    pipeline = Pipeline()
    pipeline.config = {"workspace": {"size": "1Gi"}}
    imported(pipeline, str(source), read='echo "$1"; echo 2 > "$1/one"', downloadToWorkspace=True)
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"))
    (made,) = run.task("import").artifacts("artifact")
    assert str(path_of(made)).startswith(str(cresset.home))
    assert run.task("read").log.strip() == str(path_of(made))
    assert (source / "one").read_text() == "1"


def test_the_workspace_is_shared_by_the_tasks_of_a_run(cresset, tmp_path):
    pipeline = Pipeline()
    pipeline.config = {"workspace": {"size": "1Gi"}}
    write = pipeline.shell("write", 'echo shared > "$1"', "{{$.workspace_path}}/file")
    read = pipeline.shell("read", 'cat "$1/file"', parameter("place"), inputs={"place": STRING})
    pipeline.task("write", write)
    pipeline.task("read", read, {"place": "{{$.workspace_path}}"}, after=["write"])
    file = pipeline.write(tmp_path / "p.yaml")
    first, second = cresset.run(file), cresset.run(file)
    assert first.task("read").log == "shared\n"
    assert first.task("read").given != second.task("read").given


def test_all_parts_of_an_artifact(cresset, tmp_path):
    pipeline = Pipeline()
    content = {
        "parameterValues": {},
        "artifacts": {"data": {"artifacts": [{"metadata": {"k": "v", "n": 1.0}}]}},
    }
    make = pipeline.shell(
        "make",
        'printf x > "$1"; printf %s "$3" > "$2"',
        output_artifact(),
        "{{$.outputs.output_file}}",
        json.dumps(content),
        made={
            "data": {
                "artifactType": {"schemaTitle": MODEL, "schemaVersion": "0.0.1"},
                "metadata": {"declared": True},
            }
        },
    )
    pipeline.task("make", make)
    parts = [artifact("data", part) for part in ("path", "uri", "name", "metadata['k']")]
    script = "import json, sys; print(json.dumps(sys.argv[1:]))"
    show = pipeline.container(
        "show",
        ["python3", "-c", script, *parts, artifact("data", "metadata"), "{{$}}"],
        artifacts={"data": MODEL},
    )
    pipeline.task("show", show, artifacts={"data": artifact_of("make")})
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"))
    (made,) = run.task("make").artifacts("data")
    metadata = {"declared": True, "k": "v", "n": 1}
    assert (made["name"], made["type"], made["metadata"]) == ("data", MODEL, metadata)
    path, uri, name, key, whole, everything = json.loads(run.task("show").log)
    assert (path, uri) == (str(path_of(made)), made["uri"])
    assert (name, key) == ("data", "v")
    assert json.loads(whole) == metadata
    (seen,) = json.loads(everything)["inputs"]["artifacts"]["data"]["artifacts"]
    assert (seen["uri"], seen["metadata"]) == (made["uri"], metadata)


def test_a_directory_as_an_artifact(cresset, tmp_path):
    pipeline = Pipeline()
    make = pipeline.shell(
        "make",
        'mkdir -p "$1/a/b"; echo 1 > "$1/a/b/c"; echo 2 > "$1/d"',
        output_artifact(),
        made={"data": DATASET},
    )
    pipeline.task("make", make, cached=True)
    list_files = pipeline.shell(
        "list", 'cd "$1"; find . -type f | sort', artifact("data"), artifacts={"data": DATASET}
    )
    pipeline.task("list", list_files, artifacts={"data": artifact_of("make")})
    file = pipeline.write(tmp_path / "p.yaml")
    run = cresset.run(file)
    assert run.task("list").log == "./a/b/c\n./d\n"
    assert cresset.run(file).task("make").cached
    (path_of(run.task("make").artifacts("data")[0]) / "a/b/c").write_text("changed")
    assert not cresset.run(file).task("make").cached


def test_an_artifact_that_is_not_written_exists_by_name_only(cresset, tmp_path):
    pipeline = Pipeline()
    make = pipeline.shell("make", "true", made={"data": "system.Metrics"})
    pipeline.task("make", make)
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"))
    (made,) = run.task("make").artifacts("data")
    assert made["type"] == "system.Metrics"
    assert not path_of(made).exists()


def test_a_list_of_artifacts_from_one_step(cresset, tmp_path):
    pipeline = Pipeline()
    script = """
for name in one two; do printf %s "$name" > "$1-$name"; done
printf '{"artifacts":{"data":{"artifacts":[
 {"name":"one","uri":"%s-one","metadata":{"n":1}},
 {"name":"two","uri":"%s-two","metadata":{"n":2}}]}}}' "$2" "$2" > "$3"
"""
    make = pipeline.shell(
        "make",
        script,
        output_artifact(),
        output_artifact(part="uri"),
        "{{$.outputs.output_file}}",
        made={"data": list_of(DATASET)},
    )
    pipeline.task("make", make)
    body = pipeline.dag(artifacts={"one": DATASET})
    body.task("read", pipeline.read(), artifacts={"data": {"componentInputArtifact": "one"}})
    pipeline.task(
        "each",
        body,
        artifacts={"list": artifact_of("make")},
        artifact_items_of="list",
        item="one",
    )
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"))
    assert [text_of(one) for one in run.task("make").artifacts("data")] == ["one", "two"]
    assert [run.task(f"each[{i}]/read").said for i in (0, 1)] == ["one", "two"]


def test_an_optional_artifact(cresset, tmp_path):
    pipeline = Pipeline()
    optional = {
        "artifactType": {"schemaTitle": DATASET, "schemaVersion": "0.0.1"},
        "isOptional": True,
    }
    argument = {
        "IfPresent": {"InputName": "data", "Then": ["with", artifact("data")], "Else": "without"}
    }
    show = pipeline.shell("show", 'echo "$1"', json.dumps(argument), artifacts={"data": optional})
    pipeline.task("make", pipeline.make(), {"text": "x"})
    pipeline.task("with", show, artifacts={"data": artifact_of("make")})
    pipeline.task("without", show)
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"))
    assert run.task("with").log == "with\n"
    assert run.task("without").log == "without\n"


def test_a_lightweight_step_may_leave_no_path_outside_its_place(cresset, tmp_path):
    """A name of an output that climbs out of its folder is refused with the file."""
    pipeline = Pipeline()
    make = pipeline.shell("make", "true", made={"../../escape": DATASET})
    pipeline.task("make", make)
    cresset.refuses("run", pipeline.write(tmp_path / "p.yaml"), says="escape")


def test_struct_metadata_reaches_the_root_outputs(cresset, tmp_path):
    source = tmp_path / "data"
    source.write_text("x")
    pipeline = Pipeline(parameters={"meta": STRUCT})
    importer = pipeline.importer(
        "import", str(source), metadata={"all": parameter("meta")}, inputs={"meta": STRUCT}
    )
    pipeline.task("import", importer, {"uri": str(source), "meta": given("meta")})
    pipeline.gives_artifact("out", DATASET, ("import", "artifact"))
    value = {"deep": {"list": [1, {"x": None}]}}
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"), parameters={"meta": value})
    assert run.artifacts("out")[0]["metadata"] == {"all": value}
