#include "cresset/codec/yaml.h"

#include <algorithm>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>

#include "cresset/codec/source_text.h"
#include "cresset/codec/yaml_events.h"
#include "cresset/codec/yaml_scalar.h"
#include "cresset/text/utf8.h"

namespace cresset::codec {

namespace {

// What a value takes, roughly, and how deep it is.
struct Extent {
  std::size_t bytes = 0;
  std::size_t depth = 0;
};

// Builds one Value a document.
class Builder final : public YAML::EventHandler {
 public:
  Builder(std::string_view text, const DocumentLimits& limits, std::vector<DocumentError>& repeated)
      : text_(text), limits_(limits), repeated_(repeated) {}

  std::vector<Value> take() { return std::move(documents_); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    anchors_.clear();
    document_mark_ = mark;
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    add(mark, anchor, Value(), {sizeof(Value), 0});
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    add(mark, anchor, scalar(mark, tag, value), {sizeof(Value) + value.size(), 0});
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto known = anchors_.find(anchor);
    if (known == anchors_.end())
      throw YamlRefusal{mark, "this alias stands inside the value that it names",
                        "write the value out"};
    const Anchored& anchored = known->second;
    spend(mark, anchored.extent.bytes);
    check_depth(mark, anchored.extent.depth);
    add(mark, 0, anchored.value, anchored.extent);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    check_collection_tag(mark, tag, "tag:yaml.org,2002:seq");
    open(mark, anchor, Value(Value::List{}));
  }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    check_collection_tag(mark, tag, "tag:yaml.org,2002:map");
    open(mark, anchor, Value(Value::Struct{}));
  }
  void OnSequenceEnd() override { close(); }
  void OnMapEnd() override {
    drop_repeated(frames_.back());
    close();
  }

 private:
  // A list or map that has begun and not ended.
  struct Frame {
    Value value;
    YAML::Mark mark;
    YAML::anchor_t anchor = 0;
    Extent extent;
    std::optional<std::string> key;     // of the map's entry whose value comes next
    std::vector<YAML::Mark> key_marks;  // of all entries
  };
  struct Anchored {
    Value value;
    Extent extent;
  };

  static Value scalar(const YAML::Mark& mark, const std::string& tag, const std::string& value) {
    if (text::find_invalid_utf8(value) != std::string_view::npos)
      return scalar(mark, tag, with_whole_characters(value));
    if (tag == "!") return Value(value);
    auto resolved = tag == "?" ? resolve_plain_scalar(value) : resolve_tagged_scalar(tag, value);
    if (!resolved) throw YamlRefusal{mark, resolved.error().message, {}};
    return *std::move(resolved);
  }

  // yaml-cpp turns "\N" and "\_" into half of a character. Nothing else in a scalar can be no
  // UTF-8: the text was.
  static std::string with_whole_characters(std::string_view value) {
    std::string out;
    while (true) {
      const std::size_t at = text::find_invalid_utf8(value);
      out += value.substr(0, at);
      if (at == std::string_view::npos) return out;
      out += '\xC2';
      out += value[at];
      value.remove_prefix(at + 1);
    }
  }

  static void check_collection_tag(const YAML::Mark& mark, const std::string& tag,
                                   std::string_view expected) {
    if (tag == "?" || tag == "!" || tag == expected) return;
    throw YamlRefusal{mark, "the tag " + clipped(tag) + " is not supported",
                      "write the value with YAML's own lists and maps"};
  }

  void check_depth(const YAML::Mark& mark, std::size_t further) const {
    if (frames_.size() + further <= limits_.depth) return;
    throw YamlRefusal{
        mark, "lists and maps are nested more than " + std::to_string(limits_.depth) + " deep",
        "flatten the value, or pass it as text"};
  }

  void spend(const YAML::Mark& mark, std::size_t bytes) {
    spent_ += bytes;
    if (spent_ <= limits_.alias_bytes) return;
    throw YamlRefusal{mark,
                      "the aliases of this text expand to more than " +
                          std::to_string(limits_.alias_bytes >> 20) + " MB",
                      "write the repeated values out, or fewer of them"};
  }

  void open(const YAML::Mark& mark, YAML::anchor_t anchor, Value value) {
    if (expects_key()) throw YamlRefusal{mark, "a list or map cannot be a key", "use a string"};
    frames_.push_back({std::move(value), mark, anchor, {sizeof(Value), 1}, {}, {}});
    check_depth(mark, 0);
  }

  void close() {
    Frame frame = std::move(frames_.back());
    frames_.pop_back();
    add(frame.mark, frame.anchor, std::move(frame.value), frame.extent);
  }

  [[nodiscard]] bool expects_key() const {
    return !frames_.empty() && frames_.back().value.is_struct() && !frames_.back().key;
  }

