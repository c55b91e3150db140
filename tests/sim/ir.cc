#include "sim/ir.h"

#include <fmt/core.h>

#include <unordered_map>
#include <unordered_set>

#include "cresset/base/check.h"
#include "cresset/text/json.h"
#include "sim/behaviour.h"
#include "sim/produce.h"
#include "sim/program.h"

namespace cresset::sim {

namespace {

// A text in JSON.
void quote(std::string_view text, std::string& out) {
  constexpr std::string_view kHex = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += c;
    }
  }
  out += '"';
}

std::string quoted(std::string_view text) {
  std::string out;
  quote(text, out);
  return out;
}

// Writes objects and lists one after the other, commas where they belong.
class Json {
 public:
  Json& open(char bracket) {
    separate();
    out_ += bracket;
    first_ = true;
    return *this;
  }
  Json& close(char bracket) {
    out_ += bracket;
    first_ = false;
    return *this;
  }
  Json& key(std::string_view name) {
    separate();
    quote(name, out_);
    out_ += ':';
    first_ = true;
    return *this;
  }
  Json& text(std::string_view value) {
    separate();
    quote(value, out_);
    return *this;
  }
  Json& raw(std::string_view json) {
    separate();
    out_ += json;
    return *this;
  }
  Json& value(const Value& value) { return raw(text::to_json(value)); }
  Json& flag(bool value) { return raw(value ? "true" : "false"); }

  std::string take() { return std::move(out_); }

 private:
  void separate() {
    if (!first_) out_ += ',';
    first_ = false;
  }

  std::string out_;
  bool first_ = true;
};

// ---- Expressions ----

std::string cel_text(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out + "'";
}

std::string cel_input(const std::string& name) {
  return "inputs.parameter_values[" + cel_text(name) + "]";
}

void write_cel(const Condition& condition, std::string& out) {
  using Kind = Condition::Kind;
  if (condition.kind == Kind::kNot) {
    out += "!(";
    write_cel(condition.parts.front(), out);
    out += ')';
    return;
  }
  if (condition.kind != Kind::kCompare) {
    for (std::size_t i = 0; i < condition.parts.size(); ++i) {
      if (i > 0) out += condition.kind == Kind::kAnd ? " && " : " || ";
      out += '(';
      write_cel(condition.parts[i], out);
      out += ')';
    }
    return;
  }
  constexpr std::string_view kOperators[] = {" == ", " != ", " < ", " <= ", " > ", " >= "};
  const std::string input = cel_input(condition.input);
  out += condition.as_integer ? "int(" + input + ")" : input;
  out += kOperators[static_cast<std::size_t>(condition.op)];
  if (!condition.other.empty()) {
    out += cel_input(condition.other);
  } else if (condition.literal.is_string()) {
    out += cel_text(condition.literal.as_string());
  } else {
    out += text::to_json(condition.literal);
  }
}

// ---- Sources ----

std::string placeholder(std::string_view group, std::string_view name, std::string_view field) {
  return fmt::format("{{{{$.{}['{}']{}}}}}", group, name, field);
}

std::string template_text(const std::vector<Piece>& pieces) {
  std::string out;
  for (const Piece& piece : pieces)
    out += piece.is_input ? placeholder("inputs.parameters", piece.text, "") : piece.text;
  return out;
}

void write_source(const Source& source, Json& json) {
  json.open('{');
  switch (source.from) {
    case Source::From::kConstant:
      json.key("runtimeValue").open('{').key("constant").value(source.constant).close('}');
      break;
    case Source::From::kTemplate:
      json.key("runtimeValue").open('{').key("constant").text(template_text(source.pieces));
      json.close('}');
      break;
    case Source::From::kInput:
      json.key("componentInputParameter").text(source.name);
      break;
    case Source::From::kTask:
      json.key("taskOutputParameter").open('{').key("producerTask").text(source.name);
      json.key("outputParameterKey").text(source.output).close('}');
      break;
    case Source::From::kStatus:
      json.key("taskFinalStatus").open('{').key("producerTask").text(source.name).close('}');
      break;
  }
  if (!source.key.empty()) {
    json.key("parameterExpressionSelector")
        .text("parseJson(string_value)[" + quoted(source.key) + "]");
  }
  json.close('}');
}

void write_artifact_source(const Source& source, Json& json) {
  json.open('{');
  if (source.from == Source::From::kInput) {
    json.key("componentInputArtifact").text(source.name);
  } else {
    json.key("taskOutputArtifact").open('{').key("producerTask").text(source.name);
    json.key("outputArtifactKey").text(source.output).close('}');
  }
  json.close('}');
}

