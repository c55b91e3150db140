#include "cresset/app/steps.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "cresset/app/failure_text.h"
#include "cresset/base/check.h"
#include "cresset/codec/run_json.h"
#include "cresset/dag/imports.h"
#include "cresset/text/json.h"
#include "cresset/text/placeholder.h"

namespace cresset::app {

namespace {

constexpr const char* kRunIdVariable = "CRESSET_RUN_ID";
constexpr const char* kTaskVariable = "CRESSET_TASK";
constexpr Duration kStopGrace = std::chrono::seconds(5);
// Of all output parameters of a step: they become part of an event, six times as long at worst.
constexpr std::int64_t kOutputBytesMax = 64 << 20;

std::string raw_path(const std::string& uri) {
  constexpr std::string_view kFileScheme = "file://";
  return uri.starts_with(kFileScheme) ? uri.substr(kFileScheme.size()) : uri;
}

bool declares(const std::vector<std::pair<std::string, std::string>>& env, std::string_view name) {
  return std::ranges::any_of(env, [&](const auto& variable) { return variable.first == name; });
}

// "2 CPUs, 4096 MiB of memory and 1 GPU"
std::string to_text(const ports::SlotRequest& slots) {
  const auto counted = [](auto count, std::string_view unit) {
    return fmt::format("{} {}{}", count, unit, count == 1 ? "" : "s");
  };
  std::string out = counted(static_cast<double>(slots.cpu_millis) / 1000, "CPU");
  const bool has_memory = slots.memory_bytes > 0;
  if (has_memory) {
    out += fmt::format("{}{} MiB of memory", slots.gpus > 0 ? ", " : " and ",
                       slots.memory_bytes >> 20);
  }
  if (slots.gpus > 0) out += " and " + counted(slots.gpus, "GPU");
  return out;
}

// What the executor runs; volumes and imports are file jobs.
bool is_container(const dag::LeafTask& leaf) {
  const auto* container = std::get_if<model::Container>(&leaf.component->body);
  return container != nullptr && container->image != kCreateVolumeImage &&
         container->image != kDeleteVolumeImage;
}

}  // namespace

struct Steps::Work {
  std::uint64_t serial = 0;
  dag::LeafTask leaf;
  std::uint32_t attempt = 0;  // 0: a cache look-up
  bool adopt_only = false;
  bool queued = false;     // counted by the queue of starts: has not been seen running
  bool executing = false;  // the executor has it
  bool stopping = false;
  bool killing = false;

