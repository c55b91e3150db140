#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cresset/adapters/python/local_environments.h"
#include "cresset/base/check.h"
#include "cresset/ports/testing/temp_folder.h"

extern char** environ;

namespace cresset::python {

inline std::string from_environment(const std::string& name) {
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    if (text.starts_with(name + "=")) return std::string(text.substr(name.size() + 1));
  }
  return {};
}

inline std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void write_text(const std::string& path, const std::string& text, bool executable = false) {
  std::ofstream(path, std::ios::binary) << text;
  if (executable) std::filesystem::permissions(path, std::filesystem::perms::owner_all);
}

// Counts calls of wake(), and waits for one.
class Bell {
 public:
  void ring() { CHECK(::eventfd_write(event_.get(), 1) == 0); }
  bool wait() {
    pollfd ready{event_.get(), POLLIN, 0};
    constexpr int kPatienceMillis = 100'000;
    if (::poll(&ready, 1, kPatienceMillis) <= 0) return false;
    eventfd_t count = 0;
    return ::eventfd_read(event_.get(), &count) == 0;
  }

 private:
  posix::UniqueFd event_{::eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE)};
};

// A base interpreter of its own (a virtual environment with the package cresset-probe-base 1.0), a
// folder of wheels as the only index, and two LocalEnvironments over one folder.
class PythonWorld {
 public:
  PythonWorld() {
    std::filesystem::create_directory(bin());
    const auto found = start({})->inspect("python3");
    CHECK(found.has_value());
    write_text(root_ / "world.py", kMakeWorld);
    run({found->executable, "-I", root_ / "world.py", root_.path()});
    for (const auto& lib : std::filesystem::directory_iterator(root_ / "base/lib"))
      site_packages_ = (lib.path() / "site-packages").native();
    settle();
    first_ = start(bin());
    second_ = start(bin());
  }

  ports::Environments& environments() { return *first_; }
  ports::Environments& others() { return *second_; }
  // As another process; `more` in its environment.
  void restart(const Variables& more = {}) { first_ = start(bin(), more); }
  void stop() {
    first_.reset();
    second_.reset();
  }

  ports::EnvironmentReady next(ports::Environments& asked) {
    std::vector<ports::EnvironmentReady>& answers =
        &asked == first_.get() ? first_answers_ : second_answers_;
    while (answers.empty()) {
      answers = asked.poll();
      if (answers.empty() && !bell_.wait())
        return {0, make_error(Code::kDeadlineExceeded, "prepare() was not answered")};
    }
    ports::EnvironmentReady first = std::move(answers.front());
    answers.erase(answers.begin());
    return first;
  }

  std::string python() { return root_ / "base/bin/python"; }
  std::string no_python() {
    write_text(root_ / "no_python", "#!/bin/sh\necho no Python here\n", true);
    return root_ / "no_python";
  }
  std::pair<std::string, std::string> program() { return {"sh", "/nowhere:/usr/bin:/bin"}; }
  int built() {
    auto found = list_environments(envs());
    EXPECT_TRUE(found) << found.error().text();
    return found ? static_cast<int>(found->size()) : -1;
  }

  std::string operator/(const std::string& name) const { return root_ / name; }
  std::string envs() const { return root_ / "envs"; }
  std::string bin() const { return root_ / "bin"; }  // the only folder of the path variable
  const std::string& site_packages() const { return site_packages_; }
  // Folders that changed a moment ago are not remembered, since they may change again unnoticed.
  void settle() { static_cast<void>(stop_.wait(std::chrono::milliseconds(60))); }
  int runtime_calls() const { return runtime_calls_; }  // one a start of cresset_env.py
  Bell& bell() { return bell_; }

