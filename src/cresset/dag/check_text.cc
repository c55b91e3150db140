#include <fmt/format.h>

#include <algorithm>

#include "cresset/dag/check_parts.h"
#include "cresset/text/cel.h"
#include "cresset/text/placeholder.h"

namespace cresset::dag {

namespace {

using Kind = text::Reference::Kind;

class ReferenceChecker {
 public:
  ReferenceChecker(Checked& checked, const Nameable& names, const Where& where)
      : checked_(checked), names_(names), where_(where) {}

  void check(const text::Template& parsed) {
    for (const text::Piece& piece : parsed.pieces) {
      if (const auto* reference = std::get_if<text::Reference>(&piece)) check(*reference);
    }
  }

  void check(const text::Argument& argument) {
    if (const auto* parsed = std::get_if<text::Template>(&argument.form)) return check(*parsed);
    if (const auto* concat = std::get_if<text::Concat>(&argument.form)) {
      for (const text::Argument& item : concat->items) check(item);
      return;
    }
    const auto& choice = std::get<text::IfPresent>(argument.form);
    if (!names_.any_input && !names_.parameters.contains(choice.input) &&
        !names_.artifacts.contains(choice.input)) {
      checked_.problems.add(
          where_,
          fmt::format("IfPresent names \"{}\", which is no input of {}{}", choice.input,
                      names_.owner, suggestion(choice.input, names_.parameters, names_.artifacts)),
          input_help());
    }
    for (const text::Argument& item : choice.then) check(item);
    for (const text::Argument& item : choice.otherwise) check(item);
  }

 private:
  void check(const text::Reference& reference) {
    switch (reference.kind) {
      case Kind::kInputParameter:
        return check_input(reference, names_.parameters, names_.artifacts, false);
      case Kind::kInputArtifact:
      case Kind::kInputArtifactField:
        return check_input(reference, names_.artifacts, names_.parameters, true);
      case Kind::kJob:
        return;
      default:
        return check_output(reference);
    }
  }

  void check_input(const text::Reference& reference, const Names& wanted, const Names& other,
                   bool want_artifact) {
    if (names_.any_input || wanted.contains(reference.name)) return;
    if (other.contains(reference.name)) {
      const std::string_view is = want_artifact ? "parameter" : "artifact";
      return checked_.problems.add(where_,
                                   fmt::format("{}: \"{}\" of {} is {}", reference.text,
                                               reference.name, names_.owner, with_article(is)),
                                   fmt::format("write {{{{$.inputs.{}s['{}']{}}}}}", is,
                                               reference.name, want_artifact ? "" : ".path"));
    }
    checked_.problems.add(where_,
                          fmt::format("{} names no input of {}{}", reference.text, names_.owner,
                                      suggestion(reference.name, wanted)),
                          input_help());
  }

  [[nodiscard]] std::string input_help() const {
    if (names_.parameters.empty() && names_.artifacts.empty())
      return fmt::format("{} has no inputs", names_.owner);
    return fmt::format("its inputs are {}", shown_names(names_.parameters, names_.artifacts));
  }

  void check_output(const text::Reference& reference) {
    if (names_.outputs == nullptr) {
      return checked_.problems.add(
          where_, fmt::format("{} has no meaning here", reference.text),
          "a task's outputs do not exist before it runs: name inputs, or facts of the run");
    }
    if (reference.kind == Kind::kOutputParameterFile)
      return check_output(reference, names_.outputs->output_parameters, "parameter");
    if (reference.kind == Kind::kOutputArtifactField)
      return check_output(reference, names_.outputs->output_artifacts, "artifact");
  }

  template <class Outputs>
  void check_output(const text::Reference& reference, const Outputs& outputs,
                    std::string_view kind) {
    if (outputs.contains(reference.name)) return;
    checked_.problems.add(where_,
                          fmt::format("{} names no output {} of {}{}", reference.text, kind,
                                      names_.owner, suggestion(reference.name, outputs)),
                          fmt::format("declare it under outputDefinitions.{}s", kind));
  }

  Checked& checked_;
  const Nameable& names_;
  const Where& where_;
};

bool text_names_parameter(std::string_view text, std::string_view input) {
  if (!text::holds_reference(text)) return false;
  const auto parsed = text::parse_template(text);
  return parsed && std::ranges::any_of(parsed->pieces, [input](const text::Piece& piece) {
           const auto* reference = std::get_if<text::Reference>(&piece);
           return reference != nullptr && reference->kind == Kind::kInputParameter &&
                  reference->name == input;
         });
}

}  // namespace

void check_text(Checked& checked, std::string_view text, const Nameable& names,
                const Where& where) {
  if (!text::holds_reference(text)) return;
  const auto parsed = text::parse_template(text);
  if (!parsed) return checked.problems.add(where, parsed.error().text());
  ReferenceChecker(checked, names, where).check(*parsed);
}

void check_argument(Checked& checked, std::string_view text, const Nameable& names,
                    const Where& where) {
  const auto parsed = text::parse_argument(text);
  if (!parsed) return checked.problems.add(where, parsed.error().text());
  ReferenceChecker(checked, names, where).check(*parsed);
}

void check_texts(Checked& checked, const Value& value, const Nameable& names, const Where& where) {
  if (value.is_string()) return check_text(checked, value.as_string(), names, where);
  if (value.is_list()) {
    std::size_t index = 0;
    for (const Value& item : value.as_list()) check_texts(checked, item, names, where.at(index++));
  }
  if (value.is_struct()) {
    for (const auto& [key, item] : value.as_struct()) {
      const Where field = where.at(key);
      check_text(checked, key, names, field);
      check_texts(checked, item, names, field);
    }
  }
}

void check_selector(Checked& checked, const std::string& selector, const Where& where) {
  if (selector.empty()) return;
  const auto parsed = text::CelExpression::parse(selector);
  if (!parsed) {
    return checked.problems.add(
        where, fmt::format("the selector cannot be read: {}", parsed.error().text()),
        "write a CEL expression such as parseJson(string_value)[\"key\"]");
  }
  static const Names kKnown{"string_value", "number_value", "bool_value",
                            "struct_value", "list_value",   "null_value"};
  parsed->visit_names([&](std::string_view name) {
    if (kKnown.contains(name)) return;
    checked.problems.add(where,
                         fmt::format("the selector names \"{}\", which does not exist{}", name,
                                     suggestion(name, kKnown)),
                         fmt::format("the value is seen as {}", shown_names(kKnown)));
  });
}

bool has_references(const Value& value) {
  if (value.is_string()) return text::holds_reference(value.as_string());
  if (value.is_list()) return std::ranges::any_of(value.as_list(), has_references);
  if (!value.is_struct()) return false;
  return std::ranges::any_of(value.as_struct(), [](const auto& field) {
    return text::holds_reference(field.first) || has_references(field.second);
  });
}

bool names_parameter(const Value& value, std::string_view input) {
  if (value.is_string()) return text_names_parameter(value.as_string(), input);
  const auto names = [input](const Value& inner) { return names_parameter(inner, input); };
  if (value.is_list()) return std::ranges::any_of(value.as_list(), names);
  if (!value.is_struct()) return false;
  return std::ranges::any_of(value.as_struct(), [&](const auto& field) {
    return text_names_parameter(field.first, input) || names(field.second);
  });
}

}  // namespace cresset::dag
