#pragma once

#include <string>

#include "cresset/adapters/posix/unique_fd.h"
#include "cresset/base/result.h"

// The socket of a keeper: `socket` in a folder that only its owner may enter. The folder's path may
// be longer than a socket address holds. All descriptors are close-on-exec and non-blocking.
namespace cresset::process {

// Makes the folder (mode 0700) when it is absent. kPermissionDenied when it belongs to someone
// else.
Result<posix::UniqueFd> open_private_dir(const std::string& path);

// Replaces a socket file that is already there: only the holder of the folder's lock may call it.
Result<posix::UniqueFd> listen_in(const posix::UniqueFd& dir);
// kUnavailable: nobody listens. kPermissionDenied: the listener is another user.
Result<posix::UniqueFd> connect_in(const posix::UniqueFd& dir);
// kUnavailable: no one waits. kPermissionDenied: the peer was another user and has been turned
// away. kResourceExhausted: someone waits, and there is no descriptor for them.
Result<posix::UniqueFd> accept_on(const posix::UniqueFd& listener);

}  // namespace cresset::process
