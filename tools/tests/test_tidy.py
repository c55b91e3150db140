"""Each ban and each other rule, broken and kept, in texts and trees made up for it."""

import contextlib
import io
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import tidy  # noqa: E402

# What breaks a ban, and what looks like it and does not.
CPP_CASES = [
    ("auto t = steady_clock::now();", "auto t = clock.now();"),
    ("::clock_gettime(CLOCK_REALTIME, &now);", "my_clock_gettime_result(now);"),
    ("int n = rand();", "int n = operand();"),
    ("std::random_device device;", "ports::Random& random;"),
    ("std::this_thread::sleep_for(pause);", "clock.advance(pause);"),
    ("usleep(5);", "asleep(5);"),
    ('const char* home = ::getenv("HOME");', "environment_variable(name);"),
    ("std::cout << text;", "terminal.out(text);"),
    ('printf("x");', "fmt::format(text);"),
    ("thread.detach();", "thread.join();"),
    ("assert(x);", "static_assert(x);"),
    ("std::regex pattern;", "regex_like pattern;"),
    ("std::stoi(text);", "std::store(text);"),
    ("atoi(text);", "iota(list);"),
    ("system(command);", "file_system(command);"),
    ("localtime(&now);", "localtime_r(&now, &parts);"),
    ("using namespace std;", "using namespace std::string_literals;"),
]
TEXT_CASES = [
    ("# TODO: later", "# TODO(#12): later"),
    ("# FIXME", "# FIXMEUP"),
    ('open("/root/notes.txt")', 'at("/root/dag/tasks/train")'),
    ('open("/home/ada/notes.txt")', 'open("~/notes.txt")'),
    ('open("' + "/" + 'work/notes.txt")', 'open(folder / "work/notes.txt")'),
    ("index-url = https://" + "pypi.org/simple", "index-url = $INDEX"),
]


def findings(path: str, text: str, bans: tuple[tidy.Ban, ...]) -> list[str]:
    return list(tidy.banned(path, text, bans, code=bans is tidy.CPP_BANS))


class Bans(unittest.TestCase):
    def test_broken_and_kept(self) -> None:
        for bans, cases in ((tidy.CPP_BANS, CPP_CASES), (tidy.TEXT_BANS, TEXT_CASES)):
            for bad, good in cases:
                with self.subTest(bad=bad):
                    self.assertEqual(len(findings("src/x.cc", bad, bans)), 1)
                    self.assertEqual(findings("src/x.cc", good, bans), [])

    def test_each_ban_has_a_case(self) -> None:
        for bans, cases in ((tidy.CPP_BANS, CPP_CASES), (tidy.TEXT_BANS, TEXT_CASES)):
            for ban in bans:
                self.assertTrue(any(re.search(ban.pattern, bad) for bad, _ in cases), ban.pattern)

    def test_a_finding_names_place_and_remedy(self) -> None:
        found = findings("src/x.cc", "int a;\nint b = rand();\n", tidy.CPP_BANS)
        self.assertEqual(found, ["src/x.cc:2: rand(: take a ports/random.h"])

    def test_comments_and_strings_are_no_code(self) -> None:
        text = '// not rand()\nconst char* word = "say \\"system(\\" aloud";\n'
        self.assertEqual(findings("src/x.cc", text, tidy.CPP_BANS), [])

    def test_an_owner_may(self) -> None:
        for ban in tidy.CPP_BANS:
            for place in ban.allowed:
                bad = next(bad for bad, _ in CPP_CASES if re.search(ban.pattern, bad))
                self.assertEqual(findings(place, bad, tidy.CPP_BANS), [], place)


