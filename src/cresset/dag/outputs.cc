#include "cresset/dag/outputs.h"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <system_error>

#include "cresset/base/check.h"
#include "cresset/text/json.h"
#include "cresset/text/utf8.h"

namespace cresset::dag {

namespace {

std::string trim(const std::string& text) {
  const auto is_space = [](unsigned char c) { return std::isspace(c) != 0; };
  const auto first = std::find_if_not(text.begin(), text.end(), is_space);
  const auto last =
      std::find_if_not(text.rbegin(), std::make_reverse_iterator(first), is_space).base();
  return {first, last};
}

Error wrong_value(const ExpectedParameter& parameter, const std::string& shown) {
  return make_error(Code::kFailedPrecondition, "output \"{}\" should be a {}, but the step gave {}",
                    parameter.name, to_string(parameter.type),
                    shown.size() > 80 ? shown.substr(0, 77) + "..." : shown);
}

// kfp.md §2.6: STRING is taken as it is; "True" is a boolean; the rest is JSON.
Result<Value> parse_file(const ExpectedParameter& parameter, const std::string& content) {
  if (parameter.type == model::ParameterType::kString) {
    if (text::find_invalid_utf8(content) == std::string_view::npos) return Value(content);
    return make_error(Code::kFailedPrecondition,
                      "output \"{}\" is no UTF-8 text: pass other bytes as an artifact",
                      parameter.name);
  }
  const std::string text = trim(content);
  if (parameter.type == model::ParameterType::kBoolean) {
    std::string lower = text;
    std::ranges::transform(lower, lower.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (lower == "true" || lower == "false") return Value(lower == "true");
    return wrong_value(parameter, '"' + text + '"');
  }
  // JSON would refuse a whole number that a double cannot hold exactly, and a double need not.
  if (parameter.type == model::ParameterType::kNumberDouble) {
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc{} && end == text.data() + text.size() && std::isfinite(number))
      return Value(number);
    return wrong_value(parameter, '"' + text + '"');
  }
  auto value = text::parse_json(text);
  if (!value || !model::fits(*value, parameter.type))
    return wrong_value(parameter, '"' + text + '"');
  return value;
}

class OutputReader {
 public:
  explicit OutputReader(const ExpectedOutputs& expected) : expected_(expected) {}

  Result<model::Bindings> read(const RawOutputs& raw) {
    CR_TRY_VOID(read_metadata(raw.metadata));
    for (std::size_t i = 0; i < expected_.parameters.size(); ++i) {
      CR_TRY_VOID(take_parameter(expected_.parameters[i], raw.parameters[i]));
    }
    for (const ExpectedArtifact& artifact : expected_.artifacts)
      CR_TRY_VOID(take_artifact(artifact));
    return std::move(out_);
  }

 private:
  Result<void> read_metadata(const std::optional<std::string>& content) {
    if (!content || trim(*content).empty()) return {};
    auto parsed = text::parse_json(*content);
    if (!parsed) return std::move(parsed).error().with("the step's executor output is no JSON");
    if (!parsed->is_struct())
      return make_error(Code::kFailedPrecondition, "the step's executor output is no JSON object");
    metadata_ = *std::move(parsed);
    CR_TRY_VOID(known_names("parameterValues", expected_.parameters,
                            [](const auto& p) -> const std::string& { return p.name; }));
    return known_names("artifacts", expected_.artifacts,
                       [](const auto& a) -> const std::string& { return a.artifact.name; });
  }

  template <class Items, class Name>
  Result<void> known_names(std::string_view section, const Items& items, Name name_of) {
    const Value* fields = metadata_.find(section);
    if (fields == nullptr || fields->is_null()) return {};
    if (!fields->is_struct()) {
      return make_error(Code::kFailedPrecondition,
                        "\"{}\" of the step's executor output is no JSON object", section);
    }
    for (const auto& [name, value] : fields->as_struct()) {
      if (std::ranges::none_of(items, [&](const auto& item) { return name_of(item) == name; })) {
        return make_error(Code::kFailedPrecondition,
                          "the step gave an output \"{}\" that its component does not declare",
                          name);
      }
    }
    return {};
  }

