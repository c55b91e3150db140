#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "cresset/adapters/localfs/path_digest.h"
#include "cresset/ports/file_worker.h"

namespace cresset::localfs {

// Does file jobs in two threads, which the first job starts: a run without file jobs has none. Jobs
// begin in the order in which they came. submit() and poll() belong to one thread.
class LocalFileWorker final : public ports::FileWorker {
 public:
  // `wake` is called after each job that was done, from the thread that did it; it must not block,
  // and must stay valid until the worker is destroyed.
  LocalFileWorker(DigestOptions digests, std::function<void()> wake);
  ~LocalFileWorker() override;

  void submit(std::uint64_t job, ports::FileJob work) override;
  std::vector<ports::FileJobDone> poll() override;

 private:
  struct Job {
    std::uint64_t id = 0;
    ports::FileJob work;
  };

  void work_until_stopped();

  const DigestOptions digests_;
  const std::function<void()> wake_;
  std::vector<std::thread> threads_;

  std::mutex mutex_;  // guards what follows
  std::condition_variable jobs_changed_;
  std::deque<Job> jobs_;
  std::vector<ports::FileJobDone> done_;
  bool stopping_ = false;
};

}  // namespace cresset::localfs
