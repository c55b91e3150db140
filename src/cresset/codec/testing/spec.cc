#include "cresset/codec/testing/spec.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace cresset::codec::testing {

namespace {

std::string indented(std::string_view text, std::size_t by) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    out += std::string(by, ' ') + std::string(text.substr(0, end)) + "\n";
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
  }
  return out;
}

std::string section(std::string_view key, std::string_view fields, std::size_t by) {
  return fields.empty()
             ? ""
             : std::string(by, ' ') + std::string(key) + ":\n" + indented(fields, by + 2);
}

}  // namespace

std::string to_yaml(const Spec& spec) {
  std::string out = "pipelineInfo:\n  name: sample\nschemaVersion: 2.1.0\n" + spec.top;
  if (!spec.top.empty()) out += "\n";
  out += "deploymentSpec:\n  executors:\n    exec-a:\n";
  out +=
      spec.executor.empty() ? section("container", spec.container, 6) : indented(spec.executor, 6);
  out += "components:\n" + section("comp-a", spec.component, 2);
  out += "root:\n" + indented(spec.root, 2) + "  dag:\n" + section("outputs", spec.dag_outputs, 4);
  out += "    tasks:\n      a:\n        componentRef:\n          name: comp-a\n";
  out += indented(spec.task, 8);
  if (spec.kubernetes.empty() && spec.pipeline_config.empty()) return out;
  out += "---\nplatforms:\n  kubernetes:\n" + section("pipelineConfig", spec.pipeline_config, 4);
  if (spec.kubernetes.empty()) return out;
  return out + "    deploymentSpec:\n      executors:\n" + section("exec-a", spec.kubernetes, 8);
}

std::vector<std::string> findings(std::string_view text) {
  std::vector<std::string> out;
  for (const Diagnostic& found : read_pipeline(text, "p.yaml").diagnostics) {
    out.push_back((found.severity == Severity::kError ? "error: " : "warning: ") + found.message);
  }
  return out;
}

std::vector<std::string> findings(const Spec& spec) { return findings(to_yaml(spec)); }

std::vector<std::string> positions(std::string_view text) {
  std::vector<std::string> out;
  for (const Diagnostic& found : read_pipeline(text, "p.yaml").diagnostics)
    out.push_back(fmt::format("{}:{}", found.position.line, found.position.column));
  return out;
}

model::Pipeline read(std::string_view text) {
  ReadResult result = read_pipeline(text, "p.yaml");
  for (const Diagnostic& found : result.diagnostics) ADD_FAILURE() << render(found, text);
  return std::move(result.pipeline).value_or(model::Pipeline{});
}

model::Pipeline read(const Spec& spec) { return read(to_yaml(spec)); }

const model::TaskSpec& task_of(const model::Pipeline& pipeline) {
  return std::get<model::Dag>(pipeline.root.body).tasks.at("a");
}

const model::Container& container_of(const model::Pipeline& pipeline) {
  return std::get<model::Container>(component_of(pipeline).body);
}

const model::Component& component_of(const model::Pipeline& pipeline) {
  return pipeline.components.at("comp-a");
}

}  // namespace cresset::codec::testing
