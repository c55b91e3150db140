#include "cresset/dag/imports.h"

#include <algorithm>
#include <set>

namespace cresset::dag {

namespace {

// The standard library's, in any version from 3.9 to 3.14, between blanks.
constexpr std::string_view kOwnOfPython =
    " "
    "__future__ abc aifc annotationlib antigravity argparse array ast asynchat asyncio asyncore "
    "atexit audioop base64 bdb binascii binhex bisect builtins bz2 cProfile calendar cgi cgitb "
    "chunk "
    "cmath cmd code codecs codeop collections colorsys compileall compression concurrent "
    "configparser "
    "contextlib contextvars copy copyreg crypt csv ctypes curses dataclasses datetime dbm decimal "
    "difflib dis distutils doctest email encodings ensurepip enum errno faulthandler fcntl filecmp "
    "fileinput fnmatch formatter fractions ftplib functools gc genericpath getopt getpass gettext "
    "glob graphlib grp gzip hashlib heapq hmac html http idlelib imaplib imghdr imp importlib "
    "inspect "
    "io ipaddress itertools json keyword lib2to3 linecache locale logging lzma macpath mailbox "
    "mailcap marshal math mimetypes mmap modulefinder msilib msvcrt multiprocessing netrc nis "
    "nntplib "
    "nt ntpath nturl2path numbers opcode operator optparse os ossaudiodev parser pathlib pdb "
    "pickle "
    "pickletools pipes pkgutil platform plistlib poplib posix posixpath pprint profile pstats pty "
    "pwd "
    "py_compile pyclbr pydoc pydoc_data pyexpat queue quopri random re readline reprlib resource "
    "rlcompleter runpy sched secrets select selectors shelve shlex shutil signal site smtpd "
    "smtplib "
    "sndhdr socket socketserver spwd sqlite3 sre_compile sre_constants sre_parse ssl stat "
    "statistics "
    "string stringprep struct subprocess sunau symbol symtable sys sysconfig syslog tabnanny "
    "tarfile "
    "telnetlib tempfile termios textwrap this threading time timeit tkinter token tokenize tomllib "
    "trace traceback tracemalloc tty turtle turtledemo types typing unicodedata unittest urllib uu "
    "uuid venv warnings wave weakref webbrowser winreg winsound wsgiref xdrlib xml xmlrpc zipapp "
    "zipfile zipimport zlib zoneinfo ";

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  return begin == std::string_view::npos ? std::string_view{} : text.substr(begin);
}

std::string_view take_name(std::string_view text) {
  const auto end = std::ranges::find_if_not(text, is_name_char);
  return text.substr(0, static_cast<std::size_t>(end - text.begin()));
}

// Removes a word and the blanks behind it; false when another word, or none, is there.
bool take_word(std::string_view& text, std::string_view word) {
  if (!text.starts_with(word) || text.size() == word.size()) return false;
  if (text[word.size()] != ' ' && text[word.size()] != '\t') return false;
  text = trim(text.substr(word.size()));
  return true;
}

void add(std::string_view name, std::set<std::string>& out) {
  if (name.empty() || (name.front() >= '0' && name.front() <= '9') || name == "kfp") return;
  const std::string between_blanks = " " + std::string(name) + " ";
  if (kOwnOfPython.find(between_blanks) == std::string_view::npos) out.emplace(name);
}

void read_line(std::string_view line, std::set<std::string>& out) {
  line = trim(line);
  if (take_word(line, "from")) {
    // A dot begins the name of a module of the package that imports it.
    const std::string_view name = take_name(line);
    line = line.substr(name.size());
    const std::size_t end = line.find_first_of(" \t");
    if (end == std::string_view::npos) return;
    line = trim(line.substr(end));
    if (take_word(line, "import")) add(name, out);
    return;
  }
  if (!take_word(line, "import")) return;
  while (true) {
    add(take_name(line), out);
    const std::size_t comma = line.find_first_of(",;#");
    if (comma == std::string_view::npos || line[comma] != ',') return;
    line = trim(line.substr(comma + 1));
  }
}

}  // namespace

std::vector<std::string> imported_packages(std::string_view source) {
  std::set<std::string> names;
  while (!source.empty()) {
    const std::size_t end = std::min(source.find('\n'), source.size());
    read_line(source.substr(0, end), names);
    source.remove_prefix(std::min(end + 1, source.size()));
  }
  return {names.begin(), names.end()};
}

}  // namespace cresset::dag
