"""Compiles pipeline files with the kfp of the interpreter that runs this.

    python3 -c "<this file>"

Standard input: a JSON object a line, {"file": PATH, "function": NAME or ""}. Standard output: an
answer a line:

    {"text": YAML or null, "error": TEXT or null, "files": [PATH]}

Without a text, `error` says why; null when Python's own traceback has been printed. With a field
"ends" it is the last answer: this interpreter compiles nothing. `files` are
those of the user's that the answer depends on, as far as they are known. What the user's code
prints goes to standard error. Each file is compiled by a child of its own, which finds kfp imported
and leaves nothing behind for the next.
"""

from __future__ import annotations

import json
import os
import sys
import warnings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

_SPARE_NAME = "cresset_pipeline"


class Refused(Exception):
    """What is wrong, for the user to read."""


# ---- kfp, once ----


def import_kfp() -> None:
    """Refused when there is none, or none that writes what Cresset reads."""
    stand_in = _stand_in_for_client()
    try:
        import kfp
        from kfp import compiler, dsl  # noqa: F401
        from kfp.dsl import graph_component  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name == "kfp":
            raise Refused(
                f"{sys.executable} has no kfp, which compiles pipelines: install it with "
                f"`{sys.executable} -m pip install kfp`, or name another interpreter with --python"
            ) from None
        raise _useless_kfp(error) from error
    except ImportError as error:
        raise _useless_kfp(error) from error
    finally:
        if sys.modules.get("kfp.client") is stand_in:
            del sys.modules["kfp.client"]
    _find_client_when_asked(kfp)


def _useless_kfp(error: ImportError) -> Refused:
    from importlib import metadata

    try:
        version = metadata.version("kfp")
    except metadata.PackageNotFoundError:
        version = "of no known version"
    return Refused(
        f"kfp {version} of {sys.executable} cannot be used ({error}): install kfp 2 with "
        f"`{sys.executable} -m pip install --upgrade 'kfp>=2'`"
    )


def _stand_in_for_client() -> ModuleType:
    """kfp imports its client for servers, which takes three times as long as all of the rest."""
    from types import ModuleType

    module = ModuleType("kfp.client")
    module.Client = None  # type: ignore[attr-defined]
    sys.modules["kfp.client"] = module
    return module


def _find_client_when_asked(kfp: ModuleType) -> None:
    known = getattr(kfp, "__getattr__", None)

    def find(name: str) -> Any:
        if name in ("Client", "client"):
            import importlib

            client = importlib.import_module("kfp.client")
            return client if name == "client" else client.Client
        if known is not None:
            return known(name)
        raise AttributeError(f"module 'kfp' has no attribute {name!r}")

    for name in ("Client", "client"):
        vars(kfp).pop(name, None)
    kfp.__getattr__ = find  # type: ignore[method-assign]


# ---- One file ----


def compile_file(path: str, function: str) -> str:
    """The IR of the file's pipeline as YAML."""
    import tempfile

    from kfp import compiler

    chosen = _choose(_load(path), os.path.basename(path), function)
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "pipeline.yaml")
        compiler.Compiler().compile(chosen, out)
        with open(out, encoding="utf-8") as file:
            return file.read()


def _load(path: str) -> ModuleType:
    """Runs the file as an import does: what stands under `__name__ == "__main__"` is left out."""
    from importlib.util import decode_source, module_from_spec, spec_from_file_location

    folder, name = os.path.split(os.path.realpath(path))
    sys.path.insert(0, folder)
    sys.argv = [path]
    # A file that is saved twice within a second with as many bytes would be taken for the old one.
    sys.dont_write_bytecode = True
    name = os.path.splitext(name)[0]
    if not name.isidentifier() or name in sys.modules:
        name = _SPARE_NAME
    spec = spec_from_file_location(name, path)
    assert spec is not None
    module = module_from_spec(spec)
    sys.modules[name] = module
    with open(path, "rb") as file:
        source = file.read()
    exec(compile(decode_source(source), path, "exec", dont_inherit=True), module.__dict__)
    return module


def _choose(module: ModuleType, file: str, wanted: str) -> Any:
    from kfp.dsl.base_component import BaseComponent
    from kfp.dsl.graph_component import GraphComponent

    if wanted:
        found = getattr(module, wanted, None)
        if isinstance(found, BaseComponent):
            return found
        raise Refused(f"{file} has no pipeline {wanted!r}; it has {_list(_pipelines(module))}")
    pipelines = _pipelines(module)
    imported = {n: v for n, v in vars(module).items() if isinstance(v, GraphComponent)}
    if not pipelines and len({id(value) for value in imported.values()}) == 1:
        pipelines = dict([next(iter(imported.items()))])
    if not pipelines:
        raise Refused(f"{file} defines no pipeline: put @dsl.pipeline in front of its function")
    if len(pipelines) > 1:
        raise Refused(
            f"{file} defines {len(pipelines)} pipelines: choose one with --function: "
            f"{_list(pipelines)}"
        )
    return next(iter(pipelines.values()))


