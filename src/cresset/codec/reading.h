#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cresset/base/check.h"
#include "cresset/base/value.h"
#include "cresset/codec/document.h"
#include "cresset/codec/support.h"

// Taking a document apart, message by message, with everything wrong in it collected.
// Single-threaded; a Node or Message lives on the stack of the function that reads it, and points
// to the one it came from.
namespace cresset::codec {

struct Finding {
  Place place;
  std::string message;
  std::string help;
};

// What the reading of one file turned up.
class Report {
 public:
  void error(Place place, std::string message, std::string help = {});
  // A field that has no effect: told once for all its occurrences.
  void noted(const MessageRule& message, const FieldRule& field, Place place,
             std::string_view owner);
  // Something else without effect.
  void warning(Place place, std::string message);

  [[nodiscard]] const std::vector<Finding>& errors() const { return errors_; }
  // False: it is one part too many.
  bool count_part();
  void stop() { stopped_ = true; }

  // Nothing further is kept: the rest of the file need not be read.
  [[nodiscard]] bool full() const;
  [[nodiscard]] std::vector<Finding> warnings() const;

 private:
  struct Noted {
    Place place;
    std::string owner;
    std::string_view why;
    std::size_t count = 0;
  };
  std::vector<Finding> errors_;
  std::vector<Finding> warnings_;
  std::map<std::string, Noted, std::less<>> noted_;
  std::size_t parts_ = 0;
  bool stopped_ = false;
};

// A value and where it stands. It changes the value only in consume_each_name().
class Node {
 public:
  Node(Value& value, Report& report, std::size_t document)
      : value_(&value), report_(&report), document_(document) {}

  [[nodiscard]] const Value& value() const { return *value_; }
  [[nodiscard]] Report& report() const { return *report_; }
  [[nodiscard]] Node child(std::string_view key, Value& value) const;
  [[nodiscard]] Node child(std::size_t index, Value& value) const;

  [[nodiscard]] std::string pointer() const;
  [[nodiscard]] Place place() const { return {document_, pointer(), false}; }
  [[nodiscard]] Place key_place() const { return {document_, pointer(), true}; }
  // The key of the innermost of the maps tasks, components, executors … that this stands in; empty
  // when in none.
  [[nodiscard]] std::string owner() const;

  // For each task, component and executor: thirty bytes of text can become a kilobyte of model.
  void count_part() const;

  void error(std::string message, std::string help = {}) const;
  void error_at_key(std::string message, std::string help = {}) const;
  // "… must be a string, not a number".
  void wrong_kind(std::string_view expected) const;

  // Readers of one value; on a wrong kind they report and return nothing.
  [[nodiscard]] std::optional<std::string> text() const;
  [[nodiscard]] std::optional<bool> flag() const;
  [[nodiscard]] std::optional<double> number()
      const;  // numbers, and their text, as protobuf's JSON allows
  [[nodiscard]] std::optional<std::int64_t> integer() const;
  [[nodiscard]] bool expect_struct() const;
  [[nodiscard]] bool expect_list() const;

  // Calls `read(key, node)` for each entry of a map.
  template <class F>
  void for_each_entry(F&& read) const {
    if (!expect_struct()) return;
    for (auto& [key, value] : value_->as_struct()) {
      if (report_->full()) return;
      read(key, child(key, value));
    }
  }
  // The same for a map whose keys are names; others are reported and passed over.
  template <class F>
  void for_each_name(F&& read) const {
    for_each_entry([&read](const std::string& name, const Node& entry) {
      if (entry.check_name(name)) read(name, entry);
    });
  }
  // The same, and each entry is null when it has been read: the values of very many take more
  // memory than what is made of them.
  template <class F>
  void consume_each_name(F&& read) const {
    // Many at once: each by itself would leave a hole for a part of what is read next.
    constexpr std::size_t kFreedAtOnce = 1024;
    std::vector<Value> done;
    for_each_name([&](const std::string& name, const Node& entry) {
      read(name, entry);
      done.push_back(std::exchange(*entry.value_, Value()));
      if (done.size() == kFreedAtOnce) done = {};
    });
  }
  template <class F>
  void for_each_item(F&& read) const {
    if (!expect_list()) return;
    std::size_t index = 0;
    for (Value& item : value_->as_list()) {
      if (report_->full()) return;
      read(child(index++, item));
    }
  }
  [[nodiscard]] std::vector<std::string> texts() const;

  // Whether this text may become the name of a file; reports when it may not.
  [[nodiscard]] bool check_file_name(std::string_view name) const;

 private:
  friend class Message;
  // Names become parts of paths and of placeholders.
  [[nodiscard]] bool check_name(std::string_view name) const;

  Value* value_;
  Report* report_;
  const Node* parent_ = nullptr;
  std::string_view key_;
  std::size_t index_ = 0;
  std::size_t document_ = 0;
};

// A struct whose fields have been checked against their rule: unknown and refused ones are
// reported, ignored ones noted, null ones count as absent, and both spellings of a name are
// accepted.
class Message {
 public:
  Message(const Node& node, std::string_view rule);
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;

  [[nodiscard]] const Node& node() const { return node_; }

  // The field when it is there and not null. Its name must be in the rule.
  [[nodiscard]] std::optional<Node> field(std::string_view name) const;
  // The same for fields whose type is any JSON value: null is a value.
  [[nodiscard]] std::optional<Node> any(std::string_view name) const;
  [[nodiscard]] bool has(std::string_view name) const { return field(name).has_value(); }
  // The only one of `names` that is there; reports when there are several, and with `required` when
  // there is none.
  [[nodiscard]] std::optional<std::string_view> only_one(
      std::initializer_list<std::string_view> names, bool required = true) const;

  [[nodiscard]] std::string text(std::string_view name) const;  // "" when absent
  [[nodiscard]] std::string required_text(
      std::string_view name) const;                      // absent or empty is an error
  [[nodiscard]] bool flag(std::string_view name) const;  // false when absent
  [[nodiscard]] std::vector<std::string> texts(std::string_view name) const;

  template <class F>
  void for_each_entry(std::string_view name, F&& read) const {
    if (const auto found = field(name)) found->for_each_entry(read);
  }
  template <class F>
  void for_each_name(std::string_view name, F&& read) const {
    if (const auto found = field(name)) found->for_each_name(read);
  }
  template <class F>
  void consume_each_name(std::string_view name, F&& read) const {
    if (const auto found = field(name)) found->consume_each_name(read);
  }
  template <class F>
  void for_each_item(std::string_view name, F&& read) const {
    if (const auto found = field(name)) found->for_each_item(read);
  }

 private:
  struct Field {
    std::string_view key;  // as spelled
    Value* value = nullptr;
  };
  void take(std::string_view key, const Node& field);
  [[nodiscard]] std::size_t index_of(std::string_view name) const;

  Node node_;
  const MessageRule& rule_;
  std::vector<Field> fields_;  // parallel to the rule's
};

}  // namespace cresset::codec
