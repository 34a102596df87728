#include "sidecar/observe/change_log.hpp"

namespace outrider::sidecar {

void ChangeLog::write(LogLevel level, std::string_view message, LogFields fields) {
  next_.write(level, message, fields);
}

std::vector<Change> ChangeLog::since(std::uint64_t number) const {
  const std::lock_guard lock(mutex_);
  std::vector<Change> found;
  for (const Change& change : changes_) {
    if (change.number >= number) found.push_back(change);
  }
  return found;
}

}  // namespace outrider::sidecar
