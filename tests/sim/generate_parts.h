#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "sim/generate.h"

// The inside of make_sketch(), shared by generate*.cc and nobody else.
namespace cresset::sim {

class Dice {
 public:
  explicit Dice(SeededRandom& random) : random_(random) {}
  std::uint64_t below(std::uint64_t bound) { return random_.below(bound); }
  unsigned between(unsigned low, unsigned high) {
    return low + static_cast<unsigned>(below(high - low + 1));
  }
  bool permille(unsigned chance) { return below(1000) < chance; }
  bool percent(unsigned chance) { return below(100) < chance; }
  template <class T>
  const T& pick(const std::vector<T>& from) {
    return from[below(from.size())];
  }

 private:
  SeededRandom& random_;
};

Source constant(Value value);
Source from_input(std::string name);
Source from_task(std::string task, std::string output);
Source status_of(std::string task);

// A value that a task of a dag can be given.
struct Known {
  Source source;
  Shape shape;
};
struct KnownArtifact {
  Source source;
  bool is_list = false;
};

// What stands around the next task of a dag.
struct Scope {
  Dag dag;
  std::vector<Known> values;
  std::vector<KnownArtifact> artifacts;
  std::vector<Source> volumes;        // their names
  std::vector<std::string> mounters;  // tasks that mount one, themselves or within
  std::set<std::string> names;
  unsigned depth = 0;
  bool in_loop = false;
};

inline constexpr unsigned kDepthMax = 4;

class Generator {
 public:
  Generator(SeededRandom& random, const Taste& taste) : dice_(random), taste_(taste) {}
  Sketch make();

 private:
  // ---- Names and values: generate_values.cc ----

  std::string fresh(std::set<std::string>& used, const std::vector<std::string>& plain,
                    bool may_be_odd = true);
  std::string task_name(Scope& scope, const std::vector<std::string>& plain);
  Shape random_shape();
  Value random_base(Shape::Base base);
  // In the file of a pipeline these would be placeholders.
  static std::string harmless(const std::string& text);
  Value random_value(const Shape& shape);
  void add_run_inputs(Scope& root);
  // What a user gives may look like a placeholder.
  Value run_value(const Shape& shape);
  Duration random_time();

  // ---- A dag: generate.cc ----

  void fill(Scope& scope, unsigned leaves);
  unsigned add_something(Scope& scope, unsigned leaves, bool& exit_handled);

  // ---- Steps: generate_step.cc ----

  Step make_step(const std::string& name);
  static std::string plain_label(const std::string& name);
  StepOutput::Way random_way();
  StepArtifact random_artifact();
  void add_resources(Resources& resources);
  // How it fails, how often it is tried again, and whether it is cached: a cached step ends well
  // within its own retries or never, so that a hit changes nothing.
  void add_manners(Task& task);
  Retry random_retry(unsigned max);
  void add_mischief(Task& task);
  unsigned add_step(Scope& scope);

  // ---- Inputs: generate_step.cc ----

  void add_inputs(Scope& scope, Task& task);
  static bool has_normal(const Scope& scope);
  void add_after(Scope& scope, Task& task);
  void add_input(Scope& scope, Task& task, const std::string& name);
  // The last ones are the likeliest: chains rather than stars.
  const Known& pick_known(Scope& scope);
  // A field of it, if it is a struct.
  Known refine(Known known);
  // Mostly its own; at times one that it is turned into, or that it may not fit.
  Type input_type(const Shape& shape);
  void make_dispensable(ParameterInput& input, const Shape& shape);
  static Value plain(Type type);
  void add_artifact_input(Task& task, const std::string& name, const KnownArtifact& known);
  // "… {{$.inputs.parameters['x']}} …", with an input beside it that the component knows nothing
  // of.
  void add_template(Task& task, std::set<std::string>& used);

  // ---- Settings of platforms.kubernetes: generate_step.cc ----

  void add_settings(Scope& scope, Task& task);
  void add_secret(Task& task);

  // ---- Conditions: generate_group.cc ----

  std::optional<Condition> random_condition(const Task& task);
  static Condition negation(Condition condition);
  Condition compare_input(const std::pair<const std::string, ParameterInput>& input);

  // ---- Groups: generate_group.cc ----

  // A group's task with some of what is known around it passed on, and the scope inside it.
  Scope enter(Scope& around, Task& task, Dag::Style style);
  const ParameterInput& pass_on(Task& task, Scope& inside, const std::string& name,
                                const Known& known);
  // What the dag gives: some outputs of its tasks, which are told in `out` as the task around gives
  // them.
  void add_outputs(Scope& inside, unsigned most, Scope* out, const std::string& task = {},
                   bool looped = false);
  void add_group_retry(Task& task, unsigned percent);
  unsigned close(Scope& scope, Task task, Scope inside, bool looped = false);
  static unsigned count(const Dag& dag);
  unsigned add_group(Scope& scope, unsigned leaves);
  static bool mounts(const Task& task);
  // Something that conditions can look at.
  Known decidable(Scope& scope);
  unsigned add_condition(Scope& scope, unsigned leaves);
  // if, elif, else, and what the branch that was taken gives.
  unsigned add_branches(Scope& scope, unsigned leaves);
  static Condition all_of(std::vector<Condition> parts);
  // A last step that gives the outputs "Output" and "made" of its dag.
  void give(Scope& inside, const Shape& shape, bool artifact);
  unsigned add_exit_handler(Scope& scope, unsigned leaves);
  // A pipeline as exit task, which passes the status on as a struct.
  unsigned add_exit_group(Scope& scope, Task& exit, const std::string& watched);

  // ---- Loops: generate_group.cc ----

  unsigned add_loop(Scope& scope, unsigned leaves);
  bool choose_items(Scope& scope, Task& task, Scope& inside);
  // One of the items is an input of the task.
  void fill_item(const Task& task, Loop& loop, Type type);
  void add_item(Task& task, Scope& inside, const std::string& name, const Shape& shape);
  // The step itself is what is done for each item.
  bool add_leaf_loop(Scope& scope, Task& task);

  // ---- Other leaves: generate_leaf.cc ----

  std::string new_file();
  unsigned add_importer(Scope& scope);
  unsigned add_volume(Scope& scope);
  // Only what this dag made, and nothing ignores failures in such a pipeline: a volume that is gone
  // is not made again by a later generation.
  void delete_volumes(Scope& scope);
  static bool may_be_cloned(const Task& task);
  // Another task of a component that there is already, with other constants.
  unsigned add_clone(Scope& scope);

  // ---- Thousands: generate_leaf.cc ----

  void add_giant(Scope& root);
  Task small_step(Scope& scope, const std::string& name);
  void add_wide_loop(Scope& root, unsigned size);
  void add_long_chain(Scope& root, unsigned size);
  void add_fan_out(Scope& root, unsigned size);

  // ---- Into the dag: generate.cc ----

  // What later tasks can take of it.
  static void tell(const Task& task, Scope& scope);
  static void push(Scope& scope, Task task);

  Dice dice_;
  Taste taste_;
  Sketch sketch_;
  bool deletes_volumes_ = false;
  unsigned labels_ = 0;
};

}  // namespace cresset::sim
