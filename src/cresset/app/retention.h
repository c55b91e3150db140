#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cresset/base/time.h"
#include "cresset/ports/metadata_store.h"

namespace cresset::app {

// Which finished runs may go (docs/reference/cli.md). What is not set asks for nothing.
struct Retention {
  std::optional<Duration> older_than{};     // they ended longer ago than this
  std::optional<std::size_t> keep_last{};   // the newest so many of each pipeline stay in any case
  std::optional<std::int64_t> bytes_max{};  // the oldest go until the others take no more than this
  std::string pipeline{};                   // only runs of this one go; empty = of any

  [[nodiscard]] bool empty() const { return !older_than && !keep_last && !bytes_max; }
};

struct StoredRun {
  ports::RunRecord record;
  std::int64_t bytes = 0;  // what its files take
};

// Runs that may go, in an order in which they can: who took artifacts from the cache before the run
// that made them. Unfinished runs stay, and so does what a run that stays took artifacts from.
// Pure.
std::vector<StoredRun> choose_expired(const std::vector<StoredRun>& runs,
                                      const std::vector<ports::RunUse>& uses,
                                      const Retention& retention, WallTime now);

// "30d", "12h", "90m", "45s"; kInvalidArgument says what is accepted. Pure.
Result<Duration> parse_age(const std::string& text);

// "2GiB", "500 MB", "20G", "1.5GiB", "1000": bytes, with B, K, M, G or T (powers of 1000) or Ki,
// Mi, Gi or Ti (of 1024), each with or without the B; no parts of a byte. kInvalidArgument says
// what is accepted. Pure.
Result<std::int64_t> parse_size(const std::string& text);

// "20": kInvalidArgument for what is no number from 0 on, or too large. Pure.
Result<std::size_t> parse_count(const std::string& text);

}  // namespace cresset::app
