#include "cresset/adapters/process/process_executor.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <sstream>
#include <utility>

#include "cresset/adapters/process/spawn.h"
#include "cresset/adapters/process/unix_socket.h"
#include "cresset/base/check.h"

namespace cresset::process {

namespace {

using std::chrono::milliseconds;

// Larger files are written here, so that they need not travel.
constexpr std::size_t kInlineFileBytesMax = 64 << 10;
constexpr std::size_t kFlushBytes = 64 << 10;
constexpr int kFailuresMax = 12;
constexpr Duration kRetryMin = milliseconds(5);
constexpr Duration kRetryMax = milliseconds(500);
constexpr Duration kLauncherPause = milliseconds(5);
constexpr int kLastWordsMillis = 200;
constexpr std::size_t kKeeperLogTailBytes = 500;

void drain_counter(int fd) {
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t ignored = ::read(fd, &count, sizeof count);
}

Result<void> write_large_files(ports::StartSpec& spec) {
  for (const ports::FileToWrite& file : spec.files) {
    if (file.content.size() > kInlineFileBytesMax) CR_TRY_VOID(write_file(file));
  }
  std::erase_if(spec.files,
                [](const auto& file) { return file.content.size() > kInlineFileBytesMax; });
  return {};
}

Result<pid_t> spawn_keeper(const std::vector<std::string>& command) {
  CHECK(!command.empty());
  std::vector<char*> argv;
  for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  posix_spawnattr_t attributes;
  CHECK(::posix_spawnattr_init(&attributes) == 0);
  sigset_t none;
  ::sigemptyset(&none);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
  pid_t pid = 0;
  const int failure = ::posix_spawn(&pid, argv.front(), nullptr, &attributes, argv.data(), environ);
  ::posix_spawnattr_destroy(&attributes);
  if (failure != 0) return errno_error(failure, "starting the keeper " + command.front());
  return pid;
}

}  // namespace

ProcessExecutor::ProcessExecutor(ProcessExecutorOptions options, ports::Clock& clock)
    : options_(std::move(options)),
      clock_(clock),
      timer_(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)) {
  CHECK(timer_);
  loop_.add(waker_.fd(), EPOLLIN, [this](std::uint32_t) { drain_counter(waker_.fd()); });
  loop_.add(timer_.get(), EPOLLIN, [this](std::uint32_t) {
    drain_counter(timer_.get());
    retry_armed_ = false;
    if (launcher_ > 0) return look_for_launcher();
    connect();
  });
}

ProcessExecutor::~ProcessExecutor() {
  // Last words, mostly what may be forgotten, while the keeper takes them.
  if (stream_ && stream_->flush() && stream_->wants_to_write()) {
    pollfd waiting{stream_->fd(), POLLOUT, 0};
    if (::poll(&waiting, 1, kLastWordsMillis) > 0) [[maybe_unused]]
      const auto ignored = stream_->flush();
  }
  if (launcher_ > 0) ::waitpid(launcher_, nullptr, 0);
}

void ProcessExecutor::start(ports::StartSpec spec) {
  const model::AttemptId id = spec.id;
  if (outstanding_.contains(id)) return;
  Outstanding& attempt = outstanding_[id];
  attempt.serial = next_serial_++;
  attempt.token = spec.token;
  if (!spec.adopt_only) {
    if (const auto written = write_large_files(spec); !written) {
      if (!written.error().reason.empty()) return on_trouble({written.error().text()});
      return fail_locally(id, written.error().text());
    }
  }
  attempt.start_frame = encode_frame(Start{std::move(spec)});
  if (attempt.start_frame.size() > kFrameBytesMax) {
    return fail_locally(id, "the command and its environment are too long for the keeper");
  }
  send(attempt.start_frame);
}

void ProcessExecutor::stop(const model::AttemptId& id, Duration grace) {
  const auto found = outstanding_.find(id);
  if (found == outstanding_.end()) return;
  found->second.stop_grace = grace;
  send(encode_frame(Stop{id, grace}));
}

void ProcessExecutor::forget(const std::vector<model::AttemptId>& ids) {
  if (ids.empty()) return;
  if (welcomed_) return send(encode_frame(Forget{ids}));
  forgets_.insert(forgets_.end(), ids.begin(), ids.end());
  connect();
}

