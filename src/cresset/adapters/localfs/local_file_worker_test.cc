#include "cresset/adapters/localfs/local_file_worker.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <mutex>

#include "cresset/adapters/localfs/digest_memory.h"
#include "cresset/adapters/localfs/files.h"
#include "cresset/adapters/localfs/local_log_store.h"
#include "cresset/adapters/localfs/path_digest.h"
#include "cresset/ports/testing/file_worker_contract.h"
#include "cresset/ports/testing/log_store_contract.h"
#include "cresset/ports/testing/temp_folder.h"

namespace cresset::localfs {
namespace {

using ports::testing::TempFolder;

void write_bytes(const std::string& path, std::string_view bytes, bool append = false) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream file(path, std::ios::binary | (append ? std::ios::app : std::ios::trunc));
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  ASSERT_TRUE(file.good()) << path;
}

// What a worker's wake is for: a reactor that waits for it.
class Bell {
 public:
  void ring() {
    const std::lock_guard lock(mutex_);
    rung_ = true;
    changed_.notify_one();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return rung_; });
    rung_ = false;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool rung_ = false;
};

class LocalWorld {
 public:
  ports::FileWorker& worker() { return worker_; }
  ports::FileJobDone next() {
    while (done_.empty()) {
      for (ports::FileJobDone& done : worker_.poll()) done_.push_back(std::move(done));
      if (done_.empty()) bell_.wait();
    }
    ports::FileJobDone out = std::move(done_.front());
    done_.pop_front();
    return out;
  }
  std::string path(const std::string& name) { return folder_ / ("files/" + name); }
  void write(const std::string& path, const std::string& content, bool executable = false) {
    write_bytes(path, content);
    ::chmod(path.c_str(), executable ? 0755 : 0644);
  }
  void make_folder(const std::string& path) { std::filesystem::create_directories(path); }
  void link(const std::string& path, const std::string& target) {
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    ASSERT_EQ(::symlink(target.c_str(), path.c_str()), 0);
  }
  void make_fifo(const std::string& path) {
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  }
  std::optional<std::string> read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return std::nullopt;
    return std::string{std::istreambuf_iterator<char>(file), {}};
  }
  bool exists(const std::string& path) {
    struct stat status{};
    return ::lstat(path.c_str(), &status) == 0;
  }

 private:
  TempFolder folder_;
  Bell bell_;
  std::deque<ports::FileJobDone> done_;
  LocalFileWorker worker_{{.memory_dir = folder_ / "memory"}, [this] { bell_.ring(); }};
};

class LocalLogWorld {
 public:
  ports::LogStore& store() { return store_; }
  void append(const model::AttemptId& id, const std::string& bytes, WallTime at) {
    const std::string path = path_of(id);
    struct Record {
      std::uint64_t offset;
      std::int64_t at;
      std::uint32_t size;
      std::uint32_t flags;
    } record{0, at.time_since_epoch().count(), static_cast<std::uint32_t>(bytes.size()), 0};
    if (std::filesystem::exists(path)) record.offset = std::filesystem::file_size(path);
    write_bytes(path, bytes, true);
    write_bytes(path + ".idx", {reinterpret_cast<const char*>(&record), sizeof record}, true);
  }
  std::string path_of(const model::AttemptId& id) {
    return folder_ / (std::to_string(id.task) + "." + std::to_string(id.attempt) + ".log");
  }

 private:
  TempFolder folder_;
  LocalLogStore store_{[this](const model::AttemptId& id) { return path_of(id); }};
};

// ---- Beyond the contracts ----

TEST(LocalLogStore, LeavesOutARecordThatIsNotWhole) {
  LocalLogWorld world;
  const model::AttemptId id{model::RunId("r"), 1, 1};
  world.append(id, "one\n", WallTime{Duration{1}});
  world.append(id, "two\n", WallTime{Duration{2}});
  const std::string index = world.path_of(id) + ".idx";
  for (int cut = 1; cut < 24; ++cut) {
    std::filesystem::resize_file(index, static_cast<std::uintmax_t>(48 - cut));
    EXPECT_EQ(world.store().chunks(id)->size(), 1u) << cut;
  }
}

