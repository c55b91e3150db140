#include "cresset/adapters/python/program_search.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string_view>

namespace cresset::python {

namespace {

enum class Kind { kAbsent, kNotExecutable, kExecutable };

Kind kind_of(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return Kind::kAbsent;
  if (S_ISREG(status.st_mode) && ::access(path.c_str(), X_OK) == 0) return Kind::kExecutable;
  return Kind::kNotExecutable;
}

std::string absolute(const std::string& path) {
  std::error_code failed;  // the working folder is gone: the path stays as it is
  const std::filesystem::path whole = std::filesystem::absolute(path, failed);
  return failed ? path : whole.native();
}

Error not_executable(const std::string& path) {
  return make_error(Code::kPermissionDenied, "permission denied: {} may not be executed", path);
}

}  // namespace

Result<std::string> search_program(const std::string& name, const std::string& path_variable) {
  if (name.empty()) return make_error(Code::kInvalidArgument, "the command is empty");
  if (name.find('/') != std::string::npos) {
    std::string path = absolute(name);
    const Kind kind = kind_of(path);
    if (kind == Kind::kExecutable) return path;
    if (kind == Kind::kNotExecutable) return not_executable(path);
    return make_error(Code::kNotFound, "command not found: {}", path);
  }
  std::string_view rest = path_variable;
  std::string found_otherwise;
  for (;;) {
    const std::string_view folder = rest.substr(0, rest.find(':'));
    std::string path = absolute(folder.empty() ? "./" + name : std::string(folder) + "/" + name);
    const Kind kind = kind_of(path);
    if (kind == Kind::kExecutable) return path;
    if (kind == Kind::kNotExecutable) found_otherwise = std::move(path);
    if (folder.size() == rest.size()) break;
    rest.remove_prefix(folder.size() + 1);
  }
  if (!found_otherwise.empty()) return not_executable(found_otherwise);
  return make_error(Code::kNotFound, "command not found: {} (looked in {})", name, path_variable);
}

std::string file_identity(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return "absent";
  return fmt::format("{} {}.{:09} {}", status.st_size, status.st_mtim.tv_sec,
                     status.st_mtim.tv_nsec, status.st_ino);
}

}  // namespace cresset::python