Result<std::vector<ports::ExecutorEvent>> ProcessExecutor::poll() {
  loop_.run_once(Duration(0));
  update_interest();
  if (events_.empty() && broken_) return *broken_;
  return std::exchange(events_, {});
}

// Before the greeting nothing is queued: greet_and_repeat() sends all that is outstanding.
void ProcessExecutor::send(const std::string& frame) {
  if (!welcomed_) return connect();
  stream_->queue(frame);
  // The keeper begins while the rest of very many is still being written. That it has gone is seen
  // by poll().
  if (stream_->size_to_write() > kFlushBytes) static_cast<void>(stream_->flush());
  // Sent by poll(), with whatever else is asked for until then; the reactor is made to call it.
  if (!waits_to_write_) {
    waits_to_write_ = true;
    loop_.modify(stream_->fd(), EPOLLIN | EPOLLOUT);
  }
}

void ProcessExecutor::update_interest() {
  if (!stream_) return;
  if (auto flushed = stream_->flush(); !flushed) {
    // What the keeper said before it went is still to be read.
    read_answers();
    if (stream_) lose_connection(flushed.error());
    return;
  }
  if (stream_->wants_to_write() == waits_to_write_) return;
  waits_to_write_ = !waits_to_write_;
  loop_.modify(stream_->fd(), waits_to_write_ ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

void ProcessExecutor::connect(WhenAbsent when_absent) {
  if (stream_ || launcher_ > 0 || retry_armed_ || broken_) return;
  if (!dir_) {
    Result<posix::UniqueFd> dir = open_private_dir(options_.keeper_dir);
    if (!dir) return give_up(dir.error());
    dir_ = std::move(dir).value();
  }
  Result<posix::UniqueFd> socket = connect_in(dir_);
  if (socket) {
    stream_.emplace(std::move(socket).value());
    loop_.add(stream_->fd(), EPOLLIN, [this](std::uint32_t events) { on_socket(events); });
    stream_->queue(encode_frame(Hello{}));
    return update_interest();
  }
  if (socket.error().code != Code::kUnavailable) return give_up(socket.error());
  if (when_absent == WhenAbsent::kLaunch) return launch_keeper();
  retry_later(socket.error());
}

void ProcessExecutor::launch_keeper() {
  const Result<pid_t> pid = spawn_keeper(options_.keeper_command);
  if (!pid) return give_up(pid.error());
  launcher_ = *pid;
  launcher_fd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, launcher_, 0)));
  // Without a descriptor for it, it is looked for now and then.
  if (!launcher_fd_) return arm_timer(kLauncherPause);
  loop_.add(launcher_fd_.get(), EPOLLIN, [this](std::uint32_t) { look_for_launcher(); });
}

void ProcessExecutor::look_for_launcher() {
  int status = 0;
  if (::waitpid(launcher_, &status, WNOHANG) == 0) {
    if (!launcher_fd_) arm_timer(kLauncherPause);
    return;
  }
  launcher_ = 0;
  if (launcher_fd_) loop_.remove(launcher_fd_.get());
  launcher_fd_.reset();
  // None listens: another keeper holds the lock, and is just coming or going.
  if (status == 0) return connect(WhenAbsent::kRetryLater);
  retry_later(make_error(Code::kUnavailable, "the keeper could not start"));
}

void ProcessExecutor::on_socket(std::uint32_t events) {
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) read_answers();
}

void ProcessExecutor::read_answers() {
  const Result<void> filled = stream_->fill();
  while (stream_) {
    const auto payload = stream_->next();
    if (payload && !*payload) break;
    Result<Message> message =
        payload ? decode_payload(**payload) : Result<Message>(payload.error());
    if (!message) return lose_connection(message.error());
    on_message(std::move(message).value());
  }
  if (!filled && stream_) lose_connection(filled.error());
}

