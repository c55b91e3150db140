"""Artifacts in and out: every class and form, metrics, paths."""

import pytest
from steps import artifact

CLASSES = [
    "Artifact",
    "Model",
    "Dataset",
    "Metrics",
    "ClassificationMetrics",
    "SlicedClassificationMetrics",
    "HTML",
    "Markdown",
]


@pytest.mark.parametrize("name", CLASSES)
def test_every_class_in_and_out(run, tmp_path, name):
    (tmp_path / "in").write_text("payload")
    ended = run(
        f"""
        def step(given: Input[{name}], made: Output[{name}]):
            assert type(given) is type(made) is {name}, (given, made)
            assert given.metadata == {{"rows": 3.0}}, given.metadata
            made.metadata["name of input"] = given.name
            open(made.path, "w").write(open(given.path).read() + "!")
        """,
        artifacts={"given": [artifact(f"file://{tmp_path}/in", "system." + name, rows=3)]},
        output_artifacts={"made": "system." + name},
    )
    assert ended.artifact("made") == {
        "name": "made",
        "uri": f"file://{tmp_path}/artifacts/made",
        "metadata": {"name of input": "given"},
    }
    assert (tmp_path / "artifacts/made").read_text() == "payload!"


def test_the_class_of_the_artifact_counts_where_any_is_declared(run, tmp_path):
    run(
        """
        def step(given: Input[Artifact], path: InputPath("Artifact")):
            assert type(given) is Model, given
            assert given.framework == "torch"
            assert path.endswith("/in")
        """,
        artifacts={
            "given": [artifact(f"file://{tmp_path}/in", "system.Model", framework="torch")],
            "path": [artifact(f"file://{tmp_path}/in", "system.Model")],
        },
    )


def test_a_models_framework_is_metadata(run):
    ended = run(
        """
        def step(model: Output[Model]):
            assert model.framework == ""
            model.framework = "torch"
        """,
        output_artifacts={"model": "system.Model"},
    )
    assert ended.artifact("model")["metadata"] == {"framework": "torch"}


@pytest.mark.parametrize("form", ["Input[List[Dataset]]", "List[Dataset]", "Input[list[Dataset]]"])
def test_lists_of_artifacts(run, form):
    ended = run(
        f"""
        def step(parts: {form}) -> list:
            assert all(type(part) is Dataset for part in parts)
            return [part.path for part in parts]
        """,
        artifacts={"parts": [artifact(f"file:///data/{i}", "system.Dataset") for i in range(3)]},
        output_parameters=["Output"],
    )
    assert ended.values["Output"] == ["/data/0", "/data/1", "/data/2"]


def test_an_empty_list_of_artifacts_is_a_list(run):
    ended = run(
        "def step(parts: Input[List[Model]]) -> int:\n    return len(parts)\n",
        artifacts={"parts": []},
        output_parameters=["Output"],
    )
    assert ended.values["Output"] == 0


def test_an_optional_artifact_that_is_absent_is_none(run):
    run(
        """
        def step(a: Optional[Input[Model]] = None, b: Input[Dataset] = None):
            assert a is None and b is None
        """
    )


@pytest.mark.parametrize("form", ["InputPath(Dataset)", "InputPath('Dataset')", "InputPath()"])
def test_paths_of_artifacts(run, tmp_path, form):
    (tmp_path / "in").write_text("text")
    ended = run(
        f"""
        def step(given: {form}, made: OutputPath(Model)):
            open(made, "w").write(open(given).read().upper())
        """,
        artifacts={"given": [artifact(f"file://{tmp_path}/in", "system.Dataset")]},
        output_artifacts={"made": "system.Model"},
    )
    assert (tmp_path / "artifacts/made").read_text() == "TEXT"
    assert ended.artifact("made")["uri"] == f"file://{tmp_path}/artifacts/made"


def test_pythonic_artifacts(run, tmp_path):
    ended = run(
        """
        def step(given: Dataset) -> Model:
            return Model(uri=dsl.get_uri("weights"), metadata={"from": given.uri, "framework": "x"})
        """,
        artifacts={"given": [artifact("s3://bucket/data", "system.Dataset")]},
        output_artifacts={"Output": "system.Model"},
    )
    assert ended.artifact("Output") == {
        "name": "Output",
        "uri": f"file://{tmp_path}/weights",
        "metadata": {"from": "s3://bucket/data", "framework": "x"},
    }


