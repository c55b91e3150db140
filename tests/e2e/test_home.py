"""The home on disk: backup and restore, gc and df, doctor --deep; with kill -9 in the middle."""

import contextlib
import fcntl
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import time

import pytest
from harness.cresset import Cresset, eventually, one_object, path_of, text_of
from harness.faults import FULL
from harness.homes import maker
from harness.pipelines import (
    INTEGER,
    Pipeline,
    output_artifact,
    output_file,
    output_of,
    parameter,
)

KILLS = 100 if FULL else 25


@pytest.fixture
def other(tmp_path):
    """The program with a second home, which does not exist yet."""
    program = Cresset(tmp_path / "second" / "home")
    yield program
    program.stop_everything()


@pytest.fixture
def gated(tmp_path):
    """A step that has run, then one that waits for the file `gate`."""
    pipeline = Pipeline("gated")
    started, gate = tmp_path / "started", tmp_path / "gate"
    pipeline.task("first", pipeline.make(), {"text": "kept"})
    # Like a checkpoint, its file has to be where it was put.
    slow = pipeline.shell(
        "slow",
        'echo mine > mine; echo begun; echo x >> "$1"; while ! test -e "$2"; do sleep 0.02; done; '
        "cat mine; echo ended",
        str(started),
        str(gate),
    )
    pipeline.task("slow", slow, after=["first"])
    return pipeline.write(tmp_path / "gated.yaml"), started, gate


def tree(home):
    """Every file of a home with its content, but what a look at the database may leave behind."""
    return {
        str(path.relative_to(home)): path.read_bytes()
        for path in sorted(home.rglob("*"))
        if path.is_file() and not path.name.endswith("-shm")
    }


def deep(cresset, *arguments, status=0):
    return json.loads(cresset("doctor", "--deep", *arguments, "-o", "json", status=status).stdout)


def of_verdict(checks, *verdicts, but=("torch", "compiler", "mounts", "disk", "python")):
    return [c for c in checks if c["verdict"] in verdicts and c["name"] not in but]


# ---- backup and restore ----


def test_a_restored_home_has_all(cresset, other, made, tmp_path):
    first, second = made(), made("--no-cache")
    third = made()
    (cresset.home / "secrets/token").mkdir(parents=True)
    (cresset.home / "secrets/token/key").write_text("secret")
    file = tmp_path / "backup.tar"
    told = one_object(cresset("backup", file, "-o", "json").stdout)
    assert told["runs"] == 3 and told["remarks"] == [] and told["bytes"] > 0
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.glob("backup*")] == ["backup.tar"]
    listed = subprocess.run(["tar", "-tf", file], capture_output=True, check=True).stdout.decode()
    assert listed.startswith("cresset-backup.json\nhome/cresset.db\n")

    restored = one_object(other("restore", file, "-o", "json").stdout)
    assert (restored["runs"], restored["files"], restored["bytes"]) == (
        3,
        told["files"],
        told["bytes"],
    )
    assert other.runs() == cresset.runs()
    for run in (first, second, third):
        there = other.show(run.id)
        assert there.states() == run.states()
        assert there.log == run.log
        here = path_of(run.task("make").artifacts("data")[0])
        moved = path_of(there.task("make").artifacts("data")[0])
        assert moved.is_relative_to(other.home)
        assert moved.read_bytes() == here.read_bytes()
    assert (other.home / "secrets/token/key").read_text() == "secret"
    assert other.home.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in other.home.parent.iterdir()] == ["home"]
    assert not of_verdict(deep(other), "bad", "warning")
    # What was made before is hit from where it is now.
    again = other.run(maker(tmp_path))
    assert again.task("make").cached
    assert path_of(again.task("make").artifacts("data")[0]).is_relative_to(other.home)