  ClusterSettings settings;
  std::vector<std::pair<std::string, std::string>> secret_env;
  std::vector<ports::Mount> mounts;
  std::string python;
  std::string python_fingerprint;
  dag::ExpectedOutputs expected;
  // Why it cannot be started, while the executor is asked whether an earlier engine did.
  struct Unfit {
    model::Failure failure;
    bool permanent = false;
  };
  std::optional<Unfit> unfit;
  std::optional<ports::Exit> exit;
  std::optional<WallTime> ended_at;
  model::Bindings outputs;
  model::RunId hit_from;
  dag::TaskOrdinal hit_task = 0;
};

Steps::Steps(const dag::Plan& plan, Home home, RunOptions options, std::string runtime_dir,
             std::uint64_t token, Ports ports)
    : plan_(plan),
      home_(std::move(home)),
      options_(std::move(options)),
      runtime_dir_(std::move(runtime_dir)),
      token_(token),
      ports_(ports),
      next_job_(ports.first_job) {}

Steps::~Steps() = default;

model::AttemptId Steps::attempt_id(const Work& work) const {
  return {plan_.context().id, work.leaf.ordinal, work.attempt};
}

// ---- Cache ----

void Steps::look_up(dag::TaskOrdinal task) {
  dag::LeafTask leaf = plan_.leaf(task);
  auto key = cache_key(leaf);
  // It is kept for the record of what runs instead.
  auto miss = [&] {
    if (key) keys_[task] = *std::move(key);
    harvest_.events.push_back({dag::CacheMissed{task}});
  };
  if (!key) return miss();
  auto found = ports_.store.find_step(plan_.pipeline().name, key->key, plan_.context().id);
  if (!found) {
    harvest_.notices.push_back(
        fmt::format("the cache could not be read, {} runs: {}", leaf.path, found.error().text()));
    return miss();
  }
  if (!*found) return miss();
  auto decoded =
      text::parse_json(
          (*found)->outputs,
          {.depth = 200, .bytes = std::size_t{1} << 30, .values = std::size_t{1} << 30})
          .and_then([this](Value value) { return codec::decode_bindings(value, home_.root()); });
  if (!decoded) return miss();
  std::vector<std::string> paths = dag::artifact_paths(*decoded);
  if (paths.empty()) {
    harvest_.events.push_back({dag::CacheHit{task, *std::move(decoded), (*found)->run,
                                             dag::CacheHit::Source{(*found)->task, key->key}}});
    return;
  }
  auto work = std::make_unique<Work>();
  work->serial = next_work_++;
  work->leaf = std::move(leaf);
  work->outputs = *std::move(decoded);
  work->hit_from = (*found)->run;
  work->hit_task = (*found)->task;
  keys_[task] = *std::move(key);
  Work& stored = *(works_[task] = std::move(work));
  submit(stored, ports::DigestPaths{std::move(paths), false}, &Steps::verify);
}

// A hit counts only when every artifact still has the bytes that it was committed with.
void Steps::verify(Work& work, const ports::FileAnswer& answer) {
  model::Bindings found = work.outputs;
  dag::set_digests(found, std::get<ports::Digests>(answer).digests);
  if (!(found == work.outputs)) {
    harvest_.notices.push_back(
        fmt::format("{} runs again: what it made in run {} is gone or was changed", work.leaf.path,
                    work.hit_from.str()));
    return finish(work, dag::CacheMissed{work.leaf.ordinal});
  }
  auto key = keys_.extract(work.leaf.ordinal);
  finish(work, dag::CacheHit{work.leaf.ordinal, std::move(work.outputs), work.hit_from,
                             dag::CacheHit::Source{work.hit_task, std::move(key.mapped().key)}});
}

const Steps::Known& Steps::known(const model::Component& component) {
  auto [it, is_new] = components_.try_emplace(&component);
  if (!is_new) return it->second;
  if (const auto* container = std::get_if<model::Container>(&component.body)) {
    it->second.lightweight = dag::recognise_lightweight(*container);
    it->second.key_parts = dag::component_parts(component, it->second.lightweight);
  }
  return it->second;
}

// One that could not be inspected is tried again: it may be there by then.
const Result<ports::Interpreter>& Steps::interpreter() {
  if (!interpreter_ || !*interpreter_)
    interpreter_.emplace(ports_.environments.inspect(options_.python));
  return *interpreter_;
}

// A fan-out asks for the same one thousands of times at once: it is looked for on the disk once.
const Result<ports::Program>& Steps::program(const std::string& name) {
  auto known = programs_.find(name);
  if (known == programs_.end()) {
    known = programs_.emplace(name, ports_.environments.find_program(name, options_.path_variable))
                .first;
  }
  return known->second;
}

Result<dag::CacheKey> Steps::cache_key(const dag::LeafTask& task) {
  dag::Tooling tooling;
  tooling.env = options_.env;
  CR_TRY(tooling.platform, platform_identity(task, plan_.context()));
  // A machine without a Python runs containers all the same; there is then no interpreter to depend
  // on.
  const Known& component = known(*task.component);
  if (const Result<ports::Interpreter>& python = interpreter()) {
    tooling.interpreter = python->fingerprint;
  } else if (component.lightweight) {
    return python.error();
  }
  const auto& container = std::get<model::Container>(task.component->body);
  if (!component.lightweight && !container.command.empty() &&
      !text::holds_reference(container.command[0])) {
    const Result<ports::Program>& found = program(container.command[0]);
    if (!found) return found.error();
    tooling.program = found->fingerprint;
  }
  return dag::make_cache_key(task, component.key_parts, tooling);
}

// What its task will be remembered by.
std::optional<ports::StepRecord> Steps::take_record(const Work& work, bool reusable) {
  if (!work.leaf.cacheable || !std::holds_alternative<model::Container>(work.leaf.component->body))
    return std::nullopt;
  auto known = keys_.find(work.leaf.ordinal);
  if (known == keys_.end()) {
    auto key = cache_key(work.leaf);
    if (!key) return std::nullopt;
    known = keys_.emplace(work.leaf.ordinal, *std::move(key)).first;
  }
  ports::StepRecord record;
  record.task = work.leaf.ordinal;
  record.path = work.leaf.path;
  record.key = known->second.key;
  record.parts = known->second.parts;
  record.reusable = reusable;
  if (reusable) record.outputs = text::to_json(codec::encode(work.outputs, home_.root()));
  keys_.erase(known);
  return record;
}

// ---- Start ----

Steps::Work& Steps::add_work(dag::TaskOrdinal task, std::uint32_t attempt) {
  auto work = std::make_unique<Work>();
  work->serial = next_work_++;
  work->leaf = plan_.leaf(task);
  work->attempt = attempt;
  return *(works_[task] = std::move(work));
}

void Steps::start(dag::TaskOrdinal task, std::uint32_t attempt, bool adopt_only) {
  // What has been running holds its slots already: it waits behind nothing.
  if (adopt_only) {
    Work& work = add_work(task, attempt);
    work.adopt_only = true;
    return begin(work);
  }
  queue_.add(plan_.component(task), {task, attempt});
  start_held();
}

void Steps::start_held() {
  while (const auto next = queue_.take()) {
    Work& work = add_work(next->task, next->attempt);
    work.queued = true;
    begin(work);
  }
}

void Steps::begin(Work& work) {
  if (std::holds_alternative<model::Importer>(work.leaf.component->body)) return begin_import(work);
  const auto& container = std::get<model::Container>(work.leaf.component->body);
  if (container.image == kCreateVolumeImage) return begin_volume(work, true);
  if (container.image == kDeleteVolumeImage) return begin_volume(work, false);
  begin_container(work);
}

void Steps::begin_container(Work& work) {
  if (work.adopt_only) return execute(work);  // what it needed to start, it has had
  const std::string attempt_dir = home_.attempt_dir(attempt_id(work));
  auto settings = cluster_settings(work.leaf, work.attempt, home_, attempt_dir, plan_.context());
  if (!settings) return fail_to_start(work, {settings.error().text(), {}}, true);
  work.settings = *std::move(settings);
  if (work.settings.key_files.empty()) return take_keys(work, ports::FileContents{});
  ports::ReadFiles job;
  for (const KeyFile& key : work.settings.key_files) job.paths.push_back(key.path);
  job.bytes_max = 1 << 20;
  submit(work, std::move(job), &Steps::take_keys);
}

void Steps::take_keys(Work& work, const ports::FileAnswer& answer) {
  if (work.executing) return;  // it was stopped meanwhile
  const auto& contents = std::get<ports::FileContents>(answer).contents;
  for (std::size_t i = 0; i < contents.size(); ++i) {
    const KeyFile& key = work.settings.key_files[i];
    if (contents[i]) {
      work.secret_env.emplace_back(key.env, *contents[i]);
    } else if (!key.optional) {
      return fail_to_start(
          work, {fmt::format("{} is not there: put it into the file {}", key.what, key.path), {}},
          true);
    }
  }
  if (work.settings.mounts.empty()) return take_mounts(work, ports::PathKinds{});
  ports::StatPaths job;
  for (const FolderMount& mount : work.settings.mounts) job.paths.push_back(mount.mount.source);
  submit(work, std::move(job), &Steps::take_mounts);
}

void Steps::take_mounts(Work& work, const ports::FileAnswer& answer) {
  if (work.executing) return;  // it was stopped meanwhile
  const auto& kinds = std::get<ports::PathKinds>(answer).kinds;
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    const FolderMount& mount = work.settings.mounts[i];
    if (kinds[i] == ports::PathKinds::Kind::kFolder || mount.create) {
      work.mounts.push_back(mount.mount);
    } else if (!mount.optional) {
      return fail_to_start(
          work,
          {fmt::format("{} is not there: make the folder {}", mount.what, mount.mount.source), {}},
          true);
    }
  }
  prepare_environment(work);
}

