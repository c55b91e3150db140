#include "cresset/codec/yaml_events.h"

#include <fmt/format.h>
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

YAML::Mark mark_at(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const std::size_t newline = before.rfind('\n');
  YAML::Mark out;
  out.pos = static_cast<int>(offset);
  out.line = static_cast<int>(std::ranges::count(before, '\n'));
  out.column = static_cast<int>(newline == std::string_view::npos ? offset : offset - newline - 1);
  return out;
}

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

  // The last scalar of the text, the one that its end may have cut off.
  [[nodiscard]] const YAML::Mark& last_scalar() const { return last_scalar_; }
  [[nodiscard]] bool in_flow() const { return flows_ > 0; }
  // Where to look for what is not closed: the outermost flow collection that has begun, else the
  // last event.
  [[nodiscard]] const YAML::Mark& suspect() const { return flows_ > 0 ? flow_ : last_event_; }

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    begin(mark);
    next_.OnNull(mark, anchor);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    begin(mark);
    next_.OnAlias(mark, anchor);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    begin(mark);
    last_scalar_ = mark;
    next_.OnScalar(mark, tag, anchor, value);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value style) override {
    begin(mark, style);
    next_.OnSequenceStart(mark, tag, anchor, style);
  }
  void OnSequenceEnd() override {
    end();
    next_.OnSequenceEnd();
  }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value style) override {
    begin(mark, style);
    next_.OnMapStart(mark, tag, anchor, style);
  }
  void OnMapEnd() override {
    end();
    next_.OnMapEnd();
  }

 private:
  void begin(const YAML::Mark& mark) {
    stream_.on_event();
    last_event_ = mark;
  }
  void begin(const YAML::Mark& mark, YAML::EmitterStyle::value style) {
    begin(mark);
    if (flows_ > 0 || style == YAML::EmitterStyle::Flow) {
      if (flows_++ == 0) flow_ = mark;
    }
  }
  void end() {
    if (flows_ > 0) --flows_;
  }

  std::string_view text_;
  WatchedText& stream_;
  YAML::EventHandler& next_;
  bool first_ = true;
  YAML::Mark last_event_;
  YAML::Mark last_scalar_;
  YAML::Mark flow_;
  std::size_t flows_ = 0;  // lists and maps that have begun within flow_, itself one of them
};

std::size_t offset_of(const YAML::Mark& mark) {
  return static_cast<std::size_t>(std::max(mark.pos, 0));
}

// A fault behind something that is not closed is that something's fault.
void refuse_unclosed(std::string_view text, const YAML::Mark& suspect) {
  const auto offset = find_unclosed(text, offset_of(suspect));
  if (!offset) return;
  const char c = text[*offset];
  throw YamlRefusal{mark_at(text, *offset),
                    c == '[' || c == '{' ? fmt::format("nothing closes this {}", c)
                                         : fmt::format("nothing closes the text that begins here"),
                    fmt::format("end it with {}", c == '['   ? ']'
                                                  : c == '{' ? '}'
                                                             : c)};
}

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
    if (relay.in_flow() || e.msg == YAML::ErrorMsg::EOF_IN_SCALAR)
      refuse_unclosed(text, relay.suspect());
    throw YamlRefusal{e.mark, e.msg,
                      "check the indentation, the quotes and the brackets here and above"};
  } catch (const YamlRefusal& refusal) {
    if (refusal.mark.is_null())  // the stream knows no place
      throw YamlRefusal{relay.suspect(), refusal.message, refusal.help};
    if (relay.in_flow()) refuse_unclosed(text, relay.suspect());
    throw;
  }
  if (is_unclosed_quote(text, offset_of(relay.last_scalar())))
    refuse_unclosed(text, relay.last_scalar());
}

text::Position to_position(std::string_view text, const YAML::Mark& mark) {
  if (mark.is_null()) return {1, 1};
  // Neither mark.line nor mark.column: yaml-cpp counts on past the end of the text.
  return position_at(text, std::min(offset_of(mark), text.size()));
}

}  // namespace cresset::codec
