#include "cresset/dag/graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cresset/dag/testing/pipeline_builder.h"

namespace cresset::dag {
namespace {

using testing::artifact_from_task;
using ::testing::ElementsAre;
using testing::final_status_of;
using testing::from_task;
using ::testing::HasSubstr;
using testing::PipelineBuilder;

std::vector<std::string> order_of(const GraphDag& dag) {
  std::vector<std::string> out;
  for (const GraphTask& task : dag.tasks) out.emplace_back(task.name);
  return out;
}

TEST(Graph, PutsProducersFirstAndTiesByName) {
  PipelineBuilder builder;
  builder.root().add("a").after({"z"});
  builder.root().add("b").in("x", from_task("c"));
  builder.root().add("c");
  builder.root().add("z");
  const Graph graph = compile_graph(builder.pipeline()).value();
  const GraphDag& root = graph.dags.at(graph.root.dag);
  EXPECT_THAT(order_of(root), ElementsAre("c", "z", "b", "a"));
  EXPECT_THAT(root.tasks.at(*root.find("a")).upstream, ElementsAre(*root.find("z")));
  EXPECT_THAT(root.tasks.at(*root.find("c")).downstream, ElementsAre(*root.find("b")));
  EXPECT_EQ(root.find("nobody"), std::nullopt);
}

TEST(Graph, CountsAnEdgeOnce) {
  PipelineBuilder builder;
  builder.root().add("a");
  builder.root()
      .add("b")
      .after({"a"})
      .in("x", from_task("a"))
      .in("y", from_task("a"))
      .in("z", artifact_from_task("a"))
      .in("s", final_status_of("a"));
  const Graph graph = compile_graph(builder.pipeline()).value();
  EXPECT_EQ(graph.dags.at(graph.root.dag).tasks.at(1).upstream.size(), 1u);
}

TEST(Graph, KnowsWhatEachTaskIs) {
  PipelineBuilder builder;
  builder.group("g").add("x");
  builder.pipeline().components["comp-import"].body = model::Importer{};
  builder.root().add("container");
  builder.root().add("importer", "import");
  builder.root().add("dag", "g");
  builder.root().add("condition", "g").when("true");
  builder.root().add("loop", "g").loop("[1]");
  const Graph graph = compile_graph(builder.pipeline()).value();
  const GraphDag& root = graph.dags.at(graph.root.dag);
  for (const GraphTask& task : root.tasks) EXPECT_EQ(to_string(task.kind), task.name);
  EXPECT_EQ(root.tasks.at(*root.find("dag")).dag, root.tasks.at(*root.find("loop")).dag)
      << "a component is compiled once";
}

TEST(Graph, TellsExitTasksFromThoseThatIgnoreFailures) {
  PipelineBuilder builder;
  builder.group("exit-handler-1").add("x");
  builder.group("other").add("x");
  builder.root().add("body", "exit-handler-1");
  builder.root().add("group", "other");
  builder.root().add("exit").after({"body"}).always();
  builder.root().add("exit-by-status").always().in("s", final_status_of("group"));
  builder.root().add("tolerant").after({"group"}).always();
  builder.root().add("plain").after({"body"});
  const Graph graph = compile_graph(builder.pipeline()).value();
  std::vector<std::string> exit_tasks;
  for (const GraphTask& task : graph.dags.at(graph.root.dag).tasks) {
    if (task.exit_task) exit_tasks.emplace_back(task.name);
  }
  EXPECT_THAT(exit_tasks, ElementsAre("exit", "exit-by-status"));
}

TEST(Graph, RefusesWhatCannotRun) {
  const auto error_of = [](const PipelineBuilder& builder) {
    const Result<Graph> graph = compile_graph(*builder.build());
    EXPECT_FALSE(graph);
    if (!graph) EXPECT_EQ(graph.error().code, Code::kInvalidArgument);
    return graph ? "" : graph.error().text();
  };
  PipelineBuilder unknown_component;
  unknown_component.root().add("a", "nobody");
  EXPECT_THAT(error_of(unknown_component), HasSubstr("comp-nobody"));
  PipelineBuilder unknown_task;
  unknown_task.root().add("a").after({"nobody"});
  EXPECT_THAT(error_of(unknown_task), HasSubstr("\"nobody\""));
  PipelineBuilder cycle;
  cycle.root().add("a").after({"c"});
  cycle.root().add("b").after({"a"});
  cycle.root().add("c").after({"b"});
  EXPECT_THAT(error_of(cycle), HasSubstr("for itself"));
  PipelineBuilder recursion;
  recursion.group("g").add("again", "g");
  recursion.root().add("a", "g");
  EXPECT_THAT(error_of(recursion), HasSubstr("contains itself"));
  PipelineBuilder condition;
  condition.root().add("a").when("1 +");
  EXPECT_FALSE(error_of(condition).empty());
  PipelineBuilder no_dag;
  no_dag.pipeline().root.body = model::Container{};
  EXPECT_THAT(error_of(no_dag), HasSubstr("no dag"));
}

}  // namespace
}  // namespace cresset::dag