def _pipelines(module: ModuleType) -> dict[str, Any]:
    """Those that the file defines itself, by name, each once."""
    from kfp.dsl.graph_component import GraphComponent

    found: dict[str, Any] = {}
    for name, value in vars(module).items():
        if not isinstance(value, GraphComponent) or any(value is known for known in found.values()):
            continue
        if getattr(value.pipeline_func, "__module__", None) == module.__name__:
            found[name] = value
    return found


def _list(pipelines: dict[str, Any]) -> str:
    return ", ".join(pipelines) or "none"


# ---- What is said of an error ----


def show_error(error: BaseException) -> None:
    """Python's traceback, with the frames that are neither ours nor kfp's."""
    import traceback

    told = traceback.TracebackException.from_exception(error)
    seen: set[int] = set()
    _trim(told, seen)
    for line in told.format():
        print(line, end="", file=sys.stderr)


def _trim(told: Any, seen: set[int]) -> None:
    if told is None or id(told) in seen:
        return
    seen.add(id(told))
    kept = [frame for frame in told.stack if not _is_machinery(frame.filename)]
    # Without a frame of the user's the fault is elsewhere: all of it is shown.
    if kept or isinstance(told.exc_type, type) and issubclass(told.exc_type, SyntaxError):
        told.stack[:] = kept
    _trim(told.__cause__, seen)
    _trim(told.__context__, seen)
    for part in getattr(told, "exceptions", None) or ():
        _trim(part, seen)


def _is_machinery(filename: str) -> bool:
    kfp = getattr(sys.modules.get("kfp"), "__file__", None)
    if kfp and filename.startswith(os.path.dirname(kfp) + os.sep):
        return True
    return filename == _OWN_CODE or filename.startswith("<frozen importlib")


_OWN_CODE = (lambda: 0).__code__.co_filename


# ---- What the answer depends on ----


def files_of_user(path: str, error: BaseException | None) -> list[str]:
    """The file, and what it imported from its own folder, or was about to."""
    folder = os.path.dirname(os.path.realpath(path)) + os.sep
    found = {os.path.realpath(path)}
    names = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
    while error is not None:
        if isinstance(error, SyntaxError):
            names.append(error.filename)
        trace = error.__traceback__
        while trace is not None:
            names.append(trace.tb_frame.f_code.co_filename)
            trace = trace.tb_next
        error = error.__cause__ or error.__context__
    for name in names:
        real = os.path.realpath(name) if name else ""
        parts = real[len(folder) :].split(os.sep)
        if real.startswith(folder) and "site-packages" not in parts and os.path.isfile(real):
            found.add(real)
    return sorted(found)


# ---- Questions and answers ----


def answer(request: dict[str, str]) -> dict[str, Any]:
    path = request["file"]
    out: dict[str, Any] = {"text": None, "error": None, "files": []}
    failure: BaseException | None = None
    try:
        out["text"] = compile_file(path, request["function"])
    except Refused as refused:
        out["error"] = str(refused)
    except SystemExit as error:
        failure = error
        out["error"] = f"{os.path.basename(path)} ended the interpreter: {error}"
    except BaseException as error:
        failure = error
        show_error(error)
    out["files"] = files_of_user(path, failure)
    return out


def answer_in_child(request: dict[str, str]) -> dict[str, Any]:
    # Not a pipe: what the user's code has forked may hold its end open for ever.
    memory = os.memfd_create("answer")
    child = os.fork()
    if child == 0:
        try:
            text = json.dumps(answer(request)).encode()
            sys.stdout.flush()
            sys.stderr.flush()
            with os.fdopen(memory, "wb", closefd=False) as file:
                file.write(text)
        finally:
            os._exit(0)
    status = os.waitpid(child, 0)[1]
    with os.fdopen(memory, "rb") as file:
        file.seek(0)
        text = file.read()
    if text:
        return dict(json.loads(text))
    signal, code = status & 0x7F, status >> 8
    how = f"died of signal {signal}" if signal else f"ended by itself with status {code}"
    said = f"Python {how} while it compiled {os.path.basename(request['file'])}"
    return {"text": None, "error": said, "files": [os.path.realpath(request["file"])]}


def main() -> None:
    questions, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    useless = None
    try:
        import_kfp()
        # No image is pulled: what it is by default says nothing of what runs.
        warnings.filterwarnings("ignore", "The default base_image", FutureWarning)
    except Refused as refused:
        useless = {"text": None, "error": str(refused), "files": [], "ends": True}
    for line in questions:
        out = useless or answer_in_child(json.loads(line))
        # They are the same each time, and have been seen.
        warnings.simplefilter("ignore")
        answers.write(json.dumps(out).encode() + b"\n")
        answers.flush()
        # Another kfp may be there for the next question, and this process would not find it.
        if useless:
            return


if __name__ == "__main__":
    # The folder of the caller is no place for modules: that of the file is, which comes first then.
    # Where Cresset's runtime is on the path, its part of kfp would hide the whole one.
    sys.path[:] = [
        entry
        for entry in sys.path
        if entry and not os.path.isfile(os.path.join(entry, "cresset_step.py"))
    ]
    main()
