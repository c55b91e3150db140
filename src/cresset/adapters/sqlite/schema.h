#pragma once

#include <string>

#include "cresset/adapters/sqlite/database.h"
#include "cresset/base/result.h"

namespace cresset::sqlite {

// Brings a database to the schema of this program (docs/formats/database.md). One that is current
// already costs one read. `locks_dir` holds the lock under which a new database is set up: several
// processes may meet at an empty home. kFailedPrecondition "store.newer_schema" for a file of a
// later Cresset and "store.foreign" for some other program's database; neither is touched.
Result<void> prepare_schema(Database& database, const std::string& locks_dir);

// The number of the newest schema that this program knows.
std::int64_t newest_schema();

}  // namespace cresset::sqlite
