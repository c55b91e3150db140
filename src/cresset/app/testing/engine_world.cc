#include "cresset/app/testing/engine_world.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "cresset/app/read_pipeline.h"
#include "cresset/base/check.h"
#include "cresset/codec/run_json.h"
#include "cresset/text/json.h"

namespace cresset::app::testing {

namespace {

constexpr const char* kHome = "/srv/cresset";

void run_program(const ports::StartSpec& spec, ports::testing::MemoryFiles& files,
                 ports::Exit& exit) {
  const std::vector<std::string>& argv = spec.argv;
  for (std::size_t i = 1; i < argv.size();) {
    if (argv[i] == "fail" || (argv[i] == "flaky" && spec.id.attempt == 1)) {
      exit.code = 1;
      return;
    }
    if (argv[i] == "flaky") {
      ++i;
      continue;
    }
    CHECK(i + 1 < argv.size());
    files.write(argv[i], argv[i + 1]);
    i += 2;
  }
}

std::string env_of(const ports::StartSpec& spec, std::string_view wanted) {
  for (const auto& [name, value] : spec.env) {
    if (name == wanted) return value;
  }
  return "";
}

}  // namespace

Result<void> MortalStore::commit(const ports::Lease& lease, const ports::Commit& commit) {
  const bool dies = commits_++ == death_;
  if (dies && when_ == When::kBeforeCommit) throw Crash{};
  before_commit(commit);
  Result<void> result = store_.commit(lease, commit);
  if (dies) throw Crash{};
  return result;
}

EngineWorld::EngineWorld() {
  environments.add_program("run", {"/usr/bin/run", "run 1"});
  machine.set_script([](const ports::StartSpec&) {
    ports::testing::Script script;
    script.output = "working\n";
    script.work = run_program;
    return script;
  });
}

int EngineWorld::executions(const std::string& task_path) const {
  return static_cast<int>(
      std::ranges::count_if(machine.executions(), [&](const model::AttemptId& id) {
        return env_of(machine.specs().at(id), "CRESSET_TASK") == task_path;
      }));
}

EngineProcess::EngineProcess(EngineWorld& its_world)
    : world(its_world),
      reactor(world.clock),
      store(world.database),
      executor(world.machine, [this] { reactor.wake(); }),
      worker(world.files, [this] { reactor.wake(); }),
      service(Home(kHome),
              {world.clock, *this, reactor, store, executor, worker, world.environments,
               [] { return Result<std::string>("/srv/runtime"); }}) {
  world.wake = [this] { reactor.wake(); };
}

EngineProcess::~EngineProcess() {
  world.wake = [] {};
}

model::RunId EngineProcess::create(const std::string& spec, RunOptions options,
                                   model::Parameters parameters) {
  codec::ReadResult read = read_and_check(spec, "test.yaml");
  for (const codec::Diagnostic& diagnostic : read.diagnostics) {
    if (diagnostic.severity == codec::Severity::kError)
      ADD_FAILURE() << diagnostic.pointer << ": " << diagnostic.message;
  }
  CHECK(read.pipeline.has_value());
  RunRequest request;
  request.file_name = "test.yaml";
  request.spec = spec;
  request.pipeline = *std::move(read.pipeline);
  request.inputs.parameters = std::move(parameters);
  if (options.python.empty()) options.python = "/usr/bin/python3";
  request.options = std::move(options);
  Result<model::RunId> run = service.create(std::move(request));
  CHECK(run.has_value());
  return *std::move(run);
}

model::RunView EngineProcess::finish(const model::RunId& run) {
  Result<model::RunView> view = drive(run);
  if (!view) ADD_FAILURE() << view.error().text();
  return view ? *std::move(view) : model::RunView{};
}

std::string result_of(const model::RunView& view) {
  std::string out =
      fmt::format("{} {} {}\n", to_string(view.state), view.error ? view.error->message : "",
                  text::to_json(codec::encode(view.outputs)));
  for (const model::TaskView& task : view.tasks) {
    out += fmt::format("{} {} {} cached={} attempts={} {} {} in {} out {}\n", task.ordinal,
                       task.path, to_string(task.state), task.cached, task.attempts, task.reason,
                       task.error ? task.error->message : "",
                       text::to_json(codec::encode(task.inputs)),
                       text::to_json(codec::encode(task.outputs)));
  }
  return out;
}

std::string large_pipeline_over(int items) {
  std::string list = "[0";
  for (int i = 1; i < items; ++i) list += ", " + std::to_string(i);
  return replaced(replaced(kLargePipeline, "[1, 2, 3]", list + "]"), "parallelismLimit: 2",
                  "parallelismLimit: 0");
}

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  const std::size_t at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return text.replace(at, what.size(), by);
}

const model::TaskView& task_of(const model::RunView& view, const std::string& path) {
  for (const model::TaskView& task : view.tasks) {
    if (task.path == path) return task;
  }
  ADD_FAILURE() << "no task " << path << " in\n" << result_of(view);
  static const model::TaskView kNone;
  return kNone;
}

const std::string kSmallPipeline = R"yaml(
pipelineInfo: {name: small}
schemaVersion: 2.1.0
components:
  comp-make:
    executorLabel: exec-make
    outputDefinitions:
      parameters: {out: {parameterType: NUMBER_INTEGER}}
      artifacts: {data: {artifactType: {schemaTitle: system.Dataset, schemaVersion: 0.0.1}}}
  comp-use:
    executorLabel: exec-use
    inputDefinitions:
      parameters: {x: {parameterType: NUMBER_INTEGER}}
      artifacts: {data: {artifactType: {schemaTitle: system.Dataset, schemaVersion: 0.0.1}}}
    outputDefinitions:
      parameters: {out: {parameterType: STRING}}
