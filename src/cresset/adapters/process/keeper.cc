#include "cresset/adapters/process/keeper.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

#include "cresset/adapters/process/leftovers.h"
#include "cresset/adapters/process/unix_socket.h"
#include "cresset/base/check.h"

namespace cresset::process {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kIdleTime = seconds(1);
constexpr Duration kTellDelay = milliseconds(5);
constexpr Duration kStrayPatience = seconds(5);
constexpr Duration kStrayLookPause = milliseconds(50);
constexpr Duration kOomCountAge = milliseconds(100);
// How long to wait where only somebody else can help: a full disk, descriptors.
constexpr Duration kShortagePause = seconds(1);
constexpr Duration kAcceptPause = milliseconds(100);
constexpr std::size_t kOutputBufferBytes = 256 << 10;
constexpr std::size_t kJournalBytesMin = 1 << 20;
constexpr std::size_t kJournalGrowth = 4;
constexpr std::size_t kAttemptsWhereFilesAreDear = 64;
constexpr std::int64_t kShareOfWarmMemory = 4;  // of the machine's, a part so large

// keeper.log: stderr of the keeper.
template <class... Args>
void log_line(ports::Clock& clock, fmt::format_string<Args...> format, Args&&... args) {
  const std::string line =
      to_rfc3339(clock.wall_now()) + " " + fmt::format(format, std::forward<Args>(args)...) + "\n";
  [[maybe_unused]] const ssize_t ignored = ::write(STDERR_FILENO, line.data(), line.size());
}

posix::UniqueFd open_signals() {
  sigset_t mask;
  ::sigemptyset(&mask);
  for (const int signal : {SIGCHLD, SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&mask, signal);
  posix::UniqueFd signals(::signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK));
  // A file that may not grow any more (ulimit -f) is an error of its write, not the keeper's end.
  ::sigaddset(&mask, SIGXFSZ);
  CHECK(::sigprocmask(SIG_BLOCK, &mask, nullptr) == 0);
  return signals;
}

// Where files are dear, as in a shell with `ulimit -n 64`, steps need them more.
WarmWorkers::Limits warm_limits(const Machine& machine) {
  WarmWorkers::Limits limits;
  if (machine.files.attempts_roomy < kAttemptsWhereFilesAreDear) limits.zygotes = 0;
  limits.memory_bytes = machine.memory_bytes / kShareOfWarmMemory;
  return limits;
}

}  // namespace

