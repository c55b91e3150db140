#include <fmt/core.h>

#include <array>
#include <charconv>
#include <utility>

#include "cresset/model/pipeline.h"
#include "cresset/model/run.h"

namespace cresset::model {

namespace {

template <class Enum, std::size_t N>
using Names = std::array<std::pair<Enum, std::string_view>, N>;

constexpr Names<ParameterType, 8> kParameterTypes{{
    {ParameterType::kNumberDouble, "NUMBER_DOUBLE"},
    {ParameterType::kNumberInteger, "NUMBER_INTEGER"},
    {ParameterType::kString, "STRING"},
    {ParameterType::kBoolean, "BOOLEAN"},
    {ParameterType::kList, "LIST"},
    {ParameterType::kStruct, "STRUCT"},
    {ParameterType::kTaskFinalStatus, "TASK_FINAL_STATUS"},
    {ParameterType::kTaskConfig, "TASK_CONFIG"},
}};

constexpr Names<State, 6> kStates{{
    {State::kPending, "PENDING"},
    {State::kRunning, "RUNNING"},
    {State::kSucceeded, "SUCCEEDED"},
    {State::kFailed, "FAILED"},
    {State::kSkipped, "SKIPPED"},
    {State::kCanceled, "CANCELED"},
}};

constexpr Names<TaskKind, 5> kTaskKinds{{
    {TaskKind::kContainer, "container"},
    {TaskKind::kImporter, "importer"},
    {TaskKind::kDag, "dag"},
    {TaskKind::kLoop, "loop"},
    {TaskKind::kCondition, "condition"},
}};

template <class Enum, std::size_t N>
std::string_view name_of(const Names<Enum, N>& names, Enum wanted) {
  for (const auto& [value, name] : names) {
    if (value == wanted) return name;
  }
  return {};
}

template <class Enum, std::size_t N>
std::optional<Enum> value_of(const Names<Enum, N>& names, std::string_view wanted) {
  for (const auto& [value, name] : names) {
    if (name == wanted) return value;
  }
  return std::nullopt;
}

std::optional<std::uint32_t> parse_u32(std::string_view text) {
  std::uint32_t out = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return out;
}

}  // namespace

std::string_view to_string(ParameterType type) { return name_of(kParameterTypes, type); }
std::optional<ParameterType> parse_parameter_type(std::string_view text) {
  return value_of(kParameterTypes, text);
}

bool fits(const Value& value, ParameterType type) {
  switch (type) {
    case ParameterType::kNumberDouble:
      return value.is_number();
    case ParameterType::kNumberInteger:
      return value.is_integer();
    case ParameterType::kString:
      return value.is_string();
    case ParameterType::kBoolean:
      return value.is_bool();
    case ParameterType::kList:
      return value.is_list();
    case ParameterType::kStruct:
    case ParameterType::kTaskFinalStatus:
    case ParameterType::kTaskConfig:
      return value.is_struct();
  }
  return false;
}

std::string_view to_string(State state) { return name_of(kStates, state); }
std::optional<State> parse_state(std::string_view text) { return value_of(kStates, text); }

std::string_view to_string(TaskKind kind) { return name_of(kTaskKinds, kind); }

std::string to_string(const AttemptId& id) {
  return fmt::format("{}/{}.{}", id.run.str(), id.task, id.attempt);
}

std::optional<AttemptId> parse_attempt_id(std::string_view text) {
  const std::size_t slash = text.rfind('/');
  const std::size_t dot = text.rfind('.');
  if (slash == std::string_view::npos || dot == std::string_view::npos || dot < slash)
    return std::nullopt;
  auto task = parse_u32(text.substr(slash + 1, dot - slash - 1));
  auto attempt = parse_u32(text.substr(dot + 1));
  if (!task || !attempt) return std::nullopt;
  return AttemptId{RunId(std::string(text.substr(0, slash))), *task, *attempt};
}

}  // namespace cresset::model
