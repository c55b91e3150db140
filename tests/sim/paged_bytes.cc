#include "sim/paged_bytes.h"

#include <algorithm>
#include <boost/smart_ptr/make_local_shared.hpp>
#include <cstring>

#include "cresset/base/check.h"

namespace cresset::sim {

namespace {

std::size_t pages_for(std::int64_t bytes) {
  return static_cast<std::size_t>((bytes + PagedBytes::kPageBytes - 1) / PagedBytes::kPageBytes);
}

// Calls body(page, offset in the page, offset in the range, count) for each page of the range.
template <class Body>
void for_each_page(std::int64_t offset, std::int64_t count, Body&& body) {
  for (std::int64_t done = 0; done < count;) {
    const std::int64_t within = (offset + done) % PagedBytes::kPageBytes;
    const std::int64_t part = std::min(PagedBytes::kPageBytes - within, count - done);
    body(static_cast<std::size_t>((offset + done) / PagedBytes::kPageBytes), within, done,
         static_cast<std::size_t>(part));
    done += part;
  }
}

}  // namespace

std::int64_t PagedBytes::read(std::int64_t offset, char* to, std::int64_t count) const {
  const std::int64_t there = std::clamp<std::int64_t>(size_ - offset, 0, count);
  for_each_page(offset, there,
                [&](std::size_t page, std::int64_t within, std::int64_t done, std::size_t part) {
                  if (pages_[page] == nullptr) {
                    std::memset(to + done, 0, part);
                  } else {
                    std::memcpy(to + done, pages_[page]->data() + within, part);
                  }
                });
  return there;
}

char* PagedBytes::own(std::size_t page) {
  auto& held = pages_[page];
  if (held == nullptr) {
    held = boost::make_local_shared<Page>();
  } else if (held.local_use_count() > 1) {
    held = boost::make_local_shared<Page>(*held);
  }
  return held->data();
}

void PagedBytes::write(std::int64_t offset, std::string_view bytes) {
  const auto count = static_cast<std::int64_t>(bytes.size());
  if (offset + count > size_) resize(offset + count);
  for_each_page(offset, count,
                [&](std::size_t page, std::int64_t within, std::int64_t done, std::size_t part) {
                  std::memcpy(own(page) + within, bytes.data() + done, part);
                });
}

void PagedBytes::resize(std::int64_t size) {
  pages_.resize(pages_for(size));
  const std::int64_t used = size % kPageBytes;
  if (size < size_ && used != 0 && pages_.back() != nullptr)
    std::memset(own(pages_.size() - 1) + used, 0, static_cast<std::size_t>(kPageBytes - used));
  size_ = size;
}

void PagedBytes::share(const PagedBytes& other, std::int64_t offset, std::int64_t count) {
  CHECK(size_ == other.size_);
  for_each_page(offset, std::clamp<std::int64_t>(size_ - offset, 0, count),
                [&](std::size_t page, auto...) { pages_[page] = other.pages_[page]; });
}

}  // namespace cresset::sim
