#include "cresset/app/run_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "cresset/app/cluster_settings.h"
#include "cresset/app/engine.h"
#include "cresset/app/event_codec.h"
#include "cresset/app/rerun.h"
#include "cresset/codec/kfp_ir.h"
#include "cresset/codec/run_json.h"
#include "cresset/dag/lightweight.h"
#include "cresset/text/suggest.h"

namespace cresset::app {

namespace {

constexpr Duration kFollowPoll = std::chrono::milliseconds(100);
constexpr std::uint64_t kSettingsJob = 1;

// A random UUID (RFC 9562, version 4).
model::RunId make_run_id(ports::Random& random) {
  const std::uint64_t high = (random.next() & ~std::uint64_t{0xf000}) | 0x4000;
  const std::uint64_t low = (random.next() & ~(std::uint64_t{3} << 62)) | (std::uint64_t{2} << 62);
  return model::RunId(fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", high >> 32,
                                  (high >> 16) & 0xffff, high & 0xffff, low >> 48,
                                  low & 0xffff'ffff'ffff));
}

dag::RunContext make_context(const ports::RunRecord& record, const RunOptions& options,
                             const Home& home) {
  constexpr std::size_t kSuffix = 5;
  dag::RunContext context;
  context.id = record.id;
  context.name = record.name;
  context.resource_name = record.pipeline + "-" + record.id.str().substr(0, kSuffix);
  context.created_at = record.created_at;
  context.artifact_root =
      fmt::format("file://{}/{}/{}", home.artifacts_dir(), record.pipeline, record.id.str());
  context.workspace = home.workspace_dir(record.id);
  context.success_word = options.success_word;
  context.use_cache = options.use_cache;
  context.fail_fast = options.fail_fast;
  return context;
}

Result<std::shared_ptr<const model::Pipeline>> read_stored_pipeline(
    const ports::RunDefinition& definition) {
  auto read = codec::read_pipeline(definition.spec, definition.file_name);
  if (!read.pipeline)
    return make_error(Code::kDataLoss, "the stored pipeline of the run cannot be read any more");
  return std::make_shared<const model::Pipeline>(*std::move(read.pipeline));
}

bool has_python_component(const model::Pipeline& pipeline) {
  return std::ranges::any_of(pipeline.components, [](const auto& entry) {
    const auto* container = std::get_if<model::Container>(&entry.second.body);
    return container != nullptr && dag::recognise_lightweight(*container).has_value();
  });
}

}  // namespace

RunService::RunService(Home home, Ports ports) : home_(std::move(home)), ports_(std::move(ports)) {}

Result<model::RunId> RunService::resolve(const std::string& text) {
  CR_TRY(const std::vector<ports::RunRecord> runs, ports_.store.list_runs());
  if (runs.empty()) return make_error(Code::kNotFound, "there are no runs in {} yet", home_.root());
  if (text == "latest") return runs.front().id;
  std::vector<std::string> matches;
  for (const ports::RunRecord& run : runs) {
    if (run.id.str() == text) return run.id;
    if (!text.empty() && run.id.str().starts_with(text)) matches.push_back(run.id.str());
  }
  if (matches.size() == 1) return model::RunId(matches.front());
  if (matches.empty())
    return make_error(Code::kNotFound, "no run \"{}\": `cresset ls` shows the runs of {}", text,
                      home_.root());
  return make_error(Code::kInvalidArgument, "\"{}\" fits {} runs: {}", text, matches.size(),
                    fmt::join(matches, ", "));
}

// ---- Making a run ----

Result<model::RunId> RunService::create(RunRequest request) {
  CR_TRY_VOID(check_cluster_objects(request.pipeline));
  CR_TRY_VOID(check_interpreter(request.pipeline, request.options));
  ports::RunRecord record;
  record.id = make_run_id(ports_.random);
  record.name = request.name.empty() ? request.pipeline.name : request.name;
  record.pipeline = request.pipeline.name;
  record.created_at = ports_.clock.wall_now();
  ports::RunDefinition definition;
  definition.file_name = std::move(request.file_name);
  definition.spec = std::move(request.spec);
  definition.options = Value::make_struct(
      {{"options", encode(request.options)}, {"inputs", codec::encode(request.inputs)}});
  CR_TRY_VOID(ports_.store.create_run(record, definition));
  return record.id;
}

Result<void> RunService::check_cluster_objects(const model::Pipeline& pipeline) {
  const std::vector<Requirement> wanted = cluster_requirements(pipeline, home_);
  if (wanted.empty()) return {};
  ports::StatPaths job;
  for (const Requirement& requirement : wanted) job.paths.push_back(requirement.path);
  CR_TRY(const ports::FileAnswer answer, wait_for(std::move(job)));
  std::string missing;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (std::get<ports::PathKinds>(answer).kinds[i] != ports::PathKinds::Kind::kNone) continue;
    missing += fmt::format("\n  {}: put it at {}", wanted[i].what, wanted[i].path);
  }
  if (missing.empty()) return {};
  return make_error(Code::kFailedPrecondition, "the pipeline needs what this home does not have:{}",
                    missing);
}

