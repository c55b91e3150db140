import pytest
from harness.pipelines import (
    BOOLEAN,
    DOUBLE,
    INTEGER,
    STRING,
    STRUCT,
    Pipeline,
    artifact_of,
    given,
    output_of,
)

A = "inputs.parameter_values['a']"
B = "inputs.parameter_values['b']"


def conditional(expression, kinds):
    pipeline = Pipeline(parameters=kinds)
    body = pipeline.dag(kinds)
    body.task("echo", pipeline.echo(), {"text": "taken"})
    pipeline.task("if", body, {name: given(name) for name in kinds}, condition=expression)
    return pipeline


@pytest.mark.parametrize(
    "expression, kinds, values, taken",
    [
        (f"{A} == 'x'", {"a": STRING}, {"a": "x"}, True),
        (f"{A} != 'x'", {"a": STRING}, {"a": "x"}, False),
        (f"!({A} == 'x')", {"a": STRING}, {"a": "y"}, True),
        (f"!({A} == 'x') && {A} == 'y'", {"a": STRING}, {"a": "y"}, True),
        (f'{A} == "it\'s"', {"a": STRING}, {"a": "it's"}, True),
        (f"{A} == '5'", {"a": STRING}, {"a": "5"}, True),
        (f"int({A}) > 5", {"a": INTEGER}, {"a": 5}, False),
        (f"int({A}) >= int({B})", {"a": INTEGER, "b": INTEGER}, {"a": 3, "b": 3}, True),
        (f"!(int({A}) < 3) && !(int({A}) > 3)", {"a": INTEGER}, {"a": 3}, True),
        (f"double({A}) < 0.3", {"a": DOUBLE}, {"a": 0.1}, True),
        (f"double({A}) * 100.0 >= 90.0", {"a": DOUBLE}, {"a": 0.9}, True),
        (f"{A} == true", {"a": BOOLEAN}, {"a": True}, True),
        (f"!({A} == true)", {"a": BOOLEAN}, {"a": True}, False),
        (f"{A} == {B}", {"a": STRING, "b": STRING}, {"a": "' || true || '", "b": "x"}, False),
        (f"{A} == 'x' || {A} == 'y'", {"a": STRING}, {"a": "y"}, True),
        (f"{A}['k'] == 'v'", {"a": STRUCT}, {"a": {"k": "v"}}, True),
    ],
)
def test_expressions_on_typed_values(cresset, tmp_path, expression, kinds, values, taken):
    file = conditional(expression, kinds).write(tmp_path / "p.yaml")
    run = cresset.run(file, parameters=values)
    assert run.task("if").state == ("SUCCEEDED" if taken else "SKIPPED")
    assert len(run.tasks) == (2 if taken else 1)


@pytest.mark.parametrize(
    "expression, kinds, values, reason",
    [
        (f"int({A}) > 5", {"a": STRING}, {"a": "many"}, "many"),
        (f"{A} == 5", {"a": STRING}, {"a": "5"}, "=="),
        (f"int({A}) / 0 > 1", {"a": INTEGER}, {"a": 5}, "zero"),
        (f"int({A})", {"a": INTEGER}, {"a": 5}, "true or false"),
    ],
)
def test_what_cannot_be_evaluated_fails_the_task(
    cresset, tmp_path, expression, kinds, values, reason
):
    file = conditional(expression, kinds).write(tmp_path / "p.yaml")
    run = cresset.run(file, parameters=values, state="FAILED")
    assert reason in run.task("if").error["message"]
    assert len(run.tasks) == 1


def branches(pipeline):
    """flag → give "yes" | "no"; the group's output is that of the branch that ran."""
    group = pipeline.dag({"flag": BOOLEAN})
    for name, expression in (("then", "{} == true"), ("else", "!({} == true)")):
        branch = pipeline.dag({"flag": BOOLEAN})
        branch.task("give", pipeline.give(), {"value": f"it was {name}"})
        branch.task("make", pipeline.make(), {"text": f"file of {name}"})
        branch.gives("text", STRING, ("give", "out"))
        branch.gives_artifact("file", "system.Dataset", ("make", "data"))
        group.task(
            name,
            branch,
            {"flag": given("flag")},
            condition=expression.format("inputs.parameter_values['flag']"),
        )
    group.gives("text", STRING, ("then", "text"), ("else", "text"))
    group.gives_artifact("file", "system.Dataset", ("then", "file"), ("else", "file"))
    return group


