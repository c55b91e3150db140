"""Checks the digits example without an engine: compiled file, training and the result's reader."""

import copy
import io
import json
import os
import pathlib
import sys
import time

import pipeline
import pytest
import show_result
import yaml
from kfp import compiler, dsl
from steps import data, evaluation, report, sweep, training

HERE = pathlib.Path(__file__).parent


def read_documents(path):
    # The comment at the head lists the defaults in no fixed order; the documents are what counts.
    return list(yaml.safe_load_all(path.read_text()))


def test_the_compiled_file_is_that_of_the_source(tmp_path):
    compiled = tmp_path / "pipeline.yaml"
    compiler.Compiler().compile(pipeline.digits, str(compiled))
    fresh = read_documents(compiled)
    assert read_documents(HERE / "pipeline.yaml") == fresh, "run: python pipeline.py"


def test_no_step_asks_for_packages():
    (spec,) = read_documents(HERE / "pipeline.yaml")
    for name, executor in spec["deploymentSpec"]["executors"].items():
        installs = [part for part in executor["container"]["command"] if "pip install" in part]
        assert all(part.count("pip install") == 1 and "kfp==" in part for part in installs), name


def test_pick_best_prefers_the_smaller_of_equal_networks():
    def trial(width, accuracy):
        return {"width": width, "learning_rate": 0.01, "dropout": 0.1, "accuracy": accuracy}

    best, ranking = sweep.pick_best.python_func([trial(16, 0.97), trial(4, 0.9), trial(8, 0.97)])
    assert best == {"width": 8, "learning_rate": 0.01, "dropout": 0.1}
    assert [entry["width"] for entry in ranking] == [8, 16, 4]


def test_each_rank_knows_its_place(tmp_path, capfd):
    script = tmp_path / "rank.py"
    script.write_text(
        "import os, sys\n"
        "print(sys.argv[1], *(os.environ[name] for name in ('RANK', 'WORLD_SIZE', 'MASTER_ADDR')))"
    )
    training.run_ranks(str(script), "hello", 3)
    lines = sorted(capfd.readouterr().out.splitlines())
    assert lines == [f"[rank {rank}] hello {rank} 3 127.0.0.1" for rank in range(3)]


def test_a_dead_rank_ends_the_others_and_shows_its_last_words(tmp_path):
    script = tmp_path / "rank.py"
    script.write_text(
        "import os, pathlib, sys, time\n"
        "if os.environ['RANK'] == '1':\n"
        "    sys.exit('the disk is full')\n"
        "pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))\n"
        "time.sleep(600)\n"
    )
    started = time.monotonic()
    with pytest.raises(RuntimeError, match="rank 1 ended with exit status 1.*\nthe disk is full"):
        training.run_ranks(str(script), str(tmp_path / "pid"), 2)
    assert time.monotonic() - started < 60
    if (tmp_path / "pid").exists():
        with pytest.raises(ProcessLookupError):
            os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_rank_killed_by_a_signal_is_named(tmp_path):
    script = tmp_path / "rank.py"
    script.write_text("import os\nos.kill(os.getpid(), 9)\n")
    with pytest.raises(RuntimeError, match="rank 0 ended with signal 9"):
        training.run_ranks(str(script), "", 1)


class Workshop:
    """Makes artifacts in a folder and runs the steps one by one."""

    def __init__(self, folder):
        self.folder = folder

    def artifact(self, kind, name):
        return kind(name=name, uri=str(self.folder / name), metadata={})

    def split(self):
        parts = [
            self.artifact(dsl.Dataset, name) for name in ("train_set", "validation_set", "test_set")
        ]
        data.load_and_split.python_func(7, *parts)
        return parts

    def train(self, parts, epochs, run):
        folder = self.folder / run
        folder.mkdir(exist_ok=True)
        outputs = [
            self.artifact(dsl.Model, f"{run}/weights"),
            self.artifact(dsl.Artifact, f"{run}/checkpoints"),
            self.artifact(dsl.Metrics, f"{run}/history"),
        ]
        setting = {"width": 8.0, "learning_rate": 0.01, "dropout": 0.1}
        training.train.python_func(parts[0], parts[1], setting, epochs, 2, 7, *outputs)
        return outputs


@pytest.fixture(scope="module")
def workshop(tmp_path_factory):
    return Workshop(tmp_path_factory.mktemp("digits"))


@pytest.fixture(scope="module")
def parts(workshop):
    return workshop.split()


@pytest.fixture(scope="module")
def trained(workshop, parts):
    return workshop.train(parts, epochs=4, run="whole")


def test_the_split_shares_no_image_and_loses_none(parts):
    numpy = pytest.importorskip("numpy")
    seen = []
    for part in parts:
        with numpy.load(part.path) as content:
            assert content["images"].shape == (part.metadata["images"], 1, 8, 8)
            assert content["images"].min() >= 0.0 and content["images"].max() <= 1.0
            assert sorted(set(content["labels"])) == list(range(10))
            seen.append(len(content["labels"]))
    assert sum(seen) == 1797


