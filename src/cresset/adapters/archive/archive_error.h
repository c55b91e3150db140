#pragma once

#include <string_view>

#include "cresset/base/error.h"

// What is wrong with a file that should be a backup. All are kDataLoss.
namespace cresset::archive {

Error damaged_archive(std::string_view file, std::string_view why);

// `how_far`: "3 of 5 bytes", "3 bytes, inside entry x".
Error cut_off_archive(std::string_view file, std::string_view how_far);

}  // namespace cresset::archive
