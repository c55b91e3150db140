#include "bench/engine_bench.h"

#include <utility>

#include "cresset/app/read_pipeline.h"

namespace cresset::bench {

namespace {

// Its items come as an input: a file may not hold so many.
constexpr const char* kLoop = R"json({
"pipelineInfo": {"name": "bench-loop"},
"schemaVersion": "2.1.0",
"sdkVersion": "kfp-2.17.0",
"deploymentSpec": {"executors": {"exec-true": {"container": {"image": "none", "command": ["true"]}}}},
"components": {
  "comp-true": {"executorLabel": "exec-true"},
  "comp-loop": {
    "inputDefinitions": {"parameters": {
      "item": {"parameterType": "NUMBER_INTEGER"}, "items": {"parameterType": "LIST"}}},
    "dag": {"tasks": {"step": {"taskInfo": {"name": "step"}, "componentRef": {"name": "comp-true"}}}}
  }
},
"root": {
  "inputDefinitions": {"parameters": {"items": {"parameterType": "LIST"}}},
  "dag": {"tasks": {"loop": {
    "taskInfo": {"name": "loop"},
    "componentRef": {"name": "comp-loop"},
    "inputs": {"parameters": {"items": {"componentInputParameter": "items"}}},
    "parameterIterator": {"items": {"inputParameter": "items"}, "itemInput": "item"}
  }}}
}
})json";

Value numbers(std::int64_t count) {
  Value::List out;
  for (std::int64_t i = 0; i < count; ++i) out.emplace_back(i);
  return out;
}

Error no_environments() {
  return make_error(Code::kFailedPrecondition, "the benchmark has no interpreter");
}

}  // namespace

void BenchExecutor::start(ports::StartSpec spec) {
  events_.emplace_back(ports::AttemptRunning{spec.id, clock_.wall_now(), {}});
  waker_.wake();
  if (end_ == End::kAtOnce) return end(spec.id);
  live_.push_back(std::move(spec.id));
}

void BenchExecutor::stop(const model::AttemptId& id, Duration) {
  if (std::erase(live_, id) > 0) end(id);
}

Result<std::vector<ports::ExecutorEvent>> BenchExecutor::poll() {
  before_poll();
  return std::exchange(events_, {});
}

void BenchExecutor::release() {
  end_ = End::kAtOnce;
  for (const model::AttemptId& id : std::exchange(live_, {})) end(id);
}

void BenchExecutor::end(const model::AttemptId& id) {
  events_.emplace_back(ports::AttemptExited{id, clock_.wall_now(), {}});
  waker_.wake();
}

Result<ports::Interpreter> NoEnvironments::inspect(const std::string&) { return no_environments(); }

Result<ports::Program> NoEnvironments::find_program(const std::string&, const std::string&) {
  return no_environments();
}

void NoEnvironments::prepare(std::uint64_t job, ports::EnvironmentSpec) {
  ready_.push_back({job, no_environments()});
}

BenchProcess::BenchProcess(const std::string& home, std::unique_ptr<sqlite::SqliteStore> opened,
                           BenchExecutor::End end)
    : store(std::move(opened)),
      executor(clock, reactor.waker(), end),
      files({}, [waker = reactor.waker()] { waker.wake(); }),
      service(app::Home(home), {clock, random, reactor, *store, executor, files, environments,
                                [home] { return Result<std::string>(home + "/runtime"); }}) {}

Result<std::unique_ptr<BenchProcess>> open_process(const std::string& home,
                                                   BenchExecutor::End end) {
  const app::Home places(home);
  CR_TRY(auto store, sqlite::SqliteStore::open({places.database(), places.locks_dir()}));
  return std::make_unique<BenchProcess>(home, std::move(store), end);
}

Result<model::RunId> create_loop(BenchProcess& process, std::int64_t items) {
  app::RunRequest request;
  request.file_name = "loop.json";
  request.spec = kLoop;
  codec::ReadResult read = app::read_and_check(request.spec, request.file_name);
  if (!read.pipeline) {
    return make_error(
        Code::kInternal, "the benchmark's pipeline is refused: {}",
        read.diagnostics.empty() ? "no reason given" : read.diagnostics.front().message);
  }
  request.pipeline = *std::move(read.pipeline);
  request.inputs.parameters.emplace("items", numbers(items));
  return process.service.create(std::move(request));
}

}  // namespace cresset::bench
