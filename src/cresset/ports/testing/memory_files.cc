#include "cresset/ports/testing/memory_files.h"

#include <filesystem>

#include "cresset/base/check.h"

namespace cresset::ports::testing {

namespace {

std::string parent_of(const std::string& path) {
  return std::filesystem::path(path).parent_path().native();
}

}  // namespace

void MemoryFiles::put(const std::string& path, Node node) {
  CHECK(path.starts_with('/') && path.size() > 1);
  remove(path);
  make_folder(parent_of(path));
  nodes_.emplace(path, std::move(node));
}

void MemoryFiles::write(const std::string& path, std::string content, bool executable) {
  put(path, {Type::kFile, std::move(content), executable});
}

void MemoryFiles::make_folder(const std::string& path) {
  if (path.size() <= 1) return;
  const auto found = nodes_.find(path);
  if (found != nodes_.end() && found->second.type != Type::kFile) return;
  put(path, {Type::kFolder, {}});
}

void MemoryFiles::link(const std::string& path, std::string target) {
  put(path, {Type::kLink, std::move(target)});
}

void MemoryFiles::make_fifo(const std::string& path) { put(path, {Type::kFifo, {}}); }

void MemoryFiles::remove(const std::string& path) {
  for (const auto& [child, node] : below(path)) nodes_.erase(child);
  if (const auto found = nodes_.find(path); found != nodes_.end()) nodes_.erase(found);
}

std::optional<std::string> MemoryFiles::read(const std::string& path) const {
  const std::optional<std::string> resolved = resolve(path);
  const Node* node = resolved ? node_at(*resolved) : nullptr;
  if (node == nullptr || node->type != Type::kFile) return std::nullopt;
  return node->content;
}

bool MemoryFiles::exists(const std::string& path) const { return node_at(path) != nullptr; }

void MemoryFiles::corrupt(const std::string& path) {
  const auto found = nodes_.find(path);
  CHECK(found != nodes_.end() && !found->second.content.empty());
  std::string& content = found->second.content;
  char& byte = content[content.size() / 2];
  byte = static_cast<char>(byte ^ 1);
}

void MemoryFiles::power_failure() {
  power_failure(
      [](const std::string&, std::string& content) { content.resize(content.size() / 2); });
}

void MemoryFiles::power_failure(
    const std::function<void(const std::string& path, std::string& content)>& keep) {
  for (auto& [path, node] : nodes_) {
    if (node.type == Type::kFile && !node.durable) keep(path, node.content);
  }
}

void MemoryFiles::make_durable(const std::string& path) {
  if (const auto found = nodes_.find(path); found != nodes_.end()) found->second.durable = true;
  for (const auto& [child, node] : below(path)) nodes_[child].durable = true;
}

std::optional<std::string> MemoryFiles::resolve(const std::string& path) const {
  std::filesystem::path rest = path;
  std::filesystem::path resolved = "/";
  constexpr int kLinksMax = 40;
  int links = 0;
  while (!rest.empty()) {
    const std::filesystem::path name = *rest.begin();
    rest = rest.lexically_relative(name);
    if (rest == ".") rest.clear();
    if (name == "/" || name == ".") continue;
    if (name == "..") {
      resolved = resolved.parent_path();
      continue;
    }
    const Node* node = node_at((resolved / name).native());
    if (node == nullptr) return std::nullopt;
    if (node->type != Type::kLink) {
      resolved /= name;
      continue;
    }
    if (++links > kLinksMax) return std::nullopt;
    if (node->content.starts_with('/')) resolved = "/";
    rest = rest.empty() ? std::filesystem::path(node->content) : node->content / rest;
  }
  return resolved.native();
}

const MemoryFiles::Node* MemoryFiles::node_at(std::string_view resolved) const {
  const auto found = nodes_.find(resolved);
  return found == nodes_.end() ? nullptr : &found->second;
}

std::map<std::string, MemoryFiles::Node> MemoryFiles::below(const std::string& resolved) const {
  const std::string prefix = resolved + "/";
  std::map<std::string, Node> found;
  for (auto it = nodes_.lower_bound(prefix); it != nodes_.end() && it->first.starts_with(prefix);
       ++it)
    found.insert(*it);
  return found;
}

}  // namespace cresset::ports::testing
