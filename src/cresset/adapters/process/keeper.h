#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "cresset/adapters/posix/event_loop.h"
#include "cresset/adapters/posix/unique_fd.h"
#include "cresset/adapters/process/admission.h"
#include "cresset/adapters/process/frame_stream.h"
#include "cresset/adapters/process/journal.h"
#include "cresset/adapters/process/protocol.h"
#include "cresset/adapters/process/running_step.h"
#include "cresset/adapters/process/scratch_folders.h"
#include "cresset/adapters/process/warm_workers.h"
#include "cresset/ports/clock.h"

namespace cresset::process {

// The parent of all local steps of a home: starts them when the machine has room, writes their
// logs, remembers how they ended, and tells whichever engine asked last. One thread, which runs
// run() until there is nothing to keep.
class Keeper {
 public:
  // `listener` takes connections of engines. Attempts that the journal knows as started are killed
  // and become lost.
  // `scratch_dir` is for the folders that it lends to attempts, `warm_dir` for its warm workers.
  // `step_open_files` is the limit of open files that steps get.
  Keeper(posix::UniqueFd listener, Journal::Opened opened, Machine machine, std::string scratch_dir,
         std::string warm_dir, rlimit step_open_files, ports::Clock& clock);
  ~Keeper();
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;

  // Returns some time after the last engine has gone, the last attempt has ended and the last warm
  // worker has left, or after SIGTERM.
  void run();

 private:
  using ClientId = std::uint64_t;

  struct Client {
    explicit Client(posix::UniqueFd socket) : stream(std::move(socket)) {}
    FrameStream stream;
    bool greeted = false;
    bool leaving = false;  // to be dropped when its last words are sent
    bool waits_to_write = false;
  };

  struct LentFolder {
    ScratchFolders::Folder folder;
    ports::ScratchFolder request;
  };
  // Waiting (spec is set), running (step is set) or ended (record.exited is set).
  struct Attempt {
    Record record;
    ClientId client = 0;  // who hears of it; 0 = nobody
    std::unique_ptr<ports::StartSpec> spec;
    std::unique_ptr<RunningStep> step;
    std::vector<LentFolder> lent;  // while step is set
  };
  using Attempts = std::map<model::AttemptId, Attempt>;
  enum class What : std::uint8_t { kStarted, kEnded };

  void recover(Records records);

  void accept_clients();
  void pause_accepting();
  void go_on_accepting();
  void on_client(ClientId id, std::uint32_t events);
  void read_client(ClientId id, Client& client);
  Result<void> handle(ClientId id, Client& client, Message message);
  void greet(Client& client, const Hello& hello);
  void start(ClientId client, ports::StartSpec spec);
  void stop(const model::AttemptId& id, Duration grace);
  void forget(const std::vector<model::AttemptId>& ids);
  void drop_client(ClientId id);
  void flush_clients();
  void tell(ClientId id, const Message& message);
  void tell_all_known(const Attempt& attempt);

  void start_admitted();
  void begin(const Grant& grant);
  void hold_back(const Grant& grant, Attempt& attempt, std::unique_ptr<ports::StartSpec> spec,
                 const Error& why);
  void tell_later(const model::AttemptId& id, What what);
  void tell_news();
  Result<std::unique_ptr<RunningStep>> start_step(const ports::StartSpec& spec, const Grant& grant,
                                                  std::vector<LentFolder>& lent);
  Environment make_environment(const ports::StartSpec& spec, const Grant& grant,
                               const std::vector<LentFolder>& lent) const;
  void take_folders_back(std::vector<LentFolder>& lent);
  void on_output(const model::AttemptId& id);
  void on_signal();
  void reap_children();
  void on_step_ended(pid_t pid);
  void note_end(const model::AttemptId& id, Attempt& attempt, WallTime at, ports::Exit exit);
  void end(const model::AttemptId& id, Attempt& attempt, ports::Exit exit);
  void end_unstarted(const model::AttemptId& id, Attempt& attempt, std::string why,
                     bool stopped_by_us);
  void kill_overdue();
  void kill_strays();
  void look_for_strays();
  void kill_everything();

  std::uint64_t recent_oom_kills();
  void note_oom(const RunningStep& step, ports::Exit& exit) const;
  void save();
  [[nodiscard]] bool is_idle() const { return clients_.empty() && pids_.empty() && waiting_ == 0; }
  [[nodiscard]] bool may_leave();
  [[nodiscard]] std::optional<Duration> time_to_next_event() const;

  ports::Clock& clock_;
  posix::EventLoop loop_;
  posix::UniqueFd listener_;
  posix::UniqueFd signals_;
  posix::UniqueFd null_;
  rlimit step_open_files_;
  Journal journal_;
  std::size_t journal_rewrite_bytes_;
  std::string save_trouble_;  // why the journal could not be written last; empty when it was
  TimePoint save_at_{};       // when to try again
  Admission admission_;
  std::optional<TimePoint> held_back_until_;  // no attempt is started before
  ProgramFinder programs_;
  ScratchFolders scratch_;
  WarmWorkers warm_;

  std::unordered_map<ClientId, std::unique_ptr<Client>> clients_;
  ClientId next_client_ = 1;
  std::optional<TimePoint> accept_at_;  // none is taken before: there is no descriptor
  std::vector<ClientId> to_flush_;
  // Starts and ends of processes that engines have not heard of yet, in order. A start waits for
  // company, and so does an end whose run has steps that wait for their turn: hearing costs an
  // engine a turn of its loop.
  std::vector<std::pair<model::AttemptId, What>> news_;
  TimePoint tell_by_{};

  Attempts attempts_;
  std::unordered_map<pid_t, model::AttemptId> pids_;
  std::map<model::RunId, std::uint64_t> tokens_;  // highest seen
  std::size_t waiting_ = 0;
  std::multimap<TimePoint, model::AttemptId> kills_;  // those that ended meanwhile stay until then

  std::vector<char> buffer_;
  bool asked_to_leave_ = false;
  bool strays_ = false;
  bool look_for_strays_ = false;
  std::optional<TimePoint> looked_for_strays_;
  std::optional<TimePoint> idle_since_;
  std::uint64_t oom_kills_ = 0;
  std::optional<TimePoint> oom_kills_read_;
};

}  // namespace cresset::process
