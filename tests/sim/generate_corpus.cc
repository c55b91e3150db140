#include <utility>

#include "sim/generate.h"

namespace cresset::sim {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Shape kInteger{Shape::Base::kInteger};
constexpr Shape kWord{Shape::Base::kWord};

Source constant(Value value) {
  Source out;
  out.constant = std::move(value);
  return out;
}
Source input(std::string name) {
  Source out;
  out.from = Source::From::kInput;
  out.name = std::move(name);
  return out;
}
Source output(std::string task, std::string name) {
  Source out;
  out.from = Source::From::kTask;
  out.name = std::move(task);
  out.output = std::move(name);
  return out;
}
Source status(std::string task) {
  Source out;
  out.from = Source::From::kStatus;
  out.name = std::move(task);
  return out;
}

// A task while it is put together.
class Maker {
 public:
  explicit Maker(Task task) : task_(std::move(task)) {}

  Maker& in(const std::string& name, Type type, Source source) {
    task_.parameters[name].type = type;
    task_.parameter_sources[name] = std::move(source);
    return *this;
  }
  Maker& in_or(const std::string& name, Type type, Source source, Value default_value) {
    in(name, type, std::move(source));
    task_.parameters[name].default_value = std::move(default_value);
    return *this;
  }
  Maker& takes(const std::string& name, Source source, bool is_list = false) {
    task_.artifacts[name] = {is_list, false};
    task_.artifact_sources[name] = std::move(source);
    return *this;
  }
  Maker& gives(const std::string& name, Shape shape, StepOutput::Way way = StepOutput::Way::kFile) {
    task_.step()->parameters[name] = {shape, way};
    return *this;
  }
  Maker& makes(const std::string& name, StepArtifact::Form form, bool metadata = false) {
    task_.step()->artifacts[name] = {form, "system.Dataset", {}, metadata};
    return *this;
  }
  Maker& passes_on(const std::string& name, Type type, std::vector<From> from) {
    task_.dag()->parameters[name] = {type, false, std::move(from)};
    return *this;
  }
  Maker& passes_artifact_on(const std::string& name, bool is_list, std::vector<From> from) {
    task_.dag()->artifacts[name] = {Type::kString, is_list, std::move(from)};
    return *this;
  }
  Maker& after(std::string name) {
    task_.after.push_back(std::move(name));
    return *this;
  }
  Maker& goes_wrong(Mischief::Kind kind, unsigned times, int code = 1) {
    task_.step()->mischief = {kind, times, code};
    return *this;
  }
  Maker& retries(unsigned max, Duration backoff = seconds(1)) {
    task_.retry = Retry{};
    task_.retry->max = max;
    task_.retry->backoff = backoff;
    return *this;
  }
  Maker& cached(std::string key = {}) {
    task_.caching = true;
    task_.cache_key = std::move(key);
    task_.step()->ignores_inputs = !task_.cache_key.empty();
    return *this;
  }
  Maker& ignores_failures() {
    task_.ignores_failures = true;
    return *this;
  }
  Maker& words() {
    task_.step()->whole_input = false;
    return *this;
  }
  Maker& if_equal(const std::string& name, Value literal, bool wanted = true) {
    Condition condition;
    condition.input = name;
    condition.op = wanted ? Condition::Operator::kEqual : Condition::Operator::kNotEqual;
    condition.literal = std::move(literal);
    task_.condition = std::move(condition);
    return *this;
  }
  Maker& for_each(Value::List items, Type type, std::int64_t limit = 0) {
    task_.loop = Loop{};
    task_.loop->items = std::move(items);
    task_.loop->item = "item";
    task_.loop->limit = limit;
    task_.parameters["item"].type = type;
    return *this;
  }
  Maker& for_each_of(Source list, Type type) {
    in("items", Type::kList, std::move(list));
    for_each({}, type);
    task_.loop->over = Loop::Over::kParameter;
    task_.loop->input = "items";
    return *this;
  }
  Maker& for_each_artifact(Source list) {
    takes("tables", std::move(list), true);
    task_.artifacts["item"] = {};
    task_.loop = Loop{};
    task_.loop->over = Loop::Over::kArtifacts;
    task_.loop->input = "tables";
    task_.loop->item = "item";
    return *this;
  }
  Maker& style(Dag::Style style) {
    task_.dag()->style = style;
    return *this;
  }
  Task& task() { return task_; }
  operator Task() && { return std::move(task_); }  // NOLINT: what it is for

