"""Each kind of rule, broken and kept, in trees made up for it."""

import contextlib
import io
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import check_layers  # noqa: E402

RULES = """\
# a comment
floor 0 base text
floor 1 async
floor 2 dag ports
floor 4 adapters
allow text -> base because everything may
allow adapters/process -> adapters/posix because descriptors are shared
forbid dag -> async because the core is synchronous
tests-only ports/testing because production code never runs on a fake
header boost/json in text because one parser
header openssl in base/digest.cc because one way to hash
header gtest in tests because tests are tests
apart tests/sim/oracle tests/sim/sketch from dag,adapters because it judges them
"""


class Layers(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.write("tools/layers.txt", RULES)

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def problems(self, source: str, *includes: str) -> list[str]:
        lines = [f"#include {name}" for name in includes]
        self.write(f"src/cresset/{source}", "#pragma once\n" + "\n".join(lines) + "\n")
        rules = check_layers.read_rules(self.root / "tools/layers.txt")
        return list(check_layers.problems(self.root, rules))

    def assert_refused(self, why: str, source: str, included: str) -> None:
        found = self.problems(source, included)
        self.assertEqual(len(found), 1, found)
        self.assertIn(f"src/cresset/{source}:2: includes {included[1:-1]}: ", found[0])
        self.assertIn(why, found[0])

    def assert_allowed(self, source: str, *includes: str) -> None:
        self.assertEqual(self.problems(source, *includes), [])

    def apart_problems(self, source: str, included: str) -> list[str]:
        self.write(f"tests/{source}", f"#include {included}\n")
        rules = check_layers.read_rules(self.root / "tools/layers.txt")
        return list(check_layers.problems(self.root, rules))

    def test_files_that_keep_apart(self) -> None:
        found = self.apart_problems("sim/oracle.cc", '"cresset/dag/plan.h"')
        self.assertEqual(
            found,
            [
                "tests/sim/oracle.cc:1: includes cresset/dag/plan.h: "
                "tests/sim/oracle.cc keeps apart from dag: it judges them"
            ],
        )
        self.assertEqual(self.apart_problems("sim/oracle.cc", '"cresset/base/value.h"'), [])
        self.assertEqual(self.apart_problems("sim/oracle.cc", '"sim/sketch.h"'), [])
        self.assertEqual(self.apart_problems("sim/world.cc", '"cresset/dag/plan.h"'), [])
        found = self.apart_problems("sim/oracle.cc", '"sim/world.h"')
        self.assertIn("sim/world.h: tests/sim/oracle.cc keeps apart, and this does not", found[0])

    def test_down_and_within_a_folder(self) -> None:
        self.assert_allowed("dag/plan.h", '"cresset/base/error.h"', '"cresset/dag/graph.h"')

    def test_up(self) -> None:
        self.assert_refused("stands below dag (floor 2)", "base/value.h", '"cresset/dag/plan.h"')

    def test_same_floor(self) -> None:
        self.assert_allowed("text/cel.h", '"cresset/base/value.h"')
        self.assert_refused("allows no such pair", "dag/plan.h", '"cresset/ports/clock.h"')

    def test_forbidden_although_lower(self) -> None:
        self.assert_refused("the core is synchronous", "dag/plan.h", '"cresset/async/task.h"')

    def test_lower_and_not_forbidden(self) -> None:
        self.assert_allowed("ports/clock.h", '"cresset/async/task.h"')

    def test_adapters_keep_apart(self) -> None:
        self.assert_allowed("adapters/process/keeper.h", '"cresset/adapters/posix/fd.h"')
        self.assert_refused(
            "allows no such pair", "adapters/sqlite/store.cc", '"cresset/adapters/posix/fd.h"'
        )

    def test_fakes_only_in_tests(self) -> None:
        fake = '"cresset/ports/testing/fake_clock.h"'
        self.assert_allowed("adapters/sqlite/store_test.cc", fake)
        self.assert_allowed("ports/testing/world.h", fake)
        self.assert_refused("never runs on a fake", "adapters/sqlite/store.cc", fake)

    def test_foreign_headers(self) -> None:
        self.assert_allowed("text/json.cc", "<boost/json.hpp>", "<boost/json/value.hpp>")
        self.assert_allowed("base/digest.cc", "<openssl/evp.h>")
        self.assert_allowed("base/digest_test.cc", "<gtest/gtest.h>")
        self.assert_refused("one parser", "dag/plan.cc", "<boost/json/value.hpp>")

    def test_a_file_owns_a_header_alone(self) -> None:
        self.assert_refused("one way to hash", "base/value.cc", "<openssl/evp.h>")

    def test_test_framework_in_production(self) -> None:
        self.assert_refused("tests are tests", "dag/plan.cc", "<gtest/gtest.h>")

    def test_relative_include(self) -> None:
        self.assert_refused('start with "cresset/"', "dag/plan.cc", '"plan.h"')

    def test_folder_without_a_floor(self) -> None:
        self.assert_refused("no floor", "misc/thing.h", '"cresset/base/error.h"')

    def test_bad_rules_are_refused_with_their_line(self) -> None:
        for bad in ("floor 0 base\nallow a b because c\n", "floor 0 base\nallow a -> b\n"):
            self.write("tools/layers.txt", bad)
            with self.assertRaises(SystemExit) as refused:
                check_layers.read_rules(self.root / "tools/layers.txt")
            self.assertIn("layers.txt:2: ", str(refused.exception))

    def test_exit_status(self) -> None:
        self.problems("base/value.h", '"cresset/dag/plan.h"')
        with contextlib.redirect_stdout(io.StringIO()) as output:
            self.assertEqual(self.exit_status(), 1)
        self.assertIn("base/value.h:2", output.getvalue())
        self.problems("base/value.h", '"cresset/base/error.h"')
        self.assertEqual(self.exit_status(), 0)

    def exit_status(self) -> object:
        sys.argv = ["check_layers.py", str(self.root)]
        with self.assertRaises(SystemExit) as ended:
            check_layers.main()
        return ended.exception.code


if __name__ == "__main__":
    unittest.main()
