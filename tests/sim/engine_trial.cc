#include "sim/engine_trial.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>
#include <utility>

#include "cresset/app/read_pipeline.h"
#include "cresset/app/testing/engine_world.h"
#include "cresset/base/check.h"
#include "cresset/codec/parameters.h"
#include "sim/behaviour.h"
#include "sim/ir.h"
#include "sim/program.h"
#include "sim/seeded_random.h"

namespace cresset::sim {

namespace {

using app::testing::EngineProcess;
using app::testing::EngineWorld;
using Counts = std::map<std::string, unsigned>;

constexpr const char* kHome = "/srv/cresset";

std::string variable(const ports::StartSpec& spec, std::string_view wanted) {
  for (const auto& [name, value] : spec.env) {
    if (name == wanted) return value;
  }
  return {};
}

// Of simulated time: no pipeline here takes more than hours.
constexpr Duration kLongest = std::chrono::hours{24 * 4};
struct TakesForEver {};

// What the machine saw of one run.
struct Seen {
  Counts failures;  // by path, all generations
  Counts runs;      // by path, of this generation
};

class Machine {
 public:
  Machine(EngineWorld& world, const Sketch& sketch) : world_(world) {
    for (const auto& [path, content] : files_needed(sketch))
      world.files.write(path.starts_with('/') ? path : fmt::format("{}/{}", kHome, path), content);
    world.environments.add_program(std::string(kProgram), {"/usr/bin/step", "step 1"});
    world.machine.set_script([this](const ports::StartSpec& spec) { return script(spec); });
  }

  // The run that goes on now, and what it must come to, if that is known.
  void watch(Seen& seen, const Outcome* outcome) {
    seen_ = &seen;
    outcome_ = outcome;
  }
  [[nodiscard]] const std::string& difference() const { return difference_; }
  std::uint64_t steps = 0;

 private:
  ports::testing::Script script(const ports::StartSpec& spec) {
    const std::string path = variable(spec, "CRESSET_TASK");
    unsigned& failures = seen_->failures[path];
    const unsigned before = failures;
    const Conduct conduct = conduct_of(spec, before);
    ports::testing::Script script;
    script.starts_after = std::chrono::milliseconds(1);
    const Mischief mischief = decode_behaviour(spec.argv[1]).step.mischief;
    if (conduct.missing_program ||
        (mischief.kind != Mischief::Kind::kNone && before < mischief.times))
      ++failures;
    if (conduct.missing_program) {
      script.exit.kind = ports::Exit::Kind::kNotStarted;
      script.exit.detail = "command not found: step";
      return script;
    }
    ++steps;
    ++seen_->runs[path];
    check_inputs(path, spec);
    script.runs_for = conduct.runs_for;
    script.output = conduct.prints;
    script.ignores_terminate = conduct.ignores_terminate;
    script.exit.code = conduct.exit_code;
    if (conduct.signal != 0) {
      script.exit.kind = ports::Exit::Kind::kSignaled;
      script.exit.code = conduct.signal;
    }
    script.work = [before](const ports::StartSpec& of, ports::testing::MemoryFiles& files,
                           ports::Exit& exit) {
      if (exit.kind == ports::Exit::Kind::kExited && exit.code == 0) do_work(of, files, before);
    };
    return script;
  }

  void check_inputs(const std::string& path, const ports::StartSpec& spec) {
    const Received received = received_by(spec, world_.files);
    if (outcome_ == nullptr) return;
    report(objection(*outcome_, path, received.inputs, received.env));
    for (const auto& [loop, limit] : outcome_->limits) {
      if (path.starts_with(loop + "[")) check_limit(loop, limit, path);
    }
  }

  // `path` is about to run beside what runs.
  void check_limit(const std::string& loop, std::size_t limit, const std::string& path) {
    const auto iteration = [&loop](const std::string& of) {
      return of.starts_with(loop + "[") ? of.substr(0, of.find(']', loop.size())) : std::string();
    };
    std::set<std::string> live = {iteration(path)};
    for (const model::AttemptId& id : world_.machine.running())
      live.insert(iteration(variable(world_.machine.specs().at(id), "CRESSET_TASK")));
    live.erase("");
    if (live.size() > limit)
      report(fmt::format("{} iterations of {} run, {} may", live.size(), loop, limit));
  }

  void report(std::string text) {
    if (difference_.empty()) difference_ = std::move(text);
  }

