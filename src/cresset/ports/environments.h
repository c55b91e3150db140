#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cresset/base/result.h"

namespace cresset::ports {

// The Python that runs lightweight components.
struct Interpreter {
  std::string executable;   // absolute, not resolved through symbolic links (a venv's python stays
                            // the venv's)
  std::string version;      // "3.11.7"
  std::string fingerprint;  // digest over executable, version and the installed distributions with
                            // their versions
};

// packages_to_install of a component, as its preamble names them.
struct EnvironmentSpec {
  Interpreter base;
  std::vector<std::string>
      requirements;  // PEP 508, sorted, without kfp itself (the runtime supplies it)
  std::vector<std::string>
      index_urls;  // first is the main index, others are extra; empty = the tool's own settings
  std::vector<std::string> trusted_hosts;
  bool offline =
      false;  // never build: an environment that is not there is an error naming what is missing
};

struct Environment {
  std::string
      python;  // to run instead of base.executable; equal to it when base already satisfies all
  std::string fingerprint;  // of what it holds, base included
};

struct EnvironmentReady {
  std::uint64_t job = 0;
  Result<Environment> answer;  // kFailedPrecondition: offline and missing; kUnavailable: the tool
                               // failed (its last lines)
};

struct Program {
  std::string path;         // absolute
  std::string fingerprint;  // path, size, mtime and inode
};

// Contract (ports/testing/environments_contract.h): equal specs are built once, whoever asks, in
// whatever process; a build that dies half-way leaves nothing that a later one takes for finished.
// prepare() returns at once and is answered once by poll().
class Environments {
 public:
  virtual ~Environments() = default;

  // May block for the time of one interpreter start the first time; remembered by the executable's
  // size, mtime, inode.
  virtual Result<Interpreter> inspect(const std::string& executable) = 0;
  virtual Result<Program> find_program(const std::string& name,
                                       const std::string& path_variable) = 0;

  virtual void prepare(std::uint64_t job, EnvironmentSpec spec) = 0;
  virtual std::vector<EnvironmentReady> poll() = 0;
};

}  // namespace cresset::ports
