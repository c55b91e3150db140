#include <fmt/format.h>

#include <charconv>

#include "cresset/codec/kfp_parts.h"
#include "cresset/codec/source_text.h"
#include "cresset/text/json.h"

namespace cresset::codec {

namespace {

// The deprecated {"intValue": "5"} and its like.
std::optional<Value> read_typed_value(const Node& node) {
  const Message message(node, "TypedValue");
  const auto kind = message.only_one({"intValue", "doubleValue", "stringValue"});
  if (!kind) return std::nullopt;
  const Node value = *message.field(*kind);
  if (*kind == "stringValue") {
    auto text = value.text();
    return text ? std::optional<Value>(*std::move(text)) : std::nullopt;
  }
  if (*kind == "intValue") {
    const auto integer = value.integer();
    return integer ? std::optional<Value>(*integer) : std::nullopt;
  }
  const auto number = value.number();
  return number ? std::optional<Value>(*number) : std::nullopt;
}

std::optional<model::FromTask> read_from_task(const Node& node) {
  const Message message(node, "TaskOutputParameter");
  model::FromTask out{message.required_text("producerTask"),
                      message.required_text("outputParameterKey")};
  if (out.task.empty() || out.output.empty()) return std::nullopt;
  return out;
}

// Nine digits at most after the point; those beyond microseconds are cut off.
std::optional<Duration> parse_duration(std::string_view text) {
  if (!text.ends_with('s')) return std::nullopt;
  text.remove_suffix(1);
  const std::size_t point = text.find('.');
  const std::string_view whole = text.substr(0, point);
  std::string fraction(point == std::string_view::npos ? "" : text.substr(point + 1));
  const auto digits = [](std::string_view t) {
    return t.find_first_not_of("0123456789") == std::string_view::npos;
  };
  if (whole.empty() || whole.size() > 12 || !digits(whole) || fraction.size() > 9 ||
      !digits(fraction))
    return std::nullopt;
  if (point != std::string_view::npos && fraction.empty()) return std::nullopt;
  fraction.resize(6, '0');
  std::int64_t seconds = 0;
  std::int64_t micros = 0;
  std::from_chars(whole.data(), whole.data() + whole.size(), seconds);
  std::from_chars(fraction.data(), fraction.data() + fraction.size(), micros);
  return std::chrono::seconds(seconds) + Duration(micros);
}

}  // namespace

std::optional<std::variant<model::Constant, model::FromParent>> read_runtime_value(
    const Node& node) {
  const Message message(node, "RuntimeValue");
  const auto kind = message.only_one({"constant", "constantValue", "runtimeParameter"});
  if (!kind) return std::nullopt;
  if (*kind == "constant") return model::Constant{message.any("constant")->value()};
  if (*kind == "constantValue") {
    auto value = read_typed_value(*message.field("constantValue"));
    if (!value) return std::nullopt;
    return model::Constant{*std::move(value)};
  }
  std::string input = message.required_text("runtimeParameter");
  if (input.empty()) return std::nullopt;
  return model::FromParent{std::move(input)};
}

std::optional<model::ParameterSource> read_parameter_source(const Node& node) {
  const Message message(node, "ParameterSource");
  const auto kind = message.only_one(
      {"taskOutputParameter", "componentInputParameter", "runtimeValue", "taskFinalStatus"});
  model::ParameterSource out;
  out.selector = message.text("parameterExpressionSelector");
  if (!kind) return std::nullopt;
  if (*kind == "taskOutputParameter") {
    auto from = read_from_task(*message.field(*kind));
    if (!from) return std::nullopt;
    out.from = *std::move(from);
  } else if (*kind == "componentInputParameter") {
    std::string input = message.required_text(*kind);
    if (input.empty()) return std::nullopt;
    out.from = model::FromParent{std::move(input)};
  } else if (*kind == "runtimeValue") {
    auto value = read_runtime_value(*message.field(*kind));
    if (!value) return std::nullopt;
    std::visit([&out](auto& v) { out.from = std::move(v); }, *value);
  } else {
    const Message status(*message.field(*kind), "TaskFinalStatus");
    std::string task = status.required_text("producerTask");
    if (task.empty()) return std::nullopt;
    out.from = model::FinalStatusOf{std::move(task)};
  }
  return out;
}

model::ArtifactType read_artifact_type(const Node& node) {
  const Message message(node, "ArtifactTypeSchema");
  static_cast<void>(message.only_one({"schemaTitle", "schemaUri", "instanceSchema"}, false));
  return {message.text("schemaTitle"), message.text("schemaVersion"), message.text("schemaUri"),
          message.text("instanceSchema")};
}

Value read_metadata(const Message& message) {
  model::ByName<Value> all;
  for (const std::string_view name : {"properties", "customProperties"}) {
    message.for_each_entry(name, [&all](const std::string& key, const Node& entry) {
      const auto value = read_runtime_value(entry);
      if (!value) return;
      if (const auto* constant = std::get_if<model::Constant>(&*value)) {
        all.insert_or_assign(key, constant->value);
      } else {
        entry.error("a property must be a constant",
                    "move it to metadata, which may hold placeholders");
      }
    });
  }
  const auto metadata = message.field("metadata");
  const bool has_metadata = metadata && metadata->expect_struct();
  if (all.empty()) return has_metadata ? metadata->value() : Value();
  if (has_metadata) {
    for (const auto& [key, value] : metadata->value().as_struct()) all.insert_or_assign(key, value);
  }
  Value::Struct out;
  for (auto& [key, value] : all) out.append(key, std::move(value));
  return out;
}

std::optional<Duration> read_duration(const Node& node) {
  const auto text = node.text();
  if (!text) return std::nullopt;
  const auto out = parse_duration(*text);
  if (!out)
    node.error(fmt::format("\"{}\" is no duration", clipped(*text)),
               "write seconds with an s, such as 30s or 1.5s");
  return out;
}

std::string read_env_name(const Message& message, std::string_view field) {
  std::string name = message.required_text(field);
  if (name.find('=') == std::string::npos) return name;
  message.field(field)->error(
      fmt::format("\"{}\" cannot be the name of an environment variable", clipped(name)),
      "a name holds no =");
  return {};
}

std::optional<Duration> read_seconds(const Node& node) {
  const auto seconds = node.integer();
  if (!seconds) return std::nullopt;
  constexpr std::int64_t kMax = 315'576'000'000;  // ten thousand years, as in protobuf
  if (*seconds <= 0 || *seconds > kMax) {
    node.error(fmt::format("{} is no number of seconds from 1 on", *seconds),
               "remove the field for no limit");
    return std::nullopt;
  }
  return std::chrono::seconds(*seconds);
}

}  // namespace cresset::codec
