#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "cresset/text/json.h"

// The words of JSON, for json.cc only.
namespace cresset::text {

// Line and column (in characters) of the byte at `offset`, or of the text's end.
Position position_at(std::string_view text, std::size_t offset);

// Reads a text from front to back. The read_ functions return false after noting the first fault.
class JsonScanner {
 public:
  explicit JsonScanner(std::string_view text) : text_(text) {}

  [[nodiscard]] std::size_t offset() const { return offset_; }
  [[nodiscard]] bool at_end() const { return offset_ == text_.size(); }
  // 0 at the end, which is no JSON anywhere.
  [[nodiscard]] char peek() const { return at_end() ? '\0' : text_[offset_]; }
  void advance() { ++offset_; }
  void skip_space();
  // True after stepping over the character.
  bool take(char c);
  // True after stepping over the word, if it is a word of its own.
  bool take_word(std::string_view word);

  // From the opening quote to behind the closing one; appends to `out`.
  bool read_string(std::string& out);
  bool read_number(double& out);

  // Notes the fault and returns false.
  bool fail(std::size_t offset, std::string message);
  // For what stands where a value should.
  bool fail_value();
  // For what stands where `wanted` should: "a comma".
  bool fail_expected(std::string_view wanted);

  [[nodiscard]] std::size_t fault_offset() const { return fault_offset_; }
  [[nodiscard]] const std::string& fault_message() const { return fault_message_; }

 private:
  [[nodiscard]] std::string_view rest() const { return text_.substr(offset_); }
  [[nodiscard]] std::string_view word() const;
  [[nodiscard]] std::string found() const;
  [[nodiscard]] std::string invalid_byte() const;
  void skip_plain();
  bool read_escape(std::string& out);
  bool read_unicode_escape(std::string& out);
  // The four digits behind \u at `offset`, or -1.
  [[nodiscard]] int unicode_escape_at(std::size_t offset) const;
  bool take_digits();
  bool scan_number(bool& is_integer);
  bool read_integer(std::string_view digits, std::size_t start, double& out);

  std::string_view text_;
  std::size_t offset_ = 0;
  std::size_t fault_offset_ = 0;
  std::string fault_message_;
};

}  // namespace cresset::text
