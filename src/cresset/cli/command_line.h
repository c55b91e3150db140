#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "cresset/cli/requests.h"

namespace cresset::cli {

// `--help` of the program or of one verb: printed, and nothing else is done.
struct Help {
  std::string text;
};
// The words are off: what is wrong and what was likely meant.
struct UsageError {
  std::string message;
};

// Words after the program's name -> a request. Pure.
std::variant<Request, Help, UsageError> parse_command_line(std::vector<std::string> words);

// The verbs a user may type, in the order of the help.
const std::vector<std::string>& verb_names();

// "--param", "-p" …: the flags of a verb.
std::vector<std::string> flags_of(const std::string& verb);

}  // namespace cresset::cli
