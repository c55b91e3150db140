"""What is measured: cresset and its rivals, each with a way to run it and to see its memory."""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import time

import measure

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
BINARIES = REPOSITORY / "build/release/bin"
KFP_WORKER = pathlib.Path(__file__).with_name("kfp_local_worker.py")
PREFECT_WORKER = pathlib.Path(__file__).with_name("prefect_worker.py")


class Cresset:
    """The release binary with a home of its own."""

    def __init__(self, home):
        self.binary = str(BINARIES / "cresset")
        self.home = home
        self.processor = 0  # of the last run, without the keeper
        self.env = {**os.environ, "CRESSET_HOME": str(home), "CRESSET_PYTHON": sys.executable}

    def command(self, file, inputs, flags=("--no-cache",)):
        values = [
            text
            for name, value in inputs.items()
            for text in ("-p", f"{name}={value if isinstance(value, str) else json.dumps(value)}")
        ]
        return [self.binary, "run", str(file), *flags, "-o", "json", *values]

    def run(self, file, inputs, flags=("--no-cache",)):
        """Returns (seconds, run); raises unless the run succeeded."""
        timed = measure.time_command(self.command(file, inputs, flags), env=self.env)
        self.processor = timed.processor
        if timed.status != 0:
            raise RuntimeError(
                f"cresset run {file} ended with {timed.status}: {timed.stdout[-500:]}"
            )
        return timed.seconds, json.loads(timed.stdout)

    def keeper(self):
        """The process that starts this home's steps, or None: it outlives the commands."""
        # The oldest one is it: its children look the same until they run their step.
        mark = str(self.home / "keeper").encode()
        found = measure.processes_with(f"CRESSET_HOME={self.home}")
        return min((pid for pid in found if mark in measure.command_line(pid)), default=None)

    def knows(self, flag):
        return flag in measure.time_command([self.binary, "run", "--help"], env=self.env).stdout

    def memory(self, file, inputs, flags=("--no-cache",)):
        keepers = []

        def engine(pid):
            if not keepers and (found := self.keeper()):
                keepers.append(found)
            return {pid, *keepers}

        return measure.watch_command(self.command(file, inputs, flags), engine, env=self.env)


