#include "sim/report.h"

#include <fmt/format.h>

#include <array>
#include <iterator>
#include <string_view>
#include <utility>

#include "cresset/text/json.h"

namespace cresset::sim {

namespace {

constexpr double kMicrosPerHour = 3.6e9;

double hours(Duration simulated) { return static_cast<double>(simulated.count()) / kMicrosPerHour; }

Value number(std::uint64_t count) { return static_cast<double>(count); }

std::array<std::pair<std::string_view, std::uint64_t>, 5> disk_faults(const StoreCounts& counts) {
  return {{
      {"disk_sync_failed", counts.syncs_failed},
      {"disk_write_failed", counts.writes_failed},
      {"disk_read_failed", counts.reads_failed},
      {"disk_no_space", counts.writes_without_space},
      {"disk_death", counts.deaths},
  }};
}

Value encode(const Totals& totals) {
  Value faults = Value::make_struct({});
  for (std::size_t i = 0; i < kFaultKinds; ++i)
    faults[std::string(to_string(static_cast<Fault>(i)))] = number(totals.faults[i]);
  for (const auto& [name, count] : disk_faults(totals.disk))
    faults[std::string(name)] = number(count);
  return Value::make_struct({
      {"worlds", number(totals.worlds)},
      {"runs", number(totals.ledger.runs)},
      {"steps", number(totals.ledger.steps)},
      {"events", number(totals.ledger.events)},
      {"commits", number(totals.ledger.commits)},
      {"processes", number(totals.processes)},
      {"port_calls", number(totals.calls)},
      {"checks", number(totals.ledger.checks)},
      {"ends_compared", number(totals.ledger.exact_ends)},
      {"ends_disturbed", number(totals.ledger.disturbed_ends)},
      {"disk_worlds", number(totals.disk_worlds)},
      {"disk_operations", number(totals.disk.operations)},
      {"disk_writes_lost", number(totals.disk.writes_torn_or_lost)},
      {"faults", number(totals.fault_count())},
      {"faults_by_kind", std::move(faults)},
      {"simulated_hours", hours(totals.simulated)},
  });
}

}  // namespace

std::string describe(const CampaignResult& result) {
  const Totals& totals = result.totals;
  std::string out;
  auto to = std::back_inserter(out);
  auto row = [&to](std::string_view name, std::uint64_t count) {
    fmt::format_to(to, "  {:<18} {:>14}\n", name, count);
  };
  row("worlds", totals.worlds);
  row("runs", totals.ledger.runs);
  row("steps", totals.ledger.steps);
  row("processes", totals.processes);
  row("commits", totals.ledger.commits);
  row("events", totals.ledger.events);
  row("port calls", totals.calls);
  row("ends compared", totals.ledger.exact_ends);
  row("ends disturbed", totals.ledger.disturbed_ends);
  fmt::format_to(to, "  {:<18} {:>14.1f}\n", "simulated hours", hours(totals.simulated));
  row("worlds on a disk", totals.disk_worlds);
  row("disk operations", totals.disk.operations);
  row("disk writes lost", totals.disk.writes_torn_or_lost);
  row("faults", totals.fault_count());
  for (std::size_t i = 0; i < kFaultKinds; ++i)
    fmt::format_to(to, "    {:<16} {:>14}\n", to_string(static_cast<Fault>(i)), totals.faults[i]);
  for (const auto& [name, count] : disk_faults(totals.disk))
    fmt::format_to(to, "    {:<16} {:>14}\n", name, count);
  return out;
}

std::string describe(const std::vector<Exhausted>& exhausted) {
  std::string out;
  auto to = std::back_inserter(out);
  Totals totals;
  fmt::format_to(to, "  {:<32} {:>8} {:>8} {:>8} {:>8} {:>8}\n", "pipeline", "calls", "writes",
                 "halves", "disk", "worlds");
  for (const Exhausted& one : exhausted) {
    fmt::format_to(to, "  {:<32} {:>8} {:>8} {:>8} {:>8} {:>8}\n", one.pipeline, one.calls,
                   one.writes, one.halves, one.disk_operations, one.worlds);
    totals += one.totals;
  }
  fmt::format_to(to, "  {} worlds, {} faults at {} port calls\n", totals.worlds,
                 totals.fault_count(), totals.calls);
  return out;
}

std::string progress_line(const CampaignResult& result) {
  const double seconds = static_cast<double>(result.took.count()) / 1000;
  return fmt::format("{} runs, {} steps, {} faults, {:.0f} simulated hours in {:.0f} s",
                     result.totals.ledger.runs, result.totals.ledger.steps,
                     result.totals.fault_count(), hours(result.totals.simulated), seconds);
}

std::string to_json(const CampaignResult& result, const std::vector<Exhausted>& exhausted) {
  Value::List findings;
  for (const Finding& finding : result.findings)
    findings.push_back(
        Value::make_struct({{"seed", number(finding.seed)}, {"what", finding.what}}));
  Value::List pipelines;
  for (const Exhausted& one : exhausted)
    pipelines.push_back(Value::make_struct({{"pipeline", one.pipeline},
                                            {"calls", number(one.calls)},
                                            {"writes", number(one.writes)},
                                            {"halves", number(one.halves)},
                                            {"disk_operations", number(one.disk_operations)},
                                            {"disk_writes", number(one.disk_writes)},
                                            {"worlds", number(one.worlds)},
                                            {"faults", number(one.totals.fault_count())}}));
  return text::to_json(
      Value::make_struct({{"totals", encode(result.totals)},
                          {"seconds", static_cast<double>(result.took.count()) / 1000},
                          {"next_seed", number(result.next_seed)},
                          {"findings", std::move(findings)},
                          {"exhaustive", std::move(pipelines)}}));
}

}  // namespace cresset::sim
