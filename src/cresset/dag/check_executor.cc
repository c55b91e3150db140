#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string_view>

#include "cresset/dag/check_parts.h"
#include "cresset/dag/lightweight.h"
#include "cresset/text/placeholder.h"
#include "cresset/text/quantity.h"

namespace cresset::dag {

namespace {

Nameable make_nameable(const Enclosing& component) {
  Nameable out;
  out.owner = component.title();
  out.parameters = component.passed.parameters;
  out.artifacts = component.passed.artifacts;
  for (const auto& [name, input] : component.component.input_parameters)
    out.parameters.insert(name);
  for (const auto& [name, input] : component.component.input_artifacts) out.artifacts.insert(name);
  out.any_input = !component.passed.used;
  return out;
}

Result<std::int64_t> parse_count(std::string_view text) {
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error == std::errc{} && end == text.data() + text.size() && count >= 0) return count;
  return make_error(Code::kInvalidArgument, "\"{}\" is no whole number from 0 on", text);
}

class ContainerChecker {
 public:
  ContainerChecker(Checked& checked, const Enclosing& component, const Where& where)
      : checked_(checked),
        where_(where),
        passed_(component.passed),
        names_(make_nameable(component)) {}

  void check(const model::Container& container, const model::Component& component) {
    const Where body = where_.at("container");
    names_.outputs = &component;
    check_arguments(without_source(container), body.at("command"));
    check_arguments(container.args, body.at("args"));
    check_text(checked_, container.image, names_, body.at("image"));
    check_resources(container.resources, body.at("resources"));
    names_.outputs = nullptr;
    check_kubernetes(container.kubernetes);
  }

 private:
  // A Python source may hold `{{$` of its own: it is then taken as it is (dag/launch.cc).
  static std::vector<std::string> without_source(const model::Container& container) {
    std::vector<std::string> out = container.command;
    const auto lightweight = recognise_lightweight(container);
    if (lightweight && !text::parse_template(lightweight->source)) out.pop_back();
    return out;
  }

  void check_arguments(const std::vector<std::string>& texts, const Where& where) {
    for (std::size_t i = 0; i < texts.size(); ++i)
      check_argument(checked_, texts[i], names_, where.at(i));
  }

  void check_resources(const model::Resources& resources, const Where& where) {
    const auto cpu = [](std::string_view text) { return text::parse_cpu_millis(text); };
    const auto bytes = [](std::string_view text) { return text::parse_bytes(text); };
    constexpr std::string_view kCpus = "write a number of CPUs such as 2, 0.5 or 500m";
    constexpr std::string_view kBytes = "write an amount of memory such as 512Mi or 4G";
    check_amount(resources.cpu_request, cpu, kCpus, where.at("resourceCpuRequest"));
    check_amount(resources.cpu_limit, cpu, kCpus, where.at("resourceCpuLimit"));
    check_amount(resources.memory_request, bytes, kBytes, where.at("resourceMemoryRequest"));
    check_amount(resources.memory_limit, bytes, kBytes, where.at("resourceMemoryLimit"));
    const Where accelerator = where.at("accelerator");
    check_text(checked_, resources.accelerator_type, names_, accelerator.at("resourceType"));
    check_amount(resources.accelerator_count, parse_count, "write a whole number of devices",
                 accelerator.at("resourceCount"));
  }

  template <class Parse>
  void check_amount(const std::string& text, Parse parse, std::string_view help,
                    const Where& where) {
    if (text.empty()) return;
    if (has_references(Value(text))) return check_text(checked_, text, names_, where);
    if (const auto amount = parse(text); !amount)
      checked_.problems.add(where, amount.error().text(), std::string(help));
  }

  void check_kubernetes(const model::KubernetesConfig& config) {
    const Where where = where_.at("kubernetes");
    check_names(config.secret_as_env, "secretNameParameter", where.at("secretAsEnv"));
    check_names(config.config_map_as_env, "configMapNameParameter", where.at("configMapAsEnv"));
    check_names(config.secret_as_volume, "secretNameParameter", where.at("secretAsVolume"));
    check_names(config.config_map_as_volume, "configMapNameParameter",
                where.at("configMapAsVolume"));
    check_names(config.pvc_mounts, "pvcNameParameter", where.at("pvcMount"));
  }