def test_a_trial_returns_its_setting_and_its_accuracy(parts):
    setting = {"width": 8.0, "learning_rate": 0.01, "dropout": 0.1}
    trial = sweep.try_setting.python_func(parts[0], parts[1], setting, epochs=2, seed=7)
    assert trial == {**setting, "accuracy": trial["accuracy"]}
    assert 0.7 < trial["accuracy"] <= 1.0


def test_training_leaves_a_checkpoint_and_metrics_per_epoch(trained):
    weights, checkpoints, history = trained
    names = sorted(path.name for path in pathlib.Path(checkpoints.path).iterdir())
    assert names == [f"epoch-{epoch:03}.pt" for epoch in range(1, 5)]
    epochs = json.loads(pathlib.Path(history.path).read_text())
    assert [entry["epoch"] for entry in epochs] == [1, 2, 3, 4]
    assert history.metadata["validation_accuracy"] == epochs[-1]["accuracy"] > 0.8
    assert weights.metadata["network"] == {"width": 8, "dropout": 0.1}


def test_an_interrupted_training_goes_on_to_the_same_weights(workshop, parts, trained, capfd):
    torch = pytest.importorskip("torch")
    whole = torch.load(trained[0].path, weights_only=True)
    folder = workshop.folder / "broken" / "checkpoints"
    folder.mkdir(parents=True)
    for epoch in (1, 2):
        name = f"epoch-{epoch:03}.pt"
        (folder / name).write_bytes(pathlib.Path(trained[1].path, name).read_bytes())

    weights, _, history = workshop.train(parts, epochs=4, run="broken")
    assert "going on after epoch-002.pt" in capfd.readouterr().out
    continued = torch.load(weights.path, weights_only=True)
    assert all(torch.equal(continued[name], whole[name]) for name in whole)
    assert history.metadata == trained[2].metadata


def test_evaluation_and_report_agree(workshop, parts, trained):
    metrics = workshop.artifact(dsl.Metrics, "metrics")
    classification = workshop.artifact(dsl.ClassificationMetrics, "classification")
    predictions = workshop.artifact(dsl.Dataset, "predictions")
    (accuracy,) = evaluation.evaluate.python_func(
        parts[2], trained[0], metrics, classification, predictions
    )
    assert accuracy == metrics.metadata["accuracy"] > 0.8
    rows = [row["row"] for row in classification.metadata["confusionMatrix"]["rows"]]
    hits = sum(rows[digit][digit] for digit in range(10))
    images = metrics.metadata["test_images"]
    assert sum(map(sum, rows)) == images == parts[2].metadata["images"]
    assert hits == images - metrics.metadata["mistakes"] == round(accuracy * images)
    json.dumps(classification.metadata, allow_nan=False)

    page = workshop.artifact(dsl.HTML, "report")
    summary = workshop.artifact(dsl.Markdown, "summary")
    ranking = [{"width": 8, "learning_rate": 0.01, "dropout": 0.1, "accuracy": 0.9}]
    report.write_report.python_func(
        ranking, trained[2], metrics, classification, predictions, page, summary
    )
    text = pathlib.Path(page.path).read_text()
    assert f"{accuracy:.2%}" in text and f"{accuracy:.2%}" in pathlib.Path(summary.path).read_text()
    assert text.count(" taken for a ") == min(metrics.metadata["mistakes"], 24)
    # Self-contained: nothing is loaded from elsewhere.
    assert "http" not in text and "src=" not in text and "@import" not in text


RESULT = json.loads((HERE / "testdata" / "show.json").read_text())


def show(monkeypatch, run):
    monkeypatch.setattr(sys, "argv", ["show_result.py"])
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(run)))
    show_result.main()


def test_the_result_names_report_model_and_scores(monkeypatch, capsys):
    show(monkeypatch, RESULT)
    shown = capsys.readouterr().out
    assert "/srv/ada/cresset/report of today/report\n" in shown
    assert "program.pt2: torch.export program" in shown
    assert "accuracy     0.986111" in shown
    assert "2 steps in 61 s, 1 cached" in shown
    assert shown.count("cresset ") >= 3


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"state": "FAILED", "error": {"message": "train failed", "log_tail": ""}}, "train failed"),
        ({"state": "CANCELED", "error": None}, "ended as CANCELED"),
    ],
)
def test_a_run_that_did_not_succeed_is_an_error(monkeypatch, capsys, change, complaint):
    with pytest.raises(SystemExit) as end:
        show(monkeypatch, {**RESULT, **change})
    assert end.value.code == 1
    assert complaint in capsys.readouterr().err


def test_a_weak_model_is_an_error_and_says_that_it_was_not_exported(monkeypatch, capsys):
    run = copy.deepcopy(RESULT)
    run["outputs"]["parameters"]["accuracy"] = 0.91
    run["tasks"] = [task for task in run["tasks"] if task["name"] != "export"]
    with pytest.raises(SystemExit) as end:
        show(monkeypatch, run)
    captured = capsys.readouterr()
    assert end.value.code == 1
    assert "accuracy of 0.9100; the demo asks for 0.95" in captured.err
    assert "not exported" in captured.out
