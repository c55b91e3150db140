#include "cresset/app/run_service.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "cresset/app/cluster_settings.h"
#include "cresset/app/engine.h"
#include "cresset/app/event_codec.h"
#include "cresset/app/hand_run.h"
#include "cresset/app/rerun.h"
#include "cresset/base/digest.h"
#include "cresset/codec/kfp_ir.h"
#include "cresset/codec/run_json.h"
#include "cresset/dag/lightweight.h"
#include "cresset/dag/outputs.h"
#include "cresset/text/suggest.h"

namespace cresset::app {

namespace {

constexpr Duration kFollowPoll = std::chrono::milliseconds(100);
// A brief holds text.
constexpr std::size_t kBriefsMax = 4096;

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

// Nothing is guessed: what is missing may be the end of a step, which would then run again.
Error damaged(const model::RunId& run, std::string_view what) {
  Error error = make_error(
      Code::kDataLoss,
      "run {0} is damaged: {1}; put a backup back (`cresset restore` makes a home of one), or give "
      "the run up with `cresset rm {0}`",
      run.str(), what);
  error.reason = "run.damaged";
  return error;
}

void tell_of_attaching(const dag::Plan& plan, RunObserver& observer) {
  if (plan.state() == model::State::kRunning) observer.on_attached(plan);
}

// No clock tells a year that RFC 3339 cannot write.
bool is_a_time(WallTime at) {
  constexpr std::chrono::seconds kMax{253'402'300'800};  // the year 10,000
  return at >= WallTime{} && at < WallTime{kMax};
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
  definition.options =
      Value::make_struct({{"options", encode(request.options)},
                          {"inputs", codec::encode(request.inputs, home_.root())}});
  definition.uses = std::move(request.uses);
  CR_TRY_VOID(ports_.store.create_run(record, definition));
  last_read_ = {definition.file_name, sha256_hex(definition.spec),
                std::make_shared<const model::Pipeline>(std::move(request.pipeline))};
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

Result<ports::FileAnswer> RunService::wait_for(ports::FileJob job, Interrupts* interrupts) {
  // One that was given up answers later.
  const std::uint64_t number = ++jobs_;
  ports_.files.submit(number, std::move(job));
  while (true) {
    for (ports::FileJobDone& done : ports_.files.poll()) {
      if (done.job == number) return std::move(done.answer);
    }
    if (interrupts != nullptr && interrupts->level() > 0) return interrupted();
    ports_.reactor.wait(ports_.clock.now() + kFollowPoll);
  }
}

// ---- Driving and following ----

Result<RunService::Loaded> RunService::load(const model::RunId& run) {
  Loaded out;
  CR_TRY(out.record, ports_.store.find_run(run));
  auto definition = ports_.store.definition(run);
  if (!definition) {
    if (definition.error().code != Code::kNotFound) return std::move(definition).error();
    CR_TRY_VOID(ports_.store.find_run(run));  // unless it was removed meanwhile
    return damaged(run, "its pipeline is not stored");
  }
  CR_TRY(std::shared_ptr<const model::Pipeline> pipeline, read_stored(run, *definition));
  if (auto planned = make_plan(std::move(pipeline), definition->options, out); !planned)
    return damaged(run, planned.error().text());
  CR_TRY_VOID(catch_up(out));
  return out;
}

Result<std::shared_ptr<const model::Pipeline>> RunService::read_stored(
    const model::RunId& run, const ports::StoredDefinition& definition) {
  if (last_read_.digest != definition.spec_digest || last_read_.file_name != definition.file_name) {
    CR_TRY(const std::string spec, ports_.store.spec(run));
    // It would be that of other runs too.
    if (sha256_hex(spec) != definition.spec_digest)
      return damaged(run, "its pipeline is not the one that was stored");
    auto read = codec::read_pipeline(spec, definition.file_name);
    if (!read.pipeline) return damaged(run, "its stored pipeline cannot be read any more");
    last_read_ = {definition.file_name, definition.spec_digest,
                  std::make_shared<const model::Pipeline>(*std::move(read.pipeline))};
  }
  return last_read_.pipeline;
}

Result<void> RunService::make_plan(std::shared_ptr<const model::Pipeline> pipeline,
                                   const Value& stored, Loaded& out) {
  const Value* options = stored.find("options");
  const Value* inputs = stored.find("inputs");
  if (options == nullptr || inputs == nullptr)
    return make_error(Code::kDataLoss, "its stored definition is incomplete");
  CR_TRY(out.options, decode_run_options(*options));
  CR_TRY(model::Bindings bindings, codec::decode_bindings(*inputs, home_.root()));
  CR_TRY(out.plan, dag::Plan::make(std::move(pipeline), std::move(bindings),
                                   make_context(out.record, out.options, home_)));
  return {};
}

// For who is to write to the run, and so has it alone.
Result<RunService::Loaded> RunService::load_owned(const ports::Lease& lease) {
  CR_TRY(Loaded loaded, load(lease.run()));
  // Both are always written together.
  if (is_final(loaded.record.state) && !is_final(loaded.plan->state())) {
    return damaged(lease.run(), fmt::format("it is listed as {}, and its last events are missing",
                                            to_string(loaded.record.state)));
  }
  return loaded;
}

// Tells the observer of each event by itself, as who drives the run is told: much may have happened
// to one task meanwhile.
Result<void> RunService::catch_up(Loaded& loaded, RunObserver* observer) {
  CR_TRY(const std::vector<ports::StoredEvent> events,
         ports_.store.events(loaded.record.id, loaded.seq));
  std::vector<dag::TaskBrief> briefs;
  const auto tell = [&] {
    if (!briefs.empty()) observer->on_changes(*loaded.plan, std::exchange(briefs, {}));
  };
  for (const ports::StoredEvent& stored : events) {
    CR_TRY(const dag::Event event, take_event(stored, loaded));
    const dag::StepResult result = loaded.plan->step(event, stored.at);
    loaded.seq = stored.seq;
    if (observer == nullptr) continue;
    for (const dag::TaskOrdinal task : result.changed) {
      briefs.push_back(loaded.plan->brief(task));
      if (briefs.size() >= kBriefsMax) tell();
    }
  }
  if (observer != nullptr) tell();
  return {};
}

Result<dag::Event> RunService::take_event(const ports::StoredEvent& stored,
                                          const Loaded& loaded) const {
  const model::RunId& run = loaded.record.id;
  if (stored.seq != loaded.seq + 1)
    return damaged(run, fmt::format("event {} is missing", loaded.seq + 1));
  auto event = decode_event(stored.payload, home_.root());
  if (!event && event.error().reason == "event.unknown")
    return std::move(event).error().with("run {}, event {}", run.str(), stored.seq);
  Result<void> possible;
  if (!event) {
    possible = event.error();
  } else if (!is_a_time(stored.at)) {
    possible = make_error(Code::kDataLoss, "its time is none");
  } else {
    possible = loaded.plan->check(*event);
  }
  if (!possible)
    return damaged(run, fmt::format("event {}: {}", stored.seq, possible.error().text()));
  return event;
}

Result<model::RunView> RunService::drive(const model::RunId& run, RunObserver& observer,
                                         Interrupts& interrupts) {
  CR_TRY(const std::unique_ptr<dag::Plan> plan, drive_plan(run, observer, interrupts));
  return plan->view();
}

Result<std::unique_ptr<dag::Plan>> RunService::drive_plan(const model::RunId& run,
                                                          RunObserver& observer,
                                                          Interrupts& interrupts) {
  CR_TRY(const ports::RunRecord record, ports_.store.find_run(run));
  if (is_final(record.state)) {
    // Nothing is written, so that it can be looked at where nothing can be.
    CR_TRY(Loaded loaded, load(run));
    if (is_final(loaded.plan->state())) return std::move(loaded.plan);
  }
  std::optional<Loaded> watched;
  int passed_on = 0;
  while (true) {
    auto lease = ports_.store.acquire(run);
    if (lease) {
      // Its engine has ended, maybe with the run, since this process last looked.
      if (watched) CR_TRY_VOID(watch_once(*watched, observer));
      CR_TRY(Loaded loaded, load_owned(**lease));
      if (is_final(loaded.plan->state())) return std::move(loaded.plan);
      auto plan = own(std::move(loaded), *std::move(lease), observer, interrupts);
      // Somebody removed a run whose results this one was about to take. Nothing of that is stored:
      // as after a crash, the run goes on from what is.
      if (!plan && plan.error().reason == "run.source_gone") continue;
      return plan;
    }
    if (lease.error().reason != "run.owned") return std::move(lease).error();
    if (!watched) {
      CR_TRY(watched, load(run));
      observer.on_notice("another process drives this run: following it");
      tell_of_attaching(*watched->plan, observer);
    }
    CR_TRY_VOID(watch_once(*watched, observer));
    if (is_final(watched->plan->state())) return std::move(watched->plan);
    for (const int level = interrupts.level(); passed_on < level; ++passed_on) {
      CR_TRY_VOID(
          ports_.store.post(run, passed_on == 0 ? ports::Command::kCancel : ports::Command::kKill));
    }
    ports_.reactor.wait(ports_.clock.now() + kFollowPoll);
  }
}

Result<std::unique_ptr<dag::Plan>> RunService::own(Loaded loaded,
                                                   std::unique_ptr<ports::Lease> lease,
                                                   RunObserver& observer, Interrupts& interrupts) {
  CR_TRY(std::string runtime, ports_.runtime_dir());
  tell_of_attaching(*loaded.plan, observer);
  const std::uint64_t first_job = ++engines_ << 32;
  Engine engine({ports_.clock,
                 ports_.reactor,
                 {ports_.store, ports_.executor, ports_.files, ports_.environments, first_job},
                 ports_.changes_max},
                std::move(lease), std::move(loaded.plan), std::move(loaded.record), loaded.seq,
                home_, std::move(loaded.options), std::move(runtime));
  CR_TRY_VOID(engine.run(observer, interrupts));
  return engine.take_plan();
}

Result<void> RunService::watch_once(Loaded& loaded, RunObserver& observer) {
  CR_TRY_VOID(catch_up(loaded, &observer));
  observer.on_tick(*loaded.plan);
  return {};
}

Result<model::RunView> RunService::follow(const model::RunId& run, RunObserver& observer,
                                          Interrupts& interrupts) {
  CR_TRY(Loaded loaded, load(run));
  tell_of_attaching(*loaded.plan, observer);
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
  CR_TRY(Loaded loaded, load_owned(*lease));
  if (!is_final(loaded.plan->state())) {
    return make_error(Code::kFailedPrecondition,
                      "run {} has not ended: `cresset resume` goes on with it", run.str());
  }
  if (loaded.plan->state() == model::State::kSucceeded) {
    return make_error(Code::kFailedPrecondition, "run {} succeeded: there is nothing to retry",
                      run.str());
  }
  const WallTime now = std::max(ports_.clock.wall_now(), loaded.plan->latest());
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
  CR_TRY(const ports::StoredDefinition definition, ports_.store.definition(run));
  CR_TRY(const std::string spec, ports_.store.spec(run));
  RunRequest request;
  request.file_name = definition.file_name;
  request.options = loaded.options;
  request.options.use_cache = false;
  CR_TRY_VOID(isolate_task(*loaded.plan, task, spec, changes, request));
  CR_TRY(request.uses, sources_of(loaded.record, request.inputs));
  request.name = fmt::format("{} ({})", loaded.record.name, task_path);
  return request;
}

Result<ports::StartSpec> RunService::prepare_by_hand(
    RunRequest request, const std::string& folder,
    const std::function<void(std::string_view)>& on_notice, Interrupts& interrupts) {
  CR_TRY_VOID(check_cluster_objects(request.pipeline));
  CR_TRY_VOID(check_interpreter(request.pipeline, request.options));
  CR_TRY(std::string runtime, ports_.runtime_dir());
  return app::prepare_by_hand(request, {make_run_id(ports_.random), folder, std::move(runtime)},
                              home_, ports_, on_notice, interrupts);
}

// In whose folders these artifacts of a run lie: its own, and those of the runs that it uses.
Result<std::vector<model::RunId>> RunService::sources_of(const ports::RunRecord& run,
                                                         const model::Bindings& bindings) {
  std::vector<model::RunId> known = {run.id};
  CR_TRY(const std::vector<ports::RunUse> uses, ports_.store.uses());
  for (const ports::RunUse& use : uses) {
    if (use.user == run.id) known.push_back(use.source);
  }
  const std::vector<std::string> paths = dag::artifact_paths(bindings);
  std::vector<model::RunId> out;
  for (const model::RunId& id : known) {
    // A step is taken from the cache of its own pipeline alone.
    ports::RunRecord owner = run;
    owner.id = id;
    const std::string folder = artifacts_dir(owner) + "/";
    const auto is_inside = [&](const std::string& path) { return path.starts_with(folder); };
    if (std::ranges::any_of(paths, is_inside)) out.push_back(id);
  }
  return out;
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
  CR_TRY(const bool owned, ports_.store.is_owned(run));
  // No engine would take it up.
  if (!owned) CR_TRY_VOID(load(run));
  return ports_.store.post(run, kill ? ports::Command::kKill : ports::Command::kCancel);
}

Result<bool> RunService::has_live_engine(const model::RunId& run) {
  return ports_.store.is_owned(run);
}

Result<dag::TaskOrdinal> RunService::find_task(const dag::Plan& plan, const std::string& path) {
  if (const auto task = plan.find(path)) return *task;
  constexpr std::size_t kNamed = 5;
  std::vector<std::string> paths;
  std::vector<std::string> fitting;
  std::vector<dag::TaskOrdinal> by_end;
  for (const model::TaskView& task : plan.view().tasks) {
    paths.push_back(task.path);
    const bool is_end =
        task.path.ends_with("/" + path) || (path.starts_with('[') && task.path.ends_with(path));
    if (task.name == path || task.display_name == path || is_end) {
      by_end.push_back(task.ordinal);
      if (fitting.size() < kNamed) fitting.push_back(task.path);
    }
  }
  if (by_end.size() == 1) return by_end.front();
  if (by_end.size() > 1)
    return make_error(Code::kInvalidArgument, "\"{}\" fits {} tasks: give a whole path ({}{})",
                      path, by_end.size(), fmt::join(fitting, ", "),
                      by_end.size() > fitting.size() ? ", …" : "");
  return make_error(Code::kNotFound, "the run has no task \"{}\"{}", path,
                    text::did_you_mean_suffix(path, paths));
}

}  // namespace cresset::app
