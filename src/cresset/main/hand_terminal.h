#pragma once

#include <string>

#include "cresset/base/result.h"
#include "cresset/ports/executor.h"

// A step on the terminal of this process, without an executor.
namespace cresset::app_main {

// A new folder of its own below $TMPDIR, which only this user may read.
Result<std::string> make_hand_folder();

// Makes the step's files and folders, runs it and waits for its end: the status as the shell
// counts. SIGINT and SIGQUIT are the program's meanwhile.
Result<int> run_on_terminal(ports::StartSpec spec);

}  // namespace cresset::app_main
