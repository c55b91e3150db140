"""Pipelines that the real kfp SDK compiles here and now."""

# The SDK reads these annotations, and knows those of `typing` best.
# ruff: noqa: B006, SIM115, UP006, UP014, UP035, UP045

import sys
from typing import List, NamedTuple, Optional

import pytest
from harness.cresset import text_of

kfp = pytest.importorskip("kfp", reason="the SDK is not installed in this Python")
from kfp import compiler, dsl  # noqa: E402
from kfp.dsl import Artifact, Dataset, Input, Metrics, Model, Output  # noqa: E402


@pytest.fixture
def run(cresset, tmp_path):
    def compile_and_run(pipeline, *arguments, state="SUCCEEDED", **parameters):
        file = tmp_path / f"{pipeline.name}.yaml"
        compiler.Compiler().compile(pipeline, str(file))
        return cresset.run(file, *arguments, state=state, parameters=parameters)

    return compile_and_run


@dsl.component
def square(n: int) -> int:
    return n * n


@dsl.component
def total(numbers: List[int]) -> int:
    return sum(numbers)


@dsl.component
def total_of_lists(numbers: List[List[int]]) -> str:
    return repr(numbers)


@dsl.component
def say(text: str) -> str:
    print(text)
    return text


@dsl.component
def fail(text: str) -> str:
    raise ValueError(text)


@dsl.component
def write(text: str, data: Output[Dataset]):
    with open(data.path, "w") as file:
        file.write(text)
    data.metadata["length"] = len(text)


@dsl.component
def read(data: Input[Dataset]) -> str:
    with open(data.path) as file:
        return f"{file.read()}:{data.metadata.get('length')}"


@dsl.component
def join(files: Input[List[Dataset]]) -> str:
    return ",".join(open(file.path).read() for file in files)


@dsl.component
def describe(status: dsl.PipelineTaskFinalStatus) -> str:
    print(f"{status.state} {status.pipeline_task_name} {status.error_message}")
    return status.state


@dsl.component
def defaults(
    number: int = 3, factor: float = 2.0, name: Optional[str] = None, flags: List[bool] = [True]
) -> str:
    return f"{number!r} {factor!r} {name!r} {flags!r}"


def test_parallel_for_and_collected(run):
    @dsl.pipeline(name="squares")
    def squares(numbers: List[int]) -> int:
        with dsl.ParallelFor(numbers, parallelism=2) as number:
            one = square(n=number)
        return total(numbers=dsl.Collected(one.output)).output

    result = run(squares, numbers=[1, 2, 3, 4])
    assert result.parameters == {"Output": 30}
    assert len(result.named("square")) == 4


def test_nested_collected_parameters(run):
    @dsl.pipeline(name="tables")
    def tables() -> str:
        with dsl.ParallelFor([1, 2]) as outer:
            squared = square(n=outer)
            with dsl.ParallelFor([10, 20]) as inner:
                one = square(n=inner)
                one.after(squared)
        return total_of_lists(numbers=dsl.Collected(one.output)).output

    assert run(tables).parameters == {"Output": "[[100, 400], [100, 400]]"}


def test_collected_artifacts(run):
    @dsl.pipeline(name="files")
    def files() -> str:
        with dsl.ParallelFor(["a", "b", "c"]) as text:
            one = write(text=text)
        return join(files=dsl.Collected(one.outputs["data"])).output

    assert run(files).parameters == {"Output": "a,b,c"}


@pytest.mark.parametrize("choice, said", [("a", "first"), ("b", "second"), ("c", "neither")])
def test_if_elif_else_with_oneof(run, choice, said):
    @dsl.pipeline(name="branches")
    def branches(choice: str) -> str:
        with dsl.If(choice == "a"):
            one = say(text="first")
        with dsl.Elif(choice == "b"):
            two = say(text="second")
        with dsl.Else():
            three = say(text="neither")
        chosen = dsl.OneOf(one.output, two.output, three.output)
        say(text=chosen)
        return chosen

    result = run(branches, choice=choice)
    assert result.parameters == {"Output": said}
    assert [task.parameters["Output"] for task in result.tasks if "Output" in task.parameters][
        -1
    ] == said
    assert sum(state == "SKIPPED" for state in result.states().values()) == 2


@pytest.mark.parametrize("number, taken", [(3, True), (12, False)])
def test_conditions_on_numbers_and_outputs(run, number, taken):
    @dsl.pipeline(name="numbers")
    def numbers(number: int):
        squared = square(n=number)
        with dsl.If(squared.output < 100), dsl.If(number >= 3):
            say(text="taken")

    result = run(numbers, number=number)
    assert bool(result.named("say")) is taken


def test_exit_handler_with_final_status(run):
    @dsl.pipeline(name="handled")
    def handled(text: str = "broken on purpose"):
        told = describe()
        with dsl.ExitHandler(told, name="guarded"):
            fail(text=text)

    result = run(handled, state="FAILED")
    (task,) = result.named("describe")
    assert task.parameters == {"Output": "FAILED"}
    assert "broken on purpose" in task.log
    (failed,) = result.named("fail")
    assert failed.error["message"] == "ValueError: broken on purpose"
    assert "Traceback" in failed.error["log_tail"]


def test_ignore_upstream_failure(run):
    @dsl.component
    def cope(text: str = "the default") -> str:
        return text

    @dsl.pipeline(name="coping")
    def coping() -> str:
        broken = fail(text="x")
        return cope(text=broken.output).ignore_upstream_failure().output

    result = run(coping, state="FAILED")
    (task,) = result.named("cope")
    assert task.parameters == {"Output": "the default"}


