"""The rows of the table "as fast as the machine": each measure beside its rivals, in one run.

A row says what was measured, the figures of everybody who took part, and what is to be reached.
"""

import json
import shutil
import statistics
import subprocess
import sys
import threading
import time

import measure
import pipelines
from contenders import (
    BINARIES,
    REPOSITORY,
    Command,
    CressetRun,
    EditedPipeline,
    KfpLocal,
    KfpRun,
    Ninja,
    NinjaNullBuild,
    Prefect,
    SpawnLoop,
)

COMPONENTS = 40
CHAIN = 1000
LAYER = 1000
LOG_MIB = 256
LOG_LINES = 60
# kfp.local makes an environment for each step: what a few take is scaled up.
DEFAULT_STEPS = 2


def take_turns(contenders, repeats, warm_up=1):
    """Runs each contender in turn, so that a slower moment meets all; returns name -> figures."""
    samples = {name: [] for name in contenders}
    processor = {name: [] for name in contenders}
    for turn in range(warm_up + repeats):
        for name, contender in contenders.items():
            seconds = contender.run()
            if turn >= warm_up:
                samples[name].append(seconds)
                processor[name].append(getattr(contender, "processor", None))
    out = {}
    for name, contender in contenders.items():
        out[name] = {**measure.summarise(samples[name]), "peak_kib": contender.memory()}
        if None not in processor[name]:
            out[name]["processor_seconds"] = statistics.median(processor[name])
    return out


def target(text, value, limit, *, at_least=False, unit=""):
    """What is to be reached, and whether it was."""
    met = value >= limit if at_least else value <= limit
    return {"text": text, "value": value, "limit": limit, "unit": unit, "met": met}


def at_most_times(figures, rival, limit):
    value = figures["cresset"]["median"] / figures[rival]["median"]
    return target(f"at most {limit} × {rival}", value, limit, unit=" ×")


def row(measure_text, figures, targets, notes=()):
    return {"measure": measure_text, "figures": figures, "targets": targets, "notes": list(notes)}


def write_json(pipeline, file):
    file.write_text(json.dumps(pipeline))
    return file


def fan_out(context):
    count, jobs, scratch = context.arguments.tasks, context.jobs, context.scratch
    file = write_json(pipelines.fan_out_of_tasks(count), scratch / "row-fan-out.json")
    figures = take_turns(
        {
            "cresset": CressetRun(context.cresset, file),
            "bare loop": SpawnLoop(scratch / "bare-fan-out", count, jobs, ["true"]),
            "ninja": Ninja(scratch / "row-ninja", count, jobs),
        },
        context.repeats,
    )
    return row(
        f"{count:,} independent steps that do nothing, {jobs} at a time",
        figures,
        [at_most_times(figures, "bare loop", 1.15), at_most_times(figures, "ninja", 1.0)],
    )


def chain(context):
    scratch = context.scratch
    file = write_json(pipelines.chain_of_tasks(CHAIN), scratch / "row-chain.json")
    figures = take_turns(
        {
            "cresset": CressetRun(context.cresset, file),
            "bare loop, synced": SpawnLoop(scratch / "bare-chain", CHAIN, 1, ["true"], sync=True),
            "ninja": Ninja(scratch / "row-ninja-chain", CHAIN, 1, chain=True),
        },
        context.repeats,
    )
    return row(
        f"chain of {CHAIN:,} steps that do nothing; the bare loop syncs 4 KiB for each",
        figures,
        [at_most_times(figures, "bare loop, synced", 1.25), at_most_times(figures, "ninja", 0.9)],
    )


def cold_flags(context):
    """How a run without warm workers is asked for, and what to say where that is all there is."""
    if context.cresset.knows("--cold"):
        return ("--no-cache", "--cold"), []
    return ("--no-cache",), ["this binary has no warm workers: warm and cold are the same"]


