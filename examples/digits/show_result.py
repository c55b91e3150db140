"""Shows what a run of the digits pipeline gave; fails if the model is not good enough.

cresset show RUN -o json | python show_result.py
"""

import argparse
import datetime
import json
import sys

LEAST_ACCURACY = 0.95


def path_of(artifact):
    return artifact["uri"].removeprefix("file://")


def seconds_between(start, end):
    moments = [
        datetime.datetime.fromisoformat(moment.replace("Z", "+00:00")) for moment in (start, end)
    ]
    return (moments[1] - moments[0]).total_seconds()


def find_task(run, path):
    return next((task for task in run["tasks"] if task["path"] == path), None)


def describe_trials(run):
    choice = find_task(run, "pick-best")
    lines = ["", "  sweep: width  learning rate  dropout  validation accuracy"]
    for trial in choice["outputs"]["parameters"]["ranking"]:
        lines.append(
            f"         {trial['width']:5g}  {trial['learning_rate']:13g}  {trial['dropout']:7g}"
            f"  {trial['accuracy']:19.2%}"
        )
    return lines


def describe_model(run):
    export = next((task for task in run["tasks"] if task["name"] == "export"), None)
    if export is None or export["state"] != "SUCCEEDED":
        return ["  model    not exported: the accuracy is not above the pipeline's threshold"]
    model = export["outputs"]["artifacts"]["model"][0]
    lines = [f"  model    {path_of(model)}"]
    for name, kind in sorted(model["metadata"]["files"].items()):
        lines.append(f"           {name}: {kind}")
    lines.append(f"           AOTInductor: {model['metadata']['aotinductor']}")
    return lines


def describe(run, cresset):
    """Returns the lines to print for a run that succeeded."""
    outputs = run["outputs"]
    scores = outputs["artifacts"]["metrics"][0]["metadata"]
    # Groups do no work of their own, and what was skipped did none either.
    ran = [task for task in run["tasks"] if task["cached"] or task["attempts"] > 0]
    steps = [task for task in ran if task["kind"] in ("container", "importer")]
    cached = sum(task["cached"] for task in steps)
    duration = seconds_between(run["started_at"], run["finished_at"])
    lines = [
        "",
        f"  {run['name']} {run['id']}: {len(steps)} steps in {int(duration)} s, {cached} cached",
        "",
    ]
    lines += [f"  {name:12} {value:g}" for name, value in sorted(scores.items())]
    lines += describe_trials(run)
    lines += ["", f"  report   {path_of(outputs['artifacts']['report'][0])}"]
    lines += describe_model(run)
    lines += [
        "",
        "Next:",
        f"  {cresset} show {run['id']}",
        "      every task with its state, time and values",
        f"  {cresset} logs {run['id']} train",
        "      what the training printed (its first process speaks for both)",
        f"  {cresset} run examples/digits/pipeline.yaml -p epochs=20 \\",
        '      --python "$(./dev python --path)"',
        "      trains longer; the split and the sweep come from the cache",
    ]
    return lines


def complaint_about(run):
    """Returns why the run is not what the demo promises, or None."""
    if run["state"] != "SUCCEEDED":
        reason = run["error"]["message"] if run["error"] else "no reason is given"
        return f"The run ended as {run['state']}: {reason}"
    accuracy = run["outputs"]["parameters"]["accuracy"]
    if accuracy < LEAST_ACCURACY:
        return (
            f"The model reached an accuracy of {accuracy:.4f}; the demo asks for {LEAST_ACCURACY}."
        )
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cresset", default="cresset", help="how to call cresset in the hints")
    arguments = parser.parse_args()

    run = json.load(sys.stdin)
    if run["state"] == "SUCCEEDED":
        print("\n".join(describe(run, arguments.cresset)))
    complaint = complaint_about(run)
    if complaint:
        print(f"\n{complaint}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
