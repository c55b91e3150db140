#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>

#include "cresset/adapters/archive/archive.h"
#include "cresset/base/check.h"

// Whatever the bytes are, nothing is made beside the folder, nothing in it that a backup does not
// hold, and only what is whole is accepted.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cresset::archive;
  namespace fs = std::filesystem;
  const std::string parent = fmt::format("/dev/shm/cresset-unpack-fuzz-{}", ::getpid());
  fs::create_directories(parent + "/folder");
  const int fd = ::memfd_create("archive", MFD_CLOEXEC);
  CHECK(::write(fd, data, size) == static_cast<ssize_t>(size));
  const UnpackOptions options{.schema_max = 1000, .entries_max = 1000};
  const auto unpacked = unpack(fmt::format("/proc/self/fd/{}", fd), parent + "/folder", options,
                               [](std::int64_t) { return cresset::Result<void>(); });
  ::close(fd);
  CHECK(unpacked || !unpacked.error().message.empty());
  for (const auto& entry : fs::directory_iterator(parent))
    CHECK(entry.path().filename() == "folder");
  const std::set<std::string> known = {"artifacts", "configmaps", "cresset.db",
                                       "runs",      "secrets",    "volumes"};
  for (const auto& entry : fs::directory_iterator(parent + "/folder"))
    CHECK(known.contains(entry.path().filename().native()));
  std::error_code ignored;
  for (fs::recursive_directory_iterator it(parent, ignored), end; it != end; it.increment(ignored))
    if (it->is_directory(ignored) && !it->is_symlink(ignored))
      fs::permissions(it->path(), fs::perms::owner_all, ignored);
  fs::remove_all(parent, ignored);
  return 0;
}
