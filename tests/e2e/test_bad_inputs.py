"""Files that are no pipelines: a clear message, and nothing is created."""

import json
import os

import pytest
from harness.pipelines import Pipeline


def nested(depth):
    return "[" * depth + "]" * depth


def bomb():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for level in range(1, 12):
        parts = ", ".join([f"*a{level - 1}"] * 10)
        lines.append(f"a{level}: &a{level} [{parts}]")
    return "\n".join(lines)


FILES = {
    "empty": (b"", "empty"),
    "blank": (b"\n \n", ""),
    "comment": (b"# nothing\n", ""),
    "text": (b"just some words", ""),
    "number": (b"42", ""),
    "list": (b"- a\n- b\n", ""),
    "binary": (bytes(range(256)) * 8, ""),
    "png": (b"\x89PNG\r\n\x1a\n" + bytes(64), ""),
    "zip": (b"PK\x03\x04" + bytes(64), ""),
    "utf-16": ("pipelineInfo: {}".encode("utf-16"), ""),
    "bad-utf-8": (b"pipelineInfo:\n  name: \xff\xfe\n", "UTF-8"),
    "overlong-utf-8": (b"pipelineInfo: {name: \xc0\xaf}\n", "UTF-8"),
    "nul": (b"pipelineInfo:\n  name: a\0b\n", ""),
    "tab": (b"pipelineInfo:\n\tname: x\n", ":2:"),
    "half-json": (b'{"pipelineInfo": {"name": "x"', ""),
    "json-twice": (b'{"a": 1} {"b": 2}', ""),
    "duplicate-json": (b'{"schemaVersion": "2.1.0", "schemaVersion": "2.1.0"}', "schemaVersion"),
    "duplicate-yaml": (b"schemaVersion: 2.1.0\nschemaVersion: 2.1.0\n", "schemaVersion"),
    "empty-json": (b"{}", ""),
    "nested-json": (b'{"a":' + nested(200_000).encode() + b"}", "deep"),
    "nested-yaml": (b"a: " + nested(200_000).encode(), "deep"),
    "nested-blocks": ("".join(f"{' ' * n}a:\n" for n in range(3000)).encode(), "deep"),
    "yaml-bomb": (bomb().encode(), ""),
    "cyclic-alias": (b"a: &a [*a]\n", ""),
    "unknown-alias": (b"a: *b\n", "b"),
    "tag": (b"!!python/object/apply:os.system ['true']\n", ""),
    "argo": (b"apiVersion: argoproj.io/v1alpha1\nkind: Workflow\n", "Argo"),
    "kubernetes": (b"apiVersion: v1\nkind: Pod\n", "Pod"),
    "component": (b"name: x\nimplementation: {container: {image: x}}\n", "v1 component"),
    "python": (b"from kfp import dsl\n\n\n@dsl.pipeline\ndef p():\n    pass\n", ""),
}


@pytest.mark.parametrize("verb", ["run", "validate"])
@pytest.mark.parametrize("name", FILES)
def test_no_pipeline(cresset, tmp_path, verb, name):
    content, says = FILES[name]
    file = tmp_path / "p.yaml"
    file.write_bytes(content)
    outcome = cresset.refuses(verb, file, says=["p.yaml", says], timeout=20)
    assert len(outcome.stderr) < 20_000
    assert not any(ord(char) < 32 and char not in "\n\t" for char in outcome.stderr)
    assert not cresset.home.exists()


@pytest.mark.parametrize("verb", ["run", "validate"])
def test_no_file(cresset, tmp_path, verb):
    cresset.refuses(verb, tmp_path / "absent.yaml", says=["absent.yaml", "No such file"])
    cresset.refuses(verb, tmp_path, says=[str(tmp_path), "folder"])
    cresset.refuses(verb, "", says="")
    dangling = tmp_path / "dangling"
    dangling.symlink_to(tmp_path / "absent.yaml")
    cresset.refuses(verb, dangling, says="dangling")
    assert not cresset.home.exists()


def test_a_file_that_may_not_be_read(cresset, tmp_path):
    file = tmp_path / "closed.yaml"
    file.write_text("x")
    file.chmod(0)
    prefix = []
    if os.geteuid() == 0:  # root reads everything, unless it gives that up
        prefix = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    outcome = cresset("run", file, status=2, prefix=prefix)
    assert outcome.stdout == ""
    assert "closed.yaml" in outcome.stderr and "denied" in outcome.stderr
    assert not cresset.home.exists()


