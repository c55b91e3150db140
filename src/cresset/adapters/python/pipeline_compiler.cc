#include "cresset/adapters/python/pipeline_compiler.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "cresset/adapters/posix/system_clock.h"
#include "cresset/adapters/python/json_fields.h"
#include "cresset/adapters/python/program_search.h"
#include "cresset/text/json.h"

namespace cresset::python {

namespace {

constexpr int kAskMillis = 50;
constexpr std::size_t kAnswerBytesMax = std::size_t{256} << 20;
constexpr text::JsonLimits kAnswerLimits{
    .depth = 8, .bytes = kAnswerBytesMax, .values = std::size_t{1} << 20};

// False at the end of what there is to read.
bool read_some(int fd, std::string& out) {
  char buffer[64 << 10];
  while (true) {
    const ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return true;
    if (got <= 0) return false;
    out.append(buffer, static_cast<std::size_t>(got));
  }
}

Result<void> write_line(int fd, std::string line) {
  line += '\n';
  std::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t written = ::send(fd, rest.data(), rest.size(), MSG_NOSIGNAL);
    if (written < 0 && errno != EINTR) return errno_error(errno, "asking for a pipeline");
    if (written > 0) rest.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

bool is_readable(int fd, int millis) {
  pollfd ready{fd, POLLIN, 0};
  return ::poll(&ready, 1, millis) > 0;
}

}  // namespace

PipelineCompiler::PipelineCompiler(PipelineCompilerOptions options)
    : options_(std::move(options)) {}

PipelineCompiler::~PipelineCompiler() { stop(); }

Result<CompiledPipeline> PipelineCompiler::compile(const PipelineFile& file,
                                                   const std::function<bool()>& is_stopped) {
  auto python = search_program(file.python, options_.path_variable);
  if (!python) {
    Error error = std::move(python).error();
    error.message += ": name a Python that has kfp with --python";
    return error;
  }
  if (python_ != *python || has_ended()) {
    stop();
    CR_TRY_VOID(start(*python));
  }
  CR_TRY(const Value answer,
         ask(Value::make_struct({{"file", file.path}, {"function", file.function}}), is_stopped));
  CompiledPipeline out;
  const Value* text = answer.find("text");
  if (text != nullptr && text->is_string()) out.text = text->as_string();
  out.problem = text_of(answer, "error");
  out.files = texts_of(answer.find("files"));
  if (answer.find("ends") != nullptr) stop();
  return out;
}

Result<void> PipelineCompiler::start(const std::string& python) {
  // No pipe: that raises a signal when the reader is gone.
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return errno_error(errno, "making a pair of sockets");
  posix::UniqueFd questions(ends[0]);
  const posix::UniqueFd input(ends[1]);
  CR_TRY(Pipe answers, make_pipe());
  CR_TRY(child_, start_child({python, "-c", options_.helper}, options_.env,
                             {input.get(), answers.write_end.get()}));
  python_ = python;
  questions_ = std::move(questions);
  answers_ = std::move(answers.read_end);
  return {};
}

int PipelineCompiler::stop() {
  if (python_.empty()) return 0;
  python_.clear();
  questions_.reset();
  answers_.reset();
  const int status = reap_child(child_.pid);
  child_ = {};
  return shell_status(status);
}

bool PipelineCompiler::has_ended() const {
  return !python_.empty() && is_readable(child_.process.get(), 0);
}

Result<Value> PipelineCompiler::ask(const Value& question,
                                    const std::function<bool()>& is_stopped) {
  posix::SystemClock clock;
  const TimePoint until = clock.now() + options_.limit;
  const std::string python = python_;
  std::string answer;
  bool is_open = write_line(questions_.get(), text::to_json(question)).has_value();
  while (is_open && !answer.ends_with('\n')) {
    if (is_stopped()) {
      stop();
      return make_error(Code::kCancelled, "the compilation was stopped");
    }
    if (clock.now() >= until) {
      stop();
      return make_error(Code::kDeadlineExceeded,
                        "Python did not compile it within {}: it was stopped",
                        to_short_text(options_.limit));
    }
    if (!is_readable(answers_.get(), kAskMillis)) continue;
    is_open = read_some(answers_.get(), answer);
    if (answer.size() > kAnswerBytesMax) is_open = false;
  }
  auto fields = text::parse_json(answer, kAnswerLimits);
  if (fields && fields->is_struct()) return fields;
  return make_error(Code::kFailedPrecondition,
                    "{} ended with status {} and compiled nothing: is it a Python 3.9 or later?",
                    python, stop());
}

}  // namespace cresset::python
