"""Backups and restores that are ended by a signal, cut off, or older than the program."""

import contextlib
import random
import shutil
import signal
import subprocess
import tarfile

import pytest
from harness.cresset import Cresset, eventually, goes_on, path_of

SIGNALS = pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name
)
# More than is written before a signal comes; no disk has to hold it, for nobody fills the holes.
ENDLESS = 64 << 30


@pytest.fixture
def other(tmp_path):
    """The program with a second home, which does not exist yet."""
    program = Cresset(tmp_path / "second" / "home")
    yield program
    program.stop_everything()


@pytest.fixture
def backup(cresset, made, tmp_path):
    made()
    file = tmp_path / "b"
    cresset("backup", file)
    return file


def drafts(folder):
    return sorted(path.name for path in folder.glob(".*"))


def end_in_the_middle(program, number, draft, *arguments):
    """By a signal, once `draft` is there."""
    process = program.start(*arguments)
    try:
        eventually(lambda: draft.exists() or process.poll() is not None, "it writes")
        assert process.poll() is None, process.stderr.read()
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (process.returncode, stdout, stderr) == (-number, "", "")


@SIGNALS
@pytest.mark.parametrize("force", [[], ["--force"]], ids=["new", "over"])
def test_a_signal_ends_a_backup_and_leaves_nothing(cresset, other, made, tmp_path, number, force):
    run = made()
    file = tmp_path / "b"
    if force:
        file.write_text("precious")
    volume = cresset.home / "volumes/v"
    volume.mkdir(parents=True)
    with (volume / "large").open("wb") as large:
        large.truncate(ENDLESS)
    unfinished = tmp_path / ".b.cresset-backup.tmp"
    end_in_the_middle(cresset, number, unfinished, "backup", file, *force)
    assert drafts(tmp_path) == []
    assert file.read_text() == "precious" if force else not file.exists()
    (volume / "large").unlink()
    cresset("backup", file, *force)
    other("restore", file)
    assert [each["id"] for each in other.runs()] == [run.id]


@SIGNALS
def test_a_signal_ends_a_backup_that_still_reads_an_artifact(cresset, made, tmp_path, number):
    """Which was changed, so that its digest has to be found anew, for hours."""
    run = made()
    with path_of(run.task("make").artifacts("data")[0]).open("r+b") as artifact:
        artifact.truncate(16 * ENDLESS)
    snapshot = tmp_path / ".b.cresset-backup.d/locks"
    end_in_the_middle(cresset, number, snapshot, "backup", tmp_path / "b")
    assert drafts(tmp_path) == []


@SIGNALS
def test_a_signal_ends_a_restore_and_leaves_nothing(other, backup, tmp_path, number):
    endless = tmp_path / "endless"
    with tarfile.open(backup) as archive, endless.open("wb") as file:
        head = archive.next()
        text = archive.extractfile(head).read()
        # With a length of its own the file would be found to be cut off.
        text = text.replace(b'"format":2', b'"format":1')
        large = tarfile.TarInfo("home/volumes/v/large")
        large.size = ENDLESS
        file.write(head.tobuf() + text.ljust(512, b"\0") + large.tobuf(tarfile.PAX_FORMAT))
        file.truncate(2 * ENDLESS)
    written = other.home.parent / ".home.restoring/volumes/v/large"
    end_in_the_middle(other, number, written, "restore", endless)
    assert list(other.home.parent.iterdir()) == []
    other("restore", backup)
    assert len(other.runs()) == 1


@SIGNALS
def test_a_signal_at_any_moment_leaves_nothing(cresset, other, made, tmp_path, number):
    made()
    volume = cresset.home / "volumes/v"
    volume.mkdir(parents=True)
    for name in range(300):
        (volume / str(name)).write_bytes(bytes(30_000))
    file, whole = tmp_path / "b", tmp_path / "whole"
    cresset("backup", whole)
    dice = random.Random(number)
    ends = set()
    for _ in range(8):
        with contextlib.ExitStack() as both:
            for program, arguments in ((cresset, ("backup", file)), (other, ("restore", whole))):
                process = program.start(*arguments)
                both.callback(process.kill)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=dice.uniform(0, 0.3))
                process.send_signal(number)
                process.communicate(timeout=30)
                assert process.returncode in (0, -number)
                ends.add(process.returncode)
                placed = file if program is cresset else other.home
                assert placed.exists() or process.returncode != 0
        assert drafts(tmp_path) == []
        assert drafts(other.home.parent) == []
        file.unlink(missing_ok=True)
        shutil.rmtree(other.home, ignore_errors=True)
    assert -number in ends


def test_a_backup_that_waits_for_another_is_ended_at_once(cresset, made, tmp_path):
    made()
    volume = cresset.home / "volumes/v"
    volume.mkdir(parents=True)
    with (volume / "large").open("wb") as large:
        large.truncate(ENDLESS)
    first = cresset.start("backup", tmp_path / "first")
    try:
        eventually((tmp_path / ".first.cresset-backup.tmp").exists, "it writes")
        first.send_signal(signal.SIGSTOP)
        second = cresset.start("backup", tmp_path / "second")
        goes_on(second)
        second.send_signal(signal.SIGINT)
        assert second.wait(timeout=10) == -signal.SIGINT
        assert [name for name in drafts(tmp_path) if "second" in name] == []
    finally:
        first.send_signal(signal.SIGCONT)
        first.send_signal(signal.SIGTERM)
        first.communicate(timeout=30)
    assert drafts(tmp_path) == []


@pytest.mark.parametrize("part", [0, 0.01, 0.3, 0.6, 0.999])
def test_a_file_that_was_cut_off_is_told_as_such(other, backup, part):
    whole = backup.read_bytes()
    cut = whole[: int(len(whole) * part)]
    backup.write_bytes(cut)
    stderr = other("restore", backup, status=3).stderr
    assert f"{backup} ends early ({len(cut)} " in stderr
    assert "it was cut off; make it or copy it anew" in stderr and "damaged" not in stderr
    if len(cut) > 1024:
        assert f"{len(cut)} of {len(whole)} bytes" in stderr
    assert list(other.home.parent.iterdir()) == []


def test_a_changed_head_is_refused(other, backup):
    """Which no sum of tar covers."""
    whole = backup.read_bytes()
    backup.write_bytes(whole.replace(b'"runs":1', b'"runs":2', 1))
    assert "is damaged" in other("restore", backup, status=3).stderr
    assert not other.home.exists()
    backup.write_bytes(whole)
    other("restore", backup)


def test_the_manifest_has_a_line_for_the_head(backup):
    with tarfile.open(backup) as archive:
        names = archive.getnames()
        manifest = archive.extractfile("cresset-manifest.txt").read().decode()
    lines = [line.split(" ") for line in manifest.splitlines()]
    assert lines[0][0] == "h" and lines[0][-1] == names[0] == "cresset-backup.json"
    assert [f"home/{line[-1]}" for line in lines[1:]] == names[1:-1]
    assert all(len(line) == 6 for line in lines)
