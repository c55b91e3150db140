"""Measures cresset against kfp.local and ninja and writes one report.

The rivals take turns (A B A B), so that a change in the machine's load meets both; figures are
medians. Timed commands run undisturbed; memory is read in a run of its own.
"""

import argparse
import datetime
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import uuid

import measure
import report
import rows
import yaml
from contenders import REPOSITORY, Cresset, KfpLocal, Ninja
from pipelines import fan_out_of_a_loop, fan_out_of_tasks

# Python steps only, of one to three steps: kfp.local's defaults take seconds to minutes for each.
PIPELINES_FOR_DEFAULTS = [
    "identity",
    "multiple_parameters_namedtuple",
    "parallel_for_after_dependency",
]
DEFAULT_REPEATS = 3

EXAMPLE_VALUES = {
    "STRING": "x",
    "NUMBER_INTEGER": 1,
    "NUMBER_DOUBLE": 1.5,
    "BOOLEAN": True,
    "LIST": ["x"],
    "STRUCT": {"x": 1},
}


def samples_folder():
    configured = os.environ.get("CRESSET_KFP_SAMPLES")
    return pathlib.Path(configured) if configured else REPOSITORY.parent / "shared/conformance/kfp"


def load_samples(folder):
    """Returns name -> documents of every pipeline in the folder."""
    return {
        file.stem: list(yaml.safe_load_all(file.read_text()))
        for file in sorted(folder.glob("*.yaml"))
    }


def containers_of(documents):
    executors = documents[0]["deploymentSpec"]["executors"].values()
    return [executor["container"] for executor in executors if "container" in executor]


def without_preamble(documents):
    """The steps as `install_kfp_package=False` compiles them: nothing is installed."""
    changed = json.loads(json.dumps(documents))
    for container in containers_of(changed):
        command = container.get("command", [])
        if command[:2] == ["sh", "-c"] and "pip install" in command[2]:
            container["command"] = command[3:]
    return changed


def with_this_kfp(documents, version):
    """The steps ask for the kfp that is installed, so that its pip changes no environment."""
    text = json.dumps(documents)
    return json.loads(re.sub(r"kfp==[0-9][0-9.]*", f"kfp=={version}", text))


def inputs_for(documents, scratch):
    """Values for the inputs that have no default; paths are new ones."""
    inputs = {}
    parameters = documents[0]["root"].get("inputDefinitions", {}).get("parameters", {})
    for name, spec in parameters.items():
        if "defaultValue" not in spec and not spec.get("isOptional"):
            inputs[name] = EXAMPLE_VALUES[spec["parameterType"]]
            if name.endswith("_path"):
                inputs[name] = str(scratch / uuid.uuid4().hex)
    return inputs


def write(documents, file):
    file.write_text(yaml.safe_dump_all(documents, sort_keys=False))
    return file


def steps_of(run):
    steps = ("container", "importer")
    return sum(task["attempts"] for task in run["tasks"] if task["kind"] in steps)


def first_line(text):
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    return plain.strip().splitlines()[0][:160] if plain.strip() else "no reason given"


def compare_with_kfp_local(cresset, samples, repeats, scratch):
    """Times every sample that kfp.local can run, in its fair mode, in turn with cresset."""
    rows, refused = [], []
    for name, documents in samples.items():
        original = write(documents, scratch / f"{name}.yaml")
        fair = write(without_preamble(documents), scratch / f"{name}.fair.yaml")
        with KfpLocal(fair, scratch, limit=60) as rival:
            _, problem = rival.run(inputs_for(documents, scratch))
            if problem:
                refused.append({"pipeline": name, "reason": first_line(problem)})
                continue
            print(f"  {name}", file=sys.stderr)
            _, run = cresset.run(original, inputs_for(documents, scratch))
            ours, theirs = [], []
            for _ in range(repeats):
                ours.append(cresset.run(original, inputs_for(documents, scratch))[0])
                seconds, problem = rival.run(inputs_for(documents, scratch))
                if problem:
                    break
                theirs.append(seconds)
            if problem:
                # Pipelines that flip coins go where it cannot follow now and then.
                reason = f"ran at first, then not: {first_line(problem)}"
                refused.append({"pipeline": name, "reason": reason})
                continue
            rows.append(
                {
                    "pipeline": name,
                    "steps": steps_of(run),
                    "cresset": measure.summarise(ours),
                    "kfp_local": measure.summarise(theirs),
                    "cresset_peak_kib": cresset.memory(original, inputs_for(documents, scratch)),
                    "kfp_local_peak_kib": rival.memory(inputs_for(documents, scratch)),
                }
            )
    return {"rows": rows, "refused": refused}


def compare_with_defaults(cresset, samples, version, scratch):
    """Times what users of kfp.local get without changing its settings; needs a package index."""
    rows, skipped = [], []
    for name in PIPELINES_FOR_DEFAULTS:
        if name not in samples:
            skipped.append({"pipeline": name, "mode": "both", "reason": "no such sample"})
            continue
        documents = samples[name]
        file = write(with_this_kfp(documents, version), scratch / f"{name}.default.yaml")
        for mode, use_venv in [("use_venv=False", False), ("use_venv=True", True)]:
            print(f"  {name}, {mode}", file=sys.stderr)
            ours, theirs, problem = [], [], None
            with KfpLocal(file, scratch, use_venv=use_venv, limit=300) as rival:
                for _ in range(DEFAULT_REPEATS):
                    seconds, problem = rival.run(inputs_for(documents, scratch))
                    if problem:
                        break
                    theirs.append(seconds)
                    ours.append(cresset.run(file, inputs_for(documents, scratch))[0])
            if problem:
                skipped.append({"pipeline": name, "mode": mode, "reason": first_line(problem)})
                continue
            rows.append(
                {
                    "pipeline": name,
                    "mode": mode,
                    "cresset": measure.summarise(ours),
                    "kfp_local": measure.summarise(theirs),
                }
            )
    return {"rows": rows, "skipped": skipped}