def test_a_backup_holds_what_links_of_the_home_lead_to(cresset, other, made, tmp_path):
    """Volumes and secrets may lie on another disk."""
    made()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "key").write_text("kept")
    (elsewhere / "link").symlink_to("key")
    for part, name in (("volumes", "data"), ("secrets", "token"), ("configmaps", "settings")):
        (cresset.home / part).mkdir()
        (cresset.home / part / name).symlink_to(elsewhere)
    (cresset.home / "volumes/lost").symlink_to(tmp_path / "nowhere")
    file = tmp_path / "b"
    (remark,) = one_object(cresset("backup", file, "-o", "json").stdout)["remarks"]
    assert "volumes/lost is a link that leads nowhere" in remark
    other("restore", file)
    for name in ("volumes/data", "secrets/token", "configmaps/settings"):
        assert not (other.home / name).is_symlink()
        assert (other.home / name / "key").read_text() == "kept"
        assert (other.home / name / "link").is_symlink()
    assert not (other.home / "volumes/lost").exists()
    assert not of_verdict(deep(other), "bad", "warning")


def test_a_backup_names_what_it_lacks_and_nothing_else(cresset, other, made, tmp_path):
    """Imported: into the workspace, from another run, from elsewhere, from a scratch folder."""
    first = path_of(made().task("make").artifacts("data")[0])
    outside, cached = tmp_path / "outside", cresset.home / "models/weights"
    for path in (outside, cached):
        path.parent.mkdir(exist_ok=True)
        path.write_text("bytes")
    pipeline = Pipeline("imports")
    pipeline.config = {"workspace": {"size": "1Gi"}}
    copy = pipeline.importer("copy", str(outside), downloadToWorkspace=True)
    pipeline.task("copy", copy, {"uri": str(outside)})
    for name, path in (("other", first), ("outside", outside), ("cached", cached)):
        pipeline.task(name, pipeline.importer(name, str(path)), {"uri": str(path)})
    cresset.run(pipeline.write(tmp_path / "imports.yaml"))
    file = tmp_path / "b"
    remarks = one_object(cresset("backup", file, "-o", "json").stdout)["remarks"]
    assert len(remarks) == 2
    for path, where in ((outside, "outside the home"), (cached, "takes nothing of the home")):
        assert [r for r in remarks if r.startswith(str(path)) and where in r]
    other("restore", file)
    restored = path_of(other.show("latest").task("copy").artifacts("artifact")[0])
    assert restored.is_relative_to(other.home) and restored.read_text() == "bytes"


def test_backup_goes_on_beside_a_live_run(cresset, other, gated, tmp_path):
    file, started, gate = gated
    engine = cresset.start("run", file)
    eventually(
        lambda: started.exists() and cresset.show("latest").task("slow").state == "RUNNING",
        "the step has begun, and it is noted",
    )
    backup = tmp_path / "backup.tar"
    cresset("backup", backup)
    assert engine.poll() is None
    gate.touch()
    assert engine.wait(timeout=30) == 0
    # In the copy nobody drives the run: it says so, and goes on from where it was.
    other("restore", backup)
    (listed,) = other.runs()
    assert listed["state"] == "RUNNING" and listed["interrupted"] is True
    assert "cresset resume" in other("show", "latest").stdout
    assert "interrupted" in other("ls").stdout
    leases = [check for check in deep(other) if check["name"] == "lease"]
    assert len(leases) == 1 and leases[0]["verdict"] == "warning"
    run = other.view("resume", "latest")
    assert run.task("first").attempts == 1
    assert run.task("slow").attempts == 2
    assert text_of(run.task("first").artifacts("data")[0]) == "kept"
    assert started.read_text() == "x\nx\n"
    assert not of_verdict(deep(other), "bad", "warning")


