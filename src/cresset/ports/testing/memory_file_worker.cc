#include "cresset/ports/testing/memory_file_worker.h"

#include <fmt/format.h>

#include <filesystem>
#include <string>
#include <string_view>

#include "cresset/base/digest.h"

namespace cresset::ports::testing {

namespace {

using Type = MemoryFiles::Type;

Error special(const std::string& path) {
  return make_error(Code::kFailedPrecondition, "{} is neither file nor folder", path);
}

Result<FileAnswer> carry_out_on(MemoryFiles& files, const ReadFiles& job) {
  FileContents contents;
  for (const std::string& path : job.paths) {
    const std::optional<std::string> resolved = files.resolve(path);
    const MemoryFiles::Node* node = resolved ? files.node_at(*resolved) : nullptr;
    if (node != nullptr && node->type != Type::kFile) return special(path);
    if (node != nullptr && static_cast<std::int64_t>(node->content.size()) > job.bytes_max) {
      return make_error(Code::kResourceExhausted, "{} is too large", path);
    }
    contents.contents.push_back(node == nullptr ? std::nullopt : std::optional(node->content));
  }
  return FileAnswer(std::move(contents));
}

// docs/formats/artifact-digest.md
Result<std::string> folder_digest(const MemoryFiles& files, const std::string& folder) {
  Sha256 hash;
  hash.update("cresset folder 1\n");
  for (const auto& [path, node] : files.below(folder)) {
    if (node.type == Type::kFifo) return special(path);
    std::string_view type = node.executable ? "x" : "f";
    if (node.type == Type::kFolder) type = "d";
    if (node.type == Type::kLink) type = "l";
    hash.update_field(std::string_view(path).substr(folder.size() + 1));
    hash.update_field(type);
    hash.update_field(fmt::to_string(node.content.size()));
    hash.update_field(node.type == Type::kFile ? sha256_hex(node.content) : node.content);
  }
  return hash.finish_hex();
}

Result<std::optional<std::string>> digest_of(MemoryFiles& files, const std::string& path,
                                             bool sync) {
  const std::optional<std::string> resolved = files.resolve(path);
  const MemoryFiles::Node* node = resolved ? files.node_at(*resolved) : nullptr;
  if (node == nullptr) return std::optional<std::string>();
  if (node->type == Type::kFifo) return special(path);
  if (sync) files.make_durable(*resolved);
  if (node->type == Type::kFile) return std::optional(sha256_hex(node->content));
  CR_TRY(std::string digest, folder_digest(files, *resolved));
  return std::optional(std::move(digest));
}

Result<FileAnswer> carry_out_on(MemoryFiles& files, const DigestPaths& job) {
  Digests digests;
  for (const std::string& path : job.paths) {
    CR_TRY(std::optional<std::string> digest, digest_of(files, path, job.sync));
    digests.digests.push_back(std::move(digest));
  }
  return FileAnswer(std::move(digests));
}

// Length of the UTF-8 character at the start, or 0. Not as strict as it could be, but strict enough
// for the contract.
std::size_t character_size(std::string_view bytes) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const std::size_t size = byte(0) < 0x80   ? 1
                           : byte(0) < 0xc2 ? 0
                           : byte(0) < 0xe0 ? 2
                           : byte(0) < 0xf0 ? 3
                                            : 4;
  if (size == 0 || byte(0) > 0xf4 || bytes.size() < size) return 0;
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  return byte(0) == 0xed && byte(1) > 0x9f ? 0 : size;
}

Result<FileAnswer> carry_out_on(MemoryFiles& files, const ReadTail& job) {
  const std::string content = files.read(job.path).value_or("");
  const auto wanted = static_cast<std::size_t>(std::max<std::int64_t>(job.bytes_max, 0));
  std::string_view tail = content;
  if (wanted == 0) return FileAnswer(Tail{});
  if (content.size() > wanted) {
    const std::size_t line = content.find('\n', content.size() - wanted - 1) + 1;
    const bool has_line = line != 0 && line < content.size();
    tail.remove_prefix(has_line ? line : content.size() - wanted);
    while (!tail.empty() && (static_cast<unsigned char>(tail.front()) & 0xc0) == 0x80)
      tail.remove_prefix(1);
  }
  Tail answer;
  while (!tail.empty()) {
    const std::size_t size = character_size(tail);
    answer.text += size == 0 ? "\xef\xbf\xbd" : tail.substr(0, size);
    tail.remove_prefix(std::max<std::size_t>(size, 1));
  }
  return FileAnswer(std::move(answer));
}

Result<FileAnswer> carry_out_on(MemoryFiles& files, const MakeFolder& job) {
  for (std::filesystem::path path = job.path; path.has_relative_path(); path = path.parent_path()) {
    const MemoryFiles::Node* node = files.node_at(path.native());
    if (node != nullptr && node->type == Type::kFile)
      return make_error(Code::kUnknown, "{} is a file", path.native());
  }
  files.make_folder(job.path);
  return FileAnswer(Done{});
}

Result<FileAnswer> carry_out_on(MemoryFiles& files, const RemoveFolder& job) {
  files.remove(job.path);
  return FileAnswer(Done{});
}

bool stays_inside(const MemoryFiles& files, const std::string& source, const std::string& link,
                  const std::string& text) {
  if (text.starts_with('/')) return false;
  const std::string at = std::filesystem::path(link).parent_path() / text;
  const std::string target =
      files.resolve(at).value_or(std::filesystem::path(at).lexically_normal().native());
  return target == source || target.starts_with(source + "/");
}

Result<FileAnswer> carry_out_on(MemoryFiles& files, const CopyPath& job) {
  const std::optional<std::string> source = files.resolve(job.source);
  if (!source || files.node_at(*source) == nullptr)
    return make_error(Code::kNotFound, "{} is not there", job.source);
  std::map<std::string, MemoryFiles::Node> copied = files.below(*source);
  copied.emplace(*source, *files.node_at(*source));
  for (const auto& [path, node] : copied) {
    if (node.type == Type::kFifo) return special(path);
    if (node.type == Type::kLink && !stays_inside(files, *source, path, node.content)) {
      return make_error(Code::kFailedPrecondition, "the link {} leads out, to {}", path,
                        node.content);
    }
  }
  files.remove(job.target);
  for (const auto& [path, node] : copied) {
    const std::string target = job.target + path.substr(source->size());
    if (node.type == Type::kFile) files.write(target, node.content, node.executable);
    if (node.type == Type::kFolder) files.make_folder(target);
    if (node.type == Type::kLink) files.link(target, node.content);
  }
  return FileAnswer(Done{});
}

Result<FileAnswer> carry_out_on(MemoryFiles& files, const StatPaths& job) {
  using Kind = PathKinds::Kind;
  PathKinds kinds;
  for (const std::string& path : job.paths) {
    const std::optional<std::string> resolved = files.resolve(path);
    const MemoryFiles::Node* node = resolved ? files.node_at(*resolved) : nullptr;
    if (node != nullptr && node->type == Type::kFifo) return special(path);
    const Kind there = node != nullptr && node->type == Type::kFolder ? Kind::kFolder : Kind::kFile;
    kinds.kinds.push_back(node == nullptr ? Kind::kNone : there);
  }
  return FileAnswer(std::move(kinds));
}

Result<FileAnswer> carry_out_on(MemoryFiles& files, const ListFolder& job) {
  FolderNames names;
  const std::optional<std::string> folder = files.resolve(job.path);
  const MemoryFiles::Node* node = folder ? files.node_at(*folder) : nullptr;
  if (node == nullptr) return FileAnswer(std::move(names));
  if (node->type != Type::kFolder) return make_error(Code::kUnknown, "{} is no folder", job.path);
  for (const auto& [path, child] : files.below(*folder)) {
    if (path.find('/', folder->size() + 1) == std::string::npos)
      names.names.push_back(path.substr(folder->size() + 1));
  }
  return FileAnswer(std::move(names));
}

Result<FileAnswer> carry_out_on(MemoryFiles& files, const MeasurePaths& job) {
  PathSizes sizes;
  for (const std::string& path : job.paths) {
    std::int64_t bytes = 0;
    std::map<std::string, MemoryFiles::Node> all = files.below(path);
    if (const MemoryFiles::Node* node = files.node_at(path)) all.emplace(path, *node);
    for (const auto& [child, node] : all)
      bytes += node.type == Type::kFile ? static_cast<std::int64_t>(node.content.size()) : 0;
    sizes.bytes.push_back(bytes);
  }
  return FileAnswer(std::move(sizes));
}

}  // namespace

void MemoryFileWorker::submit(std::uint64_t job, FileJob work) {
  if (held_) {
    waiting_.emplace_back(job, std::move(work));
  } else {
    carry_out(job, work);
  }
}

bool MemoryFileWorker::release_one() {
  if (waiting_.empty()) return false;
  const auto [job, work] = std::move(waiting_.front());
  waiting_.pop_front();
  carry_out(job, work);
  return true;
}

void MemoryFileWorker::release_all() {
  held_ = false;
  while (release_one()) {
  }
}

void MemoryFileWorker::carry_out(std::uint64_t job, const FileJob& work) {
  if (!errors_.empty()) {
    done_.push_back({job, std::move(errors_.front())});
    errors_.pop_front();
  } else {
    done_.push_back(
        {job, std::visit([this](const auto& kind) { return carry_out_on(files_, kind); }, work)});
  }
  wake_();
}

}  // namespace cresset::ports::testing
