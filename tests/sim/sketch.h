#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "cresset/base/time.h"
#include "cresset/base/value.h"

// A pipeline as the simulator thinks of it: a value, and not the IR, though each part of it has its
// counterpart there. ir.h writes it as a PipelineSpec, oracle.h foresees what it must compute,
// smaller.h takes parts of it away.
//
// What holds for every sketch: names of tasks differ within a dag; a task refers only to tasks that
// stand before it in its dag, to its dag's inputs, and to its own; every input that is declared and
// neither optional nor with a default has a source (or is the item of the task's loop).
namespace cresset::sim {

template <class T>
using ByName = std::map<std::string, T, std::less<>>;

enum class Type { kDouble, kInteger, kString, kBoolean, kList, kStruct, kStatus };
std::string_view to_string(Type type);  // "NUMBER_DOUBLE" …

// What the values of a step's output look like: a list of lists of … (`depth`) of a base.
struct Shape {
  enum class Base {
    kInteger,  // 0 to 9
    kDouble,   // eighths
    kWord,     // one of a few words, as conditions compare
    kText,     // any text, odd ones too
    kBoolean,
    kStruct,      // {"a": integer, "b": word, "list": [integers]}
    kNumberText,  // a STRING that is the text of an integer
    kListText,    // a STRING that is the JSON text of a list of integers
  };
  Base base = Base::kInteger;
  unsigned depth = 0;
  unsigned length = 0;  // of the outermost list; 0 = from 0 to 3, as it comes
  bool operator==(const Shape&) const = default;
};
Type type_of(const Shape& shape);

// ---- Values that a run carries ----

// An artifact by what matters of it: never by its place.
struct Artifact {
  std::string content;  // "file:" + bytes, "folder:" + all files with their names, or "nothing"
  Value metadata;       // struct
  bool operator==(const Artifact&) const = default;
};
using ValueRef = std::shared_ptr<const Value>;
using Artifacts = std::vector<Artifact>;

// The inputs or outputs of a task. Absent and null are different things.
struct Data {
  ByName<ValueRef> parameters;
  ByName<std::shared_ptr<const Artifacts>> artifacts;
};

// ---- Tasks ----

struct ParameterInput {
  Type type = Type::kString;
  std::optional<Value> default_value;
  bool optional = false;
  std::vector<Value> literals;
  bool declared = true;  // false: passed, and the component does not know it (f-strings of the DSL)
};
struct ArtifactInput {
  bool is_list = false;
  bool optional = false;
};

// A text of a constant: literals, and names of other inputs of the same task whose text goes there.
struct Piece {
  bool is_input = false;
  std::string text;
};

struct Source {
  enum class From { kConstant, kTemplate, kInput, kTask, kStatus };
  From from = From::kConstant;
  Value constant;             // kConstant
  std::vector<Piece> pieces;  // kTemplate; a sole input keeps the type of its value
  std::string name;           // kInput: of the dag around; kTask, kStatus: the task
  std::string output;         // kTask
  std::string key;            // not empty: that field of the value (parameterExpressionSelector)
};

// An expression over the task's inputs.
struct Condition {
  enum class Kind { kCompare, kNot, kAnd, kOr };
  enum class Operator { kEqual, kNotEqual, kLess, kLessEqual, kGreater, kGreaterEqual };
  Kind kind = Kind::kCompare;
  // kCompare: inputs[input] against `literal`, or against inputs[other].
  std::string input;
  bool as_integer = false;  // int(…) around it
  Operator op = Operator::kEqual;
  Value literal;
  std::string other;
  std::vector<Condition> parts;  // kNot: one
};

struct Loop {
  enum class Over { kRaw, kParameter, kArtifacts };
  Over over = Over::kRaw;
  Value::List items;  // kRaw
  // kRaw: items (by index) that are the values of other inputs of the task instead.
  std::vector<std::pair<std::size_t, std::string>> filled;
  std::string input;  // else: the task's own input
  std::string item;   // the input of the component that takes the item
  std::int64_t limit = 0;
};

struct Retry {
  unsigned max = 0;
  Duration backoff{0};
  double factor = 2.0;
  Duration backoff_max{std::chrono::hours{1}};
};

// What goes wrong with a step. It does so the first `times` times that its task path runs in a run,
// over all tries of the groups around it and all generations, and then never again.
struct Mischief {
  enum class Kind {
    kNone,
    kExit,        // exits with `code`
    kSignal,      // dies of signal `code`
    kMissing,     // its program is not there: always, and no retry helps
    kHang,        // until it is stopped: its task has a deadline
    kWrongType,   // a text where a number is declared
    kNoOutput,    // does not write an output
    kBadJson,     // its executor output is no JSON
    kUndeclared,  // gives an output that its component does not declare
  };
  static constexpr unsigned kAlways = 1'000'000;
  Kind kind = Kind::kNone;
  unsigned times = 0;
  int code = 1;
};

struct Step;
// Whether a step of these outputs can go wrong in that way.
bool is_possible(Mischief::Kind kind, const Step& step);

struct StepOutput {
  enum class Way { kFile, kMetadata, kNull };  // kNull: null in the executor output
  Shape shape;
  Way way = Way::kFile;
};
struct StepArtifact {
  // kList: as many entries as its value says, told in the executor output; kElsewhere: a file
  // beside its place, named by customPath.
  enum class Form { kFile, kFolder, kNothing, kList, kElsewhere };
  Form form = Form::kFile;
  std::string type = "system.Dataset";
  Value metadata;              // declared; struct or null
  bool adds_metadata = false;  // through the executor output
};

// Of platforms.kubernetes. Sources: kConstant, kInput (of the dag around, else of the task itself)
// and kTask.
struct Setting {
  enum class Kind {
    kSecretEnv,
    kConfigMapEnv,
    kSecretFolder,
    kConfigMapFolder,
    kVolume,
    kScratch,
    kField,  // fieldPathAsEnv
  };
  Kind kind = Kind::kSecretEnv;
  Source name;
  std::string key;    // of the secret; name of the scratch volume; field path
  std::string where;  // variable, or mount path
  bool optional = false;
};

struct Resources {
  std::string cpu_request;
  std::string cpu_limit;
  std::string memory_request;
  std::string memory_limit;
  std::string cpu_input;  // not empty: the input of the task that holds the CPU request
};

struct Step {
  std::string label;  // what its outputs depend on, besides its inputs
  ByName<StepOutput> parameters;
  ByName<StepArtifact> artifacts;
  Mischief mischief;
  Duration runs_for = std::chrono::seconds{1};
  std::string prints;
  bool ignores_terminate = false;
  bool whole_input = true;      // its argument is {{$}}; else a placeholder for each input
  bool ignores_inputs = false;  // its outputs depend on its label alone (tasks with a cache key)
  std::vector<std::pair<std::string, std::string>> env;
  std::vector<Setting> settings;
  Resources resources;
  std::optional<Duration> deadline;
  bool uses_workspace = false;
};

// Its output is called "artifact".
struct Importer {
  std::string path;  // absolute; unless `input` names the parameter that holds it
  std::string input;
  std::string type = "system.Dataset";
  Value metadata;
  bool reimport = false;
  bool to_workspace = false;
};

// CreatePVC with the output parameter "name", or DeletePVC. Its name is its input "pvc_name", or
// that of the run with "pvc_name_suffix" behind.
struct Volume {
  bool creates = true;
};

struct From {
  std::string task;
  std::string output;
  bool operator==(const From&) const = default;
};
struct DagOutput {
  Type type = Type::kString;  // of parameters
  bool is_list = false;       // of artifacts
  std::vector<From> from;     // the first that was given counts
};

// How the inputs of groups are called that hand on the name of a volume.
inline constexpr std::string_view kVolumeInput = "pipelinechannel--volume";

struct Task;
struct Dag {
  enum class Style { kPlain, kCondition, kBranches, kLoop, kExitHandler };
  Style style = Style::kPlain;  // what its component is called
  std::vector<Task> tasks;
  ByName<DagOutput> parameters;
  ByName<DagOutput> artifacts;
};

struct Task {
  std::string name;
  std::string display_name;  // empty: the name
  std::variant<Step, Importer, Volume, Dag> body;
  // What its component declares (and what it does not declare and is passed all the same).
  ByName<ParameterInput> parameters;
  ByName<ArtifactInput> artifacts;
  ByName<Source> parameter_sources;
  ByName<Source> artifact_sources;  // kInput, kTask
  std::vector<std::string> after;
  std::optional<Condition> condition;
  bool ignores_failures = false;  // ALL_UPSTREAM_TASKS_COMPLETED
  std::optional<Loop> loop;
  std::optional<Retry> retry;
  bool caching = false;
  std::string cache_key;

