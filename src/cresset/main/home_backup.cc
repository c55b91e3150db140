#include "cresset/main/home_backup.h"

#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

#include "cresset/adapters/archive/archive.h"
#include "cresset/adapters/archive/places.h"

namespace cresset::app_main {

namespace {

Result<void> go_on(app::Interrupts& interrupts) {
  if (interrupts.level() > 0) return app::interrupted();
  return {};
}

// `total` 0: not known.
archive::OnBytes watch(app::Interrupts& interrupts, const cli::OnProgress& on_progress,
                       std::int64_t total) {
  return [&interrupts, &on_progress, total](std::int64_t bytes) {
    on_progress(bytes, total);
    return go_on(interrupts);
  };
}

// Opened as any home is, which brings an older database up to date, and looked through.
Result<std::size_t> check_restored(const std::string& folder) {
  const app::Home home(folder);
  CR_TRY(const auto store, sqlite::SqliteStore::open({home.database(), home.locks_dir()}));
  CR_TRY(const std::vector<std::string> damage, store->find_damage());
  if (!damage.empty())
    return make_error(Code::kDataLoss, "the backup's database is damaged: {}", damage.front());
  CR_TRY(const std::vector<ports::RunRecord> runs, store->list_runs());
  return runs.size();
}

}  // namespace

Result<cli::BackupSummary> write_backup(sqlite::SqliteStore& store, const BackupJob& job,
                                        const cli::OnProgress& on_progress) {
  CR_TRY(const std::string file,
         archive::find_backup_place(job.file, job.home.root(), job.replace));
  // What the snapshot names must stay until it is copied. Another backup of this home waits here.
  CR_TRY(const std::unique_ptr<ports::RemovalHold> hold, store.hold_removals());
  CR_TRY_VOID(go_on(job.interrupts));
  CR_TRY(const archive::BackupPlace place, archive::BackupPlace::take(file));
  const std::string& work = place.folder.path();
  CR_TRY_VOID(store.snapshot(work + "/cresset.db"));
  app::BackupContents contents;
  {
    CR_TRY(const auto snapshot, sqlite::SqliteStore::open({work + "/cresset.db", work + "/locks"}));
    CR_TRY(contents, job.contents(*snapshot, job.interrupts));
  }
  std::vector<archive::Item> items = {{"cresset.db", work + "/cresset.db", false}};
  for (const app::BackupItem& item : contents.items)
    items.push_back({item.name, job.home.root() + "/" + item.name, item.may_change});
  const archive::Head head{job.version, sqlite::SqliteStore::newest_schema(), to_rfc3339(job.now),
                           static_cast<std::int64_t>(contents.runs)};
  CR_TRY(archive::Packed packed, archive::pack(file, {head, job.replace}, items,
                                               watch(job.interrupts, on_progress, contents.bytes)));
  cli::BackupSummary out{file, contents.runs, packed.files, packed.bytes,
                         std::move(contents.remarks)};
  for (std::string& remark : packed.remarks) out.remarks.push_back(std::move(remark));
  return out;
}

Result<cli::BackupSummary> read_backup(const std::string& file, const app::Home& home,
                                       app::Interrupts& interrupts,
                                       const cli::OnProgress& on_progress) {
  if (file.empty()) return make_error(Code::kInvalidArgument, "\"\" is no file: name a backup");
  CR_TRY_VOID(go_on(interrupts));
  CR_TRY(archive::HomePlace place, archive::HomePlace::take(home.root()));
  std::error_code error;
  const auto bytes = std::filesystem::file_size(file, error);
  const std::int64_t total = error ? 0 : static_cast<std::int64_t>(bytes);
  CR_TRY(const archive::Unpacked unpacked,
         archive::unpack(file, place.folder(), {sqlite::SqliteStore::newest_schema()},
                         watch(interrupts, on_progress, total)));
  CR_TRY(const std::size_t runs, check_restored(place.folder()));
  CR_TRY_VOID(go_on(interrupts));
  CR_TRY_VOID(place.put_in_place());
  return cli::BackupSummary{file, runs, unpacked.files, unpacked.bytes, {}};
}

}  // namespace cresset::app_main
