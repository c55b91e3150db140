"""A Python that has imported what steps need and waits: each warm step is a fork of it.

python3 cresset_zygote.py MODULE...

File descriptor 0 is a socket of packets to the keeper (docs/formats/keeper-protocol.md, "Warm
workers"). The zygote imports and never computes: no thread of a library may run when it forks.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, ModuleType
    from typing import Any

_PROBE_SECONDS = 20.0
_PACKET_BYTES = 1 << 20
_SPARES_MAX = 16  # asked for at once; the keeper asks for fewer
# What the runtime of every lightweight component imports, and what most components do.
_ALWAYS = (
    "atexit",
    "gc",
    "json",
    "resource",
    "signal",
    "socket",
    "threading",
    "typing",
    "warnings",
    "kfp.dsl",
    "kfp.dsl._errors",
    "kfp.dsl._json",
    "kfp.dsl._logging",
    "kfp.dsl._outputs",
    "kfp.dsl._signature",
    "kfp.dsl._source",
    "kfp.dsl.executor",
    "kfp.dsl.executor_main",
)
# The keeper gives it a value that leaves room for an attempt's name.
_MARK = b"CRESSET_ATTEMPT="
_STEP_SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cresset_step.py")
_REHEARSED_VARIABLE = b"CRESSET_REHEARSAL"
_REHEARSED = b"def rehearsal(value: int) -> int:\n    return value\n"


_compiled: dict[str, CodeType] = {}  # by path, those that never change


class Unfit(Exception):
    """Why no step can be a fork of this process."""


def main() -> None:
    import contextlib
    import gc
    import socket

    keeper = socket.socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.close(null)
    os.environ["_KFP_RUNTIME"] = "true"
    gc.disable()
    try:
        mark = _find_mark()
        imported = _import_all(sys.argv[1:])
        _probe(imported)
    except Unfit as error:
        keeper.send(b"unfit\0" + str(error).encode(errors="replace"))
        return
    _rehearse()
    _settle()
    keeper.send(b"fit\0" + "\0".join(imported).encode())
    # Steps that want no packages get none, whatever another one imported.
    lessons = _Lessons(os.getcwd()) if len(sys.argv) > 1 else None
    while True:
        packet, descriptors, _, _ = socket.recv_fds(keeper, 64, _SPARES_MAX)
        if not packet:
            return
        line = _fork_spares([socket.socket(fileno=fd) for fd in descriptors])
        if line is not None:
            keeper.close()
            _serve(line, mark, lessons)
        if lessons is not None:
            # A zygote that cannot learn serves as before.
            with contextlib.suppress(Exception):
                if lessons.learn():
                    keeper.send(b"learned")


def _settle() -> None:
    """What lives until now lives on: a child that collects garbage does not touch, and so does not
    copy, the pages of it; and at its end it takes nothing of it away, which all steps share.
    PyTorch alone would take 150 libraries of operators to pieces, for 40 ms."""
    import gc

    weakref: Any = sys.modules.get("weakref")
    for finalizer in list(getattr(getattr(weakref, "finalize", None), "_registry", ())):
        finalizer.atexit = False
    gc.freeze()
    gc.enable()


# ---- Imports ----


def _import_all(wanted: list[str]) -> list[str]:
    """Those of `wanted` that are installed, and now imported."""
    import importlib

    for name in _ALWAYS:
        importlib.import_module(name)
    roots = _installed_roots()
    installed = [name for name in wanted if _is_installed(name, roots)]
    _import_installed(installed)
    return installed


def _import_installed(names: list[str]) -> None:
    import importlib

    for name in names:
        try:
            importlib.import_module(name)
        except BaseException as error:
            raise Unfit(f"importing {name} failed: {type(error).__name__}: {error}") from None


def _installed_roots() -> list[str]:
    import site
    import sysconfig

    paths = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    paths += site.getsitepackages()
    return sorted({os.path.realpath(path) + os.sep for path in paths if path})


def _is_installed(name: str, roots: list[str]) -> bool:
    """False for the user's own modules: they change between steps, and importing them runs them."""
    import importlib.util

    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return False
    if spec is None:
        return False
    if spec.origin in ("built-in", "frozen"):
        return True
    places = [spec.origin] if spec.origin else list(spec.submodule_search_locations or [])
    return bool(places) and all(
        os.path.realpath(place).startswith(tuple(roots)) for place in places
    )