  Result<void> take_parameter(const ExpectedParameter& parameter,
                              const std::optional<std::string>& file) {
    const Value* values = metadata_.find("parameterValues");
    const Value* value = values == nullptr ? nullptr : values->find(parameter.name);
    if (value != nullptr) {
      if (!value->is_null() && !model::fits(*value, parameter.type))
        return wrong_value(parameter, text::to_json(*value));
      out_.parameters.emplace(parameter.name, *value);
      return {};
    }
    if (!file) {
      return make_error(
          Code::kFailedPrecondition,
          "the step ended well but gave no output \"{}\": it should have written it to {}",
          parameter.name, parameter.path);
    }
    CR_TRY(Value parsed, parse_file(parameter, *file));
    out_.parameters.emplace(parameter.name, std::move(parsed));
    return {};
  }

  Result<void> take_artifact(const ExpectedArtifact& expected) {
    std::vector<model::Artifact>& list = out_.artifacts[expected.artifact.name];
    const Value* section = metadata_.find("artifacts");
    const Value* entry = section == nullptr ? nullptr : section->find(expected.artifact.name);
    const Value* given = entry == nullptr ? nullptr : entry->find("artifacts");
    if (given == nullptr || !given->is_list()) {
      list.push_back(expected.artifact);
      return {};
    }
    if (!expected.is_list && given->as_list().size() != 1) {
      return make_error(Code::kFailedPrecondition,
                        "output \"{}\" is one artifact, but the step gave {}",
                        expected.artifact.name, given->as_list().size());
    }
    for (const Value& item : given->as_list()) {
      CR_TRY(model::Artifact artifact, merge(expected.artifact, item));
      list.push_back(std::move(artifact));
    }
    return {};
  }

  static Result<model::Artifact> merge(model::Artifact artifact, const Value& item) {
    auto text_field = [&item, &artifact](std::string_view key,
                                         std::string& target) -> Result<void> {
      const Value* value = item.find(key);
      if (value == nullptr || value->is_null()) return {};
      if (!value->is_string() || value->as_string().find('\0') != std::string::npos) {
        return make_error(Code::kFailedPrecondition, "\"{}\" of output \"{}\" is no text", key,
                          artifact.name);
      }
      if (!value->as_string().empty()) target = value->as_string();
      return {};
    };
    CR_TRY_VOID(text_field("name", artifact.name));
    CR_TRY_VOID(text_field("uri", artifact.uri));
    CR_TRY_VOID(text_field("custom_path", artifact.custom_path));
    CR_TRY_VOID(text_field("customPath", artifact.custom_path));
    if (const Value* metadata = item.find("metadata");
        metadata != nullptr && metadata->is_struct()) {
      for (const auto& [key, value] : metadata->as_struct()) artifact.metadata[key] = value;
    }
    return artifact;
  }

  const ExpectedOutputs& expected_;
  Value metadata_;
  model::Bindings out_;
};

}  // namespace

Result<model::Bindings> read_outputs(const ExpectedOutputs& expected, const RawOutputs& raw) {
  CHECK(raw.parameters.size() == expected.parameters.size());
  return OutputReader(expected).read(raw);
}

std::vector<std::string> artifact_paths(const model::Bindings& outputs) {
  std::vector<std::string> out;
  for (const auto& [name, list] : outputs.artifacts) {
    for (const model::Artifact& artifact : list) out.push_back(local_path(artifact));
  }
  return out;
}

void set_digests(model::Bindings& outputs, const std::vector<std::optional<std::string>>& digests) {
  std::size_t next = 0;
  for (auto& [name, list] : outputs.artifacts) {
    for (model::Artifact& artifact : list) {
      CHECK(next < digests.size());
      artifact.digest = digests[next++].value_or("");
    }
  }
}

}  // namespace cresset::dag