void Steps::prepare_environment(Work& work) {
  const std::optional<dag::Lightweight>& component = lightweight(work.leaf);
  if (!component) return execute(work);
  const Result<ports::Interpreter>& base = interpreter();
  if (!base) return fail_to_start(work, {base.error().text(), {}}, true);
  work.python = base->executable;
  work.python_fingerprint = base->fingerprint;
  if (component->requirements.empty()) return execute(work);
  ports::EnvironmentSpec spec{*base, component->requirements, component->index_urls,
                              component->trusted_hosts, options_.offline};
  const std::uint64_t job = next_job_++;
  jobs_[job] = {work.leaf.ordinal, work.serial, nullptr};
  harvest_.waits.push_back({work.leaf.ordinal, "its environment"});
  ports_.environments.prepare(job, std::move(spec));
}

void Steps::on_environment(const ports::EnvironmentReady& ready) {
  auto waiting = jobs_.extract(ready.job);
  if (waiting.empty()) return;
  auto found = works_.find(waiting.mapped().task);
  if (found == works_.end() || found->second->serial != waiting.mapped().work) return;
  Work& work = *found->second;
  if (work.executing) return;  // it was stopped meanwhile
  if (!ready.answer) {
    // The tool's last words follow the cause on lines of their own.
    const std::string text = ready.answer.error().text();
    const std::size_t cut = std::min(text.find('\n'), text.size());
    return fail_to_start(work, {text.substr(0, cut), text.substr(std::min(cut + 1, text.size()))},
                         true);
  }
  work.python = ready.answer->python;
  work.python_fingerprint = ready.answer->fingerprint;
  execute(work);
}

