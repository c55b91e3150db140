#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "cresset/app/read_pipeline.h"
#include "sim/engine_trial.h"
#include "sim/generate.h"
#include "sim/ir.h"
#include "sim/smaller.h"

// Generated pipelines: that they are valid, hold everything, come under the engine to what the
// oracle says, and can be made smaller.
namespace cresset::sim {
namespace {

using ::testing::IsEmpty;

std::string errors_of(const Sketch& sketch) {
  std::string out;
  for (const auto& diagnostic : app::read_and_check(to_ir(sketch), "sketch.json").diagnostics) {
    if (!diagnostic.pointer.ends_with("/workspace/size"))
      out += diagnostic.pointer + ": " + diagnostic.message + "\n";
  }
  return out;
}

// ---- What is in a sketch ----

class Constructs {
 public:
  void count(const Sketch& sketch) {
    note(sketch.workspace, "workspace");
    note(sketch.deadline.has_value(), "deadline of the run");
    for (const auto& [name, input] : sketch.parameters) {
      note(sketch.given.contains(name), "run input given");
      note(input.optional, "run input optional");
      note(input.default_value.has_value(), "run input with default");
    }
    note(!sketch.root.parameters.empty(), "outputs of the run");
    note(leaves_of(sketch) > 30, "tens of tasks");
    dag(sketch.root, 0);
  }
  // Those of the list that never occurred.
  [[nodiscard]] std::set<std::string> missing() const {
    std::set<std::string> out;
    for (const auto& [name, count] : counts_) {
      if (count == 0) out.insert(name);
    }
    return out;
  }

 private:
  void note(bool there, const std::string& name) { counts_[name] += there ? 1 : 0; }

  void dag(const Dag& dag, unsigned depth) {
    note(depth >= 3, "nesting of three");
    note(dag.style == Dag::Style::kExitHandler, "exit handler");
    note(dag.style == Dag::Style::kCondition, "condition group");
    note(dag.style == Dag::Style::kBranches, "branches");
    for (const auto& [name, output] : dag.parameters) note(output.from.size() > 1, "oneof");
    for (const auto& [name, output] : dag.artifacts) {
      note(output.from.size() > 1, "oneof of artifacts");
      note(output.is_list, "collected artifacts");
    }
    for (const Task& task : dag.tasks) this->task(task, depth);
  }

  void task(const Task& task, unsigned depth) {
    note(task.ignores_failures, "ignores failures");
    note(task.condition && task.step() != nullptr, "condition on a step");
    note(task.caching, "caching");
    note(!task.cache_key.empty(), "cache key");
    note(!task.after.empty(), "dependent tasks");
    note(!task.display_name.empty(), "display name");
    note(task.retry && task.step() != nullptr, "retry of a step");
    note(task.retry && task.dag() != nullptr && !task.loop, "retry of a group");
    note(task.retry && task.dag() != nullptr && task.loop, "retry of iterations");
    for (const auto& [name, input] : task.parameters) parameter(input);
    for (const auto& [name, input] : task.artifacts) {
      note(input.optional, "optional artifact");
      note(input.is_list, "artifact list input");
    }
    for (const auto& [name, source] : task.parameter_sources) this->source(source);
    if (task.condition) condition(*task.condition);
    if (task.loop) loop(task);
    if (const Step* step = task.step()) this->step(*step);
    if (const auto* importer = std::get_if<Importer>(&task.body)) {
      note(true, "importer");
      note(!importer->input.empty(), "importer with a parameter");
      note(importer->to_workspace, "importer to the workspace");
      note(importer->reimport, "reimport");
    }
    if (const auto* volume = std::get_if<Volume>(&task.body))
      note(true, volume->creates ? "create a volume" : "delete a volume");
    if (const Dag* inner = task.dag()) dag(*inner, depth + 1);
  }

  void parameter(const ParameterInput& input) {
    note(true, "input of type " + std::string(to_string(input.type)));
    note(input.optional, "optional input");
    note(input.default_value.has_value(), "input with default");
    note(!input.literals.empty(), "literals");
    note(!input.declared, "undeclared input");
  }

