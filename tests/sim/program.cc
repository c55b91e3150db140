#include "sim/program.h"

#include <fmt/core.h>

#include <utility>
#include <vector>

#include "cresset/base/check.h"
#include "cresset/text/json.h"
#include "sim/behaviour.h"
#include "sim/produce.h"

namespace cresset::sim {

namespace {

using ports::testing::MemoryFiles;

constexpr std::string_view kFileScheme = "file://";

std::string path_of_uri(const std::string& uri) {
  return uri.starts_with(kFileScheme) ? uri.substr(kFileScheme.size()) : uri;
}

// Where a step may put things.
struct Places {
  std::map<std::string, std::string, std::less<>> parameters;
  std::map<std::string, std::string, std::less<>> artifacts;  // URIs
  std::string metadata;
};

std::string content_at(const std::string& path, const MemoryFiles& files) {
  const auto resolved = files.resolve(path);
  const MemoryFiles::Node* node = resolved ? files.node_at(*resolved) : nullptr;
  if (node == nullptr) return "nothing";
  if (node->type == MemoryFiles::Type::kFile) return "file:" + node->content;
  std::string out = "folder:";
  for (const auto& [child, inner] : files.below(*resolved)) {
    if (inner.type == MemoryFiles::Type::kFile)
      out += child.substr(resolved->size() + 1) + "=" + inner.content + "\n";
  }
  return out;
}

const std::string& text_of(const Value& value, std::string_view field) {
  static const std::string kNone;
  const Value* found = value.find(field);
  return found != nullptr && found->is_string() ? found->as_string() : kNone;
}

Artifact read_artifact(const Value& item, const MemoryFiles& files) {
  const std::string& elsewhere = text_of(item, "customPath");
  const Value* metadata = item.find("metadata");
  return {content_at(elsewhere.empty() ? path_of_uri(text_of(item, "uri")) : elsewhere, files),
          metadata != nullptr && metadata->is_struct() ? *metadata : Value::make_struct()};
}

std::shared_ptr<const Artifacts> read_artifacts(const Value& list, const MemoryFiles& files) {
  auto out = std::make_shared<Artifacts>();
  for (const Value& item : list.as_list()) out->push_back(read_artifact(item, files));
  return out;
}

Value parse(std::string_view text) {
  auto value = text::parse_json(text);
  CHECK(value.has_value());
  return *std::move(value);
}

// The argument vector of a step, taken apart.
class Arguments {
 public:
  Arguments(const ports::StartSpec& spec, const MemoryFiles& files) : files_(files) {
    CHECK(spec.argv.size() >= 2 && spec.argv[0] == kProgram);
    behaviour_ = decode_behaviour(spec.argv[1]);
    if (behaviour_.step.whole_input) {
      CHECK(spec.argv.size() >= 3);
      read_whole(parse(spec.argv[2]));
    } else {
      read_words(spec.argv);
    }
  }

  [[nodiscard]] const Behaviour& behaviour() const { return behaviour_; }
  [[nodiscard]] const Data& inputs() const { return inputs_; }
  [[nodiscard]] const Places& places() const { return places_; }

 private:
  void read_whole(const Value& input) {
    const Value& inputs = *input.find("inputs");
    for (const auto& [name, value] : inputs.find("parameterValues")->as_struct())
      inputs_.parameters[name] = std::make_shared<const Value>(stripped(value));
    for (const auto& [name, value] : inputs.find("artifacts")->as_struct())
      inputs_.artifacts[name] = read_artifacts(*value.find("artifacts"), files_);
    const Value& outputs = *input.find("outputs");
    for (const auto& [name, value] : outputs.find("parameters")->as_struct())
      places_.parameters[name] = text_of(value, "outputFile");
    for (const auto& [name, value] : outputs.find("artifacts")->as_struct())
      places_.artifacts[name] = text_of(value.find("artifacts")->as_list().front(), "uri");
    places_.metadata = text_of(outputs, "outputFile");
  }

  // "p" NAME =TEXT · "a" NAME JSON PATH · "o" NAME FILE · "u" NAME URI PATH · "m" FILE
  void read_words(const std::vector<std::string>& words) {
    for (const auto& [name, input] : behaviour_.inputs) {
      if (input.declared) inputs_.parameters[name] = std::make_shared<const Value>();
    }
    std::size_t i = 2;
    const auto next = [&]() -> const std::string& {
      CHECK(i < words.size());
      return words[i++];
    };
    while (i < words.size()) {
      const std::string& kind = next();
      if (kind == "m") {
        places_.metadata = next();
        continue;
      }
      const std::string& name = next();
      if (kind == "p") {
        read_parameter(name, std::string_view(next()).substr(1));
      } else if (kind == "a") {
        const Value list = parse(next());
        inputs_.artifacts[name] = read_artifacts(list, files_);
        const std::string& path = next();
        CHECK(path == "-" || content_at(path, files_) == inputs_.artifacts[name]->front().content);
      } else if (kind == "o") {
        places_.parameters[name] = next();
      } else {
        CHECK(kind == "u");
        places_.artifacts[name] = next();
        CHECK(path_of_uri(places_.artifacts[name]) == next());
      }
    }
  }

  void read_parameter(const std::string& name, std::string_view text) {
    const auto input = behaviour_.inputs.find(name);
    CHECK(input != behaviour_.inputs.end());
    inputs_.parameters[name] = std::make_shared<const Value>(
        input->second.type == Type::kString ? Value(text) : stripped(parse(text)));
  }