Keeper::Keeper(posix::UniqueFd listener, Journal::Opened opened, Machine machine,
               std::string scratch_dir, std::string warm_dir, rlimit step_open_files,
               ports::Clock& clock)
    : clock_(clock),
      listener_(std::move(listener)),
      signals_(open_signals()),
      null_(::open("/dev/null", O_RDWR | O_CLOEXEC)),
      step_open_files_(step_open_files),
      journal_(std::move(opened.journal)),
      journal_rewrite_bytes_(kJournalBytesMin),
      admission_(std::move(machine)),
      programs_(clock),
      scratch_(
          std::move(scratch_dir),
          [this](const Error& error) { log_line(clock_, "{}", error.text()); }, clock),
      warm_(std::move(warm_dir), warm_limits(admission_.machine()), loop_, clock,
            [this](const std::string& text) { log_line(clock_, "{}", text); }),
      buffer_(kOutputBufferBytes) {
  CHECK(signals_ && null_);
  // Orphans of steps come to the keeper, which ends them with their step.
  CHECK(::prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
  if (!opened.remark.empty()) log_line(clock_, "{}", opened.remark);
  recover(std::move(opened.records));
  loop_.add(listener_.get(), EPOLLIN, [this](std::uint32_t) { accept_clients(); });
  loop_.add(signals_.get(), EPOLLIN, [this](std::uint32_t) { on_signal(); });
}

Keeper::~Keeper() = default;

void Keeper::recover(Records records) {
  std::vector<std::pair<model::AttemptId, ProcessIdentity>> lost;
  for (auto& [id, record] : records) {
    auto& token = tokens_[id.run];
    token = std::max(token, record.token);
    if (!record.exited && record.this_boot) lost.emplace_back(id, record.process);
  }
  kill_lost_attempts(lost);
  scratch_.sweep();
  for (auto& [id, record] : records) {
    if (!record.exited) {
      ports::Exit exit;
      exit.kind = ports::Exit::Kind::kLost;
      exit.detail = record.this_boot
                        ? "the keeper, which watches over steps, was killed, and the step with it"
                        : "the machine was started anew while the step ran";
      record.exited = ports::AttemptExited{id, clock_.wall_now(), std::move(exit)};
      journal_.ended(id, record);
    }
    attempts_[id].record = std::move(record);
  }
  save();
}

void Keeper::run() {
  while (!may_leave()) {
    loop_.run_once(time_to_next_event());
    go_on_accepting();
    kill_overdue();
    look_for_strays();
    warm_.expire();
    start_admitted();
    if (!news_.empty() && clock_.now() >= tell_by_) tell_news();
    save();
    flush_clients();
  }
  tell_news();
  flush_clients();
  if (attempts_.empty()) {
    if (auto written = journal_.rewrite({}); !written)
      log_line(clock_, "{}", written.error().text());
  }
}

void Keeper::accept_clients() {
  while (true) {
    if (clients_.size() >= admission_.machine().files.clients) return pause_accepting();
    Result<posix::UniqueFd> socket = accept_on(listener_);
    if (!socket && socket.error().code == Code::kPermissionDenied) continue;
    if (!socket && socket.error().code == Code::kResourceExhausted) return pause_accepting();
    if (!socket) return;
    const ClientId id = next_client_++;
    const int fd = socket->get();
    clients_.emplace(id, std::make_unique<Client>(std::move(socket).value()));
    loop_.add(fd, EPOLLIN, [this, id](std::uint32_t events) { on_client(id, events); });
  }
}

// Who waits goes on waiting: the listener would be ready all the time, and nothing could be done
// about it.
void Keeper::pause_accepting() {
  if (!accept_at_) loop_.modify(listener_.get(), 0);
  accept_at_ = clock_.now() + kAcceptPause;
}

void Keeper::go_on_accepting() {
  if (!accept_at_ || clock_.now() < *accept_at_) return;
  accept_at_.reset();
  loop_.modify(listener_.get(), EPOLLIN);
}

void Keeper::on_client(ClientId id, std::uint32_t events) {
  Client& client = *clients_.at(id);
  if ((events & EPOLLOUT) != 0) to_flush_.push_back(id);
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) read_client(id, client);
}

void Keeper::read_client(ClientId id, Client& client) {
  const Result<void> filled = client.stream.fill();
  while (true) {
    const auto payload = client.stream.next();
    if (payload && !*payload) break;
    Result<void> handled = payload ? Result<void>() : Result<void>(payload.error());
    if (payload) {
      Result<Message> message = decode_payload(**payload);
      handled =
          message ? handle(id, client, std::move(message).value()) : Result<void>(message.error());
    }
    if (!handled) {
      log_line(clock_, "dropping a client: {}", handled.error().text());
      return drop_client(id);
    }
  }
  if (!filled) drop_client(id);
}

Result<void> Keeper::handle(ClientId id, Client& client, Message message) {
  if (auto* hello = std::get_if<Hello>(&message)) {
    greet(client, *hello);
    to_flush_.push_back(id);
    return {};
  }
  if (!client.greeted)
    return make_error(Code::kFailedPrecondition, "a message before the greeting");
  if (auto* wanted = std::get_if<Start>(&message)) {
    start(id, std::move(wanted->spec));
  } else if (const auto* unwanted = std::get_if<Stop>(&message)) {
    stop(unwanted->id, unwanted->grace);
  } else if (const auto* done = std::get_if<Forget>(&message)) {
    forget(done->ids);
  } else {
    return make_error(Code::kInvalidArgument, "a message that only the keeper sends");
  }
  return {};
}

void Keeper::greet(Client& client, const Hello& hello) {
  client.greeted = hello.version == kProtocolVersion;
  client.leaving = !client.greeted;
  // One of another version waits for this keeper to leave.
  if (client.leaving) warm_.dismiss();
  client.stream.queue(encode_frame(Welcome{}));
}