class _Lessons:
    """What steps imported beyond what they found, in files that they leave in the zygote's folder.

    Through files, because a descriptor would be one more than a new interpreter has.
    """

    _NAME = "imports."
    _NAMES_MAX = 100

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._roots = _installed_roots()
        self._found = 0  # how many modules
        self._refused: set[str] = set()

    def begin_step(self) -> None:
        self._found = len(sys.modules)

    def end_step(self) -> None:
        """In a step, at its end: leaves the lesson. What goes wrong with that is not the step's,
        which can have done anything to sys.modules."""
        try:
            from itertools import islice

            # The last ones in. To look at all of them would copy the pages of their names.
            last = list(islice(reversed(sys.modules), max(len(sys.modules) - self._found, 0)))
            new = sorted(name for name in last if isinstance(name, str) and "." not in name)
            names = [name for name in new if _is_installed(name, self._roots)]
            if not names:
                return
            path = os.path.join(self._folder, self._NAME + str(os.getpid()))
            with open(path + "-", "w") as file:
                file.write("\n".join(names[: self._NAMES_MAX]))
            os.rename(path + "-", path)
        except BaseException:
            return

    def learn(self) -> bool:
        """In the zygote: imports what steps have imported, where a fork of it lives through it.
        Whether there was anything."""
        names = {name for name in self._take() if name not in sys.modules} - self._refused
        names = {name for name in names if _is_installed(name, self._roots)}
        if not names:
            return False
        wanted = sorted(names)
        if self._is_safe(wanted):
            _import_installed(wanted)
        else:
            # One that is not safe spoils no other.
            for name in wanted:
                if len(wanted) > 1 and self._is_safe([name]):
                    _import_installed([name])
                else:
                    self._refused.add(name)
        _settle()
        return True

    def _take(self) -> set[str]:
        names: set[str] = set()
        for entry in os.listdir(self._folder):
            if entry.startswith(self._NAME) and not entry.endswith("-"):
                path = os.path.join(self._folder, entry)
                with open(path) as file:
                    names.update(file.read().split())
                os.unlink(path)
        return names

    @staticmethod
    def _is_safe(names: list[str]) -> bool:
        child = _fork()
        if child == 0:
            try:
                _import_installed(names)
                _probe(names)
            except BaseException:
                os._exit(1)
            os._exit(0)
        return _wait(child, 2 * _PROBE_SECONDS) == 0


# ---- Rehearsal ----


def _rehearse() -> None:
    """What the runtime does for every step, done for a function of its own, which does nothing.

    In the zygote it builds what the interpreter makes when it is first needed (its syntax tree's
    types alone take 1.3 ms). In a spare it copies the pages that a step writes to, while nobody
    waits for that. Nothing of it stays but a little memory.
    """
    import contextlib

    # On a full disk, say: steps run all the same, and say so if it concerns them.
    with contextlib.suppress(Exception):
        _do_a_step()


