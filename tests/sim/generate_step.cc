#include <fmt/core.h>

#include <algorithm>

#include "sim/generate_parts.h"
#include "sim/produce.h"

namespace cresset::sim {

using std::chrono::milliseconds;
using std::chrono::seconds;

Step Generator::make_step(const std::string& name) {
  static const std::vector<std::string> kOutputs = {"Output", "out", "count", "result"};
  static const std::vector<std::string> kArtifacts = {"data", "model", "metrics"};
  Step step;
  step.label = fmt::format("{}-{}", plain_label(name), ++labels_);
  std::set<std::string> used;
  for (unsigned left = dice_.below(4) == 0 ? 2 : dice_.between(0, 1); left > 0; --left)
    step.parameters[fresh(used, kOutputs)] = {random_shape(), random_way()};
  for (unsigned left = dice_.percent(35) ? dice_.between(1, 2) : 0; left > 0; --left)
    step.artifacts[fresh(used, kArtifacts)] = random_artifact();
  step.runs_for = random_time();
  step.whole_input = dice_.percent(55);
  if (dice_.percent(15)) step.prints = fmt::format("{} works\nand ends\n", name);
  if (dice_.percent(3)) step.prints += std::string(5000, 'x') + "\xff no text";
  if (dice_.percent(8)) step.env.emplace_back("SIM_STATIC", harmless(dice_.pick(odd_texts())));
  step.ignores_terminate = dice_.percent(5);
  step.uses_workspace = sketch_.workspace && step.whole_input && dice_.percent(50);
  add_resources(step.resources);
  return step;
}

std::string Generator::plain_label(const std::string& name) {
  std::string out;
  for (const char c : name) {
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) out += c;
  }
  return out.empty() ? "step" : out;
}

StepOutput::Way Generator::random_way() {
  const unsigned kind = dice_.between(0, 99);
  if (kind < 70) return StepOutput::Way::kFile;
  return kind < 97 ? StepOutput::Way::kMetadata : StepOutput::Way::kNull;
}

StepArtifact Generator::random_artifact() {
  static const std::vector<std::string> kTypes = {"system.Dataset", "system.Model",
                                                  "system.Artifact", "system.Metrics"};
  StepArtifact artifact;
  artifact.type = dice_.pick(kTypes);
  const unsigned kind = dice_.between(0, 99);
  if (kind < 50)
    artifact.form = StepArtifact::Form::kFile;
  else if (kind < 70)
    artifact.form = StepArtifact::Form::kFolder;
  else if (kind < 75)
    artifact.form = StepArtifact::Form::kNothing;
  else if (kind < 95)
    artifact.form = StepArtifact::Form::kList;
  else
    artifact.form = StepArtifact::Form::kElsewhere;
  if (dice_.percent(15)) artifact.metadata = Value::make_struct({{"made by", "the pipeline"}});
  artifact.adds_metadata = dice_.percent(25);
  return artifact;
}

void Generator::add_resources(Resources& resources) {
  static const std::vector<std::string> kCpus = {"100m", "0.5", "1", "2", "16"};
  static const std::vector<std::string> kMemory = {"64Mi", "1G", "0.5Gi"};
  if (dice_.percent(15)) resources.cpu_request = dice_.pick(kCpus);
  if (dice_.percent(5)) resources.cpu_limit = dice_.pick(kCpus);
  if (dice_.percent(10)) resources.memory_request = dice_.pick(kMemory);
  if (dice_.percent(5)) resources.memory_limit = dice_.pick(kMemory);
}

void Generator::add_manners(Task& task) {
  Step& step = *task.step();
  task.caching = dice_.permille(taste_.caching);
  if (dice_.percent(15)) task.retry = random_retry(dice_.between(0, 3));
  if (taste_.task_deadlines && dice_.percent(4)) step.deadline = std::chrono::hours{6};
  if (dice_.permille(taste_.mischief)) add_mischief(task);
  if (task.caching && task.cache_key.empty() && dice_.percent(10)) {
    task.cache_key = fmt::format("key {}", step.label);
    step.ignores_inputs = true;
  }
}

