#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cresset/base/result.h"

// Whole folders, at once, in the caller's thread.
namespace cresset::posix {

// True for the errors that mean "nothing there".
bool is_absent(int errno_value);

// A name beside `path` that no other live process or thread uses: what is made there is renamed to
// `path` when complete. After a crash it may be taken by something left over: try the next.
std::string temporary_sibling(const std::string& path);

// Names in a folder, sorted by their bytes, without "." and "..".
Result<std::vector<std::string>> list_names(int folder, std::string_view what);

// A file, a link itself, or a folder with all below it; never what a link leads to. Absent is fine.
// Folders that deny writing are opened up first.
Result<void> remove_tree(const std::string& path);

}  // namespace cresset::posix
