"""Homes in which something is missing or has been changed: what is damaged is said, and left."""

import hashlib
import json
import shutil
import sqlite3

import pytest
from harness.cresset import Cresset, eventually, path_of
from harness.pipelines import Pipeline, artifact_of


def deep(cresset, *arguments, status=0):
    return json.loads(cresset("doctor", "--deep", *arguments, "-o", "json", status=status).stdout)


def of_verdict(checks, *verdicts, but=("torch", "compiler", "mounts", "disk", "python")):
    return [c for c in checks if c["verdict"] in verdicts and c["name"] not in but]


def change(cresset, sql, *values):
    """Nobody but us has the database open."""
    eventually(lambda: not cresset.processes(), "the keeper has ended", timeout=60)
    with sqlite3.connect(cresset.home / "cresset.db") as database:
        assert database.execute(sql, values).rowcount > 0
    database.close()


def rows(cresset):
    with sqlite3.connect(cresset.home / "cresset.db") as database:
        found = {
            table: database.execute(f"SELECT * FROM {table}").fetchall()
            for table in ("run", "event", "definition", "spec")
        }
    database.close()
    # Who takes a run over, if only to look, leaves a token.
    found["run"] = [row[:-1] for row in found["run"]]
    return found


@pytest.fixture
def chain(cresset, tmp_path):
    """Three steps that leave a line each time they run; the last one fails."""
    ran = tmp_path / "ran"
    pipeline = Pipeline("chain")
    pipeline.task("make", pipeline.make(), {"text": "bytes"})
    for name, after in (("first", "make"), ("second", "first")):
        step = pipeline.shell(name, f'echo {name} >> "$1"', str(ran))
        pipeline.task(name, step, after=[after])
    pipeline.task("last", pipeline.shell("last", "exit 3"), after=["second"])
    pipeline.task("read", pipeline.read(), artifacts={"data": artifact_of("make")})
    run = cresset.run(pipeline.write(tmp_path / "chain.yaml"), state="FAILED")
    return run, ran


def other_spec():
    pipeline = Pipeline("chain")
    pipeline.task("only", pipeline.shell("only", "true"))
    return pipeline


SUCCEEDED = "json_extract(payload, '$.event') = 'succeeded'"
DAMAGE = {
    "no-submitted": ("DELETE FROM event WHERE seq = 1", "event 1 is missing"),
    "no-succeeded": (
        f"DELETE FROM event WHERE seq = (SELECT min(seq) FROM event WHERE {SUCCEEDED})",
        "is missing",
    ),
    "task": (
        """UPDATE event SET payload = '{"event":"running","task":99,"attempt":1}' WHERE seq = 4""",
        "event 4: it is about task 99",
    ),
    "attempt": (
        """UPDATE event SET payload = '{"event":"running","task":1,"attempt":9}' WHERE seq = 4""",
        "event 4: it is about attempt 9",
    ),
    "torn": ("UPDATE event SET payload = '{\"event' WHERE seq = 3", "event 3: "),
    "time": (f"UPDATE event SET at = {2**62} WHERE seq = 3", "event 3: its time"),
    "spec": (None, "event"),
    "spec-text": ("UPDATE spec SET text = text || ' '", "not the one that was stored"),
    "no-spec": ("DELETE FROM definition", "its pipeline is not stored"),
    "end": (
        "DELETE FROM event WHERE seq = (SELECT max(seq) FROM event)",
        "last events are missing",
    ),
}


def spoil(cresset, tmp_path, how):
    sql, told = DAMAGE[how]
    if sql:
        change(cresset, sql)
    else:
        text = other_spec().write(tmp_path / "other.yaml").read_text()
        digest = hashlib.sha256(text.encode()).hexdigest()
        change(cresset, "UPDATE spec SET text = ?, digest = ?", text, digest)
    return told


