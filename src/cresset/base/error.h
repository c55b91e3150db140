#pragma once

#include <fmt/core.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cresset {

// The canonical gRPC codes: one code space for the command line, REST and gRPC. An Error never
// holds kOk.
enum class Code {
  kOk = 0,
  kCancelled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kDataLoss = 15,
  kUnauthenticated = 16,
};

std::string_view to_string(Code code);

// What went wrong, for a person (`message`, with `context` from the outermost caller inwards) and
// for a program
// (`code`, `reason`: a stable dotted word such as "run.already_finished", empty where nobody needs
// one). A message says what happened, where, and what to do next; it has no final full stop and no
// trailing newline.
struct Error {
  Code code = Code::kUnknown;
  std::string message;
  std::string reason;
  std::vector<std::string> context;

  // Adds what the caller was doing: `return std::move(r).error().with("opening run {}", id)`.
  template <class... Args>
  [[nodiscard]] Error with(fmt::format_string<Args...> format, Args&&... args) && {
    context.push_back(fmt::format(format, std::forward<Args>(args)...));
    return std::move(*this);
  }

  // One line: contexts outermost first, joined with ": ", then the message.
  [[nodiscard]] std::string text() const;

  bool operator==(const Error&) const = default;
};

template <class... Args>
[[nodiscard]] Error make_error(Code code, fmt::format_string<Args...> format, Args&&... args) {
  return Error{code, fmt::format(format, std::forward<Args>(args)...), {}, {}};
}

// "open /x: No such file or directory" with the code that fits the errno value. The reason is
// "disk.full" (or a quota, or `ulimit -f`), "disk.read_only" or "machine.busy" (no descriptor,
// memory or process left), where it is one of these: they pass.
[[nodiscard]] Error errno_error(int errno_value, std::string_view what);

}  // namespace cresset
