"""Drives the cresset program as a shell does, and reads what it prints."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("CRESSET_BINARY", REPOSITORY / "build/release/bin/cresset"))
PYTHON = os.environ.get("CRESSET_PYTHON", sys.executable)

FINAL = {"SUCCEEDED", "FAILED", "SKIPPED", "CANCELED"}
STATES = FINAL | {"PENDING", "RUNNING"}
RUN_FIELDS = "id name state error inputs outputs created_at started_at finished_at tasks".split()
TASK_FIELDS = [
    *"path name display_name kind state cached attempts error inputs outputs".split(),
    *"started_at finished_at".split(),
]
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def eventually(probe, what, timeout=20.0):
    """The first true answer of `probe`, which is asked again until `timeout` seconds are over."""
    deadline = time.monotonic() + timeout
    while True:
        answer = probe()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"not within {timeout} s: {what}"
        time.sleep(0.02)


def goes_on(process, seconds=0.4):
    """That the process does not end by itself in this time."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        raise AssertionError(f"ended with status {process.wait(timeout=seconds)}")


def one_object(text):
    """`text` as the one JSON object that it has to be."""
    value = json.loads(text)
    assert isinstance(value, dict), text
    return value


def act_by_default():
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def argument(name, value):
    """`name=value` as -p takes it."""
    return f"{name}={value if isinstance(value, str) else json.dumps(value)}"


@dataclass
class Outcome:
    arguments: list
    status: int
    stdout: str
    stderr: str

    def __str__(self):
        return (
            f"cresset {' '.join(self.arguments)}\nstatus {self.status}\n"
            f"stdout: {self.stdout}\nstderr: {self.stderr}"
        )


class Task:
    def __init__(self, run, fields):
        self.run = run
        self.fields = fields

    def __getattr__(self, name):
        if name in TASK_FIELDS:
            return self.fields[name]
        raise AttributeError(name)

    def __repr__(self):
        return f"<{self.path} {self.state} {self.error}>"

    @property
    def given(self):
        return self.inputs["parameters"]

    @property
    def parameters(self):
        return self.outputs["parameters"]

    def artifacts(self, name):
        return self.outputs["artifacts"][name]

    @property
    def log(self):
        return self.run.cresset("logs", self.run.id, self.path).stdout

    @property
    def said(self):
        """The log without the line break that `logs` puts behind an unfinished last line."""
        return self.log.removesuffix("\n")


class Run:
    """What `-o json` printed of a run."""

    def __init__(self, cresset, view):
        self.cresset = cresset
        self.view = view
        self.tasks = [Task(self, fields) for fields in view["tasks"]]
        self.check_shape()

    def __getattr__(self, name):
        if name in RUN_FIELDS:
            return self.view[name]
        raise AttributeError(name)

    def __repr__(self):
        return f"<run {self.id} {self.state} {self.error} {self.tasks}>"

    def check_shape(self):
        assert list(self.view) == RUN_FIELDS
        assert self.state in STATES
        self.check_part(self.view)
        assert self.view["created_at"] is not None
        for task in self.view["tasks"]:
            assert list(task) == TASK_FIELDS
            assert isinstance(task["cached"], bool)
            assert isinstance(task["attempts"], int)
            self.check_part(task)
            if self.state in FINAL:
                assert task["state"] in FINAL, task
        paths = [task["path"] for task in self.view["tasks"]]
        assert len(set(paths)) == len(paths), paths

    @staticmethod
    def check_part(part):
        assert part["state"] in STATES
        if part["state"] == "FAILED":
            assert list(part["error"]) == ["message", "log_tail"]
            assert part["error"]["message"], part
        else:
            assert part["error"] is None, part
        for when in ("created_at", "started_at", "finished_at"):
            assert part.get(when) is None or RFC3339.fullmatch(part[when]), part
        for side in ("inputs", "outputs"):
            assert list(part[side]) == ["parameters", "artifacts"]
            for artifacts in part[side]["artifacts"].values():
                for artifact in artifacts:
                    assert list(artifact) == ["name", "type", "uri", "metadata"]

    @property
    def parameters(self):
        return self.outputs["parameters"]

    def artifacts(self, name):
        return self.outputs["artifacts"][name]

    def task(self, path):
        for task in self.tasks:
            if task.path == path:
                return task
        raise AssertionError(f"no task {path} among {[task.path for task in self.tasks]}")

    def named(self, name):
        return [task for task in self.tasks if task.name == name]

    def states(self):
        return {task.path: task.state for task in self.tasks}

    @property
    def log(self):
        return self.cresset("logs", self.id).stdout

    def again(self):
        return self.cresset.show(self.id)


