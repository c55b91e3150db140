#include "cresset/dag/launch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cresset/dag/outputs.h"
#include "cresset/text/json.h"

namespace cresset::dag {
namespace {

using model::ParameterType;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

model::Artifact artifact(const std::string& uri, Value metadata = Value::make_struct()) {
  model::Artifact out;
  out.name = "in";
  out.uri = uri;
  out.metadata = std::move(metadata);
  return out;
}

struct LaunchTest : public ::testing::Test {
  LaunchTest() {
    component.body = model::Container{};
    task.name = "t";
    task.display_name = "shown";
    task.component = &component;
    task.spec = &spec;
    task.ordinal = 4;
    context.name = "my run";
    context.id = model::RunId("id1");
  }
  model::Container& container() { return std::get<model::Container>(component.body); }
  Launch launch() {
    Result<Launch> result = make_launch(task, lightweight, places, context);
    EXPECT_TRUE(result) << result.error().text();
    return result ? *std::move(result) : Launch{};
  }
  std::string refusal() {
    const Result<Launch> result = make_launch(task, lightweight, places, context);
    return result ? "accepted" : result.error().text();
  }
  std::string argument(const std::string& text) {
    container().command = {"run"};
    container().args = {text};
    const Launch made = launch();
    return made.argv.size() == 2 ? made.argv[1] : "not one argument";
  }

