"""The same source under the SDK's own runtime: both must tell the engine the same.

Where the SDK's runtime fails and ours does what is meant (an Optional return type,
SlicedClassificationMetrics, text in annotations), the other tests say so. Our URIs of local files
begin with file://.
"""

import shutil
from dataclasses import dataclass, field
from typing import Any

import pytest
from steps import Step, artifact


@dataclass
class Case:
    source: str
    parameters: dict[str, Any] = field(default_factory=dict)
    artifacts: dict[str, list] = field(default_factory=dict)
    outputs: list[str] = field(default_factory=list)
    made: dict[str, str] = field(default_factory=dict)
    fails: bool = False


STATUS = {"state": "SUCCEEDED", "pipelineJobResourceName": "j", "pipelineTaskName": "t"}
FAILED = {**STATUS, "state": "FAILED", "error": {"code": 2, "message": "m"}}

CASES = {
    "nothing": Case("def step():\n    pass\n"),
    "every parameter type": Case(
        """
        def step(a: str, b: int, c: float, d: bool, e: list, f: dict, g: List[int]) -> dict:
            return {"a": a, "b": b, "c": c, "d": d, "e": e, "f": f, "g": g}
        """,
        {"a": "x", "b": 1, "c": 0.5, "d": False, "e": [1, "y"], "f": {"k": [None]}, "g": [3]},
        outputs=["Output"],
    ),
    "text": Case("def step() -> str:\n    return 'é\\n'\n", outputs=["Output"]),
    "int for float": Case("def step() -> float:\n    return 3\n", outputs=["Output"]),
    "default": Case(
        "def step(a: int = 4, b: str = 'x', c: Optional[list] = None) -> str:\n"
        "    return f'{a}{b}{c}'\n",
        {"b": None},
        outputs=["Output"],
    ),
    "named tuple": Case(
        """
        def step() -> NamedTuple("O", [("a", int), ("b", list)]):
            return (1, ["x"])
        """,
        outputs=["a", "b"],
    ),
    "named tuple class": Case(
        """
        class O(NamedTuple):
            a: int
            b: str

        def step() -> O:
            return O(b="y", a=2)
        """,
        outputs=["a", "b"],
    ),
    "named tuple in another order": Case(
        """
        def step() -> NamedTuple("O", a=int, b=str):
            from collections import namedtuple
            return namedtuple("P", ["b", "a"])("y", 2)
        """,
        outputs=["a", "b"],
    ),
    "artifact out": Case(
        """
        def step(a: Output[Dataset], b: Output[Model]):
            open(a.path, "w").write("data")
            a.metadata["rows"] = 3
            b.framework = "torch"
        """,
        made={"a": "system.Dataset", "b": "system.Model"},
    ),
    "artifacts in": Case(
        """
        def step(a: Input[Dataset], b: Input[List[Model]], c: InputPath("Dataset"),
                 d: List[Dataset]) -> list:
            return [a.uri, a.name, a.metadata, type(a).__name__, [x.path for x in b], c, len(d)]
        """,
        artifacts={
            "a": [artifact("s3://b/k", "system.Dataset", rows=2)],
            "b": [artifact("gs://b/1", "system.Model"), artifact("oci://h/i", "system.Model")],
            "c": [artifact("/in/c", "system.Dataset")],
            "d": [artifact("/in/d", "system.Dataset")],
        },
        outputs=["Output"],
    ),
    "paths out": Case(
        """
        def step(a: OutputPath(int), b: OutputPath("Model")):
            open(a, "w").write("1")
            open(b, "w").write("m")
        """,
        outputs=["a"],
        made={"b": "system.Model"},
    ),
    "pythonic artifacts": Case(
        """
        def step(a: Dataset) -> Model:
            return Model(name="mine", uri=dsl.get_uri("x"), metadata={"of": a.uri})
        """,
        artifacts={"a": [artifact("s3://b/k", "system.Dataset")]},
        made={"Output": "system.Model"},
    ),
    "payload returned": Case(
        "def step() -> Dataset:\n    return 'text'\n", made={"Output": "system.Dataset"}
    ),
    "metrics": Case(
        """
        def step(m: Output[Metrics], h: Output[HTML], d: Output[Markdown]):
            m.log_metric("loss", 0.25)
            open(h.path, "w").write("<p>")
            open(d.path, "w").write("#")
        """,
        made={"m": "system.Metrics", "h": "system.HTML", "d": "system.Markdown"},
    ),
    "classification metrics": Case(
        """
        def step(m: Output[ClassificationMetrics]):
            m.log_roc_curve([0.0, 1.0], [0.5, 1.0], [1.0, 0.0])
            m.log_confusion_matrix(["a", "b"], [[1, 2], [3, 4]])
            m.log_confusion_matrix_cell("a", "b", 9)
        """,
        made={"m": "system.ClassificationMetrics"},
    ),
    "custom path": Case(
        """
        def step(m: Output[Model]):
            m.custom_path = "/elsewhere/m"
        """,
        made={"m": "system.Model"},
    ),
    "set path": Case(
        "def step(m: Output[Model]):\n    m.path = '/gcs/b/m'\n", made={"m": "system.Model"}
    ),
    "final status": Case(
        """
        def step(a: PipelineTaskFinalStatus, b: PipelineTaskFinalStatus, c: dict) -> list:
            return [[x.state, x.pipeline_job_resource_name, x.pipeline_task_name, x.error_code,
                     x.error_message] for x in (a, b)] + [c]
        """,
        {"a": STATUS, "b": FAILED, "c": FAILED},
        outputs=["Output"],
    ),
    "task config": Case(
        "def step(c: dsl.TaskConfig) -> list:\n    return [c.env, c.resources, c.affinity]\n",
        {"c": {"env": [{"name": "A", "value": "b"}], "resources": {"limits": {"cpu": "1"}}}},
        outputs=["Output"],
    ),
    "wrong type": Case("def step() -> int:\n    return 'x'\n", outputs=["Output"], fails=True),
    "wrong size": Case(
        "def step() -> NamedTuple('O', a=int, b=int):\n    return (1,)\n",
        outputs=["a", "b"],
        fails=True,
    ),
    "undeclared return": Case("def step():\n    return 1\n", fails=True),
    "exception": Case("def step():\n    raise KeyError('x')\n", fails=True),
    "missing argument": Case("def step(a: int):\n    pass\n", fails=True),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_both_runtimes_tell_the_same(tmp_path, case):
    root = tmp_path / "step"

    def make() -> Step:
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir()
        return Step(
            root,
            case.source,
            parameters=case.parameters,
            artifacts=case.artifacts,
            output_parameters=case.outputs,
            output_artifacts=case.made,
            scheme="",
        )

    theirs = make().run_under_sdk()
    their_files = files_in(root)
    ours = make().run()
    assert (theirs.status != 0) == case.fails, theirs.log
    assert (ours.status != 0) == case.fails, ours.log
    assert plain(ours.output) == theirs.output
    assert files_in(root) == their_files


def plain(output: Any) -> Any:
    """Without the scheme of local files."""
    for entry in (output or {}).get("artifacts", {}).values():
        for one in entry["artifacts"]:
            one["uri"] = one["uri"].removeprefix("file://")
    return output


def files_in(root) -> dict[str, str]:
    return {
        str(path.relative_to(root)): path.read_text()
        for folder in ("artifacts", "outputs")
        for path in sorted((root / folder).rglob("*"))
        if path.is_file()
    }