  void source(const Source& source) {
    note(!source.key.empty(), "selector");
    note(source.from == Source::From::kConstant, "constant");
    note(source.from == Source::From::kTemplate, "constant with placeholders");
    note(source.from == Source::From::kInput, "component input");
    note(source.from == Source::From::kTask, "upstream output");
    note(source.from == Source::From::kStatus, "final status");
  }

  void condition(const Condition& condition) {
    note(condition.kind == Condition::Kind::kNot, "not");
    note(condition.kind == Condition::Kind::kAnd, "and");
    note(condition.kind == Condition::Kind::kOr, "or");
    note(condition.as_integer, "int()");
    note(!condition.other.empty(), "two inputs compared");
    for (const Condition& part : condition.parts) this->condition(part);
  }

  void loop(const Task& task) {
    const Loop& loop = *task.loop;
    note(loop.over == Loop::Over::kRaw, "loop over a constant");
    note(!loop.filled.empty(), "loop over a constant with placeholders");
    note(loop.over == Loop::Over::kParameter, "loop over a parameter");
    note(loop.over == Loop::Over::kArtifacts, "loop over artifacts");
    note(loop.limit > 0, "parallelism limit");
    note(task.dag() == nullptr, "loop of a leaf");
    if (task.dag() == nullptr) return;
    for (const Task& inner : task.dag()->tasks)
      note(inner.loop.has_value() && inner.dag() != nullptr, "nested loop");
  }

  void step(const Step& step) {
    note(true, "mischief " + std::to_string(static_cast<int>(step.mischief.kind)));
    note(step.mischief.times == Mischief::kAlways, "fails for good");
    note(!step.whole_input, "a placeholder for each input");
    note(!step.prints.empty(), "prints");
    note(step.ignores_terminate, "ignores SIGTERM");
    note(!step.env.empty(), "environment");
    note(step.deadline.has_value(), "deadline of a task");
    note(!step.resources.cpu_request.empty(), "resources");
    note(!step.resources.cpu_input.empty(), "resources by a parameter");
    for (const Setting& setting : step.settings)
      note(true, "setting " + std::to_string(static_cast<int>(setting.kind)));
    for (const auto& [name, output] : step.parameters) {
      note(true, "output by way " + std::to_string(static_cast<int>(output.way)));
      note(true, "output of base " + std::to_string(static_cast<int>(output.shape.base)));
      note(output.shape.depth > 1, "list of lists");
    }
    for (const auto& [name, artifact] : step.artifacts) {
      note(true, "artifact of form " + std::to_string(static_cast<int>(artifact.form)));
      note(artifact.adds_metadata, "metadata by the step");
      note(!artifact.metadata.is_null(), "metadata declared");
    }
  }

