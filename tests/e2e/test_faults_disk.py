"""Full, read-only and damaged disks."""

import shutil
import sqlite3
from contextlib import closing

import pytest
from harness.cresset import Cresset, eventually, path_of
from harness.disk import fill, fill_inodes, remount, small_disk
from harness.pipelines import (
    STRING,
    Pipeline,
    artifact,
    artifact_of,
    output_artifact,
    output_file,
)


@pytest.fixture
def disk(tmp_path):
    """The program with a home on a disk of its own, 24 MiB small."""
    with small_disk(tmp_path / "disk", size="24m", nr_inodes=2000) as folder:
        program = Cresset(folder / "home")
        program.disk = folder
        try:
            yield program
        finally:
            program.stop_everything()


def chain(tmp_path, *scripts, outputs=None):
    """Steps one after the other, each of two scripts: between them it makes `ready-<n>` and waits
    for `gate-<n>`."""
    pipeline = Pipeline("chain")
    for number, (before, after) in enumerate(scripts):
        step = pipeline.shell(
            f"step-{number}",
            f'{before}\ntouch "$1/ready-{number}"\n'
            f'while ! test -e "$1/gate-{number}"; do sleep 0.02; done\n{after}',
            str(tmp_path),
            output_artifact(),
            *([output_file()] if outputs else []),
            made={"data": "system.Dataset"},
            outputs=outputs,
        )
        pipeline.task(f"step-{number}", step, after=[f"step-{number - 1}"] if number else [])
    return pipeline.write(tmp_path / "chain.yaml")


def start(cresset, tmp_path, file):
    """A run whose first step is ready."""
    engine = cresset.start("run", file)
    eventually((tmp_path / "ready-0").exists, "the first step is ready")
    eventually(lambda: cresset.show("latest").tasks[0].state == "RUNNING", "it is stored so")
    return engine


def open_gates(tmp_path):
    for number in range(3):
        (tmp_path / f"gate-{number}").touch()


def told(process, status):
    """What a program said that ended with this status."""
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == status, f"{process.returncode}\n{stdout}\n{stderr}"
    return stderr


MAKE = 'printf made > "$2"'


def test_a_step_on_a_full_disk(disk, tmp_path):
    """It fails with what it met, and `retry` goes on with it."""
    engine = start(disk, tmp_path, chain(tmp_path, ("true", MAKE), ("true", MAKE)))
    ballast = fill(disk.disk)
    open_gates(tmp_path)
    told(engine, 1)
    ballast.unlink()
    run = disk.show("latest", state="FAILED")
    assert "No space left on device" in run.task("step-0").error["message"]
    run = disk.view("retry", "latest")
    assert [task.attempts for task in run.tasks] == [2, 1]
    assert path_of(run.task("step-1").artifacts("data")[0]).read_text() == "made"


def test_a_log_on_a_full_disk(disk, tmp_path):
    """The step does not fail by it; the user is told, and so is a reader of the log."""
    noisy = "head -c 300000 /dev/zero | tr '\\0' x"
    engine = start(disk, tmp_path, chain(tmp_path, (f"{MAKE}; echo before", noisy)))
    ballast = fill(disk.disk)
    open_gates(tmp_path)
    assert "output is missing from its log" in told(engine, 0)
    ballast.unlink()
    run = disk.show("latest", state="SUCCEEDED")
    assert run.task("step-0").log.startswith("before\n")


def test_a_commit_on_a_full_disk(disk, tmp_path):
    """The engine stops and says so; the keeper keeps the step's end until it is stored."""
    large = f"{MAKE}; head -c 6000000 /dev/zero | tr '\\0' x > \"$3\""
    file = chain(tmp_path, (large, 'echo x >> "$1/effects"'), outputs={"out": STRING})
    engine = start(disk, tmp_path, file)
    ballast = fill(disk.disk)
    open_gates(tmp_path)
    stderr = told(engine, 3)
    assert "is full" in stderr and "free some space" in stderr and "cresset resume" in stderr
    assert disk.show("latest").state == "RUNNING"
    # As long as it is full it says so again, and changes nothing.
    assert "free some space" in disk("resume", "latest", status=3).stderr
    ballast.unlink()
    run = disk.view("resume", "latest")
    assert len(run.task("step-0").parameters["out"]) == 6_000_000
    assert run.task("step-0").attempts == 1
    assert (tmp_path / "effects").read_text() == "x\n"


