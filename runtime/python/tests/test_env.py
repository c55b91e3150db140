"""cresset_env.py: what the engine asks interpreters."""

import json
import os
import subprocess
import sys

import pytest
from steps import RUNTIME


def ask(*arguments: str, python: str = sys.executable, env: dict[str, str] | None = None):
    command = [python, "-I", str(RUNTIME / "cresset_env.py"), *arguments]
    ended = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, **(env or {})}
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


@pytest.fixture(scope="module")
def bare(tmp_path_factory) -> str:
    """A virtual environment with nothing in it, not even pip."""
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    return str(folder / "bin/python")


def test_probe():
    found = ask("probe")
    assert found["executable"] == os.path.abspath(sys.executable)
    assert found["version"] == ".".join(str(part) for part in sys.version_info[:3])
    assert found["implementation"] == sys.implementation.name
    assert all(os.path.isdir(folder) for folder in found["site_dirs"])
    assert not any(os.path.isdir(folder) for folder in found["absent_site_dirs"])
    import numpy

    assert os.path.dirname(os.path.dirname(numpy.__file__)) in found["site_dirs"]
    assert os.path.dirname(os.__file__) not in found["site_dirs"]


def test_probe_of_a_virtual_environment(bare):
    found = ask("probe", python=bare)
    assert found["executable"] == bare
    assert found["prefix"] == os.path.dirname(os.path.dirname(bare))
    assert found["base_prefix"] != found["prefix"]


def test_check_names_what_is_not_met():
    wanted = ["numpy", "numpy>=1,<99", "numpy<1", "no-such-package", "x; python_version<'3'"]
    assert ask("check", *wanted) == {"missing": ["numpy<1", "no-such-package"]}


@pytest.mark.parametrize("text", ["./local.whl", "git+https://host/x", "not a requirement !"])
def test_check_takes_what_it_cannot_judge_for_missing(text):
    assert ask("check", text) == {"missing": [text]}


def test_check_works_without_pip(bare):
    wanted = ["no-such-package>=1", "x; python_version<'3'"]
    assert ask("check", *wanted, python=bare) == {"missing": ["no-such-package>=1"]}


def install(python: str, name: str, *requires: str) -> None:
    [folder] = ask("probe", python=python)["site_dirs"][:1]
    info = os.path.join(folder, f"{name}-1.0.dist-info")
    os.makedirs(info, exist_ok=True)
    with open(os.path.join(info, "METADATA"), "w") as file:
        file.write(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        file.write("".join(f"Requires-Dist: {text}\n" for text in requires))


def test_check_all_follows_dependencies(bare):
    install(bare, "aa", "bb", "lost>2; python_version>'3'", "skipped; extra == 'more'")
    install(bare, "bb", "aa", "cc<1")
    install(bare, "cc")
    assert ask("check", "aa", python=bare) == {"missing": []}
    assert ask("check-all", "aa", python=bare) == {"missing": ["lost>2", "cc<1"]}
    found = ask("check-all", "aa[more]", "cc", python=bare)
    assert sorted(found["missing"]) == ["aa[more]"]
    assert ask("check-all", "cc", python=bare) == {"missing": []}


def test_uv_gets_pips_settings(tmp_path):
    config = tmp_path / "pip.conf"
    config.write_text("[global]\nindex-url = https://a/simple\ntimeout = 7\nquiet = 1\n")
    clean = {name: "" for name in os.environ if name.startswith("PIP_")}
    env = {
        **clean,
        "PIP_CONFIG_FILE": str(config),
        "PIP_FIND_LINKS": "/w /x",
        "PIP_TIMEOUT": "9",
        "HOME": str(tmp_path),
    }
    found = ask("uv-settings", env=env)
    assert found["UV_DEFAULT_INDEX"] == "https://a/simple"
    assert found["UV_FIND_LINKS"] == "/w,/x"
    assert found["UV_HTTP_TIMEOUT"] == "9"
    assert not any("quiet" in name.lower() for name in found)


@pytest.mark.parametrize("arguments", [[], ["other"], ["probe", "x"]])
def test_wrong_use(arguments):
    command = [sys.executable, str(RUNTIME / "cresset_env.py"), *arguments]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert "usage" in ended.stderr