void write_type(std::string_view title, Json& json) {
  json.key("artifactType").open('{').key("schemaTitle").text(title);
  json.key("schemaVersion").text("0.0.1").close('}');
}

// ---- Components ----

void write_inputs(const ByName<ParameterInput>& parameters, const ByName<ArtifactInput>& artifacts,
                  Json& json) {
  if (parameters.empty() && artifacts.empty()) return;
  json.key("inputDefinitions").open('{').key("parameters").open('{');
  for (const auto& [name, input] : parameters) {
    if (!input.declared) continue;
    json.key(name).open('{').key("parameterType").text(to_string(input.type));
    if (input.default_value) json.key("defaultValue").value(*input.default_value);
    if (input.optional) json.key("isOptional").flag(true);
    if (!input.literals.empty()) json.key("literals").value(Value(Value::List(input.literals)));
    json.close('}');
  }
  json.close('}').key("artifacts").open('{');
  for (const auto& [name, input] : artifacts) {
    json.key(name).open('{');
    write_type("system.Artifact", json);
    if (input.is_list) json.key("isArtifactList").flag(true);
    if (input.optional) json.key("isOptional").flag(true);
    json.close('}');
  }
  json.close('}').close('}');
}

void write_output_parameter(const std::string& name, Type type, Json& json) {
  json.key(name).open('{').key("parameterType").text(to_string(type)).close('}');
}

void write_output_artifact(const std::string& name, std::string_view type, bool is_list,
                           const Value& metadata, Json& json) {
  json.key(name).open('{');
  write_type(type, json);
  if (is_list) json.key("isArtifactList").flag(true);
  if (!metadata.is_null()) json.key("metadata").value(metadata);
  json.close('}');
}

struct OutputWriter {
  Json& json;

  void operator()(const Step& step) const {
    json.key("parameters").open('{');
    for (const auto& [name, output] : step.parameters)
      write_output_parameter(name, type_of(output.shape), json);
    json.close('}').key("artifacts").open('{');
    for (const auto& [name, artifact] : step.artifacts) {
      write_output_artifact(name, artifact.type, artifact.form == StepArtifact::Form::kList,
                            artifact.metadata, json);
    }
    json.close('}');
  }
  void operator()(const Importer& importer) const {
    json.key("artifacts").open('{');
    write_output_artifact("artifact", importer.type, false, {}, json);
    json.close('}');
  }
  void operator()(const Volume& volume) const {
    json.key("parameters").open('{');
    if (volume.creates) write_output_parameter("name", Type::kString, json);
    json.close('}');
  }
  void operator()(const Dag& dag) const {
    json.key("parameters").open('{');
    for (const auto& [name, output] : dag.parameters)
      write_output_parameter(name, output.type, json);
    json.close('}').key("artifacts").open('{');
    for (const auto& [name, output] : dag.artifacts)
      write_output_artifact(name, "system.Artifact", output.is_list, {}, json);
    json.close('}');
  }
};

// ---- Executors ----

void write_words(const Task& task, Json& json) {
  const Step& step = *task.step();
  for (const auto& [name, input] : task.parameters) {
    json.text("{\"IfPresent\":{\"InputName\":" + quoted(name) + ",\"Then\":[\"p\"," + quoted(name) +
              ",{\"Concat\":[\"=\"," + quoted(placeholder("inputs.parameters", name, "")) +
              "]}]}}");
  }
  for (const auto& [name, input] : task.artifacts) {
    const std::string list = placeholder("inputs.artifacts", name, "");
    if (input.is_list) {
      json.text("a").text(name).text(list).text("-");
    } else {
      json.text("{\"IfPresent\":{\"InputName\":" + quoted(name) + ",\"Then\":[\"a\"," +
                quoted(name) + "," + quoted(list) + "," +
                quoted(placeholder("inputs.artifacts", name, ".path")) + "]}}");
    }
  }
  for (const auto& [name, output] : step.parameters) {
    json.text("o").text(name).text(placeholder("outputs.parameters", name, ".output_file"));
  }
  for (const auto& [name, artifact] : step.artifacts) {
    json.text("u").text(name);
    json.text(placeholder("outputs.artifacts", name, ".uri"));
    json.text(placeholder("outputs.artifacts", name, ".path"));
  }
  json.text("m").text("{{$.outputs.output_file}}");
}

void write_resources(const Resources& resources, Json& json) {
  json.key("resources").open('{');
  const auto amount = [&json](std::string_view key, const std::string& text) {
    if (!text.empty()) json.key(key).text(text);
  };
  amount("resourceCpuRequest", resources.cpu_input.empty()
                                   ? resources.cpu_request
                                   : placeholder("inputs.parameters", resources.cpu_input, ""));
  amount("resourceCpuLimit", resources.cpu_limit);
  amount("resourceMemoryRequest", resources.memory_request);
  amount("resourceMemoryLimit", resources.memory_limit);
  json.close('}');
}

