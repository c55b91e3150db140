#include "sim/oracle.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>
#include <system_error>

#include "cresset/base/check.h"
#include "cresset/text/json.h"
#include "sim/produce.h"

namespace cresset::sim {

namespace {

ValueRef ref(Value value) { return std::make_shared<const Value>(std::move(value)); }

const ValueRef& null_ref() {
  static const ValueRef kNull = ref({});
  return kNull;
}

// ---- Types ----

bool is_of(const Value& value, Type type) {
  switch (type) {
    case Type::kDouble:
      return value.is_number();
    case Type::kInteger:
      return value.is_integer();
    case Type::kString:
      return value.is_string();
    case Type::kBoolean:
      return value.is_bool();
    case Type::kList:
      return value.is_list();
    case Type::kStruct:
    case Type::kStatus:
      return value.is_struct();
  }
  return false;
}

// The value as an input of that type takes it; nothing when it does not.
ValueRef convert(const ValueRef& value, Type type) {
  if (value->is_null() || is_of(*value, type)) return value;
  if (type == Type::kString) return ref(Value(text::to_text(*value)));
  if (!value->is_string()) return nullptr;
  auto parsed = text::parse_json(value->as_string());
  return parsed && is_of(*parsed, type) ? ref(*std::move(parsed)) : nullptr;
}

// A field of a struct, or of the JSON text of one; nothing when there is none.
ValueRef field_of(const ValueRef& value, const std::string& key) {
  Value parsed;
  const Value* whole = value.get();
  if (whole->is_string()) {
    auto read = text::parse_json(whole->as_string());
    if (!read) return nullptr;
    parsed = *std::move(read);
    whole = &parsed;
  }
  const Value* found = whole->find(key);
  return found == nullptr ? nullptr : ref(*found);
}

// ---- Conditions ----

enum class Truth { kFalse, kTrue, kError };

Truth truth(bool value) { return value ? Truth::kTrue : Truth::kFalse; }

Truth compare(const Value& left, Condition::Operator op, const Value& right) {
  using Operator = Condition::Operator;
  if (op == Operator::kEqual || op == Operator::kNotEqual) {
    const bool comparable =
        left.is_null() || right.is_null() || left.kind_name() == right.kind_name();
    if (!comparable) return Truth::kError;
    return truth((left == right) == (op == Operator::kEqual));
  }
  if (!left.is_number() || !right.is_number()) return Truth::kError;
  const double a = left.as_number();
  const double b = right.as_number();
  switch (op) {
    case Operator::kLess:
      return truth(a < b);
    case Operator::kLessEqual:
      return truth(a <= b);
    case Operator::kGreater:
      return truth(a > b);
    default:
      return truth(a >= b);
  }
}

// int() of an expression: a number without its fraction, or the text of an integer.
std::optional<Value> integer_of(const Value& value) {
  if (value.is_number()) return Value(std::trunc(value.as_number()));
  if (!value.is_string()) return std::nullopt;
  std::string_view text = value.as_string();
  if (text.starts_with('+') && text.size() > 1 && text[1] != '-') text.remove_prefix(1);
  std::int64_t integer = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), integer);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return Value(integer);
}

Truth evaluate(const Condition& condition, const Data& inputs);

// One wrong part does not matter where another decides.
Truth evaluate_all(const Condition& condition, const Data& inputs) {
  const Truth decides = condition.kind == Condition::Kind::kAnd ? Truth::kFalse : Truth::kTrue;
  bool any_error = false;
  for (const Condition& part : condition.parts) {
    const Truth value = evaluate(part, inputs);
    if (value == decides) return decides;
    any_error |= value == Truth::kError;
  }
  if (any_error) return Truth::kError;
  return decides == Truth::kTrue ? Truth::kFalse : Truth::kTrue;
}

