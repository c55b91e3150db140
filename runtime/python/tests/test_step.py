"""The step as a program: logs, tracebacks, child processes, the real kfp behind ours, start-up."""

import pathlib
import subprocess
import sys

import pytest
from steps import RUNTIME


def test_a_traceback_shows_the_components_lines_and_nothing_of_the_runtime(make):
    ended = make(
        """
        def helper(value):
            return 1 / value  # the culprit

        def step():
            helper(0)
        """
    ).run()
    assert ended.status == 1
    assert "return 1 / value  # the culprit" in ended.log
    assert "helper(0)" in ended.log
    assert "ZeroDivisionError: division by zero" in ended.log
    assert str(RUNTIME) not in ended.log
    assert ended.output is None


def test_causes_are_shown(make):
    ended = make(
        """
        def step():
            try:
                {}["lost"]
            except KeyError as error:
                raise ValueError("no setting") from error
        """
    ).run()
    assert ended.status == 1
    assert "KeyError: 'lost'" in ended.log
    assert "direct cause" in ended.log
    assert ended.log.rstrip().endswith("ValueError: no setting")


def test_a_syntax_error_shows_its_line(make):
    ended = make("def step():\n    return 1 +\n").run()
    assert ended.status == 1
    assert "return 1 +" in ended.log
    assert "SyntaxError" in ended.log


def test_the_status_of_an_exit_is_kept(make):
    assert make("def step():\n    import sys\n    sys.exit(7)\n").run().status == 7


def test_a_function_that_is_not_there(make):
    ended = make("def other():\n    pass\n").run()
    assert ended.status == 1
    assert "defines no function 'step'" in ended.log


@pytest.mark.parametrize("text", ["", "{", "[]", '{"outputs": {}}'])
def test_an_executor_input_that_is_none(make, text):
    step = make("def step():\n    pass\n")
    step.run()
    path = step.path("executor_input.json")
    path.write_text(text)
    command = [sys.executable, str(RUNTIME / "cresset_step.py"), "--executor_input_file", str(path)]
    command += ["--function_to_execute", "step"]
    command += ["--component_module_path", str(step.path("src/0123abcd.py"))]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 1
    assert "executor input" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_logging_reaches_the_log(run):
    ended = run(
        """
        def step():
            import logging
            logging.info("hello %d", 7)
            logging.getLogger("x").debug("too much")
        """
    )
    assert "INFO] hello 7" in ended.log
    assert "too much" not in ended.log


@pytest.mark.parametrize("method", ["spawn", "fork", "forkserver"])
def test_multiprocessing(run, method):
    ended = run(
        f"""
        def square(value):
            return value * value

        def step() -> list:
            import multiprocessing
            context = multiprocessing.get_context("{method}")
            with context.Pool(2) as pool:
                return pool.map(square, [1, 2, 3])
        """,
        output_parameters=["Output"],
    )
    assert ended.values["Output"] == [1, 4, 9]


def test_the_source_sees_no_arguments_of_the_step(run):
    ended = run(
        """
        def step() -> list:
            import sys
            return [len(sys.argv), __file__ == sys.argv[0]]
        """,
        output_parameters=["Output"],
    )
    assert ended.values["Output"] == [1, True]


def test_helpers_beside_the_function_and_globals(run):
    ended = run(
        """
        SCALE = 3
        class Box:
            def __init__(self, value): self.value = value
        def step(a: int) -> int:
            return Box(a * SCALE).value
        """,
        parameters={"a": 2},
        output_parameters=["Output"],
    )
    assert ended.values["Output"] == 6


def test_placeholder_constants_are_those_of_the_sdk(run):
    names = """
    PIPELINE_JOB_NAME_PLACEHOLDER PIPELINE_JOB_RESOURCE_NAME_PLACEHOLDER PIPELINE_JOB_ID_PLACEHOLDER
    PIPELINE_TASK_NAME_PLACEHOLDER PIPELINE_TASK_ID_PLACEHOLDER PIPELINE_ROOT_PLACEHOLDER
    PIPELINE_TASK_EXECUTOR_OUTPUT_PATH_PLACEHOLDER PIPELINE_TASK_EXECUTOR_INPUT_PLACEHOLDER
    PIPELINE_JOB_CREATE_TIME_UTC_PLACEHOLDER PIPELINE_JOB_SCHEDULE_TIME_UTC_PLACEHOLDER
    WORKSPACE_PATH_PLACEHOLDER
    """.split()
    ended = run(
        f"def step() -> list:\n    return [getattr(dsl, name) for name in {names}]\n",
        output_parameters=["Output"],
    )
    code = f"from kfp import dsl; print([getattr(dsl, name) for name in {names}])"
    theirs = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert ended.values["Output"] == eval(theirs.stdout)


def test_all_that_the_star_brings_of_the_sdk_is_there(run):
    code = "import os; os.environ['_KFP_RUNTIME'] = 'true'\nfrom kfp import dsl; print(dsl.__all__)"
    theirs = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    names = eval(theirs.stdout)
    assert len(names) > 20
    run(
        f"""
        mine = dict(globals())
        def step():
            import sys
            assert [name for name in {names} if name not in mine] == []
            assert kfp.__file__.startswith({str(RUNTIME)!r}), kfp.__file__
        """
    )


