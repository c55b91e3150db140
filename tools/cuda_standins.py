#!/usr/bin/env python3
"""Lets PyTorch's CUDA build be imported on a machine without a GPU.

The wheel links CUDA libraries of some 2.5 GB that a machine without a GPU never calls. This script
finds those that `import torch` wants and nothing provides, and puts a small library of the same
name and symbols beside torch's own. A call into one names the function and ends the process, so
this is for machines that build and test Cresset, never for users.

    cuda_standins.py SITE_PACKAGES
"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field

# Loaded by `import torch`; what they need in turn is followed from here.
ROOTS = ("libtorch_global_deps.so", "libtorch_python.so")
CUDA = re.compile(r"lib(cu|nv|nccl)\w*\.so\.\d+$")
CUDA_SYMBOL = re.compile(r"(cu|nv|nccl)[A-Za-z]")
# The driver's library says whether there is a GPU: a stand-in would lie.
DRIVER = "libcuda.so.1"
UNVERSIONED = ""
UNDEFINED = re.compile(r" (FUNC|OBJECT|NOTYPE) +GLOBAL .* UND (\w+)(?:@(\S+))?")


PREAMBLE = """
#include <stdio.h>
#include <stdlib.h>
static void refuse(const char *name) {
  fprintf(stderr, "%s: this PyTorch was installed without its CUDA libraries\\n", name);
  abort();
}
"""


@dataclass
class StandIn:
    """What a missing library must offer: symbol version -> the names under it."""

    functions: dict[str, set[str]] = field(default_factory=dict)
    data: dict[str, set[str]] = field(default_factory=dict)

    def source(self) -> str:
        functions = sorted(set().union(*self.functions.values()))
        data = sorted(set().union(*self.data.values()))
        return PREAMBLE + "".join(
            [f'void {name}(void) {{ refuse("{name}"); }}\n' for name in functions]
            + [f"char {name}[64];\n" for name in data]
        )

    def version_script(self) -> str:
        return "".join(
            f"{version} {{ {' '.join(f'{n};' for n in sorted(names | self.data[version]))} }};\n"
            for version, names in sorted(self.functions.items())
            if version != UNVERSIONED
        )


def readelf(flag: str, library: pathlib.Path) -> str:
    return subprocess.run(
        ["readelf", "-W", flag, str(library)], check=True, capture_output=True, text=True
    ).stdout


def needed(library: pathlib.Path) -> list[str]:
    return re.findall(r"\(NEEDED\).*\[(.+)\]", readelf("-d", library))


def system_libraries() -> set[str]:
    ldconfig = shutil.which("ldconfig", path="/sbin:/usr/sbin:/bin:/usr/bin") or "ldconfig"
    listing = subprocess.run([ldconfig, "-p"], check=True, capture_output=True, text=True).stdout
    return set(re.findall(r"^\s+(\S+) \(", listing, re.MULTILINE))


def loaded_and_missing(site: pathlib.Path) -> tuple[list[pathlib.Path], set[str]]:
    """The wheel's libraries that are loaded, and the CUDA libraries that nothing provides."""
    folders = [site / "torch" / "lib", *site.glob("nvidia/*/lib")]
    provided = {file.name: file for folder in folders for file in folder.glob("*.so*")}
    system = system_libraries()
    loaded: dict[str, pathlib.Path] = {}
    absent: set[str] = set()
    queue = [name for name in ROOTS if name in provided]
    while queue:
        name = queue.pop()
        if name in provided and name not in loaded:
            loaded[name] = provided[name]
            queue += needed(provided[name])
        elif name not in provided and name not in system and CUDA.match(name) and name != DRIVER:
            absent.add(name)
    return list(loaded.values()), absent


def versions_wanted(library: pathlib.Path) -> dict[str, str]:
    """Symbol version -> the library it is wanted from."""
    wanted = {}
    file = ""
    for line in readelf("-V", library).partition("Version needs section")[2].splitlines():
        if found := re.search(r"File: (\S+)", line):
            file = found[1]
        elif found := re.search(r"Name: (\S+)", line):
            wanted[found[1]] = file
    return wanted


def stand_ins(site: pathlib.Path) -> dict[str, StandIn]:
    loaded, absent = loaded_and_missing(site)
    found = {name: StandIn() for name in absent}
    for library in loaded:
        homes = {v: file for v, file in versions_wanted(library).items() if file in absent}
        # A name without a version may be looked up anywhere: one of the bare libraries offers it.
        bare = absent.intersection(needed(library)).difference(homes.values())
        homes.update({UNVERSIONED: min(bare)} if bare else {})
        for version, file in homes.items():
            found[file].functions.setdefault(version, set())
            found[file].data.setdefault(version, set())
        for kind, symbol, version in UNDEFINED.findall(readelf("--dyn-syms", library)):
            if version in homes and (version or CUDA_SYMBOL.match(symbol)):
                stand_in = found[homes[version]]
                names = stand_in.data if kind == "OBJECT" else stand_in.functions
                names[version].add(symbol)
    return found


def compiler() -> str:
    for name in ("cc", "clang-19", "g++", "clang"):
        if path := shutil.which(name):
            return path
    sys.exit("cuda_standins: no C compiler found; ./dev setup installs one")


def make(name: str, stand_in: StandIn, folder: pathlib.Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        source = pathlib.Path(scratch, "stand_in.c")
        source.write_text(stand_in.source())
        command = [compiler(), "-shared", "-fPIC", "-w", str(source), f"-Wl,-soname,{name}"]
        if script := stand_in.version_script():
            versions = pathlib.Path(scratch, "versions")
            versions.write_text(script)
            command.append(f"-Wl,--version-script,{versions}")
        subprocess.run([*command, "-o", str(folder / name)], check=True)


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: cuda_standins.py SITE_PACKAGES")
    site = pathlib.Path(sys.argv[1])
    for name, stand_in in sorted(stand_ins(site).items()):
        make(name, stand_in, site / "torch" / "lib")


if __name__ == "__main__":
    main()