void write_container(const Task& task, Json& json) {
  const Step& step = *task.step();
  json.key("container").open('{').key("image").text("simulated");
  json.key("command").open('[').text(kProgram).close(']');
  json.key("args").open('[').text(encode_behaviour(task));
  if (step.whole_input) {
    json.text("{{$}}");
    if (step.uses_workspace) json.text("{{$.workspace_path}}");
  } else {
    write_words(task, json);
  }
  json.close(']');
  if (!step.env.empty()) {
    json.key("env").open('[');
    for (const auto& [name, value] : step.env)
      json.open('{').key("name").text(name).key("value").text(value).close('}');
    json.close(']');
  }
  write_resources(step.resources, json);
  json.close('}');
}

void write_volume(const Volume& volume, Json& json) {
  json.key("container").open('{').key("image");
  json.text(volume.creates ? "argostub/createpvc" : "argostub/deletepvc").close('}');
}

void write_importer(const Importer& importer, Json& json) {
  json.key("importer").open('{').key("artifactUri").open('{');
  if (importer.input.empty()) {
    json.key("constant").text(importer.path);
  } else {
    json.key("runtimeParameter").text(importer.input);
  }
  json.close('}').key("typeSchema").open('{').key("schemaTitle").text(importer.type);
  json.key("schemaVersion").text("0.0.1").close('}');
  if (!importer.metadata.is_null()) json.key("metadata").value(importer.metadata);
  if (importer.reimport) json.key("reimport").flag(true);
  if (importer.to_workspace) json.key("downloadToWorkspace").flag(true);
  json.close('}');
}

// ---- Platform ----

void write_setting(const Setting& setting, Json& json) {
  using Kind = Setting::Kind;
  json.open('{');
  switch (setting.kind) {
    case Kind::kSecretEnv:
    case Kind::kConfigMapEnv: {
      const bool secret = setting.kind == Kind::kSecretEnv;
      json.key(secret ? "secretNameParameter" : "configMapNameParameter");
      write_source(setting.name, json);
      json.key("keyToEnv").open('[').open('{').key(secret ? "secretKey" : "configMapKey");
      json.text(setting.key).key("envVar").text(setting.where).close('}').close(']');
      break;
    }
    case Kind::kSecretFolder:
    case Kind::kConfigMapFolder:
      json.key(setting.kind == Kind::kSecretFolder ? "secretNameParameter"
                                                   : "configMapNameParameter");
      write_source(setting.name, json);
      json.key("mountPath").text(setting.where);
      break;
    case Kind::kVolume:
      json.key("pvcNameParameter");
      write_source(setting.name, json);
      json.key("mountPath").text(setting.where);
      break;
    case Kind::kScratch:
      json.key("volumeName").text(setting.key).key("mountPath").text(setting.where);
      break;
    case Kind::kField:
      json.key("name").text(setting.where).key("fieldPath").text(setting.key);
      break;
  }
  if (setting.optional) json.key("optional").flag(true);
  json.close('}');
}

// The executor's part of platforms.kubernetes; empty when there is nothing to say.
std::string platform_text(const Step& step) {
  if (step.settings.empty() && !step.deadline) return {};
  constexpr std::pair<Setting::Kind, std::string_view> kFields[] = {
      {Setting::Kind::kSecretEnv, "secretAsEnv"},
      {Setting::Kind::kConfigMapEnv, "configMapAsEnv"},
      {Setting::Kind::kSecretFolder, "secretAsVolume"},
      {Setting::Kind::kConfigMapFolder, "configMapAsVolume"},
      {Setting::Kind::kVolume, "pvcMount"},
      {Setting::Kind::kScratch, "emptyDirMounts"},
      {Setting::Kind::kField, "fieldPathAsEnv"},
  };
  Json json;
  json.open('{');
  for (const auto& [kind, field] : kFields) {
    bool any = false;
    for (const Setting& setting : step.settings) {
      if (setting.kind != kind) continue;
      if (!std::exchange(any, true)) json.key(field).open('[');
      write_setting(setting, json);
    }
    if (any) json.close(']');
  }
  if (step.deadline) {
    json.key("activeDeadlineSeconds")
        .raw(std::to_string(
            std::chrono::duration_cast<std::chrono::seconds>(*step.deadline).count()));
  }
  return json.close('}').take();
}

// ---- The whole ----

