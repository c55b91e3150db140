"""Few descriptors, and thousands of live steps."""

import contextlib
import os
import resource
import threading
import time
from pathlib import Path

import pytest
from harness.cresset import eventually, one_object
from harness.faults import FULL, keepers, kill_all, step_processes
from harness.pipelines import STRING, Pipeline, given, parameter

LIVE = int(os.environ.get("CRESSET_LIVE_STEPS", "10000" if FULL else "200"))


def fan_out(tmp_path, count, script, *arguments, cpu="1m"):
    pipeline = Pipeline("fan-out")
    step = pipeline.shell(
        "step",
        script,
        parameter("item"),
        *map(str, arguments),
        inputs={"item": STRING},
        resources={"resourceCpuLimit": cpu},
    )
    body = pipeline.dag({"item": STRING})
    body.task("step", step, {"item": given("item")})
    pipeline.task("loop", body, items=[str(number) for number in range(count)])
    return pipeline.write(tmp_path / "fan-out.yaml")


class Gate:
    """A named pipe at which any number of steps wait, without using the processor."""

    def __init__(self, path):
        self.path = path
        os.mkfifo(path)

    def open(self):
        """Lets all go on that wait now."""
        with contextlib.suppress(OSError):  # nobody waits
            os.close(os.open(self.path, os.O_WRONLY | os.O_NONBLOCK))