void Keeper::start(ClientId client, ports::StartSpec spec) {
  const model::AttemptId id = spec.id;
  auto& token = tokens_[id.run];
  const auto refuse = [&](ports::Exit::Kind kind, std::string why) {
    ports::Exit exit;
    exit.kind = kind;
    exit.detail = std::move(why);
    tell(client, ports::AttemptExited{id, clock_.wall_now(), std::move(exit)});
  };
  if (spec.token < token)
    return refuse(ports::Exit::Kind::kNotStarted, "a later engine has taken over the run");
  token = spec.token;
  if (const auto known = attempts_.find(id); known != attempts_.end()) {
    tell_news();
    known->second.client = client;
    return tell_all_known(known->second);
  }
  if (spec.adopt_only) return refuse(ports::Exit::Kind::kLost, "nobody knows how the step ended");
  // Unanswered, its engine asks the next keeper.
  if (asked_to_leave_) return;
  Attempt& attempt = attempts_[id];
  attempt.record.token = spec.token;
  attempt.client = client;
  admission_.enqueue(id, spec.slots, spec.run_cpu_millis_max);
  attempt.spec = std::make_unique<ports::StartSpec>(std::move(spec));
  ++waiting_;
}

void Keeper::tell_all_known(const Attempt& attempt) {
  if (attempt.record.running) tell(attempt.client, *attempt.record.running);
  if (attempt.record.exited) tell(attempt.client, *attempt.record.exited);
}

void Keeper::stop(const model::AttemptId& id, Duration grace) {
  const auto found = attempts_.find(id);
  if (found == attempts_.end()) return;
  Attempt& attempt = found->second;
  if (attempt.spec) {
    CHECK(admission_.withdraw(id));
    return end_unstarted(id, attempt, "cancelled while it waited for a free slot", true);
  }
  if (!attempt.step) return;
  if (!attempt.step->stop_asked && grace > Duration(0)) attempt.step->signal_group(SIGTERM);
  attempt.step->stop_asked = true;
  const TimePoint kill_at = clock_.now() + std::max(grace, Duration(0));
  if (attempt.step->kill_at && *attempt.step->kill_at <= kill_at) return;
  attempt.step->kill_at = kill_at;
  kills_.emplace(kill_at, id);
}

void Keeper::forget(const std::vector<model::AttemptId>& ids) {
  std::vector<model::AttemptId> forgotten;
  for (const model::AttemptId& id : ids) {
    const auto found = attempts_.find(id);
    if (found == attempts_.end() || !found->second.record.exited) continue;
    attempts_.erase(found);
    forgotten.push_back(id);
  }
  if (!forgotten.empty()) journal_.forgotten(forgotten);
}

// Its running attempts go on; those that wait are dropped: the next engine of their run asks for
// them again.
void Keeper::drop_client(ClientId id) {
  const auto client = clients_.find(id);
  loop_.remove(client->second->stream.fd());
  clients_.erase(client);
  for (auto it = attempts_.begin(); it != attempts_.end();) {
    Attempt& attempt = it->second;
    const bool mine = attempt.client == id;
    if (mine) attempt.client = 0;
    if (mine && attempt.spec) {
      CHECK(admission_.withdraw(it->first));
      --waiting_;
      it = attempts_.erase(it);
    } else {
      ++it;
    }
  }
}

void Keeper::tell(ClientId id, const Message& message) {
  const auto client = clients_.find(id);
  if (client == clients_.end()) return;
  client->second->stream.queue(encode_frame(message));
  to_flush_.push_back(id);
}

void Keeper::flush_clients() {
  std::ranges::sort(to_flush_);
  const auto repeated = std::ranges::unique(to_flush_);
  to_flush_.erase(repeated.begin(), repeated.end());
  for (const ClientId id : std::exchange(to_flush_, {})) {
    const auto found = clients_.find(id);
    if (found == clients_.end()) continue;
    Client& client = *found->second;
    const Result<void> flushed = client.stream.flush();
    const bool more = flushed && client.stream.wants_to_write();
    if (!flushed || (client.leaving && !more)) {
      drop_client(id);
    } else if (more != client.waits_to_write) {
      client.waits_to_write = more;
      loop_.modify(client.stream.fd(), more ? EPOLLIN | EPOLLOUT : EPOLLIN);
    }
  }
}

void Keeper::start_admitted() {
  if (held_back_until_ && clock_.now() < *held_back_until_) return;
  held_back_until_.reset();
  while (!held_back_until_) {
    const auto grant = admission_.next();
    if (!grant) return;
    begin(*grant);
  }
}