def test_a_backup_to_a_disk_that_is_too_small(cresset, tmp_path):
    """For the copy of the database already: that disk is full, and no run stands still."""
    open_gates(tmp_path)
    cresset.run(chain(tmp_path, ("true", "true")))
    with small_disk(tmp_path / "stick", size="16k") as folder:
        stderr = cresset("backup", folder / "b", status=3).stderr
        assert str(folder) in stderr and "is full" in stderr
        assert str(cresset.home) not in stderr and "resume" not in stderr
        assert list(folder.iterdir()) == []


def test_files_that_may_not_grow(cresset, tmp_path):
    """`ulimit -f` is like a full disk: writes fail, and nobody dies of SIGXFSZ."""
    noisy = "head -c 3000000 /dev/zero | tr '\\0' x; echo end"
    file = chain(tmp_path, (MAKE, noisy), ("true", MAKE))
    open_gates(tmp_path)
    limited = ["prlimit", "--fsize=2000000", "--"]
    outcome = cresset("run", file, prefix=limited)
    assert "output is missing from its log" in outcome.stderr
    run = cresset.show("latest", state="SUCCEEDED")
    assert run.task("step-0").said == "x" * 2_000_000


def test_no_names_left_for_the_next_step(disk, tmp_path):
    """The keeper cannot prepare it: that is no fault of the step, and `resume` starts it."""
    engine = start(disk, tmp_path, chain(tmp_path, (MAKE, "true"), ("true", MAKE)))
    ballast = fill_inodes(disk.disk)
    open_gates(tmp_path)
    stderr = told(engine, 3)
    assert "No space left on device" in stderr and "cresset resume" in stderr
    shutil.rmtree(ballast)
    run = disk.view("resume", "latest")
    assert [task.attempts for task in run.tasks] == [1, 1]


def test_a_home_without_a_name_left(tmp_path):
    with small_disk(tmp_path / "disk", size="24m", nr_inodes=20) as folder:
        program = Cresset(folder / "home")
        file = chain(tmp_path, (MAKE, "true"))
        ballast = fill_inodes(folder)
        outcome = program("run", file, status=3)
        assert "No space left on device" in outcome.stderr, str(outcome)
        shutil.rmtree(ballast)
        program.stop_everything()


def test_a_new_home_on_a_full_disk(tmp_path):
    with small_disk(tmp_path / "disk", size="1m") as folder:
        program = Cresset(folder / "home")
        file = chain(tmp_path, (MAKE, "true"))
        open_gates(tmp_path)
        ballast = fill(folder)
        outcome = program("run", file, status=3)
        assert "full" in outcome.stderr and str(folder) in outcome.stderr, str(outcome)
        ballast.unlink()
        program.stop_everything()


@pytest.mark.parametrize("doubt", ["as written", "of an earlier program"])
def test_a_read_only_home(disk, tmp_path, doubt):
    """It can be looked at; what would change it says why it cannot."""
    file = chain(tmp_path, (MAKE, "true"))
    open_gates(tmp_path)
    run = disk.run(file)
    disk.stop_everything()
    if doubt != "as written":
        (disk.home / "cresset.db-doubt").unlink()
    remount(disk.disk, "ro")
    try:
        for arguments in (["run", file], ["rm", run.id], ["gc"]):
            outcome = disk(*arguments, status=2)
            says = ("cannot be written", "Read-only file system")
            assert any(text in outcome.stderr for text in says), str(outcome)
            assert str(disk.home) in outcome.stderr
        assert [each["id"] for each in disk.runs()] == [run.id]
        assert disk.show(run.id).view == run.view
        assert disk.view("resume", run.id).view == run.view
        disk("backup", tmp_path / "backup.tar")
        assert run.task("step-0").log == ""
    finally:
        remount(disk.disk, "rw")
    assert disk.show(run.id).view == run.view


