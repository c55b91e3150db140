#!/usr/bin/env python3
"""Checks of the source tree that no compiler makes; looks at files known to git.

    tidy.py [ROOT]

Prints each finding with what to do instead, and exits with 1 when there is one.
"""

import os
import pathlib
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

LINES_MAX = 800
BLOB_BYTES_MAX = 256 * 1024
# Samples of other people's pipelines are kept as they are.
FOREIGN = re.compile(r"(^|/)(conformance|corpus|testdata)/")
# These spell what they look for.
SELF = ("tools/tidy.py", "tools/tests/test_tidy.py")


@dataclass(frozen=True)
class Ban:
    pattern: str
    instead: str
    allowed: tuple[str, ...] = ()


CPP_BANS = (
    Ban(
        r"_clock::now\(|\b(clock_gettime|gettimeofday|timespec_get|std::time)\(|\btime\((nullptr|NULL|0)\)",
        "take the instant as an argument, or ask ports/clock.h",
        (
            "src/cresset/adapters/posix/system_clock.cc",
            # The coarse clock that file systems stamp with: compared with files' times only.
            "src/cresset/adapters/localfs/digest_memory.cc",
        ),
    ),
    Ban(
        r"\bs?rand\(|random_device|\bgetrandom\(|\barc4random",
        "take a ports/random.h",
        ("src/cresset/adapters/posix/system_random.cc",),
    ),
    Ban(
        r"\bsleep_(for|until)\(|\bu?sleep\(|\bnanosleep\(",
        "wait with a timer of ports/reactor.h; in a test, move the simulated clock",
    ),
    Ban(
        r"\b(secure_)?getenv\(", "take a value; main/ reads the environment", ("src/cresset/main/",)
    ),
    Ban(
        r"std::c(out|err|log)\b|\bf?printf\(|\bf?puts\(|fmt::print\(",
        "return the text; cli/ and main/ write it",
        (
            "src/cresset/cli/",
            "src/cresset/main/",
            "src/cresset/base/check.cc",
            "bench/engine_main.cc",
            "bench/spawn_loop.cc",
            "tests/sim/disk_main.cc",
            "tests/sim/main.cc",
            "tests/sim/trials_main.cc",
        ),
    ),
    Ban(r"\.detach\(\)|\bdetached\b", "keep what you start and join it where it is owned"),
    Ban(r"\bassert\(", "CHECK of base/check.h, which stays on in release"),
    Ban(r"std::(w|basic_)?regex\b", "write the matcher: std::regex recurses on hostile input"),
    Ban(
        r"\bstd::sto(i|u?ll?|f|l?d)\(|\bato[ilf]+\(",
        "std::from_chars: no locale, no exception, no overflow",
    ),
    Ban(r"\b(system|popen)\(", "spawn the program with an argument list"),
    Ban(r"\b(gmtime|localtime|asctime|ctime|strtok)\(", "the function of the same name with _r"),
    Ban(r"using namespace std\s*;", "name what you use"),
)

TEXT_BANS = (
    Ban(r"\bTODO\b(?!\(#\d+\))", "name the issue: TODO(#12)"),
    Ban(r"\b(FIXME|XXX|HACK)\b", "TODO(#12), with the issue that will do it"),
    Ban(
        # A JSON pointer into a pipeline begins with /root as well: to one of these fields.
        r"(?<![\w.~}])/(root/(?!(dag|inputDefinitions|outputDefinitions)\b)"
        r"|home/\w+/|work/|Users/\w+/)",
        "paths of one machine do not belong in the tree",
    ),
    Ban(
        r"\b(pypi\.org|pythonhosted\.org|registry\.npmjs\.org|deb\.debian\.org|proxy\.golang\.org)\b",
        "where packages come from is the user's setting",
    ),
)

# As a path of the tree, not as a part of another path or of an address.
DOCS_PATH = re.compile(r"(?<![\w./-])docs/[\w./-]*")
MARKDOWN_LINK = re.compile(r"\]\(([^()\s]+)\)|^\[[^]]+\]:\s+(\S+)")
MARKDOWN_CODE = re.compile(r"`[^`]*`")
ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*:")

COMMENT_OR_STRING = re.compile(r'//.*|"(?:[^"\\]|\\.)*"')


def tracked(root: pathlib.Path) -> list[str]:
    listing = subprocess.run(
        ["git", "-C", str(root), "ls-files", "-z"], check=True, capture_output=True, text=True
    ).stdout
    return [path for path in listing.split("\0") if path and (root / path).is_file()]


def text_of(file: pathlib.Path) -> str | None:
    """None for what is not text."""
    data = file.read_bytes()
    try:
        return None if b"\0" in data else data.decode()
    except UnicodeDecodeError:
        return None


def banned(path: str, text: str, bans: tuple[Ban, ...], code: bool) -> Iterator[str]:
    applying = [ban for ban in bans if not path.startswith(ban.allowed or ("\0",))]
    for number, line in enumerate(text.splitlines(), 1):
        seen = COMMENT_OR_STRING.sub('""', line) if code else line
        for ban in applying:
            if found := re.search(ban.pattern, seen):
                yield f"{path}:{number}: {found[0]}: {ban.instead}"


def exists(paths: list[str], wanted: str) -> bool:
    """Whether a file known to git, or a folder with one, has that name."""
    path = os.path.normpath(wanted)
    return path == "." or any(known == path or known.startswith(path + "/") for known in paths)