@pytest.mark.parametrize("value, written", [("'text'", "text"), ("[1, 2]", "[1, 2]"), ("3", "3")])
def test_a_value_returned_for_an_artifact_is_its_payload(run, tmp_path, value, written):
    run(
        f"def step() -> Artifact:\n    return {value}\n",
        output_artifacts={"Output": "system.Artifact"},
    )
    assert (tmp_path / "artifacts/Output").read_text() == written


def test_paths_of_every_kind_of_uri(run):
    ended = run(
        """
        def step(a: Input[List[Artifact]], model: Input[Model]) -> list:
            return [one.path for one in a] + [model.path]
        """,
        artifacts={
            "a": [
                artifact(uri)
                for uri in (
                    "file:///a%20b/c d",
                    "gs://b/k",
                    "s3://b/k",
                    "minio://b/k",
                    "oci://host/image:1",
                    "/plain",
                    "hf://org/model",
                )
            ],
            "model": [artifact("oci://host/image:1", "system.Model")],
        },
        output_parameters=["Output"],
    )
    assert ended.values["Output"] == [
        "/a%20b/c d",
        "/gcs/b/k",
        "/s3/b/k",
        "/minio/b/k",
        "/oci/host_image:1",
        "/plain",
        "hf://org/model",
        "/oci/host_image:1/models",
    ]


def test_a_path_that_is_set_becomes_the_uri(run):
    ended = run(
        """
        def step(a: Output[Artifact], b: Output[Artifact]):
            a.path = "/data/x y"
            b.path = "/gcs/bucket/key"
            assert a.path == "/data/x y" and b.path == "/gcs/bucket/key"
        """,
        output_artifacts={"a": "system.Artifact", "b": "system.Artifact"},
    )
    assert ended.artifact("a")["uri"] == "file:///data/x y"
    assert ended.artifact("b")["uri"] == "gs://bucket/key"


def test_a_custom_path_is_told(run, tmp_path):
    ended = run(
        f"""
        def step(a: Output[Artifact], b: Output[Artifact]):
            a.custom_path = {str(tmp_path / "a")!r}
            b.set_path({str(tmp_path / "b")!r})
            for one in (a, b):
                open(one.path, "w").write("x")
        """,
        output_artifacts={"a": "system.Artifact", "b": "system.Artifact"},
    )
    assert ended.artifact("a")["custom_path"] == str(tmp_path / "a")
    assert ended.artifact("b")["custom_path"] == str(tmp_path / "b")
    assert ended.artifact("b")["uri"] == f"file://{tmp_path}/artifacts/b"


def test_an_artifact_in_the_workspace(run):
    ended = run(
        "def step(a: Input[Artifact]) -> str:\n    return a.path\n",
        artifacts={"a": [artifact("s3://bucket/key", _kfp_workspace=True)]},
        output_parameters=["Output"],
        env={"CRESSET_WORKSPACE": "/runs/1/workspace"},
    )
    assert ended.values["Output"] == "/runs/1/workspace/.artifacts/s3/bucket/key"


def test_metrics(run):
    ended = run(
        """
        def step(metrics: Output[Metrics]):
            metrics.log_metric("accuracy", 0.5)
            metrics.log_metric("epochs", 3)
            metrics.metadata["note"] = "by hand"
        """,
        output_artifacts={"metrics": "system.Metrics"},
    )
    assert ended.artifact("metrics")["metadata"] == {
        "accuracy": 0.5,
        "epochs": 3,
        "note": "by hand",
    }


def test_metrics_of_numpy_and_nan(run):
    ended = run(
        """
        def step(metrics: Output[Metrics]):
            import numpy
            metrics.log_metric("loss", numpy.float32(0.5))
            metrics.log_metric("broken", float("nan"))
        """,
        output_artifacts={"metrics": "system.Metrics"},
    )
    assert ended.artifact("metrics")["metadata"] == {"loss": 0.5, "broken": "NaN"}


