#include <string>

#include "cresset/codec/yaml.h"
#include "cresset/codec/yaml_events.h"

namespace cresset::codec {

namespace {

// Follows the events with the tree of what is sought.
class Finder final : public YAML::EventHandler {
 public:
  Finder(std::string_view text, SoughtPlaces& places) : text_(text), places_(places) {}

  void OnDocumentStart(const YAML::Mark& /*mark*/) override { empty_ = false; }
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
  // A list or map that has begun and not ended.
  struct Frame {
    bool is_map = false;
    bool expects_key = false;
    std::size_t index = 0;
    Sought* sought = nullptr;
    Sought* next = nullptr;  // of a map: the value whose key has been read
    YAML::Mark key = YAML::Mark::null_mark();
  };

  void scalar(const YAML::Mark& mark, std::string_view value) {
    if (!frames_.empty() && frames_.back().expects_key) {
      Frame& frame = frames_.back();
      frame.expects_key = false;
      frame.key = mark;
      frame.next = sought_child(frame.sought, value);
      return;
    }
    begin_value(mark, false);
    end_value();
  }

  void open(const YAML::Mark& mark, YAML::EmitterStyle::value style, bool is_map) {
    Sought* const sought = begin_value(mark, style != YAML::EmitterStyle::Flow);
    frames_.push_back({is_map, is_map, 0, sought, nullptr, YAML::Mark::null_mark()});
  }

  void close() {
    frames_.pop_back();
    end_value();
  }

  Sought* begin_value(const YAML::Mark& mark, bool block) {
    Sought* sought = nullptr;
    YAML::Mark key = YAML::Mark::null_mark();
    if (frames_.empty()) {
      sought = places_.document(document_);
    } else if (const Frame& frame = frames_.back(); frame.is_map) {
      sought = frame.next;
      key = frame.key;
    } else {
      sought = sought_child(frame.sought, frame.index);
    }
    if (sought != nullptr) {
      places_.found(*sought, to_position(text_, block && !key.is_null() ? key : mark),
                    to_position(text_, key.is_null() ? mark : key));
      if (places_.all_found()) throw YamlRefusal{mark, "no more to find", {}};
    }
    return sought;
  }

  void end_value() {
    if (frames_.empty()) return;
    Frame& frame = frames_.back();
    frame.expects_key = frame.is_map;
    ++frame.index;
  }

  std::string_view text_;
  SoughtPlaces& places_;
  std::vector<Frame> frames_;
  std::size_t document_ = 0;
  bool empty_ = false;
};

}  // namespace

void locate_yaml(std::string_view text, SoughtPlaces& places) {
  Finder finder(text, places);
  try {
    parse_yaml_events(text, finder);
  } catch (const YamlRefusal&) {
    // All is found; or the text has a fault, before which what was found still stands.
  }
}

}  // namespace cresset::codec
