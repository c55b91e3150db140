#include <fmt/format.h>

#include <array>

#include "cresset/codec/kfp_parts.h"

namespace cresset::codec {

namespace {

std::optional<model::ArtifactSource> read_artifact_source(const Node& node) {
  const Message message(node, "ArtifactSource");
  const auto kind = message.only_one({"taskOutputArtifact", "componentInputArtifact"});
  if (!kind) return std::nullopt;
  if (*kind == "componentInputArtifact") {
    std::string input = message.required_text(*kind);
    if (input.empty()) return std::nullopt;
    return model::ArtifactSource{model::FromParent{std::move(input)}};
  }
  const Message from(*message.field(*kind), "TaskOutputArtifact");
  model::FromTask out{from.required_text("producerTask"), from.required_text("outputArtifactKey")};
  if (out.task.empty() || out.output.empty()) return std::nullopt;
  return model::ArtifactSource{std::move(out)};
}

void read_inputs(const Node& node, model::TaskSpec& out) {
  const Message message(node, "TaskInputs");
  message.for_each_name("parameters", [&out](const std::string& name, const Node& entry) {
    if (auto source = read_parameter_source(entry)) out.parameters[name] = *std::move(source);
  });
  message.for_each_name("artifacts", [&out](const std::string& name, const Node& entry) {
    if (auto source = read_artifact_source(entry)) out.artifacts[name] = *std::move(source);
  });
}

model::TriggerStrategy read_strategy(const Node& node) {
  using model::TriggerStrategy;
  constexpr std::array<std::string_view, 3> kNames{"TRIGGER_STRATEGY_UNSPECIFIED",
                                                   "ALL_UPSTREAM_TASKS_SUCCEEDED",
                                                   "ALL_UPSTREAM_TASKS_COMPLETED"};
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (node.value() != Value(kNames[i]) && node.value() != Value(static_cast<int>(i))) continue;
    return i == 2 ? TriggerStrategy::kAllUpstreamCompleted : TriggerStrategy::kAllUpstreamSucceeded;
  }
  node.error("unknown trigger strategy",
             fmt::format("the strategies are {} and {}", kNames[1], kNames[2]));
  return TriggerStrategy::kAllUpstreamSucceeded;
}

void read_trigger(const Node& node, model::TaskSpec& out) {
  const Message message(node, "TriggerPolicy");
  out.condition = message.text("condition");
  if (const auto strategy = message.field("strategy")) out.strategy = read_strategy(*strategy);
}

std::optional<model::Iterator> read_parameter_iterator(const Node& node) {
  const Message message(node, "ParameterIterator");
  model::ParameterIterator out;
  out.item_input = message.required_text("itemInput");
  if (!message.only_one({"items"})) return std::nullopt;
  const Message items(*message.field("items"), "ParameterItems");
  const auto kind = items.only_one({"raw", "inputParameter"});
  if (!kind || out.item_input.empty()) return std::nullopt;
  std::string text = items.required_text(*kind);
  if (text.empty()) return std::nullopt;
  if (*kind == "raw") {
    out.items = std::move(text);
  } else {
    out.items = model::FromParent{std::move(text)};
  }
  return out;
}

std::optional<model::Iterator> read_artifact_iterator(const Node& node) {
  const Message message(node, "ArtifactIterator");
  model::ArtifactIterator out;
  out.item_input = message.required_text("itemInput");
  if (!message.only_one({"items"})) return std::nullopt;
  out.items_input =
      Message(*message.field("items"), "ArtifactItems").required_text("inputArtifact");
  if (out.items_input.empty() || out.item_input.empty()) return std::nullopt;
  return out;
}

void read_iteration(const Message& message, model::TaskSpec& out) {
  const auto kind = message.only_one({"parameterIterator", "artifactIterator"}, false);
  if (kind) {
    const Node node = *message.field(*kind);
    if (auto iterator = kind == "parameterIterator" ? read_parameter_iterator(node)
                                                    : read_artifact_iterator(node))
      out.iterator = *std::move(iterator);
  }
  const auto policy = message.field("iteratorPolicy");
  if (!policy) return;
  const Message limits(*policy, "IteratorPolicy");
  if (const auto limit = limits.field("parallelismLimit"))
    out.parallelism_limit = limit->integer().value_or(0);
}

model::RetryPolicy read_retry(const Node& node) {
  const Message message(node, "RetryPolicy");
  model::RetryPolicy out;
  if (const auto count = message.field("maxRetryCount"))
    out.max_retries = count->integer().value_or(0);
  if (const auto factor = message.field("backoffFactor")) {
    const double given = factor->number().value_or(0);
    if (given != 0) out.backoff_factor = given;
  }
  if (const auto backoff = message.field("backoffDuration"))
    out.backoff = read_duration(*backoff).value_or(out.backoff);
  if (const auto most = message.field("backoffMaxDuration")) {
    const auto given = read_duration(*most);
    if (given && *given != Duration{0}) out.backoff_max = *given;
  }
  return out;
}

}  // namespace

model::TaskSpec read_task(std::string_view name, const Node& node) {
  node.count_part();
  const Message message(node, "PipelineTaskSpec");
  model::TaskSpec out;
  if (const auto info = message.field("taskInfo"))
    out.display_name = Message(*info, "TaskInfo").text("name");
  if (out.display_name.empty()) out.display_name = name;
  if (message.only_one({"componentRef"})) {
    out.component = Message(*message.field("componentRef"), "ComponentRef").required_text("name");
  }
  if (const auto inputs = message.field("inputs")) read_inputs(*inputs, out);
  out.dependent_tasks = message.texts("dependentTasks");
  if (const auto caching = message.field("cachingOptions")) {
    const Message options(*caching, "CachingOptions");
    out.caching = {options.flag("enableCache"), options.text("cacheKey")};
  }
  if (const auto trigger = message.field("triggerPolicy")) read_trigger(*trigger, out);
  read_iteration(message, out);
  if (const auto retry = message.field("retryPolicy")) out.retry = read_retry(*retry);
  return out;
}

}  // namespace cresset::codec
