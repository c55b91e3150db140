"""Pipelines given as Python source: compiled by the user's kfp, then run or checked."""

import os
import signal
import subprocess
import sys
import textwrap

import pytest
from harness.cresset import eventually, one_object

pytest.importorskip("kfp", reason="the SDK is not installed in this Python")

SUMS = """
    import sys
    from kfp import dsl

    print("compiling", file=sys.stdout)

    @dsl.component
    def add(a: int, b: int) -> int:
        return a + b

    @dsl.pipeline(name="sums")
    def sums(a: int = 1) -> int:
        return add(a=a, b=2).output

    if __name__ == "__main__":
        raise RuntimeError("ran as a program")
"""


@pytest.fixture
def write(tmp_path):
    def write_file(name, source):
        path = tmp_path / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(source))
        return path

    return write_file


def test_run(cresset, write):
    file = write("sums.py", SUMS)
    outcome = cresset("run", file, "-p", "a=5", "-o", "json")
    view = one_object(outcome.stdout)
    assert view["outputs"]["parameters"] == {"Output": 7}
    assert view["name"] == "sums"
    assert outcome.stderr.startswith("compiling\n")
    again = cresset.run(file, parameters={"a": 5})
    assert again.task("add").cached
    assert cresset.view("rerun", "latest", "add").parameters == {"Output": 7}
    # Nothing of the user's folder is touched.
    assert [path.name for path in file.parent.iterdir()] == ["sums.py"]


def test_run_from_the_folder_itself_with_a_module_beside(cresset, write):
    write("steps/adding.py", SUMS.replace("raise", "pass  # raise"))
    file = write("main.py", "from steps.adding import sums\n")
    outcome = cresset("run", "main.py", "-o", "json", cwd=file.parent)
    assert one_object(outcome.stdout)["outputs"]["parameters"] == {"Output": 3}


def test_validate(cresset, write):
    file = write("sums.py", SUMS)
    view = one_object(cresset("validate", file, "-o", "json").stdout)
    assert view["name"] == "sums"
    assert view["parameters"]["a"]["default"] == 1
    assert not cresset.home.exists()


def test_function(cresset, write):
    file = write("two.py", SUMS + "\n    @dsl.pipeline\n    def other():\n        sums(a=1)\n")
    for verb in ("run", "validate"):
        cresset.refuses(verb, file, says=["--function", "sums, other"])
    assert "pipeline other" in cresset("validate", file, "--function", "other").stdout
    assert cresset.run(file, "--function", "sums").parameters == {"Output": 3}


def test_function_of_a_compiled_file_is_refused(cresset, write):
    file = write("p.yaml", "x: 1\n")
    cresset.refuses("run", file, "--function", "sums", says=["--function", "p.yaml"])


@pytest.mark.parametrize(
    "source, says",
    [
        ("x = 1\n", "@dsl.pipeline"),
        ("import no_such_module\n", ["Traceback", "p.py", "No module named 'no_such_module'"]),
        ("def p(:\n", ["SyntaxError", "p.py", "line 1"]),
        ("import os; os._exit(3)\n", "status 3"),
    ],
    ids=["none", "import", "syntax", "exit"],
)
def test_errors(cresset, write, source, says):
    file = write("p.py", source)
    outcome = cresset.refuses("run", file, says=says)
    assert "importlib" not in outcome.stderr
    assert not cresset.home.exists()


def test_what_kfp_accepts_and_cresset_does_not(cresset, write):
    file = write("p.py", SUMS.replace("add(a=a, b=2)", "add(a=a, b=2).set_cpu_limit('1')"))
    cresset("validate", file)
    file = write("p.py", SUMS + "\n    sums.pipeline_spec.root.dag.tasks['add'].dependent_tasks"
                 ".append('nobody')\n")  # fmt: skip
    cresset.refuses("run", file, says=["p.py (compiled):", "nobody"])


def test_without_kfp(cresset, write, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    python = tmp_path / "venv/bin/python"
    file = write("sums.py", SUMS)
    cresset.refuses("run", file, "--python", python, says=f"{python} -m pip install kfp")
    cresset.environment["CRESSET_PYTHON"] = str(python)
    cresset.refuses("validate", file, says=f"{python} -m pip install kfp")
    cresset.refuses("validate", file, "--python", "/no/such", says=["/no/such", "--python"])


def test_an_interrupt_ends_the_compilation(cresset, write, tmp_path):
    mark = tmp_path / "compiling"
    slow = f"import os, time\nopen({str(mark)!r}, 'w').write(str(os.getpid()))\ntime.sleep(100)\n"
    process = cresset.start("run", write("slow.py", slow))
    child = int(eventually(lambda: mark.exists() and mark.read_text(), "compiling"))
    os.kill(process.pid, signal.SIGINT)
    assert process.wait(timeout=20) == -signal.SIGINT

    def is_gone():
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            return True
        return False

    eventually(is_gone, "the process that compiled is gone")
    assert cresset.runs() == []
