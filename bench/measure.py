"""Runs commands and measures their time and memory."""

import contextlib
import dataclasses
import datetime
import os
import pathlib
import statistics
import subprocess
import threading
import time

PROC = pathlib.Path("/proc")


@dataclasses.dataclass
class Timed:
    """What one undisturbed command took and gave."""

    seconds: float
    status: int
    stdout: str
    processor: float  # seconds of it and of the children that it waited for


def time_command(command, env=None, cwd=None):
    """Runs a command to its end; nothing looks at it meanwhile."""
    before = os.times()
    start = time.perf_counter()
    done = subprocess.run(
        command,
        check=False,
        env=env,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    seconds = time.perf_counter() - start
    after = os.times()
    processor = (after.children_user - before.children_user) + (
        after.children_system - before.children_system
    )
    return Timed(seconds, done.returncode, done.stdout.decode(errors="replace"), processor)


def processor_seconds(pid):
    """Of a process with the children that it has waited for; 0 of one that is not there."""
    if not (PROC / str(pid)).exists():
        return 0
    # The name in parentheses may hold spaces.
    fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def summarise(samples):
    """Returns median, least and most of a list of seconds, and the list."""
    return {
        "median": statistics.median(samples),
        "least": min(samples),
        "most": max(samples),
        "samples": samples,
    }


def seconds_between(start, end):
    """From one RFC 3339 instant to another."""
    read = datetime.datetime.fromisoformat
    return (read(end) - read(start)).total_seconds()


def peak_kib(pid):
    for line in (PROC / str(pid) / "status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    return 0  # a process that has ended has no memory


def command_line(pid):
    with contextlib.suppress(OSError):
        return (PROC / str(pid) / "cmdline").read_bytes()
    return b""


def processes_with(variable):
    """Returns the processes of this user that were started with `variable` (NAME=VALUE)."""
    wanted = variable.encode()
    found = []
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
    return found


class MemoryWatch:
    """Reads the peak resident memory of an engine's processes until it is closed.

    `peak_kib` is the sum over the processes that `find_engine` named; their steps are not among
    them. Reading takes processor time: a command that is watched is not timed.
    """

    def __init__(self, find_engine):
        self._find_engine = find_engine
        self._peaks = {}
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    @property
    def peak_kib(self):
        return sum(self._peaks.values())

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._done.set()
        self._thread.join()

    def _watch(self):
        while not self._done.wait(0.005):
            for pid in self._find_engine():
                # A process may end between being found and being read.
                with contextlib.suppress(OSError):
                    self._peaks[pid] = max(self._peaks.get(pid, 0), peak_kib(pid))


def watch_command(command, find_engine, env=None, cwd=None):
    """Runs a command and returns the engine's peak in KiB; `find_engine` gets its process id."""
    process = subprocess.Popen(
        command,
        env=env,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with MemoryWatch(lambda: find_engine(process.pid)) as watch:
        process.wait()
    return watch.peak_kib


def machine():
    """Describes where this runs."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    model = "unknown processor"
    for line in (PROC / "cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return {
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory, 1),
        "processor": model,
        "kernel": os.uname().release,
        "load": os.getloadavg()[0],
    }