  model::Component component;
  model::TaskSpec spec;
  LeafTask task;
  RunContext context;
  std::optional<Lightweight> lightweight;
  LaunchPlaces places{"/a/4.1", "/art/t/4.1", "/src", "/runtime", "/venv/bin/python"};
};

TEST_F(LaunchTest, ResolvesEveryPlaceholder) {
  task.inputs.parameters["n"] = 3;
  task.inputs.parameters["text"] = "{{$}}";
  task.inputs.artifacts["in"] = {artifact("gs://b/x", Value::make_struct({{"k", "v"}})),
                                 artifact("file:///y")};
  component.output_parameters["o"].type = ParameterType::kNumberInteger;
  component.output_artifacts["made"].metadata = Value::make_struct({{"m", 1}});
  const std::pair<const char*, const char*> cases[] = {
      {"{{$.inputs.parameters['n']}}", "3"},
      {"{{$.inputs.parameters['text']}}", "{{$}}"},
      {"{{$.inputs.artifacts['in'].path}}", "/gcs/b/x"},
      {"{{$.inputs.artifacts['in'].uri}}", "gs://b/x"},
      {"{{$.inputs.artifacts['in'].name}}", "in"},
      {"{{$.inputs.artifacts['in'].metadata['k']}}", "v"},
      {"{{$.inputs.artifacts['in'].metadata}}", R"({"k":"v"})"},
      {"{{$.outputs.parameters['o'].output_file}}", "/a/4.1/outputs/o"},
      {"{{$.outputs.artifacts['made'].path}}", "/art/t/4.1/made"},
      {"{{$.outputs.artifacts['made'].uri}}", "file:///art/t/4.1/made"},
      {"{{$.outputs.artifacts['made'].metadata['m']}}", "1"},
      {"{{$.outputs.output_file}}", "/a/4.1/output_metadata.json"},
      {"{{$.outputs.outputMetadataUri}}", "/a/4.1/output_metadata.json"},
      {"in {{$.pipeline_job_name}}: {{$.pipeline_task_name}}", "in my run: shown"},
  };
  for (const auto& [text, expected] : cases) EXPECT_EQ(argument(text), expected) << text;
  const Result<Value> list = text::parse_json(argument("{{$.inputs.artifacts['in']}}"));
  ASSERT_TRUE(list && list->is_list());
  EXPECT_EQ(list->as_list().size(), 2u);
}

TEST_F(LaunchTest, ItsFolderIsMadeForACommandThatNamesIt) {
  argument("text");
  EXPECT_TRUE(launch().folders.empty());
  argument("{{$.outputs.outputMetadataUri}}");
  EXPECT_THAT(launch().folders, ElementsAre("/a/4.1"));
  for (const char* odd : {"/a/4.1", "/a \"b\"/4.1", "/a\\b/4.1"}) {
    places.attempt_dir = odd;
    argument("{{$}}");
    EXPECT_THAT(launch().folders, ElementsAre(odd));
  }
}

TEST_F(LaunchTest, WritesTheExecutorInput) {
  task.inputs.parameters["n"] = 3.0;
  task.inputs.parameters["none"] = Value();
  task.inputs.artifacts["in"] = {artifact("file:///x")};
  component.output_parameters["o"];
  component.output_artifacts["made"].type.schema_title = "system.Model";
  const Value input = text::parse_json(argument("{{$}}")).value();
  const Value& inputs = *input.find("inputs");
  EXPECT_EQ(text::to_json(*inputs.find("parameterValues")), R"({"n":3,"none":null})");
  EXPECT_EQ(*inputs.find("artifacts")->find("in")->find("artifacts")->as_list().at(0).find("uri"),
            Value("file:///x"));
  const Value& outputs = *input.find("outputs");
  EXPECT_EQ(*outputs.find("parameters")->find("o")->find("outputFile"), Value("/a/4.1/outputs/o"));
  EXPECT_EQ(
      *outputs.find("artifacts")->find("made")->find("artifacts")->as_list().at(0).find("uri"),
      Value("file:///art/t/4.1/made"));
  EXPECT_EQ(*outputs.find("outputFile"), Value("/a/4.1/output_metadata.json"));
}

TEST_F(LaunchTest, KnowsWhichInputsArePresent) {
  task.inputs.parameters["n"] = 3;
  task.inputs.parameters["none"] = Value();
  task.inputs.artifacts["in"] = {artifact("file:///x")};
  task.inputs.artifacts["empty"] = {};
  container().command = {"run"};
  for (const char* name : {"n", "none", "in", "empty", "unknown"}) {
    container().args.push_back(std::string(R"({"IfPresent": {"InputName": ")") + name +
                               R"(", "Then": ")" + name + "\"}}");
  }
  EXPECT_THAT(launch().argv, ElementsAre("run", "n", "in"));
}

TEST_F(LaunchTest, EnvIsNeverResolved) {
  container().command = {"run"};
  container().env = {{"A", "{{$.inputs.parameters['n']}}"}, {"B", ""}};
  EXPECT_THAT(launch().env, ElementsAre(Pair("A", "{{$.inputs.parameters['n']}}"), Pair("B", "")));
}

TEST_F(LaunchTest, SaysWhatDoesNotWorkOut) {
  container().command = {"run"};
  const std::pair<const char*, const char*> cases[] = {
      {"{{$.inputs.artifacts['nobody'].path}}", "no artifact"},
      {"{{$.outputs.artifacts['nobody'].path}}", "does not declare"},
      {"{{$.outputs.parameters['nobody'].output_file}}", "does not declare"},
      {"{{$.inputs.artifacts['empty'].path}}", "is empty"},
      {"{{$.inputs.artifacts['in'].metadata['zzz']}}", "no metadata \"zzz\""},
      {"{{$.nonsense}}", "nonsense"},
  };
  task.inputs.artifacts["empty"] = {};
  task.inputs.artifacts["in"] = {artifact("file:///x")};
  for (const auto& [text, reason] : cases) {
    container().args = {text};
    EXPECT_THAT(refusal(), HasSubstr(reason)) << text;
  }
  container().args.clear();
  container().command.clear();
  EXPECT_THAT(refusal(), HasSubstr("names no command"));
}

TEST_F(LaunchTest, ResourcesComeFromTheRequestElseTheLimit) {
  container().command = {"run"};
  EXPECT_EQ(launch().resources.cpu_millis, 1000);
  EXPECT_EQ(launch().resources.gpus, 0);
  model::Resources& resources = container().resources;
  resources.cpu_limit = "2";
  resources.memory_limit = "1Gi";
  EXPECT_EQ(launch().resources.cpu_millis, 2000);
  EXPECT_EQ(launch().resources.memory_bytes, std::int64_t{1} << 30);
  task.inputs.parameters["cpu_request"] = "500m";
  resources.cpu_request = "{{$.inputs.parameters['cpu_request']}}";
  EXPECT_EQ(launch().resources.cpu_millis, 500);
  resources.accelerator_type = "nvidia.com/gpu";
  EXPECT_EQ(launch().resources.gpus, 1) << "a type without a count is one";
  resources.accelerator_count = "4";
  EXPECT_EQ(launch().resources.gpus, 4);
  for (const char* bad : {"-1", "1.5", "many", "99999999999999999999"}) {
    resources.accelerator_count = bad;
    EXPECT_THAT(refusal(), HasSubstr(bad));
  }
  resources.accelerator_count = "1";
  resources.cpu_request = "lots";
  EXPECT_THAT(refusal(), HasSubstr("lots"));
}

TEST_F(LaunchTest, ALightweightComponentNeedsNeitherShellNorPip) {
  lightweight =
      Lightweight{"train", "def train():\n  '{{$.inputs.parameters['n']}}'\n", {}, {}, {}};
  task.inputs.parameters["n"] = 3;
  const Launch made = launch();
  ASSERT_EQ(made.files.size(), 2u);
  const LaunchFile& input = made.files[0];
  const LaunchFile& source = made.files[1];
  EXPECT_EQ(input.path, "/a/4.1/executor_input.json");
  EXPECT_TRUE(text::parse_json(input.content));
  EXPECT_EQ(source.content, "def train():\n  '3'\n");
  EXPECT_THAT(source.path, ::testing::StartsWith("/src/"));
  EXPECT_THAT(made.argv, ElementsAre("/venv/bin/python", "/runtime/cresset_step.py",
                                     "--executor_input_file", input.path, "--function_to_execute",
                                     "train", "--component_module_path", source.path));
  task.inputs.parameters["n"] = 4;
  EXPECT_NE(launch().files[1].path, source.path) << "the name tells the content";
}

TEST_F(LaunchTest, AMegabyteTravelsByFile) {
  lightweight = Lightweight{"f", "def f(): pass", {}, {}, {}};
  task.inputs.parameters["big"] = std::string(10 << 20, 'x');
  for (const std::string& argument : launch().argv) EXPECT_LT(argument.size(), 1000u);
}

// ---- Names of Secrets, ConfigMaps and volumes ----

TEST_F(LaunchTest, NamesAreTextsOrNull) {
  task.inputs.parameters["text"] = "hub";
  task.inputs.parameters["null"] = Value();
  task.inputs.parameters["number"] = 3;
  task.inputs.parameters["empty"] = "";
  const auto name = [this](const char* input) {
    return resolve_name({model::FromParent{input}, ""}, task, context);
  };
  EXPECT_EQ(name("text").value(), "hub");
  EXPECT_EQ(name("null").value(), std::nullopt);
  EXPECT_EQ(name("nobody").value(), std::nullopt);
  EXPECT_EQ(name("number").error().code, Code::kInvalidArgument);
  EXPECT_EQ(name("empty").error().code, Code::kInvalidArgument);
  EXPECT_EQ(resolve_name({model::Constant{"x-{{$.inputs.parameters['text']}}"}, ""}, task, context)
                .value(),
            "x-hub");
  EXPECT_FALSE(resolve_name({model::FinalStatusOf{"t"}, ""}, task, context));
}

// ---- Importers ----

TEST_F(LaunchTest, AnImporterResolvesItsUriAndMetadata) {
  component.body = model::Importer{};
  component.output_artifacts["artifact"];
  auto& importer = std::get<model::Importer>(component.body);
  importer.type.schema_title = "system.Dataset";
  task.inputs.parameters["uri"] = "file:///d/{{$.pipeline_job_name}}";
  task.inputs.parameters["k"] = "rows";
  importer.uri = model::FromParent{"uri"};
  importer.metadata = Value::make_struct(
      {{"{{$.inputs.parameters['k']}}", Value::List{"{{$.inputs.parameters['k']}}", 1}}});
  importer.download_to_workspace = true;
  ImportRequest request = make_import(task, context).value();
  EXPECT_EQ(request.artifact.uri, "file:///d/{{$.pipeline_job_name}}") << "a value, not a text";
  EXPECT_EQ(request.artifact.type.schema_title, "system.Dataset");
  EXPECT_EQ(request.artifact.metadata, Value::make_struct({{"rows", Value::List{"rows", 1}}}));
  EXPECT_TRUE(request.download_to_workspace);
  importer.uri = std::string("file:///{{$.inputs.parameters['k']}}");
  importer.metadata = Value();
  request = make_import(task, context).value();
  EXPECT_EQ(request.artifact.uri, "file:///rows");
  EXPECT_EQ(request.artifact.metadata, Value::make_struct());
  importer.uri = model::FromParent{"nobody"};
  EXPECT_THAT(make_import(task, context).error().text(), HasSubstr("holds no URI"));
}

TEST(LocalPath, FollowsTheSchemeAndTheCustomPath) {
  const std::pair<const char*, const char*> cases[] = {
      {"file:///a b/c", "/a b/c"},   {"gs://b/x", "/gcs/b/x"},       {"s3://b/x", "/s3/b/x"},
      {"minio://b/x", "/minio/b/x"}, {"https://h/x", "https://h/x"}, {"/plain", "/plain"},
  };
  for (const auto& [uri, path] : cases) EXPECT_EQ(local_path(artifact(uri)), path);
  model::Artifact custom = artifact("file:///a");
  custom.custom_path = "/elsewhere";
  EXPECT_EQ(local_path(custom), "/elsewhere");
}

}  // namespace
}  // namespace cresset::dag
