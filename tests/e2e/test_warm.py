"""Warm workers: a step that begins as a fork is to its user as one in a new interpreter."""

# Components are compiled by the SDK from their source, imports and all.
# ruff: noqa: PLC0415

import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from harness.cresset import Cresset, eventually, one_object
from harness.faults import keepers
from harness.memory_group import memory_group
from harness.warm import ALL_OF_A_KIND, waiting_workers

kfp = pytest.importorskip("kfp", reason="the SDK is not installed in this Python")
from kfp import compiler, dsl  # noqa: E402


@pytest.fixture
def cresset():
    """With a home whose path is short: data loaders make sockets below a step's TMPDIR."""
    with tempfile.TemporaryDirectory(prefix="warm", dir="/tmp") as folder:
        program = Cresset(Path(folder) / "home")
        yield program
        program.stop_everything()


@pytest.fixture
def compiled(tmp_path):
    def compile_one(component, name="one", **arguments):
        @dsl.pipeline(name=name)
        def pipeline():
            component(**arguments).set_caching_options(False)

        file = tmp_path / f"{name}.yaml"
        compiler.Compiler().compile(pipeline, str(file))
        return file

    return compile_one


@dsl.component
def nothing():
    pass


@dsl.component
def only_torch():
    import torch  # noqa: F401


@pytest.fixture
def both(cresset, compiled):
    """Runs a component cold, then warm, and gives both tasks."""

    def run_both(component, *options, primed_by=nothing, state="SUCCEEDED", **arguments):
        make_warm(cresset, compiled, primed_by, *options)
        file = compiled(component, "both", **arguments)
        name = component.name
        cold = cresset.run(file, "--cold", *options, state=state).task(name)
        warm = cresset.run(file, *options, state=state).task(name)
        return cold, warm

    return run_both


def make_warm(cresset, compiled, component, *options, workers=3):
    cresset.run(compiled(component, "primer"), *options)
    eventually(lambda: len(waiting_workers(cresset)) >= workers, "workers are warm", timeout=60)


