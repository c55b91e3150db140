"""Finds the processes of a home by what they are, to hurt them."""

import os
import signal
from pathlib import Path

from harness.cresset import eventually

# `./dev faults` runs the tests of faults in full; ./dev test a smaller version of the same.
FULL = os.environ.get("CRESSET_FAULTS") == "full"


class Process:
    """A process held by its pidfd: a number that was given away again is never signalled."""

    def __init__(self, pid):
        self.pid = pid
        self.fd = os.pidfd_open(pid)

    def __del__(self):
        if hasattr(self, "fd"):
            os.close(self.fd)

    def read(self, name):
        return Path(f"/proc/{self.pid}/{name}").read_bytes()

    @property
    def words(self):
        return self.read("cmdline").split(b"\0")

    @property
    def variables(self):
        return self.read("environ").split(b"\0")

    @property
    def fields(self):
        """Those of /proc/<pid>/stat after the name: state, parent, group, session …"""
        return self.read("stat").rpartition(b")")[2].decode().split()

    def leads(self):
        return self.fields[2] == str(self.pid)

    def signal(self, number):
        """Whether it was there to take the signal."""
        try:
            if self.fields[0] == "Z":
                return False
            signal.pidfd_send_signal(self.fd, number)
        except (ProcessLookupError, FileNotFoundError):
            return False
        return True

    def is_gone(self):
        try:
            return self.fields[0] in "ZX"
        except (ProcessLookupError, FileNotFoundError):
            return True


def find_processes(chosen):
    """Those of this machine for which `chosen` holds."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            process = Process(int(folder.name))
            if chosen(process) and process.fields[0] not in "ZX":
                found.append(process)
        except OSError:
            continue
    return found


def keepers(cresset):
    command = [b"keeper", f"{cresset.home}/keeper".encode()]
    return find_processes(lambda process: process.words[1:3] == command)


def detached_engines(cresset):
    mark = f"CRESSET_HOME={cresset.home}".encode()
    return find_processes(
        lambda process: process.words[1:2] == [b"drive"] and mark in process.variables
    )


def step_processes(run_id):
    """Every process of every live attempt of a run, children of its steps too."""
    mark = f"CRESSET_ATTEMPT={run_id}/".encode()
    return find_processes(lambda process: any(word.startswith(mark) for word in process.variables))


def kill_all(processes):
    """How many took the signal; returns when all of them are gone."""
    hit = sum(process.signal(signal.SIGKILL) for process in processes)
    eventually(lambda: all(process.is_gone() for process in processes), "all are gone")
    return hit