deploymentSpec:
  executors:
    exec-make:
      container:
        image: any
        command: [run]
        args: ["{{$.outputs.parameters['out'].output_file}}", "42", "{{$.outputs.artifacts['data'].path}}", bytes]
    exec-use:
      container:
        image: any
        command: [run]
        args: ["{{$.outputs.parameters['out'].output_file}}", "got {{$.inputs.parameters['x']}}"]
root:
  dag:
    tasks:
      a:
        taskInfo: {name: a}
        componentRef: {name: comp-make}
        cachingOptions: {enableCache: true}
      b:
        taskInfo: {name: b}
        componentRef: {name: comp-use}
        cachingOptions: {enableCache: true}
        dependentTasks: [a]
        inputs:
          parameters: {x: {taskOutputParameter: {producerTask: a, outputParameterKey: out}}}
          artifacts: {data: {taskOutputArtifact: {producerTask: a, outputArtifactKey: data}}}
)yaml";

const std::string kLargePipeline = R"yaml(
pipelineInfo: {name: large}
schemaVersion: 2.1.0
components:
  comp-list:
    executorLabel: exec-list
    outputDefinitions:
      parameters: {out: {parameterType: LIST}}
  comp-item:
    executorLabel: exec-item
    inputDefinitions:
      parameters: {x: {parameterType: NUMBER_INTEGER}}
    outputDefinitions:
      parameters: {out: {parameterType: NUMBER_INTEGER}}
      artifacts: {data: {artifactType: {schemaTitle: system.Dataset, schemaVersion: 0.0.1}}}
  comp-flaky:
    executorLabel: exec-flaky
    outputDefinitions:
      parameters: {out: {parameterType: STRING}}
  comp-broken:
    executorLabel: exec-broken
  comp-collect:
    executorLabel: exec-collect
    inputDefinitions:
      parameters: {all: {parameterType: LIST}}
    outputDefinitions:
      parameters: {out: {parameterType: STRING}}
  comp-cleanup:
    executorLabel: exec-cleanup
    inputDefinitions:
      parameters: {status: {parameterType: TASK_FINAL_STATUS, isOptional: true}}
    outputDefinitions:
      parameters: {out: {parameterType: STRING}}
  comp-for-loop-1:
    inputDefinitions:
      parameters: {item: {parameterType: NUMBER_INTEGER}, items: {parameterType: LIST}}
    outputDefinitions:
      parameters: {outs: {parameterType: NUMBER_INTEGER}}
    dag:
      outputs:
        parameters:
          outs: {valueFromParameter: {producerSubtask: item, outputParameterKey: out}}
      tasks:
        item:
          taskInfo: {name: item}
          componentRef: {name: comp-item}
          cachingOptions: {enableCache: true}
          inputs:
            parameters: {x: {componentInputParameter: item}}
  comp-exit-handler-1:
    dag:
      tasks:
        list:
          taskInfo: {name: list}
          componentRef: {name: comp-list}
        loop:
          taskInfo: {name: loop}
          componentRef: {name: comp-for-loop-1}
          dependentTasks: [list]
          iteratorPolicy: {parallelismLimit: 2}
          parameterIterator: {itemInput: item, items: {inputParameter: items}}
          inputs:
            parameters: {items: {taskOutputParameter: {producerTask: list, outputParameterKey: out}}}
        collect:
          taskInfo: {name: collect}
          componentRef: {name: comp-collect}
          dependentTasks: [loop]
          inputs:
            parameters: {all: {taskOutputParameter: {producerTask: loop, outputParameterKey: outs}}}
        flaky:
          taskInfo: {name: flaky}
          componentRef: {name: comp-flaky}
          retryPolicy: {maxRetryCount: 2, backoffDuration: 20s, backoffFactor: 2, backoffMaxDuration: 3600s}
        broken:
          taskInfo: {name: broken}
          componentRef: {name: comp-broken}
          dependentTasks: [flaky]
        never:
          taskInfo: {name: never}
          componentRef: {name: comp-flaky}
          dependentTasks: [broken]
deploymentSpec:
  executors:
    exec-list:
      container: {image: any, command: [run, "{{$.outputs.parameters['out'].output_file}}", "[1, 2, 3]"]}
    exec-item:
      container:
        image: any
        command: [run, "{{$.outputs.parameters['out'].output_file}}", "1{{$.inputs.parameters['x']}}"]
        args: ["{{$.outputs.artifacts['data'].path}}", "data of {{$.inputs.parameters['x']}}"]
    exec-flaky:
      container: {image: any, command: [run, flaky, "{{$.outputs.parameters['out'].output_file}}", fine]}
    exec-broken:
      container: {image: any, command: [run, fail]}
    exec-collect:
      container:
        image: any
        command: [run, "{{$.outputs.parameters['out'].output_file}}", "{{$.inputs.parameters['all']}}"]
    exec-cleanup:
      container:
        image: any
        command: [run, "{{$.outputs.parameters['out'].output_file}}", "{{$.inputs.parameters['status']}}"]
root:
  dag:
    tasks:
      exit-handler-1:
        taskInfo: {name: exit-handler-1}
        componentRef: {name: comp-exit-handler-1}
      cleanup:
        taskInfo: {name: cleanup}
        componentRef: {name: comp-cleanup}
        dependentTasks: [exit-handler-1]
        triggerPolicy: {strategy: ALL_UPSTREAM_TASKS_COMPLETED}
        inputs:
          parameters: {status: {taskFinalStatus: {producerTask: exit-handler-1}}}
)yaml";

}  // namespace cresset::app::testing