def _do_a_step() -> None:
    from kfp.dsl import _json, _source
    from kfp.dsl.executor import Executor
    from kfp.dsl.types import artifact_types

    if _STEP_SCRIPT not in _compiled:
        _compiled[_STEP_SCRIPT] = _compile(_STEP_SCRIPT)
    # In the zygote's folder, which this makes no second time where it has been removed meanwhile.
    output = f"rehearsal.{os.getpid()}"
    executor_input = {
        "inputs": {"parameterValues": {"value": 1}, "artifacts": {}},
        "outputs": {
            "parameters": {"Output": {"outputFile": output}},
            "artifacts": {},
            "outputFile": output,
        },
    }
    root = artifact_types.CONTAINER_TASK_ROOT
    namespace: dict[str, Any] = {}
    # A step sets variables.
    os.environb[_REHEARSED_VARIABLE] = b""
    try:
        exec(_source._compile(_source._PROLOGUE + _REHEARSED, output, namespace), namespace)
        text = _json.dumps(executor_input, str)
        Executor(_json.loads(text), namespace["rehearsal"]).execute()
        with open(output, "rb") as file:
            file.read()
    finally:
        artifact_types.CONTAINER_TASK_ROOT = root
        del os.environb[_REHEARSED_VARIABLE]
        os.unlink(output)


# ---- Probe ----


def _probe(imported: list[str]) -> None:
    """A child that computes must get through: libraries exist that hang after a fork."""
    checks = [check for module, check in _CHECKS.items() if module in sys.modules]
    if not checks:
        return
    child = _fork()
    if child == 0:
        try:
            for check in checks:
                check(sys.modules)
        except BaseException:
            os._exit(1)
        os._exit(0)
    status = _wait(child, _PROBE_SECONDS)
    names = ", ".join(imported)
    if status is None:
        raise Unfit(f"a fork that has imported {names} hangs when it computes")
    if status != 0:
        raise Unfit(f"a fork that has imported {names} cannot compute (wait status {status})")


def _compute_with_numpy(modules: dict[str, ModuleType]) -> None:
    numpy: Any = modules["numpy"]
    square = numpy.ones((256, 256))
    assert (square @ square)[0, 0] == 256


def _compute_with_torch(modules: dict[str, ModuleType]) -> None:
    torch: Any = modules["torch"]
    square = torch.ones(256, 256, requires_grad=True)
    (square @ square).sum().backward()
    assert square.grad is not None


_CHECKS: dict[str, Callable[[dict[str, ModuleType]], None]] = {
    "numpy": _compute_with_numpy,
    "torch": _compute_with_torch,
}


def _wait(child: int, seconds: float) -> int | None:
    """The wait status; None when it had to be killed."""
    import select
    import signal

    handle = os.pidfd_open(child)
    try:
        ended = select.select([handle], [], [], seconds)[0]
    finally:
        os.close(handle)
    if not ended:
        os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    return status if ended else None


def _fork() -> int:
    import warnings

    with warnings.catch_warnings():
        # Threads that libraries have started are known of: the probe has shown that forks live.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


# ---- Steps ----


def _fork_spares(lines: list[Any]) -> Any:
    """Forks a child of the keeper for each line. In such a child: the line on which it is to wait
    to become a step; in the zygote: None."""
    between = _fork()
    if between != 0:
        for line in lines:
            line.close()
        os.waitpid(between, 0)
        return None
    # Orphaned at once, its children become the keeper's, as every other step is.
    try:
        mine = next((line for line in lines if _fork() == 0), None)
    except BaseException:
        os._exit(1)
    if mine is None:
        os._exit(0)
    for line in lines:
        if line is not mine:
            line.close()
    return mine


def _serve(line: Any, mark: tuple[int, int], lessons: _Lessons | None) -> None:
    """A spare's life: does not return."""
    try:
        request, output = _wait_for_request(line, mark)
    except BaseException:
        os._exit(1)
    if request is None:
        os._exit(0)
    _become(request, output, lessons)


def _wait_for_request(line: Any, mark: tuple[int, int]) -> tuple[list[bytes] | None, int]:
    """Returns when the keeper has let it go; (None, -1) when no step wants it any more."""
    import socket

    os.setsid()
    memory = open("/proc/self/mem", "r+b", buffering=0)  # noqa: SIM115
    _rehearse()
    line.send(str(os.getpid()).encode())
    packet, descriptors, _, _ = socket.recv_fds(line, _PACKET_BYTES, 1)
    if not packet:
        return None, -1
    request = packet.split(b"\0")
    # Whoever looks for what is left of an attempt must find this process before it does anything.
    _write_mark(memory, mark, request[0])
    memory.close()
    line.send(b"marked")
    if line.recv(64) != b"go":
        return None, -1
    line.close()
    return request, descriptors[0]


