"""cresset_compile.py: pipeline files and the real kfp."""

import json
import subprocess
import sys
import textwrap

import pytest
from steps import RUNTIME

kfp = pytest.importorskip("kfp", reason="the SDK is not installed in this Python")

GOOD = """
    from kfp import dsl

    @dsl.component
    def add(a: int, b: int) -> int:
        return a + b

    @dsl.pipeline(name="sums")
    def sums(a: int = 1) -> int:
        return add(a=a, b=2).output
"""
SECOND = """
    @dsl.pipeline(name="more")
    def more() -> int:
        return sums(a=7).output
"""


class Compiler:
    """One process of the helper, asked for one file after the other."""

    def __init__(self, folder, python=sys.executable):
        self.folder = folder
        self.errors = (folder / "stderr").open("w")
        self.process = subprocess.Popen(
            [python, "-c", (RUNTIME / "cresset_compile.py").read_text()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            cwd=RUNTIME,  # where Cresset's own part of kfp lies
        )

    def write(self, name, source):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(source))
        return path

    def ask(self, name, function=""):
        question = {"file": str(self.folder / name), "function": function}
        print(json.dumps(question), file=self.process.stdin, flush=True)
        answer = json.loads(self.process.stdout.readline())
        assert [name for name in answer if name != "ends"] == ["text", "error", "files"]
        return answer

    def close(self):
        self.process.communicate()
        self.errors.close()
        return self.process.returncode

    def said(self):
        return (self.folder / "stderr").read_text()


@pytest.fixture
def compiler(tmp_path):
    found = Compiler(tmp_path)
    yield found
    assert found.close() == 0


def test_a_file_gives_what_the_sdk_writes(compiler, tmp_path):
    path = compiler.write("sums.py", GOOD + '\n    print("seen", __name__, __file__)\n')
    answer = compiler.ask("sums.py")
    assert answer["error"] is None
    assert answer["files"] == [str(path)]
    assert compiler.said().endswith(f"seen sums {path}\n")
    code = "import kfp.compiler, sums; kfp.compiler.Compiler().compile(sums.sums, 'own.yaml')"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True)
    assert answer["text"] == (tmp_path / "own.yaml").read_text()


def test_main_does_not_run_and_arguments_are_the_file_alone(compiler):
    source = """
        import sys
        assert sys.argv == [__file__], sys.argv
        if __name__ == "__main__":
            raise RuntimeError("ran as a program")
    """
    compiler.write("p.py", textwrap.dedent(GOOD) + textwrap.dedent(source))
    assert compiler.ask("p.py")["text"]


def test_one_of_several_is_chosen_by_name(compiler):
    compiler.write("p.py", textwrap.dedent(GOOD) + textwrap.dedent(SECOND))
    undecided = compiler.ask("p.py")
    assert undecided["text"] is None
    assert "--function" in undecided["error"]
    assert undecided["error"].endswith(": sums, more")
    assert "name: more" in compiler.ask("p.py", "more")["text"]
    # A component alone is a pipeline of one step.
    assert "name: add" in compiler.ask("p.py", "add")["text"]
    wrong = compiler.ask("p.py", "lots")
    assert wrong["text"] is None
    assert "'lots'" in wrong["error"] and wrong["error"].endswith("sums, more")


def test_pipelines_that_are_imported_do_not_count(compiler):
    compiler.write("inner.py", GOOD)
    compiler.write(
        "p.py", "from inner import sums\nfrom kfp import dsl\n" + textwrap.dedent(SECOND)
    )
    answer = compiler.ask("p.py")
    assert "name: more" in answer["text"]
    assert [path.rpartition("/")[2] for path in answer["files"]] == ["inner.py", "p.py"]
    compiler.write("only.py", "from inner import sums\n")
    assert "name: sums" in compiler.ask("only.py")["text"]


def test_no_pipeline(compiler):
    compiler.write("p.py", "x = 1\n")
    assert "@dsl.pipeline" in compiler.ask("p.py")["error"]


def test_a_change_of_the_same_size_is_seen_at_once(compiler, tmp_path):
    compiler.write("p.py", "from steps.one import sums\n")
    for name in ("first", "other", "third"):
        compiler.write("steps/one.py", GOOD.replace("sums", name) + f"\n    sums = {name}\n")
        assert f"name: {name}" in compiler.ask("p.py")["text"]
    assert not list(tmp_path.rglob("__pycache__"))


@pytest.mark.parametrize(
    "source, last, frames",
    [
        ("def broken(:\n", "SyntaxError: invalid syntax", 1),
        ("import no_such_module\n", "No module named 'no_such_module'", 1),
        (
            GOOD + '\n    @dsl.pipeline\n    def wrong():\n        add(a="text", b=1)\n',
            "InconsistentTypeException",
            2,
        ),
    ],
    ids=["syntax", "import", "kfp"],
)
def test_errors_show_the_users_frames_alone(compiler, source, last, frames):
    path = compiler.write("p.py", source)
    answer = compiler.ask("p.py")
    assert (answer["text"], answer["error"]) == (None, None)
    assert answer["files"] == [str(path)]
    said = compiler.said()
    assert last in said.splitlines()[-1] or last in said, said
    assert said.count('  File "') == frames == said.count(f'  File "{path}"'), said


def test_an_error_in_an_imported_file_names_it(compiler):
    compiler.write("steps/__init__.py", "")
    broken = compiler.write("steps/one.py", "x = (\n")
    compiler.write("p.py", "from steps.one import x\n")
    answer = compiler.ask("p.py")
    assert answer["text"] is None
    assert str(broken) in answer["files"]
    assert f'File "{broken}", line 1' in compiler.said()


@pytest.mark.parametrize(
    "source, error",
    [
        ("import sys\nsys.exit('no data')\n", "p.py ended the interpreter: no data"),
        ("import os\nos._exit(9)\n", "Python ended by itself with status 9 while it compiled p.py"),
        (
            "import os\nos.kill(os.getpid(), 11)\n",
            "Python died of signal 11 while it compiled p.py",
        ),
    ],
    ids=["exit", "status", "signal"],
)
def test_the_end_of_the_interpreter_is_told(compiler, source, error):
    compiler.write("p.py", source)
    assert compiler.ask("p.py")["error"] == error
    compiler.write("p.py", GOOD)
    assert compiler.ask("p.py")["text"]


def test_the_client_of_kfp_comes_when_it_is_asked_for(compiler):
    source = """
        import kfp
        from kfp import Client
        from kfp.client import Client as same
        assert Client is same is kfp.Client, (Client, same)
        assert isinstance(Client, type)
    """
    compiler.write("p.py", textwrap.dedent(GOOD) + textwrap.dedent(source))
    assert compiler.ask("p.py")["text"], compiler.said()


def test_without_kfp_the_remedy_is_named_and_the_helper_ends(tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    python = str(tmp_path / "venv/bin/python")
    bare = Compiler(tmp_path, python)
    bare.write("p.py", GOOD)
    answer = bare.ask("p.py")
    assert f"`{python} -m pip install kfp`" in answer["error"]
    assert answer["ends"]
    assert bare.close() == 0