@pytest.mark.parametrize("flag, name, other", [(True, "then", "else"), (False, "else", "then")])
def test_oneof_gives_what_the_branch_that_ran_gave(cresset, tmp_path, flag, name, other):
    pipeline = Pipeline(parameters={"flag": BOOLEAN})
    pipeline.task("branches", branches(pipeline), {"flag": given("flag")})
    pipeline.task("echo", pipeline.echo(), {"text": output_of("branches", "text")})
    pipeline.task("read", pipeline.read(), artifacts={"data": artifact_of("branches", "file")})
    pipeline.gives("text", STRING, ("branches", "text"))
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"), parameters={"flag": flag})
    assert run.task("echo").said == f"it was {name}"
    assert run.task("read").said == f"file of {name}"
    assert run.parameters == {"text": f"it was {name}"}
    assert run.task(f"branches/{other}").state == "SKIPPED"
    assert f"branches/{other}/give" not in run.states()


def test_no_branch_taken_skips_who_needs_its_output(cresset, tmp_path):
    pipeline = Pipeline(parameters={"flag": BOOLEAN})
    branch = pipeline.dag({"flag": BOOLEAN})
    branch.task("give", pipeline.give(), {"value": "x"})
    branch.gives("text", STRING, ("give", "out"))
    group = pipeline.dag({"flag": BOOLEAN})
    condition = "inputs.parameter_values['flag'] == true"
    group.task("then", branch, {"flag": given("flag")}, condition=condition)
    group.gives("text", STRING, ("then", "text"), oneof=True)
    pipeline.task("branches", group, {"flag": given("flag")})
    pipeline.task("echo", pipeline.echo(), {"text": output_of("branches", "text")})
    pipeline.task("alone", pipeline.echo(), {"text": "alone"})
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"), parameters={"flag": False})
    assert run.task("branches").state == "SUCCEEDED"
    assert run.task("echo").state == "SKIPPED"
    assert run.task("alone").state == "SUCCEEDED"


def test_a_skip_goes_on_to_all_that_follow(cresset, tmp_path):
    pipeline = Pipeline()
    body = pipeline.dag({"a": STRING})
    body.task("give", pipeline.give(), {"value": "x"})
    body.gives("text", STRING, ("give", "out"))
    pipeline.task("if", body, {"a": "n"}, condition=f"{A} == 'y'")
    pipeline.task("second", pipeline.give(), {"value": output_of("if", "text")})
    pipeline.task("third", pipeline.echo(), {"text": output_of("second")})
    pipeline.task("ordered", pipeline.echo(), {"text": "x"}, after=["if"])
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"))
    assert run.states() == {
        "if": "SKIPPED",
        "second": "SKIPPED",
        "third": "SKIPPED",
        "ordered": "SKIPPED",
    }


def test_a_condition_on_the_metadata_of_an_artifact(cresset, tmp_path):
    pipeline = Pipeline()
    source = tmp_path / "model"
    source.write_text("weights")
    importer = pipeline.importer("import", str(source), "system.Model", {"accuracy": 0.93})
    pipeline.task("import", importer, {"uri": str(source)})
    for name, bound in (("good", "90.0"), ("best", "95.0")):
        body = pipeline.dag(artifacts={"m": "system.Model"})
        body.task("echo", pipeline.echo(), {"text": "x"})
        pipeline.task(
            name,
            body,
            artifacts={"m": artifact_of("import", "artifact")},
            condition=f"inputs.artifacts['m'].artifacts[0].metadata['accuracy']*100.0 > {bound}",
        )
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"))
    assert (run.task("good").state, run.task("best").state) == ("SUCCEEDED", "SKIPPED")
