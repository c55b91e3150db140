#include "cresset/codec/places.h"
#include "cresset/codec/source_text.h"

namespace cresset::codec {

namespace {

// Walks along a text that is known to be JSON, and takes it apart only where something is sought.
class Walk {
 public:
  Walk(std::string_view text, SoughtPlaces& places) : text_(text), places_(places) {}

  void run() {
    while (offset_ < text_.size() && !places_.all_found()) step(text_[offset_]);
  }

 private:
  struct Frame {
    bool is_map = false;
    bool expects_key = false;
    std::size_t index = 0;
    Sought* sought = nullptr;  // the list or map
    Sought* next = nullptr;    // of a map: the value whose key has been read
    text::Position key;        // its place
  };

  void step(char c) {
    switch (c) {
      case '{':
      case '[': {
        Sought* const sought = begin_value();
        frames_.push_back({c == '{', c == '{', 0, sought, nullptr, {}});
        break;
      }
      case '}':
      case ']':
        if (!frames_.empty()) frames_.pop_back();
        break;
      case ',':
        if (!frames_.empty()) next_entry(frames_.back());
        break;
      case '"':
        return string();
      case '\n':
        ++line_;
        line_start_ = offset_ + 1;
        break;
      case ' ':
      case '\t':
      case '\r':
      case ':':
        break;
      default:
        return word();
    }
    ++offset_;
  }

  static void next_entry(Frame& frame) {
    ++frame.index;
    frame.expects_key = frame.is_map;
  }

  void string() {
    const std::size_t begin = offset_;
    ++offset_;
    bool escaped = false;
    while (offset_ < text_.size() && text_[offset_] != '"') {
      if (text_[offset_] == '\\') {
        escaped = true;
        ++offset_;
      }
      ++offset_;
    }
    const std::size_t end = offset_ < text_.size() ? offset_ + 1 : text_.size();
    offset_ = begin;
    if (!frames_.empty() && frames_.back().expects_key) {
      key(frames_.back(), text_.substr(begin, end - begin), escaped);
    } else {
      begin_value();
    }
    offset_ = end;
  }

  void key(Frame& frame, std::string_view quoted, bool escaped) {
    frame.expects_key = false;
    frame.next = nullptr;
    if (frame.sought == nullptr || quoted.size() < 2) return;
    if (escaped) {
      const auto value = text::parse_json(quoted);
      if (value && value->is_string()) frame.next = sought_child(frame.sought, value->as_string());
    } else {
      frame.next = sought_child(frame.sought, quoted.substr(1, quoted.size() - 2));
    }
    if (frame.next != nullptr) frame.key = here();
  }

  void word() {
    begin_value();
    constexpr std::string_view kEnd = ",]} \t\r\n";
    offset_ = std::min(text_.find_first_of(kEnd, offset_), text_.size());
  }

  Sought* begin_value() {
    if (frames_.empty()) {
      Sought* const root = places_.document(0);
      if (root != nullptr) places_.found(*root, here(), here());
      return root;
    }
    const Frame& frame = frames_.back();
    Sought* const sought = frame.is_map ? frame.next : sought_child(frame.sought, frame.index);
    if (sought != nullptr) {
      const text::Position value = here();
      places_.found(*sought, value, frame.is_map ? frame.key : value);
    }
    return sought;
  }

  [[nodiscard]] text::Position here() const {
    return position_in_line(text_, offset_, line_, offset_ - line_start_);
  }

  std::string_view text_;
  SoughtPlaces& places_;
  std::vector<Frame> frames_;
  std::size_t offset_ = 0;
  std::size_t line_ = 0;
  std::size_t line_start_ = 0;
};

}  // namespace

void locate_json(std::string_view text, SoughtPlaces& places) { Walk(text, places).run(); }

}  // namespace cresset::codec
