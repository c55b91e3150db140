"""The digits example under kill -9 at random moments; `./dev test --all` runs it."""

import pathlib
import random
import subprocess
import time

from harness.cresset import one_object

PIPELINE = pathlib.Path(__file__).resolve().parents[2] / "examples/digits/pipeline.yaml"
KILLS = 20
# The export compiles C++ for half a minute, during which nothing changes hands.
PARAMETERS = {"threshold": "1.0"}


def essence(view):
    """What must not depend on how often the engine died: numbers of the model, not its files."""
    return {
        "state": view["state"],
        "outputs": view["outputs"]["parameters"],
        "tasks": [
            (task["path"], task["state"], task["attempts"], task["outputs"]["parameters"])
            for task in view["tasks"]
        ],
    }


def test_twenty_kills_change_nothing(cresset):
    given = [text for name, value in PARAMETERS.items() for text in ("-p", f"{name}={value}")]
    begin = time.monotonic()
    undisturbed = essence(cresset.run(PIPELINE, *given, "--no-cache", timeout=600).view)
    pause = (time.monotonic() - begin) / KILLS

    dice = random.Random(20)
    engine = cresset.start("run", PIPELINE, *given, "--no-cache", "-o", "json")
    kills = 0
    while kills < KILLS:
        try:
            engine.wait(timeout=dice.uniform(0.2, 1.6) * pause)
            break
        except subprocess.TimeoutExpired:
            engine.kill()
            engine.wait()
            kills += 1
            engine = cresset.start("resume", "latest", "-o", "json")
    view = one_object(cresset("resume", "latest", "-o", "json", timeout=600).stdout)
    assert kills >= KILLS * 3 // 4, f"the run was over after {kills} kills"
    assert essence(view) == undisturbed
