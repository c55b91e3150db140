#pragma once

#include <string>
#include <string_view>

#include "cresset/adapters/sqlite/database.h"
#include "cresset/adapters/sqlite/locks.h"
#include "cresset/base/result.h"

namespace cresset::sqlite {

// The first bytes of a database file; a new one has none.
inline constexpr std::size_t kHeaderBytes = 100;
// Looks at those alone, so that a file that is plainly not ours, or newer, is left as it is: SQLite
// would tidy up after the program that wrote it. Errors as prepare_schema.
Result<void> check_header(std::string_view header, const std::string& path);

// The same through SQLite, which knows what its log holds beyond the file. Reads only. Whether
// nothing was ever stored in it.
Result<bool> check_schema(Database& database);

// Brings a database to the schema of this program (docs/formats/database.md). One that is current
// already costs one read. `locks` has the one under which a new database is set up: several
// processes may meet at an empty home. kFailedPrecondition "store.newer_schema" for a file of a
// later Cresset and "store.foreign" for some other program's database; neither is touched.
Result<void> prepare_schema(Database& database, Locks& locks);

// The number of the newest schema that this program knows.
std::int64_t newest_schema();

}  // namespace cresset::sqlite
