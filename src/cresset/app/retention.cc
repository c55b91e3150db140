#include "cresset/app/retention.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <map>
#include <set>
#include <utility>

namespace cresset::app {

namespace {

using Ids = std::set<model::RunId>;

WallTime ended_at(const ports::RunRecord& run) { return run.finished_at.value_or(run.created_at); }

// Newest first.
std::vector<const StoredRun*> by_age(const std::vector<StoredRun>& runs) {
  std::vector<const StoredRun*> out;
  out.reserve(runs.size());
  for (const StoredRun& run : runs) out.push_back(&run);
  std::ranges::sort(out, std::greater<>(), [](const StoredRun* run) {
    return std::pair(run->record.created_at, run->record.id);
  });
  return out;
}

// Those that may go as far as the run itself and keep_last have a say.
std::vector<const StoredRun*> candidates(const std::vector<const StoredRun*>& newest_first,
                                         const Retention& retention) {
  std::map<std::string, std::size_t> newer;
  std::vector<const StoredRun*> out;
  for (const StoredRun* run : newest_first) {
    const std::size_t rank = newer[run->record.pipeline]++;
    if (!is_final(run->record.state)) continue;
    if (!retention.pipeline.empty() && run->record.pipeline != retention.pipeline) continue;
    if (retention.keep_last && rank < *retention.keep_last) continue;
    out.push_back(run);
  }
  return out;
}

// Takes back what a run that stays needs.
void spare_sources(Ids& going, const std::vector<ports::RunUse>& uses) {
  for (bool changed = true; changed;) {
    changed = false;
    for (const ports::RunUse& use : uses) {
      if (going.contains(use.source) && !going.contains(use.user)) {
        going.erase(use.source);
        changed = true;
      }
    }
  }
}

// Adds the oldest candidates, one at a time and each with those that use it, until the rest fits.
void shrink(Ids& going, const std::vector<const StoredRun*>& newest_first,
            const std::vector<const StoredRun*>& may_go, const std::vector<ports::RunUse>& uses,
            std::int64_t bytes_max) {
  std::int64_t left = 0;
  for (const StoredRun* run : newest_first) {
    if (!going.contains(run->record.id)) left += run->bytes;
  }
  Ids allowed;
  for (const StoredRun* run : may_go) allowed.insert(run->record.id);
  std::map<model::RunId, std::int64_t> sizes;
  for (const StoredRun* run : newest_first) sizes[run->record.id] = run->bytes;
  for (auto run = may_go.rbegin(); run != may_go.rend() && left > bytes_max; ++run) {
    Ids group = {(*run)->record.id};
    for (std::size_t before = 0; before != group.size();) {
      before = group.size();
      for (const ports::RunUse& use : uses) {
        if (group.contains(use.source)) group.insert(use.user);
      }
    }
    if (!std::ranges::includes(allowed, group)) continue;
    for (const model::RunId& id : group) {
      if (going.insert(id).second) left -= sizes[id];
    }
  }
}

std::vector<StoredRun> users_first(const std::vector<const StoredRun*>& newest_first, Ids going,
                                   const std::vector<ports::RunUse>& uses) {
  std::vector<StoredRun> out;
  while (!going.empty()) {
    Ids needed;
    for (const ports::RunUse& use : uses) {
      if (going.contains(use.user) && use.user != use.source) needed.insert(use.source);
    }
    const std::size_t before = going.size();
    // Oldest first, as far as it goes.
    for (auto run = newest_first.rbegin(); run != newest_first.rend(); ++run) {
      const model::RunId& id = (*run)->record.id;
      if (!going.contains(id) || needed.contains(id)) continue;
      out.push_back(**run);
      going.erase(id);
    }
    // Only a damaged database has runs that need each other: they stay.
    if (going.size() == before) break;
  }
  return out;
}

// How many bytes a unit stands for; nothing for what is none.
std::optional<std::int64_t> bytes_of_unit(std::string_view unit) {
  if (unit.ends_with('B')) unit.remove_suffix(1);
  if (unit.empty()) return 1;
  const bool binary = unit.size() == 2 && unit[1] == 'i';
  if (unit.size() != 1 && !binary) return std::nullopt;
  const char first = unit[0] == 'k' ? 'K' : unit[0];
  const std::size_t power = std::string_view("KMGT").find(first);
  if (power == std::string_view::npos) return std::nullopt;
  std::int64_t bytes = 1;
  for (std::size_t i = 0; i <= power; ++i) bytes *= binary ? 1024 : 1000;
  return bytes;
}

Error no_size(const std::string& text) {
  return make_error(Code::kInvalidArgument,
                    "\"{}\" is no size: give a number of bytes, or one with K, M, G or T (1000) or "
                    "Ki, Mi, Gi or Ti (1024), as in 20GiB",
                    text);
}

}  // namespace

std::vector<StoredRun> choose_expired(const std::vector<StoredRun>& runs,
                                      const std::vector<ports::RunUse>& uses,
                                      const Retention& retention, WallTime now) {
  const std::vector<const StoredRun*> newest_first = by_age(runs);
  const std::vector<const StoredRun*> may_go = candidates(newest_first, retention);
  Ids going;
  if (retention.older_than) {
    for (const StoredRun* run : may_go) {
      if (ended_at(run->record) < now - *retention.older_than) going.insert(run->record.id);
    }
  } else if (retention.keep_last && !retention.bytes_max) {
    for (const StoredRun* run : may_go) going.insert(run->record.id);
  }
  spare_sources(going, uses);
  if (retention.bytes_max) shrink(going, newest_first, may_go, uses, *retention.bytes_max);
  return users_first(newest_first, std::move(going), uses);
}

Result<Duration> parse_age(const std::string& text) {
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  const std::string_view unit(end, text.data() + text.size());
  std::int64_t seconds = 0;
  if (unit == "s") seconds = 1;
  if (unit == "m") seconds = 60;
  if (unit == "h") seconds = std::int64_t{60} * 60;
  if (unit == "d") seconds = std::int64_t{24} * 60 * 60;
  constexpr std::int64_t kSecondsMax = std::int64_t{1000} * 366 * 24 * 60 * 60;
  if (error != std::errc{} || count < 0 || seconds == 0 || count > kSecondsMax / seconds) {
    return make_error(Code::kInvalidArgument,
                      "\"{}\" is no age: give a number with s, m, h or d, as in 30d", text);
  }
  return Duration(std::chrono::seconds(count * seconds));
}

Result<std::int64_t> parse_size(const std::string& text) {
  const std::size_t digits = text.find_first_not_of("0123456789.");
  const std::string_view number = std::string_view(text).substr(0, digits);
  std::string_view unit =
      digits == std::string::npos ? std::string_view() : std::string_view(text).substr(digits);
  if (unit.starts_with(' ')) unit.remove_prefix(1);
  const auto scale = bytes_of_unit(unit);
  const std::size_t point = number.find('.');
  std::int64_t whole = 0;
  const std::string_view before = number.substr(0, point);
  const auto [end, error] = std::from_chars(before.data(), before.data() + before.size(), whole);
  if (!scale || error != std::errc{} || end != before.data() + before.size()) return no_size(text);
  if (whole > std::numeric_limits<std::int64_t>::max() / *scale) return no_size(text);
  std::int64_t bytes = whole * *scale;
  if (point == std::string_view::npos) return bytes;
  // 1.5G is 1,500,000,000; a part of a byte is a slip.
  std::string_view part = number.substr(point + 1);
  if (part.empty() || part.size() > 3 || *scale == 1 || part.find('.') != std::string_view::npos)
    return no_size(text);
  std::int64_t thousandths = 0;
  for (std::size_t i = 0; i < 3; ++i)
    thousandths = thousandths * 10 + (i < part.size() ? part[i] - '0' : 0);
  const std::int64_t more = *scale / 1000 * thousandths + *scale % 1000 * thousandths / 1000;
  if (bytes > std::numeric_limits<std::int64_t>::max() - more) return no_size(text);
  return bytes + more;
}

Result<std::size_t> parse_count(const std::string& text) {
  std::size_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc{} || end != text.data() + text.size() || count > 1'000'000'000) {
    return make_error(Code::kInvalidArgument,
                      "\"{}\" is no number: give one from 0 to 1,000,000,000", text);
  }
  return count;
}

}  // namespace cresset::app
