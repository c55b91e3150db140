#include "cresset/adapters/process/journal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/crc.hpp>
#include <cerrno>
#include <utility>

#include "cresset/adapters/process/protocol.h"

namespace cresset::process {

namespace {

constexpr std::string_view kMagic = "CRKEEP1\n";
constexpr std::size_t kHeaderBytes =
    2 * sizeof(std::uint32_t);  // size and checksum of what follows

enum class Kind : std::uint8_t { kBoot = 1, kStarting, kStarted, kEnded, kForgotten };

std::uint32_t checksum(std::string_view bytes) {
  boost::crc_32_type crc;
  crc.process_bytes(bytes.data(), bytes.size());
  return crc.checksum();
}

template <class Fill>
std::string make_record(Kind kind, Fill&& fill) {
  WireWriter body;
  body.number(static_cast<std::uint8_t>(kind));
  fill(body);
  const std::string payload = body.take();
  WireWriter header;
  header.number(static_cast<std::uint32_t>(payload.size()));
  header.number(checksum(payload));
  return header.take() + payload;
}

std::string make_boot(const std::string& boot_id) {
  return make_record(Kind::kBoot, [&](WireWriter& out) { out.text(boot_id); });
}

std::string make_starting(const model::AttemptId& id, std::uint64_t token) {
  return make_record(Kind::kStarting, [&](WireWriter& out) {
    write_id(out, id);
    out.number(token);
  });
}

std::string make_started(const model::AttemptId& id, const Record& record) {
  return make_record(Kind::kStarted, [&](WireWriter& out) {
    write_id(out, id);
    out.number(record.token);
    out.number(static_cast<std::int32_t>(record.process.pid));
    out.number(record.process.ticks_from);
    out.number(record.process.ticks_to);
    write_time(out, record.running->at);
    write_texts(out, record.running->notices);
  });
}

std::string make_ended(const model::AttemptId& id, const Record& record) {
  return make_record(Kind::kEnded, [&](WireWriter& out) {
    write_id(out, id);
    out.number(record.token);
    write_time(out, record.exited->at);
    write_exit(out, record.exited->exit);
  });
}

std::string make_forgotten(const std::vector<model::AttemptId>& ids) {
  return make_record(Kind::kForgotten, [&](WireWriter& out) {
    out.list(ids, [&](const model::AttemptId& id) { write_id(out, id); });
  });
}

void apply_started(WireReader& in, Records& records) {
  const model::AttemptId id = read_id(in);
  Record& record = records[id];
  record.token = in.number<std::uint64_t>();
  record.process.pid = in.number<std::int32_t>();
  record.process.ticks_from = in.number<std::uint64_t>();
  record.process.ticks_to = in.number<std::uint64_t>();
  const WallTime at = read_time(in);
  record.running = ports::AttemptRunning{id, at, read_texts(in)};
}

void apply_ended(WireReader& in, Records& records) {
  const model::AttemptId id = read_id(in);
  Record& record = records[id];
  record.token = in.number<std::uint64_t>();
  const WallTime at = read_time(in);
  record.exited = ports::AttemptExited{id, at, read_exit(in)};
}

void apply_starting(WireReader& in, Records& records, bool this_boot) {
  Record& record = records[read_id(in)];
  record.token = in.number<std::uint64_t>();
  record.this_boot = this_boot;
}

// `this_boot`: whether the keeper that wrote what follows ran since the machine's last start.
bool apply_record(std::string_view payload, Records& records, const std::string& boot_id,
                  bool& this_boot) {
  WireReader in(payload);
  switch (static_cast<Kind>(in.number<std::uint8_t>())) {
    case Kind::kBoot:
      this_boot = in.text() == boot_id;
      break;
    case Kind::kStarting:
      apply_starting(in, records, this_boot);
      break;
    case Kind::kStarted:
      apply_started(in, records);
      break;
    case Kind::kEnded:
      apply_ended(in, records);
      break;
    case Kind::kForgotten:
      in.list([&] { records.erase(read_id(in)); });
      break;
    default:
      return false;
  }
  return in.ok_and_at_end();
}

Result<std::string> read_all(int file) {
  std::string bytes;
  char buffer[64 << 10];
  while (true) {
    const ssize_t got = ::read(file, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error(errno, "reading the keeper's journal");
    if (got == 0) return bytes;
    bytes.append(buffer, static_cast<std::size_t>(got));
  }
}

Result<posix::UniqueFd> open_file(int dir, const char* name, int flags) {
  posix::UniqueFd file(::openat(dir, name, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | flags, 0600));
  if (!file) return errno_error(errno, "opening the keeper's journal");
  return file;
}

}  // namespace

JournalText read_journal(std::string_view bytes, const std::string& boot_id) {
  JournalText text;
  if (!bytes.starts_with(kMagic)) return text;
  text.whole_bytes = kMagic.size();
  bool this_boot = false;
  while (true) {
    const std::string_view rest = bytes.substr(text.whole_bytes);
    WireReader header(rest);
    const auto size = header.number<std::uint32_t>();
    const auto sum = header.number<std::uint32_t>();
    if (!header.ok() || rest.size() - kHeaderBytes < size) return text;
    const std::string_view payload = rest.substr(kHeaderBytes, size);
    if (checksum(payload) != sum || !apply_record(payload, text.records, boot_id, this_boot))
      return text;
    text.whole_bytes += kHeaderBytes + size;
  }
}

Result<Journal::Opened> Journal::open(const posix::UniqueFd& dir) {
  const std::string boot_id = read_boot_id();
  CR_TRY(posix::UniqueFd file, open_file(dir.get(), "journal", 0));
  CR_TRY(const std::string bytes, read_all(file.get()));
  JournalText text = read_journal(bytes, boot_id);
  Opened opened{Journal(dir.get(), std::move(file), text.whole_bytes), std::move(text.records), {}};
  if (text.whole_bytes != bytes.size()) {
    opened.remark = fmt::format("the journal is whole up to byte {} of {}: the rest was cut off",
                                text.whole_bytes, bytes.size());
    if (::ftruncate(opened.journal.file_.get(), static_cast<off_t>(text.whole_bytes)) != 0) {
      return errno_error(errno, "cutting off a torn record of the keeper's journal");
    }
  }
  if (text.whole_bytes == 0) opened.journal.pending_ = kMagic;
  // Written with the first record that follows: a full disk is met by whoever wants to start.
  opened.journal.pending_ += make_boot(boot_id);
  return opened;
}

void Journal::starting(const model::AttemptId& id, std::uint64_t token) {
  pending_ += make_starting(id, token);
}
void Journal::started(const model::AttemptId& id, const Record& record) {
  pending_ += make_started(id, record);
}
void Journal::ended(const model::AttemptId& id, const Record& record) {
  pending_ += make_ended(id, record);
}
void Journal::forgotten(const std::vector<model::AttemptId>& ids) {
  pending_ += make_forgotten(ids);
}

Result<void> Journal::flush() {
  if (pending_.empty()) return {};
  CR_TRY_VOID(write_at_end(pending_));
  size_ += pending_.size();
  pending_.clear();
  return {};
}

Result<void> Journal::write_at_end(const std::string& bytes) {
  std::size_t written = 0;
  while (written < bytes.size()) {
    const ssize_t put = ::write(file_.get(), bytes.data() + written, bytes.size() - written);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) {
      const int reason = errno;
      // A part of a record in the middle of the file would hide all that follow it.
      if (written > 0 && ::ftruncate(file_.get(), static_cast<off_t>(size_)) != 0) {
        return errno_error(errno, "cutting off a torn record of the keeper's journal");
      }
      return errno_error(reason, "writing the keeper's journal");
    }
    written += static_cast<std::size_t>(put);
  }
  return {};
}

std::string Journal::encode(const Records& records) {
  std::string bytes = std::string(kMagic) + make_boot(read_boot_id());
  for (const auto& [id, record] : records) {
    bytes += make_starting(id, record.token);
    if (record.running) bytes += make_started(id, record);
    if (record.exited) bytes += make_ended(id, record);
  }
  return bytes;
}

Result<void> Journal::rewrite(const Records& records) {
  CR_TRY(posix::UniqueFd fresh, open_file(dir_, "journal.new", O_TRUNC));
  Journal replacement(dir_, std::move(fresh), 0);
  replacement.pending_ = encode(records);
  CR_TRY_VOID(replacement.flush());
  if (::renameat(dir_, "journal.new", dir_, "journal") != 0)
    return errno_error(errno, "replacing the keeper's journal");
  *this = std::move(replacement);
  return {};
}

}  // namespace cresset::process