// An engine that died may have started it all the same: then that counts, and nothing is left
// running behind the back of a run that goes on.
void Steps::fail_to_start(Work& work, model::Failure failure, bool permanent) {
  work.unfit = Work::Unfit{std::move(failure), permanent};
  work.adopt_only = true;
  execute(work);
}

void Steps::execute(Work& work) {
  const model::AttemptId id = attempt_id(work);
  dag::LaunchPlaces places;
  places.attempt_dir = home_.attempt_dir(id);
  places.artifact_dir = fmt::format("{}/{}/{}.{}", raw_path(plan_.context().artifact_root),
                                    work.leaf.name, id.task, id.attempt);
  places.source_dir = home_.run_dir(id.run) + "/src";
  places.runtime_dir = runtime_dir_;
  places.python = work.python;
  auto launch = dag::make_launch(work.leaf, lightweight(work.leaf), places, plan_.context());
  if (!launch) return fail(work, {launch.error().text(), {}}, true);
  work.expected = std::move(launch->expected);

  ports::StartSpec spec;
  spec.id = id;
  spec.token = token_;
  // An engine that died may have started what is to be stopped now: it is looked for all the same.
  spec.adopt_only = work.adopt_only || work.stopping;
  spec.env = environment_of(work, *launch);
  spec.argv = std::move(launch->argv);
  spec.work_dir = home_.work_dir(id);
  spec.fresh = {spec.work_dir,
                places.artifact_dir,
                places.attempt_dir + "/outputs",
                places.attempt_dir + "/scratch",
                work.expected.metadata_path,
                home_.left_in_home(id),
                home_.left_in_tmp(id)};
  spec.folders = std::move(launch->folders);
  if (!declares(spec.env, "HOME")) spec.scratch.push_back({"HOME", home_.left_in_home(id)});
  if (!declares(spec.env, "TMPDIR")) spec.scratch.push_back({"TMPDIR", home_.left_in_tmp(id)});
  for (const FolderMount& mount : work.settings.mounts) {
    if (mount.create) spec.folders.push_back(mount.mount.source);
  }
  if (plan_.pipeline().config.workspace) spec.folders.push_back(plan_.context().workspace);
  for (dag::LaunchFile& file : launch->files)
    spec.files.push_back({std::move(file.path), std::move(file.content)});
  spec.mounts = work.mounts;
  spec.warm = warm_start(work);
  spec.log_path = home_.log_path(id);
  spec.log_cap_bytes = options_.log_cap_bytes;
  spec.slots = {launch->resources.cpu_millis, launch->resources.memory_bytes,
                launch->resources.gpus};
  spec.run_cpu_millis_max = options_.jobs * 1000;
  if (!spec.adopt_only) harvest_.waits.push_back({work.leaf.ordinal, to_text(spec.slots)});
  work.executing = true;
  ports_.executor.start(std::move(spec));
  if (work.stopping) stop_executing(work);
}

