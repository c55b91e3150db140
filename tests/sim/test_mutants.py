"""Puts known mistakes back into the engine, one at a time: the simulator must find each.

A mutant is a patch of mutants/, whose first lines say what it does, and in a line "Violation: …"
which broken promise shows it, as a regular expression: that one must be found, and not just any. It
is applied to a copy of the tree, of which only the simulator is built. A line "Found by: …" says
which world showed it last: it is tried first. Where that one does not any more, as after a change
of the generator, worlds of fixed seeds are tried, and every fault at every place of the small
pipelines; what shows it then is printed, and belongs into the patch.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
MUTANTS = sorted((ROOT / "tests/sim/mutants").glob("*.patch"))
FEW = 400
WORLDS = 6000


def run(*command, **options):
    return subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, check=False, **options
    )


def must(*command, **options):
    done = run(*command, **options)
    assert done.returncode == 0, f"{command}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout


class Tree:
    """A copy of the sources with a build folder of its own."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.root = folder / "tree"
        # No repository around it may tell git apply where the paths begin.
        self.env = os.environ | {
            "CCACHE_BASEDIR": str(self.root),
            "CCACHE_NOHASHDIR": "1",
            "GIT_CEILING_DIRECTORIES": str(folder),
        }
        listed = must("git", "ls-files", "-co", "--exclude-standard", "-z", cwd=ROOT)
        for name in listed.split("\0"):
            source = ROOT / name
            if name and source.is_file():
                (self.root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, self.root / name)
        must("cmake", "--preset", "release", cwd=self.root, env=self.env)

    def build(self) -> pathlib.Path:
        must("ninja", "-C", "build/release", "cresset-sim", cwd=self.root, env=self.env)
        return self.root / "build/release/bin/cresset-sim"

    def apply(self, patch: pathlib.Path, *options: str) -> None:
        must("git", "apply", *options, patch, cwd=self.root, env=self.env)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    made = Tree(tmp_path_factory.mktemp("mutants"))
    yield made
    shutil.rmtree(made.root)


@pytest.mark.parametrize("patch", MUTANTS, ids=lambda patch: patch.stem)
def test_finds(tree, patch, tmp_path, record_property):
    head = patch.read_text()
    violation = re.search(r"^Violation: (.+)$", head, re.MULTILINE)
    assert violation, "its head does not say which violation shows it"
    known = re.search(r"^Found by: (.+)$", head, re.MULTILINE)
    tree.apply(patch)
    try:
        simulator = tree.build()
        found = known[1] if known and shows(simulator, known[1], violation[1]) else ""
        if not found:
            found = how_it_is_found(simulator, tmp_path, violation[1])
            print(f'{patch.stem}: "Found by: {found}" is news')
    finally:
        tree.apply(patch, "--reverse")
    assert found, f"{WORLDS} worlds and every single fault on the small pipelines found nothing"
    record_property("found", found)


def shows(simulator: pathlib.Path, world: str, violation: str) -> bool:
    done = run(simulator, *world.split())
    return done.returncode == 1 and re.search(violation, done.stdout, re.DOTALL) is not None


def how_it_is_found(simulator: pathlib.Path, folder: pathlib.Path, violation: str) -> str:
    """By a few worlds, by every single fault, or by many worlds: in the order of what they cost."""
    return (
        by_worlds(simulator, folder, violation, 1, FEW)
        or by_exhaustion(simulator, violation)
        or by_worlds(simulator, folder, violation, FEW + 1, WORLDS - FEW)
    )


def by_worlds(simulator, folder, violation, first, count) -> str:
    report = folder / f"worlds-{first}.json"
    done = run(
        *(simulator, "worlds", "--seed", first, "--count", count, "--findings", 30),
        *("--shrink-seconds", 0, "--json", report),
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    for finding in json.loads(report.read_text())["findings"]:
        if re.search(violation, finding["what"], re.DOTALL):
            return f"replay --seed {finding['seed']:.0f}"
    return ""


def by_exhaustion(simulator, violation) -> str:
    done = run(simulator, "exhaustive")
    assert done.returncode in (0, 1), done.stdout + done.stderr
    for broken in done.stdout.split("\n\n")[1:]:
        if re.search(violation, broken, re.DOTALL):
            replay = re.search(r"--pipeline (\S+) --plan (\S+)", broken)
            return f"exhaustive --pipeline {replay[1]} --plan {replay[2]}"
    return ""


def test_there_are_many():
    assert len(MUTANTS) >= 19
