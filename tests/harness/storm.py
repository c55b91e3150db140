"""One run under kill -9 of its engine, keeper and steps, at moments spread over all of it."""

import random
import signal
import subprocess
from collections import Counter

from harness.cresset import FINAL, eventually, one_object, path_of
from harness.faults import Process, keepers, kill_all, step_processes
from harness.pipelines import (
    INTEGER,
    LIST,
    STRING,
    Pipeline,
    artifact,
    artifact_of,
    given,
    output_artifact,
    output_file,
    output_of,
    parameter,
)

# A step that is killed has failed, so it needs as many retries as there may be kills.
RETRIES = {"maxRetryCount": 1000, "backoffDuration": "0.01s", "backoffFactor": 1.0}


class Ledger:
    """The effects of steps: each attempt appends "<attempt> <task> begin" and later "… end"."""

    def __init__(self, path):
        self.path = path

    def noted(self, work):
        """The script that does `work` between its two notes; a note is one write."""
        note = 'printf \'%s %s %s\\n\' "${CRESSET_ATTEMPT##*.}" "$CRESSET_TASK"'
        return f"{note} begin >> '{self.path}'\n{work}\n{note} end >> '{self.path}'\n"

    def count(self, what):
        """How often each (task, attempt) has noted `what`."""
        counts = Counter()
        if self.path.exists():
            for line in self.path.read_text().splitlines():
                attempt, task, noted = line.split(" ")
                if noted == what:
                    counts[task, int(attempt)] += 1
        return counts


class StormPipeline:
    """A loop whose iterations make an artifact, read it, and fail the first time; beside it a
    chain; then a step that takes all of it, and holds the run until `gate` is there."""

    def __init__(self, folder, items, links, pause):
        self.folder = folder
        self.ledger = Ledger(folder / "ledger")
        self.gate = folder / "gate"
        self.pause = pause
        self.pipeline = Pipeline("storm")
        self.steps = 3 * items + links + 1
        self.add_loop(items)
        self.add_chain(links)
        self.add_total(links)
        self.file = self.pipeline.write(folder / "storm.yaml")

    def shell(self, name, work, *arguments, **declared):
        script = self.ledger.noted(f"sleep {self.pause}\n{work}")
        small = {"resourceCpuLimit": "500m"}
        return self.pipeline.shell(name, script, *arguments, resources=small, **declared)

    def add_loop(self, items):
        make = self.shell(
            "make",
            'printf "item %s\\n" "$1" > "$2"',
            parameter("item"),
            output_artifact(),
            inputs={"item": STRING},
            made={"data": "system.Dataset"},
        )
        read = self.shell(
            "read",
            'sed "s/item/read/" "$1" | tr -d "\\n" > "$2"',
            artifact("data"),
            output_file(),
            artifacts={"data": "system.Dataset"},
            outputs={"out": STRING},
        )
        flaky = self.shell(
            "flaky",
            'test -e "$2-$1" || { : > "$2-$1"; exit 3; }',
            parameter("item"),
            str(self.folder / "flaky"),
            inputs={"item": STRING},
        )
        body = self.pipeline.dag({"item": STRING})
        body.task("make", make, {"item": given("item")}, retryPolicy=RETRIES)
        body.task("read", read, artifacts={"data": artifact_of("make")}, retryPolicy=RETRIES)
        body.task("flaky", flaky, {"item": given("item")}, after=["read"], retryPolicy=RETRIES)
        body.gives("collected", STRING, ("read", "out"))
        self.pipeline.task("loop", body, items=[f"{number:03}" for number in range(items)])

    def add_chain(self, links):
        add = self.shell(
            "add",
            'echo $(($1 + 1)) > "$2"',
            parameter("before"),
            output_file(),
            inputs={"before": INTEGER},
            outputs={"out": INTEGER},
        )
        for number in range(links):
            before = output_of(f"link-{number - 1:03}") if number else 0
            name = f"link-{number:03}"
            self.pipeline.task(name, add, {"before": before}, retryPolicy=RETRIES)
        self.pipeline.gives("number", INTEGER, (name, "out"))

    def add_total(self, links):
        total = self.shell(
            "total",
            'printf "%s after %s\\n" "$1" "$2" > "$3"; printf "%s" "$1" > "$4"\n'
            'while ! test -e "$5"; do sleep 0.02; done',
            parameter("all"),
            parameter("number"),
            output_artifact(),
            output_file(),
            str(self.gate),
            inputs={"all": LIST, "number": INTEGER},
            made={"data": "system.Dataset"},
            outputs={"out": STRING},
        )
        given_to_it = {
            "all": output_of("loop", "collected"),
            "number": output_of(f"link-{links - 1:03}"),
        }
        self.pipeline.task("total", total, given_to_it, retryPolicy=RETRIES)
        self.pipeline.gives("all", STRING, ("total", "out"))


