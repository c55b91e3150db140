#include "cresset/text/placeholder.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "cresset/base/error.h"
#include "cresset/base/result.h"
#include "cresset/base/value.h"
#include "cresset/text/json.h"
#include "cresset/text/suggest.h"
#include "cresset/text/utf8.h"

namespace cresset::text {

namespace {

using Kind = Reference::Kind;

constexpr std::string_view kOpening = "{{$";
constexpr std::size_t kShownBytes = 100;

constexpr std::string_view kJobNames[] = {
    "pipeline_job_name",  "pipeline_job_resource_name",   "pipeline_job_uuid",
    "pipeline_task_name", "pipeline_task_uuid",           "pipeline_root",
    "workspace_path",     "pipeline_job_create_time_utc", "pipeline_job_schedule_time_utc",
};
constexpr std::string_view kArtifactFields[] = {"path", "uri", "name", "metadata"};

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

template <class Names>
std::string suggestion(std::string_view word, const Names& names) {
  return did_you_mean_suffix(word, std::vector<std::string>(std::begin(names), std::end(names)));
}

// Reads one {{$…}} that starts at `begin`.
class ReferenceParser {
 public:
  ReferenceParser(std::string_view text, std::size_t begin)
      : text_(text), begin_(begin), position_(begin + kOpening.size()) {}

  Result<Reference> parse() {
    skip_spaces();
    if (!closes()) CR_TRY_VOID(read_path());
    if (!closes()) return unexpected("\"}}\"");
    position_ += 2;
    reference_.text = text_.substr(begin_, position_ - begin_);
    return std::move(reference_);
  }
  [[nodiscard]] std::size_t end() const { return position_; }

 private:
  [[nodiscard]] char peek(std::size_t ahead = 0) const {
    return ahead < text_.size() - position_ ? text_[position_ + ahead] : '\0';
  }
  [[nodiscard]] bool follows(std::string_view word) const {
    return text_.substr(position_).starts_with(word);
  }
  [[nodiscard]] bool closes() const { return follows("}}"); }
  void skip_spaces() {
    while (peek() == ' ' || peek() == '\t') ++position_;
  }

  // The placeholder as far as it can be told, for messages.
  [[nodiscard]] std::string shown() const {
    const std::string_view rest = text_.substr(begin_, text_.find('\n', begin_) - begin_);
    const std::size_t close = rest.find("}}");
    return shorten(close == std::string_view::npos ? rest : rest.substr(0, close + 2), kShownBytes);
  }
  [[nodiscard]] Error error(std::string_view reason) const {
    return make_error(Code::kInvalidArgument, "the placeholder {} {}", shown(), reason);
  }
  [[nodiscard]] Error unexpected(std::string_view wanted) const {
    if (position_ >= text_.size() || peek() == '\n')
      return error(fmt::format("is not complete: expected {}", wanted));
    const std::string_view rest = text_.substr(position_, text_.find('\n', position_) - position_);
    return error(fmt::format("is malformed: expected {}, found \"{}\"", wanted, shorten(rest, 20)));
  }

  Result<void> read_path() {
    CR_TRY(const std::string_view scope, word());
    if (scope == "inputs" || scope == "outputs") return read_member(scope == "inputs");
    if (scope == "outputMetadataUri") {
      reference_.kind = Kind::kOutputFile;
      return {};
    }
    if (std::ranges::find(kJobNames, scope) != std::end(kJobNames)) {
      reference_.kind = Kind::kJob;
      reference_.name = scope;
      return {};
    }
    if (scope == "json_escape") {
      return error(
          "is not supported: json_escape exists only on Vertex AI; pass {{$}} and let the "
          "program escape it");
    }
    std::vector<std::string> known = {"inputs", "outputs", "outputMetadataUri"};
    known.insert(known.end(), std::begin(kJobNames), std::end(kJobNames));
    return error(fmt::format("is unknown: nothing is called {}{}", shorten(scope, 40),
                             suggestion(scope, known)));
  }

  // ".name"
  Result<std::string_view> word() {
    if (peek() != '.' || !is_name_character(peek(1))) return unexpected("a dot and a name");
    ++position_;
    const std::size_t start = position_;
    while (is_name_character(peek())) ++position_;
    const std::string_view name = text_.substr(start, position_ - start);
    skip_spaces();
    return name;
  }

