#pragma once

#include <string>

#include "cresset/base/result.h"

namespace cresset::python {

// The absolute path of a program: `name` itself when it holds a '/', else the first executable file
// of that name in the folders of `path_variable`. Links are not resolved. kNotFound;
// kPermissionDenied (it is there, but may not be executed).
Result<std::string> search_program(const std::string& name, const std::string& path_variable);

// Size, mtime and inode of a file or folder, through links: a text that changes when it is replaced
// or changed. "absent" when there is none.
std::string file_identity(const std::string& path);

}  // namespace cresset::python