// Only what Cresset runs in an interpreter of its own choice can begin in one that waits.
std::optional<ports::WarmStart> Steps::warm_start(const Work& work) {
  const std::optional<dag::Lightweight>& component = lightweight(work.leaf);
  if (!component || options_.cold) return std::nullopt;
  return ports::WarmStart{runtime_dir_ + "/cresset_zygote.py",
                          work.python_fingerprint,
                          dag::imported_packages(component->source),
                          {kRunIdVariable, kTaskVariable}};
}

void Steps::stop_executing(const Work& work) {
  ports_.executor.stop(attempt_id(work), work.killing ? Duration{0} : kStopGrace);
}

// docs/reference/step-environment.md lists this minimum, to which the executor adds HOME and
// TMPDIR. Later entries win: what the user declares overrides it.
std::vector<std::pair<std::string, std::string>> Steps::environment_of(
    const Work& work, const dag::Launch& launch) const {
  std::string path = runtime_dir_ + "/bin:";
  const std::string& python = work.python.empty() ? options_.python : work.python;
  if (const std::size_t slash = python.rfind('/'); slash != std::string::npos)
    path += python.substr(0, slash) + ":";
  std::vector<std::pair<std::string, std::string>> out = {
      {"PATH", path + options_.path_variable},
      {"LANG", options_.locale},
      {"PYTHONUNBUFFERED", "1"},
      {"PYTHONPATH", runtime_dir_},
      {"PIP_NO_INDEX", "1"},
      {"PIP_DISABLE_PIP_VERSION_CHECK", "1"},
      {"HF_HOME", home_.model_cache_dir() + "/huggingface"},
      {"TORCH_HOME", home_.model_cache_dir() + "/torch"},
      {kRunIdVariable, plan_.context().id.str()},
      {kTaskVariable, work.leaf.path},
  };
  auto add = [&out](const std::vector<std::pair<std::string, std::string>>& more) {
    for (const auto& [name, value] : more) {
      std::erase_if(out, [&name](const auto& entry) { return entry.first == name; });
      out.emplace_back(name, value);
    }
  };
  add(options_.env);
  add(work.settings.env);
  add(work.secret_env);
  add(launch.env);
  return out;
}

void Steps::stop(dag::TaskOrdinal task, std::uint32_t attempt, bool kill) {
  if (!works_.contains(task) && queue_.remove(plan_.component(task), {task, attempt}))
    begin(add_work(task, attempt));
  auto found = works_.find(task);
  if (found == works_.end() || found->second->attempt != attempt) return;
  Work& work = *found->second;
  work.stopping = true;
  work.killing = kill;
  if (work.executing) {
    if (!work.exit) stop_executing(work);
  } else if (is_container(work.leaf)) {
    // A build of its environment may take minutes; nobody waits for that. An engine that died may
    // have started it, so the executor is asked all the same.
    execute(work);
  }
}

// ---- End ----

void Steps::on(const ports::AttemptRunning& event) {
  auto found = works_.find(event.id.task);
  if (event.id.run != plan_.context().id || found == works_.end() ||
      found->second->attempt != event.id.attempt)
    return;
  Work& work = *found->second;
  if (std::exchange(work.queued, false)) queue_.on_begun(*work.leaf.component);
  for (const std::string& notice : event.notices)
    harvest_.notices.push_back(work.leaf.path + ": " + notice);
  harvest_.events.push_back(
      {dag::AttemptRunning{event.id.task, event.id.attempt, event.notices}, event.at});
}

void Steps::on(const ports::AttemptExited& event) {
  auto found = works_.find(event.id.task);
  if (event.id.run != plan_.context().id || found == works_.end() ||
      found->second->attempt != event.id.attempt)
    return;
  Work& work = *found->second;
  if (work.exit) return;
  work.exit = event.exit;
  work.ended_at = event.at;
  if (work.unfit && event.exit.kind == ports::Exit::Kind::kLost)
    return fail(work, std::move(work.unfit->failure), work.unfit->permanent);
  if (event.exit.log_truncated) {
    harvest_.notices.push_back(
        fmt::format("{}: output is missing from its log: the cap of {} bytes was reached, or the "
                    "disk is full",
                    work.leaf.path, options_.log_cap_bytes));
  }
  if (event.exit.kind != ports::Exit::Kind::kExited || event.exit.code != 0) {
    return submit(work, ports::ReadTail{home_.log_path(attempt_id(work))}, &Steps::take_tail);
  }
  if (work.expected.parameters.empty() && work.expected.artifacts.empty()) return succeed(work);
  ports::ReadFiles job;
  job.paths.push_back(work.expected.metadata_path);
  for (const dag::ExpectedParameter& parameter : work.expected.parameters)
    job.paths.push_back(parameter.path);
  job.bytes_max = kOutputBytesMax;
  submit(work, std::move(job), &Steps::take_raw_outputs);
}

