#include "cresset/codec/kfp_ir.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "cresset/codec/document.h"
#include "cresset/codec/kfp_parts.h"

namespace cresset::codec {

namespace {

constexpr std::string_view kSchemaVersion = "2.1.0";
constexpr std::size_t kPipelineNameMax = 128;

struct Reading {
  model::Pipeline pipeline;
  model::ByName<std::string> executor_labels;  // by component
};

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
}

void check_pipeline_name(const Node& node, std::string_view name) {
  const bool letters = std::ranges::all_of(name, is_name_character);
  if (name.size() > kPipelineNameMax) {
    return node.error(
        fmt::format("the pipeline's name is longer than {} characters", kPipelineNameMax),
        "shorten it");
  }
  if (letters && name.front() != '.' && name.front() != '-') return;
  node.error(fmt::format("\"{}\" is no pipeline name", name),
             "use lower-case letters, digits, '-' and '.', beginning with a letter or digit");
}

void read_info(const Message& spec, model::Pipeline& out) {
  if (!spec.only_one({"pipelineInfo"})) return;
  const Message info(*spec.field("pipelineInfo"), "PipelineInfo");
  out.name = info.required_text("name");
  if (!out.name.empty()) check_pipeline_name(*info.field("name"), out.name);
  out.display_name = info.text("displayName");
  out.description = info.text("description");
}

void check_schema_version(const Message& spec) {
  const std::string version = spec.required_text("schemaVersion");
  if (version.empty() || version == kSchemaVersion) return;
  spec.field("schemaVersion")
      ->error(fmt::format("schema version {} is not supported", version),
              fmt::format(
                  "compile the pipeline again with a kfp SDK that writes schema {} (2.0 or newer)",
                  kSchemaVersion));
}

void read_components(const Message& spec, const Executors& executors, Reading& out) {
  spec.for_each_name("components", [&](const std::string& name, const Node& node) {
    std::string label;
    out.pipeline.components[name] = read_component(node, executors, label);
    if (!label.empty()) out.executor_labels[name] = std::move(label);
  });
  if (!spec.only_one({"root"})) return;
  const Node root = *spec.field("root");
  std::string label;
  out.pipeline.root = read_component(root, executors, label);
  if (!label.empty()) root.error("root must be a dag, not an executor");
}

void read_spec(const Node& node, Reading& out) {
  const Message spec(node, "PipelineSpec");
  read_info(spec, out.pipeline);
  check_schema_version(spec);
  out.pipeline.sdk_version = spec.text("sdkVersion");
  out.pipeline.default_root = spec.text("defaultPipelineRoot");
  Executors executors;
  if (const auto deployment = spec.field("deploymentSpec")) executors = read_executors(*deployment);
  read_components(spec, executors, out);
}

void apply_platform(const Node& node, Reading& out) {
  Platform platform = read_platform(node);
  out.pipeline.config = std::move(platform.pipeline);
  std::set<std::string_view> used;
  for (auto& [component, label] : out.executor_labels) {
    const auto config = platform.executors.find(label);
    if (config == platform.executors.end()) continue;
    if (auto* container = std::get_if<model::Container>(&out.pipeline.components[component].body)) {
      container->kubernetes = config->second.config;
      used.insert(config->first);
    }
  }
  for (const auto& [label, settings] : platform.executors) {
    if (used.contains(label)) continue;
    node.report().warning(settings.place,
                          fmt::format("the platform settings of {} have no effect: no component "
                                      "runs a container of that name",
                                      label));
  }
}

void read_runtime_config(const Node& node, model::Pipeline& out) {
  const Message config(node, "RuntimeConfig");
  config.for_each_name("parameters", [&out](const std::string& name, const Node& entry) {
    const Message value(entry, "TypedValue");
    const auto kind = value.only_one({"intValue", "doubleValue", "stringValue"});
    if (!kind) return;
    const Node field = *value.field(*kind);
    if (*kind == "stringValue") out.job_parameters[name] = field.text().value_or("");
    if (*kind == "intValue") out.job_parameters[name] = field.integer().value_or(0);
    if (*kind == "doubleValue") out.job_parameters[name] = field.number().value_or(0);
  });
  config.for_each_name("parameterValues", [&out](const std::string& name, const Node& entry) {
    out.job_parameters[name] = entry.value();
  });
}

void read_job(const Node& node, std::size_t documents, Reading& out) {
  const Message job(node, "PipelineJob");
  if (job.only_one({"pipelineSpec"})) read_spec(*job.field("pipelineSpec"), out);
  if (const auto config = job.field("runtimeConfig")) read_runtime_config(*config, out.pipeline);
  const std::string display_name = job.text("displayName");
  if (out.pipeline.display_name.empty()) out.pipeline.display_name = display_name;
  if (const auto platform = job.field("platformSpec")) {
    if (documents > 1)
      platform->error_at_key("platform settings are given here and in a second document",
                             "keep one of the two");
    apply_platform(*platform, out);
  }
}

bool has_field(const Value& document, std::string_view name) {
  if (!document.is_struct()) return false;
  const auto& fields = document.as_struct();
  return std::ranges::any_of(
      fields, [name](const auto& field) { return is_field_name(field.first, name); });
}

// Files that are something else, said plainly. True when one was met.
bool refuse_other_kinds(const Node& node) {
  const Value& document = node.value();
  const Value* version = document.find("apiVersion");
  const Value* kind = document.find("kind");
  const auto text_of = [](const Value* value) {
    return value != nullptr && value->is_string() ? value->as_string() : "";
  };
  if (text_of(version).starts_with("argoproj.io/") || text_of(kind) == "Workflow") {
    node.error("this is an Argo workflow, as the KFP v1 SDK compiles it",
               "compile the pipeline with kfp 2 (pip install 'kfp>=2', then kfp dsl compile)");
    return true;
  }
  if (version != nullptr && kind != nullptr) {
    node.error(fmt::format("this is a Kubernetes {}, not a pipeline",
                           text_of(kind).empty() ? "object" : text_of(kind)),
               "give the YAML or JSON file that the kfp SDK compiled");
    return true;
  }
  if (has_field(document, "implementation") && !has_field(document, "root")) {
    node.error(
        "this is a KFP v1 component file",
        "load it in a pipeline with kfp 2 (components.load_component_from_file) and compile that");
    return true;
  }
  if (has_field(document, "platforms") && !has_field(document, "root")) {
    node.error("the first document holds platform settings instead of a pipeline",
               "put the PipelineSpec first");
    return true;
  }
  return false;
}

void read_all(std::vector<Value>& documents, Report& report, Reading& out) {
  const Node node(documents.front(), report, 0);
  if (!documents.front().is_struct()) {
    return node.error(
        fmt::format("this file holds a {}, not a pipeline", documents.front().kind_name()),
        "give the YAML or JSON file that the kfp SDK compiled");
  }
  if (refuse_other_kinds(node)) return;
  if (has_field(documents.front(), "pipelineSpec")) {
    read_job(node, documents.size(), out);
  } else {
    read_spec(node, out);
  }
  if (documents.size() < 2) return;
  apply_platform(Node(documents[1], report, 1), out);
}

Diagnostic diagnose(Severity severity, std::string_view file, const Finding& finding) {
  return {severity, std::string(file), {}, finding.place.pointer, finding.message, finding.help};
}

// Errors and warnings with their positions, in the order of the file.
std::vector<Diagnostic> diagnostics_of(const Report& report, std::string_view text,
                                       std::string_view file) {
  std::vector<Diagnostic> out;
  std::vector<Place> places;
  for (const Finding& finding : report.errors()) {
    out.push_back(diagnose(Severity::kError, file, finding));
    places.push_back(finding.place);
  }
  for (const Finding& finding : report.warnings()) {
    out.push_back(diagnose(Severity::kWarning, file, finding));
    places.push_back(finding.place);
  }
  if (out.empty()) return out;
  const std::vector<text::Position> positions = locate(text, places);
  for (std::size_t i = 0; i < out.size(); ++i) out[i].position = positions[i];
  std::ranges::sort(out, {}, [](const Diagnostic& d) {
    return std::tuple(d.position.line, d.position.column, std::string_view(d.message));
  });
  if (report.errors().size() > 1 && report.full()) {
    out.push_back({Severity::kError,
                   std::string(file),
                   {1, 1},
                   {},
                   fmt::format("only the first {} errors are shown", report.errors().size()),
                   "mend these first"});
  }
  return out;
}

}  // namespace

