#pragma once

#include <string>
#include <vector>

#include "cresset/adapters/sqlite/sqlite_store.h"
#include "cresset/app/home.h"
#include "cresset/cli/backend.h"

// What only the adapters know of their files. What the runs need is RunService::examine's.
namespace cresset::app_main {

std::vector<cli::Check> examine_database(sqlite::SqliteStore& store);
std::vector<cli::Check> examine_keeper(const app::Home& home);
// Files of writers that died. `repair` removes those that no writer can still be busy with.
Result<std::vector<cli::Check>> examine_temporaries(const app::Home& home, WallTime now,
                                                    bool repair);

}  // namespace cresset::app_main