void Keeper::begin(const Grant& grant) {
  Attempt& attempt = attempts_.at(grant.id);
  std::unique_ptr<ports::StartSpec> spec = std::move(attempt.spec);
  --waiting_;
  // The journal must know of it before it exists: a process that nobody knows of could run twice.
  journal_.starting(grant.id, attempt.record.token);
  const WallTime began = clock_.wall_now();  // before it can do anything
  Result<std::unique_ptr<RunningStep>> step = start_step(*spec, grant, attempt.lent);
  if (!step) {
    take_folders_back(attempt.lent);
    if (!step.error().reason.empty())
      return hold_back(grant, attempt, std::move(spec), step.error());
    admission_.release(grant.id);
    ports::Exit exit;
    exit.kind = ports::Exit::Kind::kNotStarted;
    exit.detail = step.error().text();
    return end(grant.id, attempt, std::move(exit));
  }
  attempt.step = std::move(step).value();
  attempt.record.process = attempt.step->process();
  attempt.record.running = ports::AttemptRunning{grant.id, began, grant.notices};
  if (!attempt.step->notice.empty())
    attempt.record.running->notices.push_back(attempt.step->notice);
  journal_.started(grant.id, attempt.record);
  pids_.emplace(attempt.step->process().pid, grant.id);
  loop_.add(attempt.step->output_fd(), EPOLLIN,
            [this, id = grant.id](std::uint32_t) { on_output(id); });
  tell_later(grant.id, What::kStarted);
}

// Nothing is wrong with the step: it waits until another leaves room for it, or until its engine,
// which is told what is wrong, asks again.
void Keeper::hold_back(const Grant& grant, Attempt& attempt, std::unique_ptr<ports::StartSpec> spec,
                       const Error& why) {
  journal_.forgotten({grant.id});
  admission_.put_back(grant.id);
  attempt.spec = std::move(spec);
  ++waiting_;
  held_back_until_ = clock_.now() + kShortagePause;
  const bool will_pass = why.reason == "machine.busy" && !pids_.empty();
  log_line(clock_, "no step can be started: {}", why.text());
  if (will_pass) return;
  tell_news();
  tell(attempt.client, Trouble{why.text()});
}

void Keeper::tell_later(const model::AttemptId& id, What what) {
  if (news_.empty()) tell_by_ = clock_.now() + kTellDelay;
  news_.emplace_back(id, what);
}

void Keeper::tell_news() {
  for (const auto& [id, what] : std::exchange(news_, {})) {
    const auto found = attempts_.find(id);
    if (found == attempts_.end()) continue;
    const Attempt& attempt = found->second;
    if (what == What::kStarted) tell(attempt.client, *attempt.record.running);
    if (what == What::kEnded) tell(attempt.client, *attempt.record.exited);
  }
}

Result<std::unique_ptr<RunningStep>> Keeper::start_step(const ports::StartSpec& spec,
                                                        const Grant& grant,
                                                        std::vector<LentFolder>& lent) {
  if (auto written = journal_.flush(); !written) {
    Error error = std::move(written).error();
    // Of the file's other faults none is the step's either.
    if (error.reason.empty()) error.reason = "keeper.journal";
    return error;
  }
  const std::uint64_t oom_kills = recent_oom_kills();
  for (const ports::ScratchFolder& request : spec.scratch) {
    CR_TRY(ScratchFolders::Folder folder, scratch_.take());
    lent.push_back({std::move(folder), request});
  }
  const bool frugal = pids_.size() >= admission_.machine().files.attempts_roomy;
  CR_TRY(auto started,
         RunningStep::start(spec, make_environment(spec, grant, lent),
                            {null_.get(), step_open_files_, frugal, programs_, warm_}));
  started->oom_kills_before = oom_kills;
  return started;
}

Environment Keeper::make_environment(const ports::StartSpec& spec, const Grant& grant,
                                     const std::vector<LentFolder>& lent) const {
  Environment env = spec.env;
  const auto set = [&](const std::string& name, std::string value) {
    std::erase_if(env, [&](const auto& variable) { return variable.first == name; });
    env.emplace_back(name, std::move(value));
  };
  for (const LentFolder& item : lent) set(item.request.variable, item.folder.path);
  if (!admission_.machine().gpus.empty())
    set(kDevicesVariable, fmt::format("{}", fmt::join(grant.gpus, ",")));
  set(kAttemptVariable, model::to_string(spec.id));
  return env;
}

void Keeper::take_folders_back(std::vector<LentFolder>& lent) {
  for (LentFolder& item : lent)
    scratch_.give_back(std::move(item.folder), std::move(item.request.leftovers));
  lent.clear();
}

