#include "sim/produce.h"

#include <fmt/core.h>

#include "cresset/text/json.h"
#include "sim/seeded_random.h"

namespace cresset::sim {

namespace {

// FNV-1a: the same on every machine.
class Hash {
 public:
  void add(std::string_view bytes) {
    for (const char c : bytes) state_ = (state_ ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    state_ = (state_ ^ 0x1ff) * 0x100000001b3;  // where a text ends counts too
  }
  [[nodiscard]] std::uint64_t value() const { return state_; }

 private:
  std::uint64_t state_ = 0xcbf29ce484222325;
};

std::uint64_t hash_of(const Step& step, const Data& inputs) {
  Hash hash;
  hash.add(step.label);
  if (step.ignores_inputs) return hash.value();
  for (const auto& [name, value] : inputs.parameters) {
    hash.add(name);
    hash.add(text::to_canonical_json(stripped(*value)));
  }
  for (const auto& [name, artifacts] : inputs.artifacts) {
    hash.add(name);
    for (const Artifact& artifact : *artifacts) {
      hash.add(artifact.content);
      hash.add(text::to_canonical_json(artifact.metadata));
    }
  }
  return hash.value();
}

// Numbers that follow from what was received.
class Stream {
 public:
  Stream(std::uint64_t seed, std::string_view name) : random_(seed, name) {}
  std::uint64_t below(std::uint64_t bound) { return random_.below(bound); }
  template <class T>
  const T& pick(const std::vector<T>& from) {
    return from[below(from.size())];
  }

 private:
  SeededRandom random_;
};

Value make_integers(Stream& stream) {
  Value::List list;
  for (std::uint64_t left = stream.below(4); left > 0; --left) list.emplace_back(stream.below(10));
  return Value(std::move(list));
}

Value make_base(Shape::Base base, Stream& stream) {
  switch (base) {
    case Shape::Base::kInteger:
      return Value(stream.below(10));
    case Shape::Base::kDouble:
      return Value(static_cast<double>(stream.below(64)) / 8 - 2);
    case Shape::Base::kWord:
      return Value(stream.pick(words()));
    case Shape::Base::kText:
      return Value(stream.below(3) == 0 ? stream.pick(odd_texts())
                                        : fmt::format("text {}", stream.below(1000)));
    case Shape::Base::kBoolean:
      return Value(stream.below(2) == 0);
    case Shape::Base::kStruct: {
      Value out = Value::make_struct();
      out["a"] = stream.below(10);
      out["b"] = stream.pick(words());
      out["list"] = make_integers(stream);
      return out;
    }
    case Shape::Base::kNumberText:
      return Value(std::to_string(stream.below(100)));
    case Shape::Base::kListText:
      return Value(text::to_json(make_integers(stream)));
  }
  return {};
}

Value make_value(const Shape& shape, Stream& stream) {
  if (shape.depth == 0) return make_base(shape.base, stream);
  Value::List list;
  const Shape inner{shape.base, shape.depth - 1};
  for (std::uint64_t left = shape.length != 0 ? shape.length : stream.below(4); left > 0; --left)
    list.push_back(make_value(inner, stream));
  return Value(std::move(list));
}

Entry make_entry(const StepArtifact& artifact, std::uint64_t seed, Stream& stream) {
  Entry entry;
  if (artifact.adds_metadata || artifact.form == StepArtifact::Form::kList) {
    entry.metadata = Value::make_struct();
    entry.metadata["score"] = stream.below(100);
    if (stream.below(2) == 0) entry.metadata["note"] = stream.pick(odd_texts());
  }
  const std::string bytes = fmt::format("{:016x} {}", seed, stream.below(1000));
  switch (artifact.form) {
    case StepArtifact::Form::kNothing:
      entry.exists = false;
      break;
    case StepArtifact::Form::kFolder:
      entry.is_folder = true;
      for (std::uint64_t left = stream.below(4); left > 0; --left)
        entry.files.emplace_back(fmt::format("{}part-{}", left == 2 ? "inner/" : "", left),
                                 fmt::format("{} {}", bytes, left));
      break;
    default:
      entry.files.emplace_back("", bytes);
  }
  return entry;
}

}  // namespace

const std::vector<std::string>& odd_texts() {
  static const std::vector<std::string> kTexts = {
      "",
      " ",
      "two\nlines\n",
      "tab\tand \\ and \"quotes\" and 'others'",
      "größer ≥ 日本語 🙂",
      "{{$.inputs.parameters['x']}}",
      "{{$}}",
      "{{ x }} }}",
      "null",
      "[1, 2",
      "{\"IfPresent\": 1}",
      "$HOME `id` ; rm -rf *",
      "\x7f\x1b[31m",
      "--flag=value",
      "../../etc/passwd",
      "true",
      "007",
  };
  return kTexts;
}

const std::vector<std::string>& words() {
  static const std::vector<std::string> kWords = {"heads", "tails", "edge"};
  return kWords;
}

std::string content_of(const Entry& entry) {
  if (!entry.exists) return "nothing";
  if (!entry.is_folder) return "file:" + entry.files.front().second;
  std::map<std::string, const std::string*> sorted;
  for (const auto& [path, content] : entry.files) sorted[path] = &content;
  std::string out = "folder:";
  for (const auto& [path, content] : sorted) out += path + "=" + *content + "\n";
  return out;
}

Produced produce(const Step& step, const Data& inputs) {
  const std::uint64_t seed = hash_of(step, inputs);
  Produced out;
  for (const auto& [name, output] : step.parameters) {
    Stream stream(seed, name);
    out.parameters.emplace_hint(
        out.parameters.end(), name,
        output.way == StepOutput::Way::kNull ? Value() : make_value(output.shape, stream));
  }
  for (const auto& [name, artifact] : step.artifacts) {
    Stream stream(seed, name);
    const bool is_list = artifact.form == StepArtifact::Form::kList;
    std::vector<Entry>& entries = out.artifacts[name];
    for (std::uint64_t left = is_list ? stream.below(4) : 1; left > 0; --left)
      entries.push_back(make_entry(artifact, seed, stream));
  }
  return out;
}

}  // namespace cresset::sim