@dsl.component
def surroundings() -> dict:
    import os
    import resource
    import signal
    import sys
    import threading

    main = sys.modules["__main__"]
    with open("/proc/self/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    with open("/proc/self/cmdline") as file:
        is_warm = "cresset_zygote.py" in file.read()
    return {
        "is warm": is_warm,
        "argv": [os.path.basename(word) for word in sys.argv],
        "orig_argv": [os.path.basename(word) for word in sys.orig_argv[:2]],
        "main": [os.path.basename(main.__file__), main.__name__, str(main.__spec__)],
        "path": sys.path[1:],
        "flags": str(sys.flags),
        "folder": os.path.basename(os.getcwd()),
        "files": len(os.listdir("/proc/self/fd")),
        "stdin": os.readlink("/proc/self/fd/0"),
        "outputs": os.readlink("/proc/self/fd/1") == os.readlink("/proc/self/fd/2"),
        "buffering": [sys.stdout.line_buffering, sys.stdout.write_through, sys.stdout.encoding],
        "limits": [
            resource.getrlimit(getattr(resource, name))
            for name in dir(resource)
            if name.startswith("RLIMIT_")
        ],
        "signals": [str(signal.getsignal(number)) for number in (2, 13, 15, 17)],
        "blocked": len(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
        "leads": [int(fields[2]) == os.getpid(), int(fields[3]) == os.getpid()],
        "threads": threading.active_count(),
        "main thread": threading.current_thread() is threading.main_thread(),
        "umask": [os.umask(0o22), os.umask(0o22)],
        "variables": {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("CRESSET_") and name not in ("HOME", "TMPDIR")
        },
        "own": [os.environ["CRESSET_TASK"], os.environ["CRESSET_ATTEMPT"][-4:]],
        "home": os.listdir(os.environ["HOME"]) + os.listdir(os.environ["TMPDIR"]),
    }


def test_surroundings_are_those_of_a_new_interpreter(both):
    cold, warm = both(surroundings)
    cold, warm = (task.parameters["Output"] for task in (cold, warm))
    assert (cold.pop("is warm"), warm.pop("is warm")) == (False, True)
    assert warm == cold


@dsl.component
def end(how: str):
    import atexit
    import os
    import signal
    import sys
    import threading
    import time
    import weakref

    def late():
        time.sleep(0.1)
        print("late")

    if how != "exec":
        atexit.register(print, "at exit")
        sys.kept = threading.Event()
        weakref.finalize(sys.kept, print, "finalized")
        threading.Thread(target=late).start()
    print("begun", end="")
    if how == "raise":
        raise ValueError("no")
    if how == "exit 3":
        sys.exit(3)
    if how == "exit text":
        sys.exit("a text")
    if how == "interrupt":
        raise KeyboardInterrupt
    if how == "_exit":
        os._exit(5)
    if how == "exec":
        os.execvp("sh", ["sh", "-c", "echo other; exit 6"])
    if how.startswith("SIG"):
        os.kill(os.getpid(), getattr(signal, how))
        time.sleep(60)


def plain(text):
    """Without the names of runs."""
    return re.sub(r"runs/[0-9a-f-]+/", "runs/RUN/", text)


@pytest.mark.parametrize(
    "how",
    "raise,exit 3,exit text,interrupt,_exit,exec,SIGTERM,SIGKILL,SIGABRT,SIGINT,return".split(","),
)
def test_ends_are_the_same(both, how):
    state = "SUCCEEDED" if how == "return" else "FAILED"
    cold, warm = both(end, how=how, state=state)
    assert plain(warm.log) == plain(cold.log)
    assert plain(str(warm.error)) == plain(str(cold.error))


@dsl.component
def exhaust(group: str):
    import os

    with open(group, "w") as file:
        file.write(str(os.getpid()))
    print("begun", flush=True)
    kept = []
    for _ in range(1000):
        kept.append(b"x" * (1 << 20))


def test_running_out_of_memory_is_the_same(both):
    with memory_group(100 << 20) as group:
        for task in both(exhaust, group=str(group), state="FAILED"):
            assert "begun" in task.log
            assert "out of memory: the kernel killed it" in str(task.error)


@dsl.component
def children() -> dict:
    import multiprocessing
    import os
    import subprocess
    import sys
    from concurrent.futures import ProcessPoolExecutor

    seen = {}
    child = os.fork()
    if child == 0:
        os._exit(7)
    seen["fork"] = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    for method in ("fork", "spawn"):
        context = multiprocessing.get_context(method)
        with context.Pool(2) as pool:
            seen[method] = pool.map(abs, [-1, 2, -3])
        with ProcessPoolExecutor(2, mp_context=context) as pool:
            seen[method] += list(pool.map(abs, [-4]))
    code = "import os; print('CRESSET_TASK' in os.environ)"
    seen["subprocess"] = subprocess.check_output([sys.executable, "-c", code], text=True)
    seen["shell"] = subprocess.run("exit 3", shell=True).returncode
    return seen


def test_children_are_the_same(both):
    cold, warm = both(children)
    assert warm.parameters == cold.parameters


@dsl.component
def chance() -> list:
    import random
    import secrets
    import tempfile
    import uuid

    with tempfile.NamedTemporaryFile() as file:
        return [random.random(), secrets.token_hex(), str(uuid.uuid4()), file.name]


def test_no_two_steps_have_the_same_chance(cresset, compiled):
    make_warm(cresset, compiled, nothing)
    file = compiled(chance, "chance")
    seen = [cresset.run(file).task("chance").parameters["Output"] for _ in range(4)]
    for values in zip(*seen, strict=True):
        assert len(set(values)) == 4


@dsl.component
def learn() -> dict:
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    torch.manual_seed(0)
    data = TensorDataset(torch.randn(512, 64), torch.randint(0, 10, (512,)))
    model = torch.nn.Sequential(torch.nn.Linear(64, 512), torch.nn.ReLU(), torch.nn.Linear(512, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for inputs, labels in DataLoader(data, batch_size=128, num_workers=2):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(inputs), labels)
        loss.backward()
        optimizer.step()
    with open("/proc/self/cmdline") as file:
        is_warm = "cresset_zygote.py" in file.read()
    return {"loss": round(float(loss), 4), "threads": torch.get_num_threads(), "is warm": is_warm}


def test_torch_learns_the_same_in_threads_and_loader_workers(both):
    pytest.importorskip("torch", reason="PyTorch is not installed in this Python")
    cold, warm = both(learn, primed_by=only_torch)
    cold, warm = (task.parameters["Output"] for task in (cold, warm))
    assert (cold.pop("is warm"), warm.pop("is warm")) == (False, True)
    assert warm == cold


@dsl.component
def distributed() -> str:
    import subprocess
    import sys

    script = (
        "import os, torch, torch.distributed as d; d.init_process_group('gloo');"
        # Not print(): unbuffered it writes a number and its end of line one after the other.
        "t = torch.ones(1); d.all_reduce(t); os.write(1, b'%d\\n' % int(t));"
        "d.destroy_process_group()"
    )
    with open("script.py", "w") as file:
        file.write(script)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run([*command, "script.py"], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return done.stdout


def test_torchrun_works_in_a_warm_step(cresset, compiled):
    pytest.importorskip("torch", reason="PyTorch is not installed in this Python")
    make_warm(cresset, compiled, nothing)
    run = cresset.run(compiled(distributed, "distributed"), timeout=120)
    assert run.task("distributed").parameters["Output"].split() == ["2", "2"]


@dsl.component
def wait_with_child(mark: str):
    import os
    import signal
    import subprocess
    import time

    child = subprocess.Popen(["sleep", "1000"], start_new_session=True)

    def say(*_):
        with open(mark + ".term", "w") as file:
            file.write("asked to stop")
        raise SystemExit(1)

    signal.signal(signal.SIGTERM, say)
    with open(mark + ".new", "w") as file:
        file.write(f"{os.getpid()} {child.pid}")
    os.rename(mark + ".new", mark)
    time.sleep(1000)


def pids_in(mark):
    eventually(mark.exists, "the step has begun")
    return [int(word) for word in mark.read_text().split()]


def is_gone(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_a_cancel_reaches_a_warm_step_and_its_daemons(cresset, compiled, tmp_path):
    make_warm(cresset, compiled, nothing)
    mark = tmp_path / "mark"
    engine = cresset.start("run", compiled(wait_with_child, "waits", mark=str(mark)))
    pids = pids_in(mark)
    engine.send_signal(signal.SIGINT)
    engine.communicate(timeout=60)
    assert (tmp_path / "mark.term").exists()
    eventually(lambda: all(map(is_gone, pids)), "the step and what it started are gone")


def test_a_warm_step_is_lost_with_its_keeper_and_leaves_nothing(cresset, compiled, tmp_path):
    make_warm(cresset, compiled, nothing)
    mark = tmp_path / "mark"
    engine = cresset.start("run", compiled(wait_with_child, "waits", mark=str(mark)))
    pids = pids_in(mark)
    mark.unlink()
    before = waiting_workers(cresset)
    (keeper,) = keepers(cresset)
    keeper.signal(signal.SIGKILL)
    assert pids_in(mark) != pids  # its second attempt has begun
    assert all(map(is_gone, pids))
    eventually(
        lambda: all(process.is_gone() for process in before), "no zygote outlives its keeper"
    )
    engine.send_signal(signal.SIGINT)
    engine.communicate(timeout=60)


def test_workers_that_die_cost_nothing_but_time(cresset, compiled):
    make_warm(cresset, compiled, nothing, workers=ALL_OF_A_KIND)
    for process in waiting_workers(cresset):
        process.signal(signal.SIGKILL)
    cresset.run(compiled(nothing, "after"))
    make_warm(cresset, compiled, nothing, workers=ALL_OF_A_KIND)
    for process in waiting_workers(cresset):
        process.signal(signal.SIGSTOP)
    seen = cresset.run(compiled(surroundings, "stopped")).task("surroundings").parameters
    assert not seen["Output"]["is warm"]


@dsl.component
def uses(module: str) -> bool:
    import importlib

    importlib.import_module(module)
    with open("/proc/self/cmdline") as file:
        return "cresset_zygote.py" in file.read()


@dsl.component
def uses_mine() -> list:
    import mine

    with open("/proc/self/cmdline") as file:
        return [mine.NUMBER, "cresset_zygote.py" in file.read()]


def test_own_modules_are_never_imported_ahead(cresset, compiled, tmp_path):
    """They change between two steps."""
    folder = tmp_path / "modules"
    folder.mkdir()
    module = folder / "mine.py"
    module.write_text("NUMBER = 1\n")
    option = ["--env", f"PYTHONPATH={folder}"]
    file = compiled(uses_mine, "uses")
    cresset.run(file, *option)
    eventually(lambda: len(waiting_workers(cresset)) >= 3, "workers are warm")
    module.write_text("NUMBER = 22\n")
    assert cresset.run(file, *option).task("uses-mine").parameters["Output"] == [22, True]


@pytest.fixture
def interpreter(tmp_path):
    """An environment of its own, and where its packages lie."""
    folder = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    return folder / "bin/python", packages


@dsl.component
def uses_fickle() -> bool:
    import fickle  # noqa: F401

    with open("/proc/self/cmdline") as file:
        return "cresset_zygote.py" in file.read()


FAILS_AHEAD = """
import sys
if "cresset_zygote" in open("/proc/self/cmdline").read():
    raise RuntimeError("not ahead of time")
"""


def test_what_cannot_be_imported_ahead_runs_cold_and_is_said(cresset, compiled, interpreter):
    python, packages = interpreter
    (packages / "fickle.py").write_text(FAILS_AHEAD)
    file = compiled(uses_fickle, "fickle")

    def is_said():
        said = cresset("run", file, "--python", python).stderr
        return "importing fickle failed: RuntimeError: not ahead of time" in said

    eventually(is_said, "the user is told why the step runs cold", timeout=60)
    run = cresset.run(file, "--python", python)
    assert not run.task("uses-fickle").parameters["Output"]
    told = one_object(cresset("explain", run.id, "uses-fickle", "-o", "json").stdout)["notices"]
    why = "starts cold: importing fickle failed: RuntimeError: not ahead of time"
    assert told == [{"attempt": 1, "text": why}]
    assert f"attempt 1: {why}" in cresset("explain", run.id, "uses-fickle").stdout


COUNTS = """
import os
with open(os.environ["COUNT"], "a") as file:
    file.write(f"{os.getpid()}\\n")
"""


def test_packages_are_imported_once_for_many_steps(cresset, compiled, interpreter, tmp_path):
    python, packages = interpreter
    (packages / "fickle.py").write_text(COUNTS)
    count = tmp_path / "count"
    options = ["--python", python, "--env", f"COUNT={count}"]
    file = compiled(uses_fickle, "fickle")
    cresset.run(file, *options)
    eventually(lambda: len(waiting_workers(cresset)) >= 3, "workers are warm")
    before = count.read_text()
    for _ in range(3):
        assert cresset.run(file, *options).task("uses-fickle").parameters["Output"]
    assert count.read_text() == before
    # What is installed is part of what a worker is for.
    (packages / "fickle-2.dist-info").mkdir()
    (packages / "fickle-2.dist-info" / "METADATA").write_text("Name: fickle\nVersion: 2\n")
    os.utime(packages)
    assert not cresset.run(file, *options).task("uses-fickle").parameters["Output"]


@dsl.component
def uses_a_folder_of_fickle() -> list:
    import os

    import fickle

    with open("/proc/self/cmdline") as file:
        return [os.path.isdir(fickle.folder.name), "cresset_zygote.py" in file.read()]


def test_no_step_finalizes_what_a_package_made_ahead(cresset, compiled, interpreter):
    python, packages = interpreter
    (packages / "fickle.py").write_text("import tempfile\nfolder = tempfile.TemporaryDirectory()\n")
    file = compiled(uses_a_folder_of_fickle, "folder")
    cresset.run(file, "--python", python)
    eventually(lambda: len(waiting_workers(cresset)) >= 3, "workers are warm")
    for _ in range(2):
        task = cresset.run(file, "--python", python).task("uses-a-folder-of-fickle")
        assert task.parameters["Output"] == [True, True]


def test_cold_runs_leave_no_worker(cresset, compiled):
    cresset.run(compiled(nothing, "cold"), "--cold")
    assert waiting_workers(cresset) == []


def test_a_step_is_found_by_its_attempt(cresset, compiled, tmp_path):
    """As a new keeper finds it: by the environment that the kernel shows of it."""
    make_warm(cresset, compiled, nothing)
    mark = tmp_path / "mark"
    engine = cresset.start("run", compiled(wait_with_child, "waits", mark=str(mark)))
    pid, _ = pids_in(mark)
    with open(f"/proc/{pid}/environ", "rb") as file:
        entries = file.read().decode().split("\0")
    (entry,) = (entry for entry in entries if entry.startswith("CRESSET_ATTEMPT="))
    assert re.fullmatch(r"CRESSET_ATTEMPT=[0-9a-f-]+/1\.1", entry), entry
    engine.send_signal(signal.SIGINT)
    engine.communicate(timeout=60)


@dsl.component
def import_by_a_name_made_at_run_time() -> list:
    import importlib
    import sys

    import kfp_server_api  # noqa: F401

    before = [name for name in ("yaml", "tabulate") if name in sys.modules]
    for name in ("yaml", "tabulate", "no_such_package"):
        try:
            importlib.import_module(name)
        except ModuleNotFoundError:
            assert name == "no_such_package"
    return before


def test_a_zygote_learns_what_its_steps_import(cresset, compiled):
    component = import_by_a_name_made_at_run_time
    make_warm(cresset, compiled, component)
    file = compiled(component, "again")

    def found():
        return cresset.run(file).task(component.name).parameters["Output"]

    assert found() == []
    eventually(lambda: found() == ["yaml", "tabulate"], "it was imported ahead", timeout=60)