  [[nodiscard]] const Dag* dag() const { return std::get_if<Dag>(&body); }
  [[nodiscard]] Dag* dag() { return std::get_if<Dag>(&body); }
  [[nodiscard]] const Step* step() const { return std::get_if<Step>(&body); }
  [[nodiscard]] Step* step() { return std::get_if<Step>(&body); }
};

struct Sketch {
  std::string name = "p";  // of the pipeline: caching and artifacts go by it
  ByName<ParameterInput> parameters;
  ByName<Value> given;  // of them, at submit
  Dag root;
  bool workspace = false;
  std::optional<Duration> deadline;  // of the run
  // Path and content of what must be there before a run begins: absolute (sources of importers),
  // or below the home (secrets/NAME/KEY, configmaps/NAME/KEY).
  std::vector<std::pair<std::string, std::string>> files;
};

// Parameters given at submit.
const ByName<Value>& run_inputs(const Sketch& sketch);
const std::vector<std::pair<std::string, std::string>>& files_needed(const Sketch& sketch);

// Leaf tasks as written, loops counted once.
std::size_t leaves_of(const Sketch& sketch);

// What a sketch holds that a world must treat with care.
struct Traits {
  bool task_deadlines = false;  // a clock that jumps forward may end a step before its time
  bool run_deadline = false;    // what is foreseen is then loose (Outcome::exact)
  bool caching = false;
};
Traits traits_of(const Sketch& sketch);

// Whether a value of a run is what was foreseen. Equal; but a final status needs to be equal in its
// state and pipelineTaskName only, and a text that begins with kRunName stands for any text that
// ends as it does.
inline constexpr std::string_view kRunName = "\x01run";
bool same(const Value& foreseen, const Value& real);
bool same(const Data& foreseen, const Data& real);
// The values in one line, for messages.
std::string to_text(const Data& data);
// A value as steps see it: of a final status only what does not differ from run to run.
Value stripped(const Value& value);

}  // namespace cresset::sim
