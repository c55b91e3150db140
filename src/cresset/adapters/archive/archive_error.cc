#include "cresset/adapters/archive/archive_error.h"

namespace cresset::archive {

Error damaged_archive(std::string_view file, std::string_view why) {
  return make_error(Code::kDataLoss,
                    "{} is damaged or no backup of Cresset ({}): use another copy of it", file,
                    why);
}

Error cut_off_archive(std::string_view file, std::string_view how_far) {
  return make_error(Code::kDataLoss, "{} ends early ({}): it was cut off; make it or copy it anew",
                    file, how_far);
}

}  // namespace cresset::archive
