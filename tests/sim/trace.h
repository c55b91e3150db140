#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "cresset/base/time.h"

namespace cresset::sim {

// What happened in a world, in order: always as a number, which differs when anything differs, and
// as lines of text when somebody wants to read them.
class Trace {
 public:
  explicit Trace(bool keeps_text) : keeps_text_(keeps_text) {}

  // `who` is a process, 0 for what lies outside of them.
  void note(TimePoint now, std::uint64_t who, std::string_view what, std::string_view detail = {});

  [[nodiscard]] bool keeps_text() const { return keeps_text_; }
  [[nodiscard]] std::uint64_t digest() const { return digest_; }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  void mix(std::string_view text);
  void mix(std::uint64_t number);

  bool keeps_text_;
  std::uint64_t digest_ = 0xcbf29ce484222325;
  std::string text_;
};

}  // namespace cresset::sim
