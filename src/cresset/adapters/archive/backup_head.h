#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cresset/base/result.h"

// The first entry of a backup: what a reader must know before anything else.
namespace cresset::archive {

// 1 had no `bytes`, and a manifest that covers neither the head nor times.
inline constexpr std::int64_t kFormat = 2;

struct Head {
  std::string cresset;      // version of the program that writes it
  std::int64_t schema = 0;  // of the database in it
  std::string created_at;
  std::int64_t runs = 0;
};

// Of one length whatever `bytes`, the size of the whole archive, is: it is known last. Pure.
std::string head_text(const Head& head, std::int64_t bytes);

struct HeadRead {
  std::int64_t format = 0;
  std::optional<std::int64_t> bytes;  // nothing in format 1
};

// kDataLoss: no head. kFailedPrecondition: one of a newer program, by its format or schema. Fields
// that are not known are allowed: what a reader must not overlook raises the format. Pure.
Result<HeadRead> parse_head(const std::string& text, std::int64_t schema_max,
                            const std::string& file);

}  // namespace cresset::archive
