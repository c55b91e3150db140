#include "cresset/main/home_path.h"

#include <pwd.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace cresset::app_main {

std::optional<std::string> environment_variable(const std::string& name) {
  const char* value = ::getenv(name.c_str());
  if (value == nullptr) return std::nullopt;
  return std::string(value);
}

Result<std::string> find_home_path() {
  std::string path = environment_variable("CRESSET_HOME").value_or("");
  if (path.empty()) {
    if (const auto data = environment_variable("XDG_DATA_HOME"); data && data->starts_with('/'))
      path = *data + "/cresset";
  }
  if (path.empty()) {
    std::string user = environment_variable("HOME").value_or("");
    if (const passwd* entry = user.empty() ? ::getpwuid(::getuid()) : nullptr; entry != nullptr)
      user = entry->pw_dir;
    if (user.empty()) {
      return make_error(Code::kFailedPrecondition,
                        "there is no home folder to keep state in: set CRESSET_HOME");
    }
    path = user + "/.local/share/cresset";
  }
  std::error_code error;
  const std::filesystem::path absolute = std::filesystem::absolute(path, error);
  if (error) return errno_error(error.value(), path).with("finding CRESSET_HOME");
  std::string out = absolute.lexically_normal().native();
  while (out.size() > 1 && out.back() == '/') out.pop_back();
  return out;
}

}  // namespace cresset::app_main
