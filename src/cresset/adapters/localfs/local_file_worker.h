#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <vector>

#include "cresset/adapters/localfs/path_digest.h"
#include "cresset/adapters/posix/worker_threads.h"
#include "cresset/ports/file_worker.h"

namespace cresset::localfs {

// Does file jobs in two threads, which the first job starts: a run without file jobs has none. Jobs
// begin in the order in which they came. submit() and poll() belong to one thread.
class LocalFileWorker final : public ports::FileWorker {
 public:
  // `wake` is called after each job that was done, from the thread that did it; it must not block,
  // and must stay valid until the worker is destroyed.
  LocalFileWorker(DigestOptions digests, std::function<void()> wake);

  void submit(std::uint64_t job, ports::FileJob work) override;
  std::vector<ports::FileJobDone> poll() override;

 private:
  void carry_out(std::uint64_t job, const ports::FileJob& work);

  const DigestOptions digests_;
  const std::function<void()> wake_;
  std::mutex mutex_;  // guards what follows
  std::vector<ports::FileJobDone> done_;

  posix::WorkerThreads threads_;  // last: its jobs use the others
};

}  // namespace cresset::localfs