@pytest.mark.parametrize("state", ["FAILED", "RUNNING"])
@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_run_is_told_and_left(cresset, chain, tmp_path, how, state):
    run, ran = chain
    told = spoil(cresset, tmp_path, how)
    if state == "RUNNING":
        if how == "end":
            pytest.skip("an unfinished run whose end is missing is one that was interrupted")
        change(cresset, "UPDATE run SET state = 'RUNNING', finished_at = NULL")
    before = rows(cresset)
    lines = ran.read_text()

    # A history without its end can be read.
    looks = [] if how == "end" else [["show"], ["logs"], ["artifacts"]]
    for verb in [*looks, ["resume"], ["retry"]]:
        outcome = cresset(*verb, "latest", status=3)
        assert told in outcome.stderr and run.id in outcome.stderr, verb
        assert "cresset rm" in outcome.stderr and "backup" in outcome.stderr, verb
        assert "not lost" not in outcome.stderr
    cresset("cancel", "latest", status=3 if state == "RUNNING" else 2)
    assert cresset.runs()[0]["state"] == state
    assert cresset.runs()[0]["interrupted"] is False

    for repair in [[], ["--repair"]]:
        bad = of_verdict(deep(cresset, *repair, status=1), "bad")
        assert len(bad) == 1, bad
        assert bad[0]["name"] == "run" and run.id in bad[0]["finding"]
        assert told in bad[0]["finding"] + bad[0]["help"]
        assert bad[0]["repaired"] is False
    assert rows(cresset) == before
    assert ran.read_text() == lines

    cresset("rm", "latest")
    assert cresset.runs() == []
    assert not [path for path in cresset.home.rglob("*") if run.id in str(path)]


def test_a_damaged_run_that_is_driven_is_not_removed(cresset, tmp_path):
    pipeline = Pipeline()
    begun = tmp_path / "begun"
    pipeline.task("slow", pipeline.shell("slow", f"touch {begun}; sleep 60"))
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"), "--detach", state=None)
    eventually(begun.exists, "the step began")
    with sqlite3.connect(cresset.home / "cresset.db") as database:
        database.execute("UPDATE spec SET text = '{}'")
    database.close()
    cresset("rm", run.id, status=2)
    assert len(cresset.runs()) == 1


def test_one_damaged_run_hides_no_other(cresset, chain, tmp_path):
    change(cresset, "DELETE FROM event WHERE seq = 2")
    change(cresset, "UPDATE run SET state = 'RUNNING', finished_at = NULL")
    pipeline = Pipeline("fine")
    pipeline.task("make", pipeline.make(), {"text": "x"})
    fine = cresset.run(pipeline.write(tmp_path / "fine.yaml"))
    assert [run["id"] for run in cresset.runs()] == [fine.id, chain[0].id]
    assert "damaged" in cresset("ls").stdout
    assert cresset.show(fine.id).state == "SUCCEEDED"


# ---- the database is lost ----


def files(home):
    return {
        str(path.relative_to(home))
        for path in home.rglob("*")
        if path.is_file() and not path.name.startswith("cresset.db")
    }


@pytest.mark.parametrize("how", ["removed", "emptied", "log-stays"])
def test_no_new_database_beside_what_an_older_one_knew(cresset, chain, tmp_path, how):
    run, _ = chain
    eventually(lambda: not cresset.processes(), "the keeper has ended", timeout=60)
    kept = {path: path.read_bytes() for path in cresset.home.glob("cresset.db*")}
    before = files(cresset.home)
    for path in kept:
        if how == "emptied":
            path.write_bytes(b"")
        elif how == "removed" or not path.name.endswith("-wal"):
            path.unlink()
    verbs = [["ls"], ["show", run.id], ["run", tmp_path / "chain.yaml"], ["gc"], ["gc", "-n"]]
    verbs += [["df"], ["backup", tmp_path / "b"], ["rm", run.id], ["gc", "--keep-last", "0"]]
    for verb in verbs:
        outcome = cresset(*verb, status=3)
        assert "cresset.db" in outcome.stderr and "backup" in outcome.stderr, verb
    for repair in [[], ["--repair"]]:
        bad = of_verdict(deep(cresset, *repair, status=1), "bad")
        assert [check["name"] for check in bad] == ["home"]
    assert files(cresset.home) == before
    for path, content in kept.items():
        path.write_bytes(content)
    assert cresset.show(run.id).view == run.view