def cpu_seconds(process):
    ticks = process.fields[11:13]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def resident_mib(process):
    pages = int(process.read("statm").split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 2**20


@pytest.mark.parametrize("files", [64, 40])
def test_few_open_files(cresset, tmp_path, files):
    """All steps run, in their turn; nothing aborts, and nothing spins while it waits."""
    file = fan_out(tmp_path, 60, 'echo "$1"; echo "$1" >> "$2"; sleep 0.1', tmp_path / "effects")
    limited = ["prlimit", f"--nofile={files}:{files}", "--"]
    outcome = cresset("run", file, "-j", "100", "-o", "json", prefix=limited)
    view = one_object(outcome.stdout)
    assert view["state"] == "SUCCEEDED"
    assert {task["attempts"] for task in view["tasks"]} == {1}
    assert sorted((tmp_path / "effects").read_text().split()) == sorted(map(str, range(60)))
    run = cresset.show("latest")
    assert all(task.log == task.given["item"] + "\n" for task in run.named("step"))


def test_more_engines_than_a_keeper_has_files_for(cresset, tmp_path):
    """They wait to be taken, and the keeper does not spin meanwhile."""
    gate = Gate(tmp_path / "gate")
    file = fan_out(tmp_path, 1, 'echo >> "$3"; read line < "$2" || true', gate.path, tmp_path / "n")
    limited = ["prlimit", "--nofile=40:40", "--"]
    starter = threading.Thread(
        target=lambda: cresset("run", file, "-o", "json", prefix=limited, timeout=120)
    )
    starter.start()
    eventually((tmp_path / "n").exists, "the first step has begun")
    (keeper,) = keepers(cresset)
    engines = [cresset.start("run", file, "-o", "json") for _ in range(20)]
    eventually(lambda: len(cresset.runs()) == 21, "all runs are accepted")
    before = cpu_seconds(keeper)
    time.sleep(1)
    assert cpu_seconds(keeper) - before < 0.5
    pending = [*engines]
    deadline = time.monotonic() + 90
    while pending or starter.is_alive():
        assert time.monotonic() < deadline, f"{len(pending)} runs have not ended"
        gate.open()
        pending = [engine for engine in pending if engine.poll() is None]
        time.sleep(0.02)
    starter.join()
    assert [engine.returncode for engine in engines] == [0] * 20
    assert {run["state"] for run in cresset.runs()} == {"SUCCEEDED"}


def most_steps(wanted):
    """As many as this machine lets live, and what it is that stops at fewer."""
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    _, processes = resource.getrlimit(resource.RLIMIT_NPROC)
    pid_max = int(Path("/proc/sys/kernel/pid_max").read_text())
    memory = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGESIZE")
    limits = {
        "open files": (files - files // 8 - 24) * 5 // 8,
        "processes": processes - 1000 if processes > 0 else wanted,
        "process numbers": pid_max - 2000,
        "memory": memory // (1 << 19),
    }
    name = min(limits, key=limits.get)
    return min(wanted, limits[name]), name


def test_many_live_steps_without_their_engine(cresset, tmp_path):
    count, limit = most_steps(LIVE)
    if count < LIVE:
        pytest.skip(f"{LIVE} live steps do not fit into this machine's limit of {limit}")
    gate, effects = Gate(tmp_path / "gate"), tmp_path / "effects"
    script = 'echo "$1" >> "$3"; read line < "$2" || true; echo "$1" >> "$4"'
    ends = tmp_path / "ends"
    file = fan_out(tmp_path, count, script, gate.path, effects, ends)
    begin = time.monotonic()
    with open(tmp_path / "printed", "w") as printed:
        engine = cresset.start("run", file, "-j", "100", stdout=printed, stderr=printed)

        def all_live():
            assert engine.poll() is None, (tmp_path / "printed").read_text()[-2000:]
            return effects.exists() and effects.read_text().count("\n") == count

        eventually(all_live, f"{count} steps live", timeout=120)
    live_after = time.monotonic() - begin
    run = cresset.runs()[0]["id"]
    (keeper,) = keepers(cresset)
    assert len(step_processes(run)) == count
    engine.kill()
    engine.wait()

    begin = time.monotonic()
    with open(tmp_path / "view", "w") as view, open(tmp_path / "notes", "w") as notes:
        engine = cresset.start("resume", run, "-o", "json", stdout=view, stderr=notes)
        # Some end before their engine has found them, some after.
        while engine.poll() is None:
            assert time.monotonic() - begin < 300, "the resumed run does not end"
            gate.open()
            time.sleep(0.05)
    accounted_after = time.monotonic() - begin
    assert engine.returncode == 0, (tmp_path / "notes").read_text()[-2000:]
    tasks = one_object((tmp_path / "view").read_text())["tasks"]
    assert len(tasks) == count + 1
    assert {(task["state"], task["attempts"]) for task in tasks} == {("SUCCEEDED", 1)}
    for file in (effects, ends):
        assert sorted(file.read_text().split()) == sorted(map(str, range(count)))
    print(
        f"{count} live steps after {live_after:.1f} s; "
        f"{accounted_after:.1f} s from resume until all were accounted for; "
        f"keeper {resident_mib(keeper):.0f} MiB"
    )


def test_many_live_steps_without_their_keeper(cresset, tmp_path):
    """The next keeper ends what is left of them, and they start again."""
    count = min(LIVE // 2, 1000)
    gate, effects = Gate(tmp_path / "gate"), tmp_path / "effects"
    file = fan_out(
        tmp_path, count, 'echo "$1" >> "$3"; read line < "$2" || true', gate.path, effects
    )
    with open(tmp_path / "view", "w") as view:
        engine = cresset.start("run", file, "-j", "100", "-o", "json", stdout=view)

    def begun(times):
        return effects.exists() and effects.read_text().count("\n") == times * count

    eventually(lambda: begun(1), f"{count} steps live", timeout=60)
    run = cresset.runs()[0]["id"]
    first = step_processes(run)
    assert kill_all(keepers(cresset)) == 1
    eventually(lambda: begun(2), "all live again", timeout=60)
    assert all(process.is_gone() for process in first)
    while engine.poll() is None:
        gate.open()
        time.sleep(0.02)
    assert engine.returncode == 0
    tasks = one_object((tmp_path / "view").read_text())["tasks"]
    steps = [task for task in tasks if task["name"] == "step"]
    assert {(task["state"], task["attempts"]) for task in steps} == {("SUCCEEDED", 2)}