  EngineWorld& world_;
  Seen* seen_ = nullptr;
  const Outcome* outcome_ = nullptr;
  std::string difference_;
};

class Comparison {
 public:
  Comparison(const Outcome& outcome, const model::RunView& view,
             const ports::testing::MemoryFiles& files)
      : outcome_(outcome), view_(view), files_(files) {}

  std::string difference() {
    if (to_string(view_.state) != to_string(outcome_.run)) {
      report(fmt::format("the run is {}, foreseen {}: {}", to_string(view_.state),
                         to_string(outcome_.run), view_.error ? view_.error->message : ""));
    }
    compare("the run's inputs", outcome_.inputs, view_.inputs);
    compare("the run's outputs", outcome_.outputs, view_.outputs);
    Counts shown;
    for (const model::TaskView& task : view_.tasks) {
      if (++shown[task.path] > 1) report(task.path + " is shown twice");
      const auto found = outcome_.tasks.find(task.path);
      if (found == outcome_.tasks.end()) {
        report(fmt::format("{} ({}) is not foreseen", task.path, to_string(task.state)));
      } else {
        compare(task, found->second);
      }
    }
    for (const auto& [path, fate] : outcome_.tasks) {
      if (!shown.contains(path))
        report(fmt::format("{} ({}) is foreseen and not there", path, to_string(fate.fate)));
    }
    return std::move(out_);
  }

 private:
  void compare(const model::TaskView& task, const TaskFate& fate) {
    if (to_string(task.state) != to_string(fate.fate)) {
      return report(fmt::format("{} is {} ({}{}), foreseen {}", task.path, to_string(task.state),
                                task.reason, task.error ? task.error->message : "",
                                to_string(fate.fate)));
    }
    if (fate.began) compare("inputs of " + task.path, fate.inputs, task.inputs);
    compare("outputs of " + task.path, fate.outputs, task.outputs);
  }

  void compare(const std::string& what, const Data& foreseen, const model::Bindings& real) {
    const Data data = data_of(real, files_);
    if (!same(foreseen, data))
      report(fmt::format("{}: {}\n  foreseen {}", what, to_text(data), to_text(foreseen)));
  }

  void report(const std::string& text) {
    if (out_.size() < 4000) out_ += text + "\n";
  }

  const Outcome& outcome_;
  const model::RunView& view_;
  const ports::testing::MemoryFiles& files_;
  std::string out_;
};

class Trier {
 public:
  // `sketch` runs, `foreseen` is what the oracle is asked about.
  Trier(const Sketch& sketch, const Sketch& foreseen)
      : sketch_(sketch), foreseen_(foreseen), machine_(world_, sketch) {}

  Trial run(std::optional<std::uint64_t> cancel_after) {
    read();
    if (!out_.difference.empty()) return std::move(out_);
    run_and_retry();
    if (out_.difference.empty()) {
      Seen seen;
      run_once("second run", create(), seen);
    }
    if (cancel_after && out_.difference.empty()) run_cancelled(*cancel_after);
    if (cancel_after && out_.difference.empty()) run_fail_fast();
    out_.steps = machine_.steps;
    return std::move(out_);
  }

 private:
  static constexpr int kGenerationsMax = 4;

  struct Ended {
    Outcome outcome;
    model::State state = model::State::kFailed;
  };

  void read() {
    spec_ = to_ir(sketch_);
    codec::ReadResult read = app::read_and_check(spec_, "sketch.json");
    for (const codec::Diagnostic& diagnostic : read.diagnostics) {
      if (!diagnostic.pointer.ends_with("/workspace/size"))
        out_.difference += diagnostic.pointer + ": " + diagnostic.message + "\n";
    }
    if (!read.pipeline) return;
    request_.file_name = "sketch.json";
    request_.spec = spec_;
    auto inputs = codec::resolve_inputs(read.pipeline->root, run_inputs(sketch_));
    if (!inputs) {
      out_.difference = inputs.error().text();
      return;
    }
    request_.inputs.parameters = *std::move(inputs);
    request_.pipeline = *std::move(read.pipeline);
    request_.options.python = "/usr/bin/python3";
  }

  model::RunId create() {
    EngineProcess process(world_);
    auto run = process.service.create(request_);
    if (!run) {
      out_.difference = run.error().text();
      return {};
    }
    return *std::move(run);
  }

  void run_and_retry() {
    const model::RunId run = create();
    Seen seen;
    auto ended = run_once("first run", run, seen);
    if (ended && ended->outcome.exact) compare_counts(ended->outcome, seen);
    for (int i = 2; i <= kGenerationsMax && ended && ended->state == model::State::kFailed; ++i) {
      reopen(run);
      ended = run_once(fmt::format("generation {}", i), run, seen);
    }
  }

