#include <fmt/format.h>
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "cresset/cli/terminal.h"
#include "cresset/cli/verbs.h"
#include "cresset/main/home_path.h"
#include "cresset/main/local_backend.h"

namespace cresset::app_main {
namespace {

bool wants_colour() {
  const std::string no_colour = environment_variable("NO_COLOR").value_or("");
  return no_colour.empty() && environment_variable("TERM").value_or("dumb") != "dumb";
}

bool speaks_utf8() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    std::string value = environment_variable(name).value_or("");
    if (value.empty()) continue;
    std::ranges::transform(value, value.begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return value.find("utf-8") != std::string::npos || value.find("utf8") != std::string::npos;
  }
  return false;
}

int run(std::vector<std::string> words) {
  // What is freed in small pieces is joined again: else a large file's values, which are freed
  // while it is read, leave holes that nothing fits (docs/benchmarks.md).
  ::mallopt(M_MXFAST, 0);
  // A reader that leaves is met where the write fails.
  ::signal(SIGPIPE, SIG_IGN);
  // A file that may not grow (ulimit -f) is like a full disk: the write says so.
  ::signal(SIGXFSZ, SIG_IGN);
  cli::Terminal terminal(wants_colour(), speaks_utf8());
  auto home = find_home_path();
  if (!home) {
    terminal.err(fmt::format("cresset: {}\n", home.error().text()));
    return cli::kWrongUse;
  }
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) {
    terminal.err("cresset: /proc is not mounted: it does not know where it is itself\n");
    return cli::kOurFault;
  }
  LocalBackend backend(*std::move(home), program.native());
  return cli::run_command_line(std::move(words), {backend, terminal});
}

}  // namespace
}  // namespace cresset::app_main

int main(int argc, char** argv) {
  // Libraries throw where there is no way on; what comes up to here is nobody's to handle.
  try {
    return cresset::app_main::run(std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc));
  } catch (const std::exception& error) {
    cresset::cli::Terminal(false, false).err(fmt::format("cresset: {}\n", error.what()));
    return cresset::cli::kOurFault;
  }
}