  template <class Settings>
  void check_names(const std::vector<Settings>& settings, std::string_view field,
                   const Where& where) {
    for (std::size_t i = 0; i < settings.size(); ++i) {
      const Where setting = where.at(i);
      check_name(settings[i].name, setting.at(field));
    }
  }

  void check_name(const model::NameSource& source, const Where& where) {
    check_selector(checked_, source.selector, where.at("parameterExpressionSelector"));
    if (const auto* constant = std::get_if<model::Constant>(&source.from)) {
      return check_texts(checked_, constant->value, names_,
                         where.at("runtimeValue").at("constant"));
    }
    if (const auto* parent = std::get_if<model::FromParent>(&source.from))
      return check_input(parent->input, where.at("componentInputParameter"));
    if (const auto* from = std::get_if<model::FromTask>(&source.from)) {
      for (const model::Component* around : passed_.around) {
        see_parameter(checked_, std::get<model::Dag>(around->body), *from,
                      {"producerTask", "outputParameterKey"}, where.at("taskOutputParameter"));
      }
      return;
    }
    checked_.problems.add(where, "a final status is no name", "take a constant or a parameter");
  }

  // An input of the task or of the dag that it stands in.
  void check_input(const std::string& input, const Where& where) {
    const bool known = std::ranges::any_of(passed_.around, [&input](const auto* around) {
      return around->input_parameters.contains(input);
    });
    if (known || names_.any_input || names_.parameters.contains(input)) return;
    checked_.problems.add(where,
                          fmt::format("{} is passed no parameter \"{}\"{}", names_.owner, input,
                                      suggestion(input, names_.parameters)),
                          "pass it in inputs.parameters of the task");
  }

  Checked& checked_;
  const Where& where_;
  const Passed& passed_;
  Nameable names_;
};

void check_importer(Checked& checked, const Enclosing& component, const model::Importer& importer,
                    const Where& where) {
  const Nameable names = make_nameable(component);
  const Where uri = where.at("artifactUri");
  if (const auto* constant = std::get_if<std::string>(&importer.uri)) {
    check_text(checked, *constant, names, uri.at("constant"));
  } else {
    const std::string& input = std::get<model::FromParent>(importer.uri).input;
    if (!names.any_input && !names.parameters.contains(input)) {
      checked.problems.add(uri.at("runtimeParameter"),
                           fmt::format("the importer takes its URI from \"{}\", which is no input "
                                       "parameter of {}{}",
                                       input, names.owner, suggestion(input, names.parameters)),
                           "declare it under inputDefinitions.parameters");
    }
  }
  check_texts(checked, importer.metadata, names, where.at("metadata"));
}

// An importer gives the one artifact that it imports.
void check_importer_outputs(Checked& checked, const Enclosing& component, const Where& where) {
  const Where outputs = where.at("outputDefinitions");
  const auto& artifacts = component.component.output_artifacts;
  for (const auto& [name, output] : component.component.output_parameters) {
    checked.problems.add(outputs.at("parameters").at(name),
                         fmt::format("{} is an importer and gives no parameter", component.title()),
                         "remove the output");
  }
  for (auto output = artifacts.begin(); output != artifacts.end(); ++output) {
    if (output == artifacts.begin()) continue;
    checked.problems.add(
        outputs.at("artifacts").at(output->first),
        fmt::format("{} is an importer and gives one artifact only", component.title()),
        "remove the other outputs");
  }
}

}  // namespace

void check_executor(Checked& checked, const Enclosing& component, const Where& where) {
  if (const auto* container = std::get_if<model::Container>(&component.component.body))
    return ContainerChecker(checked, component, where).check(*container, component.component);
  check_importer(checked, component, std::get<model::Importer>(component.component.body),
                 where.at("importer"));
  check_importer_outputs(checked, component, where);
}

}  // namespace cresset::dag