 private:
  Task task_;
};

Maker step(const std::string& name) {
  Task task;
  task.name = name;
  Step body;
  body.label = name;
  body.runs_for = milliseconds(300);
  task.body = std::move(body);
  return Maker(std::move(task));
}

Maker group(const std::string& name, std::vector<Task> tasks) {
  Task task;
  task.name = name;
  Dag dag;
  dag.tasks = std::move(tasks);
  task.body = std::move(dag);
  return Maker(std::move(task));
}

template <class... Makers>
std::vector<Task> tasks(Makers&&... makers) {
  std::vector<Task> out;
  (out.push_back(std::move(makers.task())), ...);
  return out;
}

class Collection {
 public:
  template <class... Makers>
  Sketch& add(const std::string& name, Makers&&... makers) {
    Sketch sketch;
    sketch.name = "corpus-" + name;
    sketch.root.tasks = tasks(std::forward<Makers>(makers)...);
    return out_.emplace_back(name, std::move(sketch)).second;
  }
  std::vector<std::pair<std::string, Sketch>> take() { return std::move(out_); }

 private:
  std::vector<std::pair<std::string, Sketch>> out_;
};

void add_values(Collection& all) {
  all.add("chain", step("a").gives("n", kInteger),
          step("b").in("x", Type::kInteger, output("a", "n")).gives("n", kInteger).words(),
          step("c").in("x", Type::kString, output("b", "n")).after("a"));
  Sketch& inputs = all.add("inputs", step("a")
                                         .in("given", Type::kString, input("given"))
                                         .in("other", Type::kList, input("other"))
                                         .in_or("absent", Type::kInteger, input("absent"), Value(5))
                                         .words());
  inputs.parameters["given"].type = Type::kString;
  inputs.given["given"] = "{{$.inputs.parameters['x']}}";
  inputs.parameters["other"].type = Type::kList;
  inputs.parameters["other"].default_value = Value(Value::List{1, "two", 3.5});
  inputs.parameters["absent"].type = Type::kInteger;
  inputs.parameters["absent"].optional = true;
  Source text;
  text.from = Source::From::kTemplate;
  text.pieces = {{false, "n is "}, {true, "n"}, {false, "."}};
  Source field = output("a", "s");
  field.key = "b";
  all.add(
      "texts",
      step("a").gives("n", kInteger).gives("s", {Shape::Base::kStruct}, StepOutput::Way::kMetadata),
      step("b").in("n", Type::kInteger, output("a", "n")).in("text", Type::kString, text),
      step("c").in("field", Type::kString, field));
  all.add("artifacts",
          step("a")
              .makes("file", StepArtifact::Form::kFile, true)
              .makes("folder", StepArtifact::Form::kFolder)
              .makes("list", StepArtifact::Form::kList)
              .makes("elsewhere", StepArtifact::Form::kElsewhere),
          step("b").takes("x", output("a", "file")).takes("y", output("a", "folder")).words(),
          step("c").takes("x", output("a", "elsewhere")).takes("all", output("a", "list"), true));
}

void add_failures(Collection& all) {
  using Kind = Mischief::Kind;
  all.add("retry", step("a").goes_wrong(Kind::kExit, 2, 3).retries(2).gives("n", kInteger),
          step("b").in("x", Type::kInteger, output("a", "n")));
  all.add("fails", step("a").goes_wrong(Kind::kSignal, Mischief::kAlways, 9).gives("n", kInteger),
          step("b").in("x", Type::kInteger, output("a", "n")), step("c"));
  all.add("fails-once", step("a").goes_wrong(Kind::kExit, 1).gives("n", kInteger),
          step("b").in("x", Type::kInteger, output("a", "n")), step("c").gives("n", kInteger));
  all.add("missing", step("a").goes_wrong(Kind::kMissing, Mischief::kAlways).retries(2));
  all.add("bad-output", step("a").goes_wrong(Kind::kWrongType, 1).retries(1).gives("n", kInteger),
          step("b").goes_wrong(Kind::kBadJson, 1).retries(1).gives("n", kInteger),
          step("c").goes_wrong(Kind::kNoOutput, 1).retries(1).gives("n", kInteger));
  Maker hangs = step("a").goes_wrong(Kind::kHang, 1).retries(1);
  hangs.task().step()->deadline = seconds(5);
  all.add("deadline", hangs);
  all.add("group-retry",
          group("g", tasks(step("good").gives("n", kInteger),
                           step("flaky")
                               .goes_wrong(Kind::kExit, 1)
                               .in("x", Type::kInteger, output("good", "n"))
                               .gives("n", kInteger)))
              .retries(2)
              .passes_on("n", Type::kInteger, {{"flaky", "n"}}),
          step("b").in("x", Type::kInteger, output("g", "n")));
  all.add("ignores", step("a").goes_wrong(Kind::kExit, Mischief::kAlways).gives("n", kInteger),
          step("b").in_or("x", Type::kInteger, output("a", "n"), Value(7)).ignores_failures());
  all.add(
      "exit-handler",
      group("body", tasks(step("a").goes_wrong(Kind::kExit, 1))).style(Dag::Style::kExitHandler),
      step("cleanup").in("status", Type::kStatus, status("body")).after("body").ignores_failures());
}

void add_groups(Collection& all) {
  all.add("group",
          group("g", tasks(step("a")
                               .in("x", Type::kInteger, input("x"))
                               .gives("n", kInteger)
                               .makes("data", StepArtifact::Form::kFile)))
              .in("x", Type::kInteger, constant(4))
              .passes_on("n", Type::kInteger, {{"a", "n"}})
              .passes_artifact_on("data", false, {{"a", "data"}}),
          step("b").in("x", Type::kInteger, output("g", "n")).takes("data", output("g", "data")));
  const auto branch = [](const std::string& name, const std::string& word, bool wanted) {
    return group(name, tasks(step(name + "-step").gives("n", kInteger)))
        .style(Dag::Style::kCondition)
        .in("decides", Type::kString, input("decides"))
        .if_equal("decides", Value(word), wanted)
        .passes_on("n", Type::kInteger, {{name + "-step", "n"}});
  };
  all.add("branches",
          group("branches", tasks(branch("then", "heads", true), branch("else", "heads", false)))
              .style(Dag::Style::kBranches)
              .in("decides", Type::kString, constant("heads"))
              .passes_on("n", Type::kInteger, {{"then", "n"}, {"else", "n"}}),
          step("b").in("x", Type::kInteger, output("branches", "n")));
  all.add("condition",
          step("a")
              .in("w", Type::kString, constant("tails"))
              .if_equal("w", Value("heads"))
              .gives("n", kInteger),
          step("b").after("a"), step("c"));
}

void add_loops(Collection& all) {
  all.add("loop",
          group("loop", tasks(step("a")
                                  .in("x", Type::kInteger, input("item"))
                                  .gives("n", kInteger)
                                  .makes("data", StepArtifact::Form::kFile)))
              .for_each({1, 2, 3}, Type::kInteger, 2)
              .passes_on("n", Type::kList, {{"a", "n"}})
              .passes_artifact_on("data", true, {{"a", "data"}}),
          step("all")
              .in("x", Type::kList, output("loop", "n"))
              .takes("data", output("loop", "data"), true));
  all.add("loop-of-steps", step("a").for_each({"one", "two"}, Type::kString).gives("w", kWord),
          step("all").in("x", Type::kList, output("a", "w")));
  all.add("loop-over-outputs", step("list").gives("items", {Shape::Base::kInteger, 1, 2}),
          group("loop", tasks(step("a").in("x", Type::kInteger, input("item"))))
              .for_each_of(output("list", "items"), Type::kInteger));
  all.add("loop-over-artifacts", step("list").makes("tables", StepArtifact::Form::kList),
          group("loop", tasks(step("a").takes("x", input("item"))))
              .for_each_artifact(output("list", "tables")));
  all.add(
      "nested-loops",
      group(
          "outer",
          tasks(group("inner",
                      tasks(step("a").in("x", Type::kInteger, input("item")).gives("n", kInteger)))
                    .for_each({1, 2}, Type::kInteger)
                    .passes_on("n", Type::kList, {{"a", "n"}})))
          .for_each({"x", "y"}, Type::kString)
          .passes_on("n", Type::kList, {{"inner", "n"}}),
      step("all").in("x", Type::kList, output("outer", "n")));
  all.add("loop-flaky", group("loop", tasks(step("a")
                                                .in("x", Type::kInteger, input("item"))
                                                .goes_wrong(Mischief::Kind::kExit, 1)
                                                .gives("n", kInteger)))
                            .for_each({1, 2}, Type::kInteger, 1)
                            .retries(1)
                            .passes_on("n", Type::kList, {{"a", "n"}}));
}

void add_places(Collection& all) {
  all.add("cached",
          step("a").cached().gives("n", kInteger).makes("data", StepArtifact::Form::kFile),
          step("b").cached("key").in("x", Type::kInteger, output("a", "n")).gives("n", kInteger));
  Task import;
  import.name = "import";
  Importer importer;
  importer.path = "/srv/data/corpus/table";
  importer.metadata = Value::make_struct({{"origin", "a test"}});
  import.body = std::move(importer);
  all.add("importer", Maker(std::move(import)), step("a").takes("x", output("import", "artifact")))
      .files = {{"/srv/data/corpus/table", "1,2,3"}};
  Task copy;
  copy.name = "import";
  Importer copier;
  copier.path = "/srv/data/corpus/copied";
  copier.to_workspace = true;
  copy.body = std::move(copier);
  Sketch& copied =
      all.add("copy", Maker(std::move(copy)), step("a").takes("x", output("import", "artifact")));
  copied.workspace = true;
  copied.files = {{"/srv/data/corpus/copied", "4,5,6"}};
  const auto volume = [](const std::string& name, bool creates) {
    Task task;
    task.name = name;
    task.body = Volume{creates};
    return Maker(std::move(task));
  };
  Maker user = step("use");
  Setting mount;
  mount.kind = Setting::Kind::kVolume;
  mount.name = output("create", "name");
  mount.where = "/mnt/volume";
  user.task().step()->settings.push_back(std::move(mount));
  all.add(
      "volume", volume("create", true).in("pvc_name_suffix", Type::kString, constant("-corpus")),
      user,
      volume("delete", false).in("pvc_name", Type::kString, output("create", "name")).after("use"));
  Maker secretive = step("a");
  Setting secret;
  secret.name = constant("corpus");
  secret.key = "token";
  secret.where = "SIM_TOKEN";
  secretive.task().step()->settings.push_back(std::move(secret));
  all.add("secret", secretive).files = {{"secrets/corpus/token", "s3cret"}};
}

}  // namespace

std::vector<std::pair<std::string, Sketch>> corpus() {
  Collection all;
  add_values(all);
  add_failures(all);
  add_groups(all);
  add_loops(all);
  add_places(all);
  return all.take();
}

}  // namespace cresset::sim