Truth evaluate(const Condition& condition, const Data& inputs) {
  if (condition.kind == Condition::Kind::kNot) {
    const Truth value = evaluate(condition.parts.front(), inputs);
    return value == Truth::kError ? value : truth(value == Truth::kFalse);
  }
  if (condition.kind != Condition::Kind::kCompare) return evaluate_all(condition, inputs);
  const auto left = inputs.parameters.find(condition.input);
  if (left == inputs.parameters.end()) return Truth::kError;
  Value value = *left->second;
  if (condition.as_integer) {
    auto integer = integer_of(value);
    if (!integer) return Truth::kError;
    value = *std::move(integer);
  }
  if (condition.other.empty()) return compare(value, condition.op, condition.literal);
  const auto right = inputs.parameters.find(condition.other);
  return right == inputs.parameters.end() ? Truth::kError
                                          : compare(value, condition.op, *right->second);
}

// ---- What a task starts with ----

struct Ended {
  const Task* task = nullptr;
  Fate fate = Fate::kSkipped;
  Data outputs;
};
using Neighbours = std::map<std::string_view, const Ended*>;

enum class Readiness { kReady, kSkip, kFail };

class Inputs {
 public:
  Inputs(const Task& task, const Data& around, const Neighbours& neighbours)
      : task_(task), around_(around), neighbours_(neighbours) {}

  Readiness work_out(Data& out) {
    for (const auto& [name, source] : task_.artifact_sources) take_artifact(name, source);
    for (const auto& [name, source] : task_.parameter_sources) {
      if (source.from != Source::From::kTemplate) take_parameter(name, source);
    }
    for (const auto& [name, source] : task_.parameter_sources) {
      if (source.from == Source::From::kTemplate) take_template(name, source);
    }
    for (const auto& [name, input] : task_.parameters) complete(name, input);
    out = std::move(out_);
    if (fails_) return Readiness::kFail;
    return skips_ ? Readiness::kSkip : Readiness::kReady;
  }

 private:
  void take_parameter(const std::string& name, const Source& source) {
    switch (source.from) {
      case Source::From::kConstant:
        return set(name, source, ref(source.constant));
      case Source::From::kInput: {
        const auto found = around_.parameters.find(source.name);
        if (found != around_.parameters.end()) return set(name, source, found->second);
        return lack_parameter(name, false);
      }
      case Source::From::kStatus: {
        const Ended& ended = *neighbours_.at(source.name);
        const std::string& shown =
            ended.task->display_name.empty() ? ended.task->name : ended.task->display_name;
        return set(name, source,
                   ref(Value::make_struct(
                       {{"state", to_string(ended.fate)}, {"pipelineTaskName", shown}})));
      }
      default: {
        const Ended& ended = *neighbours_.at(source.name);
        const auto found = ended.outputs.parameters.find(source.output);
        if (ended.fate == Fate::kSucceeded && found != ended.outputs.parameters.end())
          return set(name, source, found->second);
        return lack_parameter(name, ended.fate == Fate::kFailed);
      }
    }
  }

  void take_template(const std::string& name, const Source& source) {
    std::string text;
    for (const Piece& piece : source.pieces) {
      if (!piece.is_input) {
        text += piece.text;
        continue;
      }
      const auto found = out_.parameters.find(piece.text);
      if (found == out_.parameters.end()) {
        fails_ = true;
        return;
      }
      if (source.pieces.size() == 1) return set(name, source, found->second);
      text += text::to_text(*found->second);
    }
    set(name, source, ref(Value(std::move(text))));
  }

  void take_artifact(const std::string& name, const Source& source) {
    const auto take = [&](const Data& from, const std::string& output) {
      const auto found = from.artifacts.find(output);
      if (found == from.artifacts.end()) return false;
      out_.artifacts[name] = found->second;
      return true;
    };
    bool failed = false;
    if (source.from == Source::From::kInput) {
      if (take(around_, source.name)) return;
    } else {
      const Ended& ended = *neighbours_.at(source.name);
      if (ended.fate == Fate::kSucceeded && take(ended.outputs, source.output)) return;
      failed = ended.fate == Fate::kFailed;
    }
    const auto input = task_.artifacts.find(name);
    if (input != task_.artifacts.end() && !input->second.optional) lack(failed);
  }

  void set(const std::string& name, const Source& source, ValueRef value) {
    if (!source.key.empty()) value = field_of(value, source.key);
    if (value == nullptr) {
      fails_ = true;
      return;
    }
    out_.parameters[name] = std::move(value);
  }