def test_a_new_home_of_which_only_folders_are_there(cresset, tmp_path):
    for name in ("runs", "artifacts", "secrets/s"):
        (cresset.home / name).mkdir(parents=True)
    (cresset.home / "cresset.db").touch()
    pipeline = Pipeline()
    pipeline.task("make", pipeline.make(), {"text": "x"})
    cresset.run(pipeline.write(tmp_path / "p.yaml"))


def test_what_is_older_than_the_database_is_not_left_over(cresset, chain, tmp_path):
    run, _ = chain
    eventually(lambda: not cresset.processes(), "the keeper has ended", timeout=60)
    aside = cresset.home.parent / "aside"
    aside.mkdir()
    for name in ("runs", "artifacts"):
        (cresset.home / name).rename(aside / name)
    for path in cresset.home.glob("cresset.db*"):
        path.unlink()
    pipeline = Pipeline("new")
    pipeline.task("make", pipeline.make(), {"text": "x"})
    cresset.run(pipeline.write(tmp_path / "new.yaml"))
    for name in ("runs", "artifacts"):
        for path in (aside / name).iterdir():
            path.rename(cresset.home / name / path.name)
    before = files(cresset.home)
    cresset("gc")
    warnings = of_verdict(deep(cresset, "--repair"), "warning")
    assert warnings and all("older than the database" in w["finding"] for w in warnings)
    assert any(run.id in w["finding"] for w in warnings)
    gone = before - files(cresset.home)
    assert not [name for name in gone if name.startswith(("runs/", "artifacts/"))]


# ---- what is not Cresset's ----


def test_what_has_no_runs_name_stays(cresset, chain):
    run, _ = chain
    mine = ["runs/README", "artifacts/chain/mine/file", "artifacts/stray", "locks/zz"]
    mine += [f"runs/{run.id}-copy/file", "runs/notes/file"]
    for name in mine:
        path = cresset.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
    cresset("gc")
    cresset("gc", "--older-than", "1d")
    (warning,) = of_verdict(deep(cresset, "--repair"), "warning")
    assert "artifacts/stray" in warning["finding"]
    assert all((cresset.home / name).read_text() == "mine" for name in mine)


# ---- no home ----


def test_doctor_makes_no_home(cresset):
    for words in (["doctor"], ["doctor", "--deep"], ["doctor", "--deep", "--repair"]):
        assert "does not exist yet" in cresset(*words).stdout
    assert not cresset.home.exists()


@pytest.mark.parametrize("verb", [["ls"], ["df"], ["run"], ["gc"], ["doctor", "--deep"]], ids=str)
def test_a_home_that_is_no_folder(cresset, tmp_path, verb):
    cresset.home.write_text("a file")
    if verb == ["run"]:
        pipeline = Pipeline()
        pipeline.task("make", pipeline.make(), {"text": "x"})
        verb = ["run", pipeline.write(tmp_path / "p.yaml")]
    outcome = cresset(*verb, status=1 if verb[0] == "doctor" else 2)
    assert f"{cresset.home} is no folder" in outcome.stdout + outcome.stderr
    assert cresset.home.read_text() == "a file"


# ---- what is lost beside the database ----


@pytest.fixture
def other(tmp_path):
    program = Cresset(tmp_path / "second" / "home")
    yield program
    program.stop_everything()


@pytest.mark.parametrize("how", ["no-submitted", "no-succeeded", "task", "spec", "no-spec"])
def test_a_damaged_run_is_in_a_backup_with_all_it_has(cresset, other, chain, tmp_path, how):
    run, _ = chain
    told = spoil(cresset, tmp_path, how)
    outcome = cresset("backup", tmp_path / "b.tar")
    assert run.id in outcome.stderr and told in outcome.stderr
    other("restore", tmp_path / "b.tar")
    assert [each["id"] for each in other.runs()] == [run.id]

    def of_run(home):
        return {name for name in files(home) if run.id in name and not name.startswith("locks")}

    assert of_run(other.home) == of_run(cresset.home)
    assert told in other("show", "latest", status=3).stderr