def _find_mark() -> tuple[int, int]:
    """Where the mark's value lies in memory, and how long it may be."""
    with open("/proc/self/stat", "rb") as file:
        place = int(file.read().rpartition(b")")[2].split()[47])
    with open("/proc/self/environ", "rb") as file:
        entries = file.read().split(b"\0")
    for entry in entries:
        if entry.startswith(_MARK):
            return place + len(_MARK), len(entry) - len(_MARK)
        place += len(entry) + 1
    raise Unfit("its environment lacks CRESSET_ATTEMPT")


def _write_mark(memory: Any, mark: tuple[int, int], attempt: bytes) -> None:
    place, room = mark
    if len(attempt) > room:
        raise ValueError("the attempt's name is too long")
    # A package may have written over what the process was begun with, as to show another title.
    memory.seek(place - len(_MARK))
    if memory.read(len(_MARK)) != _MARK:
        raise Unfit("its initial environment has been overwritten")
    memory.seek(place)
    memory.write(attempt.ljust(room, b"\0"))


def _become(request: list[bytes], output: int, lessons: _Lessons | None) -> None:
    """Runs the script as `python3 SCRIPT ARGUMENT...` would, and ends the process."""
    import resource

    _, folder, open_files, count, *rest = request
    words = [os.fsdecode(word) for word in rest[: int(count)]]
    variables = dict(variable.split(b"=", 1) for variable in rest[int(count) :])
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    if open_files:
        soft, hard = map(int, open_files.split())
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    os.chdir(folder)
    for name in [name for name in os.environb if name not in variables]:
        del os.environb[name]
    for name, value in variables.items():
        if os.environb.get(name) != value:
            os.environb[name] = value
    sys.argv = words
    sys.orig_argv = [sys.executable, *words]
    _seed_anew()
    if lessons is not None:
        lessons.begin_step()
    _end(_run_as_main(words[0]), lessons)


def _seed_anew() -> None:
    """Generators that a new interpreter seeds from the system; `random` does so by itself."""
    numpy_random: Any = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()


def _run_as_main(script: str) -> int | None:
    """The exit status; None = to be ended by SIGINT, as an uncaught KeyboardInterrupt ends."""
    module = type(sys)("__main__")
    module.__file__ = script
    module.__builtins__ = __builtins__  # type: ignore[attr-defined]
    sys.modules["__main__"] = module
    try:
        exec(_compile(script), module.__dict__)
    except SystemExit as error:
        return _status_of(error)
    except BaseException as error:
        # Without this frame, which a new interpreter has not.
        outer = error.__traceback__
        error.__traceback__ = outer.tb_next if outer else None
        sys.excepthook(type(error), error, error.__traceback__)
        return None if isinstance(error, KeyboardInterrupt) else 1
    return 0


def _compile(script: str) -> CodeType:
    if script in _compiled:
        return _compiled[script]
    with open(script, "rb") as file:
        return compile(file.read(), script, "exec", dont_inherit=True)


def _status_of(error: SystemExit) -> int:
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return error.code & 0xFF
    print(error.code, file=sys.stderr)
    return 1


def _end(status: int | None, lessons: _Lessons | None) -> None:
    """What a normal end does, without taking the interpreter to pieces (260 ms with PyTorch)."""
    import atexit
    import signal
    import threading

    try:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None and not stream.closed:
                stream.flush()
        except (OSError, ValueError):
            status = 120 if status == 0 else status
    if lessons is not None:
        lessons.end_step()
    if status is None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    os._exit(130 if status is None else status)


if __name__ == "__main__":
    main()
