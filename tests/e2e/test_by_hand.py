"""`cresset rerun RUN TASK --pdb` and `--shell`: a step outside the engine, with its real inputs."""

import json
import os
import pty
import signal
import subprocess
import textwrap

import pytest
from harness.cresset import BINARY, eventually
from harness.pipelines import Pipeline, constant

SOURCE = """
    from kfp import dsl
    from kfp.dsl import Dataset, Input, Output

    @dsl.component(base_image="python:3.11")
    def make(data: Output[Dataset]):
        with open(data.path, "w") as file:
            file.write("four")

    @dsl.component(base_image="python:3.11")
    def divide(data: Input[Dataset], by: int) -> float:
        with open(data.path) as file:
            length = len(file.read())
        return length / by

    @dsl.pipeline(name="divisions")
    def divisions(by: int = 0) -> float:
        return divide(data=make().outputs["data"], by=by).output
"""


@pytest.fixture
def failed(cresset, tmp_path):
    pytest.importorskip("kfp", reason="the SDK is not installed in this Python")
    file = tmp_path / "p.py"
    file.write_text(textwrap.dedent(SOURCE))
    cresset.environment["TMPDIR"] = str(tmp_path / "tmp")
    (tmp_path / "tmp").mkdir()
    return cresset.run(file, state="FAILED")


def by_hand(cresset, *arguments, typed="", status=0):
    """What is printed on both streams."""
    done = subprocess.run(
        [BINARY, "rerun", "latest", *arguments],
        env=cresset.environment,
        input=typed.encode(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
    )
    text = done.stdout.decode()
    assert done.returncode == status, text
    return text


def test_the_debugger_stops_at_the_first_line_and_at_the_error(cresset, failed):
    before = cresset.show("latest").view
    typed = "p ('inputs', by, open(data.path).read())\ncontinue\np ('left at', length)\nquit\n"
    text = by_hand(cresset, "divide", "--pdb", typed=typed, status=1)
    assert "with open(data.path) as file:" in text
    assert "('inputs', 0, 'four')" in text
    assert "ZeroDivisionError" in text
    assert "('left at', 4)" in text
    assert "executor_main.py" not in text
    assert len(cresset.runs()) == 1
    assert cresset.show("latest").view == before
    assert not os.listdir(cresset.environment["TMPDIR"])
    assert sorted(os.listdir(cresset.home / "runs")) == [failed.id]


def test_another_value_and_a_good_end(cresset, failed):
    text = by_hand(cresset, "divide", "-p", "by=2", "--pdb", typed="p by\ncontinue\n")
    assert "(Pdb) 2\n" in text


def test_quit_at_once(cresset, failed):
    text = by_hand(cresset, "divide", "--pdb", typed="quit\n", status=1)
    assert "error" not in text


def test_a_shell_in_its_place(cresset, failed):
    cresset.environment["SHELL"] = "/bin/sh"
    typed = "pwd; echo $CRESSET_TASK $HOME; exit 3\n"
    text = by_hand(cresset, "divide", "--shell", typed=typed)
    assert "--function_to_execute divide" in text
    assert cresset.environment["TMPDIR"] in text
    assert "\ndivide " in text
    command = next(line for line in text.splitlines() if "cresset_step.py" in line).strip()
    assert "executor_input.json" in command
    text = by_hand(cresset, "divide", "--shell", typed="cat ../../steps/*/executor_input.json\n")
    assert '"parameterValues":{"by":0}' in text
    assert not os.listdir(cresset.environment["TMPDIR"])


@pytest.fixture
def mounted(cresset, tmp_path):
    """A run whose step has a secret and a volume as folders."""
    told = json.loads(cresset("doctor", "-o", "json").stdout)
    if any(item["name"] == "mounts" and item["verdict"] != "good" for item in told):
        pytest.skip("this machine lets no process have mounts of its own")
    secret = {"secretNameParameter": constant("token"), "mountPath": "/cresset-test/keys"}
    volume = {"pvcNameParameter": constant("data"), "mountPath": "/cresset-test/data"}
    pipeline = Pipeline("mounted")
    platform = {"secretAsVolume": [secret], "pvcMount": [volume]}
    pipeline.task("step", pipeline.shell("step", "cat /cresset-test/keys/key", platform=platform))
    (cresset.home / "secrets/token").mkdir(parents=True)
    (cresset.home / "secrets/token/key").write_text("a secret")
    (cresset.home / "volumes/data").mkdir(parents=True)
    return cresset.run(pipeline.write(tmp_path / "p.yaml"))


@pytest.mark.parametrize(("kind", "task"), [("failed", "divide"), ("mounted", "step")])
def test_on_a_terminal_an_interrupt_is_the_programs(cresset, request, kind, task):
    request.getfixturevalue(kind)
    cresset.environment["SHELL"] = "/bin/sh"
    child, terminal = pty.fork()
    if child == 0:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.execve(BINARY, [BINARY, "rerun", "latest", task, "--shell"], cresset.environment)
    seen = bytearray()

    def sees(text):
        def probe():
            seen.extend(os.read(terminal, 4096))
            return text in seen

        eventually(probe, lambda: seen)

    sees(b"exit` ends it")
    os.write(terminal, b"stty -echo; echo re''ady; sleep 100\n")
    sees(b"ready")
    os.write(terminal, b"\x03")
    os.write(terminal, b"echo still he''re; exit\n")
    sees(b"still here")
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.usefixtures("mounted")
def test_its_secrets_and_volumes_are_mounted(cresset):
    cresset.environment["SHELL"] = "/bin/sh"
    typed = "cat /cresset-test/keys/key; echo '<'$PWD'>'; echo by hand > /cresset-test/data/file\n"
    text = by_hand(cresset, "step", "--shell", typed=typed)
    assert "a secret<" in text
    # As in a run, no signal is ignored.
    said = by_hand(cresset, "step", "--shell", typed="grep SigIgn /proc/self/status\n")
    assert "SigIgn:\t0000000000000000" in said
    assert (cresset.home / "volumes/data/file").read_text() == "by hand\n"
    assert not os.path.exists("/cresset-test")


def test_what_cannot_be_done_by_hand(cresset, tmp_path):
    pipeline = Pipeline("commands")
    pipeline.task("say", pipeline.shell("say", "echo $PWD"))
    cresset.run(pipeline.write(tmp_path / "p.yaml"))
    cresset.refuses("rerun", "latest", "say", "--pdb", says=["no Python component", "--shell"])
    cresset.refuses("rerun", "latest", "say", "--pdb", "--shell", says="--pdb")
    cresset.refuses("rerun", "latest", "say", "--shell", "-o", "json", says="JSON")
    cresset.refuses("rerun", "latest", "sya", "--shell", says='"say"')
    cresset.environment["SHELL"] = "/no/such/shell"
    cresset.refuses("rerun", "latest", "say", "--shell", says="/no/such/shell")