def test_lost_logs_and_sources_are_told(cresset, tmp_path):
    pipeline = Pipeline("said")
    pipeline.task("first", pipeline.shell("first", "echo said"))
    pipeline.task("second", pipeline.python("second", "def f():\n    print('x')\n", "f"))
    run = cresset.run(pipeline.write(tmp_path / "said.yaml"))
    assert not of_verdict(deep(cresset), "warning", "bad")
    assert cresset("logs", run.id).stderr == ""
    for name in ("logs", "src"):
        shutil.rmtree(cresset.home / "runs" / run.id / name)
    outcome = cresset("logs", run.id, "first")
    assert outcome.stderr == "note: the log of first, attempt 1, is gone\n"
    assert "of second" in cresset("logs", run.id).stderr
    findings = " ".join(check["finding"] for check in of_verdict(deep(cresset), "warning"))
    assert "2 of 2 logs" in findings and "sources" in findings
    remarks = cresset("backup", tmp_path / "b.tar").stderr
    assert "2 of 2 logs" in remarks and "sources" in remarks


def test_a_lost_artifact_is_bad_until_nothing_takes_it(cresset, tmp_path):
    pipeline = Pipeline("lost")
    pipeline.task("make", pipeline.make(), {"text": "x"}, cached=True)
    run = cresset.run(pipeline.write(tmp_path / "lost.yaml"))
    path_of(run.task("make").artifacts("data")[0]).unlink()
    (bad,) = of_verdict(deep(cresset, status=1), "bad")
    assert f"cresset rerun {run.id} make" in bad["help"] and "TASK" not in bad["help"]
    deep(cresset, "--repair")
    assert not of_verdict(deep(cresset), "bad")
    (known,) = of_verdict(deep(cresset), "warning")
    assert "is gone" in known["finding"]


# ---- the database is there, and wrong ----


@pytest.mark.parametrize("version", [0, 1])
def test_a_wrong_schema_number_is_damage(cresset, chain, version):
    change_pragma = f"PRAGMA user_version = {version}"
    eventually(lambda: not cresset.processes(), "the keeper has ended", timeout=60)
    with sqlite3.connect(cresset.home / "cresset.db") as database:
        database.execute(change_pragma)
    database.close()
    outcome = cresset("ls", status=3)
    assert f"{cresset.home}/cresset.db is damaged" in outcome.stderr
    assert "SQLite result" not in outcome.stderr


def test_a_header_with_flipped_bytes_is_damage(cresset, chain):
    eventually(lambda: not cresset.processes(), "the keeper has ended", timeout=60)
    path = cresset.home / "cresset.db"
    with path.open("r+b") as file:
        file.seek(50)
        flipped = bytes(byte ^ 0xFF for byte in file.read(64))
        file.seek(50)
        file.write(flipped)
    assert "cresset.db is damaged" in cresset("ls", status=3).stderr


def test_doctor_helps_with_what_is_wrong(cresset, chain):
    eventually(lambda: not cresset.processes(), "the keeper has ended", timeout=60)
    path = cresset.home / "cresset.db"
    kept = path.read_bytes()
    path.write_bytes(b"no database at all" * 1000)
    (bad,) = of_verdict(deep(cresset, status=1), "bad")
    assert "put a copy back" in bad["finding"] and "CRESSET_HOME" not in bad["help"]
    path.unlink()
    path.mkdir()
    (bad,) = of_verdict(deep(cresset, status=1), "bad")
    assert "is a folder, where the database has to be" in bad["finding"]
    assert "dmesg" not in bad["finding"] + bad["help"]
    path.rmdir()
    path.write_bytes(kept)
    assert cresset.show("latest").id == chain[0].id
