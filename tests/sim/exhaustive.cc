#include "sim/exhaustive.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <set>
#include <utility>

namespace cresset::sim {

namespace {

using How = Strike::How;

constexpr std::array<std::pair<How, std::string_view>, 10> kNames{{
    {How::kCrash, "crash"},
    {How::kKeeperKill, "keeper_kill"},
    {How::kPowerCut, "power_cut"},
    {How::kBusy, "busy"},
    {How::kLost, "lost"},
    {How::kKept, "kept"},
    {How::kHalf, "half"},
    {How::kDiskBefore, "disk_before"},
    {How::kDiskDuring, "disk_during"},
    {How::kDiskAfter, "disk_after"},
}};

std::optional<Strike> parse_strike(std::string_view text) {
  Strike strike;
  if (text.ends_with('+')) {
    strike.after = true;
    text.remove_suffix(1);
  }
  const std::size_t at = text.find('@');
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view number = text.substr(at + 1);
  const auto [end, failure] =
      std::from_chars(number.data(), number.data() + number.size(), strike.call);
  if (failure != std::errc() || end != number.data() + number.size()) return std::nullopt;
  for (const auto& [how, name] : kNames) {
    if (name != text.substr(0, at)) continue;
    strike.how = how;
    return strike;
  }
  return std::nullopt;
}

}  // namespace

std::string to_string(const std::deque<Strike>& plan) {
  std::string text;
  for (const Strike& strike : plan) {
    for (const auto& [how, name] : kNames) {
      if (how == strike.how)
        text += fmt::format("{}{}@{}{}", text.empty() ? "" : ",", name, strike.call,
                            strike.after ? "+" : "");
    }
  }
  return text;
}

std::optional<std::deque<Strike>> parse_plan(std::string_view text) {
  std::deque<Strike> plan;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    const std::optional<Strike> strike = parse_strike(text.substr(0, comma));
    if (!strike) return std::nullopt;
    plan.push_back(*strike);
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return plan;
}

// How far it came until all had ended.
World::Extent Exhaustion::try_plan(Exhausted& out, const std::shared_ptr<const Sketch>& sketch,
                                   std::deque<Strike> plan, bool on_disk,
                                   const std::function<void(const World&)>& look) {
  WorldOptions options;
  options.sketch = sketch;
  options.quiet = true;
  options.plan = plan;
  options.on_disk = on_disk;
  World world(std::move(options));
  std::optional<Violation> broken = world.try_run();
  if (!broken && world.totals().ledger.exact_ends == 0) broken = Violation("nothing was compared");
  if (broken) broken_.push_back({out.pipeline, std::move(plan), broken->what()});
  ++out.worlds;
  out.totals += world.totals();
  if (look) look(world);
  return world.extent();
}

Exhausted Exhaustion::exhaust(const std::string& name, const Sketch& sketch) {
  const auto shared = std::make_shared<const Sketch>(sketch);
  Exhausted out;
  out.pipeline = name;
  std::vector<std::uint64_t> writes;
  std::vector<std::uint64_t> halves;
  const auto look = [&](const World& undisturbed) {
    writes = undisturbed.writes();
    halves = undisturbed.halves();
  };
  out.calls = try_plan(out, shared, {}, false, look).calls;
  const auto is_late = [&out](std::uint64_t call) { return call >= out.calls; };
  std::erase_if(writes, is_late);
  std::erase_if(halves, is_late);
  out.writes = writes.size();
  out.halves = halves.size();
  for (std::uint64_t call = 0; call < out.calls; ++call) {
    for (const bool after : {false, true}) {
      for (const How how : {How::kCrash, How::kKeeperKill, How::kPowerCut}) {
        const std::uint64_t calls = try_plan(out, shared, {{call, after, how}}).calls;
        if (!pairs_ || how != How::kCrash) continue;
        for (std::uint64_t second = call + 1; second < calls; ++second) {
          for (const bool after_second : {false, true}) {
            try_plan(out, shared, {{call, after, how}, {second, after_second, how}});
          }
        }
      }
    }
  }
  for (const std::uint64_t call : writes) {
    for (const How how : {How::kBusy, How::kLost, How::kKept})
      try_plan(out, shared, {{call, false, how}});
  }
  for (const std::uint64_t call : halves) try_plan(out, shared, {{call, false, How::kHalf}});
  return out;
}

Exhausted Exhaustion::exhaust_disk(const std::string& name, const Sketch& sketch,
                                   std::uint64_t stride) {
  const auto shared = std::make_shared<const Sketch>(sketch);
  Exhausted out;
  out.pipeline = name;
  std::vector<std::uint64_t> all_writes;
  const auto look = [&](const World& undisturbed) { all_writes = undisturbed.disk_writes(); };
  out.disk_operations = try_plan(out, shared, {}, true, look).disk_operations;
  std::set<std::uint64_t> writes;
  for (const std::uint64_t number : all_writes) {
    if (number <= out.disk_operations) writes.insert(number);
  }
  out.disk_writes = writes.size();
  for (std::uint64_t number = 1; number <= out.disk_operations; number += stride) {
    for (const How how : {How::kDiskBefore, How::kDiskAfter})
      try_plan(out, shared, {{number, false, how}}, true);
    if (writes.contains(number)) try_plan(out, shared, {{number, false, How::kDiskDuring}}, true);
  }
  return out;
}

}  // namespace cresset::sim