def path_of(artifact):
    uri = artifact["uri"]
    assert uri.startswith("file:///"), uri
    return Path(uri.removeprefix("file://"))


def text_of(artifact):
    return path_of(artifact).read_text()


class Cresset:
    def __init__(self, home):
        self.home = Path(home)
        self.environment = {**os.environ, "CRESSET_HOME": str(home), "CRESSET_PYTHON": PYTHON}
        self.environment.pop("VIRTUAL_ENV", None)
        self.started = []
        self.run_options = []  # for each `run` of run()

    def __call__(self, *arguments, status=0, timeout=60, **options):
        """Runs it to its end, by the command `prefix` if there is one; `status` None accepts any
        exit status."""
        arguments = [str(item) for item in arguments]
        done = subprocess.run(
            [*options.pop("prefix", []), BINARY, *arguments],
            env=self.environment,
            stdin=options.pop("stdin", subprocess.DEVNULL),
            capture_output=True,
            timeout=timeout,
            **options,
        )
        outcome = Outcome(
            arguments,
            done.returncode,
            done.stdout.decode(errors="replace"),
            done.stderr.decode(errors="replace"),
        )
        assert status is None or outcome.status == status, str(outcome)
        return outcome

    def start(self, *arguments, **options):
        """Starts it and does not wait; its output is in pipes unless `options` say else."""
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        process = subprocess.Popen(
            [BINARY, *map(str, arguments)],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            # What a shell starts in the background, or nohup, ignores them, and hands that on.
            preexec_fn=act_by_default,
            text=True,
            **options,
        )
        self.started.append(process)
        return process

    def view(self, *arguments, state="SUCCEEDED", **options):
        """A verb that prints a run with -o json; None accepts any final state."""
        outcome = self(*arguments, "-o", "json", status=None, **options)
        assert outcome.status in (0, 1), str(outcome)
        run = Run(self, one_object(outcome.stdout))
        assert state is None or run.state == state, f"{run.error}\n{outcome}"
        if arguments[0] != "show" and "--detach" not in arguments:
            assert outcome.status == (0 if run.state == "SUCCEEDED" else 1), str(outcome)
        return run

    def run(self, file, *arguments, state="SUCCEEDED", parameters=None, **options):
        given = [part for item in (parameters or {}).items() for part in ("-p", argument(*item))]
        given += self.run_options
        return self.view("run", file, *given, *arguments, state=state, **options)

    def show(self, run, state=None):
        return self.view("show", run, state=state)

    def runs(self):
        return json.loads(self("ls", "-o", "json").stdout)

    def refuses(self, *arguments, says=(), **options):
        """Status 2, an empty stdout, an explanation, and no run more than before."""
        before = self.runs()
        outcome = self(*arguments, status=2, **options)
        assert outcome.stdout == "", str(outcome)
        assert outcome.stderr.strip(), str(outcome)
        for part in [says] if isinstance(says, str) else says:
            assert part in outcome.stderr, f"no {part!r} in:\n{outcome}"
        assert self.runs() == before
        return outcome

    def processes(self):
        """Every process of this home, by id: engines and the keeper."""
        mark = f"CRESSET_HOME={self.home}".encode()
        found = []
        for folder in Path("/proc").iterdir():
            if not folder.name.isdigit() or int(folder.name) == os.getpid():
                continue
            try:
                variables = (folder / "environ").read_bytes().split(b"\0")
                state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if mark in variables and state != "Z":
                found.append(int(folder.name))
        return found

    def signal_all(self, number):
        for process in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, number)

    def stop_everything(self):
        self.signal_all(signal.SIGTERM)
        deadline = time.monotonic() + 5
        while self.processes():
            if time.monotonic() > deadline:
                self.signal_all(signal.SIGKILL)
            time.sleep(0.02)
            for process in self.started:
                process.poll()
        for process in self.started:
            process.wait()
            for stream in (process.stdout, process.stderr):
                if stream:
                    stream.close()