class Writer {
 public:
  explicit Writer(const Sketch& sketch) : sketch_(sketch) {}

  std::string write() {
    Json root;
    root.open('{');
    write_inputs(sketch_.parameters, {}, root);
    write_dag_outputs(sketch_.root, root);
    write_dag(sketch_.root, root);
    root.close('}');
    Json json;
    json.open('{').key("pipeline_spec").open('{');
    json.key("pipelineInfo").open('{').key("name").text(sketch_.name).close('}');
    json.key("schemaVersion").text("2.1.0").key("sdkVersion").text("kfp-2.15.2");
    json.key("root").raw(root.take());
    json.key("components").raw(components_.close('}').take());
    json.key("deploymentSpec").open('{').key("executors").raw(executors_.close('}').take());
    json.close('}').close('}');
    write_platform(json);
    return json.close('}').take();
  }

 private:
  void write_platform(Json& json) {
    json.key("platform_spec").open('{').key("platforms").open('{').key("kubernetes").open('{');
    json.key("deploymentSpec").open('{').key("executors").raw(platforms_.close('}').take());
    json.close('}').key("pipelineConfig").open('{');
    if (sketch_.workspace) json.key("workspace").raw("{\"size\":\"1Gi\"}");
    if (sketch_.deadline) {
      json.key("activeDeadlineSeconds")
          .raw(std::to_string(
              std::chrono::duration_cast<std::chrono::seconds>(*sketch_.deadline).count()));
    }
    json.close('}').close('}').close('}').close('}');
  }

  static void write_dag_outputs(const Dag& dag, Json& json) {
    if (dag.parameters.empty() && dag.artifacts.empty()) return;
    json.key("outputDefinitions").open('{');
    OutputWriter{json}(dag);
    json.close('}');
  }

  void write_dag(const Dag& dag, Json& json) {
    json.key("dag").open('{').key("tasks").open('{');
    for (const Task& task : dag.tasks) {
      json.key(task.name);
      write_task(task, json);
    }
    json.close('}');
    if (!dag.parameters.empty() || !dag.artifacts.empty()) write_selectors(dag, json);
    json.close('}');
  }

  static void write_from(const From& from, std::string_view output_key, Json& json) {
    json.open('{').key("producerSubtask").text(from.task).key(output_key).text(from.output);
    json.close('}');
  }

  static void write_selectors(const Dag& dag, Json& json) {
    json.key("outputs").open('{').key("parameters").open('{');
    for (const auto& [name, output] : dag.parameters) {
      json.key(name).open('{');
      if (output.from.size() == 1) {
        json.key("valueFromParameter");
        write_from(output.from.front(), "outputParameterKey", json);
      } else {
        json.key("valueFromOneof").open('{').key("parameterSelectors").open('[');
        for (const From& from : output.from) write_from(from, "outputParameterKey", json);
        json.close(']').close('}');
      }
      json.close('}');
    }
    json.close('}').key("artifacts").open('{');
    for (const auto& [name, output] : dag.artifacts) {
      json.key(name).open('{').key("artifactSelectors").open('[');
      for (const From& from : output.from) write_from(from, "outputArtifactKey", json);
      json.close(']').close('}');
    }
    json.close('}').close('}');
  }

  void write_task(const Task& task, Json& json) {
    const std::string component = component_of(task);
    json.open('{').key("taskInfo").open('{').key("name");
    json.text(task.display_name.empty() ? task.name : task.display_name).close('}');
    json.key("componentRef").open('{').key("name").text(component).close('}');
    json.key("cachingOptions").open('{');
    if (task.caching) json.key("enableCache").flag(true);
    if (!task.cache_key.empty()) json.key("cacheKey").text(task.cache_key);
    json.close('}');
    if (!task.parameter_sources.empty() || !task.artifact_sources.empty()) {
      json.key("inputs").open('{').key("parameters").open('{');
      for (const auto& [name, source] : task.parameter_sources) {
        json.key(name);
        write_source(source, json);
      }
      json.close('}').key("artifacts").open('{');
      for (const auto& [name, source] : task.artifact_sources) {
        json.key(name);
        write_artifact_source(source, json);
      }
      json.close('}').close('}');
    }
    if (!task.after.empty()) {
      json.key("dependentTasks").open('[');
      for (const std::string& name : task.after) json.text(name);
      json.close(']');
    }
    write_policies(task, json);
    json.close('}');
  }

