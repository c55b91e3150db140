"""cresset_debug.py: a step in Python's debugger."""

import json
import subprocess
import sys
import textwrap

from steps import PROLOGUE, RUNTIME, Step

SOURCE = """
    def step(a: int, b: int = 2) -> float:
        c = a + 1
        return c / b
"""


def debug(tmp_path, typed, source=SOURCE, **parameters):
    step = Step(tmp_path, source, parameters=parameters, output_parameters=["Output"])
    (tmp_path / "source.py").write_text(PROLOGUE + textwrap.dedent(source))
    (tmp_path / "input.json").write_text(json.dumps(step.executor_input()))
    done = subprocess.run(
        [
            sys.executable,
            str(RUNTIME / "cresset_debug.py"),
            "--executor_input_file",
            str(tmp_path / "input.json"),
            "--function_to_execute",
            "step",
            "--component_module_path",
            str(tmp_path / "source.py"),
        ],
        input=typed,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=tmp_path,
    )
    return done.returncode, done.stdout


def test_stops_at_the_first_line_and_writes_what_the_function_returns(tmp_path):
    status, text = debug(tmp_path, "p a, b\nnext\np c\ncontinue\n", a=4)
    assert status == 0, text
    assert "-> c = a + 1" in text
    assert "(4, 2)" in text
    assert "(Pdb) 5" in text


def test_stands_where_an_exception_left_the_function(tmp_path):
    status, text = debug(tmp_path, "continue\np c, b\nquit\n", a=4, b=0)
    assert status == 1
    assert "ZeroDivisionError: division by zero" in text
    assert "(5, 0)" in text


def test_quit_ends_it(tmp_path):
    status, text = debug(tmp_path, "quit\n", a=4)
    assert status == 1
    assert "Traceback" not in text and "error" not in text


def test_what_is_not_the_functions_fault_opens_no_debugger(tmp_path):
    status, text = debug(tmp_path, "")
    assert status == 1
    assert "error: " in text and "'a'" in text
    assert "(Pdb)" not in text
