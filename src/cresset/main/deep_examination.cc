#include "cresset/main/deep_examination.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <system_error>

#include "cresset/adapters/localfs/files.h"
#include "cresset/adapters/posix/folders.h"
#include "cresset/adapters/process/journal.h"

namespace cresset::app_main {

namespace {

namespace fs = std::filesystem;
using cli::Check;
using Verdict = cli::Check::Verdict;

constexpr std::int64_t kJournalBytesMax = std::int64_t{1} << 30;
// No writer of ours is busy with one file for so long.
constexpr std::int64_t kAbandonedAfter = 24 * 60 * 60;  // seconds

bool is_temporary(const std::string& name) {
  return name.starts_with(".tmp-") || name.ends_with(".new");
}

bool is_half_unpacked(const std::string& name) {
  constexpr std::size_t kKeySize = 16;
  return name.size() > kKeySize + 1 && name[kKeySize] == '.' &&
         std::ranges::all_of(name.substr(kKeySize + 1),
                             [](char c) { return c >= '0' && c <= '9'; });
}

// Where our own writers put files; below artifacts/ names are the steps' own.
std::vector<std::string> abandoned(const app::Home& home, WallTime now) {
  std::vector<std::string> folders = {home.root(), home.keeper_dir(), home.digests_dir(),
                                      home.runtime_dir(), home.envs_dir()};
  std::error_code error;
  for (fs::directory_iterator run(home.root() + "/runs", error), end; !error && run != end;
       run.increment(error)) {
    folders.push_back(run->path().native());
    folders.push_back(run->path().native() + "/src");
  }
  std::vector<std::string> out;
  const auto seconds_now = std::chrono::floor<std::chrono::seconds>(now.time_since_epoch()).count();
  for (const std::string& folder : folders) {
    std::error_code absent;
    for (fs::directory_iterator at(folder, absent), end; !absent && at != end;
         at.increment(absent)) {
      const std::string name = at->path().filename().native();
      const bool half = folder == home.runtime_dir() && is_half_unpacked(name);
      struct stat info{};
      if (!half && !is_temporary(name)) continue;
      if (::lstat(at->path().c_str(), &info) != 0 || seconds_now - info.st_mtime < kAbandonedAfter)
        continue;
      out.push_back(at->path().native());
    }
  }
  std::ranges::sort(out);
  return out;
}

}  // namespace

std::vector<Check> examine_database(sqlite::SqliteStore& store) {
  auto damage = store.find_damage();
  if (!damage) return {{"database", Verdict::kBad, damage.error().text(), ""}};
  if (damage->empty())
    return {{"database", Verdict::kGood, "pages, indexes and rows are whole", ""}};
  std::vector<Check> out;
  for (const std::string& what : *damage) {
    out.push_back({"database", Verdict::kBad, what,
                   "put a backup back (`cresset restore`), or keep a copy of the home and look "
                   "what `cresset ls` still reads"});
  }
  return out;
}

std::vector<Check> examine_keeper(const app::Home& home) {
  const std::string path = home.keeper_dir() + "/journal";
  auto bytes = localfs::find_file(path, kJournalBytesMax);
  if (!bytes) return {{"keeper", Verdict::kBad, bytes.error().text(), ""}};
  if (!*bytes) return {{"keeper", Verdict::kGood, "no journal: no step has run here yet", ""}};
  const process::JournalText text = process::read_journal(**bytes, "");
  if (text.whole_bytes == (*bytes)->size()) {
    return {{"keeper", Verdict::kGood,
             fmt::format("its journal knows {} attempts", text.records.size()), ""}};
  }
  // One that is being written to may end in half a record.
  return {{"keeper", Verdict::kWarning,
           fmt::format("{} is whole up to byte {} of {}", path, text.whole_bytes, (*bytes)->size()),
           "nothing to do: the next keeper cuts it off there and takes attempts without an end for "
           "lost"}};
}

Result<std::vector<Check>> examine_temporaries(const app::Home& home, WallTime now, bool repair) {
  std::vector<Check> out;
  for (const std::string& path : abandoned(home, now)) {
    Check check{"leftover", Verdict::kWarning, path + " is what a writer that died has left",
                "`--repair` removes it"};
    if (repair) {
      CR_TRY_VOID(posix::remove_tree(path));
      check.repaired = true;
    }
    out.push_back(std::move(check));
  }
  return out;
}

}  // namespace cresset::app_main