def test_classification_metrics(run):
    ended = run(
        """
        def step(whole: Output[ClassificationMetrics], parts: Output[ClassificationMetrics]):
            whole.log_roc_curve([0.0, 0.5], [0.1, 1.0], [1.0, 0.2])
            whole.log_confusion_matrix(["cat", "dog"], [[5, 1], [2, 7]])
            parts.log_roc_data_point(fpr=0.1, tpr=0.9, threshold=0.5)
            parts.set_confusion_matrix_categories(["cat", "dog"])
            parts.log_confusion_matrix_row("dog", [3, 4])
            parts.log_confusion_matrix_cell("cat", "dog", 9)
        """,
        output_artifacts={n: "system.ClassificationMetrics" for n in ("whole", "parts")},
    )
    specs = [{"displayName": "cat"}, {"displayName": "dog"}]
    assert ended.artifact("whole")["metadata"] == {
        "confidenceMetrics": [
            {"confidenceThreshold": 1.0, "recall": 0.1, "falsePositiveRate": 0.0},
            {"confidenceThreshold": 0.2, "recall": 1.0, "falsePositiveRate": 0.5},
        ],
        "confusionMatrix": {
            "annotationSpecs": specs,
            "rows": [{"row": [5, 1]}, {"row": [2, 7]}],
        },
    }
    assert ended.artifact("parts")["metadata"] == {
        "confidenceMetrics": [
            {"confidenceThreshold": 0.5, "recall": 0.9, "falsePositiveRate": 0.1}
        ],
        "confusionMatrix": {
            "annotationSpecs": specs,
            "rows": [{"row": [0, 9]}, {"row": [3, 4]}],
        },
    }


@pytest.mark.parametrize(
    "call, message",
    [
        ("log_roc_curve([1], [1, 2], [1])", "must be equally long"),
        ("log_confusion_matrix(['a'], [[1, 2]])", "1 categories need a matrix of 1 rows"),
        ("log_confusion_matrix_row('a', [1])", "call set_confusion_matrix_categories() first"),
    ],
)
def test_classification_metrics_refuse_what_does_not_fit(make, call, message):
    source = f"def step(m: Output[ClassificationMetrics]):\n    m.{call}\n"
    ended = make(source, output_artifacts={"m": "system.ClassificationMetrics"}).run()
    assert ended.status == 1
    assert message in ended.log


# The SDK's own class fails in each of these: what it keeps its slices in is never made.
def test_sliced_classification_metrics(run):
    ended = run(
        """
        def step(m: Output[SlicedClassificationMetrics]):
            m.log_roc_reading("young", 0.5, tpr=0.9, fpr=0.1)
            m.load_roc_readings("young", [[0.4, 0.8, 0.2], [0.3, 0.7, 0.3]])
            m.set_confusion_matrix_categories("old", ["a", "b"])
            m.log_confusion_matrix_row("old", "a", [1, 2])
            m.log_confusion_matrix_cell("old", "b", "a", 3)
            m.load_confusion_matrix("young", ["a"], [[4]])
        """,
        output_artifacts={"m": "system.SlicedClassificationMetrics"},
    )

    def point(threshold, tpr, fpr):
        return {"confidenceThreshold": threshold, "recall": tpr, "falsePositiveRate": fpr}

    def matrix(names, *rows):
        return {
            "annotationSpecs": [{"displayName": name} for name in names],
            "rows": [{"row": row} for row in rows],
        }

    assert ended.artifact("m")["metadata"] == {
        "evaluationSlices": [
            {
                "slice": "young",
                "sliceClassificationMetrics": {
                    "confidenceMetrics": [
                        point(0.5, 0.9, 0.1),
                        point(0.4, 0.8, 0.2),
                        point(0.3, 0.7, 0.3),
                    ],
                    "confusionMatrix": matrix("a", [4]),
                },
            },
            {
                "slice": "old",
                "sliceClassificationMetrics": {"confusionMatrix": matrix("ab", [1, 2], [3, 0])},
            },
        ]
    }


def test_an_embedded_input(run, tmp_path):
    asset = tmp_path / "asset"
    asset.mkdir()
    (asset / "words").write_text("inside")
    ended = run(
        f"""
        __KFP_EMBEDDED_ASSET_DIR = {str(asset)!r}

        def step(data: dsl.EmbeddedInput[Dataset]) -> str:
            import os
            assert type(data) is Dataset
            return open(os.path.join(data.path, "words")).read()
        """,
        output_parameters=["Output"],
    )
    assert ended.values["Output"] == "inside"


def test_only_the_chief_of_a_mirrored_training_writes(make):
    source = "def step() -> int:\n    return 1\n"
    for task, writes in (
        ({"type": "worker", "index": 1}, False),
        ({"type": "chief", "index": 0}, True),
        ({"type": "worker", "index": 0}, True),
    ):
        spec = {"cluster": {"worker": ["a", "b"]}, "task": task}
        step = make(
            source, output_parameters=["Output"], env={"CLUSTER_SPEC": str(spec).replace("'", '"')}
        )
        step.path("output_metadata.json").unlink(missing_ok=True)
        ended = step.run()
        assert ended.status == 0, ended.log
        assert (ended.output is not None) == writes, task