Retry Generator::random_retry(unsigned max) {
  Retry retry;
  retry.max = max;
  if (dice_.percent(60)) retry.backoff = milliseconds(dice_.between(1, 30'000));
  if (dice_.percent(30)) retry.factor = static_cast<double>(dice_.between(1, 16)) / 4;
  if (dice_.percent(30)) retry.backoff_max = seconds(dice_.between(1, 60));
  return retry;
}

void Generator::add_mischief(Task& task) {
  using Kind = Mischief::Kind;
  static const std::vector<Kind> kKinds = {
      Kind::kExit, Kind::kExit,      Kind::kExit,     Kind::kSignal,  Kind::kMissing,
      Kind::kHang, Kind::kWrongType, Kind::kNoOutput, Kind::kBadJson, Kind::kUndeclared};
  Step& step = *task.step();
  Mischief mischief;
  mischief.kind = dice_.pick(kKinds);
  if (mischief.kind == Kind::kMissing && dice_.percent(60)) mischief.kind = Kind::kExit;
  if (mischief.kind == Kind::kHang) {
    if (!taste_.task_deadlines) return;
    step.deadline = seconds(dice_.between(1, 300));
    if (step.runs_for > *step.deadline / 2) step.runs_for = *step.deadline / 4;
  }
  if (!is_possible(mischief.kind, step)) mischief.kind = Kind::kExit;
  mischief.code = mischief.kind == Kind::kSignal ? (dice_.percent(50) ? 9 : 11)
                                                 : static_cast<int>(dice_.between(1, 255));
  mischief.times = dice_.between(1, 3);
  if (mischief.kind == Kind::kMissing || dice_.permille(taste_.for_good)) {
    mischief.times = Mischief::kAlways;
  } else if (task.caching || dice_.percent(65)) {
    task.retry = random_retry(mischief.times + static_cast<unsigned>(dice_.below(2)));
  }
  step.mischief = mischief;
}

unsigned Generator::add_step(Scope& scope) {
  static const std::vector<std::string> kNames = {"load",  "split",  "train",
                                                  "score", "report", "flip"};
  Task task;
  task.name = task_name(scope, kNames);
  if (dice_.percent(5)) task.display_name = "shown as " + task.name;
  task.body = make_step(task.name);
  add_inputs(scope, task);
  add_manners(task);
  add_settings(scope, task);
  if (dice_.percent(6) && scope.depth < kDepthMax && add_leaf_loop(scope, task)) {
    push(scope, std::move(task));
    return 2;
  }
  if (dice_.percent(5)) task.condition = random_condition(task);
  push(scope, std::move(task));
  return 1;
}

void Generator::add_inputs(Scope& scope, Task& task) {
  static const std::vector<std::string> kNames = {"x", "y", "msg", "data", "path"};
  std::set<std::string> used;
  if (scope.depth < kDepthMax && !deletes_volumes_ && dice_.percent(5) && has_normal(scope))
    task.ignores_failures = true;
  for (unsigned left = dice_.between(0, 3); left > 0; --left)
    add_input(scope, task, fresh(used, kNames));
  if (!scope.artifacts.empty()) {
    for (unsigned left = dice_.percent(50) ? dice_.between(1, 2) : 0; left > 0; --left)
      add_artifact_input(task, fresh(used, {"in", "model", "table"}), dice_.pick(scope.artifacts));
  }
  if (dice_.percent(5)) add_template(task, used);
  add_after(scope, task);
}

bool Generator::has_normal(const Scope& scope) {
  return std::ranges::any_of(scope.dag.tasks,
                             [](const Task& task) { return !task.ignores_failures; });
}

void Generator::add_after(Scope& scope, Task& task) {
  if (scope.dag.tasks.empty() || !dice_.percent(25)) return;
  for (unsigned left = dice_.between(1, 2); left > 0; --left) {
    const std::string& name = dice_.pick(scope.dag.tasks).name;
    if (std::ranges::find(task.after, name) == task.after.end()) task.after.push_back(name);
  }
}

void Generator::add_input(Scope& scope, Task& task, const std::string& name) {
  ParameterInput input;
  const unsigned kind = dice_.between(0, 99);
  if (kind < 60 && !scope.values.empty()) {
    const Known known = refine(pick_known(scope));
    input.type = input_type(known.shape);
    task.parameter_sources[name] = known.source;
    if (dice_.percent(task.ignores_failures ? 70 : 10)) make_dispensable(input, known.shape);
    if (known.shape == Shape{Shape::Base::kWord} && dice_.percent(8)) {
      for (const std::string& word : words()) {
        if (dice_.percent(90) || input.default_value == Value(word))
          input.literals.emplace_back(word);
      }
    }
  } else {
    const Shape shape = random_shape();
    input.type = type_of(shape);
    if (kind < 88) {
      task.parameter_sources[name] = constant(random_value(shape));
      if (dice_.percent(3))
        task.parameter_sources[name] = constant(Value(dice_.below(10))), input.type = Type::kString;
    } else {
      make_dispensable(input, shape);
    }
  }
  task.parameters[name] = std::move(input);
}

const Known& Generator::pick_known(Scope& scope) {
  const std::size_t size = scope.values.size();
  if (dice_.percent(50))
    return scope.values[size - 1 - dice_.below(std::min<std::size_t>(size, 3))];
  return dice_.pick(scope.values);
}

Known Generator::refine(Known known) {
  if (!(known.shape == Shape{Shape::Base::kStruct}) || !known.source.key.empty() ||
      !dice_.percent(40))
    return known;
  const std::uint64_t which = dice_.below(30);
  known.source.key = which == 0 ? "nothing" : which < 12 ? "a" : which < 22 ? "b" : "list";
  known.shape = which < 12   ? Shape{Shape::Base::kInteger}
                : which < 22 ? Shape{Shape::Base::kWord}
                             : Shape{Shape::Base::kInteger, 1};
  return known;
}

Type Generator::input_type(const Shape& shape) {
  if (dice_.percent(8)) return Type::kString;
  if (shape.depth == 0) {
    if (shape.base == Shape::Base::kNumberText && dice_.percent(40)) return Type::kInteger;
    if (shape.base == Shape::Base::kListText && dice_.percent(40)) return Type::kList;
    if (shape.base == Shape::Base::kInteger && dice_.percent(20)) return Type::kDouble;
    if (shape.base == Shape::Base::kDouble && dice_.percent(6)) return Type::kInteger;
    if (shape.base == Shape::Base::kText && dice_.percent(1)) return Type::kBoolean;
  }
  return type_of(shape);
}

void Generator::make_dispensable(ParameterInput& input, const Shape& shape) {
  if (dice_.percent(60)) {
    input.default_value = input.type == type_of(shape) ? random_value(shape) : plain(input.type);
  } else {
    input.optional = true;
  }
}

Value Generator::plain(Type type) {
  switch (type) {
    case Type::kDouble:
      return Value(0.5);
    case Type::kInteger:
      return Value(7);
    case Type::kBoolean:
      return Value(true);
    case Type::kList:
      return Value(Value::List{});
    case Type::kStruct:
    case Type::kStatus:
      return Value::make_struct();
    case Type::kString:
      return Value("plain");
  }
  return {};
}

void Generator::add_artifact_input(Task& task, const std::string& name,
                                   const KnownArtifact& known) {
  const bool optional = dice_.percent(task.ignores_failures ? 70 : 8);
  task.artifacts[name] = {known.is_list, optional};
  task.artifact_sources[name] = known.source;
  // A list that is empty and one that is not there look the same among the arguments.
  if (Step* step = task.step(); step != nullptr && known.is_list && optional)
    step->whole_input = true;
}

void Generator::add_template(Task& task, std::set<std::string>& used) {
  std::vector<std::string> names;
  for (const auto& [name, source] : task.parameter_sources) {
    if (source.from != Source::From::kTemplate) names.push_back(name);
  }
  if (names.empty()) return;
  const std::string whole = dice_.pick(names);
  if (dice_.percent(40)) {
    // The DSL's way: the value stands in the text alone.
    task.parameters[whole].declared = false;
    task.parameters[whole].default_value.reset();
    task.parameters[whole].optional = false;
    task.parameters[whole].literals.clear();
  }
  Source source;
  source.from = Source::From::kTemplate;
  if (dice_.percent(75)) source.pieces.push_back({false, "before \"quoted\" {{x}} "});
  source.pieces.push_back({true, whole});
  if (dice_.percent(50)) source.pieces.push_back({false, " after"});
  const std::string name = fresh(used, {"text"});
  task.parameter_sources[name] = std::move(source);
  task.parameters[name] = {Type::kString, {}, false, {}, true};
  if (task.ignores_failures && !task.parameters[whole].declared) task.ignores_failures = false;
  // One that may be absent, or of which only its component's type is known, cannot be told from
  // its text.
  if (Step* step = task.step(); step != nullptr && !task.parameters[whole].declared)
    step->whole_input = true;
}

void Generator::add_settings(Scope& scope, Task& task) {
  Step& step = *task.step();
  if (dice_.percent(5)) add_secret(task);
  if (dice_.percent(3)) {
    task.parameters["cpu-request"] = {Type::kString, {}, false, {}, true};
    task.parameter_sources["cpu-request"] = constant("250m");
    step.resources.cpu_input = "cpu-request";
  }
  if (dice_.percent(2)) {
    Setting field;
    field.kind = Setting::Kind::kField;
    field.key = dice_.percent(50) ? "metadata.name" : "status.podIP";
    field.where = "POD";
    step.settings.push_back(std::move(field));
  }
  if (dice_.percent(2)) {
    Setting scratch;
    scratch.kind = Setting::Kind::kScratch;
    scratch.key = "scratch";
    scratch.where = "/scratch";
    step.settings.push_back(std::move(scratch));
  }
  if (scope.volumes.empty() || task.ignores_failures || !dice_.percent(50)) return;
  Setting mount;
  mount.kind = Setting::Kind::kVolume;
  mount.name = dice_.pick(scope.volumes);
  mount.where = "/mnt/volume";
  step.settings.push_back(std::move(mount));
  scope.mounters.push_back(task.name);
}

void Generator::add_secret(Task& task) {
  Step& step = *task.step();
  Setting setting;
  const unsigned kind = dice_.between(0, 9);
  setting.kind = kind < 4   ? Setting::Kind::kSecretEnv
                 : kind < 7 ? Setting::Kind::kConfigMapEnv
                 : kind < 9 ? Setting::Kind::kSecretFolder
                            : Setting::Kind::kConfigMapFolder;
  const bool is_env = kind < 7;
  const std::string name = fmt::format("{}-{}", sketch_.name, ++labels_);
  setting.key = "key";
  setting.where = is_env ? fmt::format("SIM_{}", labels_) : "/etc/mounted";
  setting.name = constant(name);
  const bool by_input = dice_.percent(30);
  bool there = !dice_.percent(15);
  if (by_input) {
    const std::string input = fmt::format("name-{}", labels_);
    task.parameters[input] = {Type::kString, {}, false, {}, true};
    task.parameter_sources[input] = constant(name);
    setting.name = from_input(input);
    if (!there) setting.optional = dice_.percent(60);
  } else if (!there) {
    setting.optional = true;  // else the run is refused
  }
  if (there) {
    const bool secret =
        setting.kind == Setting::Kind::kSecretEnv || setting.kind == Setting::Kind::kSecretFolder;
    sketch_.files.emplace_back(fmt::format("{}/{}/key", secret ? "secrets" : "configmaps", name),
                               fmt::format("content {}", labels_));
  }
  step.settings.push_back(std::move(setting));
}

}  // namespace cresset::sim
