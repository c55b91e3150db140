"""Runs a component's source the way the engine does, and the way the SDK's own runtime does."""

import json
import os
import pathlib
import subprocess
import sys
import textwrap
from dataclasses import dataclass, field
from typing import Any

RUNTIME = pathlib.Path(__file__).resolve().parent.parent
PROLOGUE = "\nimport kfp\nfrom kfp import dsl\nfrom kfp.dsl import *\nfrom typing import *\n\n"


@dataclass
class Ended:
    status: int
    log: str  # stdout and stderr
    output: dict[str, Any] | None  # what the step wrote for the engine, None when it wrote nothing

    @property
    def values(self) -> dict[str, Any]:
        assert self.output is not None, self.log
        return self.output.get("parameterValues", {})

    def artifact(self, name: str) -> dict[str, Any]:
        assert self.output is not None, self.log
        [artifact] = self.output["artifacts"][name]["artifacts"]
        return artifact


@dataclass
class Step:
    """One step in a folder of its own. `scheme` stands before the paths of its output artifacts."""

    root: pathlib.Path
    source: str
    function: str = "step"
    parameters: dict[str, Any] = field(default_factory=dict)
    artifacts: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    output_parameters: list[str] = field(default_factory=list)
    output_artifacts: dict[str, str] = field(default_factory=dict)  # name -> schema title
    env: dict[str, str] = field(default_factory=dict)
    scheme: str = "file://"

    def path(self, name: str) -> pathlib.Path:
        return self.root / name

    def executor_input(self) -> dict[str, Any]:
        outputs = {
            name: {
                "artifacts": [
                    {
                        "name": name,
                        "type": {"schemaTitle": title, "schemaVersion": "0.0.1"},
                        "uri": f"{self.scheme}{self.root}/artifacts/{name}",
                        "metadata": {},
                    }
                ]
            }
            for name, title in self.output_artifacts.items()
        }
        files = {
            name: {"outputFile": f"{self.root}/outputs/{name}"} for name in self.output_parameters
        }
        return {
            "inputs": {
                "parameterValues": self.parameters,
                "artifacts": {name: {"artifacts": list_} for name, list_ in self.artifacts.items()},
            },
            "outputs": {
                "parameters": files,
                "artifacts": outputs,
                "outputFile": f"{self.root}/output_metadata.json",
            },
        }

    def run(self, *options: str) -> Ended:
        """As src/cresset/dag/launch.cc and app/steps.cc start it."""
        input_path = self.path("executor_input.json")
        input_path.write_text(json.dumps(self.executor_input()))
        command = [sys.executable, *options, str(RUNTIME / "cresset_step.py")]
        command += ["--executor_input_file", str(input_path)]
        command += ["--function_to_execute", self.function]
        command += ["--component_module_path", str(self._write_source())]
        return self._start(command, {"PYTHONPATH": str(RUNTIME)})

    def run_under_sdk(self) -> Ended:
        """As the SDK's own script starts it, with the SDK's kfp."""
        command = [sys.executable, "-m", "kfp.dsl.executor_main"]
        command += ["--executor_input", json.dumps(self.executor_input())]
        command += ["--function_to_execute", self.function]
        command += ["--component_module_path", str(self._write_source())]
        return self._start(command, {"_KFP_RUNTIME": "true"})

    def _write_source(self) -> pathlib.Path:
        path = self.path("src/0123abcd.py")
        path.parent.mkdir(exist_ok=True)
        path.write_text(PROLOGUE + textwrap.dedent(self.source))
        return path

    def _start(self, command: list[str], env: dict[str, str]) -> Ended:
        for folder in ("home", "tmp", "work"):
            self.path(folder).mkdir(exist_ok=True)
        ended = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.path("work"),
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.path("home")),
                "TMPDIR": str(self.path("tmp")),
                "LANG": "C.UTF-8",
                "PYTHONUNBUFFERED": "1",
                "PYTHONDONTWRITEBYTECODE": "1",
                **env,
                **self.env,
            },
            timeout=120,
        )
        written = self.path("output_metadata.json")
        output = json.loads(written.read_text()) if written.exists() else None
        return Ended(ended.returncode, ended.stdout, output)


def artifact(path: pathlib.Path | str, title: str = "system.Artifact", **metadata: Any) -> dict:
    return {
        "name": "given",
        "type": {"schemaTitle": title, "schemaVersion": "0.0.1"},
        "uri": str(path),
        "metadata": metadata,
    }
