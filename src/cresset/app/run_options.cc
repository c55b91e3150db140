#include "cresset/app/run_options.h"

namespace cresset::app {

Value encode(const RunOptions& options) {
  Value::List env;
  for (const auto& [name, value] : options.env)
    env.push_back(Value::make_struct({{"name", name}, {"value", value}}));
  return Value::make_struct({{"use_cache", options.use_cache},
                             {"offline", options.offline},
                             {"fail_fast", options.fail_fast},
                             {"cold", options.cold},
                             {"jobs", options.jobs},
                             {"python", options.python},
                             {"env", Value(std::move(env))},
                             {"path_variable", options.path_variable},
                             {"locale", options.locale},
                             {"success_word", options.success_word},
                             {"log_cap_bytes", options.log_cap_bytes}});
}

namespace {

Error missing(std::string_view name) {
  return make_error(Code::kDataLoss, "the stored options of the run lack a valid \"{}\"", name);
}

Result<void> take(const Value& from, std::string_view name, bool& out) {
  const Value* value = from.find(name);
  if (value == nullptr || !value->is_bool()) return missing(name);
  out = value->as_bool();
  return {};
}

Result<void> take(const Value& from, std::string_view name, std::int64_t& out) {
  const Value* value = from.find(name);
  if (value == nullptr || !value->is_integer()) return missing(name);
  out = value->as_integer();
  return {};
}

Result<void> take(const Value& from, std::string_view name, std::string& out) {
  const Value* value = from.find(name);
  if (value == nullptr || !value->is_string()) return missing(name);
  out = value->as_string();
  return {};
}

}  // namespace

Result<RunOptions> decode_run_options(const Value& value) {
  RunOptions out;
  CR_TRY_VOID(take(value, "use_cache", out.use_cache));
  CR_TRY_VOID(take(value, "offline", out.offline));
  CR_TRY_VOID(take(value, "fail_fast", out.fail_fast));
  // Runs that were made before there were warm workers do not have it.
  if (value.find("cold") != nullptr) {
    CR_TRY_VOID(take(value, "cold", out.cold));
  }
  CR_TRY_VOID(take(value, "jobs", out.jobs));
  CR_TRY_VOID(take(value, "python", out.python));
  CR_TRY_VOID(take(value, "path_variable", out.path_variable));
  CR_TRY_VOID(take(value, "locale", out.locale));
  CR_TRY_VOID(take(value, "success_word", out.success_word));
  CR_TRY_VOID(take(value, "log_cap_bytes", out.log_cap_bytes));
  const Value* env = value.find("env");
  if (env == nullptr || !env->is_list()) return missing("env");
  for (const Value& item : env->as_list()) {
    auto& [name, text] = out.env.emplace_back();
    CR_TRY_VOID(take(item, "name", name));
    CR_TRY_VOID(take(item, "value", text));
  }
  return out;
}

}  // namespace cresset::app
