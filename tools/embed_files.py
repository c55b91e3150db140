#!/usr/bin/env python3
"""Writes a C++ source that holds the files of runtime/python.

    embed_files.py FOLDER OUTPUT FILE...

Files are relative to FOLDER. String literals are split: compilers limit their length.
"""

import os
import sys

CHUNK = 8000

HEAD = """#include "cresset/main/embedded_runtime.h"

namespace cresset::app_main {

namespace {

"""


def literal(content: bytes) -> str:
    out = []
    for byte in content:
        if byte == 0x0A:
            out.append("\\n")
        elif byte in (0x22, 0x5C):
            out.append("\\" + chr(byte))
        elif 0x20 <= byte < 0x7F:
            out.append(chr(byte))
        else:
            out.append(f"\\{byte:03o}")
    pieces = ["".join(out[i : i + CHUNK]) for i in range(0, len(out), CHUNK)] or [""]
    return "\n    ".join(f'"{piece}"' for piece in pieces)


def main(folder: str, output: str, names: list[str]) -> int:
    text = HEAD
    entries = []
    for number, name in enumerate(sorted(names)):
        path = os.path.join(folder, name)
        with open(path, "rb") as file:
            content = file.read()
        text += f"constexpr char kFile{number}[] =\n    {literal(content)};\n"
        executable = "true" if os.access(path, os.X_OK) else "false"
        entries.append(f'    {{"{name}", {{kFile{number}, {len(content)}}}, {executable}}},\n')
    text += "constexpr EmbeddedFile kFiles[] = {\n" + "".join(entries) + "};\n\n}  // namespace\n\n"
    text += "std::span<const EmbeddedFile> embedded_runtime() { return kFiles; }\n\n"
    text += "}  // namespace cresset::app_main\n"
    with open(output, "w") as file:
        file.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
