#include "cresset/app/event_codec.h"

#include <limits>
#include <utility>

#include "cresset/codec/run_json.h"
#include "cresset/text/json.h"

namespace cresset::app {

namespace {

constexpr std::pair<dag::TimerKind, std::string_view> kTimers[] = {
    {dag::TimerKind::kRetry, "retry"},
    {dag::TimerKind::kTaskDeadline, "task_deadline"},
    {dag::TimerKind::kRunDeadline, "run_deadline"}};

struct Encoder {
  std::string_view home;

  Value operator()(const dag::Submitted&) const { return event("submitted"); }
  Value operator()(const dag::CacheMissed& e) const { return event("cache_missed", e.task); }
  Value operator()(const dag::CacheHit& e) const {
    Value out = event("cache_hit", e.task);
    add("from", e.from.str(), out);
    if (e.source) {
      add("from_task", e.source->task, out);
      add("key", e.source->key, out);
    }
    add("outputs", codec::encode(e.outputs, home), out);
    return out;
  }
  Value operator()(const dag::AttemptRunning& e) const {
    Value out = event("running", e.task, e.attempt);
    if (!e.notices.empty()) add("notices", Value::List(e.notices.begin(), e.notices.end()), out);
    return out;
  }
  Value operator()(const dag::AttemptSucceeded& e) const {
    Value out = event("succeeded", e.task, e.attempt);
    add("outputs", codec::encode(e.outputs, home), out);
    add_known_at(e.known_at, out);
    return out;
  }
  Value operator()(const dag::AttemptFailed& e) const {
    Value out = event("failed", e.task, e.attempt);
    add("message", e.failure.message, out);
    add("log_tail", e.failure.log_tail, out);
    if (e.lost) add("lost", true, out);
    if (e.permanent) add("permanent", true, out);
    add_known_at(e.known_at, out);
    return out;
  }
  Value operator()(const dag::TimerFired& e) const {
    Value out = event("timer", e.timer.task, e.timer.attempt);
    for (const auto& [kind, name] : kTimers) {
      if (kind == e.timer.kind) add("timer", name, out);
    }
    return out;
  }
  Value operator()(const dag::CancelAsked&) const { return event("cancel"); }
  Value operator()(const dag::KillAsked&) const { return event("kill"); }
  Value operator()(const dag::RetryAsked&) const { return event("retry"); }

  static void add_known_at(const std::optional<WallTime>& at, Value& out) {
    if (at) add("known_at", at->time_since_epoch().count(), out);
  }
  // Each name once: there is no need to look for it.
  static void add(std::string_view name, Value value, Value& out) {
    out.as_struct().append(std::string(name), std::move(value));
  }
  static Value event(std::string_view name) {
    constexpr std::size_t kFieldsMost = 8;
    Value::Struct fields;
    fields.reserve(kFieldsMost);
    fields.append("event", name);
    return fields;
  }
  static Value event(std::string_view name, std::uint32_t task) {
    Value out = event(name);
    add("task", task, out);
    return out;
  }
  static Value event(std::string_view name, std::uint32_t task, std::uint32_t attempt) {
    Value out = event(name, task);
    add("attempt", attempt, out);
    return out;
  }
};

class Decoder {
 public:
  Decoder(const Value& value, std::string_view home) : value_(value), home_(home) {}