  ports::EnvironmentSpec spec(std::vector<std::string> requirements, bool offline = false) {
    return {environments().inspect(python()).value(), std::move(requirements), {}, {}, offline};
  }
  Result<ports::Environment> ask(ports::EnvironmentSpec asked) {
    environments().prepare(1, std::move(asked));
    return std::move(next(environments()).answer);
  }
  // What the program prints; a failure of the test when it fails.
  std::string run(std::vector<std::string> argv) {
    const auto end = run_child({std::move(argv), tool_env()}, stop_);
    EXPECT_TRUE(end) << end.error().text();
    if (!end) return {};
    EXPECT_EQ(end->status, 0) << end->errors;
    return end->output;
  }

 private:
  // Spaces part entries of pip's settings, so the folder is given as a URL.
  std::string url_of(const std::string& path) const {
    std::string url = "file://";
    for (const char c : path) {
      if (c == ' ' || c == '"' || c == '\'') {
        url += fmt::format("%{:02X}", static_cast<unsigned>(c));
      } else {
        url += c;
      }
    }
    return url;
  }
  Variables tool_env() const {
    return {{"PATH", from_environment("PATH")},
            {"HOME", root_.path()},
            {"PIP_NO_INDEX", "1"},
            {"PIP_FIND_LINKS", url_of(root_ / "wheels")},
            {"UV_CACHE_DIR", root_ / "uv"},
            {"UV_OFFLINE", "1"}};
  }
  std::unique_ptr<LocalEnvironments> start(const std::string& path_variable,
                                           const Variables& more = {}) {
    LocalEnvironmentsOptions options{
        envs(),
        [this]() -> Result<std::string> {
          ++runtime_calls_;
          return std::string(CR_SOURCE_DIR "/runtime/python");
        },
        path_variable.empty() ? from_environment("PATH") : path_variable, tool_env()};
    options.tool_env.insert(options.tool_env.end(), more.begin(), more.end());
    return std::make_unique<LocalEnvironments>(std::move(options), [this] { bell_.ring(); });
  }

  static constexpr const char* kMakeWorld = R"py(
import glob, os, sys, venv, zipfile

folder = os.path.join(sys.argv[1], "wheels")
os.mkdir(folder)


def wheel(name, version, requires=(), script=""):
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    metadata = [f"Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    metadata += [f"Requires-Dist: {text}" for text in requires]
    files = {
        f"{module}.py": f"version = {version!r}\ndef main():\n    print(version)\n",
        f"{info}/METADATA": "\n".join(metadata) + "\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if script:
        files[f"{info}/entry_points.txt"] = f"[console_scripts]\n{script} = {module}:main\n"
    files[f"{info}/RECORD"] = "".join(f"{file},,\n" for file in [*files, f"{info}/RECORD"])
    path = os.path.join(folder, f"{module}-{version}-py3-none-any.whl")
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in files.items():
            archive.writestr(file, text)


wheel("cresset-probe-one", "1.0", script="cresset-probe-script")
wheel("cresset-probe-two", "1.0")
wheel("cresset-probe-base", "1.0")
wheel("cresset-probe-base", "2.0")
wheel("cresset-probe-uses", "1.0", ["cresset-probe-base"])
wheel("cresset-probe-newer", "1.0", ["cresset-probe-base>=2"])

base = os.path.join(sys.argv[1], "base")
venv.create(base, system_site_packages=True, symlinks=True)
[site_packages] = glob.glob(glob.escape(base) + "/lib/*/site-packages")
installed = os.path.join(folder, "cresset_probe_base-1.0-py3-none-any.whl")
with zipfile.ZipFile(installed) as archive:
    archive.extractall(site_packages)
os.remove(installed)
)py";

  ports::testing::TempFolder root_;
  std::string site_packages_;
  std::atomic<int> runtime_calls_ = 0;
  Bell bell_;
  StopSignal stop_;
  std::vector<ports::EnvironmentReady> first_answers_;
  std::vector<ports::EnvironmentReady> second_answers_;
  std::unique_ptr<LocalEnvironments> first_;
  std::unique_ptr<LocalEnvironments> second_;
};

}  // namespace cresset::python
