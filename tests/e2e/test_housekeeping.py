"""rm, gc, env, doctor, version, completion."""

import json
import re
import subprocess

import pytest
from harness.cresset import BINARY, eventually, one_object, path_of
from harness.pipelines import Pipeline


@pytest.fixture
def made(cresset, tmp_path):
    pipeline = Pipeline("made")
    pipeline.task("make", pipeline.make(), {"text": "bytes " * 1000}, cached=True)
    file = pipeline.write(tmp_path / "p.yaml")
    return lambda: cresset.run(file)


def test_rm_removes_record_logs_and_artifacts(cresset, made):
    first, second = made(), made()
    artifact = path_of(first.task("make").artifacts("data")[0])
    assert second.task("make").cached and artifact.exists()
    cresset("rm", second.id)
    assert [run["id"] for run in cresset.runs()] == [first.id]
    assert artifact.exists()
    cresset("rm", first.id)
    assert cresset.runs() == []
    assert not artifact.exists()
    assert [path for path in cresset.home.rglob("*") if first.id in str(path)] == []
    assert not made().task("make").cached


def test_rm_of_many_is_all_or_nothing(cresset, made):
    runs = [made(), made()]
    cresset.refuses("rm", runs[0].id, "no-such-run", says="no-such-run")
    cresset("rm", runs[0].id, runs[1].id[:35])
    assert cresset.runs() == []


def test_rm_of_a_live_run_is_refused(cresset, tmp_path):
    pipeline = Pipeline()
    pipeline.task("slow", pipeline.shell("slow", "sleep 60"))
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"), "--detach", state=None)
    outcome = cresset("rm", run.id, status=2)
    assert outcome.stdout == ""
    assert [each["id"] for each in cresset.runs()] == [run.id]


def test_rm_of_a_run_that_lost_its_engine_is_refused(cresset, tmp_path):
    pipeline = Pipeline()
    pipeline.task("slow", pipeline.shell("slow", "echo begun; sleep 60"))
    file = pipeline.write(tmp_path / "p.yaml")
    engine = cresset.start("run", file)
    eventually(
        lambda: cresset.runs() and "begun" in cresset("logs", "latest").stdout, "the step's output"
    )
    engine.kill()
    engine.wait()
    cresset("rm", "latest", status=2)
    assert len(cresset.runs()) == 1
    cresset("cancel", "latest")
    cresset("wait", "latest", status=1)
    cresset("rm", "latest")
    assert cresset.runs() == []


def test_gc_keeps_all_that_runs_need(cresset, made):
    run = made()
    artifact = path_of(run.task("make").artifacts("data")[0])
    text = artifact.read_text()
    told = one_object(cresset("gc", "--dry-run", "-o", "json").stdout)
    assert told["dry_run"] is True
    assert cresset("gc").stdout
    assert artifact.read_text() == text
    assert cresset.show(run.id).view == run.view
    assert made().task("make").cached
    assert one_object(cresset("gc", "--dry-run", "-o", "json").stdout)["bytes"] >= 0


def test_gc_removes_what_no_run_owns(cresset, made):
    run = made()
    orphan = cresset.home / "runs" / "00000000-0000-4000-8000-000000000000"
    (orphan / "steps").mkdir(parents=True)
    (orphan / "steps/file").write_text("x" * 1000)
    cresset("gc", "--dry-run")
    assert orphan.exists()
    cresset("gc")
    assert not orphan.exists()
    assert cresset.show(run.id).state == "SUCCEEDED"


@pytest.mark.parametrize("arguments", [["version"], ["--version"]], ids=str)
def test_version(cresset, arguments):
    assert re.fullmatch(r"cresset \d+\.\d+\.\d+\S*\n", cresset(*arguments).stdout)
    assert not cresset.home.exists()


def test_version_as_json(cresset):
    assert one_object(cresset("version", "-o", "json").stdout)["version"]


def test_doctor(cresset):
    checks = json.loads(cresset("doctor", "-o", "json").stdout)
    assert checks
    assert {check["verdict"] for check in checks} <= {"good", "warning", "bad"}
    assert all(check["name"] and check["finding"] for check in checks)
    assert not [check for check in checks if check["verdict"] == "bad"]
    text = cresset("doctor").stdout
    assert all(check["name"] in text for check in checks)


def test_doctor_finds_a_missing_interpreter(cresset):
    cresset.environment["CRESSET_PYTHON"] = "/no/such/python"
    checks = json.loads(cresset("doctor", "-o", "json").stdout)
    found = [check for check in checks if "/no/such/python" in check["finding"] + check["help"]]
    assert found
    assert found[0]["verdict"] != "good"


def test_env_of_a_home_without_any(cresset):
    assert json.loads(cresset("env", "ls", "-o", "json").stdout) == []
    cresset("env", "ls")
    cresset.refuses("env", "rm", "abc", says="abc")
    cresset.refuses("env", "rm")
    cresset("env", "rm", "--all")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(cresset, shell):
    script = cresset("completion", shell).stdout
    for word in ("validate", "no-cache", "rerun"):
        assert word in script
    assert not cresset.home.exists()


@pytest.mark.parametrize(
    "words, expected",
    [
        (["cresset", "va"], ["validate"]),
        (["cresset", "ret"], ["retry"]),
        (["cresset", "re"], ["resume", "retry", "rerun", "restore"]),
        (["cresset", "run", "--no"], ["--no-cache"]),
        (["cresset", "run", "--wa"], ["--watch"]),
        (["cresset", "validate", "--fun"], ["--function"]),
        (["cresset", "rerun", "latest", "a", "--p"], ["--param", "--pdb"]),
        (["cresset", "show", "latest", "--t"], ["--timeline"]),
        (["cresset", "show", ""], None),
    ],
    ids=lambda value: " ".join(value) if value else "",
)
def test_completion_in_bash(cresset, made, words, expected):
    run = made()
    script = cresset("completion", "bash").stdout
    program = (
        f"{script}\nPATH={BINARY.parent}:$PATH\n"
        f"COMP_WORDS=({' '.join(repr(word) for word in words)}) COMP_CWORD={len(words) - 1}\n"
        '_cresset\nprintf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", program],
        env=cresset.environment,
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.returncode == 0, done.stderr
    offered = done.stdout.split()
    if expected is None:
        assert run.id[:8] in " ".join(offered) and "latest" in offered
    else:
        assert sorted(offered) == sorted(expected)
