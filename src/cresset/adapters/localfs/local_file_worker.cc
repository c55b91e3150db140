#include "cresset/adapters/localfs/local_file_worker.h"

#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "cresset/adapters/localfs/files.h"
#include "cresset/adapters/localfs/posix_file.h"
#include "cresset/adapters/posix/folders.h"

namespace cresset::localfs {

namespace {

constexpr std::size_t kThreads = 2;

Result<ports::FileAnswer> done(Result<void> result) {
  if (!result) return std::move(result).error();
  return ports::FileAnswer(ports::Done{});
}

Result<ports::PathKinds::Kind> kind_of(const std::string& path) {
  using Kind = ports::PathKinds::Kind;
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0)
    return is_absent(errno) ? Result<Kind>(Kind::kNone) : errno_error(errno, path);
  if (S_ISREG(status.st_mode)) return Kind::kFile;
  if (S_ISDIR(status.st_mode)) return Kind::kFolder;
  return special_file(path, status.st_mode);
}

Result<ports::FileAnswer> answer_to(const DigestOptions&, const ports::ReadFiles& job) {
  ports::FileContents contents;
  for (const std::string& path : job.paths) {
    CR_TRY(std::optional<std::string> content, find_file(path, job.bytes_max));
    contents.contents.push_back(std::move(content));
  }
  return ports::FileAnswer(std::move(contents));
}

Result<ports::FileAnswer> answer_to(DigestOptions options, const ports::DigestPaths& job) {
  options.afresh = job.afresh;
  ports::Digests digests;
  for (const std::string& path : job.paths) {
    CR_TRY(std::optional<std::string> digest, digest_path(options, path, job.sync));
    digests.digests.push_back(std::move(digest));
  }
  return ports::FileAnswer(std::move(digests));
}

Result<ports::FileAnswer> answer_to(const DigestOptions&, const ports::ReadTail& job) {
  CR_TRY(std::string text, read_tail(job.path, job.bytes_max));
  return ports::FileAnswer(ports::Tail{std::move(text)});
}

Result<ports::FileAnswer> answer_to(const DigestOptions&, const ports::MakeFolder& job) {
  return done(make_folder(job.path));
}

Result<ports::FileAnswer> answer_to(const DigestOptions&, const ports::RemoveFolder& job) {
  return done(posix::remove_tree(job.path));
}

Result<ports::FileAnswer> answer_to(const DigestOptions&, const ports::CopyPath& job) {
  return done(copy_tree(job.source, job.target));
}

Result<ports::FileAnswer> answer_to(const DigestOptions&, const ports::StatPaths& job) {
  ports::PathKinds kinds;
  for (const std::string& path : job.paths) {
    CR_TRY(const ports::PathKinds::Kind kind, kind_of(path));
    kinds.kinds.push_back(kind);
  }
  return ports::FileAnswer(std::move(kinds));
}

Result<ports::FileAnswer> answer_to(const DigestOptions&, const ports::ListFolder& job) {
  CR_TRY(std::vector<std::string> names, list_folder(job.path));
  return ports::FileAnswer(ports::FolderNames{std::move(names)});
}

Result<ports::FileAnswer> answer_to(const DigestOptions&, const ports::MeasurePaths& job) {
  ports::PathSizes sizes;
  SeenFiles seen;
  for (const std::string& path : job.paths) {
    CR_TRY(const std::int64_t bytes, job.on_disk ? measure_disk(path, seen) : measure_tree(path));
    sizes.bytes.push_back(bytes);
  }
  return ports::FileAnswer(std::move(sizes));
}

}  // namespace

LocalFileWorker::LocalFileWorker(DigestOptions digests, std::function<void()> wake)
    : digests_(std::move(digests)), wake_(std::move(wake)), threads_(kThreads) {}

void LocalFileWorker::submit(std::uint64_t job, ports::FileJob work) {
  threads_.post([this, job, work = std::move(work)] { carry_out(job, work); });
}

std::vector<ports::FileJobDone> LocalFileWorker::poll() {
  const std::lock_guard lock(mutex_);
  return std::exchange(done_, {});
}

void LocalFileWorker::carry_out(std::uint64_t job, const ports::FileJob& work) {
  Result<ports::FileAnswer> answer =
      std::visit([this](const auto& one) { return answer_to(digests_, one); }, work);
  {
    const std::lock_guard lock(mutex_);
    done_.push_back({job, std::move(answer)});
  }
  wake_();
}

}  // namespace cresset::localfs