  Result<void> read_member(bool input) {
    CR_TRY(const std::string_view member, word());
    constexpr std::string_view kFiles[] = {"output_file", "outputFile", "outputMetadataUri"};
    if (!input && std::ranges::find(kFiles, member) != std::end(kFiles)) {
      reference_.kind = Kind::kOutputFile;
      return {};
    }
    if (member == "parameters") {
      CR_TRY(reference_.name, subscript());
      if (!input) return read_output_file();
      reference_.kind = Kind::kInputParameter;
      return {};
    }
    if (member == "artifacts") {
      CR_TRY(reference_.name, subscript());
      return read_artifact_field(input);
    }
    std::vector<std::string> known = {"parameters", "artifacts"};
    if (!input) known.emplace_back("output_file");
    return error(fmt::format("is unknown: {} have no {}{}", input ? "inputs" : "outputs",
                             shorten(member, 40), suggestion(member, known)));
  }

  Result<void> read_output_file() {
    reference_.kind = Kind::kOutputParameterFile;
    if (peek() != '.') {
      return error(
          "is not complete: an output parameter has no value yet, only a file: add "
          ".output_file");
    }
    CR_TRY(const std::string_view field, word());
    if (field == "output_file" || field == "outputFile") return {};
    return error(fmt::format("is unknown: an output parameter has only .output_file, not .{}",
                             shorten(field, 40)));
  }

  Result<void> read_artifact_field(bool input) {
    if (peek() != '.') {
      reference_.kind = input ? Kind::kInputArtifact : Kind::kOutputArtifact;
      return {};
    }
    reference_.kind = input ? Kind::kInputArtifactField : Kind::kOutputArtifactField;
    CR_TRY(reference_.field, word());
    const auto* known = std::ranges::find(kArtifactFields, reference_.field);
    if (known == std::end(kArtifactFields)) {
      return error(fmt::format(
          "is unknown: an artifact has .path, .uri, .name and .metadata, not .{}{}",
          shorten(reference_.field, 40), suggestion(reference_.field, kArtifactFields)));
    }
    if (reference_.field == "metadata" && (peek() == '[' || peek() == '.')) {
      CR_TRY(reference_.key, subscript());
    }
    return {};
  }

  // ['name'], ["name"], [''name''] or .name
  Result<std::string> subscript() {
    if (peek() == '.') {
      CR_TRY(const std::string_view name, word());
      return std::string(name);
    }
    if (peek() != '[') return unexpected("a name in brackets, as in ['x']");
    ++position_;
    skip_spaces();
    const char quote = peek();
    if (quote != '\'' && quote != '"') return unexpected("a name in quotes, as in ['x']");
    const std::size_t width = peek(1) == quote && peek(2) != ']' ? 2 : 1;
    const std::string closing(width, quote);
    position_ += width;
    const std::size_t start = position_;
    while (!closes_subscript(closing)) {
      if (position_ >= text_.size() || peek() == '\n' || follows(kOpening))
        return unexpected(fmt::format("{}] after the name", closing));
      ++position_;
    }
    std::string name(text_.substr(start, position_ - start));
    position_ = text_.find(']', position_) + 1;
    skip_spaces();
    if (name.empty()) return error("has an empty name");
    return name;
  }

  // A quote or bracket inside a name is told from the one that ends it by what comes after.
  [[nodiscard]] bool closes_subscript(std::string_view closing) const {
    if (!follows(closing)) return false;
    std::string_view rest = text_.substr(position_ + closing.size());
    const auto trim = [&rest] {
      const std::size_t blank = rest.find_first_not_of(" \t");
      rest.remove_prefix(std::min(blank, rest.size()));
    };
    trim();
    if (!rest.starts_with(']')) return false;
    rest.remove_prefix(1);
    trim();
    return rest.starts_with("}}") || rest.starts_with('.') || rest.empty() ||
           rest.starts_with('\n');
  }

  std::string_view text_;
  std::size_t begin_;
  std::size_t position_;
  Reference reference_;
};

// {"IfPresent":…} and {"Concat":…}
class StructParser {
 public:
  explicit StructParser(std::string_view text) : text_(text) {}

  Result<Argument> parse() {
    JsonLimits limits;
    // Each of our levels is at most three of JSON's: a struct in a list in a struct.
    limits.depth = (kDepthMax + 1) * 3;
    auto json = parse_json(text_, limits);
    if (!json) return error(json.error().message);
    return element(*json, 0);
  }

 private:
  static constexpr std::size_t kDepthMax = 20;

