#include "cresset/app/start_queue.h"

#include <algorithm>

#include "cresset/base/check.h"

namespace cresset::app {

void StartQueue::add(const model::Component& component, const Start& start) {
  Line& line = lines_[&component];
  line.held.push_back(start);
  if (may_give(line)) ready_.push_back(&component);
}

std::optional<StartQueue::Start> StartQueue::take() {
  while (!ready_.empty()) {
    Line& line = lines_[ready_.front()];
    if (!may_give(line)) {
      ready_.pop_front();
      continue;
    }
    const Start next = line.held.front();
    line.held.pop_front();
    ++line.waiting;
    return next;
  }
  return std::nullopt;
}

void StartQueue::on_begun(const model::Component& component) {
  Line& line = lines_[&component];
  CHECK(line.waiting > 0);
  --line.waiting;
  if (may_give(line)) ready_.push_back(&component);
}

bool StartQueue::remove(const model::Component& component, const Start& start) {
  Line& line = lines_[&component];
  const auto found = std::ranges::find(line.held, start);
  if (found == line.held.end()) return false;
  line.held.erase(found);
  return true;
}

}  // namespace cresset::app
