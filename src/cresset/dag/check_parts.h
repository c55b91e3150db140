#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "cresset/dag/check.h"
#include "cresset/text/json.h"
#include "cresset/text/suggest.h"

// The parts of check_pipeline. Internal to dag/check*.cc.
namespace cresset::dag {

// A JSON pointer in the making. One that is extended by `at` must outlive what came out of it,
// except a temporary, which is used up.
class Where {
 public:
  explicit Where(std::string_view token) : path_("/" + text::pointer_token(token)) {}
  [[nodiscard]] Where at(std::string_view token) const& {
    return {this, "/" + text::pointer_token(token)};
  }
  [[nodiscard]] Where at(std::string_view token) && {
    path_ += "/" + text::pointer_token(token);
    return std::move(*this);
  }
  [[nodiscard]] Where at(std::size_t index) const& { return {this, "/" + std::to_string(index)}; }
  [[nodiscard]] Where at(std::size_t index) && {
    path_ += "/" + std::to_string(index);
    return std::move(*this);
  }
  [[nodiscard]] std::string pointer() const {
    return parent_ == nullptr ? path_ : parent_->pointer() + path_;
  }

 private:
  Where(const Where* parent, std::string path) : parent_(parent), path_(std::move(path)) {}

  const Where* parent_ = nullptr;
  std::string path_;  // from the parent on
};

class Problems {
 public:
  void add(const Where& where, std::string message, std::string help = {});
  [[nodiscard]] bool full() const;
  std::vector<Problem> take() { return std::move(problems_); }

 private:
  std::vector<Problem> problems_;
  std::set<std::pair<std::string, std::string>>
      known_;  // a component's problem is found once a task that uses it
};

using Names = std::set<std::string, std::less<>>;

// What tasks do with a component.
struct Passed {
  Names parameters;  // that they pass to it, declared or not, a loop's item among them
  Names artifacts;
  std::set<const model::Component*> around;  // whose dags they stand in
  bool used = false;
  bool looped = false;  // some task iterates over it
};

struct Checked {
  const model::Pipeline& pipeline;
  std::map<std::string, Passed, std::less<>> passed;          // by component
  std::map<const model::TaskSpec*, std::size_t> fixed_items;  // of loops over a list in the file
  Problems problems;

  [[nodiscard]] const Passed& passed_to(std::string_view component) const;
  // Null pointer when the pipeline has no such component.
  [[nodiscard]] const model::Component* component_of(const model::TaskSpec& task) const;
};

// A component in the words of messages: "comp-train", or "the pipeline" for its root.
struct Enclosing {
  std::string_view name;
  const model::Component& component;
  const Passed& passed;

  [[nodiscard]] const model::Dag& dag() const { return std::get<model::Dag>(component.body); }
  [[nodiscard]] bool is_root() const { return name.empty(); }
  [[nodiscard]] std::string title() const { return is_root() ? "the pipeline" : std::string(name); }
};

// "a number", "an artifact"
inline std::string with_article(std::string_view noun) {
  if (noun == "null") return "null";
  const bool vowel = std::string_view("aeiou").find(noun.front()) != std::string_view::npos;
  return (vowel ? "an " : "a ") + std::string(noun);
}

inline const std::string& name_of(const std::string& member) { return member; }
template <class T>
const std::string& name_of(const std::pair<const std::string, T>& entry) {
  return entry.first;
}

// The keys of maps or members of sets, the first few of many.
template <class... Containers>
std::string shown_names(const Containers&... containers) {
  constexpr std::size_t kMax = 10;
  std::string out;
  std::size_t count = 0;
  const auto take = [&](const auto& container) {
    for (const auto& entry : container) {
      if (++count <= kMax) out += (out.empty() ? "" : ", ") + name_of(entry);
    }
  };
  (take(containers), ...);
  return count > kMax ? out + " …" : out;
}

// " (did you mean "x"?)" among the keys of maps or the members of sets.
template <class... Containers>
std::string suggestion(std::string_view word, const Containers&... among) {
  constexpr std::size_t kMax = 1000;  // comparing with more costs more than it helps
  if ((among.size() + ... + 0) > kMax) return {};
  std::vector<std::string> names;
  const auto take = [&names](const auto& container) {
    for (const auto& entry : container) names.push_back(name_of(entry));
  };
  (take(among), ...);
  return text::did_you_mean_suffix(word, names);
}

// check_task.cc
void check_task(Checked& checked, const Enclosing& enclosing, const std::string& name,
                const model::TaskSpec& task, const Where& where);

// check_dag.cc
// Whether a value of one type may go where another is wanted. A text may spell any type and every
// value has a text, so only the other pairs are told apart (inputs.h, coerce).
bool is_compatible(model::ParameterType from, model::ParameterType to);
// The output of a task as its neighbours see it: a loop's outputs are lists.
struct SeenParameter {
  model::ParameterType type;
};
struct SeenArtifact {
  bool is_list = false;
};
// Finds the task and its output and reports what does not exist; nothing when something is unknown.
// `where` is what holds the names, under these keys.
struct OutputKeys {
  std::string_view task;
  std::string_view output;
};
std::optional<SeenParameter> see_parameter(Checked& checked, const model::Dag& dag,
                                           const model::FromTask& from, const OutputKeys& keys,
                                           const Where& where);
std::optional<SeenArtifact> see_artifact(Checked& checked, const model::Dag& dag,
                                         const model::FromTask& from, const OutputKeys& keys,
                                         const Where& where);
// Whether the dag has that task; reports it otherwise.
bool check_neighbour(Checked& checked, const model::Dag& dag, std::string_view task,
                     const Where& where);
void check_dag(Checked& checked, const Enclosing& enclosing, const Where& where);

// check_nesting.cc
// Components that contain themselves, and pipelines that expand to too many tasks.
void check_nesting(Checked& checked);

// check_text.cc
// What the placeholders of a text may name.
struct Nameable {
  std::string owner;  // whose inputs they are, in the words of messages
  Names parameters;
  Names artifacts;
  bool any_input = false;  // the inputs are not known
  const model::Component* outputs =
      nullptr;  // null pointer: a text that is read before the task runs
};
void check_text(Checked& checked, std::string_view text, const Nameable& names, const Where& where);
// One string of command or args.
void check_argument(Checked& checked, std::string_view text, const Nameable& names,
                    const Where& where);
// The texts anywhere in a value.
void check_texts(Checked& checked, const Value& value, const Nameable& names, const Where& where);
// The parameterExpressionSelector of a source, unless it is empty.
void check_selector(Checked& checked, const std::string& selector, const Where& where);
bool has_references(const Value& value);
// Whether a placeholder in the value names that input parameter.
bool names_parameter(const Value& value, std::string_view input);

// check_executor.cc
void check_executor(Checked& checked, const Enclosing& component, const Where& where);

}  // namespace cresset::dag