class Trees(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.git("init", "--quiet")

    def git(self, *words: str) -> None:
        subprocess.run(["git", "-C", str(self.root), *words], check=True)

    def write(self, path: str, text: str | bytes) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())

    def problems(self, **files: str | bytes) -> list[str]:
        """What is wrong with the tree and these files; in names __ stands for / and _ for a dot."""
        for name, text in files.items():
            self.write(name.replace("__", "/").replace("_", "."), text)
        self.git("add", "--all")
        return list(tidy.problems(self.root))

    def assert_one(self, problems: list[str], expected: str) -> None:
        self.assertEqual(len(problems), 1, problems)
        self.assertIn(expected, problems[0])

    def test_nothing_wrong(self) -> None:
        self.assertEqual(self.problems(README_md="# Hello\n"), [])

    def test_files_that_git_does_not_know(self) -> None:
        self.problems(README_md="# Hello\n")
        self.write("scratch.txt", "FIXME")
        self.assertEqual(list(tidy.problems(self.root)), [])

    def test_samples_of_others_are_left_alone(self) -> None:
        self.assertEqual(self.problems(tests__testdata__x_txt="FIXME"), [])

    def test_missing_pragma_once(self) -> None:
        self.write("src/a.cc", '#include "a.h"\n')
        self.write("src/CMakeLists.txt", "cr_library(SOURCES a.cc)\n")
        self.assert_one(self.problems(src__a_h="int a;\n"), "src/a.h: start it with #pragma once")
        self.assertEqual(self.problems(src__a_h="#pragma once\nint a;\n"), [])

    def test_missing_newline(self) -> None:
        self.assert_one(self.problems(a_txt="text"), "a.txt: ends without a newline")
        self.assertEqual(self.problems(a_txt=""), [])

    def test_large_blob(self) -> None:
        large = b"\0" * (tidy.BLOB_BYTES_MAX + 1)
        self.assert_one(self.problems(a_bin=large), "a.bin: 262145 bytes")
        self.assertEqual(self.problems(a_bin=large[1:]), [])

    def test_dead_source(self) -> None:
        self.write("src/CMakeLists.txt", "cr_library(SOURCES ba.cc)\n")
        self.write("src/ba.cc", "int ba;\n")
        self.assert_one(self.problems(src__a_cc="int a;\n"), "src/a.cc: in no CMakeLists.txt")
        self.write("src/CMakeLists.txt", "cr_library(SOURCES ba.cc a.cc)\n")
        self.assertEqual(self.problems(), [])

    def test_source_named_by_a_folder_above(self) -> None:
        self.write("src/CMakeLists.txt", "cr_library(SOURCES testing/a.cc)\n")
        self.assertEqual(self.problems(src__testing__a_cc="int a;\n"), [])

    def test_header_that_nothing_includes(self) -> None:
        self.assert_one(
            self.problems(src__a_h="#pragma once\n"), "src/a.h: nothing includes it; remove it"
        )

    def test_headers_are_named_from_src_and_tests(self) -> None:
        self.write("CMakeLists.txt", "cr_library(SOURCES a.cc)\n")
        self.write("a.cc", '#include "b/b.h"\n#include "sim/c.h"\n')
        self.write("src/b/b.h", "#pragma once\n")
        self.assertEqual(self.problems(tests__sim__c_h="#pragma once\n"), [])

    def test_long_file(self) -> None:
        self.assert_one(self.problems(a_py="x = 1\n" * 801), "a.py: 801 lines, 800 at most")
        self.assertEqual(self.problems(a_py="x = 1\n" * 800), [])

    def test_ratchet(self) -> None:
        ratchet = "tools/size_ratchet.txt"
        self.write(ratchet, "# file lines\na.py 900\n")
        self.assertEqual(self.problems(a_py="x = 1\n" * 900), [])
        self.assert_one(self.problems(a_py="x = 1\n" * 901), "a.py: 901 lines, 900 at most")
        self.assert_one(self.problems(a_py="x = 1\n"), f"{ratchet}: a.py has 1 lines now")
        (self.root / "a.py").unlink()
        self.assert_one(self.problems(), f"{ratchet}: a.py is gone")

    def test_docs_path_in_code(self) -> None:
        self.write("docs/formats/log.md", "# Log\n")
        kept = "# docs/formats/log.md. All of docs/formats/*.md, and https://x.org/docs/gone.md\n"
        self.assertEqual(self.problems(a_py=kept), [])
        self.assert_one(
            self.problems(a_py="x = 1\n# see docs/formats/gone.md.\n"),
            "a.py:2: docs/formats/gone.md: there is no such page",
        )

    def test_docs_path_in_docs(self) -> None:
        self.assert_one(
            self.problems(docs__a_md="see `docs/b.md`\n"), "docs/a.md:1: docs/b.md: there is no"
        )
        self.assertEqual(self.problems(docs__b_md="# B\n"), [])

    def test_a_page_that_git_does_not_know(self) -> None:
        self.write(".gitignore", "b.md\n")
        self.write("docs/b.md", "# B\n")
        self.assert_one(self.problems(docs__a_md="[b](b.md)\n"), "docs/a.md:1: b.md: the link")

    def test_links_that_lead_somewhere(self) -> None:
        self.write("docs/formats/log.md", "# Log\n\n[up](../../README.md) [up](..)\n")
        page = (
            "# What's here: a, b\n[log](docs/formats/log.md) ![folder](docs/) [here](#log-file)\n"
            "[above](#whats-here-a-b) [line](x.py#L1)\n"
            "[out](https://x.org/a.md) [post](mailto:ada@x.org)\n"
            "[one]: docs/formats/log.md#log\n## Log file\n`[no](link.md)`\n"
            "```\n[no](link.md)\n```\n"
        )
        self.assertEqual(self.problems(README_md=page, x_py="x = 1\n"), [])

    def test_links_that_lead_nowhere(self) -> None:
        self.write("docs/a.md", "# A\n")
        for link, expected in (
            ("b.md", "docs/x.md:2: b.md: the link leads to nothing"),
            ("docs/a.md", "docs/x.md:2: docs/a.md: the link leads to nothing"),
            ("a.md#b", "docs/x.md:2: a.md#b: docs/a.md has no such heading"),
            ("#b", "docs/x.md:2: #b: docs/x.md has no such heading"),
        ):
            with self.subTest(link=link):
                self.assert_one(self.problems(docs__x_md=f"# X\n[it]({link})\n"), expected)
        self.assert_one(self.problems(docs__x_md="[it]: b.md\n"), "docs/x.md:1: b.md: the link")

    def test_exit_status(self) -> None:
        self.problems(a_txt="FIXME\n")
        with contextlib.redirect_stdout(io.StringIO()) as output:
            self.assertEqual(self.exit_status(), 1)
        self.assertIn("a.txt:1: FIXME", output.getvalue())
        self.problems(a_txt="fine\n")
        self.assertEqual(self.exit_status(), 0)

    def exit_status(self) -> object:
        sys.argv = ["tidy.py", str(self.root)]
        with self.assertRaises(SystemExit) as ended:
            tidy.main()
        return ended.exception.code


if __name__ == "__main__":
    unittest.main()
