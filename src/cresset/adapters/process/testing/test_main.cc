#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "cresset/adapters/process/keeper_main.h"

// The tests, or with `--keeper DIR [GPUS]` the keeper that they start.
int main(int argc, char** argv) {
  if (argc >= 3 && std::string_view(argv[1]) == "--keeper") {
    cresset::process::KeeperOptions options{argv[2], {}};
    options.machine.gpus = 0;
    if (argc >= 4) options.machine.gpus = std::strtoul(argv[3], nullptr, 10);
    return cresset::process::run_keeper(options);
  }
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
