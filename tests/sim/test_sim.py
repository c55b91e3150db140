"""The simulator itself: fixed worlds, some that nobody has seen, every fault at every place."""

import json
import os
import pathlib
import subprocess

import pytest

BIN = pathlib.Path(os.environ["CRESSET_BINARY"]).parent
SIMULATOR = BIN / "cresset-sim"
DISK = BIN / "cresset-sim-disk"
# CRESSET_SIM_SECONDS sets how long worlds are tried that nobody has seen.
SECONDS = int(os.environ.get("CRESSET_SIM_SECONDS", "25"))


def sim(*words, program=SIMULATOR):
    return subprocess.run(
        [str(word) for word in (program, *words)],
        capture_output=True,
        text=True,
        check=False,
        timeout=1200,
    )


def keeps_all_promises(done):
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_same_seed_gives_the_same_log_in_every_process():
    for seed in (7, 77, 777):
        first, second = (sim("replay", "--log", "--seed", seed) for _ in range(2))
        keeps_all_promises(first)
        assert len(first.stdout.splitlines()) > 20
        assert first.stdout == second.stdout


def test_fixed_worlds(tmp_path):
    report = tmp_path / "report.json"
    keeps_all_promises(sim("worlds", "--seed", 1, "--count", 5000, "--json", report))
    totals = json.loads(report.read_text())["totals"]
    assert totals["worlds"] == 5000
    assert totals["runs"] > 10_000
    assert totals["faults"] > 100_000
    assert totals["ends_compared"] > totals["runs"]
    absent = [kind for kind, count in totals["faults_by_kind"].items() if count == 0]
    assert not absent


def test_worlds_that_nobody_has_seen():
    done = sim("worlds", "--random", "--seconds", SECONDS)
    print(done.stderr.splitlines()[0])  # the first seed
    keeps_all_promises(done)


def test_every_fault_at_every_place(tmp_path):
    report = tmp_path / "report.json"
    keeps_all_promises(sim("exhaustive", "--json", report))
    pipelines = json.loads(report.read_text())["exhaustive"]
    assert len(pipelines) >= 25
    for pipeline in pipelines:
        # Death before and after each call, alone, with the keeper, with a power cut; three failures
        # of each write; death in the middle of a file job; and the run that nothing disturbs.
        expected = 1 + 6 * pipeline["calls"] + 3 * pipeline["writes"] + pipeline["halves"]
        assert pipeline["worlds"] == expected, pipeline


def test_every_two_deaths():
    keeps_all_promises(sim("exhaustive", "--pairs", "--pipeline", "inputs"))


def test_operations_of_the_disk_under_runs(tmp_path):
    """Every one of them by hand: `cresset-sim exhaustive --disk`."""
    report = tmp_path / "report.json"
    stride = 5
    keeps_all_promises(sim("exhaustive", "--disk", "--stride", stride, "--json", report))
    for pipeline in json.loads(report.read_text())["exhaustive"]:
        assert pipeline["disk_operations"] > 150, pipeline
        assert pipeline["disk_writes"] > 15, pipeline
        assert pipeline["worlds"] > 2 * (pipeline["disk_operations"] // stride), pipeline


def test_every_operation_of_the_disk_under_the_store():
    keeps_all_promises(sim("deaths", 1, 1, program=DISK))
    keeps_all_promises(sim("syncs", 1, 1, "long", program=DISK))


def test_a_disk_that_fails_at_random():
    keeps_all_promises(sim("random", 1, 800, program=DISK))


@pytest.mark.parametrize(
    "words",
    [
        ("exhaustive", "--pipeline", "no such pipeline"),
        ("exhaustive", "--pipeline", "chain", "--plan", "smash@1"),
        ("replay",),
        ("no-such-verb",),
        ("worlds", "--count", "many"),
        ("worlds", "--count", "0"),
        ("worlds", "--jobs", "0"),
        ("worlds", "--seed", "-1"),
        ("worlds", "--seed", "7", "--random"),
        ("worlds", "--count", "1", "--json", "/no/such/folder/report.json"),
        ("replay", "--seed", "7", "--cut", "1.0"),
        ("replay", "--seed", "7", "--ir", "/dev/null"),
        ("exhaustive", "--plan", "crash@1"),
        ("exhaustive", "--stride", "2"),
        ("exhaustive", "--pipeline", "chain", "--plan", "crash@99999"),
    ],
)
def test_says_how_it_is_used(words):
    done = sim(*words)
    # An unknown pipeline without a plan has nothing to try, which is a wrong use as well.
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr
