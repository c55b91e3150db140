"""Exit statuses, what is on stdout, names of runs, parameters."""

import json
import subprocess

import pytest
from harness.cresset import BINARY, Cresset, one_object
from harness.pipelines import BOOLEAN, DOUBLE, INTEGER, LIST, STRING, STRUCT, Pipeline, given

VERBS = (
    "run validate ls show logs wait artifacts cancel resume retry rerun explain env rm gc doctor "
    "version completion"
).split()
RUN_VERBS = "show logs wait artifacts cancel resume retry rm".split()


@pytest.fixture
def good(tmp_path):
    pipeline = Pipeline("good")
    pipeline.task("echo", pipeline.echo(), {"text": "hello\n"})
    return pipeline.write(tmp_path / "good.yaml")


@pytest.fixture
def bad(tmp_path):
    pipeline = Pipeline("bad")
    pipeline.task("fail", pipeline.shell("fail", "echo last words; exit 4"))
    return pipeline.write(tmp_path / "bad.yaml")


@pytest.fixture
def typed(tmp_path):
    kinds = {
        "s": {"parameterType": STRING, "defaultValue": "spare"},
        "i": {"parameterType": INTEGER, "defaultValue": 1},
        "d": {"parameterType": DOUBLE, "defaultValue": 0.5},
        "b": {"parameterType": BOOLEAN, "defaultValue": False},
        "l": {"parameterType": LIST, "defaultValue": []},
        "t": {"parameterType": STRUCT, "defaultValue": {}},
        "needed": INTEGER,
    }
    pipeline = Pipeline("typed", parameters=kinds)
    pipeline.task("echo", pipeline.echo(), {"text": given("s")})
    return pipeline.write(tmp_path / "typed.yaml")


@pytest.mark.parametrize("form", ["text", "json"])
def test_status_0_when_the_run_succeeds(cresset, good, form):
    outcome = cresset("run", good, "-o", form)
    assert outcome.stdout
    if form == "json":
        assert one_object(outcome.stdout)["state"] == "SUCCEEDED"


@pytest.mark.parametrize("form", ["text", "json"])
def test_status_1_when_the_run_fails(cresset, bad, form):
    outcome = cresset("run", bad, "-o", form, status=1)
    if form == "json":
        view = one_object(outcome.stdout)
        assert view["state"] == "FAILED"
        assert "fail" in view["error"]["message"]
        assert view["tasks"][0]["error"]["log_tail"] == "last words\n"
    else:
        assert "last words" in outcome.stdout + outcome.stderr
        assert "exit status 4" in outcome.stdout + outcome.stderr


@pytest.mark.parametrize("verb", ["show", "ls", "logs", "artifacts"])
def test_looking_at_a_failed_run_is_fine(cresset, bad, verb):
    cresset("run", bad, status=1)
    cresset(verb, *([] if verb == "ls" else ["latest"]))


@pytest.mark.parametrize("verb", ["wait", "resume"])
def test_verbs_that_end_as_the_run_ended(cresset, good, bad, verb):
    cresset.run(good)
    cresset(verb, "latest", status=0)
    cresset.run(bad, state="FAILED")
    view = one_object(cresset(verb, "latest", "-o", "json", status=1).stdout)
    assert view["state"] == "FAILED"
    assert view == cresset.show("latest").view


def test_off_a_terminal_there_are_no_escape_codes(cresset, bad):
    outcome = cresset("run", bad, status=1)
    assert "\x1b" not in outcome.stdout + outcome.stderr
    assert "\r" not in outcome.stdout + outcome.stderr


