#pragma once

#include <span>
#include <string>
#include <string_view>

// What this engine does with each field of the IR: one table, which the readers obey and
// docs/kfp-support.md shows.
namespace cresset::codec {

enum class Support {
  kHonoured,
  kNoted,  // accepted and without effect here; a run says so once
  kRefused,
};

struct FieldRule {
  std::string_view name;  // lowerCamel; the snake_case spelling is accepted too
  Support support = Support::kHonoured;
  std::string_view why = {};  // of kNoted and kRefused: a clause that follows the field's name
};

struct MessageRule {
  std::string_view name;  // "PipelineTaskSpec"
  std::span<const FieldRule> fields;
  bool is_noted = false;  // it is the value of a noted field: only its spelling matters
};

// All messages, in the order of the page.
std::span<const MessageRule> message_rules();
// The rule of that name, which exists.
const MessageRule& message_rule(std::string_view name);

// True for "componentRef" and "component_ref" alike.
bool is_field_name(std::string_view spelling, std::string_view name);

// The tables of docs/kfp-support.md.
std::string support_tables();

}  // namespace cresset::codec
