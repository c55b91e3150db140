#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "cresset/cli/verbs.h"
#include "cresset/text/json.h"

namespace cresset::cli {

namespace {

constexpr std::size_t kFileBytesMax = 64u << 20;

ExitStatus status_of(Code code) {
  switch (code) {
    case Code::kInvalidArgument:
    case Code::kNotFound:
    case Code::kAlreadyExists:
    case Code::kFailedPrecondition:
    case Code::kOutOfRange:
    case Code::kPermissionDenied:
    case Code::kUnimplemented:
      return kWrongUse;
    default:
      return kOurFault;
  }
}

// `expected`: how many bytes are likely to come.
Result<std::string> read_all(int fd, const std::string& name, std::size_t expected = 0) {
  std::string out;
  out.reserve(std::min<std::size_t>(expected, kFileBytesMax));
  char buffer[64 << 10];
  while (true) {
    const ssize_t size = ::read(fd, buffer, sizeof buffer);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return errno_error(errno, "reading " + name);
    if (size == 0) return out;
    out.append(buffer, static_cast<std::size_t>(size));
    if (out.size() > kFileBytesMax) {
      return make_error(Code::kInvalidArgument, "{} is larger than {} MiB, the most that is read",
                        name, kFileBytesMax >> 20);
    }
  }
}

}  // namespace

int report(const Error& error, Session session) {
  session.terminal.err(fmt::format("cresset: {}\n", error.text()));
  return status_of(error.code);
}

void print_json(Session session, const Value& value) {
  session.terminal.out(text::to_json_pretty(value) + "\n");
}

Result<model::RunId> find_run(const std::string& name, Session session) {
  if (!session.backend.home_exists()) {
    return make_error(Code::kNotFound, "no run \"{}\": there are no runs in {} yet", name,
                      session.backend.home_path());
  }
  CR_TRY(app::RunService* const service, session.backend.service());
  return service->resolve(name);
}

Result<std::string> read_file(const std::string& path) {
  if (path == "-") return read_all(STDIN_FILENO, "standard input");
  // Without O_NONBLOCK a named pipe without a writer would hang the program.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    Error error = errno_error(errno, "cannot read " + path);
    // Whatever the reason, it is the file that the user named.
    error.code = Code::kInvalidArgument;
    return error;
  }
  struct stat info{};
  Result<std::string> out = std::string();
  if (::fstat(fd, &info) == 0 && S_ISDIR(info.st_mode)) {
    out = make_error(Code::kInvalidArgument,
                     "{} is a folder: give a pipeline's .py, .yaml or .json file", path);
  } else {
    out = read_all(fd, path, S_ISREG(info.st_mode) ? static_cast<std::size_t>(info.st_size) : 0);
  }
  ::close(fd);
  return out;
}

}  // namespace cresset::cli