def test_a_named_pipe_without_a_writer(cresset, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    cresset.refuses("run", pipe, timeout=10)


@pytest.mark.parametrize("start", [b"", b"{"], ids=["yaml", "json"])
def test_a_file_that_is_too_large(cresset, tmp_path, start):
    file = tmp_path / "large.yaml"
    with file.open("wb") as stream:
        stream.write(start)
        stream.truncate((64 << 20) + 1)
    cresset.refuses("run", file, says=["large.yaml", "64 MiB"], timeout=20)


def sound():
    pipeline = Pipeline("sound")
    pipeline.task("echo", pipeline.echo(), {"text": "x"})
    return pipeline


@pytest.mark.parametrize(
    "name", ["../up", "a/b", "/abs", "UPPER", "", "sp ace", "-dash", ".", "..", "x" * 200, "nul\0"]
)
def test_names_of_pipelines(cresset, tmp_path, name):
    pipeline = sound()
    pipeline.name = name
    cresset.refuses("run", pipeline.write(tmp_path / "p.json"), says="p.json")
    assert not cresset.home.exists()


@pytest.mark.parametrize("name", ["../up", "a/b", "..", "nul\0", ""])
@pytest.mark.parametrize("where", ["task", "output", "artifact"])
def test_names_that_would_leave_their_folder(cresset, tmp_path, name, where):
    pipeline = sound()
    options = {
        "output": {"outputs": {name: "STRING"}},
        "artifact": {"made": {name: "system.Model"}},
    }
    step = pipeline.shell("step", "true", **options.get(where, {}))
    pipeline.task(name if where == "task" else "step", step)
    cresset.refuses("run", pipeline.write(tmp_path / "p.json"), says="p.json")
    assert not cresset.home.exists()


def test_a_mistake_shows_its_line_with_a_caret(cresset, tmp_path):
    file = sound().write(tmp_path / "p.yaml")
    lines = file.read_text().splitlines()
    number = next(n for n, line in enumerate(lines) if "componentRef" in line)
    lines[number + 1] = lines[number + 1].replace("comp-echo", "comp-eho")
    file.write_text("\n".join(lines) + "\n")
    outcome = cresset.refuses("validate", file, says=["comp-eho", '"comp-echo"'])
    column = lines[number + 1].index("comp-eho") + 1
    assert f"{file}:{number + 2}:{column}" in outcome.stderr
    shown = outcome.stderr.splitlines()
    at = next(n for n, line in enumerate(shown) if line.endswith(lines[number + 1].strip()))
    assert shown[at + 1].index("^") == shown[at].index("comp-eho")


def test_keys_that_occur_twice_hide_nothing_else(cresset, tmp_path):
    file = tmp_path / "p.json"
    file.write_text(
        '{"pipelineInfo": {"name": "p", "name": "q"}, "schemaVersion": "2.1.0",\n'
        '"root": {"dag": {"tasks": {"a": {"taskInfo": {"name": "a"},\n'
        '"componentRef": {"name": "comp-b"}, "taskInfo": {"name": "b"}}}}}}\n'
    )
    outcome = cresset.refuses("validate", file)
    errors = [line for line in outcome.stderr.splitlines() if ": error: " in line]
    places = [line.split(": ", 1)[0] for line in errors]
    assert places == [f"{file}:1:32", f"{file}:3:26", f"{file}:3:37"], outcome.stderr


def test_a_thousand_mistakes_are_told_in_bounded_length(cresset, tmp_path):
    pipeline = sound()
    for number in range(1000):
        pipeline.task(f"bad-{number}", "comp-absent")
    outcome = cresset.refuses("validate", pipeline.write(tmp_path / "p.yaml"))
    assert len(outcome.stderr) < 100_000


def test_values_that_would_be_dangerous_as_text(cresset, tmp_path):
    """Neither a message nor a tree lets a name move the cursor."""
    pipeline = sound()
    pipeline.task("\x1b[31mred", pipeline.echo(), {"text": "x"})
    file = tmp_path / "p.json"
    file.write_text(json.dumps(pipeline.documents()[0]))
    outcome = cresset("run", file, status=None)
    assert "\x1b" not in outcome.stdout + outcome.stderr