def damage_page(database, table):
    """Overwrites the head of the table's first page; what was there."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (size,) = connection.execute("PRAGMA page_size").fetchone()
        query = "SELECT rootpage FROM sqlite_master WHERE name = ?"
        (page,) = connection.execute(query, [table]).fetchone()
    with open(database, "r+b") as file:
        file.seek((page - 1) * size)
        before = file.read(100)
        file.seek((page - 1) * size)
        file.write(b"\xff" * 100)
    return (page - 1) * size, before


@pytest.mark.parametrize("table", ["event", "run", "sqlite_schema"])
def test_a_damaged_page_of_the_database(cresset, tmp_path, table):
    """An error that says so, and a page that is left as it is: with it mended, nothing is lost."""
    file = chain(tmp_path, (MAKE, "true"))
    open_gates(tmp_path)
    run = cresset.run(file)
    cresset.stop_everything()
    database = cresset.home / "cresset.db"
    if table == "sqlite_schema":
        at, before = 0, database.read_bytes()[:100]
        with open(database, "r+b") as stream:
            stream.write(b"\xff" * 100)
    else:
        at, before = damage_page(database, table)
    damaged = database.read_bytes()[at : at + 100]
    for arguments in (["show", run.id], ["resume", run.id], ["retry", run.id], ["rm", run.id]):
        outcome = cresset(*arguments, status=3)
        assert f"{database} is damaged" in outcome.stderr, str(outcome)
        assert outcome.stdout == ""
    assert f"{database} is damaged" in cresset("doctor", "--deep", status=1).stdout
    assert database.read_bytes()[at : at + 100] == damaged
    with open(database, "r+b") as stream:
        stream.seek(at)
        stream.write(before)
    assert cresset.show(run.id).view == run.view


def artifacts(tmp_path):
    """`make` makes an artifact that `read` reads once `gate` is there."""
    pipeline = Pipeline("artifacts")
    pipeline.task("make", pipeline.make(), {"text": "bytes"}, cached=True)
    script = 'touch "$2/begun"; while ! test -e "$2/gate"; do sleep 0.02; done; cat "$1"'
    read = pipeline.shell(
        "read",
        script,
        artifact("data"),
        str(tmp_path),
        artifacts={"data": "system.Dataset"},
    )
    pipeline.task("read", read, artifacts={"data": artifact_of("make")})
    return pipeline.write(tmp_path / "artifacts.yaml")


def test_a_deleted_artifact_is_not_taken_from_the_cache(cresset, tmp_path):
    file = artifacts(tmp_path)
    (tmp_path / "gate").touch()
    first = cresset.run(file)
    made = path_of(first.task("make").artifacts("data")[0])
    made.unlink()
    assert f"{made} of run {first.id} is gone" in cresset("doctor", "--deep", status=1).stdout
    outcome = cresset("run", file, "-o", "json")
    assert "is gone or was changed" in outcome.stderr
    second = cresset.show("latest", state="SUCCEEDED")
    assert not second.task("make").cached
    assert second.task("read").log == "bytes\n"
    assert cresset.run(file).task("make").cached


def test_an_artifact_that_is_deleted_during_its_run(cresset, tmp_path):
    """The step that reads it fails, and says of what; a new run makes it again."""
    file = artifacts(tmp_path)
    engine = cresset.start("run", file)
    eventually((tmp_path / "begun").exists, "the reader has begun")
    made = path_of(cresset.show("latest").task("make").artifacts("data")[0])
    made.unlink()
    (tmp_path / "gate").touch()
    told(engine, 1)
    failed = cresset.show("latest", state="FAILED")
    assert f"{made}: No such file or directory" in failed.task("read").error["log_tail"]
    assert failed.task("make").state == "SUCCEEDED"
    assert cresset.run(file).task("read").log == "bytes\n"
