#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <utility>

#include "cresset/base/time.h"

namespace cresset::sim {

// What happened in a world, in order: always as a number, which differs when anything differs, and
// as lines of text when somebody wants to read them.
class Trace {
 public:
  using OnLine = std::function<void(std::string_view line)>;  // with its end

  // `on_line`: at once; nothing = nobody reads them.
  explicit Trace(OnLine on_line) : on_line_(std::move(on_line)) {}

  // `who` is a process, 0 for what lies outside of them.
  void note(TimePoint now, std::uint64_t who, std::string_view what, std::string_view detail = {});

  [[nodiscard]] std::uint64_t digest() const { return digest_; }

 private:
  void mix(std::string_view text);
  void mix(std::uint64_t number);

  OnLine on_line_;
  std::uint64_t digest_ = 0xcbf29ce484222325;
};

}  // namespace cresset::sim
