#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cresset/base/result.h"
#include "cresset/model/pipeline.h"
#include "cresset/model/run.h"
#include "cresset/text/cel.h"

// A pipeline compiled once: names turned into indices, edges into lists. Immutable; points into the
// pipeline.
namespace cresset::dag {

inline constexpr std::uint32_t kNoDag = std::numeric_limits<std::uint32_t>::max();

struct GraphTask {
  std::string_view name;  // key in its dag
  const model::TaskSpec* spec = nullptr;
  const model::Component* component = nullptr;
  std::uint32_t dag = kNoDag;  // index in Graph::dags when the component is a dag
  // Indices of tasks in the same dag, without repetition; they lie in its `edges`.
  std::span<const std::uint32_t> upstream;
  std::span<const std::uint32_t> downstream;
  std::optional<text::CelExpression> condition;
  model::TaskKind kind = model::TaskKind::kContainer;  // as views show it
  // Runs when its upstream has ended however it did, and after a cancel too: what dsl.ExitHandler
  // compiles to.
  bool exit_task = false;
};

// Tasks point into it: it can be moved, not copied.
struct GraphDag {
  GraphDag() = default;
  GraphDag(GraphDag&&) = default;
  GraphDag& operator=(GraphDag&&) = default;

  const model::Dag* spec = nullptr;
  std::vector<GraphTask> tasks;  // upstream before downstream
  std::vector<std::uint32_t> edges;

  [[nodiscard]] std::optional<std::uint32_t> find(std::string_view task) const;
  std::vector<std::pair<std::string_view, std::uint32_t>> index;  // of tasks, in order of names
};

struct Graph {
  GraphTask root;  // stands for the pipeline itself; its dag is dags[root.dag]
  std::vector<GraphDag> dags;
};

// kInvalidArgument for what check_pipeline would have refused: unknown names, cycles, recursion,
// malformed conditions.
Result<Graph> compile_graph(const model::Pipeline& pipeline);

}  // namespace cresset::dag
