#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cresset/adapters/posix/folders.h"
#include "cresset/adapters/posix/unique_fd.h"
#include "cresset/adapters/posix/write_all.h"
#include "cresset/base/result.h"

// The few things about descriptors that every file of this folder needs.
namespace cresset::localfs {

using posix::is_absent;
using posix::list_names;
using posix::temporary_sibling;
using posix::UniqueFd;
using posix::write_all;

// "a folder", "a socket" …
std::string_view type_name(mode_t mode);
// Sockets, fifos and devices are refused before they are opened: opening one may block or do
// something.
Error special_file(std::string_view path, mode_t mode);
// Follows links to a regular file and opens it for reading; nothing when there is none.
// kFailedPrecondition for anything that is not a regular file.
Result<std::optional<UniqueFd>> open_file(const std::string& path);

// As much as there is, at most `size` bytes; `what` names the file in errors.
Result<std::size_t> read_some(int fd, char* buffer, std::size_t size, std::string_view what);
// kDataLoss when the system cannot make it durable. Fine where there is nothing to make durable.
Result<void> sync_fd(int fd, std::string_view what);

}  // namespace cresset::localfs
