#pragma once

#include <functional>
#include <string>

#include "cresset/adapters/sqlite/sqlite_store.h"
#include "cresset/app/backup.h"
#include "cresset/app/home.h"
#include "cresset/app/interrupts.h"
#include "cresset/base/result.h"
#include "cresset/base/time.h"
#include "cresset/cli/backend.h"

// A home as one file, and back (docs/formats/backup.md). An interrupt ends either with kCancelled;
// nothing is left of what was unfinished.
namespace cresset::app_main {

struct BackupJob {
  const app::Home& home;
  std::string file;
  bool replace = false;
  std::string version;  // of this program
  WallTime now{};
  // What belongs into it, asked of the snapshot.
  std::function<Result<app::BackupContents>(sqlite::SqliteStore& snapshot,
                                            app::Interrupts& interrupts)>
      contents;
  // Not asked before something is made, so that until then the signals may act by default: another
  // backup of this home is waited for.
  app::Interrupts& interrupts;
};

Result<cli::BackupSummary> write_backup(sqlite::SqliteStore& store, const BackupJob& job,
                                        const cli::OnProgress& on_progress);

// The home is made beside its place, checked, synced and then renamed: until then there is none. A
// second restore takes away what one that was killed has left.
Result<cli::BackupSummary> read_backup(const std::string& file, const app::Home& home,
                                       app::Interrupts& interrupts,
                                       const cli::OnProgress& on_progress);

}  // namespace cresset::app_main