  void lack_parameter(const std::string& name, bool producer_failed) {
    const auto input = task_.parameters.find(name);
    if (input == task_.parameters.end() || !input->second.declared || input->second.optional ||
        input->second.default_value)
      return;
    lack(producer_failed);
  }

  void lack(bool producer_failed) { (producer_failed ? fails_ : skips_) = true; }

  // Defaults stand for null too; then the type, and the closed list of values.
  void complete(const std::string& name, const ParameterInput& input) {
    if (!input.declared) return;
    const bool is_item =
        task_.loop && task_.loop->item == name && task_.loop->over != Loop::Over::kArtifacts;
    ValueRef* value = nullptr;
    if (const auto found = out_.parameters.find(name); found != out_.parameters.end())
      value = &found->second;
    if (!is_item && (value == nullptr || (*value)->is_null())) {
      value = &out_.parameters[name];
      *value = input.default_value ? ref(*input.default_value) : null_ref();
    }
    const bool is_list =
        task_.loop && task_.loop->over == Loop::Over::kParameter && task_.loop->input == name;
    if (value == nullptr || (*value)->is_null() || is_list) return;
    const ValueRef converted = convert(*value, input.type);
    if (converted == nullptr ||
        (!input.literals.empty() &&
         std::ranges::find(input.literals, *converted) == input.literals.end())) {
      fails_ = true;
      return;
    }
    *value = converted;
  }

  const Task& task_;
  const Data& around_;
  const Neighbours& neighbours_;
  Data out_;
  bool skips_ = false;
  bool fails_ = false;
};

// ---- What a pipeline comes to ----

class Oracle {
 public:
  Oracle(const Sketch& sketch, const std::map<std::string, unsigned>& failures_before)
      : sketch_(sketch) {
    out_.failures_after = failures_before;
  }

  Outcome foresee() {
    out_.exact = !sketch_.deadline.has_value();
    out_.inputs = root_inputs();
    Result result = pass_dag(sketch_.root, out_.inputs, "");
    out_.run = result.fate;
    out_.outputs = std::move(result.outputs);
    for (auto& [path, fate] : out_.tasks) {
      if (!fate.leaf) continue;
      if (const auto found = failed_.find(path); found != failed_.end())
        fate.failures = found->second;
      if (const auto found = out_.starts.find(path); found != out_.starts.end()) {
        for (const Start& start : found->second) fate.runs += start.runs;
      }
    }
    return std::move(out_);
  }

 private:
  struct Result {
    Fate fate = Fate::kSucceeded;
    Data outputs;
  };
  Data root_inputs() const {
    Data inputs;
    for (const auto& [name, input] : sketch_.parameters) {
      const auto given = sketch_.given.find(name);
      if (given != sketch_.given.end()) {
        inputs.parameters[name] = ref(given->second);
      } else {
        inputs.parameters[name] = input.default_value ? ref(*input.default_value) : null_ref();
      }
    }
    return inputs;
  }

  // `prefix` is the path of the group with "/" behind, or nothing.
  Result pass_dag(const Dag& dag, const Data& inputs, const std::string& prefix) {
    std::vector<Ended> ended;
    ended.reserve(dag.tasks.size());
    Neighbours neighbours;
    Result result;
    for (const Task& task : dag.tasks) {
      Ended& one = ended.emplace_back();
      one.task = &task;
      Result of_task = pass_task(task, inputs, neighbours, prefix + task.name);
      one.fate = of_task.fate;
      one.outputs = std::move(of_task.outputs);
      neighbours.emplace(task.name, &one);
      if (one.fate == Fate::kFailed) result.fate = Fate::kFailed;
    }
    if (result.fate == Fate::kSucceeded) collect(dag, neighbours, result.outputs);
    return result;
  }

  static void collect(const Dag& dag, const Neighbours& neighbours, Data& out) {
    for (const auto& [name, output] : dag.parameters) {
      for (const From& from : output.from) {
        const auto& given = neighbours.at(from.task)->outputs.parameters;
        const auto found = given.find(from.output);
        if (found == given.end()) continue;
        out.parameters[name] = found->second;
        break;
      }
    }
    for (const auto& [name, output] : dag.artifacts) {
      for (const From& from : output.from) {
        const auto& given = neighbours.at(from.task)->outputs.artifacts;
        const auto found = given.find(from.output);
        if (found == given.end()) continue;
        out.artifacts[name] = found->second;
        break;
      }
    }
  }

