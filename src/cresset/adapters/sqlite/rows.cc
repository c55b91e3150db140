#include "cresset/adapters/sqlite/rows.h"

#include "cresset/text/json.h"

namespace cresset::sqlite {

namespace {

Error bad_row(std::string_view path, std::string_view what) {
  return make_error(Code::kDataLoss, "{} holds {}, which Cresset never writes: put a copy back",
                    path, what);
}

}  // namespace

Result<ports::RunRecord> read_run(const Statement& row, std::string_view path) {
  ports::RunRecord record;
  record.id = model::RunId(row.bytes(0));
  record.name = row.bytes(1);
  record.pipeline = row.bytes(2);
  const std::string state_name = row.bytes(3);
  const std::optional<model::State> state = model::parse_state(state_name);
  if (!state) return bad_row(path, fmt::format("the run state \"{}\"", state_name));
  record.state = *state;
  record.created_at = row.time(4);
  record.started_at = row.optional_time(5);
  record.finished_at = row.optional_time(6);
  return record;
}

Result<ports::StepRecord> read_step(const Statement& row, int column, std::string_view path) {
  ports::StepRecord step;
  step.task = static_cast<std::uint32_t>(row.integer(column));
  step.path = row.bytes(column + 1);
  step.key = row.bytes(column + 2);
  step.reusable = row.integer(column + 3) != 0;
  CR_TRY(step.parts, parse_stored_json(row.bytes(column + 4), path));
  step.outputs = row.bytes(column + 5);
  return step;
}

std::string_view command_name(ports::Command command) {
  return command == ports::Command::kCancel ? "cancel" : "kill";
}

Result<ports::Command> parse_command(std::string_view name, std::string_view path) {
  if (name == "cancel") return ports::Command::kCancel;
  if (name == "kill") return ports::Command::kKill;
  return bad_row(path, fmt::format("the command \"{}\"", name));
}

Result<Value> parse_stored_json(std::string_view json, std::string_view path) {
  // What was stored has passed the limits of its way in; these only bound what a damaged file can
  // cost.
  Result<Value> value =
      text::parse_json(json, {.depth = 1'000, .bytes = 1'000'000'000, .values = 1'000'000'000});
  if (!value) return bad_row(path, fmt::format("bad JSON ({})", value.error().message));
  return value;
}

Error no_such_run(const model::RunId& run) {
  Error error =
      make_error(Code::kNotFound, "there is no run {}: `cresset ls` lists them", run.str());
  error.reason = "run.not_found";
  return error;
}

}  // namespace cresset::sqlite