void Keeper::on_output(const model::AttemptId& id) {
  RunningStep& step = *attempts_.at(id).step;
  step.read_output(buffer_, clock_.wall_now());
  if (step.output_has_ended()) loop_.remove(step.output_fd());
}

void Keeper::on_signal() {
  std::array<signalfd_siginfo, 4> infos{};
  const ssize_t got = ::read(signals_.get(), infos.data(), sizeof infos);
  const std::size_t count = got > 0 ? static_cast<std::size_t>(got) / sizeof infos[0] : 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (static_cast<int>(infos[i].ssi_signo) == SIGTERM) kill_everything();
  }
  reap_children();
}

void Keeper::reap_children() {
  while (true) {
    siginfo_t info{};
    // Left unreaped for now: as long as it is a zombie, its number names its process group and
    // nothing else.
    if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) break;
    look_for_strays_ = true;
    if (pids_.contains(info.si_pid)) {
      on_step_ended(info.si_pid);
    } else {
      warm_.on_ended(info.si_pid);
      ::waitpid(info.si_pid, nullptr, WNOHANG);
    }
  }
}

void Keeper::on_step_ended(pid_t pid) {
  const auto entry = pids_.extract(pid);
  const model::AttemptId& id = entry.mapped();
  Attempt& attempt = attempts_.at(id);
  attempt.step->signal_group(SIGKILL);
  int status = 0;
  rusage usage{};
  while (::wait4(pid, &status, 0, &usage) < 0) CHECK(errno == EINTR);
  const WallTime at = clock_.wall_now();
  loop_.remove(attempt.step->output_fd());
  ports::Exit exit = attempt.step->finish(status, usage, buffer_, at);
  note_oom(*attempt.step, exit);
  if (asked_to_leave_ && !exit.stopped_by_us) {
    exit.kind = ports::Exit::Kind::kLost;
    exit.detail = "the keeper, which watches over steps, was asked to end";
  }
  attempt.step.reset();
  note_end(id, attempt, at, std::move(exit));
  // The end is in the journal before another step begins; the rest can wait, a free slot should
  // not.
  admission_.release(id);
  held_back_until_.reset();
  tell_later(id, What::kEnded);
  start_admitted();
  take_folders_back(attempt.lent);
  if (admission_.has_waiting(id.run)) return;
  // Steps may wait for this end alone: it is told before anything else is done.
  tell_news();
  flush_clients();
}

void Keeper::note_end(const model::AttemptId& id, Attempt& attempt, WallTime at, ports::Exit exit) {
  attempt.record.exited = ports::AttemptExited{id, at, std::move(exit)};
  journal_.ended(id, attempt.record);
}

void Keeper::end(const model::AttemptId& id, Attempt& attempt, ports::Exit exit) {
  note_end(id, attempt, clock_.wall_now(), std::move(exit));
  tell(attempt.client, *attempt.record.exited);
}

void Keeper::end_unstarted(const model::AttemptId& id, Attempt& attempt, std::string why,
                           bool stopped_by_us) {
  attempt.spec.reset();
  --waiting_;
  ports::Exit exit;
  exit.kind = ports::Exit::Kind::kNotStarted;
  exit.detail = std::move(why);
  exit.stopped_by_us = stopped_by_us;
  end(id, attempt, std::move(exit));
}

void Keeper::kill_overdue() {
  const TimePoint now = clock_.now();
  while (!kills_.empty() && kills_.begin()->first <= now) {
    const auto found = attempts_.find(kills_.extract(kills_.begin()).mapped());
    if (found == attempts_.end() || !found->second.step) continue;
    const RunningStep& step = *found->second.step;
    if (step.kill_at && *step.kill_at <= now) step.signal_group(SIGKILL);
  }
}

// Strays come to light when something ends. Where many steps end at the same time they are looked
// for once for all of them: it may cost a walk through all processes of the machine.
void Keeper::look_for_strays() {
  const TimePoint now = clock_.now();
  const bool too_soon = looked_for_strays_ && now - *looked_for_strays_ < kStrayLookPause;
  if (!look_for_strays_ || (too_soon && !pids_.empty())) return;
  look_for_strays_ = false;
  looked_for_strays_ = now;
  kill_strays();
}

