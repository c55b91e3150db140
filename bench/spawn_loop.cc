// The least that running commands can cost: posix_spawn and waitpid, a folder and a log for each.
#include <fcntl.h>
#include <fmt/core.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <system_error>

namespace {

constexpr std::size_t kPageBytes = 4096;

[[noreturn]] void fail(const std::string& what, int error) {
  fmt::print(stderr, "cresset-bench-spawn: {}: {}\n", what, std::strerror(error));
  std::exit(1);
}

int number(std::string_view text) {
  int out = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), out);
  if (read.ec != std::errc{} || out <= 0) fail(std::string(text), EINVAL);
  return out;
}

void make_folder(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) != 0) fail(path, errno);
}

void start(const std::string& folder, int number, char** command) {
  const std::string work = fmt::format("{}/steps/{}", folder, number);
  const std::string log = fmt::format("{}/logs/{}.log", folder, number);
  make_folder(work);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log.c_str(),
                                     O_WRONLY | O_CREAT | O_APPEND, 0600);
  ::posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  ::posix_spawn_file_actions_addchdir_np(&actions, work.c_str());
  pid_t pid = 0;
  const int error = ::posix_spawnp(&pid, command[0], &actions, nullptr, command, ::environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) fail(command[0], error);
}

void wait_for_one() {
  int status = 0;
  if (::waitpid(-1, &status, 0) < 0) fail("waitpid", errno);
  if (status != 0) fail(fmt::format("a command ended with status {}", status), ECHILD);
}

void sync_a_page(int journal) {
  const std::string page(kPageBytes, 'x');
  if (::write(journal, page.data(), page.size()) != static_cast<ssize_t>(page.size()))
    fail("journal", errno);
  if (::fdatasync(journal) != 0) fail("fdatasync", errno);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 6) {
    fmt::print(stderr,
               "usage: cresset-bench-spawn COUNT IN-FLIGHT sync|nosync FOLDER COMMAND [ARG]...\n"
               "runs COMMAND so often; with sync, one page of FOLDER/journal is synced for each\n");
    return 2;
  }
  const int count = number(argv[1]);
  const int in_flight = number(argv[2]);
  const bool syncs = std::strcmp(argv[3], "sync") == 0;
  const std::string folder = argv[4];
  make_folder(folder);
  make_folder(folder + "/steps");
  make_folder(folder + "/logs");
  const int journal = ::open((folder + "/journal").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (journal < 0) fail("journal", errno);
  int running = 0;
  for (int started = 0; started < count; ++started, ++running) {
    for (; running >= in_flight; --running) wait_for_one();
    if (syncs) sync_a_page(journal);
    start(folder, started, argv + 5);
  }
  for (; running > 0; --running) wait_for_one();
  ::close(journal);
  return 0;
}
