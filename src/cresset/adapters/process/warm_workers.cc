#include "cresset/adapters/process/warm_workers.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <span>
#include <utility>

#include "cresset/adapters/process/leftovers.h"
#include "cresset/base/check.h"

namespace cresset::process {

namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kSpares = 5;
constexpr std::size_t kSparesFew = 2;
constexpr std::size_t kMarkBytes = 128;
constexpr std::size_t kPacketBytesMax = 64 << 10;
constexpr Duration kSpareWait = milliseconds(50);
constexpr Duration kMarkWait = seconds(1);

struct SocketPair {
  posix::UniqueFd ours;
  posix::UniqueFd theirs;
};

std::optional<SocketPair> make_sockets() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return std::nullopt;
  return SocketPair{posix::UniqueFd(ends[0]), posix::UniqueFd(ends[1])};
}

// Sends one packet, with descriptors where there are any; never waits.
bool send_packet(int socket, std::string_view packet, std::span<const int> descriptors = {}) {
  CHECK(descriptors.size() <= kSpares);
  iovec part{const_cast<char*>(packet.data()), packet.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kSpares * sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (!descriptors.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    std::memcpy(CMSG_DATA(header), descriptors.data(), descriptors.size_bytes());
  }
  return ::sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) ==
         static_cast<ssize_t>(packet.size());
}