  [[nodiscard]] Error error(std::string_view reason) const {
    return make_error(Code::kInvalidArgument, "the argument {} is malformed: {}",
                      shorten(text_, kShownBytes), reason);
  }

  Result<Argument> element(const Value& value, std::size_t depth) {
    if (value.is_string()) {
      CR_TRY(Template parsed, parse_template(value.as_string()));
      return Argument{std::move(parsed)};
    }
    if (!value.is_struct()) {
      return error(
          fmt::format("expected a text, IfPresent or Concat, found a {}", value.kind_name()));
    }
    if (depth == kDepthMax) return error(fmt::format("it is more than {} levels deep", kDepthMax));
    if (value.as_struct().size() == 1) {
      const auto& [key, body] = *value.as_struct().begin();
      if (key == "IfPresent") return if_present(body, depth);
      if (key == "Concat") return concat(body, depth);
    }
    return error("expected a struct with the one key IfPresent or Concat");
  }

  Result<Argument> concat(const Value& body, std::size_t depth) {
    if (!body.is_list()) return error("Concat takes a list");
    Concat out;
    CR_TRY(out.items, elements(body.as_list(), depth));
    return Argument{std::move(out)};
  }

  Result<Argument> if_present(const Value& body, std::size_t depth) {
    if (!body.is_struct()) return error("IfPresent takes a struct");
    constexpr std::string_view kKeys[] = {"InputName", "Then", "Else"};
    for (const auto& [key, value] : body.as_struct()) {
      if (std::ranges::find(kKeys, key) != std::end(kKeys)) continue;
      return error(fmt::format("IfPresent has InputName, Then and Else, not {}{}",
                               to_json(Value(shorten(key, 40))), suggestion(key, kKeys)));
    }
    IfPresent out;
    const Value* input = body.find("InputName");
    if (input == nullptr || !input->is_string() || input->as_string().empty())
      return error("IfPresent needs an InputName, which is the name of an input");
    out.input = input->as_string();
    const Value* then = body.find("Then");
    if (then == nullptr) return error("IfPresent needs a Then");
    CR_TRY(out.then, branch(then, depth));
    CR_TRY(out.otherwise, branch(body.find("Else"), depth));
    return Argument{std::move(out)};
  }

  Result<std::vector<Argument>> branch(const Value* value, std::size_t depth) {
    if (value == nullptr || value->is_null()) return std::vector<Argument>{};
    if (value->is_list()) return elements(value->as_list(), depth);
    CR_TRY(Argument only, element(*value, depth + 1));
    return std::vector<Argument>{std::move(only)};
  }

  Result<std::vector<Argument>> elements(const Value::List& list, std::size_t depth) {
    std::vector<Argument> out;
    for (const Value& item : list) {
      CR_TRY(Argument parsed, element(item, depth + 1));
      out.push_back(std::move(parsed));
    }
    return out;
  }

  std::string_view text_;
};

bool is_struct_argument(std::string_view text) {
  const auto skip = [&text](std::string_view word) {
    text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
    if (!text.starts_with(word)) return false;
    text.remove_prefix(word.size());
    return true;
  };
  return skip("{") && (skip("\"IfPresent\"") || skip("\"Concat\""));
}

}  // namespace

bool Template::has_references() const {
  return std::ranges::any_of(
      pieces, [](const Piece& piece) { return std::holds_alternative<Reference>(piece); });
}

const Reference* Template::sole_reference() const {
  return pieces.size() == 1 ? std::get_if<Reference>(&pieces.front()) : nullptr;
}

Result<Template> parse_template(std::string_view text) {
  Template out;
  std::size_t position = 0;
  while (true) {
    const std::size_t begin = text.find(kOpening, position);
    const std::string_view literal = text.substr(position, begin - position);
    if (!literal.empty()) out.pieces.emplace_back(std::string(literal));
    if (begin == std::string_view::npos) break;
    ReferenceParser parser(text, begin);
    CR_TRY(Reference reference, parser.parse());
    out.pieces.emplace_back(std::move(reference));
    position = parser.end();
  }
  if (out.pieces.empty()) out.pieces.emplace_back(std::string());
  return out;
}

Result<Argument> parse_argument(std::string_view text) {
  if (is_struct_argument(text)) return StructParser(text).parse();
  CR_TRY(Template parsed, parse_template(text));
  return Argument{std::move(parsed)};
}

}  // namespace cresset::text
