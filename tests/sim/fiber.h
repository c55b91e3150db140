#pragma once

#include <ucontext.h>

#include <cstddef>
#include <exception>
#include <functional>
#include <memory>

namespace cresset::sim {

// A function with a stack of its own, that goes on when it is resumed and stands still when it
// yields: how several processes that block take turns in one thread, always in the same order. Not
// for two threads.
class Fiber {
 public:
  explicit Fiber(std::function<void()> body);
  // The body must have returned by then: whoever ends one early makes its yield() throw first.
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // Runs the body until it yields or returns. What it throws comes out here, and ends it.
  void resume();
  // Back to whoever resumed. Called from within the body.
  void yield();
  [[nodiscard]] bool is_done() const { return done_; }

 private:
  class Stack;
  static void enter();
  void run();
  void switch_to_body();
  void switch_to_caller(bool for_good);

  std::function<void()> body_;
  std::unique_ptr<Stack> stack_;
  ucontext_t caller_{};
  ucontext_t inside_{};
  std::exception_ptr thrown_;
  bool started_ = false;
  bool done_ = false;

  // What the sanitizers need to know of a change of stacks.
  [[maybe_unused]] void* caller_fake_stack_ = nullptr;
  [[maybe_unused]] void* fake_stack_ = nullptr;
  [[maybe_unused]] const void* caller_bottom_ = nullptr;
  [[maybe_unused]] std::size_t caller_size_ = 0;
  [[maybe_unused]] void* caller_thread_ = nullptr;
  [[maybe_unused]] void* thread_ = nullptr;
};

}  // namespace cresset::sim