def compare_with_ninja(cresset, count, jobs, repeats, scratch):
    """Times a fan-out of commands that do nothing, in both forms, in turn with ninja."""
    ninja = Ninja(scratch / "ninja", count, jobs)
    rows = []
    for form, pipeline in [
        ("tasks", fan_out_of_tasks(count)),
        ("ParallelFor", fan_out_of_a_loop(count)),
    ]:
        print(f"  {count} as {form}", file=sys.stderr)
        file = scratch / f"fan-out-{form}.json"
        file.write_text(json.dumps(pipeline))
        _, run = cresset.run(file, {})
        if steps_of(run) != count:
            raise RuntimeError(f"cresset started {steps_of(run)} steps instead of {count}")
        ninja.run()
        ours, theirs = [], []
        for _ in range(repeats):
            ours.append(cresset.run(file, {})[0])
            theirs.append(ninja.run())
        rows.append(
            {
                "form": form,
                "cresset": measure.summarise(ours),
                "ninja": measure.summarise(theirs),
                "cresset_peak_kib": cresset.memory(file, {}),
                "ninja_peak_kib": ninja.memory(),
            }
        )
    return {"count": count, "jobs": jobs, "rows": rows}


def time_help(cresset, repeats):
    """Times `cresset --help` in turn with `true`, which shows what a process costs here."""
    ours, nothing = [], []
    for _ in range(repeats):
        timed = measure.time_command([cresset.binary, "--help"], env=cresset.env)
        if timed.status != 0:
            raise RuntimeError(f"cresset --help ended with {timed.status}")
        ours.append(timed.seconds)
        nothing.append(measure.time_command(["true"]).seconds)
    return {"cresset": measure.summarise(ours), "true": measure.summarise(nothing)}


def output_of(command):
    return subprocess.run(
        command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=True
    ).stdout.strip()


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, prog="bench/run")
    parser.add_argument("--repeats", type=int, default=5, help="runs per figure (default 5)")
    parser.add_argument("--tasks", type=int, default=5000, help="size of the fan-out")
    parser.add_argument(
        "--parts",
        default="rows,pipelines,defaults,fan-out,help",
        help="what to measure; 'defaults' needs a package index and takes minutes",
    )
    parser.add_argument(
        "--rows", default=",".join(rows.ROWS), help=f"of the part rows: {', '.join(rows.ROWS)}"
    )
    parser.add_argument("--dag-tasks", type=int, default=100_000, help="size of the cached DAG")
    parser.add_argument("--loop-items", type=int, default=1_000_000, help="size of the ParallelFor")
    parser.add_argument("--live-steps", type=int, default=10_000, help="live when the engine dies")
    parser.add_argument("--out", type=pathlib.Path, default=REPOSITORY / "build/bench")
    arguments = parser.parse_args()
    arguments.parts = arguments.parts.split(",")
    unknown = set(arguments.parts) - {"rows", "pipelines", "defaults", "fan-out", "help"}
    if unknown:
        parser.error(f"unknown part: {', '.join(sorted(unknown))}")
    arguments.rows = arguments.rows.split(",")
    if unknown := set(arguments.rows) - set(rows.ROWS):
        parser.error(f"unknown row: {', '.join(sorted(unknown))}")
    return arguments


def measure_all(arguments, scratch):
    import kfp

    cresset = Cresset(scratch / "home")
    jobs = len(os.sched_getaffinity(0))
    results = {
        "command": " ".join(["bench/run", *sys.argv[1:]]),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": output_of(["git", "rev-parse", "--short", "HEAD"]),
        "cresset": output_of([cresset.binary, "version"]),
        "python": sys.version.split()[0],
        "kfp": kfp.__version__,
        "ninja": output_of(["ninja", "--version"]),
        "machine": measure.machine(),
        "repeats": arguments.repeats,
    }
    folder = samples_folder()
    samples = load_samples(folder) if folder.is_dir() else {}
    if "rows" in arguments.parts:
        results["rows"] = rows.measure_rows(cresset, arguments, jobs, scratch)
    wanted = [part for part in arguments.parts if part in ("pipelines", "defaults")]
    if wanted and not samples:
        print(f"no pipelines in {folder}: set CRESSET_KFP_SAMPLES", file=sys.stderr)
        arguments.parts = [part for part in arguments.parts if part not in wanted]
    if "pipelines" in arguments.parts:
        print("pipelines, fair mode of kfp.local:", file=sys.stderr)
        results["pipelines"] = compare_with_kfp_local(cresset, samples, arguments.repeats, scratch)
    if "defaults" in arguments.parts:
        print("pipelines, defaults of kfp.local:", file=sys.stderr)
        results["defaults"] = compare_with_defaults(cresset, samples, kfp.__version__, scratch)
    if "fan-out" in arguments.parts:
        print("fan-out:", file=sys.stderr)
        results["fan_out"] = compare_with_ninja(
            cresset, arguments.tasks, jobs, arguments.repeats, scratch
        )
    if "help" in arguments.parts:
        results["help"] = time_help(cresset, 10 * arguments.repeats)
    return results


def main():
    arguments = parse_arguments()
    arguments.out.mkdir(parents=True, exist_ok=True)
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="work-", dir=arguments.out))
    try:
        results = measure_all(arguments, scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    (arguments.out / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    text = report.render(results)
    (arguments.out / "report.md").write_text(text)
    print(text)
    print(f"written: {arguments.out / 'report.md'} and results.json", file=sys.stderr)


if __name__ == "__main__":
    main()