def test_a_backup_replaces_nothing_unless_told(cresset, made, tmp_path):
    made()
    file = tmp_path / "precious"
    file.write_text("precious")
    cresset.refuses("backup", file, says="--force")
    assert file.read_text() == "precious"
    cresset("backup", file, "--force")
    assert file.stat().st_size > 10_000
    cresset.refuses("backup", tmp_path / "no/such/folder/file", says="there is no folder")
    for name in ("", "-"):
        cresset.refuses("backup", name, says=f'"{name}" is no file')
    cresset.refuses("restore", "", says="name a backup")
    # What others call theirs is theirs.
    (tmp_path / "b.tmp").write_text("mine")
    (tmp_path / "b.tmp.d").mkdir()
    (tmp_path / "b.tmp.d/file").write_text("mine")
    (tmp_path / "link").symlink_to("b")
    told = one_object(cresset("backup", tmp_path / "link", "-o", "json").stdout)
    assert told["file"] == str(tmp_path / "b")
    cresset("backup", tmp_path / "link", "--force")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "b").stat().st_size > 10_000
    assert (tmp_path / "b.tmp").read_text() == (tmp_path / "b.tmp.d/file").read_text() == "mine"
    assert not list(tmp_path.glob(".*cresset-backup*"))


def test_backup_of_no_home(cresset, tmp_path):
    cresset("backup", tmp_path / "b", status=2)
    assert not cresset.home.exists()
    assert not (tmp_path / "b").exists()