  void run_cancelled(std::uint64_t cancel_after) {
    const model::RunId run = create();
    Seen seen;
    std::uint64_t waits = 0;
    machine_.watch(seen, nullptr);
    ++out_.runs;
    auto view = drive(run, [&](EngineProcess& process) {
      if (++waits > cancel_after) process.interrupts = cancel_after % 2 == 0 ? 1 : 2;
    });
    if (!view) out_.difference = "cancelled run: " + view.error().text();
    if (!view || view->state == model::State::kSucceeded) return;
    reopen(run);
    run_once("after the cancel", run, seen);
  }

  // What --fail-fast keeps from running is not foreseen; a run in which nothing fails for good is.
  void run_fail_fast() {
    request_.options.fail_fast = true;
    const model::RunId run = create();
    Seen seen;
    for (int i = 1; i <= kGenerationsMax && out_.difference.empty(); ++i) {
      const auto ended = run_once(fmt::format("generation {} with fail-fast", i), run, seen);
      if (!ended || ended->state != model::State::kFailed) return;
      reopen(run);
    }
  }

  void reopen(const model::RunId& run) {
    EngineProcess process(world_);
    if (auto opened = process.service.reopen(run); !opened)
      out_.difference = "reopening: " + opened.error().text();
  }

  // Nothing when something was different.
  std::optional<Ended> run_once(const std::string& what, const model::RunId& run, Seen& seen) {
    if (!out_.difference.empty()) return std::nullopt;
    ++out_.runs;
    seen.runs.clear();
    Ended ended;
    ended.outcome = foresee(foreseen_, seen.failures);
    const bool exact = ended.outcome.exact &&
                       (!request_.options.fail_fast || ended.outcome.run == Fate::kSucceeded);
    machine_.watch(seen, exact ? &ended.outcome : nullptr);
    const auto view = drive(run, [](EngineProcess&) {});
    if (!view) {
      out_.difference = what + ": " + view.error().text();
      return std::nullopt;
    }
    ended.state = view->state;
    for (const model::TaskView& task : view->tasks) out_.cached += task.cached ? 1 : 0;
    if (!exact) return ended;
    out_.difference = Comparison(ended.outcome, *view, world_.files).difference();
    if (out_.difference.empty()) out_.difference = machine_.difference();
    if (out_.difference.empty()) return ended;
    out_.difference = what + ": " + out_.difference;
    return std::nullopt;
  }

  // Calls `on_wait` whenever the engine waits.
  template <class F>
  Result<model::RunView> drive(const model::RunId& run, F on_wait) {
    EngineProcess process(world_);
    process.reactor.before_wait([&, since = world_.clock.now()] {
      if (world_.clock.now() - since > kLongest) throw TakesForEver();
      on_wait(process);
    });
    try {
      return process.drive(run);
    } catch (const TakesForEver&) {
      return make_error(Code::kDeadlineExceeded, "the run does not end");
    } catch (const ports::testing::StuckForEver&) {
      return make_error(Code::kDeadlineExceeded, "nothing happens any more");
    }
  }

  void compare_counts(const Outcome& outcome, const Seen& seen) {
    for (const auto& [path, fate] : outcome.tasks) {
      const auto found = seen.runs.find(path);
      const unsigned runs = found == seen.runs.end() ? 0 : found->second;
      if (fate.kind == TaskFate::Kind::kStep && runs != fate.runs)
        out_.difference += fmt::format("{} ran {} times, foreseen {}\n", path, runs, fate.runs);
    }
    for (const auto& [path, failures] : seen.failures) {
      const auto found = outcome.failures_after.find(path);
      const unsigned foreseen = found == outcome.failures_after.end() ? 0 : found->second;
      if (failures != foreseen)
        out_.difference +=
            fmt::format("{} failed {} times, foreseen {}\n", path, failures, foreseen);
    }
  }

  const Sketch& sketch_;
  const Sketch& foreseen_;
  EngineWorld world_;
  Machine machine_;
  std::string spec_;
  app::RunRequest request_;
  Trial out_;
};

}  // namespace

Trial try_with_engine(const Sketch& sketch, std::optional<std::uint64_t> cancel_after) {
  return Trier(sketch, sketch).run(cancel_after);
}

std::string compare_with_engine(const Sketch& sketch, const Sketch& other) {
  return Trier(sketch, other).run({}).difference;
}

Sketch sketch_of(std::uint64_t seed, const Taste& taste) {
  SeededRandom random(seed);
  return make_sketch(random, taste);
}

}  // namespace cresset::sim
