#pragma once

#include <stdlib.h>

#include <filesystem>
#include <string>
#include <system_error>

#include "cresset/base/check.h"

namespace cresset::ports::testing {

// A new empty folder for one test, removed with all below it at the end. Its name holds what names
// may hold.
class TempFolder {
 public:
  explicit TempFolder(
      const std::filesystem::path& parent = std::filesystem::temp_directory_path()) {
    std::string name = (parent / "cresset 'test\" XXXXXX").native();
    CHECK(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~TempFolder() {
    std::error_code ignored;  // a test that leaves something unremovable fails elsewhere
    std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace cresset::ports::testing
