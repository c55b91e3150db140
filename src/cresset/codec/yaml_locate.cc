#include <map>
#include <string>
#include <unordered_map>
#include <utility>

#include "cresset/codec/yaml.h"
#include "cresset/codec/yaml_events.h"

namespace cresset::codec {

namespace {

// Where a wanted value and its key stand, once seen.
struct Seen {
  YAML::Mark value = YAML::Mark::null_mark();
  YAML::Mark key = YAML::Mark::null_mark();
};

using Wanted = std::unordered_map<std::string, Seen>;  // by "<document> <pointer>"

std::string wanted_name(std::size_t document, std::string_view pointer) {
  return std::to_string(document) + " " + std::string(pointer);
}

// Follows the events with the pointer of the value that comes next, and notes the wanted ones.
class Finder final : public YAML::EventHandler {
 public:
  explicit Finder(Wanted& wanted) : wanted_(wanted), pointer_(wanted_name(0, {})) {}

  void OnDocumentStart(const YAML::Mark& /*mark*/) override {
    pointer_ = wanted_name(document_, {});
    empty_ = false;
  }
  void OnDocumentEnd() override {
    if (!empty_) ++document_;
  }
  void OnNull(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
    empty_ = frames_.empty();
    scalar(mark, {});
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override { scalar(mark, {}); }
  void OnScalar(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t /*anchor*/,
                const std::string& value) override {
    scalar(mark, value);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& /*tag*/,
                       YAML::anchor_t /*anchor*/, YAML::EmitterStyle::value style) override {
    open(mark, style, false);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t /*anchor*/,
                  YAML::EmitterStyle::value style) override {
    open(mark, style, true);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapEnd() override { close(); }

 private:
  struct Frame {
    bool is_map = false;
    bool have_key = false;
    YAML::Mark key = YAML::Mark::null_mark();
    std::size_t index = 0;
    std::size_t pointer_size = 0;  // of the list or map itself
  };

  void scalar(const YAML::Mark& mark, std::string_view value) {
    if (!frames_.empty() && frames_.back().is_map && !frames_.back().have_key) {
      Frame& frame = frames_.back();
      frame.have_key = true;
      frame.key = mark;
      pointer_ += '/';
      pointer_ += text::pointer_token(value);
      return;
    }
    begin_value(mark, false);
    end_value();
  }

  void open(const YAML::Mark& mark, YAML::EmitterStyle::value style, bool is_map) {
    begin_value(mark, style != YAML::EmitterStyle::Flow);
    frames_.push_back({is_map, false, YAML::Mark::null_mark(), 0, pointer_.size()});
  }

  void close() {
    frames_.pop_back();
    end_value();
  }

  void begin_value(const YAML::Mark& mark, bool block) {
    YAML::Mark key = YAML::Mark::null_mark();
    if (!frames_.empty() && frames_.back().is_map) key = frames_.back().key;
    if (!frames_.empty() && !frames_.back().is_map)
      pointer_ += '/' + std::to_string(frames_.back().index);
    if (const auto found = wanted_.find(pointer_); found != wanted_.end()) {
      found->second.value = block && !key.is_null() ? key : mark;
      found->second.key = key.is_null() ? mark : key;
    }
  }

  void end_value() {
    if (frames_.empty()) return;
    Frame& frame = frames_.back();
    frame.have_key = false;
    ++frame.index;
    pointer_.resize(frame.pointer_size);
  }

  Wanted& wanted_;
  std::string pointer_;
  std::vector<Frame> frames_;
  std::size_t document_ = 0;
  bool empty_ = false;
};

}  // namespace

std::vector<text::Position> locate_yaml(std::string_view text, const std::vector<Place>& places) {
  Wanted wanted;
  for (const Place& place : places) {
    std::string_view pointer = place.pointer;
    while (true) {
      wanted.try_emplace(wanted_name(place.document, pointer));
      if (pointer.empty()) break;
      pointer = pointer.substr(0, pointer.rfind('/'));
    }
  }
  Finder finder(wanted);
  try {
    parse_yaml_events(text, finder);
  } catch (const YamlRefusal&) {
    // What was found before the fault still stands; a text that read_documents accepted has none.
  }
  std::vector<text::Position> out;
  out.reserve(places.size());
  for (const Place& place : places) {
    std::string_view pointer = place.pointer;
    const Seen* seen = &wanted.at(wanted_name(place.document, pointer));
    bool exact = true;
    while (seen->value.is_null() && !pointer.empty()) {
      pointer = pointer.substr(0, pointer.rfind('/'));
      seen = &wanted.at(wanted_name(place.document, pointer));
      exact = false;
    }
    out.push_back(to_position(text, place.key || !exact ? seen->key : seen->value));
  }
  return out;
}

}  // namespace cresset::codec