  static bool is_held_up(const Task& task, const Neighbours& neighbours) {
    if (task.ignores_failures) return false;
    const auto failed = [&neighbours](const Source& source) {
      const bool is_task =
          source.from == Source::From::kTask || source.from == Source::From::kStatus;
      return is_task && neighbours.at(source.name)->fate != Fate::kSucceeded;
    };
    const auto any = [&failed](const auto& sources) {
      return std::ranges::any_of(sources, [&](const auto& entry) { return failed(entry.second); });
    };
    if (any(task.parameter_sources) || any(task.artifact_sources)) return true;
    if (const Step* step = task.step()) {
      for (const Setting& setting : step->settings) {
        if (failed(setting.name)) return true;
      }
    }
    return std::ranges::any_of(task.after, [&neighbours](const std::string& name) {
      return neighbours.at(name)->fate != Fate::kSucceeded;
    });
  }

  static TaskFate::Kind kind_of(const Task& task) {
    if (task.loop) return TaskFate::Kind::kLoop;
    if (task.dag() != nullptr) return TaskFate::Kind::kGroup;
    if (task.step() != nullptr) return TaskFate::Kind::kStep;
    return std::holds_alternative<Importer>(task.body) ? TaskFate::Kind::kImporter
                                                       : TaskFate::Kind::kVolume;
  }

  TaskFate& note(const std::string& path, TaskFate::Kind kind, bool caching) {
    TaskFate& fate = out_.tasks[path];
    fate = {};
    fate.kind = kind;
    fate.leaf = kind != TaskFate::Kind::kGroup && kind != TaskFate::Kind::kLoop;
    fate.caching = caching && kind == TaskFate::Kind::kStep;
    return fate;
  }

  Result end(const std::string& path, Fate fate) {
    out_.tasks.find(path)->second.fate = fate;
    return {fate, {}};
  }

  Result pass_task(const Task& task, const Data& around, const Neighbours& neighbours,
                   const std::string& path) {
    note(path, kind_of(task), task.caching);
    if (is_held_up(task, neighbours)) return end(path, Fate::kSkipped);
    Data inputs;
    const Readiness readiness = Inputs(task, around, neighbours).work_out(inputs);
    if (readiness != Readiness::kReady)
      return end(path, readiness == Readiness::kFail ? Fate::kFailed : Fate::kSkipped);
    if (task.condition) {
      const Truth wanted = evaluate(*task.condition, inputs);
      if (wanted != Truth::kTrue)
        return end(path, wanted == Truth::kError ? Fate::kFailed : Fate::kSkipped);
    }
    Result result = task.loop ? pass_loop(task, inputs, around, neighbours, path)
                              : pass_body(task, inputs, around, neighbours, path);
    TaskFate& fate = out_.tasks.find(path)->second;
    fate.began = true;
    fate.fate = result.fate;
    fate.inputs = std::move(inputs);
    fate.outputs = result.outputs;
    return result;
  }

  // ---- Loops ----

  // Nothing when there is no list to loop over.
  static std::optional<std::vector<Data>> iterations_of(const Task& task, const Data& inputs,
                                                        std::vector<bool>& bad) {
    const Loop& loop = *task.loop;
    std::vector<Data> out;
    if (loop.over == Loop::Over::kArtifacts) {
      const auto list = inputs.artifacts.find(loop.input);
      if (list == inputs.artifacts.end()) return out;
      for (const Artifact& artifact : *list->second) {
        out.push_back(inputs);
        out.back().artifacts[loop.item] = std::make_shared<const Artifacts>(1, artifact);
      }
      bad.resize(out.size());
      return out;
    }
    Value::List items = loop.items;
    for (const auto& [index, input] : loop.filled) {
      const auto given = inputs.parameters.find(input);
      if (given == inputs.parameters.end()) return std::nullopt;
      items[index] = *given->second;
    }
    if (loop.over == Loop::Over::kParameter) {
      const auto given = inputs.parameters.find(loop.input);
      if (given == inputs.parameters.end()) return std::nullopt;
      const ValueRef list = convert(given->second, Type::kList);
      if (list == nullptr || !list->is_list()) return std::nullopt;
      items = list->as_list();
    }
    const auto declared = task.parameters.find(loop.item);
    for (Value& item : items) {
      ValueRef value = ref(std::move(item));
      if (declared != task.parameters.end() && declared->second.declared)
        value = convert(value, declared->second.type);
      bad.push_back(value == nullptr);
      out.push_back(inputs);
      if (value != nullptr) out.back().parameters[loop.item] = std::move(value);
    }
    return out;
  }