ReadResult read_pipeline(std::string_view text, std::string_view file_name) {
  ReadResult out;
  DocumentError fault;
  std::vector<DocumentError> repeated;
  auto documents = read_documents(text, {}, &fault, repeated);
  if (!documents) {
    out.diagnostics.push_back(
        {Severity::kError, std::string(file_name), fault.position, {}, fault.message, fault.help});
    return out;
  }
  if (documents->empty()) {
    out.diagnostics.push_back({Severity::kError,
                               std::string(file_name),
                               {1, 1},
                               {},
                               "the file holds no pipeline",
                               "give the YAML or JSON file that the kfp SDK compiled"});
    return out;
  }
  Report report;
  Reading reading;
  read_all(*documents, report, reading);
  out.diagnostics = diagnostics_of(report, text, file_name);
  for (const DocumentError& key : repeated) {
    out.diagnostics.push_back(
        {Severity::kError, std::string(file_name), key.position, {}, key.message, key.help});
  }
  if (!repeated.empty()) {
    std::ranges::sort(out.diagnostics, {}, [](const Diagnostic& d) {
      return std::tuple(d.position.line, d.position.column, std::string_view(d.message));
    });
  }
  if (!report.errors().empty() || !repeated.empty()) {
    const auto* dag = std::get_if<model::Dag>(&reading.pipeline.root.body);
    if (dag != nullptr && !dag->tasks.empty() && !report.full())
      out.draft = std::move(reading.pipeline);
    return out;
  }
  for (const Finding& warning : report.warnings()) {
    reading.pipeline.notices.push_back({warning.place.pointer, warning.message});
  }
  out.pipeline = std::move(reading.pipeline);
  return out;
}

}  // namespace cresset::codec