  const MemoryFiles& files_;
  Behaviour behaviour_;
  Data inputs_;
  Places places_;
};

bool goes_wrong(const Mischief& mischief, unsigned failures_before) {
  return mischief.kind != Mischief::Kind::kNone && failures_before < mischief.times;
}

std::string text_in_file(const Value& value, Type type) {
  if (type == Type::kBoolean) return value.as_bool() ? "True" : "false\n";
  return text::to_text(value);
}

class Worker {
 public:
  Worker(const Arguments& arguments, unsigned failures_before, MemoryFiles& files)
      : step_(arguments.behaviour().step),
        places_(arguments.places()),
        wrong_(goes_wrong(step_.mischief, failures_before) ? step_.mischief.kind
                                                           : Mischief::Kind::kNone),
        files_(files) {}

  void work(const Produced& produced) {
    for (const auto& [name, value] : produced.parameters)
      write_parameter(name, step_.parameters.find(name)->second, value);
    for (const auto& [name, entries] : produced.artifacts)
      write_artifact(name, step_.artifacts.find(name)->second, entries);
    if (wrong_ == Mischief::Kind::kUndeclared) parameters_["nobody asked for this"] = 1;
    write_metadata();
  }

 private:
  void write_parameter(const std::string& name, const StepOutput& output, const Value& value) {
    const Type type = type_of(output.shape);
    if (wrong_ == Mischief::Kind::kNoOutput && !std::exchange(did_wrong_, true)) return;
    const bool wrong_type = wrong_ == Mischief::Kind::kWrongType && type != Type::kString &&
                            !std::exchange(did_wrong_, true);
    if (output.way == StepOutput::Way::kFile) {
      files_.write(places_.parameters.at(name),
                   wrong_type ? "no value" : text_in_file(value, type));
    } else {
      parameters_[name] = wrong_type ? Value("no value") : value;
    }
  }

  void write_artifact(const std::string& name, const StepArtifact& artifact,
                      const std::vector<Entry>& entries) {
    const std::string& uri = places_.artifacts.at(name);
    const bool is_list = artifact.form == StepArtifact::Form::kList;
    const bool elsewhere = artifact.form == StepArtifact::Form::kElsewhere;
    Value::List told;
    for (std::size_t i = 0; i < entries.size(); ++i) {
      Value item = Value::make_struct({{"metadata", entries[i].metadata}});
      std::string path = path_of_uri(uri);
      if (is_list) {
        path += fmt::format("/{}", i);
        item["uri"] = fmt::format("{}/{}", uri, i);
        item["name"] = fmt::format("{}/{}", name, i);
      } else if (elsewhere) {
        path += ".elsewhere";
        item["customPath"] = path;
      }
      write_entry(path, entries[i]);
      told.push_back(std::move(item));
    }
    if (is_list || elsewhere || artifact.adds_metadata)
      artifacts_[name] = Value::make_struct({{"artifacts", Value(std::move(told))}});
  }

  void write_entry(const std::string& path, const Entry& entry) {
    if (!entry.exists) return;
    if (entry.is_folder) files_.make_folder(path);
    for (const auto& [inner, content] : entry.files)
      files_.write(inner.empty() ? path : path + "/" + inner, content);
  }

  void write_metadata() {
    if (wrong_ == Mischief::Kind::kBadJson)
      return files_.write(places_.metadata, "{\"artifacts\":");
    Value out = Value::make_struct();
    if (!parameters_.is_null()) out["parameterValues"] = std::move(parameters_);
    if (!artifacts_.is_null()) out["artifacts"] = std::move(artifacts_);
    if (!out.as_struct().empty()) files_.write(places_.metadata, text::to_json(out));
  }

  const Step& step_;
  const Places& places_;
  Mischief::Kind wrong_;
  MemoryFiles& files_;
  bool did_wrong_ = false;
  Value parameters_;
  Value artifacts_;
};

}  // namespace

Conduct conduct_of(const ports::StartSpec& spec, unsigned failures_before) {
  CHECK(spec.argv.size() >= 2 && spec.argv[0] == kProgram);
  const Step step = decode_behaviour(spec.argv[1]).step;
  Conduct out;
  out.runs_for = step.runs_for;
  out.prints = step.prints;
  out.ignores_terminate = step.ignores_terminate;
  if (step.mischief.kind == Mischief::Kind::kMissing) out.missing_program = true;
  if (!goes_wrong(step.mischief, failures_before)) return out;
  if (step.mischief.kind == Mischief::Kind::kExit) out.exit_code = step.mischief.code;
  if (step.mischief.kind == Mischief::Kind::kSignal) out.signal = step.mischief.code;
  if (step.mischief.kind == Mischief::Kind::kHang) out.runs_for.reset();
  return out;
}

void do_work(const ports::StartSpec& spec, MemoryFiles& files, unsigned failures_before) {
  const Arguments arguments(spec, files);
  Worker(arguments, failures_before, files)
      .work(produce(arguments.behaviour().step, arguments.inputs()));
}

Received received_by(const ports::StartSpec& spec, const MemoryFiles& files) {
  const Arguments arguments(spec, files);
  Received out;
  out.inputs = arguments.inputs();
  for (const auto& [name, value] : spec.env) {
    if (name.starts_with("SIM_")) out.env[name] = value;
  }
  return out;
}

Data data_of(const model::Bindings& bindings, const MemoryFiles& files) {
  Data out;
  for (const auto& [name, value] : bindings.parameters)
    out.parameters[name] = std::make_shared<const Value>(value);
  for (const auto& [name, list] : bindings.artifacts) {
    auto artifacts = std::make_shared<Artifacts>();
    for (const model::Artifact& artifact : list) {
      artifacts->push_back(
          {content_at(
               artifact.custom_path.empty() ? path_of_uri(artifact.uri) : artifact.custom_path,
               files),
           artifact.metadata.is_struct() ? artifact.metadata : Value::make_struct()});
    }
    out.artifacts[name] = std::move(artifacts);
  }
  return out;
}

}  // namespace cresset::sim