class KfpLocal:
    """One pipeline under kfp.local, in a process that stays for all repetitions."""

    def __init__(self, file, root, *, use_venv=False, limit):
        # Steps call `python3`; kfp.local takes the one on PATH.
        path = f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"
        command = [sys.executable, str(KFP_WORKER), str(file), "--root", str(root)]
        command += ["--limit", str(limit), *(["--use-venv"] if use_venv else [])]
        self._limit = limit
        self._process = subprocess.Popen(
            command,
            env={**os.environ, "PATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, 9)
            self._process.wait()
        self._process.stdout.close()

    def run(self, inputs):
        """Returns (seconds, None) or (None, why the pipeline did not succeed)."""
        try:
            self._process.stdin.write(json.dumps(inputs) + "\n")
            self._process.stdin.flush()
        except OSError:
            return None, "the worker cannot load the pipeline"
        answer = self._process.stdout.readline()
        if not answer:
            # Not reaped yet, so the group is still its own: end the steps that it left.
            os.killpg(self._process.pid, 9)
            return None, f"no answer within {self._limit} s, or the worker died"
        result = json.loads(answer)
        return (None, result["error"]) if result["error"] else (result["seconds"], None)

    def memory(self, inputs):
        with measure.MemoryWatch(lambda: {self._process.pid}) as watch:
            self.run(inputs)
        return watch.peak_kib


class Ninja:
    """The same commands in a build file; their outputs never appear, so that all of them run."""

    def __init__(self, folder, count, jobs, *, chain=False):
        self.folder = folder
        folder.mkdir()
        edges = [
            f"build task-{index:05}: run" + (f" task-{index - 1:05}" if chain and index else "")
            for index in range(count)
        ]
        (folder / "build.ninja").write_text(
            "\n".join(["rule run", "  command = true", *edges]) + "\n"
        )
        self.command = ["ninja", "--quiet", f"-j{jobs}"]
        self._count = count

    def _forget(self):
        for name in (".ninja_log", ".ninja_deps"):
            (self.folder / name).unlink(missing_ok=True)

    def run(self):
        self._forget()
        timed = measure.time_command(self.command, cwd=self.folder)
        self.processor = timed.processor
        ran = len((self.folder / ".ninja_log").read_text().splitlines()) - 1
        if timed.status != 0 or ran != self._count:
            raise RuntimeError(f"ninja ended with {timed.status} after {ran} commands")
        return timed.seconds

    def memory(self):
        self._forget()
        return measure.watch_command(self.command, lambda pid: {pid}, cwd=self.folder)


class NinjaNullBuild:
    """As many edges, all of them up to date: what ninja needs to see that nothing is to be done."""

    def __init__(self, folder, count, width):
        self.folder = folder
        folder.mkdir()
        # A generator's outputs count as made whoever made them.
        lines = ["rule run", "  command = true", "  generator = 1"]
        for index in range(count):
            source = f" task-{index - width:06}" if index >= width else ""
            lines.append(f"build task-{index:06}: run{source}")
            (folder / f"task-{index:06}").touch()
            os.utime(folder / f"task-{index:06}", (1, 1))
        (folder / "build.ninja").write_text("\n".join(lines) + "\n")
        self.command = ["ninja", "--quiet"]

    def run(self):
        timed = measure.time_command(self.command, cwd=self.folder)
        self.processor = timed.processor
        if timed.status != 0:
            raise RuntimeError(f"ninja ended with {timed.status}: {timed.stdout[-500:]}")
        return timed.seconds

    def memory(self):
        return measure.watch_command(self.command, lambda pid: {pid}, cwd=self.folder)


class SpawnLoop:
    """The bare loop: posix_spawn, a folder and a log for each command, and nothing else.

    Each turn has a folder of its own, which stays: ext4 passes over what was deleted in the last
    seconds when it looks for a free inode, one by one, and that would be measured.
    """

    def __init__(self, folder, count, jobs, command, *, sync=False):
        self._folder, self._turns = folder, 0
        self._mode = [str(count), str(jobs), "sync" if sync else "nosync"]
        self._what = command

    def _command(self):
        self._turns += 1
        folder = f"{self._folder}-{self._turns}"
        return [str(BINARIES / "cresset-bench-spawn"), *self._mode, folder, *self._what]

    def run(self):
        timed = measure.time_command(self._command())
        self.processor = timed.processor
        if timed.status != 0:
            raise RuntimeError(f"the bare loop ended with {timed.status}")
        return timed.seconds

    def memory(self):
        return measure.watch_command(self._command(), lambda pid: {pid})


class Command:
    """Any command, timed from its start to its end."""

    def __init__(self, command, env=None):
        self._command = command
        self._env = env

    def run(self):
        timed = measure.time_command(self._command, env=self._env)
        self.processor = timed.processor
        if timed.status != 0:
            raise RuntimeError(f"{self._command} ended with {timed.status}")
        return timed.seconds

    def memory(self):
        return measure.watch_command(self._command, lambda pid: {pid}, env=self._env)


class CressetRun:
    """One file under cresset."""

    def __init__(self, cresset, file, flags=("--no-cache",)):
        self._cresset, self._file, self._flags = cresset, file, flags

    def run(self):
        keeper = self._cresset.keeper()
        before = measure.processor_seconds(keeper)
        seconds, _ = self._cresset.run(self._file, {}, self._flags)
        after = self._cresset.keeper()
        spent = measure.processor_seconds(after) - (before if after == keeper else 0)
        # One that has left already has nobody to ask.
        self.processor = None if after is None else self._cresset.processor + spent
        return seconds

    def memory(self):
        return self._cresset.memory(self._file, {}, self._flags)


class KfpRun:
    """One file under kfp.local, in a process that stays."""

    def __init__(self, worker):
        self._worker = worker

    def run(self):
        seconds, problem = self._worker.run({})
        if problem:
            raise RuntimeError(f"kfp.local: {problem}")
        return seconds

    def memory(self):
        return self._worker.memory({})


class Prefect:
    """A flow of `count` tasks one after the other, with the server that prefect starts for itself.

    Only the call of the flow is timed, in a process that stays; its start and the server's are not.
    """

    def __init__(self, python, count, home):
        home.mkdir(exist_ok=True)
        self._process = subprocess.Popen(
            [python, str(PREFECT_WORKER), str(count)],
            env={
                **os.environ,
                "PREFECT_HOME": str(home),
                "PREFECT_LOGGING_LEVEL": "ERROR",
                "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
                "DO_NOT_TRACK": "1",
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def run(self):
        self._process.stdin.write("run\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError("the prefect worker died")
        return json.loads(answer)["seconds"]

    def memory(self):
        with measure.MemoryWatch(lambda: {self._process.pid}) as watch:
            self.run()
        return watch.peak_kib


class EditedPipeline:
    """`cresset run FILE --watch` that goes on: a changed line, until its result is there."""

    def __init__(self, cresset, file, edited, line):
        self._edited, self._line = edited, line
        self._source = edited.read_text()
        if line not in self._source:
            raise RuntimeError(f"{edited} has no {line!r} to change")
        self._edits = 0
        self._process = subprocess.Popen(
            [cresset.binary, "run", str(file), "--watch"],
            env=cresset.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.communicate()

    def _wait(self):
        seen = []
        for line in self._process.stdout:
            seen.append(line)
            if line.startswith("watching "):
                break
        if not any("SUCCEEDED" in line for line in seen):
            raise RuntimeError(f"the watched run did not succeed:\n{''.join(seen)[-2000:]}")

    def run(self):
        self._edits += 1
        new = self._edited.with_suffix(".new")
        new.write_text(self._source.replace(self._line, f"{self._line}  # edit {self._edits}"))
        start = time.perf_counter()
        new.rename(self._edited)
        self._wait()
        return time.perf_counter() - start

    def memory(self):
        return measure.peak_kib(self._process.pid)