@pytest.mark.parametrize(
    "arguments, says",
    [
        (["rnu", "x.yaml"], '"run"'),
        (["validat", "x"], '"validate"'),
        (["--no-such-flag"], "no-such-flag"),
        (["run"], "FILE"),
        (["run", "{good}", "--no-cahce"], "--no-cache"),
        (["run", "{good}", "extra"], "extra"),
        (["run", "{good}", "-o", "yaml"], "yaml"),
        (["run", "{good}", "-j", "0"], "jobs"),
        (["run", "{good}", "-j", "many"], "many"),
        (["run", "{good}", "-p", "nonsense"], "nonsense"),
        (["run", "{good}", "-p", "=x"], "=x"),
        (["run", "{good}", "--params", "/no/such/file"], "/no/such/file"),
        (["run", "{good}", "--env", "NO_SUCH_VARIABLE_HERE"], "NO_SUCH_VARIABLE_HERE"),
        (["show"], "RUN"),
        (["explain", "latest"], "TASK"),
        (["env"], "ls"),
        (["completion", "tcsh"], "tcsh"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_use(cresset, good, arguments, says):
    cresset.refuses(*[str(good) if word == "{good}" else word for word in arguments], says=says)
    assert not cresset.home.exists()


@pytest.mark.parametrize("verb", VERBS)
def test_help(cresset, verb):
    outcome = cresset(verb, "--help")
    assert f"cresset {verb}" in outcome.stdout
    assert outcome.stderr == ""
    assert not cresset.home.exists()


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"]], ids=str)
def test_help_names_all_verbs(cresset, arguments):
    text = cresset(*arguments).stdout
    assert [verb for verb in VERBS if f"\n  {verb} " not in text] == []
    assert "drive" not in text
    assert "keeper" not in text


@pytest.mark.parametrize("verb", RUN_VERBS)
@pytest.mark.parametrize("name", ["latest", "0000", "not-a-run", ""])
def test_an_unknown_run_where_there_are_none(cresset, verb, name):
    cresset.refuses(verb, name)
    assert not cresset.home.exists()


@pytest.fixture(scope="module")
def used(tmp_path_factory):
    folder = tmp_path_factory.mktemp("used")
    pipeline = Pipeline()
    pipeline.task("echo", pipeline.echo(), {"text": "x"})
    program = Cresset(folder / "home")
    program.run(pipeline.write(folder / "p.yaml"))
    yield program
    program.stop_everything()


@pytest.mark.parametrize("verb", RUN_VERBS)
@pytest.mark.parametrize("name", ["zzzz", "not-a-run", "", "lates"])
def test_an_unknown_run_among_others(used, verb, name):
    used.refuses(verb, name)


def test_names_of_runs(cresset, good):
    first = cresset.run(good)
    second = cresset.run(good)
    assert cresset.show("latest").id == second.id
    assert cresset.show(first.id).id == first.id
    length = next(n for n in range(1, 36) if first.id[:n] != second.id[:n])
    assert cresset.show(first.id[:length]).id == first.id
    if length > 1:
        outcome = cresset.refuses("show", first.id[: length - 1])
        assert first.id in outcome.stderr and second.id in outcome.stderr


def test_ls(cresset, good, bad):
    assert cresset.runs() == []
    assert not cresset.home.exists()
    first = cresset.run(good)
    second = cresset.run(bad, "--name", "my name", state="FAILED")
    listed = [(run["id"], run["name"], run["state"]) for run in cresset.runs()]
    assert listed == [(second.id, "my name", "FAILED"), (first.id, "good", "SUCCEEDED")]
    lines = cresset("ls").stdout.splitlines()
    assert second.id[:8] in lines[0] and first.id[:8] in lines[1]


def test_did_you_mean_for_tasks_and_parameters(cresset, typed):
    cresset.refuses("run", typed, "-p", "needed=1", "-p", "neede=1", says='"needed"')
    cresset.run(typed, parameters={"needed": 1})
    for verb in ("logs", "explain", "artifacts"):
        cresset.refuses(verb, "latest", "ehco", says='"echo"')


@pytest.mark.parametrize(
    "text, value",
    [
        ("s=5", "5"),
        ("s=true", "true"),
        ("s=", ""),
        ('s={"a": 1}', '{"a": 1}'),
        ("s=a=b", "a=b"),
        ("s= two\nlines ", " two\nlines "),
        ("i=-3", -3),
        ("i=4.0", 4),
        ("d=2", 2),
        ("d=1e-3", 0.001),
        ("b=true", True),
        ('l=[1, "x", null]', [1, "x", None]),
        ('t={"a": {"b": [1.5]}}', {"a": {"b": [1.5]}}),
    ],
)
def test_parameters_by_type(cresset, typed, text, value):
    run = cresset.run(typed, "-p", text, "-p", "needed=1")
    name = text.partition("=")[0]
    assert run.inputs["parameters"][name] == value
    assert type(run.inputs["parameters"][name]) is type(value)


@pytest.mark.parametrize(
    "text, says",
    [
        ("i=1.5", "NUMBER_INTEGER"),
        ("i=one", "NUMBER_INTEGER"),
        ("i=", "NUMBER_INTEGER"),
        ("i=9007199254740993", "9007199254740993"),
        ('i="1"', "NUMBER_INTEGER"),
        ("d=much", "NUMBER_DOUBLE"),
        ("d=NaN", "NUMBER_DOUBLE"),
        ("b=yes", "BOOLEAN"),
        ("b=1", "BOOLEAN"),
        ("l={}", "LIST"),
        ("l=[1", "LIST"),
        ("t=[]", "STRUCT"),
        ("t=null", "STRUCT"),
        ("unknown=1", "unknown"),
    ],
)
def test_parameters_that_do_not_fit(cresset, typed, text, says):
    name = text.partition("=")[0]
    cresset.refuses("run", typed, "-p", text, "-p", "needed=1", says=[name, says])
    assert not cresset.home.exists()


def test_a_missing_parameter_is_named_with_its_type(cresset, typed):
    cresset.refuses("run", typed, says=["needed", "NUMBER_INTEGER"])


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_parameters_from_a_file(cresset, typed, tmp_path, form):
    file = tmp_path / "given"
    file.write_text(
        '{"needed": 7, "s": "from file", "l": [1]}'
        if form == "json"
        else "needed: 7\ns: from file\nl: [1]\n"
    )
    run = cresset.run(typed, "--params", file, "-p", "s=from -p")
    wanted = {"needed": 7, "s": "from -p", "l": [1]}
    assert {name: run.inputs["parameters"][name] for name in wanted} == wanted
    assert run.inputs["parameters"]["d"] == 0.5


@pytest.mark.parametrize(
    "content, says",
    [
        ("needed: x", "needed"),
        ("- 1", "map"),
        ("needed: 1\nother: 2", "other"),
        ("{", ""),
        ("", "needed"),
        ("needed: 1\nneeded: 2", "needed"),
    ],
)
def test_parameter_files_that_do_not_fit(cresset, typed, tmp_path, content, says):
    file = tmp_path / "given"
    file.write_text(content)
    cresset.refuses("run", typed, "--params", file, says=says)


def test_the_last_of_two_values_counts(cresset, typed):
    run = cresset.run(typed, "-p", "needed=1", "-p", "needed=2")
    assert run.inputs["parameters"]["needed"] == 2


def test_the_pipeline_may_come_from_standard_input(cresset, good):
    with good.open() as stream:
        outcome = cresset("run", "-", "-o", "json", stdin=stream)
    assert one_object(outcome.stdout)["state"] == "SUCCEEDED"


def test_the_name_of_a_run(cresset, good):
    run = cresset.run(good, "--name", "Eine Übung")
    assert run.name == "Eine Übung"


def test_validate_says_what_the_pipeline_takes(cresset, typed):
    outcome = cresset("validate", typed)
    for part in ("typed", "needed", "NUMBER_INTEGER"):
        assert part in outcome.stdout
    assert one_object(cresset("validate", typed, "-o", "json").stdout)["name"] == "typed"
    assert not cresset.home.exists()


def test_logs(cresset, tmp_path):
    pipeline = Pipeline()
    pipeline.task("one", pipeline.shell("one", "echo out; echo err >&2; printf 'no end'"))
    pipeline.task("two", pipeline.echo(), {"text": "two\n"}, after=["one"])
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"))
    assert cresset("logs", "latest", "one").stdout.rstrip("\n") == "out\nerr\nno end"
    everything = cresset("logs", run.id).stdout
    assert [line for line in everything.splitlines() if line in ("out", "err", "two")] == [
        "out",
        "err",
        "two",
    ]
    prefixed = cresset("logs", "latest", "--prefix").stdout
    assert any("one" in line and line.endswith("out") for line in prefixed.splitlines())


def test_a_log_beyond_its_cap_says_so(cresset, tmp_path):
    pipeline = Pipeline()
    pipeline.task("loud", pipeline.shell("loud", "yes 0123456789 | head -c 3000000; echo the end"))
    outcome = cresset("run", pipeline.write(tmp_path / "p.yaml"), "--log-cap", "1")
    assert "cap" in outcome.stdout + outcome.stderr
    log = cresset("logs", "latest", "loud").stdout
    assert 2**20 <= len(log) < 2**20 + 1000


def test_status_3_when_the_answer_cannot_be_written(cresset, good):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [BINARY, "run", str(good), "-o", "json"],
            env=cresset.environment,
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=60,
        )
    assert done.returncode == 3
    assert done.stderr
    assert cresset.show("latest").state == "SUCCEEDED"


def test_a_home_that_cannot_be_made(cresset, good, tmp_path):
    (tmp_path / "file").write_text("")
    cresset.environment["CRESSET_HOME"] = str(tmp_path / "file/home")
    outcome = cresset("run", good, status=None)
    assert outcome.status in (2, 3)
    assert outcome.stdout == ""
    assert str(tmp_path / "file") in outcome.stderr


def test_the_interpreter_that_is_not_there(cresset, tmp_path, good):
    """A run of containers alone needs none; one with Python components is refused."""
    cresset.environment["CRESSET_PYTHON"] = "/no/such/python"
    cresset.run(good)
    pipeline = Pipeline()
    step = pipeline.python("step", "def f():\n    print('x')\n", "f")
    pipeline.task("step", step)
    file = pipeline.write(tmp_path / "p.yaml")
    cresset.refuses("run", file, says="/no/such/python")
    assert cresset.run(file, "--python", "python3").task("step").log == "x\n"


def test_json_of_a_run_that_failed_is_the_only_thing_on_stdout(cresset, bad):
    outcome = cresset("run", bad, "-o", "json", status=1)
    assert outcome.stdout.count("\n") == outcome.stdout.rstrip("\n").count("\n") + 1
    decoder = json.JSONDecoder()
    _, end = decoder.raw_decode(outcome.stdout)
    assert outcome.stdout[end:].strip() == ""
