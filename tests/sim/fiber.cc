#include "sim/fiber.h"

#include <sys/mman.h>

#include <utility>
#include <vector>

#include "cresset/base/check.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CRESSET_SIM_ASAN 1
#include <sanitizer/common_interface_defs.h>
#endif
#if __has_feature(thread_sanitizer)
#define CRESSET_SIM_TSAN 1
#include <sanitizer/tsan_interface.h>
#endif
#endif

namespace cresset::sim {

namespace {

// Sanitizers make frames several times larger.
constexpr std::size_t kStackBytes = std::size_t{1} << 20;
constexpr std::size_t kGuardBytes = 4096;

std::vector<char*>& spare_stacks() {
  static std::vector<char*> spare;
  return spare;
}

// The fiber that is being entered for the first time: makecontext passes no pointers.
Fiber*& entering() {
  static Fiber* fiber = nullptr;
  return fiber;
}

}  // namespace

// Memory that touches no page before it is used, with one below that ends the program when a body
// recurses too deeply. Used again: mapping one costs more than a short process of a simulation.
class Fiber::Stack {
 public:
  Stack() {
    auto& spare = spare_stacks();
    if (!spare.empty()) {
      base_ = spare.back();
      spare.pop_back();
      return;
    }
    void* mapped = ::mmap(nullptr, kStackBytes + kGuardBytes, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    CHECK(mapped != MAP_FAILED);
    CHECK(::mprotect(mapped, kGuardBytes, PROT_NONE) == 0);
    base_ = static_cast<char*>(mapped) + kGuardBytes;
  }
  ~Stack() { spare_stacks().push_back(base_); }
  Stack(const Stack&) = delete;
  Stack& operator=(const Stack&) = delete;

  [[nodiscard]] char* base() const { return base_; }

 private:
  char* base_;
};

Fiber::Fiber(std::function<void()> body)
    : body_(std::move(body)), stack_(std::make_unique<Stack>()) {
  CHECK(::getcontext(&inside_) == 0);
  inside_.uc_stack.ss_sp = stack_->base();
  inside_.uc_stack.ss_size = kStackBytes;
  inside_.uc_link = nullptr;
  ::makecontext(&inside_, &Fiber::enter, 0);
#ifdef CRESSET_SIM_TSAN
  thread_ = __tsan_create_fiber(0);
#endif
}

Fiber::~Fiber() {
  CHECK(done_ || !started_);
#ifdef CRESSET_SIM_TSAN
  __tsan_destroy_fiber(thread_);
#endif
}

void Fiber::resume() {
  CHECK(!done_);
  if (!std::exchange(started_, true)) entering() = this;
  switch_to_body();
  if (thrown_) std::rethrow_exception(std::exchange(thrown_, nullptr));
}

void Fiber::yield() { switch_to_caller(false); }

void Fiber::enter() { std::exchange(entering(), nullptr)->run(); }

void Fiber::run() {
#ifdef CRESSET_SIM_ASAN
  __sanitizer_finish_switch_fiber(nullptr, &caller_bottom_, &caller_size_);
#endif
  try {
    body_();
  } catch (...) {
    thrown_ = std::current_exception();
  }
  body_ = nullptr;
  done_ = true;
  switch_to_caller(true);
}

void Fiber::switch_to_body() {
#ifdef CRESSET_SIM_TSAN
  caller_thread_ = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(thread_, 0);
#endif
#ifdef CRESSET_SIM_ASAN
  __sanitizer_start_switch_fiber(&caller_fake_stack_, stack_->base(), kStackBytes);
#endif
  CHECK(::swapcontext(&caller_, &inside_) == 0);
#ifdef CRESSET_SIM_ASAN
  __sanitizer_finish_switch_fiber(caller_fake_stack_, nullptr, nullptr);
#endif
}

void Fiber::switch_to_caller([[maybe_unused]] bool for_good) {
#ifdef CRESSET_SIM_TSAN
  __tsan_switch_to_fiber(caller_thread_, 0);
#endif
#ifdef CRESSET_SIM_ASAN
  __sanitizer_start_switch_fiber(for_good ? nullptr : &fake_stack_, caller_bottom_, caller_size_);
#endif
  CHECK(::swapcontext(&inside_, &caller_) == 0);
#ifdef CRESSET_SIM_ASAN
  __sanitizer_finish_switch_fiber(fake_stack_, &caller_bottom_, &caller_size_);
#endif
}

}  // namespace cresset::sim