def components(context):
    scratch = context.scratch
    file = pipelines.compile_components(scratch, COMPONENTS, install_kfp=False)
    flags, notes = cold_flags(context)
    python = subprocess.run(
        [REPOSITORY / "tools/python_env.py", "prefect"],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout.strip()
    bare = [sys.executable, "-c", "import json, typing"]
    with (
        KfpLocal(file, scratch, limit=120) as fair,
        Prefect(python, COMPONENTS, scratch / "prefect") as prefect,
    ):
        figures = take_turns(
            {
                "cresset": CressetRun(context.cresset, file),
                "cresset, cold": CressetRun(context.cresset, file, flags),
                "kfp.local, fair": KfpRun(fair),
                "prefect": prefect,
                "bare interpreter": SpawnLoop(scratch / "bare-python", COMPONENTS, 1, bare),
            },
            context.repeats,
        )
    warm, cold = figures["cresset"]["median"], figures["cresset, cold"]["median"]
    return row(
        f"{COMPONENTS} lightweight Python components (fib(10)), one after the other",
        figures,
        [
            target("warm below 0.15 s", warm, 0.15, unit=" s"),
            target(
                "cold at most 1.3 × the bare interpreter",
                cold / figures["bare interpreter"]["median"],
                1.3,
                unit=" ×",
            ),
            target(
                "at least 15 × faster than kfp.local, fair",
                figures["kfp.local, fair"]["median"] / warm,
                15,
                at_least=True,
                unit=" ×",
            ),
        ],
        notes,
    )


def components_default(context):
    scratch = context.scratch
    ours = pipelines.compile_components(scratch, COMPONENTS, install_kfp=True)
    theirs = pipelines.compile_components(scratch, DEFAULT_STEPS, install_kfp=True)
    warm, samples = [], []
    with KfpLocal(theirs, scratch, use_venv=True, limit=300) as worker:
        for _ in range(min(context.repeats, 3)):
            seconds, problem = worker.run({})
            if problem:
                return row("kfp.local as users get it", {}, [], [f"skipped: {problem}"])
            samples.append(seconds * COMPONENTS / DEFAULT_STEPS)
            warm.append(context.cresset.run(ours, {})[0])
    figures = {"cresset": measure.summarise(warm), "kfp.local, default": measure.summarise(samples)}
    ratio = figures["kfp.local, default"]["median"] / figures["cresset"]["median"]
    return row(
        f"the same as users of kfp.local get it: {DEFAULT_STEPS} steps, scaled to {COMPONENTS}",
        figures,
        [target("at least 150 × faster", ratio, 150, at_least=True, unit=" ×")],
    )


def torch_component(context):
    file = pipelines.compile_torch(context.scratch)
    flags, notes = cold_flags(context)
    figures = take_turns(
        {
            "cresset": CressetRun(context.cresset, file),
            "cresset, cold": CressetRun(context.cresset, file, flags),
            "import torch": Command([sys.executable, "-c", "import torch"]),
        },
        context.repeats,
    )
    warm = figures["cresset"]["median"]
    return row(
        "a component that imports torch and does little",
        figures,
        [target("warm below 0.05 s, after the first", warm, 0.05, unit=" s")],
        notes,
    )


def cached(context):
    count, scratch = context.arguments.dag_tasks, context.scratch
    file = write_json(pipelines.cacheable_layers(count, LAYER), scratch / "row-dag.json")
    context.cresset.run(file, {}, ())  # fills the cache
    _, run = context.cresset.run(file, {}, ())
    if not all(task["cached"] for task in run["tasks"]):
        raise RuntimeError("not every step came from the cache")
    command = [context.cresset.binary, "run", str(file)]
    figures = take_turns(
        {
            "cresset": Command(command, env=context.cresset.env),
            "ninja": NinjaNullBuild(scratch / "null", count, LAYER),
        },
        context.repeats,
    )
    ours = figures["cresset"]
    return row(
        f"{count:,} steps in layers of {LAYER:,}, all cached; ninja's null build of as many edges",
        figures,
        [
            target("below 0.5 s", ours["median"], 0.5, unit=" s"),
            target("below 150 MB", ours["peak_kib"] * 1024 / 1e6, 150, unit=" MB"),
        ],
    )


def bench_engine(what, steps, folder):
    home = folder / f"engine-{what}"
    command = [str(BINARIES / "cresset-bench-engine"), what, str(steps), str(home)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    subprocess.run(["rm", "-rf", str(home)], check=True)
    return json.loads(output)


def loop(context):
    items = context.arguments.loop_items
    runs = [bench_engine("loop", items, context.scratch) for _ in range(context.repeats)]
    figure = measure.summarise([run["drive_seconds"] for run in runs])
    figure["peak_kib"] = max(run["peak_kib"] for run in runs)
    processor = statistics.median(run["processor_seconds"] for run in runs)
    figure["processor_seconds"] = processor
    return row(
        f"ParallelFor over {items:,} items, the engine with its store but without processes",
        {"cresset": figure},
        [
            target("below 1 GB", figure["peak_kib"] * 1024 / 1e9, 1, unit=" GB"),
            target(
                "at least 50,000 steps/s",
                items / figure["median"],
                50_000,
                at_least=True,
                unit=" steps/s",
            ),
            target(
                "at most 20 µs a step of processor time", processor / items * 1e6, 20, unit=" µs"
            ),
        ],
    )


def takeover(context):
    steps = context.arguments.live_steps
    runs = [bench_engine("takeover", steps, context.scratch) for _ in range(context.repeats)]
    figure = measure.summarise([run["found_seconds"] for run in runs])
    figure["peak_kib"] = max(run["peak_kib"] for run in runs)
    ended = statistics.median(run["ended_seconds"] for run in runs)
    return row(
        f"kill -9 of an engine with {steps:,} live steps, until all are accounted for again",
        {"cresset": figure},
        [target("below 1 s", figure["median"], 1, unit=" s")],
        [f"until all of them had ended and were stored: {ended:.2f} s"],
    )


def start(context):
    repeats = 10 * context.repeats
    step = ["sh", "-c", "true"]
    file = write_json(pipelines.of_one_command(step), context.scratch / "row-one.json")
    figures = take_turns(
        {
            "cresset --help": Command([context.cresset.binary, "--help"], env=context.cresset.env),
            "cresset": CressetRun(context.cresset, file),
            "sh -c": Command(step),
        },
        repeats,
    )
    over = figures["cresset"]["median"] - figures["sh -c"]["median"]
    return row(
        "`cresset --help`; `run` of a pipeline of one step, `sh -c true`",
        figures,
        [
            target("--help below 10 ms", figures["cresset --help"]["median"] * 1e3, 10, unit=" ms"),
            target("run below 30 ms over the step", over * 1e3, 30, unit=" ms"),
        ],
    )


def edit(context):
    folder = context.scratch / "digits"
    shutil.copytree(REPOSITORY / "examples/digits", folder)
    line = 'title = "Handwritten digits: how good is the model?"'
    with EditedPipeline(
        context.cresset, folder / "pipeline.py", folder / "steps/report.py", line
    ) as watched:
        figures = take_turns({"cresset": watched}, context.repeats)
    return row(
        "`run --watch` of the digits example: a line of its report's step saved, until that ran",
        figures,
        [target("below 1 s", figures["cresset"]["median"], 1, unit=" s")],
    )


class LoggedStep:
    """A step that prints a file; timed from its start to its end as the run tells them."""

    def __init__(self, cresset, file):
        self._cresset, self._file = cresset, file

    def run(self):
        _, run = self._cresset.run(self._file, {})
        task = run["tasks"][0]
        return measure.seconds_between(task["started_at"], task["finished_at"])

    def memory(self):
        return self._cresset.memory(self._file, {})


def log_throughput(context):
    scratch = context.scratch
    big = scratch / "big.txt"
    line = "x" * 99 + "\n"
    big.write_text(line * (LOG_MIB * 2**20 // len(line)))
    file = write_json(pipelines.of_one_command(["cat", str(big)]), scratch / "row-cat.json")
    figures = take_turns(
        {
            "cresset": LoggedStep(context.cresset, file),
            "cat to a file": Command(["sh", "-c", f"cat '{big}' > '{scratch / 'copy'}'"]),
        },
        context.repeats,
    )
    rate = big.stat().st_size / 1e6 / figures["cresset"]["median"]
    return row(
        f"{LOG_MIB} MiB in lines of 100 bytes, printed by one step",
        figures,
        [target("at least 200 MB/s", rate, 200, at_least=True, unit=" MB/s")],
    )


def follow_latencies(context):
    """How long after a step printed a line `logs -f` did."""
    script = (
        "import time\n"
        f"for _ in range({LOG_LINES}):\n"
        "    time.sleep(0.05)\n"
        "    print(time.time_ns(), flush=True)\n"
    )
    command = [sys.executable, "-c", script]
    file = write_json(pipelines.of_one_command(command), context.scratch / "row-follow.json")
    run = json.loads(
        subprocess.run(
            context.cresset.command(file, {}, ("--no-cache", "--detach")),
            env=context.cresset.env,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout
    )
    follower = subprocess.Popen(
        [context.cresset.binary, "logs", "-f", run["id"]],
        env=context.cresset.env,
        stdout=subprocess.PIPE,
        text=True,
    )
    watchdog = threading.Timer(60, follower.kill)
    watchdog.start()
    out = [(time.time_ns() - int(text)) / 1e9 for text in follower.stdout]
    follower.wait()
    watchdog.cancel()
    if len(out) != LOG_LINES:
        raise RuntimeError(f"logs -f gave {len(out)} of {LOG_LINES} lines")
    return out[1:]  # the first may be older than the follower


def log_latency(context):
    samples = [seconds for _ in range(context.repeats) for seconds in follow_latencies(context)]
    figure = measure.summarise(samples)
    return row(
        "from a step's print to `cresset logs -f`",
        {"cresset": figure},
        [target("median below 100 ms", figure["median"] * 1e3, 100, unit=" ms")],
    )


ROWS = {
    "fan-out": fan_out,
    "chain": chain,
    "components": components,
    "components-default": components_default,
    "torch": torch_component,
    "cached": cached,
    "loop": loop,
    "takeover": takeover,
    "start": start,
    "edit": edit,
    "log-throughput": log_throughput,
    "log-latency": log_latency,
}


class Context:
    def __init__(self, cresset, arguments, jobs, scratch):
        self.cresset = cresset
        self.arguments = arguments
        self.repeats = arguments.repeats
        self.jobs = jobs
        self.scratch = scratch


def measure_rows(cresset, arguments, jobs, scratch):
    """Measures the rows that are asked for; one that cannot be measured says why."""
    context = Context(cresset, arguments, jobs, scratch)
    out = {}
    for name in arguments.rows:
        print(f"row {name}", file=sys.stderr)
        began = time.perf_counter()
        out[name] = ROWS[name](context)
        out[name]["load"] = measure.machine()["load"]
        out[name]["took_seconds"] = time.perf_counter() - began
    return out
