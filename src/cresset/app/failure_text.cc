#include "cresset/app/failure_text.h"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <csignal>
#include <cstring>
#include <string_view>

namespace cresset::app {

namespace {

// Whether a line is how Python names what was raised: "ValueError: no such column".
bool names_exception(std::string_view line) {
  const std::string_view name = line.substr(0, line.find(':'));
  const bool is_name = std::ranges::all_of(
      name, [](unsigned char c) { return std::isalnum(c) != 0 || c == '_' || c == '.'; });
  return is_name && name.size() < line.size() &&
         (name.ends_with("Error") || name.ends_with("Exception"));
}

// The last line of a Python traceback, which says more than an exit status does.
std::string python_error(std::string_view tail) {
  while (!tail.empty() && (tail.back() == '\n' || tail.back() == ' ')) tail.remove_suffix(1);
  std::string_view last = tail.substr(tail.rfind('\n') + 1);
  constexpr std::size_t kShownMax = 300;
  if (last.empty() || last.front() == ' ' || last.size() > kShownMax) return {};
  const bool has_traceback =
      tail.find("Traceback (most recent call last)") != std::string_view::npos;
  return has_traceback || names_exception(last) ? std::string(last) : std::string();
}

std::string signal_name(int signal) {
  const char* name = sigabbrev_np(signal);
  return name == nullptr ? fmt::format("signal {}", signal) : fmt::format("SIG{}", name);
}

std::string signal_meaning(int signal) {
  switch (signal) {
    case SIGSEGV:
      return " (it read or wrote memory that is not its own)";
    case SIGABRT:
      return " (it gave up by itself: see the log)";
    case SIGBUS:
      return " (often a full /dev/shm)";
    case SIGILL:
      return " (an instruction that this processor lacks)";
    case SIGKILL:
      return " (somebody killed it, or the machine ran out of memory)";
    default:
      return "";
  }
}

std::string cause(const ports::Exit& exit, std::string_view tail) {
  switch (exit.kind) {
    case ports::Exit::Kind::kNotStarted:
      return exit.detail;
    case ports::Exit::Kind::kLost:
      return exit.detail.empty() ? "it was lost: the machine or its keeper went away" : exit.detail;
    case ports::Exit::Kind::kSignaled:
      if (exit.out_of_memory) {
        return fmt::format(
            "out of memory: the kernel killed it (it had used {} MiB); ask for more memory or use "
            "less",
            exit.peak_memory_bytes >> 20);
      }
      return fmt::format("killed by {}{}", signal_name(exit.code), signal_meaning(exit.code));
    case ports::Exit::Kind::kExited:
      break;
  }
  if (const std::string error = python_error(tail); !error.empty()) return error;
  if (exit.code == 127) return "command not found (exit status 127)";
  if (exit.code == 126) return "the command cannot be executed (exit status 126)";
  if (exit.code > 128 && exit.code < 128 + NSIG) {
    return fmt::format("exit status {}: its command was killed by {}", exit.code,
                       signal_name(exit.code - 128));
  }
  return fmt::format("exit status {}", exit.code);
}

}  // namespace

model::Failure describe_failure(const ports::Exit& exit, std::string log_tail) {
  std::string text = cause(exit, log_tail);
  // What the executor has to add, such as a full disk, is often why.
  const bool ran =
      exit.kind == ports::Exit::Kind::kExited || exit.kind == ports::Exit::Kind::kSignaled;
  if (ran && !exit.detail.empty()) text += fmt::format(" ({})", exit.detail);
  return {std::move(text), std::move(log_tail)};
}

}  // namespace cresset::app
