#include "cresset/codec/yaml_events.h"

#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <cstring>
#include <istream>
#include <streambuf>

#include "cresset/codec/source_text.h"

namespace cresset::codec {

namespace {

// Each of these characters may become a token or two of about 100 bytes each.
constexpr std::string_view kTokenCharacters = "[]{},\"'*&!?:";
constexpr std::size_t kPendingTokensMax = 4'000'000;
constexpr std::ptrdiff_t kPendingNestingMax = 10'000;

// The text as a stream that watches how much yaml-cpp takes in without giving an event.
class WatchedText final : public std::streambuf {
 public:
  explicit WatchedText(std::string_view text) {
    char* begin = const_cast<char*>(text.data());  // streambuf's interface; nothing writes
    setg(begin, begin, begin + text.size());
  }

  void on_event() {
    pending_tokens_ = 0;
    pending_nesting_ = 0;
  }

 protected:
  std::streamsize xsgetn(char* out, std::streamsize wanted) override {
    const std::streamsize taken = std::min<std::streamsize>(wanted, egptr() - gptr());
    std::memcpy(out, gptr(), static_cast<std::size_t>(taken));
    watch({gptr(), static_cast<std::size_t>(taken)});
    setg(eback(), gptr() + taken, egptr());
    return taken;
  }

 private:
  void watch(std::string_view taken) {
    for (const char c : taken) {
      if (kTokenCharacters.find(c) == std::string_view::npos) continue;
      ++pending_tokens_;
      if (c == '[' || c == '{') ++pending_nesting_;
      if (c == ']' || c == '}')
        pending_nesting_ = std::max<std::ptrdiff_t>(0, pending_nesting_ - 1);
    }
    if (pending_tokens_ <= kPendingTokensMax && pending_nesting_ <= kPendingNestingMax) return;
    throw YamlRefusal{YAML::Mark::null_mark(),
                      "one value is too large or too deeply nested for YAML's flow style ([…], "
                      "{…}) or a quoted text",
                      "write the file as JSON, or the value in block style"};
  }

  std::size_t pending_tokens_ = 0;
  std::ptrdiff_t pending_nesting_ = 0;
};

// Passes events on, tells the stream, and sees to it that documents after the first begin with
// "---".
class Relay final : public YAML::EventHandler {
 public:
  Relay(std::string_view text, WatchedText& stream, YAML::EventHandler& next)
      : text_(text), stream_(stream), next_(next) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    const auto offset = static_cast<std::size_t>(std::max(mark.pos, 0));
    if (!first_ && !text_.substr(std::min(offset, text_.size())).starts_with("---")) {
      throw YamlRefusal{mark, "text after the end of the document",
                        "check the indentation of this line"};
    }
    first_ = false;
    stream_.on_event();
    next_.OnDocumentStart(mark);
  }
  void OnDocumentEnd() override { next_.OnDocumentEnd(); }
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    stream_.on_event();
    next_.OnNull(mark, anchor);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    stream_.on_event();
    next_.OnAlias(mark, anchor);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    stream_.on_event();
    next_.OnScalar(mark, tag, anchor, value);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value style) override {
    stream_.on_event();
    next_.OnSequenceStart(mark, tag, anchor, style);
  }
  void OnSequenceEnd() override { next_.OnSequenceEnd(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value style) override {
    stream_.on_event();
    next_.OnMapStart(mark, tag, anchor, style);
  }
  void OnMapEnd() override { next_.OnMapEnd(); }

 private:
  std::string_view text_;
  WatchedText& stream_;
  YAML::EventHandler& next_;
  bool first_ = true;
};

}  // namespace

void parse_yaml_events(std::string_view text, YAML::EventHandler& handler) {
  WatchedText buffer(text);
  std::istream stream(&buffer);
  Relay relay(text, buffer, handler);
  try {
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(relay)) {
    }
  } catch (const YAML::Exception& e) {
    throw YamlRefusal{e.mark, e.msg,
                      "check the indentation, the quotes and the brackets here and above"};
  }
}

text::Position to_position(std::string_view text, const YAML::Mark& mark) {
  if (mark.is_null()) return {1, 1};
  const auto line = static_cast<std::size_t>(std::max(mark.line, 0));
  const std::size_t offset = std::min(static_cast<std::size_t>(std::max(mark.pos, 0)), text.size());
  const std::size_t column = std::min(static_cast<std::size_t>(std::max(mark.column, 0)), offset);
  return position_in_line(text, offset, line, column);
}

}  // namespace cresset::codec