void Steps::take_raw_outputs(Work& work, const ports::FileAnswer& answer) {
  const auto& contents = std::get<ports::FileContents>(answer).contents;
  std::int64_t bytes = 0;
  for (const auto& content : contents) bytes += content ? std::ssize(*content) : 0;
  if (bytes > kOutputBytesMax) {
    const std::string why = fmt::format(
        "its output parameters hold {} MiB, and {} are allowed: pass large values as "
        "artifacts",
        bytes >> 20, kOutputBytesMax >> 20);
    return fail(work, {why, {}}, true);
  }
  dag::RawOutputs raw;
  raw.metadata = contents.front();
  raw.parameters.assign(contents.begin() + 1, contents.end());
  auto outputs = dag::read_outputs(work.expected, raw);
  if (!outputs) return fail(work, {outputs.error().text(), {}}, false);
  work.outputs = *std::move(outputs);
  digest_outputs(work);
}

void Steps::digest_outputs(Work& work) {
  std::vector<std::string> paths = dag::artifact_paths(work.outputs);
  if (paths.empty()) return succeed(work);
  submit(work, ports::DigestPaths{std::move(paths), true}, &Steps::take_digests);
}

void Steps::take_digests(Work& work, const ports::FileAnswer& answer) {
  dag::set_digests(work.outputs, std::get<ports::Digests>(answer).digests);
  succeed(work);
}

void Steps::take_tail(Work& work, const ports::FileAnswer& answer) {
  const bool lost = work.exit->kind == ports::Exit::Kind::kLost;
  const bool permanent = work.exit->kind == ports::Exit::Kind::kNotStarted;
  fail(work, describe_failure(*work.exit, std::get<ports::Tail>(answer).text), permanent, lost);
}

void Steps::succeed(Work& work) {
  auto record = take_record(work, true);
  finish(work, dag::AttemptSucceeded{work.leaf.ordinal, work.attempt, std::move(work.outputs)},
         std::move(record));
}

void Steps::fail(Work& work, model::Failure failure, bool permanent, bool lost) {
  if (work.attempt == 0)  // a cache look-up that could not be verified is a miss
    return finish(work, dag::CacheMissed{work.leaf.ordinal});
  auto record = lost ? std::nullopt : take_record(work, false);
  finish(work,
         dag::AttemptFailed{work.leaf.ordinal, work.attempt, std::move(failure), lost, permanent},
         std::move(record));
}

void Steps::finish(Work& work, dag::Event event, std::optional<ports::StepRecord> record) {
  TimedEvent& told = harvest_.events.emplace_back(
      TimedEvent{std::move(event), work.ended_at, std::move(record), {}});
  if (work.executing) told.ended = attempt_id(work);
  if (work.queued) queue_.on_begun(*work.leaf.component);
  works_.erase(work.leaf.ordinal);
}

// ---- Importers and volumes: done here, not by a process ----

void Steps::begin_import(Work& work) {
  auto request = dag::make_import(work.leaf, plan_.context());
  if (!request) return fail(work, {request.error().text(), {}}, true);
  model::Artifact& artifact = request->artifact;
  if (artifact.uri.starts_with("/")) artifact.uri = "file://" + artifact.uri;
  const bool is_local = artifact.uri.starts_with("file://");
  if (!is_local && artifact.uri.find("://") == std::string::npos) {
    return fail(
        work,
        {fmt::format(
             "cannot import \"{}\": give an absolute path, or a URI such as file:///data/set",
             artifact.uri),
         {}},
        true);
  }
  if (!is_local) {
    harvest_.notices.push_back(
        fmt::format("{}: {} is registered as it is; this engine fetches no remote data",
                    work.leaf.path, artifact.uri));
  }
  const std::string source = raw_path(artifact.uri);
  const bool download = request->download_to_workspace && is_local;
  if (download) {
    artifact.uri =
        fmt::format("file://{}/.artifacts/{}.{}/{}", plan_.context().workspace, work.leaf.ordinal,
                    work.attempt, source.substr(source.rfind('/') + 1));
  }
  work.outputs.artifacts[artifact.name] = {artifact};
  if (!is_local) return succeed(work);
  if (!download) return digest_import(work, false);
  submit(work, ports::CopyPath{source, raw_path(artifact.uri)}, &Steps::take_import_copy);
}