  static void write_policies(const Task& task, Json& json) {
    if (task.condition || task.ignores_failures) {
      json.key("triggerPolicy").open('{');
      if (task.condition) {
        std::string text;
        write_cel(*task.condition, text);
        json.key("condition").text(text);
      }
      if (task.ignores_failures) json.key("strategy").text("ALL_UPSTREAM_TASKS_COMPLETED");
      json.close('}');
    }
    if (task.loop) write_loop(*task.loop, json);
    if (!task.retry) return;
    const auto seconds = [](Duration duration) {
      return fmt::format("{}.{:06}s", duration.count() / 1'000'000, duration.count() % 1'000'000);
    };
    json.key("retryPolicy").open('{').key("maxRetryCount").raw(std::to_string(task.retry->max));
    json.key("backoffDuration").text(seconds(task.retry->backoff));
    json.key("backoffFactor").value(Value(task.retry->factor));
    json.key("backoffMaxDuration").text(seconds(task.retry->backoff_max)).close('}');
  }

  static void write_loop(const Loop& loop, Json& json) {
    if (loop.over == Loop::Over::kArtifacts) {
      json.key("artifactIterator").open('{').key("itemInput").text(loop.item);
      json.key("items").open('{').key("inputArtifact").text(loop.input).close('}').close('}');
    } else {
      json.key("parameterIterator").open('{').key("itemInput").text(loop.item).key("items");
      json.open('{');
      if (loop.over == Loop::Over::kRaw) {
        Value::List items = loop.items;
        for (const auto& [index, input] : loop.filled)
          items[index] = placeholder("inputs.parameters", input, "");
        json.key("raw").text(text::to_json(Value(std::move(items))));
      } else {
        json.key("inputParameter").text(loop.input);
      }
      json.close('}').close('}');
    }
    if (loop.limit > 0) {
      json.key("iteratorPolicy").open('{').key("parallelismLimit").raw(std::to_string(loop.limit));
      json.close('}');
    }
  }

  static std::string base_name(const Task& task) {
    const Dag* dag = task.dag();
    if (dag != nullptr && task.loop) return "comp-for-loop";
    if (dag != nullptr) {
      switch (dag->style) {
        case Dag::Style::kCondition:
          return "comp-condition";
        case Dag::Style::kBranches:
          return "comp-condition-branches";
        case Dag::Style::kLoop:
          return "comp-for-loop";
        case Dag::Style::kExitHandler:
          return "comp-exit-handler";
        case Dag::Style::kPlain:
          break;
      }
    }
    const Step* step = task.step();
    return "comp-" + (step != nullptr ? step->label : task.name);
  }

  // The name of the task's component, which is written the first time.
  std::string component_of(const Task& task) {
    Json body;
    body.open('{');
    write_inputs(task.parameters, task.artifacts, body);
    body.key("outputDefinitions").open('{');
    std::visit(OutputWriter{body}, task.body);
    body.close('}');
    std::string executor;
    std::string platform;
    if (const Dag* dag = task.dag()) {
      write_dag(*dag, body);
    } else {
      executor = executor_text(task);
      if (const Step* step = task.step()) platform = platform_text(*step);
    }
    std::string text = body.take();
    const auto [known, is_new] = names_.try_emplace(
        fmt::format("{}\x1f{}\x1f{}\x1f{}", base_name(task), text, executor, platform));
    if (!is_new) return known->second;
    known->second = fresh_name(base_name(task));
    const std::string label = "exec-" + known->second.substr(5);
    if (task.dag() == nullptr) {
      text += ",\"executorLabel\":" + quoted(label);
      executors_.key(label).raw(executor);
      if (!platform.empty()) platforms_.key(label).raw(platform);
    }
    components_.key(known->second).raw(text + "}");
    return known->second;
  }

  static std::string executor_text(const Task& task) {
    Json json;
    json.open('{');
    if (task.step() != nullptr) write_container(task, json);
    if (const auto* importer = std::get_if<Importer>(&task.body)) write_importer(*importer, json);
    if (const auto* volume = std::get_if<Volume>(&task.body)) write_volume(*volume, json);
    return json.close('}').take();
  }

  std::string fresh_name(const std::string& base) {
    while (true) {
      const unsigned count = ++counts_[base];
      std::string name = count == 1 ? base : fmt::format("{}-{}", base, count);
      if (taken_.insert(name).second) return name;
    }
  }

  const Sketch& sketch_;
  Json components_ = std::move(Json().open('{'));
  Json executors_ = std::move(Json().open('{'));
  Json platforms_ = std::move(Json().open('{'));
  std::unordered_map<std::string, std::string> names_;  // of components, by all that they say
  std::unordered_map<std::string, unsigned> counts_;
  std::unordered_set<std::string> taken_;
};

}  // namespace

std::string to_ir(const Sketch& sketch) { return Writer(sketch).write(); }

}  // namespace cresset::sim
