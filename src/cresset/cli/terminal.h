#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace cresset::cli {

// Where a verb writes. Results go to out(), everything else (progress, notices, errors) to err(). A
// reader that has gone away (`| head`, a closed terminal) is no error: what follows is dropped.
class Terminal {
 public:
  // `colour`: escape codes may be used where the stream is a terminal. `utf8`: so may signs beyond
  // ASCII.
  Terminal(bool colour, bool utf8);

  void out(std::string_view text);
  void err(std::string_view text);
  // From now on nothing is written: the terminal has hung up.
  void mute() { muted_ = true; }

  [[nodiscard]] bool out_is_terminal() const { return out_is_terminal_; }
  [[nodiscard]] bool err_is_terminal() const { return err_is_terminal_; }
  [[nodiscard]] bool out_colour() const { return colour_ && out_is_terminal_; }
  [[nodiscard]] bool err_colour() const { return colour_ && err_is_terminal_; }
  [[nodiscard]] bool utf8() const { return utf8_; }
  // False once a write to out() failed for another reason than a reader that left: the disk is
  // full.
  [[nodiscard]] bool out_is_good() const { return out_is_good_; }
  [[nodiscard]] bool out_is_closed() const { return out_is_closed_; }

  struct Size {
    std::size_t columns = 80;
    std::size_t rows = 24;
  };
  // Of the terminal behind err(), as it is now.
  [[nodiscard]] Size size() const;

 private:
  bool colour_;
  bool utf8_;
  bool out_is_terminal_;
  bool err_is_terminal_;
  bool muted_ = false;
  bool out_is_good_ = true;
  bool out_is_closed_ = false;
};

}  // namespace cresset::cli
