#pragma once

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/mark.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cresset/text/json.h"

// For codec/yaml*.cc only: yaml-cpp with its weak spots covered.
namespace cresset::codec {

// Ends the parsing of a text: thrown by handlers, through yaml-cpp, to parse_yaml_events' caller.
struct YamlRefusal {
  YAML::Mark mark;
  std::string message;
  std::string help;
};

// Gives the events of all documents of a text to `handler`. yaml-cpp's own complaints come out as
// YamlRefusal too.
// - yaml-cpp collects the tokens of a flow collection before it gives the first event of it: a text
// that makes it collect
//   too many is refused, so that memory stays bounded.
// - It takes text after the end of a document for another document: refused.
// - It takes the end of the text for the end of a quoted text: refused.
void parse_yaml_events(std::string_view text, YAML::EventHandler& handler);

// yaml_unclosed.cc. Whether a quoted text stands at `offset`, anchors and tags before it, and has
// no end.
bool is_unclosed_quote(std::string_view text, std::size_t offset);
// The innermost bracket, or the quote, that nothing closes, of the first collection in flow style
// at or after `offset`. A guess, for messages: it knows no block scalars.
std::optional<std::size_t> find_unclosed(std::string_view text, std::size_t offset);

text::Position to_position(std::string_view text, const YAML::Mark& mark);

}  // namespace cresset::codec