  Result<dag::Event> decode() const {
    CR_TRY(const std::string name, text("event"));
    if (name == "submitted") return dag::Event(dag::Submitted{});
    if (name == "cancel") return dag::Event(dag::CancelAsked{});
    if (name == "kill") return dag::Event(dag::KillAsked{});
    if (name == "retry") return dag::Event(dag::RetryAsked{});
    CR_TRY(const std::uint32_t task, number("task"));
    if (name == "cache_missed") return dag::Event(dag::CacheMissed{task});
    if (name == "cache_hit") {
      CR_TRY(model::Bindings found, outputs());
      CR_TRY(std::string from, text("from"));
      dag::CacheHit hit{task, std::move(found), model::RunId(std::move(from))};
      if (value_.find("from_task") != nullptr) {
        CR_TRY(const std::uint32_t source, number("from_task"));
        CR_TRY(std::string key, text("key"));
        hit.source = dag::CacheHit::Source{source, std::move(key)};
      }
      return dag::Event(std::move(hit));
    }
    CR_TRY(const std::uint32_t attempt, number("attempt"));
    if (name == "running") return dag::Event(dag::AttemptRunning{task, attempt, notices()});
    if (name == "succeeded") {
      CR_TRY(model::Bindings given, outputs());
      return dag::Event(dag::AttemptSucceeded{task, attempt, std::move(given), known_at()});
    }
    if (name == "failed") return failed(task, attempt);
    if (name == "timer") return timer(task, attempt);
    return unknown("event", name);
  }

 private:
  Result<dag::Event> failed(std::uint32_t task, std::uint32_t attempt) const {
    dag::AttemptFailed out{task, attempt, {}};
    CR_TRY(out.failure.message, text("message"));
    CR_TRY(out.failure.log_tail, text("log_tail"));
    out.lost = value_.find("lost") != nullptr;
    out.permanent = value_.find("permanent") != nullptr;
    out.known_at = known_at();
    return dag::Event(std::move(out));
  }

  Result<dag::Event> timer(std::uint32_t task, std::uint32_t attempt) const {
    CR_TRY(const std::string wanted, text("timer"));
    for (const auto& [kind, name] : kTimers) {
      if (name == wanted) return dag::Event(dag::TimerFired{{kind, task, attempt}});
    }
    return unknown("timer", wanted);
  }

  static Error unknown(std::string_view kind, std::string_view name) {
    Error error =
        make_error(Code::kDataLoss, "unknown {} \"{}\": was this home written by a newer version?",
                   kind, name);
    error.reason = "event.unknown";
    return error;
  }

  Result<model::Bindings> outputs() const {
    const Value* field = value_.find("outputs");
    if (field == nullptr) return make_error(Code::kDataLoss, "a stored event lacks \"outputs\"");
    return codec::decode_bindings(*field, home_);
  }

  [[nodiscard]] std::vector<std::string> notices() const {
    std::vector<std::string> out;
    const Value* field = value_.find("notices");
    if (field == nullptr || !field->is_list()) return out;
    for (const Value& notice : field->as_list()) {
      if (notice.is_string()) out.push_back(notice.as_string());
    }
    return out;
  }

  [[nodiscard]] std::optional<WallTime> known_at() const {
    const Value* field = value_.find("known_at");
    if (field == nullptr || !field->is_integer()) return std::nullopt;
    return WallTime(Duration(field->as_integer()));
  }

  Result<std::string> text(std::string_view name) const {
    const Value* field = value_.find(name);
    if (field == nullptr || !field->is_string())
      return make_error(Code::kDataLoss, "a stored event lacks \"{}\"", name);
    return field->as_string();
  }

  Result<std::uint32_t> number(std::string_view name) const {
    const Value* field = value_.find(name);
    if (field == nullptr || !field->is_integer() || field->as_integer() < 0 ||
        field->as_integer() > std::numeric_limits<std::uint32_t>::max()) {
      return make_error(Code::kDataLoss, "a stored event lacks \"{}\"", name);
    }
    return static_cast<std::uint32_t>(field->as_integer());
  }

  const Value& value_;
  std::string_view home_;
};

}  // namespace

std::string encode_event(const dag::Event& event, std::string_view home) {
  return text::to_json(std::visit(Encoder{home}, event));
}

Result<dag::Event> decode_event(const std::string& payload, std::string_view home) {
  auto value = text::parse_json(
      payload, {.depth = 200, .bytes = std::size_t{1} << 30, .values = std::size_t{1} << 30});
  if (!value)
    return make_error(Code::kDataLoss, "a stored event cannot be read: {}", value.error().message);
  return Decoder(*value, home).decode();
}

}  // namespace cresset::app