  void add(const YAML::Mark& mark, YAML::anchor_t anchor, Value value, Extent extent) {
    if (!expects_key() && values_++ == limits_.values) {
      throw YamlRefusal{mark, "more than " + std::to_string(limits_.values) + " values in one file",
                        "split the file, or pass large values as artifacts"};
    }
    if (anchor != 0) {
      spend(mark, extent.bytes);
      anchors_.insert_or_assign(anchor, Anchored{value, extent});
    }
    if (frames_.empty()) return end_document(std::move(value));
    Frame& frame = frames_.back();
    if (expects_key()) return add_key(frame, mark, std::move(value));
    frame.extent.bytes += extent.bytes;
    frame.extent.depth = std::max(frame.extent.depth, extent.depth + 1);
    if (frame.value.is_list()) {
      frame.value.as_list().push_back(std::move(value));
    } else {
      frame.extent.bytes += sizeof(std::string) + frame.key->size();
      frame.value.as_struct().append(*std::move(frame.key), std::move(value));
      frame.key.reset();
    }
  }

  void add_key(Frame& frame, const YAML::Mark& mark, Value key) {
    if (!key.is_string()) {
      throw YamlRefusal{
          mark, "a key must be a string, and this one reads as a " + std::string(key.kind_name()),
          "put the key in quotes"};
    }
    if (key.as_string() == "<<") {
      const auto offset = static_cast<std::size_t>(std::max(mark.pos, 0));
      if (text_.substr(std::min(offset, text_.size())).starts_with("<<")) {
        throw YamlRefusal{mark, "merge keys (<<) are not supported", "write the entries out"};
      }
    }
    frame.key = key.as_string();
    frame.key_marks.push_back(mark);
  }

  // Once a map rather than once a key: no set has to be kept while the map grows.
  void drop_repeated(Frame& frame) {
    Value::Struct& fields = frame.value.as_struct();
    std::vector<std::pair<std::string_view, std::size_t>> keys;
    keys.reserve(fields.size());
    for (const auto& [key, value] : fields) keys.emplace_back(key, keys.size());
    std::ranges::sort(keys);
    std::map<std::size_t, std::size_t> first_of;  // later occurrence -> the first
    std::size_t first = 0;
    for (std::size_t i = 1; i < keys.size(); ++i) {
      if (keys[i].first != keys[first].first) {
        first = i;
      } else {
        first_of.emplace(keys[i].second, keys[first].second);
      }
    }
    if (first_of.empty()) return;
    Value::Struct kept;
    std::size_t index = 0;
    for (const auto& [key, value] : fields) {
      const auto earlier = first_of.find(index++);
      if (earlier == first_of.end()) {
        kept.append(key, value);
      } else {
        note_repeated(key, frame.key_marks[earlier->first], frame.key_marks[earlier->second]);
      }
    }
    fields = std::move(kept);
  }

  void note_repeated(std::string_view key, const YAML::Mark& mark, const YAML::Mark& first_mark) {
    constexpr std::size_t kRepeatedMax = 100;
    if (repeated_.size() == kRepeatedMax) return;
    const text::Position first = to_position(text_, first_mark);
    repeated_.push_back(
        {to_position(text_, mark),
         "the key \"" + clipped(key) + "\" occurs twice in this map, first in line " +
             std::to_string(first.line) + ", column " + std::to_string(first.column),
         "remove or rename one of the two"});
  }

  void end_document(Value value) {
    if (value.is_null()) return;
    if (documents_.size() == limits_.documents) {
      throw YamlRefusal{document_mark_,
                        limits_.documents == 1 ? "a second document in a file that holds one"
                                               : "more than " + std::to_string(limits_.documents) +
                                                     " documents in one file",
                        "remove what follows this line"};
    }
    documents_.push_back(std::move(value));
  }

  std::string_view text_;
  const DocumentLimits& limits_;
  std::vector<DocumentError>& repeated_;
  std::vector<Value> documents_;
  std::vector<Frame> frames_;
  std::unordered_map<YAML::anchor_t, Anchored> anchors_;
  std::size_t spent_ = 0;
  std::size_t values_ = 0;
  YAML::Mark document_mark_;
};

}  // namespace

Result<std::vector<Value>> read_yaml(std::string_view text, const DocumentLimits& limits,
                                     DocumentError& error, std::vector<DocumentError>& repeated) {
  Builder builder(text, limits, repeated);
  try {
    parse_yaml_events(text, builder);
  } catch (const YamlRefusal& refusal) {
    error = {to_position(text, refusal.mark), refusal.message, refusal.help};
    return make_error(Code::kInvalidArgument, "line {}, column {}: {}", error.position.line,
                      error.position.column, error.message);
  }
  return builder.take();
}

}  // namespace cresset::codec
