#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cresset::text {

// The candidate that `word` was most likely meant to be (edit distance with transpositions, at most
// a third of the word's length and at least 1), or nothing.
std::optional<std::string> did_you_mean(std::string_view word,
                                        const std::vector<std::string>& candidates);

// " (did you mean "x"?)" or "".
std::string did_you_mean_suffix(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace cresset::text