def test_importer(run, tmp_path):
    source = tmp_path / "table.csv"
    source.write_text("1,2")

    @dsl.pipeline(name="importing")
    def importing(owner: str, place: str) -> str:
        table = dsl.importer(artifact_uri=place, artifact_class=Dataset, metadata={"length": owner})
        return read(data=table.output).output

    result = run(importing, owner="me", place=str(source))
    assert result.parameters == {"Output": "1,2:me"}


def test_pipelines_in_pipelines(run):
    @dsl.pipeline(name="inner")
    def inner(n: int, text: str = "unused") -> NamedTuple("Out", n=int, data=Dataset):
        made = write(text=text)
        squared = square(n=n)
        out = NamedTuple("Out", n=int, data=Dataset)
        return out(n=squared.output, data=made.outputs["data"])

    @dsl.pipeline(name="outer")
    def outer() -> str:
        first = inner(n=3, text="from outer")
        second = inner(n=first.outputs["n"])
        say(text=f"got {second.outputs['n']} in the end")
        return read(data=first.outputs["data"]).output

    result = run(outer)
    assert result.parameters == {"Output": "from outer:10"}
    assert result.task("say").log == "got 81 in the end\n"


def test_types_arrive_as_python_declares_them(run):
    @dsl.component
    def types(
        whole: int, real: float, flag: bool, items: list, table: dict, text: str
    ) -> NamedTuple("Out", whole=int, real=float, flag=bool, items=list, table=dict, text=str):
        kinds = [type(part) for part in (whole, real, flag, items, table, text)]
        assert kinds == [int, float, bool, list, dict, str], kinds
        assert type(items[0]) is int, items
        out = NamedTuple("Out", whole=int, real=float, flag=bool, items=list, table=dict, text=str)
        return out(whole, real, flag, items, table, text)

    @dsl.pipeline(name="typed")
    def typed(whole: int, real: float, flag: bool, items: list, table: dict, text: str):
        first = types(whole=whole, real=real, flag=flag, items=items, table=table, text=text)
        types(**{name: first.outputs[name] for name in "whole real flag items table text".split()})

    given = {
        "whole": 2,
        "real": 2,
        "flag": False,
        "items": [1, {"a": None}],
        "table": {"k": [0.5]},
        "text": "{{$}} 'x'",
    }
    result = run(typed, **given)
    assert result.task("types").parameters == given
    assert result.task("types-2").parameters == given


def test_defaults_of_a_component(run):
    @dsl.pipeline(name="defaulted")
    def defaulted() -> str:
        return defaults().output

    assert run(defaulted).parameters == {"Output": "3 2.0 None [True]"}


def test_artifact_objects(run):
    @dsl.component
    def train(model: Output[Model], metrics: Output[Metrics]):
        with open(model.path, "w") as file:
            file.write("weights")
        model.framework = "torch"
        model.metadata["layers"] = 3
        metrics.log_metric("accuracy", 0.5)

    @dsl.component
    def check(model: Input[Model]) -> Artifact:
        assert model.metadata["layers"] == 3
        report = Artifact(uri=dsl.get_uri("report"), metadata={"of": model.name})
        with open(report.path, "w") as file:
            file.write(f"checked {model.metadata['layers']} layers")
        return report

    @dsl.pipeline(name="objects")
    def objects() -> Artifact:
        return check(model=train().outputs["model"]).output

    result = run(objects)
    assert text_of(result.artifacts("Output")[0]) == "checked 3 layers"
    assert result.task("train").artifacts("metrics")[0]["metadata"] == {"accuracy": 0.5}
    assert result.task("train").artifacts("model")[0]["metadata"] == {
        "framework": "torch",
        "layers": 3,
    }


def test_task_settings(run):
    @dsl.container_component
    def show(text: str):
        return dsl.ContainerSpec(
            image="alpine",
            command=["sh", "-c", 'echo "$0 $SETTING"'],
            args=[dsl.ConcatPlaceholder(["<", text, ">"])],
        )

    @dsl.pipeline(name="settings")
    def settings():
        task = show(text="x")
        task.set_env_variable("SETTING", "set").set_display_name("Shown")
        task.set_cpu_limit("1").set_memory_limit("64M").set_caching_options(False)
        task.set_retry(2, backoff_duration="1s")

    assert run(settings).task("show").log == "<x> set\n"


def test_the_interpreter_is_the_one_that_was_chosen(run):
    @dsl.component
    def which() -> str:
        import sys

        return sys.prefix

    @dsl.pipeline(name="chosen")
    def chosen() -> str:
        return which().output

    assert run(chosen).parameters == {"Output": sys.prefix}


def test_packages_that_are_there_are_not_built(run, cresset):
    @dsl.component(packages_to_install=["pytest"])
    def count() -> int:
        import pytest

        return len(pytest.__name__)

    @dsl.pipeline(name="packaged")
    def packaged() -> int:
        return count().output

    assert run(packaged, "--offline").parameters == {"Output": 6}
    assert cresset("env", "ls").stdout == ""


def test_a_missing_package_fails_before_the_step_when_offline(run, tmp_path):
    mark = tmp_path / "mark"

    @dsl.component(packages_to_install=["cresset-test-no-such-package==1.0"])
    def use(mark: str):
        open(mark, "w").close()

    @dsl.pipeline(name="missing")
    def missing(mark: str):
        use(mark=mark)

    result = run(missing, "--offline", state="FAILED", mark=str(mark))
    assert "cresset-test-no-such-package" in result.task("use").error["message"]
    assert not mark.exists()
