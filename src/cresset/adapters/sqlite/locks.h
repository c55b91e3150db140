#pragma once

#include <memory>
#include <string>

#include "cresset/base/result.h"

namespace cresset::sqlite {

// A lock that is held: until this object is gone, and no longer than its process lives.
class Lock {
 public:
  virtual ~Lock() = default;
  // Clears up what names it, when what it guards is gone for good. The lock stays held.
  virtual Result<void> remove_name() = 0;
};

// Locks by name, between all processes that share a store. Names are those of files.
class Locks {
 public:
  virtual ~Locks() = default;
  // Null when somebody else holds it, alone or shared.
  virtual Result<std::unique_ptr<Lock>> try_lock(const std::string& name) = 0;
  // A lock that others may share, and that keeps those out who want it alone; null when one does.
  virtual Result<std::unique_ptr<Lock>> try_share(const std::string& name) = 0;
  virtual Result<std::unique_ptr<Lock>> wait(const std::string& name) = 0;
  // Whether somebody holds it alone. Only looks: nobody is kept out meanwhile.
  virtual Result<bool> is_locked(const std::string& name) = 0;
};

}  // namespace cresset::sqlite
