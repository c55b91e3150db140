#!/usr/bin/env python3
"""Checks the direction of includes in src/cresset against tools/layers.txt.

    check_layers.py [ROOT]

Prints each offending include with the rule's reason, and exits with 1 when there is one.
"""

import pathlib
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

SOURCES = "src/cresset"
TESTS = "tests"
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
RULE = re.compile(r"^(?P<words>.+?)(?: because (?P<reason>.+))?$")


@dataclass
class Rules:
    """layers.txt. A pair's reason is kept under (including folder, included folder)."""

    floors: dict[str, int] = field(default_factory=dict)
    allowed: set[tuple[str, str]] = field(default_factory=set)
    forbidden: dict[tuple[str, str], str] = field(default_factory=dict)
    headers: dict[str, tuple[list[str], str]] = field(default_factory=dict)
    tests_only: dict[str, str] = field(default_factory=dict)
    # Files without their endings, by path from the root, and what they keep away from.
    apart: list[tuple[list[str], list[str], str]] = field(default_factory=list)

    def add(self, line: str) -> None:
        parts = RULE.match(line)
        verb, *words = parts["words"].split()
        reason = parts["reason"] or ""
        match verb, words:
            case "floor", [number, *folders]:
                self.floors |= dict.fromkeys(folders, int(number))
                return
            case "allow", [one, "->", other]:
                self.allowed.add((one, other))
            case "forbid", [one, "->", other]:
                self.forbidden[one, other] = reason
            case "header", [name, "in", *owners]:
                self.headers[name] = (owners, reason)
            case "tests-only", [folder]:
                self.tests_only[folder] = reason
            case "apart", [*files, "from", folders]:
                self.apart.append((files, folders.split(","), reason))
            case _:
                raise ValueError(f"not a rule: {line}")
        if not reason:
            raise ValueError(f"a rule without its reason: {line}")


def read_rules(file: pathlib.Path) -> Rules:
    rules = Rules()
    for number, line in enumerate(file.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            rules.add(line.strip())
        except ValueError as error:
            raise SystemExit(f"{file}:{number}: {error}") from None
    return rules


def folder_of(path: pathlib.PurePath) -> str:
    """The folder that rules speak of: adapters/<system>, else the first one."""
    parts = path.parts[:-1]
    return "/".join(parts[:2] if parts[:1] == ("adapters",) else parts[:1])


def is_test(path: pathlib.PurePath) -> bool:
    return path.stem.endswith(("_test", "_fuzz", "_contract")) or "testing" in path.parts


def is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder + "/")


def project_problem(rules: Rules, source: pathlib.PurePath, included: str) -> str | None:
    """Why `source` may not include `included`, both relative to src/cresset; None when it may."""
    one, other = folder_of(source), folder_of(pathlib.PurePath(included))
    for folder in (one, other):
        if folder.split("/")[0] not in rules.floors:
            return f"layers.txt gives {folder or source} no floor"
    for folder, reason in rules.tests_only.items():
        if is_below(included, folder) and not is_test(source):
            return f"only tests include {folder}: {reason}"
    if one == other or (one, other) in rules.allowed:
        return None
    for (includer, target), reason in rules.forbidden.items():
        if is_below(one, includer) and is_below(other, target):
            return f"{includer} never includes {target}: {reason}"
    own, its = (rules.floors[folder.split("/")[0]] for folder in (one, other))
    if its < own:
        return None
    if its > own:
        return f"{one} (floor {own}) stands below {other} (floor {its}), and includes go down only"
    return f"{one} and {other} share floor {own}, and layers.txt allows no such pair"


def header_problem(rules: Rules, source: pathlib.PurePath, included: str) -> str | None:
    for name, (owners, reason) in rules.headers.items():
        if included != name and not included.startswith((name + "/", name + ".")):
            continue
        allowed = any(
            is_test(source) if owner == "tests" else is_below(str(source), owner)
            for owner in owners
        )
        if not allowed:
            return f"<{name}> belongs to {', '.join(owners)}: {reason}"
    return None


def includes(file: pathlib.Path) -> Iterator[tuple[int, bool, str]]:
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if found := INCLUDE.match(line):
            yield number, found[1] == '"', found[2]


def apart_problem(rules: Rules, source: pathlib.PurePath, included: str) -> str | None:
    """Why a file that is kept apart may not include `included`; neither may it by way of others."""
    for files, folders, reason in rules.apart:
        if str(source.with_suffix("")) not in files:
            continue
        if included.startswith("cresset/"):
            name = included.removeprefix("cresset/")
            folder = next((f for f in folders if is_below(name, f)), None)
            if folder is not None:
                return f"{source} keeps apart from {folder}: {reason}"
        elif str(pathlib.PurePath(TESTS, included).with_suffix("")) not in files:
            return f"{source} keeps apart, and this does not: {reason}"
    return None


def apart_problems(root: pathlib.Path, rules: Rules) -> Iterator[str]:
    for file in sorted(p for p in (root / TESTS).rglob("*") if p.suffix in (".h", ".cc")):
        source = file.relative_to(root)
        for number, quoted, included in includes(file):
            if quoted and (why := apart_problem(rules, source, included)):
                yield f"{source}:{number}: includes {included}: {why}"


def problems(root: pathlib.Path, rules: Rules) -> Iterator[str]:
    yield from apart_problems(root, rules)
    sources = root / SOURCES
    for file in sorted(p for p in sources.rglob("*") if p.suffix in (".h", ".cc")):
        source = file.relative_to(sources)
        for number, quoted, included in includes(file):
            if quoted and not included.startswith("cresset/"):
                why = 'includes of the project start with "cresset/"'
            elif quoted:
                why = project_problem(rules, source, included.removeprefix("cresset/"))
            else:
                why = header_problem(rules, source, included)
            if why:
                yield f"{SOURCES}/{source}:{number}: includes {included}: {why}"


def main() -> None:
    if len(sys.argv) > 2:
        sys.exit("usage: check_layers.py [ROOT]")
    tools = pathlib.Path(__file__).resolve().parent
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) == 2 else tools.parent
    found = list(problems(root, read_rules(root / "tools/layers.txt")))
    print("\n".join(found), end="\n" if found else "")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
