#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace cresset::posix {

// Threads for jobs that block, which the first job starts: who has none costs none. They take no
// signals: those belong to the thread that waits for them. post() belongs to one thread.
class WorkerThreads {
 public:
  explicit WorkerThreads(std::size_t threads) : size_(threads) {}
  // Drops the jobs that have not begun, and waits for the others.
  ~WorkerThreads();
  WorkerThreads(const WorkerThreads&) = delete;
  WorkerThreads& operator=(const WorkerThreads&) = delete;

  // Jobs begin in the order in which they came, and may run at once.
  void post(std::function<void()> job);

 private:
  void work_until_stopped();

  const std::size_t size_;
  std::vector<std::thread> threads_;

  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::deque<std::function<void()>> jobs_;
  bool stopping_ = false;
};

}  // namespace cresset::posix
