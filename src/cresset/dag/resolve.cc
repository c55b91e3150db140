#include "cresset/dag/resolve.h"

#include <fmt/core.h>

#include "cresset/text/json.h"

namespace cresset::dag {

namespace {

Result<std::string> expand(const text::Template& parsed, const ReferenceLookup& lookup) {
  std::string out;
  for (const text::Piece& piece : parsed.pieces) {
    if (const auto* literal = std::get_if<std::string>(&piece)) {
      out += *literal;
      continue;
    }
    CR_TRY(const Value value, lookup(std::get<text::Reference>(piece)));
    out += text::to_text(value);
  }
  return out;
}

class ArgumentResolver {
 public:
  ArgumentResolver(const ReferenceLookup& lookup,
                   const std::function<bool(std::string_view)>& is_present)
      : lookup_(lookup), is_present_(is_present) {}

  Result<void> append(const text::Argument& argument, std::vector<std::string>& out) const {
    if (const auto* parsed = std::get_if<text::Template>(&argument.form)) {
      CR_TRY(std::string text, expand(*parsed, lookup_));
      out.push_back(std::move(text));
      return {};
    }
    if (const auto* concat = std::get_if<text::Concat>(&argument.form)) {
      std::vector<std::string> parts;
      for (const text::Argument& item : concat->items) CR_TRY_VOID(append(item, parts));
      std::string joined;
      for (const std::string& part : parts) joined += part;
      out.push_back(std::move(joined));
      return {};
    }
    const auto& choice = std::get<text::IfPresent>(argument.form);
    for (const text::Argument& item : is_present_(choice.input) ? choice.then : choice.otherwise) {
      CR_TRY_VOID(append(item, out));
    }
    return {};
  }

 private:
  const ReferenceLookup& lookup_;
  const std::function<bool(std::string_view)>& is_present_;
};

}  // namespace

Result<Value> resolve_text(std::string_view text, const ReferenceLookup& lookup) {
  if (!text::holds_reference(text)) return Value(text);
  CR_TRY(const text::Template parsed, text::parse_template(text));
  if (const text::Reference* sole = parsed.sole_reference()) return lookup(*sole);
  CR_TRY(std::string expanded, expand(parsed, lookup));
  return Value(std::move(expanded));
}

Result<std::string> resolve_to_string(std::string_view text, const ReferenceLookup& lookup) {
  CR_TRY(const Value value, resolve_text(text, lookup));
  return text::to_text(value);
}

Result<Value> resolve_constant(const Value& constant, const ReferenceLookup& lookup) {
  if (constant.is_string()) return resolve_text(constant.as_string(), lookup);
  if (constant.is_list()) {
    Value::List out;
    out.reserve(constant.as_list().size());
    for (const Value& item : constant.as_list()) {
      CR_TRY(Value resolved, resolve_constant(item, lookup));
      out.push_back(std::move(resolved));
    }
    return Value(std::move(out));
  }
  if (constant.is_struct()) {
    Value::Struct out;
    for (const auto& [key, item] : constant.as_struct()) {
      CR_TRY(const std::string name, resolve_to_string(key, lookup));
      CR_TRY(Value resolved, resolve_constant(item, lookup));
      out.set(name, std::move(resolved));
    }
    return Value(std::move(out));
  }
  return constant;
}

Result<std::vector<std::string>> resolve_arguments(
    const std::vector<std::string>& texts, const ReferenceLookup& lookup,
    const std::function<bool(std::string_view)>& is_present) {
  const ArgumentResolver resolver(lookup, is_present);
  std::vector<std::string> out;
  for (const std::string& text : texts) {
    CR_TRY(const text::Argument argument, text::parse_argument(text));
    CR_TRY_VOID(resolver.append(argument, out));
  }
  return out;
}

Result<Value> job_reference(const text::Reference& reference, const RunContext& context,
                            const std::string& task_name, TaskOrdinal task) {
  const std::string& name = reference.name;
  if (name == "pipeline_job_name") return Value(context.name);
  if (name == "pipeline_job_resource_name") return Value(context.resource_name);
  if (name == "pipeline_job_uuid") return Value(context.id.str());
  if (name == "pipeline_task_name") return Value(task_name);
  if (name == "pipeline_task_uuid") return Value(fmt::format("{}-{}", context.id.str(), task));
  if (name == "pipeline_root") return Value(context.artifact_root);
  if (name == "pipeline_job_create_time_utc" || name == "pipeline_job_schedule_time_utc") {
    return Value(to_rfc3339(context.created_at));
  }
  if (name == "workspace_path") return Value(context.workspace);
  return make_error(Code::kInvalidArgument, "unknown placeholder {}", reference.text);
}

}  // namespace cresset::dag
