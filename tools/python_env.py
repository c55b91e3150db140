#!/usr/bin/env python3
"""Makes the Python environments of the project and prints an environment's interpreter.

    python_env.py tools     uv and ruff
    python_env.py torch     PyTorch, kfp and what the example and the Python tests need
    python_env.py prefect   a rival of the benchmarks

An environment lies outside the clone, under $CRESSET_DEV_CACHE (else $XDG_CACHE_HOME/cresset-dev,
else ~/.cache/cresset-dev), in a folder named after everything that decides its content: clones
share it, and a changed pin makes a new one. Its .ready file comes last; without it the environment
is made anew.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import NoReturn

TOOLS = pathlib.Path(__file__).resolve().parent
REQUIREMENTS = TOOLS / "requirements"
OLDEST, NEWEST = (3, 11), (3, 14)

# What uv must be told so that it looks where the user's pip looks; uv's own settings win.
PIP_TO_UV = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "no-index": "UV_NO_INDEX",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
    "default-timeout": "UV_HTTP_TIMEOUT",
    "timeout": "UV_HTTP_TIMEOUT",
}

# Counted up when a builder below makes something else from the same requirements.
RECIPE = 1
TORCH_CHECK = "import kfp, numpy, pytest, setuptools, sklearn.datasets, torch, yaml"

# Prints the interpreter's version and the installed versions of the packages named.
PROBE = """
import importlib.metadata, json, sys
def version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
print(json.dumps([sys.version_info[:2], sys.executable, {n: version(n) for n in sys.argv[1:]}]))
"""


def fail(message: str) -> NoReturn:
    sys.exit(f"python_env: {message}")


def say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def run(*command: str | pathlib.Path, env: dict[str, str] | None = None) -> None:
    words = [str(word) for word in command]
    # stdout carries one path and nothing else.
    if subprocess.run(words, stdout=sys.stderr, stdin=subprocess.DEVNULL, env=env).returncode:
        fail(f"this failed: {shlex.join(words)}")


def cache() -> pathlib.Path:
    if chosen := os.environ.get("CRESSET_DEV_CACHE"):
        return pathlib.Path(chosen).absolute()
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base, "cresset-dev").absolute()


def configured_pythons() -> Iterator[str]:
    """The order in which cresset itself looks for an interpreter."""
    if chosen := os.environ.get("CRESSET_PYTHON"):
        yield chosen
    if venv := os.environ.get("VIRTUAL_ENV"):
        yield f"{venv}/bin/python"
    for name in ("python3", "/usr/bin/python3"):
        if path := shutil.which(name):
            yield path


def probe(python: str, packages: list[str]) -> tuple[tuple[int, int], str, dict] | None:
    try:
        answer = subprocess.run(
            [python, "-c", PROBE, *packages], capture_output=True, text=True, timeout=60
        )
        version, executable, found = json.loads(answer.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    return tuple(version), executable, found


def pins(file: str) -> dict[str, str]:
    lines = (REQUIREMENTS / file).read_text().splitlines()
    return dict(line.split("==") for line in lines if "==" in line and not line.startswith("#"))


def configured_torch() -> str | None:
    """A configured Python that already has what the torch environment would hold."""
    exact = {**pins("torch.txt"), "kfp": pins("packages.in")["kfp"]}
    others = ["numpy", "pytest", "PyYAML", "scikit-learn", "setuptools"]
    for python in configured_pythons():
        answer = probe(python, [*exact, *others])
        if answer is None:
            continue
        _, executable, found = answer
        # A local version names how torch was built (2.15.0+cpu), not what it is.
        same = all((found[name] or "").split("+")[0] == pin for name, pin in exact.items())
        if same and all(found[name] for name in others):
            check = subprocess.run([python, "-c", TORCH_CHECK], capture_output=True)
            if check.returncode == 0:
                return executable
    return None


def base_python() -> tuple[str, tuple[int, int]]:
    tried = []
    for python in configured_pythons():
        answer = probe(python, [])
        if answer and OLDEST <= answer[0] < NEWEST:
            return answer[1], answer[0]
        tried.append(f"{python} ({'.'.join(map(str, answer[0])) if answer else 'does not run'})")
    wanted = f"{'.'.join(map(str, OLDEST))} or newer, below {'.'.join(map(str, NEWEST))}"
    fail(
        f"no Python {wanted}; looked at {', '.join(tried) or 'nothing'}. Set CRESSET_PYTHON to one."
    )


def has_gpu() -> bool:
    return any(map(os.path.exists, ("/proc/driver/nvidia/version", "/dev/nvidiactl")))


def uv_environment(tools: pathlib.Path) -> dict[str, str]:
    """The environment of uv: the user's, with pip's settings where uv has none of its own."""
    env = dict(os.environ)
    listing = subprocess.run(
        [tools, "-m", "pip", "config", "list"], check=True, capture_output=True, text=True
    ).stdout
    settings = {}
    for line in listing.splitlines():
        key, _, value = line.partition("=")
        section, _, name = key.rpartition(".")
        # pip lists its sources from weak to strong; of the sections only these concern installing.
        if section in ("global", "install", ":env:"):
            settings[name] = value.strip("'\"")
    for name, variable in PIP_TO_UV.items():
        if name in settings and variable not in env:
            env[variable] = " ".join(settings[name].replace("\\n", " ").split())
    if "UV_FIND_LINKS" in env and "UV_FIND_LINKS" not in os.environ:
        places = env["UV_FIND_LINKS"].split()
        # pip passes over a folder that is not there, uv stops at it.
        env["UV_FIND_LINKS"] = ",".join(p for p in places if "://" in p or os.path.exists(p))
    if "UV_INDEX" in env and "UV_INDEX" not in os.environ:
        env.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
    return env


def build_tools(home: pathlib.Path, base: str) -> None:
    run(base, "-m", "venv", home)
    run(home / "bin/python", "-m", "pip", "install", "-q", "-r", REQUIREMENTS / "tools.txt")


def build_torch(home: pathlib.Path, base: str) -> None:
    say("setup: installing PyTorch and kfp, once; this downloads 0.6 GB (3 GB with a GPU)")
    tools = environment("tools")
    env = uv_environment(tools)
    python = home / "bin/python"
    run(base, "-m", "venv", home)
    install = [tools.parent / "uv", "pip", "install", "-q", "--python", python]
    packages = ["-r", REQUIREMENTS / "packages.txt"]
    torch = ["-r", REQUIREMENTS / "torch.txt"]
    if has_gpu():
        run(*install, *packages, *torch, env=env)
    else:
        run(*install, *packages, env=env)
        run(*install, "--no-deps", *torch, env=env)
        site = next(home.glob("lib/python*/site-packages"))
        run(sys.executable, TOOLS / "cuda_standins.py", site)
    run(python, "-c", TORCH_CHECK)


def build_prefect(home: pathlib.Path, base: str) -> None:
    tools = environment("tools")
    python = home / "bin/python"
    run(base, "-m", "venv", home)
    install = [tools.parent / "uv", "pip", "install", "-q", "--python", python]
    run(*install, "-r", REQUIREMENTS / "prefect.txt", env=uv_environment(tools))
    run(python, "-c", "import prefect")


BUILDERS = {
    "tools": (build_tools, ["tools.txt"]),
    "torch": (build_torch, ["packages.txt", "torch.txt"]),
    "prefect": (build_prefect, ["prefect.txt"]),
}


def digest(name: str, base: str, version: tuple[int, int]) -> str:
    content = hashlib.sha256(f"{RECIPE} {base} {version} {has_gpu()}".encode())
    for file in BUILDERS[name][1]:
        content.update((REQUIREMENTS / file).read_bytes())
    return content.hexdigest()[:12]


@contextlib.contextmanager
def locked(path: pathlib.Path) -> Iterator[None]:
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("setup: waiting for another setup that makes the same environment")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def environment(name: str) -> pathlib.Path:
    base, version = base_python()
    home = cache() / "envs" / f"{name}-{digest(name, base, version)}"
    python = home / "bin/python"
    if not (home / ".ready").exists():
        home.parent.mkdir(parents=True, exist_ok=True)
        with locked(home.with_suffix(".lock")):
            if not (home / ".ready").exists():
                shutil.rmtree(home, ignore_errors=True)
                BUILDERS[name][0](home, base)
                (home / ".ready").touch()
    return python


def main() -> None:
    if len(sys.argv) != 2 or sys.argv[1] not in BUILDERS:
        sys.exit(f"usage: python_env.py {'|'.join(BUILDERS)}")
    name = sys.argv[1]
    print((name == "torch" and configured_torch()) or environment(name))


if __name__ == "__main__":
    main()
