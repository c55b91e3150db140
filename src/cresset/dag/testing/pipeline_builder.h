#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cresset/model/pipeline.h"

namespace cresset::dag::testing {

inline model::ParameterSource from_task(std::string task, std::string output = "out") {
  return {model::FromTask{std::move(task), std::move(output)}, ""};
}
inline model::ParameterSource from_parent(std::string input) {
  return {model::FromParent{std::move(input)}, ""};
}
inline model::ParameterSource constant(Value value) {
  return {model::Constant{std::move(value)}, ""};
}
inline model::ParameterSource final_status_of(std::string task) {
  return {model::FinalStatusOf{std::move(task)}, ""};
}
inline model::ArtifactSource artifact_from_task(std::string task, std::string output = "art") {
  return {model::FromTask{std::move(task), std::move(output)}};
}
inline model::ArtifactSource artifact_from_parent(std::string input) {
  return {model::FromParent{std::move(input)}};
}

// One task as a test writes it: `.task` is added to a dag by PipelineBuilder::add.
class TaskBuilder {
 public:
  explicit TaskBuilder(model::TaskSpec& task) : task_(task) {}

  TaskBuilder& in(const std::string& name, model::ParameterSource source) {
    task_.parameters[name] = std::move(source);
    return *this;
  }
  TaskBuilder& in(const std::string& name, model::ArtifactSource source) {
    task_.artifacts[name] = std::move(source);
    return *this;
  }
  TaskBuilder& after(std::initializer_list<std::string> tasks) {
    task_.dependent_tasks = tasks;
    return *this;
  }
  TaskBuilder& when(std::string condition) {
    task_.condition = std::move(condition);
    return *this;
  }
  // Runs however its upstream ended.
  TaskBuilder& always() {
    task_.strategy = model::TriggerStrategy::kAllUpstreamCompleted;
    return *this;
  }
  TaskBuilder& cached() {
    task_.caching.enabled = true;
    return *this;
  }
  TaskBuilder& retries(std::int64_t count, Duration backoff = Duration{0}, double factor = 2.0,
                       Duration max = std::chrono::hours{1}) {
    task_.retry = model::RetryPolicy{count, backoff, factor, max};
    return *this;
  }
  TaskBuilder& loop(std::string raw_items, std::int64_t limit = 0) {
    task_.iterator = model::ParameterIterator{std::move(raw_items), "item"};
    task_.parallelism_limit = limit;
    return *this;
  }
  TaskBuilder& loop_over(std::string input, std::int64_t limit = 0) {
    task_.iterator = model::ParameterIterator{model::FromParent{std::move(input)}, "item"};
    task_.parallelism_limit = limit;
    return *this;
  }
  TaskBuilder& loop_over_artifacts(std::string input) {
    task_.iterator = model::ArtifactIterator{std::move(input), "item"};
    return *this;
  }

  model::TaskSpec& task() { return task_; }

 private:
  model::TaskSpec& task_;
};

// A dag under construction: the root, or the body of a group component.
class DagBuilder {
 public:
  explicit DagBuilder(model::Component& component) : component_(component) {}

  // A task of the component "comp-<component>"; by default a step without declared inputs.
  TaskBuilder add(const std::string& name, const std::string& component = "step") {
    model::TaskSpec& task = std::get<model::Dag>(component_.body).tasks[name];
    task.display_name = name;
    task.component = "comp-" + component;
    return TaskBuilder(task);
  }
  DagBuilder& input(const std::string& name, model::ParameterType type, bool optional = false) {
    model::InputParameter& parameter = component_.input_parameters[name];
    parameter.type = type;
    parameter.optional = optional;
    return *this;
  }
  DagBuilder& input_artifact(const std::string& name) {
    component_.input_artifacts[name] = {};
    return *this;
  }
  // More than one selector is dsl.OneOf.
  DagBuilder& gives(const std::string& name, std::vector<model::FromTask> selectors,
                    model::ParameterType type = model::ParameterType::kNumberInteger) {
    component_.output_parameters[name] = {type, ""};
    const bool one_of = selectors.size() > 1;
    std::get<model::Dag>(component_.body).output_parameters[name] = {std::move(selectors), one_of};
    return *this;
  }
  DagBuilder& gives_artifact(const std::string& name, std::vector<model::FromTask> selectors) {
    component_.output_artifacts[name] = {};
    std::get<model::Dag>(component_.body).output_artifacts[name] = {std::move(selectors)};
    return *this;
  }

 private:
  model::Component& component_;
};

// Pipelines for tests. Three step components are there from the start:
//   step      declares no input
//   needs     needs the integer "x" and the artifact "a" when it is given as an input
//   defaults  takes the integer "x", by default 7
// and each gives the integer "out" and the artifact "art".
class PipelineBuilder {
 public:
  PipelineBuilder() {
    pipeline_.name = "test";
    pipeline_.root.body = model::Dag{};
    step("step");
    step("needs").input_parameters["x"].type = model::ParameterType::kNumberInteger;
    model::InputParameter& x = step("defaults").input_parameters["x"];
    x.type = model::ParameterType::kNumberInteger;
    x.default_value = 7;
  }

  DagBuilder root() { return DagBuilder(pipeline_.root); }

  // The component "comp-<name>" of a container.
  model::Component& step(const std::string& name) {
    model::Component& component = pipeline_.components["comp-" + name];
    component.output_parameters["out"].type = model::ParameterType::kNumberInteger;
    component.output_artifacts["art"].type.schema_title = "system.Dataset";
    model::Container container;
    container.command = {"run", name};
    component.body = container;
    return component;
  }
  // The component "comp-<name>" of a dag; asking again goes on with the same.
  DagBuilder group(const std::string& name) {
    return DagBuilder(pipeline_.components["comp-" + name]);
  }

  model::Pipeline& pipeline() { return pipeline_; }
  [[nodiscard]] std::shared_ptr<const model::Pipeline> build() const {
    return std::make_shared<const model::Pipeline>(pipeline_);
  }

 private:
  model::Pipeline pipeline_;
};

}  // namespace cresset::dag::testing