TEST(LocalFileWorker, IsDestroyedWithJobsUnderWayAndWaiting) {
  const TempFolder folder;
  write_bytes(folder / "large", std::string(8 << 20, 'x'));
  for (int round = 0; round < 3; ++round) {
    LocalFileWorker worker({.memory_dir = folder / "memory"}, [] {});
    for (std::uint64_t job = 1; job <= 50; ++job)
      worker.submit(job, ports::DigestPaths{{folder / "large"}, false});
  }
}

TEST(LocalFileWorker, SaysThatItMayNotRead) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may read everything";
  LocalWorld world;
  world.write(world.path("secret"), "s");
  ::chmod(world.path("secret").c_str(), 0);
  world.worker().submit(1, ports::ReadFiles{{world.path("secret")}});
  EXPECT_EQ(world.next().answer.error().code, Code::kPermissionDenied);
}

TEST(LocalFileWorker, ACopyThatFailsLeavesItsTargetAsItWas) {
  LocalWorld world;
  world.write(world.path("source/a"), "new");
  world.make_fifo(world.path("source/z"));
  world.write(world.path("target"), "old");
  world.worker().submit(1, ports::CopyPath{world.path("source"), world.path("target")});
  EXPECT_FALSE(world.next().answer);
  EXPECT_EQ(world.read(world.path("target")), "old");
  std::size_t entries = 0;
  for ([[maybe_unused]] const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(world.path("x")).parent_path()))
    ++entries;
  EXPECT_EQ(entries, 2u) << "nothing half-made is left beside it";
}

TEST(LocalFileWorker, RemovesFoldersThatDenyWriting) {
  LocalWorld world;
  world.write(world.path("top/inner/file"), "x");
  ::chmod(world.path("top/inner").c_str(), 0500);
  ::chmod(world.path("top").c_str(), 0500);
  world.worker().submit(1, ports::RemoveFolder{world.path("top")});
  EXPECT_TRUE(world.next().answer);
  EXPECT_FALSE(world.exists(world.path("top")));
}

TEST(MeasureDisk, CountsBlocksFoldersAndEachFileOnce) {
  const TempFolder folder;
  std::filesystem::create_directories(folder / "d/e");
  std::ofstream(folder / "d/a") << std::string(10'000, 'x');
  std::filesystem::create_hard_link(folder / "d/a", folder / "d/e/again");
  std::filesystem::create_symlink("/", folder / "d/link");
  std::int64_t blocks = 0;
  for (const char* name : {"d", "d/a", "d/e", "d/link"}) {
    struct stat info{};
    ASSERT_EQ(::lstat((folder / name).c_str(), &info), 0);
    blocks += info.st_blocks * 512;
  }
  SeenFiles seen;
  EXPECT_EQ(measure_disk(folder / "d", seen).value(), blocks);
  EXPECT_LT(measure_disk(folder / "d", seen).value(), blocks) << "the file was counted before";
  EXPECT_EQ(measure_disk(folder / "none", seen).value(), 0);
}

// A disk that loses bits changes no time.
TEST(DigestPath, AfreshReadsWhatSeemsUnchanged) {
  const TempFolder folder;
  const std::string path = folder / "data";
  std::ofstream(path) << std::string(300 << 10, 'x');
  const DigestOptions options{.memory_dir = folder / "memory"};
  const std::string digest = **digest_path(options, path, false);
  DigestMemory memory = load_digest_memory(options.memory_dir, path);
  if (memory.empty()) GTEST_SKIP() << "the clock of this file system is too coarse to remember";
  memory.begin()->second.digest = std::string(64, '0');
  save_digest_memory(options.memory_dir, path, memory);
  EXPECT_EQ(**digest_path(options, path, false), std::string(64, '0'));
  DigestOptions afresh = options;
  afresh.afresh = true;
  EXPECT_EQ(**digest_path(afresh, path, false), digest);
  EXPECT_EQ(**digest_path(options, path, false), digest) << "what was read is what is remembered";
}

}  // namespace
}  // namespace cresset::localfs

namespace cresset::ports::testing {
INSTANTIATE_TYPED_TEST_SUITE_P(Local, FileWorkerContract, localfs::LocalWorld);
INSTANTIATE_TYPED_TEST_SUITE_P(Local, LogStoreContract, localfs::LocalLogWorld);
}  // namespace cresset::ports::testing