Result<void> RunService::check_interpreter(const model::Pipeline& pipeline, RunOptions& options) {
  auto found = ports_.environments.inspect(options.python);
  if (found) {
    options.python = found->executable;
  } else if (has_python_component(pipeline)) {
    return std::move(found).error().with("the pipeline has Python components");
  }
  return {};
}

Result<ports::FileAnswer> RunService::wait_for(ports::FileJob job) {
  ports_.files.submit(kSettingsJob, std::move(job));
  while (true) {
    for (ports::FileJobDone& done : ports_.files.poll()) {
      if (done.job == kSettingsJob) return std::move(done.answer);
    }
    ports_.reactor.wait(ports_.clock.now() + kFollowPoll);
  }
}

// ---- Driving and following ----

Result<RunService::Loaded> RunService::load(const model::RunId& run) {
  Loaded out;
  CR_TRY(out.record, ports_.store.find_run(run));
  CR_TRY(const ports::RunDefinition definition, ports_.store.definition(run));
  CR_TRY(std::shared_ptr<const model::Pipeline> pipeline, read_stored_pipeline(definition));
  const Value* options = definition.options.find("options");
  const Value* inputs = definition.options.find("inputs");
  if (options == nullptr || inputs == nullptr)
    return make_error(Code::kDataLoss, "the stored definition of the run is incomplete");
  CR_TRY(out.options, decode_run_options(*options));
  CR_TRY(model::Bindings bindings, codec::decode_bindings(*inputs));
  CR_TRY(out.plan, dag::Plan::make(std::move(pipeline), std::move(bindings),
                                   make_context(out.record, out.options, home_)));
  CR_TRY_VOID(catch_up(out));
  return out;
}

Result<std::vector<dag::TaskOrdinal>> RunService::catch_up(Loaded& loaded) {
  CR_TRY(const std::vector<ports::StoredEvent> events,
         ports_.store.events(loaded.record.id, loaded.seq));
  std::vector<dag::TaskOrdinal> changed;
  for (const ports::StoredEvent& stored : events) {
    CR_TRY(const dag::Event event, decode_event(stored.payload));
    const dag::StepResult result = loaded.plan->step(event, stored.at);
    changed.insert(changed.end(), result.changed.begin(), result.changed.end());
    loaded.seq = stored.seq;
  }
  return changed;
}

Result<model::RunView> RunService::drive(const model::RunId& run, RunObserver& observer,
                                         Interrupts& interrupts) {
  std::optional<Loaded> watched;
  int passed_on = 0;
  while (true) {
    auto lease = ports_.store.acquire(run);
    if (lease) {
      CR_TRY(Loaded loaded, load(run));
      if (is_final(loaded.plan->state())) return loaded.plan->view();
      return own(std::move(loaded), *std::move(lease), observer, interrupts);
    }
    if (lease.error().reason != "run.owned") return std::move(lease).error();
    if (!watched) {
      CR_TRY(watched, load(run));
      observer.on_notice("another process drives this run: following it");
    }
    CR_TRY_VOID(watch_once(*watched, observer));
    if (is_final(watched->plan->state())) return watched->plan->view();
    for (const int level = interrupts.level(); passed_on < level; ++passed_on) {
      CR_TRY_VOID(
          ports_.store.post(run, passed_on == 0 ? ports::Command::kCancel : ports::Command::kKill));
    }
    ports_.reactor.wait(ports_.clock.now() + kFollowPoll);
  }
}

Result<model::RunView> RunService::own(Loaded loaded, std::unique_ptr<ports::Lease> lease,
                                       RunObserver& observer, Interrupts& interrupts) {
  CR_TRY(std::string runtime, ports_.runtime_dir());
  Engine engine({ports_.clock,
                 ports_.reactor,
                 {ports_.store, ports_.executor, ports_.files, ports_.environments}},
                std::move(lease), std::move(loaded.plan), std::move(loaded.record), loaded.seq,
                home_, std::move(loaded.options), std::move(runtime));
  CR_TRY_VOID(engine.run(observer, interrupts));
  return engine.plan().view();
}

Result<void> RunService::watch_once(Loaded& loaded, RunObserver& observer) {
  CR_TRY(const std::vector<dag::TaskOrdinal> changed, catch_up(loaded));
  if (!changed.empty()) {
    std::vector<dag::TaskBrief> briefs;
    const std::set<dag::TaskOrdinal> tasks(changed.begin(), changed.end());
    for (dag::TaskOrdinal task : tasks) briefs.push_back(loaded.plan->brief(task));
    observer.on_changes(*loaded.plan, briefs);
  }
  observer.on_tick(*loaded.plan);
  return {};
}