// Nothing: nothing came in time, or the other side has gone.
std::optional<std::string> receive_packet(int socket, Duration wait) {
  pollfd waiting{socket, POLLIN, 0};
  if (::poll(&waiting, 1, posix::to_poll_timeout(wait)) <= 0) return std::nullopt;
  std::array<char, 4096> buffer{};
  const ssize_t got = ::recv(socket, buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (got <= 0) return std::nullopt;
  return std::string(buffer.data(), static_cast<std::size_t>(got));
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

// What an interpreter is begun with: all that is not one attempt's alone.
Environment common_environment(const Environment& env, const std::vector<std::string>& own) {
  Environment common;
  for (const auto& variable : env) {
    if (!contains(own, variable.first)) common.push_back(variable);
  }
  return common;
}

std::string key_of(const SpawnRequest& request, const ports::WarmStart& warm,
                   const Environment& common) {
  std::string key = request.program + '\0' + warm.zygote + '\0' + warm.fingerprint;
  for (const auto& [name, value] : common) key += '\0' + name + '=' + value;
  return key;
}

std::string kind_of(const ports::WarmStart& warm) {
  return fmt::format("{} {}", warm.fingerprint, fmt::join(warm.modules, " "));
}

std::int64_t resident_bytes(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/statm", pid));
  std::int64_t size = 0;
  std::int64_t resident = 0;
  file >> size >> resident;
  return resident * ::sysconf(_SC_PAGESIZE);
}

// The packet that tells a spare what it is (docs/formats/keeper-protocol.md).
std::string request_packet(const SpawnRequest& request, const std::string& attempt) {
  // Without the interpreter, which is running already.
  const std::size_t words = request.argv.size() - 1;
  std::string packet = attempt + '\0' + request.work_dir + '\0';
  if (request.open_files) {
    packet += fmt::format("{} {}", static_cast<std::int64_t>(request.open_files->rlim_cur),
                          static_cast<std::int64_t>(request.open_files->rlim_max));
  }
  packet += '\0' + std::to_string(words);
  for (std::size_t i = 1; i < request.argv.size(); ++i) packet += '\0' + request.argv[i];
  for (const auto& [name, value] : request.env) packet += '\0' + name + '=' + value;
  return packet;
}

bool holds_zero(const SpawnRequest& request) {
  const auto has = [](const std::string& text) { return text.find('\0') != std::string::npos; };
  return std::ranges::any_of(request.argv, has) ||
         std::ranges::any_of(request.env,
                             [&](const auto& entry) { return has(entry.first + entry.second); });
}

}  // namespace

WarmWorkers::WarmWorkers(std::string dir, Limits limits, posix::EventLoop& loop,
                         ports::Clock& clock, std::function<void(const std::string&)> remark)
    : dir_(std::move(dir)),
      limits_(limits),
      loop_(loop),
      clock_(clock),
      remark_(std::move(remark)) {
  std::error_code ignored;  // what an earlier keeper has left
  fs::remove_all(dir_, ignored);
}

WarmWorkers::~WarmWorkers() {
  dismiss();
  std::error_code ignored;
  fs::remove(dir_, ignored);
}

std::optional<ProcessIdentity> WarmWorkers::start(const SpawnRequest& request,
                                                  const ports::WarmStart& warm,
                                                  const std::vector<std::string>& own,
                                                  const std::string& attempt) {
  if (limits_.zygotes == 0 || request.argv.size() < 2 || holds_zero(request) ||
      attempt.size() > kMarkBytes)
    return std::nullopt;
  Environment common = common_environment(request.env, own);
  std::string key = key_of(request, warm, common);
  Zygote* zygote = find(key, warm.modules);
  if (zygote == nullptr) {
    if (!unfit_.contains(kind_of(warm))) begin(request, warm, std::move(key), std::move(common));
    return std::nullopt;
  }
  zygote->used = clock_.now();
  if (!zygote->is_fit) return std::nullopt;
  std::optional<Spare> spare = take_spare(*zygote);
  ask_for_spares(*zygote);
  if (!spare) return std::nullopt;
  return become(std::move(*spare), request, attempt);
}

std::string WarmWorkers::objection(const ports::WarmStart& warm) const {
  const auto found = unfit_.find(kind_of(warm));
  return found == unfit_.end() ? "" : "starts cold: " + found->second;
}

// One with just these modules; where packages are imported, the smallest that has them all.
WarmWorkers::Zygote* WarmWorkers::find(const std::string& key,
                                       const std::vector<std::string>& modules) {
  Zygote* best = nullptr;
  for (Zygote& zygote : zygotes_) {
    if (zygote.key != key || !std::ranges::includes(zygote.modules, modules)) continue;
    if (modules.empty() && !zygote.modules.empty()) continue;
    if (best == nullptr || zygote.modules.size() < best->modules.size()) best = &zygote;
  }
  return best;
}

void WarmWorkers::begin(const SpawnRequest& request, const ports::WarmStart& warm, std::string key,
                        Environment env) {
  make_room(limits_.zygotes - 1, limits_.memory_bytes);
  auto sockets = make_sockets();
  if (!sockets) return;
  std::string folder = fmt::format("{}/{}", dir_, next_folder_++);
  std::error_code ec;
  if (fs::create_directories(folder, ec); ec) return;
  for (const char* name : {"HOME", "TMPDIR"}) {
    if (std::ranges::none_of(env, [&](const auto& entry) { return entry.first == name; }))
      env.emplace_back(name, folder);
  }
  // Each spare writes its attempt's name over it.
  std::string mark(kWaitingMark);
  mark.resize(std::max(mark.size(), kMarkBytes), ' ');
  env.emplace_back(kAttemptVariable, std::move(mark));
  std::vector<std::string> argv = {request.argv.front(), warm.zygote};
  argv.insert(argv.end(), warm.modules.begin(), warm.modules.end());
  const Result<ProcessIdentity> process = spawn(
      SpawnRequest{request.program, argv, env, folder, {}, sockets->theirs.get(), request.null_fd});
  if (!process) {
    remark_("no warm worker: " + process.error().text());
    fs::remove_all(folder, ec);
    return;
  }
  const auto zygote = zygotes_.emplace(zygotes_.end());
  zygote->key = std::move(key);
  zygote->fingerprint = warm.fingerprint;
  zygote->modules = warm.modules;
  zygote->folder = std::move(folder);
  zygote->pid = process->pid;
  zygote->control = std::move(sockets->ours);
  zygote->used = clock_.now();
  loop_.add(zygote->control.get(), EPOLLIN, [this, zygote](std::uint32_t) { on_control(zygote); });
}

// Ends those that were wanted longest ago.
void WarmWorkers::make_room(std::size_t zygotes, std::int64_t memory_bytes) {
  const auto held = [this] {
    std::int64_t sum = 0;
    for (const Zygote& zygote : zygotes_) sum += zygote.memory_bytes;
    return sum;
  };
  while (!zygotes_.empty() && (zygotes_.size() > zygotes || held() > memory_bytes))
    end(std::ranges::min_element(zygotes_, {}, &Zygote::used));
}

void WarmWorkers::on_control(Zygotes::iterator zygote) {
  const std::optional<std::string> packet = receive_packet(zygote->control.get(), Duration(0));
  constexpr std::string_view kUnfit("unfit\0", 6);
  if (packet && packet->starts_with("fit")) return take_fit(zygote);
  if (packet == "learned") return measure(zygote);
  if (packet && packet->starts_with(kUnfit))
    return take_unfit(zygote, std::string_view(*packet).substr(kUnfit.size()));
  if (!zygote->is_fit) return take_unfit(zygote, "the interpreter ended while it got ready");
  end(zygote);
}

void WarmWorkers::take_fit(Zygotes::iterator zygote) {
  zygote->is_fit = true;
  ask_for_spares(*zygote);
  measure(zygote);
}

void WarmWorkers::measure(Zygotes::iterator zygote) {
  zygote->memory_bytes = resident_bytes(zygote->pid);
  if (zygote->memory_bytes > limits_.memory_bytes)
    return take_unfit(zygote, "it would hold more memory than warm workers may have");
  make_room(limits_.zygotes, limits_.memory_bytes);
}

void WarmWorkers::take_unfit(Zygotes::iterator zygote, std::string_view why) {
  remark_(fmt::format("no warm worker with {}: {}", fmt::join(zygote->modules, ", "), why));
  ports::WarmStart kind;
  kind.fingerprint = zygote->fingerprint;
  kind.modules = zygote->modules;
  unfit_[kind_of(kind)] = why;
  end(zygote);
}

// Several at a time: what a fork of the zygote costs, they share.
void WarmWorkers::ask_for_spares(Zygote& zygote) {
  if (zygote.spares.size() > kSparesFew) return;
  std::vector<SocketPair> pairs;
  std::vector<int> theirs;
  while (zygote.spares.size() + pairs.size() < kSpares) {
    auto pair = make_sockets();
    if (!pair) break;
    theirs.push_back(pair->theirs.get());
    pairs.push_back(std::move(*pair));
  }
  ProcessIdentity process;
  process.ticks_from = ticks_since_boot();
  if (pairs.empty() || !send_packet(zygote.control.get(), "spares", theirs)) return;
  for (SocketPair& pair : pairs) {
    const auto spare = zygote.spares.insert(zygote.spares.end(), {std::move(pair.ours), process});
    loop_.add(spare->line.get(), EPOLLIN,
              [this, &zygote, spare](std::uint32_t) { on_line(zygote, spare); });
  }
}

void WarmWorkers::on_line(Zygote& zygote, std::list<Spare>::iterator spare) {
  const std::optional<std::string> packet = receive_packet(spare->line.get(), Duration(0));
  if (!packet || spare->process.pid != 0) return drop_spare(zygote, spare);
  std::from_chars(packet->data(), packet->data() + packet->size(), spare->process.pid);
  spare->process.ticks_to = ticks_since_boot();
  // It may have ended, and have been reaped before anybody knew whose number that was.
  if (!is_same_process(spare->process)) drop_spare(zygote, spare);
}

// One that is ready, or gets ready in a moment.
std::optional<WarmWorkers::Spare> WarmWorkers::take_spare(Zygote& zygote) {
  const TimePoint until = clock_.now() + kSpareWait;
  while (!zygote.spares.empty()) {
    const auto ready = std::ranges::find_if(
        zygote.spares, [](const Spare& spare) { return spare.process.pid != 0; });
    if (ready != zygote.spares.end()) {
      loop_.remove(ready->line.get());
      Spare spare = std::move(*ready);
      zygote.spares.erase(ready);
      return spare;
    }
    const Duration left = until - clock_.now();
    if (left <= Duration(0) || !hear_of_spares(zygote, left)) break;
  }
  return std::nullopt;
}

// False when none of those that are on their way says anything in time.
bool WarmWorkers::hear_of_spares(Zygote& zygote, Duration wait) {
  std::vector<pollfd> waiting;
  std::vector<std::list<Spare>::iterator> spares;
  for (auto spare = zygote.spares.begin(); spare != zygote.spares.end(); ++spare) {
    waiting.push_back({spare->line.get(), POLLIN, 0});
    spares.push_back(spare);
  }
  if (::poll(waiting.data(), waiting.size(), posix::to_poll_timeout(wait)) <= 0) return false;
  for (std::size_t i = 0; i < waiting.size(); ++i) {
    if (waiting[i].revents != 0) on_line(zygote, spares[i]);
  }
  return true;
}

std::optional<ProcessIdentity> WarmWorkers::become(Spare spare, const SpawnRequest& request,
                                                   const std::string& attempt) const {
  const std::string packet = request_packet(request, attempt);
  const int line = spare.line.get();
  const std::array output{request.output_fd};
  if (packet.size() <= kPacketBytesMax && send_packet(line, packet, output) &&
      receive_packet(line, kMarkWait) == "marked" && send_packet(line, "go"))
    return spare.process;
  ::kill(spare.process.pid, SIGKILL);  // it would wait for its "go" for ever where it is stopped
  return std::nullopt;
}

void WarmWorkers::drop_spare(Zygote& zygote, std::list<Spare>::iterator spare) {
  loop_.remove(spare->line.get());
  zygote.spares.erase(spare);
}

void WarmWorkers::on_ended(pid_t pid) {
  for (auto zygote = zygotes_.begin(); zygote != zygotes_.end(); ++zygote) {
    const auto spare = std::ranges::find(
        zygote->spares, pid, [](const Spare& candidate) { return candidate.process.pid; });
    if (spare != zygote->spares.end()) return drop_spare(*zygote, spare);
    if (zygote->pid != pid) continue;
    if (!zygote->is_fit) return on_control(zygote);  // it may have said why
    end(zygote);
    return;
  }
}

bool WarmWorkers::owns(pid_t pid) const {
  return std::ranges::any_of(zygotes_, [pid](const Zygote& zygote) {
    return zygote.pid == pid || std::ranges::any_of(zygote.spares, [pid](const Spare& spare) {
             return spare.process.pid == pid;
           });
  });
}

void WarmWorkers::expire() {
  const TimePoint now = clock_.now();
  for (auto zygote = zygotes_.begin(); zygote != zygotes_.end();)
    zygote = now - zygote->used >= limits_.idle ? end(zygote) : std::next(zygote);
}

std::optional<TimePoint> WarmWorkers::next_expiry() const {
  if (zygotes_.empty()) return std::nullopt;
  return std::ranges::min_element(zygotes_, {}, &Zygote::used)->used + limits_.idle;
}

void WarmWorkers::dismiss() {
  while (!zygotes_.empty()) end(zygotes_.begin());
}

// None of them is reaped yet, so their numbers are theirs. A spare that is on its way ends when its
// line does.
WarmWorkers::Zygotes::iterator WarmWorkers::end(Zygotes::iterator zygote) {
  for (Spare& spare : zygote->spares) {
    loop_.remove(spare.line.get());
    if (spare.process.pid != 0) ::kill(spare.process.pid, SIGKILL);
  }
  loop_.remove(zygote->control.get());
  ::kill(zygote->pid, SIGKILL);
  std::error_code ignored;  // it is emptied when the next keeper begins
  fs::remove_all(zygote->folder, ignored);
  return zygotes_.erase(zygote);
}

}  // namespace cresset::process
