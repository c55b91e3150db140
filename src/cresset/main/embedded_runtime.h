#pragma once

#include <span>

#include "cresset/main/runtime_folder.h"

namespace cresset::app_main {

// Made by tools/embed_files.py at build time, sorted by path.
std::span<const EmbeddedFile> embedded_runtime();

}  // namespace cresset::app_main
