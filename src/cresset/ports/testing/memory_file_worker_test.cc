#include "cresset/ports/testing/memory_file_worker.h"

#include "cresset/ports/testing/file_worker_contract.h"

namespace cresset::ports::testing {
namespace {

struct MemoryFilesWorld {
  FileWorker& worker() { return worker_; }
  FileJobDone next() {
    if (answers.empty()) answers = worker_.poll();
    FileJobDone first = std::move(answers.front());
    answers.erase(answers.begin());
    return first;
  }
  std::string path(const std::string& name) { return "/world/" + name; }
  void write(const std::string& path, const std::string& content, bool executable = false) {
    files.write(path, content, executable);
  }
  void make_folder(const std::string& path) { files.make_folder(path); }
  void link(const std::string& path, const std::string& target) { files.link(path, target); }
  void make_fifo(const std::string& path) { files.make_fifo(path); }
  std::optional<std::string> read(const std::string& path) { return files.read(path); }
  bool exists(const std::string& path) { return files.exists(path); }

  MemoryFiles files;
  MemoryFileWorker worker_{files};
  std::vector<FileJobDone> answers;
};
INSTANTIATE_TYPED_TEST_SUITE_P(Memory, FileWorkerContract, MemoryFilesWorld);

TEST(MemoryFileWorker, HoldsJobsUntilTheyAreReleased) {
  MemoryFiles files;
  int wakes = 0;
  MemoryFileWorker worker(files, [&] { ++wakes; });
  worker.hold();
  worker.submit(1, MakeFolder{"/a"});
  worker.submit(2, MakeFolder{"/b"});
  EXPECT_TRUE(worker.poll().empty());
  EXPECT_FALSE(files.exists("/a"));
  EXPECT_TRUE(worker.release_one());
  EXPECT_EQ(worker.poll().at(0).job, 1u);
  EXPECT_EQ(worker.waiting(), 1u);
  worker.release_all();
  EXPECT_EQ(worker.poll().at(0).job, 2u);
  EXPECT_EQ(wakes, 2);
}

TEST(MemoryFileWorker, FailsJobsAsToldAndDoesNothing) {
  MemoryFiles files;
  MemoryFileWorker worker(files);
  worker.fail_next(make_error(Code::kDataLoss, "broken disk"));
  worker.submit(1, MakeFolder{"/a"});
  worker.submit(2, MakeFolder{"/b"});
  const std::vector<FileJobDone> done = worker.poll();
  EXPECT_EQ(done.at(0).answer.error().code, Code::kDataLoss);
  EXPECT_TRUE(done.at(1).answer);
  EXPECT_FALSE(files.exists("/a"));
}

TEST(MemoryFiles, APowerFailureTearsWhatWasNotMadeDurable) {
  MemoryFiles files;
  MemoryFileWorker worker(files);
  files.write("/d/safe", "1234");
  files.write("/torn", "1234");
  worker.submit(1, DigestPaths{{"/d"}, true});
  worker.submit(2, DigestPaths{{"/torn"}, false});
  files.power_failure();
  EXPECT_EQ(files.read("/d/safe"), "1234");
  EXPECT_EQ(files.read("/torn"), "12");
  files.write("/d/safe", "5678");
  files.power_failure();
  EXPECT_EQ(files.read("/d/safe"), "56") << "written again and not made durable since";
}

TEST(MemoryFiles, CorruptionChangesTheDigest) {
  MemoryFiles files;
  files.write("/a", "abc");
  files.corrupt("/a");
  EXPECT_NE(files.read("/a"), "abc");
  EXPECT_EQ(files.read("/a")->size(), 3u);
}

}  // namespace
}  // namespace cresset::ports::testing
