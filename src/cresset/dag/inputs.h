#pragma once

#include <functional>
#include <optional>
#include <string>

#include "cresset/dag/graph.h"
#include "cresset/dag/plan.h"
#include "cresset/dag/slots.h"

// The values that a task starts with, and what its conditions and loops make of them.
namespace cresset::dag {

// What a task can see: the inputs of the dag it stands in, and the tasks beside it.
struct Surroundings {
  struct Neighbour {
    model::State state = model::State::kPending;
    const Slots* outputs = nullptr;
  };
  const Slots& parent_inputs;
  std::function<Neighbour(const std::string& task)> neighbour;
  std::function<Value(const std::string& task)> final_status;
  const RunContext& context;
  TaskOrdinal ordinal = 0;
};

struct ResolvedInputs {
  Slots slots;
  // Set when the task cannot run: a value that it needs does not exist, because the task that would
  // have given it was not taken (skip), or failed (fail).
  std::optional<std::string> skip;
  std::optional<std::string> fail;
};

// What is resolved may refer into the pipeline, and is of no use without it.
ResolvedInputs resolve_inputs(const GraphTask& task, const Surroundings& around);

// kFailedPrecondition with the reason when the expression cannot be evaluated or gives no boolean.
Result<bool> evaluate_condition(const GraphTask& task, const Slots& inputs);

// The items of the task's iterator, each as the value of its item input. kInvalidArgument when they
// are no list.
struct LoopItems {
  std::string item_input;
  bool artifacts = false;
  std::vector<ValueRef> values;       // when !artifacts
  std::vector<ArtifactsRef> singles;  // when artifacts: one artifact each
  [[nodiscard]] std::size_t size() const { return artifacts ? singles.size() : values.size(); }
};
Result<LoopItems> loop_items(const GraphTask& task, const Slots& inputs, const RunContext& context,
                             TaskOrdinal ordinal);

// Inputs of iteration `index`: those of the loop and its item, which is coerced to the type of the
// input.
Result<Slots> iteration_inputs(const GraphTask& task, const Slots& loop_inputs,
                               const LoopItems& items, std::size_t index);

// `value` as an input of that type takes it: anything as text for STRING, JSON text for a type that
// it spells.
Result<Value> coerce(const Value& value, model::ParameterType type);

// What a parameterExpressionSelector makes of a value. It sees the value as protobuf's Value does;
// string_value of a list or struct is its JSON, so that parseJson(string_value)["key"] works on
// loop items of either kind.
Result<Value> select(const std::string& selector, const Value& value);

// ExecutorInput's form of artifacts: {"artifacts":[{"name","type":{…},"uri","metadata"}]}.
Value artifacts_value(const std::vector<model::Artifact>& artifacts);

}  // namespace cresset::dag