def what_was_made(outputs):
    """By content: where an artifact lies depends on the attempt that made it."""
    return {
        "parameters": outputs["parameters"],
        "artifacts": {
            name: [(made["name"], made["type"], path_of(made).read_bytes()) for made in artifacts]
            for name, artifacts in outputs["artifacts"].items()
        },
    }


def essence(view):
    """What must not depend on what was killed on the way."""
    return {
        "state": view["state"],
        "outputs": what_was_made(view["outputs"]),
        "tasks": [
            (task["path"], task["state"], task["error"], what_was_made(task["outputs"]))
            for task in view["tasks"]
        ],
    }


class Storm:
    # How much of each. A step is a process group's leader; its child is what it runs just now.
    KINDS = {"engine": 8, "keeper": 4, "step": 7, "child of a step": 3, "everything": 1}
    # A random moment after a step has ended: it falls into whatever follows.
    PAUSE_MAX = 0.06

    def __init__(self, cresset, pipeline, seed, kills):
        self.cresset = cresset
        self.pipeline = pipeline
        self.dice = random.Random(seed)
        self.wanted = kills
        self.killed = Counter()
        self.late_kills = 0  # those that found the last step only
        self.succeeded = {}  # attempts of each task that was once seen to have succeeded
        self.run_id = None
        self.engine = None

    @property
    def kills(self):
        return sum(self.killed.values())

    def rage(self):
        """Kills as often as wanted, then lets the run end: what `show` prints of it."""
        self.engine = self.cresset.start("run", self.pipeline.file, "-o", "json")
        eventually(self.cresset.runs, "the run is accepted")
        self.run_id = self.cresset.runs()[0]["id"]
        while self.kills < self.wanted:
            self.await_progress(self.kills * self.pipeline.steps // (self.wanted + 10))
            self.let_go_on(self.dice.uniform(0, self.PAUSE_MAX))
            before = self.kills
            # One of each kind in any case.
            unseen = [kind for kind in ("engine", "keeper", "step") if not self.killed[kind]]
            chosen = self.dice.choices([*self.KINDS], [*self.KINDS.values()])[0]
            self.strike(unseen[0] if unseen and self.kills > self.wanted // 2 else chosen)
            if ("total", 1) in self.pipeline.ledger.count("begin"):
                self.late_kills += self.kills - before
        self.pipeline.gate.touch()
        stdout, stderr = self.engine.communicate(timeout=300)
        assert self.engine.returncode == 0, f"{stdout}\n{stderr}"
        return one_object(stdout)

    def await_progress(self, ends):
        def is_there():
            assert self.engine.poll() is None, self.last_words()
            return len(self.pipeline.ledger.count("end")) >= ends

        eventually(is_there, f"{ends} steps have ended after {dict(self.killed)}", timeout=60)

    def let_go_on(self, seconds):
        try:
            self.engine.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return
        raise AssertionError(self.last_words())

    def last_words(self):
        stdout, stderr = self.engine.communicate()
        return f"after {dict(self.killed)} it ended: {self.engine.returncode}\n{stdout}\n{stderr}"

    def strike(self, kind):
        if kind == "engine":
            self.kill_engine()
        elif kind == "keeper":
            self.killed["keeper"] += kill_all(keepers(self.cresset))
        elif kind == "everything":
            steps = step_processes(self.run_id)
            self.killed["keeper"] += kill_all(keepers(self.cresset))
            self.killed["step"] += kill_all(steps)
            self.kill_engine()
        else:
            wants_leader = kind == "step"
            steps = [
                process
                for process in step_processes(self.run_id)
                if not process.is_gone() and process.leads() == wants_leader
            ]
            if steps:
                self.killed[kind] += kill_all([self.dice.choice(steps)])

    def kill_engine(self):
        self.killed["engine"] += Process(self.engine.pid).signal(signal.SIGKILL)
        self.engine.communicate()
        self.note_what_succeeded()
        self.engine = self.cresset.start("resume", self.run_id, "-o", "json")

    def note_what_succeeded(self):
        for task in self.cresset.show(self.run_id).tasks:
            if task.state == "SUCCEEDED":
                assert self.succeeded.setdefault(task.path, task.attempts) == task.attempts

    def check(self, view, undisturbed):
        """The run's end and all effects of its steps."""
        assert essence(view) == undisturbed
        assert {task["state"] for task in view["tasks"]} <= FINAL
        attempts = {task["path"]: task["attempts"] for task in view["tasks"]}
        for path, before in self.succeeded.items():
            assert attempts[path] == before, f"{path} had succeeded and was run again"
        begins, ends = (self.pipeline.ledger.count(what) for what in ("begin", "end"))
        assert set(begins.values()) == {1}, "an attempt began twice"
        assert set(ends.values()) == {1}, "an attempt took effect twice"
        assert len({task for task, _ in ends}) == self.pipeline.steps
        for path, last in attempts.items():
            if any(task == path for task, _ in begins):
                assert max(number for task, number in begins if task == path) == last
                assert (path, last) in ends
        assert step_processes(self.run_id) == [], "a step has outlived its run"
