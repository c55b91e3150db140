"""`cresset df`: what takes space in a home."""

import os
import shutil
import subprocess

from harness.cresset import one_object


def test_df_agrees_with_du(cresset, made):
    made()
    run = made("--no-cache")
    told = one_object(cresset("df", "-o", "json").stdout)
    du = subprocess.run(
        ["du", "-s", "--block-size=1", cresset.home], capture_output=True, check=True
    )
    size = int(du.stdout.split()[0])
    # The keeper may be writing its journal meanwhile.
    assert abs(told["bytes"] - size) <= 64 * 1024
    assert sum(told["parts"].values()) == told["bytes"]
    assert len(told["runs"]) == 2
    for row in told["runs"]:
        assert row["bytes"] == row["artifacts"] + row["logs"] + row["working"] + row["other"]
        folder = cresset.home / "artifacts/made" / row["id"]
        du = subprocess.run(["du", "-s", "--block-size=1", folder], capture_output=True, check=True)
        assert row["artifacts"] == int(du.stdout.split()[0])
    text = cresset("df").stdout
    assert "artifacts" in text and run.id[:8] in text
    assert "database" in text


def test_df_counts_what_has_two_names_in_a_run(cresset, made):
    """Once, and nothing else less often for it."""
    folder = cresset.home / "runs" / made().id
    (folder / "logs/big").write_bytes(os.urandom(1_000_000))
    (folder / "workspace").mkdir()
    os.link(folder / "logs/big", folder / "workspace/same")
    (folder / "workspace/other").write_bytes(os.urandom(1_000_000))
    (row,) = one_object(cresset("df", "-o", "json").stdout)["runs"]
    assert row["logs"] >= 1_000_000 and row["other"] >= 1_000_000
    du = subprocess.run(["du", "-s", "--block-size=1", folder], capture_output=True, check=True)
    size = int(du.stdout.split()[0])
    assert abs(row["logs"] + row["working"] + row["other"] - size) <= 64 * 1024


def test_df_of_no_home(cresset):
    assert one_object(cresset("df", "-o", "json").stdout)["bytes"] == 0
    assert not cresset.home.exists()


def test_df_names_what_a_removal_that_was_cut_off_has_left(cresset, made, tmp_path):
    """And `gc` takes it away."""
    run = made()
    folders = [cresset.home / "runs" / run.id, cresset.home / "artifacts/made" / run.id]
    for folder in folders:
        shutil.copytree(folder, tmp_path / folder.parent.name)
    cresset("rm", run.id)
    assert "cut off" not in cresset("df").stdout
    for folder in folders:  # the removal had come no further than the list of runs
        shutil.copytree(tmp_path / folder.parent.name, folder)
    (row,) = [line for line in cresset("df").stdout.splitlines() if "cut off" in line]
    assert "`cresset gc`" in row
    told = one_object(cresset("df", "-o", "json").stdout)
    assert told["parts"]["leftovers"] > 0
    assert sum(told["parts"].values()) == told["bytes"]
    cresset("gc")
    assert not any(folder.exists() for folder in folders)
    assert one_object(cresset("df", "-o", "json").stdout)["parts"]["leftovers"] == 0
