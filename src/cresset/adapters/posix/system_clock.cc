#include "cresset/adapters/posix/system_clock.h"

#include <ctime>

namespace cresset::posix {

namespace {

Duration read_clock(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return Duration(std::int64_t{time.tv_sec} * 1'000'000 + time.tv_nsec / 1'000);
}

}  // namespace

TimePoint SystemClock::now() { return TimePoint(read_clock(CLOCK_MONOTONIC)); }

WallTime SystemClock::wall_now() { return WallTime(read_clock(CLOCK_REALTIME)); }

Duration time_since_boot() { return read_clock(CLOCK_BOOTTIME); }

}  // namespace cresset::posix