  Result pass_loop(const Task& task, const Data& inputs, const Data& around,
                   const Neighbours& neighbours, const std::string& path) {
    if (task.loop->limit > 0) out_.limits[path] = static_cast<std::size_t>(task.loop->limit);
    std::vector<bool> bad;
    auto iterations = iterations_of(task, inputs, bad);
    if (!iterations) return {Fate::kFailed, {}};
    Result result;
    std::vector<Data> outputs;
    for (std::size_t i = 0; i < iterations->size(); ++i) {
      Result one = pass_iteration(task, std::move((*iterations)[i]), bad[i], around, neighbours,
                                  fmt::format("{}[{}]", path, i));
      if (one.fate == Fate::kFailed) result.fate = Fate::kFailed;
      outputs.push_back(std::move(one.outputs));
    }
    if (result.fate == Fate::kSucceeded) gather(task, outputs, result.outputs);
    return result;
  }

  Result pass_iteration(const Task& task, Data inputs, bool bad, const Data& around,
                        const Neighbours& neighbours, const std::string& path) {
    const bool is_shown = task.dag() == nullptr;
    if (is_shown) {
      note(path,
           task.step() != nullptr                        ? TaskFate::Kind::kStep
           : std::holds_alternative<Importer>(task.body) ? TaskFate::Kind::kImporter
                                                         : TaskFate::Kind::kVolume,
           task.caching);
    }
    if (bad) return is_shown ? end(path, Fate::kFailed) : Result{Fate::kFailed, {}};
    Result result = pass_body(task, inputs, around, neighbours, path);
    if (is_shown) {
      TaskFate& fate = out_.tasks.find(path)->second;
      fate.began = true;
      fate.fate = result.fate;
      fate.inputs = std::move(inputs);
      fate.outputs = result.outputs;
    }
    return result;
  }

  // Lists of what the iterations gave, in the order of the items; lists of artifacts are joined.
  static void gather(const Task& task, const std::vector<Data>& outputs, Data& out) {
    std::set<std::string> parameters;
    std::set<std::string> artifacts;
    if (const Step* step = task.step()) {
      for (const auto& [name, output] : step->parameters) parameters.insert(name);
      for (const auto& [name, output] : step->artifacts) artifacts.insert(name);
    } else if (const Dag* dag = task.dag()) {
      for (const auto& [name, output] : dag->parameters) parameters.insert(name);
      for (const auto& [name, output] : dag->artifacts) artifacts.insert(name);
    } else if (const auto* volume = std::get_if<Volume>(&task.body)) {
      if (volume->creates) parameters.insert("name");
    } else {
      artifacts.insert("artifact");
    }
    for (const std::string& name : parameters) {
      Value::List list;
      for (const Data& one : outputs) {
        const auto found = one.parameters.find(name);
        if (found != one.parameters.end()) list.push_back(*found->second);
      }
      out.parameters[name] = ref(Value(std::move(list)));
    }
    for (const std::string& name : artifacts) {
      auto list = std::make_shared<Artifacts>();
      for (const Data& one : outputs) {
        const auto found = one.artifacts.find(name);
        if (found != one.artifacts.end())
          list->insert(list->end(), found->second->begin(), found->second->end());
      }
      out.artifacts[name] = std::move(list);
    }
  }

  // ---- Bodies ----