void Keeper::kill_strays() {
  const LiveAttempts live{
      [this](const std::string& text) {
        if (text.starts_with(kWaitingMark)) return !warm_.empty();
        const auto id = model::parse_attempt_id(text);
        const auto found = id ? attempts_.find(*id) : attempts_.end();
        return found != attempts_.end() && found->second.step != nullptr;
      },
      [this](pid_t pid) { return pids_.contains(pid) || warm_.owns(pid); },
      !pids_.empty(),
  };
  strays_ = kill_stray_children(live);
  if (!strays_) scratch_.settle();
}

// Someone wants the machine: steps end, and what is known of them stays in the journal. What waits
// is dropped: its engine asks the next keeper for it.
void Keeper::kill_everything() {
  asked_to_leave_ = true;
  warm_.dismiss();
  for (auto it = attempts_.begin(); it != attempts_.end();) {
    Attempt& attempt = it->second;
    if (attempt.step) attempt.step->signal_group(SIGKILL);
    if (!attempt.spec) {
      ++it;
      continue;
    }
    CHECK(admission_.withdraw(it->first));
    --waiting_;
    it = attempts_.erase(it);
  }
}

// The machine's counter of out-of-memory kills, not older than kOomCountAge: reading it costs as
// much as a small step.
std::uint64_t Keeper::recent_oom_kills() {
  const TimePoint now = clock_.now();
  if (!oom_kills_read_ || now - *oom_kills_read_ > kOomCountAge) {
    oom_kills_ = read_oom_kills().value_or(0);
    oom_kills_read_ = now;
  }
  return oom_kills_;
}

void Keeper::note_oom(const RunningStep& step, ports::Exit& exit) const {
  constexpr int kShellSaysKilled = 128 + SIGKILL;
  const bool killed = exit.kind == ports::Exit::Kind::kSignaled ? exit.code == SIGKILL
                                                                : exit.code == kShellSaysKilled;
  if (!killed || exit.stopped_by_us || asked_to_leave_) return;
  exit.out_of_memory = read_oom_kills().value_or(0) > step.oom_kills_before;
}

// What cannot be written now, on a full disk, is told to the engines all the same: an end that they
// have committed is safe. What they have not heard is remembered, and written when it can be.
void Keeper::save() {
  if (!save_trouble_.empty() && clock_.now() < save_at_) return;
  Result<void> written = journal_.flush();
  if (written && journal_.size() > journal_rewrite_bytes_) {
    Records records;
    for (const auto& [id, attempt] : attempts_) {
      if (!attempt.spec) records.emplace(id, attempt.record);
    }
    written = journal_.rewrite(records);
    journal_rewrite_bytes_ = std::max(kJournalBytesMin, journal_.size() * kJournalGrowth);
  }
  std::string trouble = written ? "" : written.error().text();
  if (!trouble.empty() && trouble != save_trouble_) log_line(clock_, "{}", trouble);
  save_trouble_ = std::move(trouble);
  save_at_ = clock_.now() + kShortagePause;
}

bool Keeper::may_leave() {
  const TimePoint now = clock_.now();
  if (asked_to_leave_ && pids_.empty()) return true;
  // An end that is nowhere but here would be lost.
  if (!is_idle() || !warm_.empty() || !save_trouble_.empty()) {
    idle_since_.reset();
    return false;
  }
  if (!idle_since_) idle_since_ = now;
  if (now - *idle_since_ < kIdleTime) return false;
  kill_strays();
  return !strays_ || now - *idle_since_ > kIdleTime + kStrayPatience;
}

std::optional<Duration> Keeper::time_to_next_event() const {
  const TimePoint now = clock_.now();
  TimePoint next = TimePoint::max();
  if (!news_.empty()) next = tell_by_;
  if (!kills_.empty()) next = std::min(next, kills_.begin()->first);
  if (accept_at_) next = std::min(next, *accept_at_);
  if (held_back_until_) next = std::min(next, *held_back_until_);
  if (!save_trouble_.empty()) next = std::min(next, save_at_);
  if (look_for_strays_ && looked_for_strays_)
    next = std::min(next, *looked_for_strays_ + kStrayLookPause);
  if (const auto expiry = warm_.next_expiry()) next = std::min(next, *expiry);
  if (idle_since_) {
    // Once the keeper is due to leave, strays are looked for now and then.
    const TimePoint leave = *idle_since_ + kIdleTime + milliseconds(1);
    next = std::min(next, strays_ ? std::max(leave, now + kStrayLookPause) : leave);
  }
  if (next == TimePoint::max()) return std::nullopt;
  return std::max(next - now, Duration(0));
}

}  // namespace cresset::process
