#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "cresset/base/result.h"
#include "cresset/cli/terminal.h"
#include "cresset/dag/plan.h"
#include "cresset/ports/log_store.h"

namespace cresset::cli {

// Copies the logs of a run's attempts to the terminal as they grow, whole lines at a time.
class LogReader {
 public:
  struct Look {
    bool prefix = false;
    bool timestamps = false;
  };
  // `task`: a task by any of its names, whose steps alone are read; empty = all. While the run has
  // no such task yet, nothing is read.
  LogReader(ports::LogStore& logs, Terminal& terminal, std::string task, Look look);

  // Prints what has come since the last call. Each attempt's output stays together within a call;
  // where `task` is given, a line stands between attempts of one step.
  Result<void> read(const dag::Plan& plan);
  // Prints last lines that have no line break yet.
  void flush();

  // Whether what is asked for includes the task at this path.
  [[nodiscard]] bool in_scope(const std::string& path) const;

 private:
  struct Cursor {
    std::string path;
    std::uint64_t offset = 0;
    std::uint64_t line_offset = 0;  // where `partial` starts in the log
    std::string partial;
    std::vector<ports::LogChunk> chunks;
    bool drained = false;
    bool begun = false;  // what stands above its log is printed
  };
  Result<void> read_attempt(const dag::Plan& plan, const model::AttemptId& id, Cursor& cursor);
  void begin(const dag::Plan& plan, const model::AttemptId& id, Cursor& cursor);
  void print_lines(Cursor& cursor, std::string_view text);
  void print_line(const Cursor& cursor, std::string_view line);
  bool find_scope(const dag::Plan& plan);

  ports::LogStore& logs_;
  Terminal& terminal_;
  std::string task_;
  std::string scope_;  // its path, once it is known
  Look look_;
  std::map<std::pair<dag::TaskOrdinal, std::uint32_t>, Cursor> cursors_;
  std::set<std::string> printed_;  // paths of which an attempt was printed
};

}  // namespace cresset::cli
