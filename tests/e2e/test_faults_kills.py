"""kill -9 of engine, keeper and steps, all through one run. CRESSET_KILLS says how many,
CRESSET_SEED which: a failure prints both."""

import os
import random

from harness.cresset import Cresset
from harness.faults import FULL
from harness.storm import Storm, StormPipeline, essence

KILLS = int(os.environ.get("CRESSET_KILLS", "520" if FULL else "40"))
SEED = int(os.environ.get("CRESSET_SEED", random.SystemRandom().randrange(10**6)))


def undisturbed(tmp_path_factory, items, links):
    folder = tmp_path_factory.mktemp("undisturbed")
    cresset = Cresset(folder / "home")
    pipeline = StormPipeline(folder, items, links, pause=0)
    pipeline.gate.touch()
    try:
        return essence(cresset.run(pipeline.file, timeout=300).view)
    finally:
        cresset.stop_everything()


def test_a_run_under_kills_is_as_one_without(cresset, tmp_path, tmp_path_factory):
    shape = (KILLS // 2, KILLS // 4)
    expected = undisturbed(tmp_path_factory, *shape)
    storm = Storm(cresset, StormPipeline(tmp_path, *shape, pause=0.1), SEED, KILLS)
    print(f"CRESSET_SEED={SEED} CRESSET_KILLS={KILLS}")
    view = storm.rage()
    print(f"kills: {dict(storm.killed)}, {storm.late_kills} of them late")
    storm.check(view, expected)
    assert storm.kills >= KILLS
    assert storm.late_kills < KILLS / 2
    assert min(storm.killed[kind] for kind in ("engine", "keeper", "step")) > 0, storm.killed
