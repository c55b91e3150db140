#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <utility>
#include <vector>

#include "cresset/ports/file_worker.h"
#include "cresset/ports/testing/memory_files.h"

namespace cresset::ports::testing {

// A FileWorker over MemoryFiles, with answers that come when the test says so. Without a word from
// the test, a job is done when it is submitted. One thread.
class MemoryFileWorker final : public FileWorker {
 public:
  // `files` outlives the worker. `wake` is called after each job that was done.
  explicit MemoryFileWorker(
      MemoryFiles& files, std::function<void()> wake = [] {})
      : files_(files), wake_(std::move(wake)) {}

  // Jobs wait from now on (a slow disk), until release() does the oldest one, or all.
  void hold() { held_ = true; }
  bool release_one();
  void release_all();
  [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }

  // The next job that is done answers with this error and does nothing, as often as called.
  void fail_next(Error error) { errors_.push_back(std::move(error)); }

  void submit(std::uint64_t job, FileJob work) override;
  std::vector<FileJobDone> poll() override { return std::exchange(done_, {}); }

 private:
  void carry_out(std::uint64_t job, const FileJob& work);

  MemoryFiles& files_;
  std::function<void()> wake_;
  bool held_ = false;
  std::deque<std::pair<std::uint64_t, FileJob>> waiting_;
  std::deque<Error> errors_;
  std::vector<FileJobDone> done_;
};

}  // namespace cresset::ports::testing