Result<model::RunView> RunService::follow(const model::RunId& run, RunObserver& observer,
                                          Interrupts& interrupts) {
  CR_TRY(Loaded loaded, load(run));
  while (!is_final(loaded.plan->state()) && interrupts.level() == 0) {
    CR_TRY_VOID(watch_once(loaded, observer));
    if (is_final(loaded.plan->state())) break;
    ports_.reactor.wait(ports_.clock.now() + kFollowPoll);
  }
  return loaded.plan->view();
}

// ---- Finished runs ----

Result<void> RunService::reopen(const model::RunId& run) {
  CR_TRY(const std::unique_ptr<ports::Lease> lease, ports_.store.acquire(run));
  CR_TRY(Loaded loaded, load(run));
  if (!is_final(loaded.plan->state())) {
    return make_error(Code::kFailedPrecondition,
                      "run {} has not ended: `cresset resume` goes on with it", run.str());
  }
  if (loaded.plan->state() == model::State::kSucceeded) {
    return make_error(Code::kFailedPrecondition, "run {} succeeded: there is nothing to retry",
                      run.str());
  }
  const WallTime now = ports_.clock.wall_now();
  loaded.plan->step(dag::RetryAsked{}, now);
  ports::Commit commit;
  commit.events.push_back({loaded.seq + 1, now, encode_event(dag::RetryAsked{})});
  loaded.record.state = loaded.plan->state();
  loaded.record.finished_at = loaded.plan->finished_at();
  commit.record = loaded.record;
  // Wishes that came too late for the run as it was are not meant for the run as it will be.
  CR_TRY(const std::vector<ports::StoredCommand> stale, ports_.store.commands(run, 0));
  for (const ports::StoredCommand& command : stale) commit.commands_taken = command.id;
  return ports_.store.commit(*lease, commit);
}

Result<RunRequest> RunService::make_rerun(const model::RunId& run, const std::string& task_path,
                                          const model::ByName<std::string>& changes) {
  CR_TRY(Loaded loaded, load(run));
  CR_TRY(const dag::TaskOrdinal task, find_task(*loaded.plan, task_path));
  CR_TRY(const ports::RunDefinition definition, ports_.store.definition(run));
  RunRequest request;
  request.file_name = definition.file_name;
  request.options = loaded.options;
  request.options.use_cache = false;
  CR_TRY_VOID(isolate_task(*loaded.plan, task, definition.spec, changes, request));
  request.name = fmt::format("{} ({})", loaded.record.name, task_path);
  return request;
}

Result<std::unique_ptr<dag::Plan>> RunService::plan(const model::RunId& run) {
  CR_TRY(Loaded loaded, load(run));
  return std::move(loaded.plan);
}

Result<model::RunView> RunService::view(const model::RunId& run) {
  CR_TRY(const Loaded loaded, load(run));
  return loaded.plan->view();
}

Result<std::vector<ports::RunRecord>> RunService::list() { return ports_.store.list_runs(); }

Result<void> RunService::cancel(const model::RunId& run, bool kill) {
  CR_TRY(const ports::RunRecord record, ports_.store.find_run(run));
  if (is_final(record.state)) {
    Error error = make_error(Code::kFailedPrecondition, "run {} has already ended: {}", run.str(),
                             to_string(record.state));
    error.reason = "run.already_finished";
    return error;
  }
  return ports_.store.post(run, kill ? ports::Command::kKill : ports::Command::kCancel);
}

Result<bool> RunService::has_live_engine(const model::RunId& run) {
  auto lease = ports_.store.acquire(run);
  if (lease) return false;
  if (lease.error().reason == "run.owned") return true;
  return std::move(lease).error();
}

Result<dag::TaskOrdinal> RunService::find_task(const dag::Plan& plan, const std::string& path) {
  if (const auto task = plan.find(path)) return *task;
  std::vector<std::string> paths;
  std::vector<dag::TaskOrdinal> by_end;
  for (const model::TaskView& task : plan.view().tasks) {
    paths.push_back(task.path);
    if (task.name == path || task.path.ends_with("/" + path)) by_end.push_back(task.ordinal);
  }
  if (by_end.size() == 1) return by_end.front();
  if (by_end.size() > 1)
    return make_error(Code::kInvalidArgument, "\"{}\" fits {} tasks: give its whole path", path,
                      by_end.size());
  return make_error(Code::kNotFound, "the run has no task \"{}\"{}", path,
                    text::did_you_mean_suffix(path, paths));
}

}  // namespace cresset::app
