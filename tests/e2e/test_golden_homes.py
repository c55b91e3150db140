"""Homes that earlier versions wrote, in the program of today."""

import gzip
import json
import os
import sqlite3
import sys
import tarfile
from pathlib import Path

import pytest
from harness.cresset import REPOSITORY, path_of

sys.path.insert(0, str(REPOSITORY / "tools"))
from make_golden_home import made  # noqa: E402

HOMES = REPOSITORY / "tests/golden-homes"
VERSIONS = sorted(path.name for path in HOMES.iterdir() if path.is_dir())


@pytest.fixture(params=VERSIONS)
def golden(request, cresset):
    """A home of that version, at a place where it never was, and what was said of it."""
    folder = HOMES / request.param
    with tarfile.open(folder / "home.tar.gz") as archive:
        archive.extractall(cresset.home.parent, filter="tar")
    return cresset, json.loads((folder / "expected.json").read_text())


def portable(cresset, text):
    return json.loads(text.replace(str(cresset.home), "$HOME"))


def known_then(cresset, run, then):
    """What `show` says now, without what later versions tell more of a task."""
    now = portable(cresset, cresset("show", run, "-o", "json").stdout)
    tasks = zip(now["tasks"], then["tasks"], strict=True)
    return now | {"tasks": [{name: task[name] for name in known} for task, known in tasks]}


def run_of(expected, pipeline, state=None):
    (found,) = [
        run["id"]
        for run in expected["ls"]
        if run["pipeline"] == pipeline and state in (None, run["state"])
    ]
    return found


def wrong(cresset):
    checks = json.loads(cresset("doctor", "--deep", "-o", "json").stdout)
    ours = {"home", "database", "keeper", "run", "runs", "artifact", "artifacts", "leftover"}
    return [c for c in checks if c["name"] in ours and c["verdict"] != "good"]


def test_there_is_one():
    assert "0.1.0" in VERSIONS


def test_shows_what_it_showed_then(golden):
    cresset, expected = golden
    listed = portable(cresset, cresset("ls", "-o", "json").stdout)
    # Later versions may tell more of a run, and never something else.
    assert [
        {name: now[name] for name in then} for now, then in zip(listed, expected["ls"], strict=True)
    ] == expected["ls"]
    for run, view in expected["show"].items():
        assert known_then(cresset, run, view) == view
        assert cresset("logs", "--prefix", run).stdout == expected["logs"][run]


def test_is_whole(golden):
    cresset, _ = golden
    assert wrong(cresset) == []


def test_its_results_are_taken_from_the_cache(golden, tmp_path):
    cresset, expected = golden
    run = cresset.run(made().write(tmp_path / "golden.yaml"), parameters={"count": 7})
    assert all(task.cached for task in run.tasks)
    assert run.parameters == {"out": 7}
    folder = path_of(run.task("folder").artifacts("data")[0])
    assert (folder / "link").read_text() == "one\n" and (folder / "sub/b").read_text() == "two\n"
    assert folder.is_relative_to(cresset.home)
    # And are kept for that: of the two runs that there were, one made them.
    first = [run["id"] for run in expected["ls"] if run["pipeline"] == "golden"][-1]
    assert "cache" in cresset("rm", first, status=2).stderr
    assert wrong(cresset) == []


def test_says_what_its_steps_from_the_cache_depend_on(golden):
    cresset, expected = golden
    second, first = (run["id"] for run in expected["ls"] if run["pipeline"] == "golden")
    cached = [task["path"] for task in expected["show"][second]["tasks"] if task["cached"]]
    assert cached
    for path in cached:
        told = json.loads(cresset("explain", second, path, "-o", "json").stdout)
        ran = json.loads(cresset("explain", first, path, "-o", "json").stdout)
        assert told["verdict"].endswith(f"as in run {first}")
        assert told["ingredients"] == ran["ingredients"] != []


def test_its_runs_go_on(golden):
    cresset, expected = golden
    unfinished = run_of(expected, "golden-unfinished")
    resumed = cresset.view("resume", unfinished)
    assert resumed.task("before").attempts == 1
    assert resumed.task("step").attempts == 2
    assert resumed.task("step").log.endswith("begun\nended\n")
    failed = run_of(expected, "golden-failed")
    retried = cresset.view("retry", failed)
    assert retried.task("before").attempts == 1 and retried.task("step").attempts == 2
    cancelled = run_of(expected, "golden-cancelled")
    assert cresset.view("retry", cancelled).task("step").state == "SUCCEEDED"
    assert wrong(cresset) == []


def test_it_can_be_backed_up_and_removed(golden, tmp_path):
    cresset, expected = golden
    cresset("backup", tmp_path / "backup.tar")
    os.rename(cresset.home, tmp_path / "away")
    cresset("restore", tmp_path / "backup.tar")
    for run, view in expected["show"].items():
        assert known_then(cresset, run, view) == view
    cresset("gc", "--keep-last", 0)
    assert [run["pipeline"] for run in cresset.runs()] == ["golden-unfinished"]
    assert wrong(cresset) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_a_backup_of_then_is_restored(cresset, tmp_path, version):
    folder = HOMES / version
    file = tmp_path / "backup.tar"
    file.write_bytes(gzip.decompress((folder / "backup.tar.gz").read_bytes()))
    cresset("restore", file)
    expected = json.loads((folder / "expected.json").read_text())
    for run, view in expected["show"].items():
        assert known_then(cresset, run, view) == view
    assert wrong(cresset) == []


def test_a_program_of_then_refuses_what_is_newer(golden):
    """And leaves it as it is, so that the newer one still reads it."""
    cresset, _ = golden
    with sqlite3.connect(cresset.home / "cresset.db") as database:
        database.execute("PRAGMA user_version = 999")
    database.close()
    files = [path for path in Path(cresset.home).rglob("*") if path.is_file()]
    before = {path: path.read_bytes() for path in files}
    assert "newer Cresset" in cresset("ls", status=2).stderr
    assert {path: path.read_bytes() for path in files} == before