@pytest.mark.parametrize(
    "module",
    """
    kfp.dsl.constants kfp.dsl.notebook_helpers kfp.dsl.task_config kfp.dsl.task_final_status
    kfp.dsl.types.artifact_types kfp.dsl.types.type_annotations kfp.dsl.types.type_utils
    kfp.dsl.executor kfp.dsl.executor_main kfp.dsl.kfp_config kfp.dsl.utils
    """.split(),
)
def test_modules_of_the_runtime_need_nothing_of_the_sdk(run, module):
    run(
        f"""
        def step():
            import importlib
            assert importlib.import_module("{module}").__file__.startswith({str(RUNTIME)!r})
            import kfp
            assert kfp.__file__.startswith({str(RUNTIME)!r})
        """
    )


def test_a_name_that_we_lack_comes_from_the_real_kfp(run):
    ended = run(
        """
        def step(made: Output[Model]) -> str:
            from kfp import compiler
            @dsl.component(base_image="python:3.11")
            def inner(a: int) -> int:
                return a

            @dsl.pipeline(name="made-in-a-step")
            def nested(a: int):
                with dsl.ParallelFor([1, 2]) as item:
                    inner(a=item)

            compiler.Compiler().compile(nested, made.path + ".yaml")
            assert isinstance(made, kfp.dsl.Artifact)
            return open(made.path + ".yaml").read()
        """,
        output_parameters=["Output"],
        output_artifacts={"made": "system.Model"},
    )
    assert "made-in-a-step" in ended.values["Output"]


def test_without_a_real_kfp_a_missing_name_says_what_to_do(make, tmp_path):
    # -S: no site-packages, so only the runtime's kfp is there.
    step = make("def step():\n    from kfp import Client\n")
    ended = step.run("-S")
    assert ended.status == 1
    assert "has no kfp.Client" in ended.log
    assert "packages_to_install" in ended.log


def test_a_satisfied_pip_install_is_nothing(run):
    run(
        """
        def step():
            import subprocess, sys
            install = [sys.executable, "-m", "pip", "install", "--quiet"]
            subprocess.run([*install, "kfp==2.17.0", "--no-deps"], check=True)
            subprocess.run([*install, "numpy", "typing-extensions>=3.7.4,<5; python_version<'3.9'"],
                           check=True)
            assert "pip" not in sys.modules
        """,
        env={"PIP_NO_INDEX": "1"},
    )


def test_a_pip_install_of_what_is_missing_fails_with_advice(run):
    ended = run(
        """
        def step() -> str:
            import subprocess, sys
            command = [sys.executable, "-m", "pip", "install", "no-such-package-of-anyone"]
            ended = subprocess.run(command, capture_output=True, text=True)
            assert ended.returncode != 0
            return ended.stderr
        """,
        output_parameters=["Output"],
        env={"PIP_NO_INDEX": "1"},
    )
    assert "add it to the component's packages_to_install" in ended.values["Output"]


def test_other_uses_of_pip_reach_the_real_one(run):
    run(
        """
        def step():
            import subprocess, sys
            command = [sys.executable, "-m", "pip", "--version"]
            said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            assert said.startswith("pip ") and "runtime" not in said.split(" from ")[1], said
            import pip
            assert pip.__version__ in said
        """
    )


def test_a_containerised_components_module(make, tmp_path):
    """Its module still has its decorators; kfp_config.ini names it."""
    step = make("", parameters={"a": 2}, output_parameters=["Output"])
    step.run()
    (tmp_path / "work/my_component.py").write_text(
        "from kfp import dsl\n\n"
        "@dsl.component(base_image='x', target_image='y')\n"
        "def step(a: int) -> int:\n    return a + 1\n"
    )
    (tmp_path / "work/kfp_config.ini").write_text("[Components]\nstep = my_component.py\n")
    command = [sys.executable, "-m", "kfp.dsl.executor_main", "--function_to_execute", "step"]
    command += ["--executor_input", step.path("executor_input.json").read_text()]
    ended = step._start(command, {"PYTHONPATH": str(RUNTIME), "_KFP_RUNTIME": "true"})
    assert ended.status == 0, ended.log
    assert ended.values == {"Output": 3}


def test_start_up_imports_almost_nothing(make):
    """What each step pays. The SDK's runtime imports about 250 modules for the same."""
    step = make("def step(a: int) -> int:\n    return a\n", parameters={"a": 1})
    step.output_parameters = ["Output"]
    ended = step.run("-X", "importtime")
    assert ended.status == 0, ended.log
    bare = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", ""], capture_output=True, text=True, check=True
    )

    def names(log: str) -> set[str]:
        return {line.split("|")[-1].strip() for line in log.splitlines() if "import time:" in line}

    added = names(ended.log) - names(bare.stderr)
    assert len(added) < 30, added
    slow = {"typing", "inspect", "json", "re", "enum", "dataclasses", "argparse", "logging"}
    assert not added & slow


def test_the_runtime_uses_only_the_standard_library():
    sources = [p for p in pathlib.Path(RUNTIME).rglob("*.py") if "tests" not in p.parts]
    assert len(sources) > 20
    code = "import sys; sys.path[:0] = [sys.argv[1]]\nimport kfp.dsl, kfp.dsl.executor_main"
    command = [sys.executable, "-I", "-S", "-c", code, str(RUNTIME)]
    subprocess.run(command, check=True, env={"_KFP_RUNTIME": "true"})