def test_restore_refuses_a_home_that_is_not_empty(cresset, other, made, tmp_path):
    made()
    file = tmp_path / "b"
    cresset("backup", file)
    before = tree(cresset.home)
    cresset.refuses("restore", file, says="not empty")
    assert tree(cresset.home) == before
    other.home.mkdir(parents=True)
    (other.home / "mine").write_text("mine")
    other("restore", file, status=2)
    assert tree(other.home) == {"mine": b"mine"}
    (other.home / "mine").unlink()
    other("restore", file)
    assert len(other.runs()) == 1


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "noise", "folder", "absent"])
def test_restore_refuses_what_is_no_whole_backup(cresset, other, made, tmp_path, damage):
    run = made()
    file = tmp_path / "b"
    cresset("backup", file)
    whole = file.read_bytes()
    status = 3
    if damage == "empty":
        file.write_bytes(b"")
    elif damage == "cut":
        file.write_bytes(whole[: len(whole) // 2])
    elif damage == "flipped":
        at = whole.rindex(text_of(run.task("make").artifacts("data")[0]).encode()) + 17
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    elif damage == "noise":
        file.write_bytes(random.Random(1).randbytes(100_000))
    else:
        file.unlink()
        status = 2
        if damage == "folder":
            file.mkdir()
    outcome = other("restore", file, status=status)
    assert outcome.stdout == "" and str(file) in outcome.stderr
    assert not other.home.exists()
    assert list(other.home.parent.iterdir()) == []


def test_a_newer_backup_is_refused(cresset, other, made, tmp_path):
    made()
    file = tmp_path / "b"
    cresset("backup", file)
    unpacked = tmp_path / "unpacked"
    unpacked.mkdir()
    subprocess.run(["tar", "-xf", file, "-C", unpacked], check=True)
    head = json.loads((unpacked / "cresset-backup.json").read_text())
    (unpacked / "cresset-backup.json").write_text(
        json.dumps({**head, "format": head["format"] + 1})
    )
    subprocess.run(["tar", "-cf", file, "-C", unpacked, "cresset-backup.json", "home"], check=True)
    assert "newer Cresset" in other("restore", file, status=2).stderr
    assert not other.home.exists()


def kill_at(program, delay, *arguments):
    process = program.start(*arguments)
    time.sleep(delay)
    process.kill()
    process.communicate()
    return process.returncode != 0


class Moments:
    """Random moments within what takes `seconds`, until KILLS of them have cut it off."""

    def __init__(self, seconds, seed):
        self.dice = random.Random(seed)
        self.seconds = seconds
        self.killed = 0

    def __iter__(self):
        for _ in range(4 * KILLS):
            if self.killed == KILLS:
                return
            yield self.dice.uniform(0, self.seconds)
        raise AssertionError(f"only {self.killed} kills came in time")

    def count(self, was_killed):
        """One that came too late makes the next ones come earlier."""
        self.killed += was_killed
        if not was_killed:
            self.seconds *= 0.9


def seconds_of(action):
    begin = time.monotonic()
    action()
    return time.monotonic() - begin


def big_home(cresset, tmp_path):
    for number in range(3):
        cresset.run(maker(tmp_path, f"big-{number}", 10_000))
    blob = path_of(cresset.show("latest").task("make").artifacts("data")[0])
    for number in range(200):
        (cresset.home / "volumes/v").mkdir(parents=True, exist_ok=True)
        (cresset.home / f"volumes/v/{number}").write_bytes(os.urandom(50_000))
    return blob


def test_kill_9_of_a_backup(cresset, other, tmp_path):
    big_home(cresset, tmp_path)
    file = tmp_path / "b"
    moments = Moments(seconds_of(lambda: cresset("backup", file)), 5)
    file.unlink()
    for moment in moments:
        moments.count(kill_at(cresset, moment, "backup", file))
        if not file.exists():
            continue
        other("restore", file)
        assert len(other.runs()) == 3
        shutil.rmtree(other.home)
        file.unlink()
    cresset("backup", file)
    assert sorted(path.name for path in tmp_path.glob("b*")) == [
        "b",
        "big-0.yaml",
        "big-1.yaml",
        "big-2.yaml",
    ]
    other("restore", file)
    assert not of_verdict(deep(other), "bad", "warning")
    assert not of_verdict(deep(cresset), "bad", "warning")


def test_kill_9_of_a_restore(cresset, other, tmp_path):
    big_home(cresset, tmp_path)
    file = tmp_path / "b"
    cresset("backup", file)
    moments = Moments(seconds_of(lambda: other("restore", file)), 6)
    shutil.rmtree(other.home)
    for moment in moments:
        moments.count(kill_at(other, moment, "restore", file))
        if other.home.exists():
            assert other.runs() == cresset.runs()
            assert not of_verdict(deep(other), "bad", "warning")
            shutil.rmtree(other.home)
        else:
            assert other.runs() == []
    other("restore", file)
    assert [path.name for path in other.home.parent.iterdir()] == ["home"]
    assert other.runs() == cresset.runs()


def test_backups_at_any_moment_of_a_run_hold_all_of_it(cresset, other, tmp_path):
    """Each goes on to the same result, and no step that was done is done again."""
    pipeline = Pipeline("chain")
    effects, gates = tmp_path / "effects", tmp_path / "gates"
    gates.mkdir()
    add = pipeline.shell(
        "add",
        'while ! test -e "$6/$1"; do sleep 0.01; done; '
        'echo "$1" >> "$2"; sleep 0.02; echo "$1" > "$4"; echo $(($3 + 1)) > "$5"',
        parameter("number"),
        str(effects),
        parameter("before"),
        output_artifact(),
        output_file(),
        str(gates),
        inputs={"number": INTEGER, "before": INTEGER},
        outputs={"out": INTEGER},
        made={"data": "system.Dataset"},
    )
    for number in range(30):
        before = output_of(f"step-{number - 1:02}") if number else 0
        pipeline.task(f"step-{number:02}", add, {"number": number, "before": before})
    pipeline.gives("out", INTEGER, ("step-29", "out"))
    engine = cresset.start("run", pipeline.write(tmp_path / "chain.yaml"))
    eventually(cresset.runs, "the run is accepted")

    def begun():
        return len(effects.read_text().split()) if effects.exists() else 0

    # Each begins while steps go on, and most see some of them end; the run waits for the next.
    files = []
    for last in (4, 12, 20, 28):
        before = begun()
        for number in range(last + 1):
            (gates / str(number)).touch()
        eventually(lambda before=before: begun() > before + 2, "some more steps have begun")
        files.append(tmp_path / f"backup-{len(files)}")
        cresset("backup", files[-1])
        eventually(lambda last=last: begun() == last + 1, "the run waits at the next gate")
    (gates / "29").touch()
    assert engine.wait(timeout=30) == 0
    files.append(tmp_path / "whole")
    cresset("backup", files[-1])
    assert begun() == 30
    counts = []
    for file in files:
        other("restore", file)
        assert not of_verdict(deep(other), "bad")
        done = [t for t in other.show("latest").tasks if t.state == "SUCCEEDED"]
        for task in done:
            assert text_of(task.artifacts("data")[0]) == f"{int(task.name[5:])}\n"
        counts.append(len(done))
        effects.write_text("")
        assert other.view("resume", "latest").parameters == {"out": 30}
        assert begun() == 30 - len(done)
        other.stop_everything()
        shutil.rmtree(other.home)
    assert counts == sorted(counts) and counts[-2] < 30 and counts[-1] == 30


def test_a_backup_on_a_full_disk(cresset, made, tmp_path):
    """No file may grow beyond 100,000 bytes: as if the disk were full then."""
    made()
    whole = tmp_path / "backup"
    cresset("backup", whole)
    (cresset.home / "volumes").mkdir()
    (cresset.home / "volumes/data").write_bytes(bytes(200_000))
    before = whole.read_bytes()
    for file, force in ((tmp_path / "other", []), (whole, ["--force"])):
        limited = ["prlimit", "--fsize=100000", "--"]
        outcome = cresset("backup", file, *force, prefix=limited, status=3)
        assert "too large" in outcome.stderr and outcome.stdout == ""
    assert whole.read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"made.yaml", "backup", "home"}


def test_a_backup_does_not_go_into_the_home(cresset, made):
    made()
    (cresset.home / "volumes").mkdir()
    cresset.refuses("backup", cresset.home / "volumes/b", says="lies in the home")
    assert list((cresset.home / "volumes").iterdir()) == []


@contextlib.contextmanager
def stopped_backup(program, file, *arguments):
    """A backup that is under way and stands still; then it goes on to its end."""
    (program.home / "volumes").mkdir(exist_ok=True)
    with (program.home / "volumes/large").open("wb") as large:
        large.truncate(150_000_000)
    process = program.start("backup", file, *arguments)
    unfinished = file.with_name(f".{file.name}.cresset-backup.tmp")
    eventually(unfinished.exists, "it writes")
    process.send_signal(signal.SIGSTOP)
    assert process.poll() is None
    try:
        yield
        assert unfinished.exists()
    finally:
        process.send_signal(signal.SIGCONT)
    stderr = process.communicate(timeout=60)[1]
    assert process.returncode == 0, stderr


def test_no_run_is_removed_while_a_backup_needs_it(cresset, other, made, tmp_path):
    run = made()
    with stopped_backup(cresset, tmp_path / "b"):
        assert "backup" in cresset("rm", run.id, status=2).stderr
        assert len(cresset.runs()) == 1
    cresset("rm", run.id)
    other("restore", tmp_path / "b")
    assert [each["id"] for each in other.runs()] == [run.id]


def test_two_homes_do_not_write_one_file_at_once(cresset, other, made, tmp_path):
    run = made()
    other.run(maker(tmp_path, "others"))
    file = tmp_path / "b"
    with stopped_backup(cresset, file):
        other.refuses("backup", file, says="another `cresset backup`")
        other.refuses("backup", file, "--force", says="another `cresset backup`")
    assert [path.name for path in tmp_path.glob("b*")] == ["b"]
    third = Cresset(tmp_path / "third")
    third("restore", file)
    assert [each["id"] for each in third.runs()] == [run.id]
    other("backup", file, "--force")


def test_restore_through_a_link_makes_the_home_where_it_leads(cresset, made, tmp_path):
    made()
    cresset("backup", tmp_path / "b")
    for name, exists in (("empty", True), ("absent", False)):
        place = tmp_path / "disk" / name
        if exists:
            place.mkdir(parents=True)
        (tmp_path / name).symlink_to(place)
        program = Cresset(tmp_path / name)
        program("restore", tmp_path / "b")
        assert (tmp_path / name).is_symlink() and place.is_dir()
        assert len(program.runs()) == 1


# ---- gc and df ----


def test_gc_by_count_and_size(cresset, tmp_path):
    ids = []
    for _ in range(4):
        ids.append(cresset.run(maker(tmp_path, "counted"), "--no-cache").id)
    cresset.run(maker(tmp_path, "single"))
    dry = one_object(cresset("gc", "--keep-last", 2, "--dry-run", "-o", "json").stdout)
    assert [run["id"] for run in dry["runs"]] == ids[:2]
    assert not [item for item in dry["items"] if ids[0] in item["path"]]
    assert [item for item in dry["items"] if ids[2] in item["path"]]
    assert len(cresset.runs()) == 5
    text = cresset("gc", "--keep-last", 2).stdout
    assert text.startswith("2 runs with all files and 3 other folders removed, ")
    assert [run["id"] for run in cresset.runs()][1:] == [ids[3], ids[2]]
    assert not list(cresset.home.rglob(f"*{ids[0]}*"))
    outcome = cresset("gc", "--keep-last", 0, "--pipeline", "contued")
    assert 'no run of a pipeline "contued" (did you mean "counted"?)' in outcome.stderr
    assert len(cresset.runs()) == 3
    cresset("gc", "--max-size", "1", "--pipeline", "counted", "--keep-last", 1)
    assert sorted(run["pipeline"] for run in cresset.runs()) == ["counted", "single"]
    cresset("gc", "--older-than", "1d")
    assert len(cresset.runs()) == 2
    cresset("gc", "--older-than", "0s")
    assert cresset.runs() == []
    assert not of_verdict(deep(cresset), "bad", "warning")


@pytest.mark.parametrize(
    "arguments", [["--older-than", "3w"], ["--max-size", "much"], ["--keep-last", "x"],
                  ["--pipeline", "p"]], ids=lambda words: words[0]
)  # fmt: skip
def test_gc_refuses_what_it_does_not_understand(cresset, made, arguments):
    made()
    cresset.refuses("gc", *arguments, says=arguments[0].lstrip("-"))


def test_gc_keeps_what_others_took_from_the_cache(cresset, made):
    first = made()
    second = made()
    assert second.task("make").cached
    told = one_object(cresset("gc", "--keep-last", 1, "-o", "json").stdout)
    assert told["runs"] == []
    assert text_of(second.task("make").artifacts("data")[0])
    cresset("gc", "--keep-last", 0)
    assert cresset.runs() == []
    assert not list(cresset.home.rglob(f"*{first.id}*"))


def test_gc_spares_live_and_interrupted_runs(cresset, gated):
    file, started, gate = gated
    engine = cresset.start("run", file)
    eventually(started.exists, "the step has begun")
    cresset("gc", "--keep-last", 0, "--older-than", "0s")
    assert len(cresset.runs()) == 1
    engine.kill()
    engine.wait()
    cresset("gc", "--keep-last", 0)
    assert len(cresset.runs()) == 1
    gate.touch()
    view = cresset.view("resume", "latest")
    assert view.task("slow").attempts == 1 and "mine\nended" in view.log


def test_gc_spares_the_working_folders_of_a_run_that_is_reopened(cresset, tmp_path):
    """Under its lock, which whoever reopens it takes as well."""
    pipeline = Pipeline("broken")
    gate = tmp_path / "gate"
    script = 'echo mine > mine; echo begun; test -e "$1" || exit 1; sleep 0.3; cat mine'
    pipeline.task("step", pipeline.shell("step", script, str(gate)))
    run = cresset.run(pipeline.write(tmp_path / "broken.yaml"), state="FAILED")
    lock = os.open(cresset.home / "locks" / run.id, os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        assert one_object(cresset("gc", "-o", "json").stdout)["items"] == []
        assert list((cresset.home / "runs" / run.id / "work").glob("*/mine"))
    finally:
        os.close(lock)
    assert one_object(cresset("gc", "-o", "json").stdout)["items"]
    gate.touch()
    assert "mine" in cresset.view("retry", "latest").log


def test_kill_9_of_gc(cresset, tmp_path):
    file = maker(tmp_path)
    dice = random.Random(7)

    def make_runs():
        for _ in range(4):
            cresset.run(file, "--no-cache")
        cresset.run(file)

    make_runs()
    seconds = seconds_of(lambda: cresset("gc", "--keep-last", 1))
    killed = 0
    for _ in range(10):
        make_runs()
        in_time = kill_at(cresset, dice.uniform(0, seconds), "gc", "--keep-last", 1)
        killed += in_time
        if not in_time:
            seconds *= 0.8
        checks = deep(cresset)
        assert not of_verdict(checks, "bad")
        for run in cresset.runs():
            view = cresset.show(run["id"], state="SUCCEEDED")
            assert text_of(view.task("make").artifacts("data")[0])
    assert killed >= 3
    cresset("gc", "--keep-last", 0)
    assert cresset.runs() == []
    assert not of_verdict(deep(cresset), "bad", "warning")
    assert not [path for path in (cresset.home / "artifacts").rglob("*") if path.is_file()]


# ---- doctor --deep ----


def test_doctor_finds_a_changed_and_a_lost_artifact(cresset, made, tmp_path):
    changed, lost = made("--no-cache"), made("--no-cache")
    path_of(changed.task("make").artifacts("data")[0]).write_text("other bytes")
    path_of(lost.task("make").artifacts("data")[0]).unlink()
    bad = of_verdict(deep(cresset, status=1), "bad")
    assert len(bad) == 2
    assert {changed.id in check["finding"] for check in bad} == {True, False}
    assert any("gone" in check["finding"] for check in bad)
    assert all(check["help"] for check in bad)
    # A backup of it says what it lacks.
    assert "is gone" in cresset("backup", tmp_path / "b").stderr
    repaired = of_verdict(deep(cresset, "--repair"), "bad")
    assert all(check["repaired"] for check in repaired)
    assert not made().task("make").cached


def test_doctor_finds_bytes_that_rotted(cresset, tmp_path):
    """Size and times as they were: only reading tells."""
    pipeline = Pipeline("rotten")
    script = 'head -c 400000 /dev/zero > "$1"'
    step = pipeline.shell("make", script, output_artifact(), made={"data": "system.Dataset"})
    pipeline.task("make", step)
    run = cresset.run(pipeline.write(tmp_path / "rotten.yaml"))
    path = path_of(run.task("make").artifacts("data")[0])
    assert not of_verdict(deep(cresset), "bad")
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(1000)
        file.write(b"X")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert str(path) in of_verdict(deep(cresset, status=1), "bad")[0]["finding"]


def test_doctor_takes_what_the_events_say(cresset, made):
    run = made()
    with sqlite3.connect(cresset.home / "cresset.db") as database:
        database.execute("UPDATE run SET state = 'RUNNING', finished_at = NULL")
    bad = of_verdict(deep(cresset, status=1), "bad")
    assert len(bad) == 1 and "SUCCEEDED" in bad[0]["finding"]
    deep(cresset, "--repair")
    assert cresset.runs()[0]["state"] == "SUCCEEDED"
    assert not of_verdict(deep(cresset), "bad", "warning")
    assert cresset.show(run.id).view == run.view


def test_doctor_finds_what_the_database_lost(cresset, made):
    run = made()
    with sqlite3.connect(cresset.home / "cresset.db") as database:
        database.execute("DELETE FROM event WHERE seq = 2")
    findings = " ".join(check["finding"] for check in of_verdict(deep(cresset, status=1), "bad"))
    assert run.id in findings and "event 2 is missing" in findings


def test_doctor_finds_a_damaged_page(cresset, made):
    made()
    eventually(lambda: not cresset.processes(), "the keeper has ended", timeout=60)
    with sqlite3.connect(cresset.home / "cresset.db") as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        root = "SELECT rootpage FROM sqlite_schema WHERE name = 'event'"
        (page,) = database.execute(root).fetchone()
    database.close()
    with (cresset.home / "cresset.db").open("r+b") as file:
        file.seek((page - 1) * 4096 + 1000)
        file.write(b"\xa5" * 3000)
    bad = of_verdict(deep(cresset, status=1), "bad")
    assert {check["name"] for check in bad} >= {"database"}
    assert all(check["help"] for check in bad if check["name"] == "database")


def test_doctor_removes_leftovers(cresset, made):
    run = made()
    gone = "00000000-0000-4000-8000-000000000000"
    orphan = cresset.home / "runs" / gone / "logs"
    orphan.mkdir(parents=True)
    (cresset.home / "locks" / gone).touch()
    stale = cresset.home / "digests/.tmp-1-1"
    stale.parent.mkdir(exist_ok=True)
    stale.touch()
    fresh = cresset.home / "digests/.tmp-1-2"
    fresh.touch()
    old = time.time() - 2 * 24 * 3600
    os.utime(stale, (old, old))
    assert len(of_verdict(deep(cresset), "warning")) == 3
    deep(cresset, "--repair")
    assert not orphan.parent.exists() and not (cresset.home / "locks" / gone).exists()
    assert not stale.exists() and fresh.exists()
    assert not of_verdict(deep(cresset), "warning", "bad")
    assert cresset.show(run.id).view == run.view


def test_doctor_of_a_torn_keeper_journal(cresset, made):
    made()
    eventually(lambda: not cresset.processes(), "the keeper has ended", timeout=60)
    journal = cresset.home / "keeper/journal"
    with journal.open("ab") as file:
        file.write(b"\x20\0\0\0half")
    (check,) = [check for check in deep(cresset) if check["name"] == "keeper"]
    assert check["verdict"] == "warning"
    assert made("--no-cache").state == "SUCCEEDED"


def test_repair_needs_deep(cresset, made):
    made()
    cresset.refuses("doctor", "--repair", says="--deep")


# ---- homes that are not ours to touch ----


@pytest.mark.parametrize(
    "verb", [["ls"], ["show", "latest"], ["run"], ["gc"], ["df"], ["doctor"], ["backup"],
             ["resume", "latest"], ["rm", "latest"]], ids=lambda words: words[0]
)  # fmt: skip
@pytest.mark.parametrize("what", ["newer", "foreign"])
def test_a_newer_or_foreign_home_is_untouched(cresset, made, tmp_path, verb, what):
    if what == "newer":
        made()
        eventually(lambda: not cresset.processes(), "the keeper has ended", timeout=60)
        with sqlite3.connect(cresset.home / "cresset.db") as database:
            database.execute("PRAGMA user_version = 999")
        database.close()
    else:
        cresset.home.mkdir()
        with sqlite3.connect(cresset.home / "cresset.db") as database:
            database.execute("CREATE TABLE cats (name TEXT)")
        database.close()
    before = tree(cresset.home)
    more = {"run": [maker(tmp_path)], "backup": [tmp_path / "b"]}.get(verb[0], [])
    status = 0 if verb == ["doctor"] else 2
    outcome = cresset(*verb, *more, status=status)
    told = outcome.stdout if verb == ["doctor"] else outcome.stderr
    assert ("newer Cresset" if what == "newer" else "another program") in told
    assert tree(cresset.home) == before
