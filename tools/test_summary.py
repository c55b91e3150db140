#!/usr/bin/env python3
"""Adds up what the stages of `./dev test` reported; ends with `N passed, N failed, N skipped`.

    test_summary.py STAGES

A line of STAGES holds a stage's name, exit status, seconds and the folder of its reports: JUnit
files (*.xml) and fuzz.tsv (name, exit status). A stage that failed without a failed test of its
own, such as a build, counts as one failure. Exits with 1 when something failed or nothing ran.
"""

import pathlib
import sys
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field


@dataclass
class Tally:
    passed: int = 0
    failed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def add_junit(self, stage: str, file: pathlib.Path) -> None:
        for case in ET.parse(file).iter("testcase"):
            # ctest repeats the name as the class.
            words = dict.fromkeys([case.get("classname", ""), case.get("name", "")])
            name = f"{stage}: {'.'.join(word for word in words if word)}"
            if case.find("failure") is not None or case.find("error") is not None:
                self.failed.append(name)
            elif (skip := case.find("skipped")) is not None:
                self.skipped.append(f"{name}: {reason(skip, case)}")
            elif case.get("status") in ("notrun", "disabled"):
                self.skipped.append(f"{name}: {case.get('status')}")
            else:
                self.passed += 1


def reason(skip: ET.Element, case: ET.Element) -> str:
    """Why a test was skipped: pytest says it in the message, GoogleTest in the output."""
    output = (case.findtext("system-out") or "").splitlines()
    after = [output[i + 1] for i, line in enumerate(output[:-1]) if line.endswith("Skipped")]
    return after[0].strip() if after else skip.get("message", "no reason given")


def rows(file: pathlib.Path) -> list[list[str]]:
    if not file.exists():
        return []
    return [line.split("\t") for line in file.read_text().splitlines()]


def add_stage(total: Tally, name: str, status: str, reports: pathlib.Path) -> None:
    before = len(total.failed)
    for file in sorted(reports.glob("*.xml")):
        try:
            total.add_junit(name, file)
        except ET.ParseError as error:
            total.failed.append(f"{name}: the test run left half a report ({error})")
    for target, target_status in rows(reports / "fuzz.tsv"):
        if target_status == "0":
            total.passed += 1
        else:
            total.failed.append(target)
    if status != "0" and len(total.failed) == before:
        total.failed.append(f"stage {name}")


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: test_summary.py STAGES")
    total = Tally()
    print()
    for name, status, seconds, reports in rows(pathlib.Path(sys.argv[1])):
        add_stage(total, name, status, pathlib.Path(reports))
        print(f"{seconds:>6} s  {name}{'' if status == '0' else '  FAILED'}")
    for name in total.skipped:
        print(f"SKIPPED {name}")
    for name in total.failed:
        print(f"FAILED {name}")
    print(f"{total.passed} passed, {len(total.failed)} failed, {len(total.skipped)} skipped")
    if total.failed or not total.passed:
        sys.exit(1)


if __name__ == "__main__":
    main()