void ProcessExecutor::on_message(Message message) {
  if (const auto* welcome = std::get_if<Welcome>(&message)) {
    if (welcome->version == kProtocolVersion) return greet_and_repeat();
    return lose_connection(make_error(
        Code::kUnavailable,
        "a keeper of another version of Cresset runs in this home (protocol {}, not {}): "
        "let its steps end, then try again",
        welcome->version, kProtocolVersion));
  }
  if (auto* running = std::get_if<ports::AttemptRunning>(&message))
    return on_running(std::move(*running));
  if (auto* exited = std::get_if<ports::AttemptExited>(&message))
    return on_exited(std::move(*exited));
  if (const auto* trouble = std::get_if<Trouble>(&message)) return on_trouble(*trouble);
  lose_connection(make_error(Code::kInternal, "the keeper sent a message that only engines send"));
}

// A fresh connection: the keeper may be another than before, so it is told all that is still
// wanted.
void ProcessExecutor::greet_and_repeat() {
  welcomed_ = true;
  std::vector<std::pair<const model::AttemptId, Outstanding>*> in_order;
  for (auto& entry : outstanding_) in_order.push_back(&entry);
  std::ranges::sort(in_order, {}, [](const auto* entry) { return entry->second.serial; });
  for (const auto* entry : in_order) {
    const auto& [id, attempt] = *entry;
    if (attempt.running) {
      ports::StartSpec adopt;
      adopt.id = id;
      adopt.token = attempt.token;
      adopt.adopt_only = true;
      send(encode_frame(Start{std::move(adopt)}));
    } else {
      send(attempt.start_frame);
    }
    if (attempt.stop_grace) send(encode_frame(Stop{id, *attempt.stop_grace}));
  }
  if (!forgets_.empty()) send(encode_frame(Forget{std::exchange(forgets_, {})}));
}

void ProcessExecutor::on_running(ports::AttemptRunning running) {
  const auto found = outstanding_.find(running.id);
  if (found == outstanding_.end() || found->second.running) return;
  failures_ = 0;
  found->second.running = true;
  found->second.start_frame = {};
  events_.emplace_back(std::move(running));
}

void ProcessExecutor::on_exited(ports::AttemptExited exited) {
  if (outstanding_.erase(exited.id) == 0) return;
  failures_ = 0;
  events_.emplace_back(std::move(exited));
}

void ProcessExecutor::on_trouble(const Trouble& trouble) {
  give_up(make_error(Code::kUnavailable,
                     "no step can be started: {}. Mend that, then resume the run; steps that run "
                     "already go on",
                     trouble.what));
}

void ProcessExecutor::lose_connection(const Error& why) {
  loop_.remove(stream_->fd());
  stream_.reset();
  welcomed_ = false;
  waits_to_write_ = false;
  if (has_work()) retry_later(why);
}

void ProcessExecutor::retry_later(const Error& why) {
  if (++failures_ > kFailuresMax) return give_up(with_keeper_log(why));
  arm_timer(std::min(kRetryMax, kRetryMin * (1 << std::min(failures_ - 1, 10))));
}

void ProcessExecutor::arm_timer(Duration pause) {
  itimerspec when{};
  when.it_value.tv_nsec = pause.count() * 1'000;
  CHECK(::timerfd_settime(timer_.get(), 0, &when, nullptr) == 0);
  retry_armed_ = true;
}

void ProcessExecutor::give_up(const Error& why) {
  broken_ = why;
  broken_->code = Code::kUnavailable;
  waker_.wake();
}

void ProcessExecutor::fail_locally(const model::AttemptId& id, std::string why) {
  outstanding_.erase(id);
  ports::Exit exit;
  exit.kind = ports::Exit::Kind::kNotStarted;
  exit.detail = std::move(why);
  events_.emplace_back(ports::AttemptExited{id, clock_.wall_now(), std::move(exit)});
  waker_.wake();
}

Error ProcessExecutor::with_keeper_log(const Error& error) const {
  const std::string path = options_.keeper_dir + "/keeper.log";
  std::ifstream file(path);
  std::ostringstream buffer;
  buffer << file.rdbuf();
  std::string text = buffer.str();
  if (text.size() > kKeeperLogTailBytes) text.erase(0, text.size() - kKeeperLogTailBytes);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return make_error(Code::kUnavailable, "{} (see {}{}{})", error.text(), path,
                    text.empty() ? "" : ": ", text);
}

}  // namespace cresset::process
