#include "cresset/ports/testing/memory_log_store.h"

#include "cresset/ports/testing/log_store_contract.h"

namespace cresset::ports::testing {
namespace {

struct MemoryLogWorld {
  MemoryLogStore logs;
  LogStore& store() { return logs; }
  void append(const model::AttemptId& id, const std::string& bytes, WallTime at) {
    logs.append(id, bytes, at);
  }
};
INSTANTIATE_TYPED_TEST_SUITE_P(Memory, LogStoreContract, MemoryLogWorld);

}  // namespace
}  // namespace cresset::ports::testing