def dead_docs_paths(paths: list[str], path: str, text: str) -> Iterator[str]:
    for number, line in enumerate(text.splitlines(), 1):
        # Where a page's links lead is the other check's business.
        seen = MARKDOWN_LINK.sub("", line) if path.endswith(".md") else line
        for found in DOCS_PATH.findall(seen):
            wanted = found.rstrip("./")
            if not exists(paths, wanted):
                yield f"{path}:{number}: {wanted}: there is no such page; name one that is there"


def prose(text: str) -> Iterator[tuple[int, str]]:
    """The lines of a Markdown text outside fenced blocks, without inline code."""
    fenced = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced:
            yield number, MARKDOWN_CODE.sub("", line)


def anchors(text: str) -> set[str]:
    """The fragments by which a Markdown page's headings are linked to."""
    headings = (line.lstrip("#") for line in text.splitlines() if line.startswith("#"))
    return {re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-") for text in headings}


def dead_links(root: pathlib.Path, paths: list[str], path: str, text: str) -> Iterator[str]:
    """Relative links of a Markdown page to what is not there."""
    for number, line in prose(text):
        for inline, reference in MARKDOWN_LINK.findall(line):
            link = inline or reference
            if ADDRESS.match(link):
                continue
            place, _, fragment = link.partition("#")
            target = os.path.normpath(os.path.join(os.path.dirname(path), place)) if place else path
            if not exists(paths, target):
                yield f"{path}:{number}: {link}: the link leads to nothing in the tree"
            elif fragment and target.endswith(".md"):
                if fragment not in anchors((root / target).read_text()):
                    yield f"{path}:{number}: {link}: {target} has no such heading"


# What headers are named from: "cresset/…" and "sim/…".
SOURCE_FOLDER = re.compile(r"^(src|tests)/")


def dead_sources(root: pathlib.Path, paths: list[str]) -> Iterator[str]:
    """A .cc that no CMakeLists.txt above it names; a header that nothing includes."""
    included = set()
    for path in paths:
        if path.endswith((".cc", ".h")):
            included |= set(re.findall(r'#include "([^"]+)"', (root / path).read_text()))
    for path in paths:
        if path.endswith(".cc") and not named_by_cmake(root, pathlib.PurePath(path)):
            yield f"{path}: in no CMakeLists.txt; add it to one or remove it"
        elif path.endswith(".h") and SOURCE_FOLDER.sub("", path) not in included:
            yield f"{path}: nothing includes it; remove it"


def named_by_cmake(root: pathlib.Path, source: pathlib.PurePath) -> bool:
    for folder in source.parents:
        lists = root / folder / "CMakeLists.txt"
        name = re.escape(str(source.relative_to(folder)))
        if lists.exists() and re.search(rf"(?<![\w./-]){name}(?![\w.])", lists.read_text()):
            return True
    return False


def lengths(root: pathlib.Path, paths: list[str]) -> Iterator[str]:
    """Long files may only get shorter; tools/size_ratchet.txt lists them with their lines."""
    ratchet = root / "tools/size_ratchet.txt"
    limits = {}
    if ratchet.exists():
        rows = [line.split() for line in ratchet.read_text().splitlines() if line[:1] != "#"]
        limits = {path: int(lines) for path, lines in rows}
    for path in paths:
        if not path.endswith((".cc", ".h", ".py", ".sh")) and path != "dev":
            continue
        lines = len((root / path).read_text().splitlines())
        limit = limits.pop(path, None)
        if lines > (limit or LINES_MAX):
            yield f"{path}: {lines} lines, {limit or LINES_MAX} at most: lift a part of it out"
        elif limit and lines <= LINES_MAX:
            yield f"tools/size_ratchet.txt: {path} has {lines} lines now; remove its entry"
    for path in limits:
        yield f"tools/size_ratchet.txt: {path} is gone; remove its entry"


def problems(root: pathlib.Path) -> Iterator[str]:
    paths = [path for path in tracked(root) if not FOREIGN.search(path)]
    for path in paths:
        size = (root / path).stat().st_size
        if size > BLOB_BYTES_MAX:
            limit = f"{BLOB_BYTES_MAX} at most"
            yield f"{path}: {size} bytes, {limit}: generate it, or keep it elsewhere"
        text = text_of(root / path)
        if text is None or path in SELF:
            continue
        yield from banned(path, text, TEXT_BANS, code=False)
        yield from dead_docs_paths(paths, path, text)
        if path.endswith(".md"):
            yield from dead_links(root, paths, path, text)
        if path.endswith((".cc", ".h")):
            yield from banned(path, text, CPP_BANS, code=True)
        if path.endswith(".h") and "#pragma once" not in text:
            yield f"{path}: start it with #pragma once"
        if text and not text.endswith("\n"):
            yield f"{path}: ends without a newline"
    yield from dead_sources(root, paths)
    yield from lengths(root, paths)


def main() -> None:
    if len(sys.argv) > 2:
        sys.exit("usage: tidy.py [ROOT]")
    here = pathlib.Path(__file__).resolve().parent
    found = list(problems(pathlib.Path(sys.argv[1]) if len(sys.argv) == 2 else here.parent))
    print("\n".join(found), end="\n" if found else "")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
