#!/usr/bin/env python3
"""Makes tests/golden-homes/VERSION: a home as the program of that version writes it, with what it
said of it. Run once for each released version, with that version's binary:

    CRESSET_BINARY=$PWD/build/release/bin/cresset python3 tools/make_golden_home.py [SUFFIX]

It is refused for a version that is there already: a golden home never changes. A SUFFIX names what
a version writes otherwise before its release.
"""

import gzip
import io
import json
import os
import shutil
import signal
import sqlite3
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from harness.cresset import Cresset, eventually  # noqa: E402
from harness.pipelines import (  # noqa: E402
    INTEGER,
    Pipeline,
    artifact_of,
    given,
    output_artifact,
    output_file,
    parameter,
)

# Steps find out from the name of their attempt whether they have been here before.
FAILS_FIRST = 'case "$CRESSET_ATTEMPT" in *.1) echo no; exit 3;; esac; echo yes'
HANGS_FIRST = 'echo begun; case "$CRESSET_ATTEMPT" in *.1) sleep 600;; esac; echo ended'


def cached(key):
    """A key of its own: the usual one holds the machine's interpreter and programs."""
    return {"cachingOptions": {"enableCache": True, "cacheKey": key}}


def made():
    pipeline = Pipeline("golden", parameters={"count": INTEGER})
    number = pipeline.give(INTEGER)
    pipeline.task("number", number, {"value": given("count")}, **cached("golden-number"))
    folder = pipeline.shell(
        "folder",
        'mkdir -p "$1/sub"; echo one > "$1/a"; echo two > "$1/sub/b"; ln -s a "$1/link"; echo made',
        output_artifact(),
        made={"data": "system.Model"},
    )
    pipeline.task("folder", folder, **cached("golden-folder"))
    pipeline.task("file", pipeline.make(), {"text": "bytes"}, **cached("golden-file"))
    read = pipeline.read()
    pipeline.task("read", read, artifacts={"data": artifact_of("file")}, **cached("golden-read"))
    pipeline.gives("out", INTEGER, ("number", "out"))
    return pipeline


def looped():
    pipeline = Pipeline("golden-loop")
    body = pipeline.dag({"item": INTEGER})
    double = pipeline.shell(
        "double",
        'echo $(($1 * 2)) > "$2"',
        parameter("item"),
        output_file(),
        inputs={"item": INTEGER},
        outputs={"out": INTEGER},
    )
    body.task("double", double, {"item": given("item")})
    pipeline.task("loop", body, items=[1, 2, 3])
    return pipeline


def single(name, script):
    pipeline = Pipeline(name)
    pipeline.task("before", pipeline.make(), {"text": name})
    pipeline.task("step", pipeline.shell("step", script), after=["before"])
    return pipeline


def fill(cresset, folder):
    def write(pipeline):
        return pipeline.write(folder / f"{pipeline.name}.yaml").name

    def run(file, *arguments, state="SUCCEEDED", **options):
        return cresset.run(file, *arguments, state=state, cwd=folder, **options)

    golden = write(made())
    run(golden, parameters={"count": 7})
    assert run(golden, parameters={"count": 7}).task("folder").cached
    run(write(looped()))
    run(write(single("golden-failed", FAILS_FIRST)), state="FAILED")
    failed = run(write(single("golden-retried", FAILS_FIRST)), state="FAILED")
    cresset.view("retry", failed.id)
    for name, end in (("golden-cancelled", "cancel"), ("golden-unfinished", "kill")):
        engine = cresset.start("run", write(single(name, HANGS_FIRST)), cwd=folder)
        eventually(lambda: "begun" in cresset("logs", "latest").stdout, "the step has begun")
        eventually(lambda: cresset.show("latest").task("step").state == "RUNNING", "it is noted")
        if end == "cancel":
            cresset("cancel", "latest")
            engine.wait()
        else:
            engine.kill()
            engine.wait()
    cresset.signal_all(signal.SIGKILL)
    cresset.stop_everything()


def expectations(cresset):
    def portable(text):
        return json.loads(text.replace(str(cresset.home), "$HOME"))

    runs = portable(cresset("ls", "-o", "json").stdout)
    ids = [run["id"] for run in runs]
    return {
        "ls": runs,
        "show": {run: portable(cresset("show", run, "-o", "json").stdout) for run in ids},
        "logs": {run: cresset("logs", "--prefix", run).stdout for run in ids},
    }


def pack(home, file):
    for part in ("runtime", "envs", "keeper/scratch", "keeper/socket", "keeper/lock"):
        path = home / part
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    with sqlite3.connect(home / "cresset.db") as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:

        def owned_by_nobody(member):
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            return member

        archive.add(home, "home", filter=owned_by_nobody)
    file.write_bytes(gzip.compress(buffer.getvalue(), 9, mtime=0))


def main():
    # One place, so that paths in the home say nothing of who made it.
    folder = Path(tempfile.gettempdir()) / "cresset-golden"
    folder.mkdir()
    cresset = Cresset(folder / "home")
    version = json.loads(cresset("version", "-o", "json").stdout)["version"]
    target = ROOT / "tests/golden-homes" / "-".join([version, *sys.argv[1:]])
    if target.exists():
        sys.exit(f"{target.relative_to(ROOT)} is there: what a version wrote does not change")
    for name in ("LC_ALL", "LC_CTYPE"):
        cresset.environment.pop(name, None)
    cresset.environment |= {
        "CRESSET_PYTHON": "/usr/bin/python3",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": str(folder),
    }
    os.umask(0o022)
    try:
        fill(cresset, folder)
        target.mkdir(parents=True)
        expected = json.dumps(expectations(cresset), indent=1)
        (target / "expected.json").write_text(expected + "\n")
        cresset("backup", folder / "backup.tar")
        backup = (folder / "backup.tar").read_bytes()
        (target / "backup.tar.gz").write_bytes(gzip.compress(backup, 9, mtime=0))
        pack(cresset.home, target / "home.tar.gz")
    finally:
        cresset.stop_everything()
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
