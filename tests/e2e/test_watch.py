"""`cresset run FILE --watch`: runs again on each save."""

import os
import signal
import textwrap
import threading

import pytest
from harness.cresset import eventually
from harness.pipelines import Pipeline


class Watch:
    """A `cresset run --watch` that goes on; what it has printed so far is `text()`."""

    def __init__(self, cresset, file, *arguments):
        self.process = cresset.start("run", file, "--watch", *arguments, stderr=-2)
        self.lines = []
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        for line in self.process.stdout:
            self.lines.append(line)

    def text(self):
        return "".join(self.lines)

    def is_watching(self, times):
        eventually(lambda: self.text().count("; Ctrl-C ends it") >= times, self.text, timeout=60)

    def end(self):
        os.kill(self.process.pid, signal.SIGINT)
        status = self.process.wait(timeout=30)
        self.thread.join()
        return status


def write_pipeline(path, script, *, slow="true"):
    pipeline = Pipeline("watched")
    pipeline.task("slow", pipeline.shell("slow", slow), cached=True)
    pipeline.task("say", pipeline.shell("say", script), after=["slow"], cached=True)
    return pipeline.write(path)


def states(cresset):
    return [run["state"] for run in reversed(cresset.runs())]


def test_each_save_is_a_run(cresset, tmp_path):
    file = write_pipeline(tmp_path / "p.yaml", "echo one")
    watch = Watch(cresset, file)
    watch.is_watching(1)
    assert states(cresset) == ["SUCCEEDED"]
    # As editors do: a new file is renamed over the old one.
    write_pipeline(tmp_path / "new", "echo two").rename(file)
    watch.is_watching(2)
    assert states(cresset) == ["SUCCEEDED"] * 2
    run = cresset.show("latest")
    assert run.task("slow").cached
    assert run.task("say").log == "two\n"
    write_pipeline(file, "echo three; exit 3")
    watch.is_watching(3)
    assert states(cresset)[-1] == "FAILED"
    file.write_text("nonsense: [")
    watch.is_watching(4)
    assert len(states(cresset)) == 3
    write_pipeline(file, "echo four")
    watch.is_watching(5)
    assert states(cresset)[-1] == "SUCCEEDED"
    assert watch.end() == -signal.SIGINT
    text = watch.text()
    assert text.count("saved: run ") == 3
    assert "exit status 3" in text
    assert "p.yaml:1" in text


def test_a_save_during_a_run_cancels_it(cresset, tmp_path):
    file = write_pipeline(tmp_path / "p.yaml", "echo one", slow="sleep 100")
    watch = Watch(cresset, file)
    eventually(lambda: "RUNNING" in states(cresset), "the run goes on")
    eventually(lambda: cresset.show("latest").task("slow").state == "RUNNING", "its step runs")
    write_pipeline(file, "echo one")
    watch.is_watching(1)
    assert states(cresset) == ["CANCELED", "SUCCEEDED"]
    assert "saved: this run is cancelled" in watch.text()
    assert watch.end() == -signal.SIGINT


def test_an_interrupt_during_a_run_cancels_it_and_ends_all(cresset, tmp_path):
    file = write_pipeline(tmp_path / "p.yaml", "echo one", slow="sleep 100")
    watch = Watch(cresset, file)
    eventually(lambda: "RUNNING" in states(cresset), "the run goes on")
    eventually(lambda: cresset.show("latest").task("slow").state == "RUNNING", "its step runs")
    assert watch.end() == 1
    assert states(cresset) == ["CANCELED"]


@pytest.mark.parametrize(
    "arguments, says",
    [(["--detach"], "--detach"), (["-o", "json"], "JSON"), ([], "No such file")],
)
def test_wrong_use(cresset, tmp_path, arguments, says):
    file = tmp_path / "p.yaml"
    if arguments:
        write_pipeline(file, "true")
    says = says if says != "JSON" else "-o json"
    cresset.refuses("run", file, "--watch", *arguments, says=says)
    cresset.refuses("run", "-", "--watch", says="--watch")


SOURCE = """
    from kfp import dsl
    from parts.values import VALUE

    @dsl.component(base_image="python:3.11")
    def add(a: int, b: int) -> int:
        return a + b

    @dsl.pipeline(name="sums")
    def sums() -> int:
        return add(a=VALUE, b=2).output
"""


def test_python_source_and_what_it_imports(cresset, tmp_path):
    pytest.importorskip("kfp", reason="the SDK is not installed in this Python")
    folder = tmp_path / "project"
    (folder / "parts").mkdir(parents=True)
    file = folder / "p.py"
    values = folder / "parts/values.py"
    file.write_text(textwrap.dedent(SOURCE))
    values.write_text("VALUE = 1\n")
    watch = Watch(cresset, file)
    watch.is_watching(1)
    assert "and 1 more file;" in watch.text()
    values.write_text("VALUE = 5\n")
    watch.is_watching(2)
    assert cresset.show("latest").parameters == {"Output": 7}
    assert "Output = 7" in watch.text()
    values.write_text("VALUE = (\n")
    watch.is_watching(3)
    assert "SyntaxError" in watch.text()
    # The name of what is missing is no file yet.
    file.write_text(textwrap.dedent(SOURCE).replace("parts.values", "other"))
    watch.is_watching(4)
    assert "No module named 'other'" in watch.text()
    (folder / "other.py").write_text("VALUE = 40\n")
    watch.is_watching(5)
    assert cresset.show("latest").parameters == {"Output": 42}
    assert states(cresset) == ["SUCCEEDED"] * 3
    assert watch.end() == -signal.SIGINT