  Result pass_body(const Task& task, const Data& inputs, const Data& around,
                   const Neighbours& neighbours, const std::string& path) {
    if (const Step* step = task.step())
      return pass_step(task, *step, inputs, around, neighbours, path);
    if (const auto* importer = std::get_if<Importer>(&task.body))
      return pass_importer(*importer, inputs, path);
    if (const auto* volume = std::get_if<Volume>(&task.body)) return pass_volume(*volume, inputs);
    Result result;
    for (unsigned tries_left = (task.retry ? task.retry->max : 0) + 1; tries_left > 0;
         --tries_left) {
      forget_below(path);
      result = pass_dag(*task.dag(), inputs, path + "/");
      if (result.fate == Fate::kSucceeded) break;
    }
    return result;
  }

  // Only the last try of a group is shown.
  void forget_below(const std::string& path) {
    const std::string prefix = path + "/";
    auto first = out_.tasks.lower_bound(prefix);
    auto last = first;
    while (last != out_.tasks.end() && last->first.starts_with(prefix)) ++last;
    out_.tasks.erase(first, last);
  }

  void count_failure(const std::string& path) {
    ++out_.failures_after[path];
    ++failed_[path];
  }

  Result pass_step(const Task& task, const Step& step, const Data& inputs, const Data& around,
                   const Neighbours& neighbours, const std::string& path) {
    std::map<std::string, std::string> env;
    if (!settings_work_out(step, inputs, around, neighbours, env) ||
        step.mischief.kind == Mischief::Kind::kMissing) {
      count_failure(path);
      return {Fate::kFailed, {}};
    }
    Start& start = out_.starts[path].emplace_back(Start{inputs, std::move(env)});
    const bool naughty = step.mischief.kind != Mischief::Kind::kNone;
    for (unsigned tries_left = (task.retry ? task.retry->max : 0) + 1; tries_left > 0;
         --tries_left) {
      ++start.runs;
      if (!naughty || failures_of(path) >= step.mischief.times) {
        Result result;
        result.outputs = outputs_of(step, produce(step, inputs));
        return result;
      }
      count_failure(path);
    }
    return {Fate::kFailed, {}};
  }

  unsigned failures_of(const std::string& path) const {
    const auto found = out_.failures_after.find(path);
    return found == out_.failures_after.end() ? 0 : found->second;
  }

  static Data outputs_of(const Step& step, Produced produced) {
    Data out;
    for (auto& [name, value] : produced.parameters) out.parameters[name] = ref(std::move(value));
    for (const auto& [name, entries] : produced.artifacts) {
      const Value& declared = step.artifacts.find(name)->second.metadata;
      auto list = std::make_shared<Artifacts>();
      for (const Entry& entry : entries) {
        Value metadata = declared.is_struct() ? declared : Value::make_struct();
        if (entry.metadata.is_struct()) {
          for (const auto& [key, value] : entry.metadata.as_struct()) metadata[key] = value;
        }
        list->push_back({content_of(entry), std::move(metadata)});
      }
      out.artifacts[name] = std::move(list);
    }
    return out;
  }

  // False when what a setting names is not there.
  bool settings_work_out(const Step& step, const Data& inputs, const Data& around,
                         const Neighbours& neighbours, std::map<std::string, std::string>& env) {
    for (const auto& [name, value] : step.env) {
      if (name.starts_with("SIM_")) env[name] = value;
    }
    for (const Setting& setting : step.settings) {
      if (setting.kind == Setting::Kind::kScratch || setting.kind == Setting::Kind::kField)
        continue;
      const ValueRef name = name_of(setting.name, inputs, around, neighbours);
      if (name == nullptr) return false;
      if (name->is_null()) continue;
      if (!name->is_string() || name->as_string().empty()) return false;
      if (setting.kind == Setting::Kind::kVolume) continue;
      const bool secret =
          setting.kind == Setting::Kind::kSecretEnv || setting.kind == Setting::Kind::kSecretFolder;
      const bool is_env =
          setting.kind == Setting::Kind::kSecretEnv || setting.kind == Setting::Kind::kConfigMapEnv;
      const std::string folder = (secret ? "secrets/" : "configmaps/") + name->as_string() + "/";
      const std::string* content = is_env ? file(folder + setting.key) : any_file_in(folder);
      if (content == nullptr && !setting.optional) return false;
      if (content != nullptr && is_env) env[setting.where] = *content;
    }
    return true;
  }