  // What is counted by its number is there as soon as it occurs; these must all have.
  std::map<std::string, int> counts_ = [] {
    std::map<std::string, int> all;
    const auto numbered = [&all](const std::string& what, int count) {
      for (int i = 0; i < count; ++i) all[what + " " + std::to_string(i)] = 0;
    };
    numbered("mischief", 9);
    numbered("setting", 7);
    numbered("output by way", 3);
    numbered("output of base", 8);
    numbered("artifact of form", 5);
    for (const Type type : {Type::kDouble, Type::kInteger, Type::kString, Type::kBoolean,
                            Type::kList, Type::kStruct, Type::kStatus})
      all["input of type " + std::string(to_string(type))] = 0;
    all["create a volume"] = all["delete a volume"] = all["importer"] = 0;
    return all;
  }();
};

TEST(Pipelines, HoldEveryConstruct) {
  Constructs constructs;
  for (std::uint64_t seed = 0; seed < 2000; ++seed) constructs.count(sketch_of(seed));
  EXPECT_THAT(constructs.missing(), IsEmpty());
}

TEST(Pipelines, AreValid) {
  for (std::uint64_t seed = 0; seed < 600; ++seed)
    ASSERT_EQ(errors_of(sketch_of(seed)), "") << "seed " << seed;
}

TEST(Pipelines, OfASeedAreTheSame) {
  for (std::uint64_t seed = 0; seed < 50; ++seed)
    EXPECT_EQ(to_ir(sketch_of(seed)), to_ir(sketch_of(seed)));
  EXPECT_NE(to_ir(sketch_of(1)), to_ir(sketch_of(2)));
}

TEST(Pipelines, AreAsLargeAsIsWanted) {
  Taste taste;
  taste.leaves_max = 3;
  taste.tens = 0;
  taste.thousands_in_ten_thousand = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed)
    EXPECT_LE(leaves_of(sketch_of(seed, taste)), 16u) << "seed " << seed;
  taste.thousands_in_ten_thousand = 10'000;
  for (std::uint64_t seed = 0; seed < 3; ++seed)
    EXPECT_EQ(errors_of(sketch_of(seed, taste)), "") << "seed " << seed;
}

TEST(Pipelines, ComeToWhatIsForeseen) {
  Trial total;
  for (std::uint64_t seed = 0; seed < 120; ++seed) {
    const Trial trial = try_with_engine(sketch_of(seed), seed % 40);
    ASSERT_EQ(trial.difference, "") << "seed " << seed;
    total.cached += trial.cached;
    total.steps += trial.steps;
  }
  EXPECT_GT(total.steps, 1000u);
  EXPECT_GT(total.cached, 100u);
}

TEST(Pipelines, OfTheCorpusComeToWhatIsForeseen) {
  for (const auto& [name, sketch] : corpus())
    EXPECT_EQ(try_with_engine(sketch, 3).difference, "") << name;
}

// A trial that finds nothing proves nothing: here what the oracle knows is not what runs.
TEST(Pipelines, AnotherOutcomeIsNoticed) {
  for (const auto& [name, sketch] : corpus()) {
    if (name != "retry") continue;
    Sketch other = sketch;
    other.root.tasks[0].step()->mischief.times = 1;
    EXPECT_NE(compare_with_engine(sketch, other), "");
    EXPECT_EQ(compare_with_engine(sketch, sketch), "");
  }
}

// ---- Smaller ones ----

TEST(Smaller, CandidatesAreValidAndSmaller) {
  std::size_t count = 0;
  for (std::uint64_t seed = 0; seed < 15; ++seed) {
    const Sketch sketch = sketch_of(seed);
    for (const Sketch& candidate : smaller(sketch)) {
      ++count;
      ASSERT_LT(size_of(candidate), size_of(sketch)) << "seed " << seed;
      if (count % 5 == 0) ASSERT_EQ(errors_of(candidate), "") << "seed " << seed;
    }
  }
  EXPECT_GT(count, 500u);
}

TEST(Smaller, CandidatesComeToWhatIsForeseen) {
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    const std::vector<Sketch> candidates = smaller(sketch_of(seed));
    if (candidates.empty()) continue;
    const std::size_t index = seed * 7919 % candidates.size();
    EXPECT_EQ(try_with_engine(candidates[index]).difference, "") << seed << ", path " << index;
  }
}

TEST(Smaller, APathNamesOneAgain) {
  const Sketch sketch = sketch_of(3);
  const Sketch once = smaller(sketch)[1];
  EXPECT_EQ(to_ir(shrunk(sketch, "1.0")), to_ir(smaller(once)[0]));
  EXPECT_EQ(to_ir(shrunk(sketch, "")), to_ir(sketch));
}

TEST(Smaller, EndsWithNearlyNothing) {
  Sketch sketch = sketch_of(5);
  for (std::vector<Sketch> next = smaller(sketch); !next.empty(); next = smaller(sketch))
    sketch = next.front();
  EXPECT_EQ(leaves_of(sketch), 1u);
  EXPECT_EQ(errors_of(sketch), "");
}

}  // namespace
}  // namespace cresset::sim
