#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cresset/codec/kfp_ir.h"

// Small pipelines for tests, and what reading one gives.
namespace cresset::codec::testing {

// One task "a" of component "comp-a" with executor "exec-a"; each part in YAML, not indented, added
// to the map of that name. Empty parts are left out.
struct Spec {
  std::string container = "image: python\ncommand: [sh, -c, 'true']";
  std::string executor = {};  // instead of the container
  std::string component = "executorLabel: exec-a";
  std::string task = {};
  std::string dag_outputs = {};
  std::string root = {};        // further fields of the root component
  std::string top = {};         // further fields of the PipelineSpec
  std::string kubernetes = {};  // exec-a's, in a second document
  std::string pipeline_config = {};
};

std::string to_yaml(const Spec& spec);

// "error: message" and "warning: message", in the order of the file.
std::vector<std::string> findings(std::string_view text);
std::vector<std::string> findings(const Spec& spec);
// "line:column" of the findings.
std::vector<std::string> positions(std::string_view text);

// Fails the test when there is any finding.
model::Pipeline read(std::string_view text);
model::Pipeline read(const Spec& spec);
const model::TaskSpec& task_of(const model::Pipeline& pipeline);  // "a"
const model::Container& container_of(const model::Pipeline& pipeline);
const model::Component& component_of(const model::Pipeline& pipeline);

}  // namespace cresset::codec::testing