  static ValueRef name_of(const Source& source, const Data& inputs, const Data& around,
                          const Neighbours& neighbours) {
    if (source.from == Source::From::kConstant) return ref(source.constant);
    if (source.from == Source::From::kInput) {
      if (const auto found = around.parameters.find(source.name); found != around.parameters.end())
        return found->second;
      const auto own = inputs.parameters.find(source.name);
      return own == inputs.parameters.end() ? null_ref() : own->second;
    }
    const auto& outputs = neighbours.at(source.name)->outputs.parameters;
    const auto found = outputs.find(source.output);
    return found == outputs.end() ? nullptr : found->second;
  }

  const std::string* file(std::string_view path) const {
    for (const auto& [name, content] : sketch_.files) {
      if (name == path) return &content;
    }
    return nullptr;
  }

  const std::string* any_file_in(std::string_view folder) const {
    for (const auto& [name, content] : sketch_.files) {
      if (name.starts_with(folder)) return &content;
    }
    return nullptr;
  }

  Result pass_importer(const Importer& importer, const Data& inputs, const std::string& path) {
    std::string source = importer.path;
    if (!importer.input.empty()) {
      const auto given = inputs.parameters.find(importer.input);
      source = given != inputs.parameters.end() && given->second->is_string()
                   ? given->second->as_string()
                   : std::string();
    }
    constexpr std::string_view kScheme = "file://";
    if (source.starts_with(kScheme)) source.erase(0, kScheme.size());
    const std::string content = content_at(source);
    if (content.empty()) {
      count_failure(path);
      return {Fate::kFailed, {}};
    }
    Result result;
    result.outputs.artifacts["artifact"] = std::make_shared<const Artifacts>(
        1, Artifact{content,
                    importer.metadata.is_struct() ? importer.metadata : Value::make_struct()});
    return result;
  }

  // Of a file, or of a folder of files; empty when there is neither.
  std::string content_at(const std::string& path) const {
    if (!path.starts_with('/')) return {};
    if (const std::string* content = file(path)) return "file:" + *content;
    if (any_file_in(path + "/") == nullptr) return {};
    Entry folder;
    folder.is_folder = true;
    for (const auto& [name, content] : sketch_.files) {
      if (name.starts_with(path + "/"))
        folder.files.emplace_back(name.substr(path.size() + 1), content);
    }
    return content_of(folder);
  }

  static Result pass_volume(const Volume& volume, const Data& inputs) {
    Result result;
    if (!volume.creates) return result;
    const auto text_of = [&inputs](std::string_view name) -> std::string {
      const auto found = inputs.parameters.find(name);
      return found != inputs.parameters.end() && found->second->is_string()
                 ? found->second->as_string()
                 : std::string();
    };
    std::string name = text_of("pvc_name");
    if (name.empty()) name = std::string(kRunName) + text_of("pvc_name_suffix");
    result.outputs.parameters["name"] = ref(Value(std::move(name)));
    return result;
  }

  const Sketch& sketch_;
  Outcome out_;
  std::map<std::string, unsigned> failed_;  // by path, in this generation
};

}  // namespace

std::string_view to_string(Fate fate) {
  switch (fate) {
    case Fate::kSucceeded:
      return "SUCCEEDED";
    case Fate::kFailed:
      return "FAILED";
    case Fate::kSkipped:
      return "SKIPPED";
  }
  return {};
}

std::string objection(const Outcome& outcome, std::string_view path, const Data& inputs,
                      const std::map<std::string, std::string>& env) {
  const auto found = outcome.starts.find(path);
  if (found == outcome.starts.end()) return fmt::format("{} should not run", path);
  for (const Start& start : found->second) {
    if (start.env == env && same(start.inputs, inputs)) return {};
  }
  const Start& last = found->second.back();
  if (!same(last.inputs, inputs)) {
    return fmt::format("{} should get {} and got {}", path, to_text(last.inputs), to_text(inputs));
  }
  std::string out = fmt::format("{} has other variables:", path);
  for (const auto& [name, value] : env) out += fmt::format(" {}={}", name, value);
  return out;
}

Outcome foresee(const Sketch& sketch, const std::map<std::string, unsigned>& failures_before) {
  return Oracle(sketch, failures_before).foresee();
}

}  // namespace cresset::sim