void Steps::take_import_copy(Work& work, const ports::FileAnswer&) { digest_import(work, true); }

// What lies elsewhere is its owner's; a copy is ours, and has to survive a power cut.
void Steps::digest_import(Work& work, bool is_copy) {
  submit(work, ports::DigestPaths{dag::artifact_paths(work.outputs), is_copy},
         &Steps::take_import_digest);
}

void Steps::take_import_digest(Work& work, const ports::FileAnswer& answer) {
  const auto& digests = std::get<ports::Digests>(answer).digests;
  if (!digests.front()) {
    return fail(work,
                {fmt::format("cannot import {}: there is nothing at that path",
                             dag::artifact_paths(work.outputs).front()),
                 {}},
                true);
  }
  dag::set_digests(work.outputs, digests);
  succeed(work);
}

void Steps::begin_volume(Work& work, bool create) {
  auto text_input = [&work](std::string_view name) -> std::string {
    auto it = work.leaf.inputs.parameters.find(name);
    return it != work.leaf.inputs.parameters.end() && it->second.is_string()
               ? it->second.as_string()
               : std::string();
  };
  std::string name = text_input("pvc_name");
  if (name.empty() && create) {
    const std::string suffix = text_input("pvc_name_suffix");
    if (!suffix.empty()) name = plan_.context().resource_name + suffix;
  }
  if (!is_plain_name(name)) {
    return fail(work, {fmt::format("\"{}\" is no name of a volume", name), {}}, true);
  }
  if (create) {
    for (const auto& [output, parameter] : work.leaf.component->output_parameters)
      work.outputs.parameters.emplace(output, name);
    return submit(work, ports::MakeFolder{home_.volume_dir(name)}, &Steps::take_volume);
  }
  submit(work, ports::RemoveFolder{home_.volume_dir(name)}, &Steps::take_volume);
}

void Steps::take_volume(Work& work, const ports::FileAnswer&) { succeed(work); }

// ---- Answers ----

void Steps::submit(Work& work, ports::FileJob job, Continue next) {
  const std::uint64_t id = next_job_++;
  jobs_[id] = {work.leaf.ordinal, work.serial, next};
  ports_.files.submit(id, std::move(job));
}

void Steps::on_file(const ports::FileJobDone& done) {
  auto waiting = jobs_.extract(done.job);
  if (waiting.empty()) return;
  auto found = works_.find(waiting.mapped().task);
  if (found == works_.end() || found->second->serial != waiting.mapped().work) return;
  Work& work = *found->second;
  // How the step ended is known, whatever became of its log.
  const Continue next = waiting.mapped().next;
  if (!done.answer && next == &Steps::take_tail) return take_tail(work, ports::Tail{});
  const bool is_to_start = next == &Steps::take_keys || next == &Steps::take_mounts;
  if (!done.answer && is_to_start) {
    if (work.executing) return;  // it was stopped meanwhile
    return fail_to_start(work, {done.answer.error().text(), {}}, false);
  }
  if (!done.answer) {
    // Whether the step's outputs are safe is not known: that is a failure of the attempt, with the
    // file system's own words.
    return fail(work, {done.answer.error().text(), {}}, false);
  }
  (this->*next)(work, *done.answer);
}

Result<Steps::Harvest> Steps::poll() {
  programs_.clear();
  CR_TRY(const std::vector<ports::ExecutorEvent> executor_events, ports_.executor.poll());
  for (const ports::ExecutorEvent& event : executor_events) {
    std::visit([this](const auto& what) { on(what); }, event);
  }
  for (const ports::FileJobDone& done : ports_.files.poll()) on_file(done);
  for (const ports::EnvironmentReady& ready : ports_.environments.poll()) on_environment(ready);
  start_held();
  return std::exchange(harvest_, {});
}

}  // namespace cresset::app
