#include "sidecar/spool/lock_keeper.hpp"

#include <algorithm>

namespace outrider::sidecar {
namespace {

constexpr Duration look_interval = std::chrono::seconds(1);

}  // namespace

void LockKeeper::take() {
  const std::string path = lock_path(spool_path_);
  is_watched_ = false;
  next_look_ = {};
  disk_.lock(spool_path_);
  is_watched_ = watch_(path);
  file_ = disk_.look_at(path);
}

void LockKeeper::check() {
  const auto file = disk_.look_at(lock_path(spool_path_));
  if (!is_same_file(file, file_)) {
    take();
    // Whoever changed the database meanwhile had nothing to touch.
    is_touched_ = true;
  } else if (file && file->changed_ns != file_->changed_ns) {
    file_ = file;
    // With a watch, a question that wants a look comes in any case.
    is_touched_ = is_touched_ || !is_watched_;
  }
}

void LockKeeper::keep(const Now& now) {
  if (now.mono < next_look_) return;
  check();
  next_look_ = is_watched_ ? never : now.mono + look_interval;
}

void LockKeeper::postpone(const Now& now) {
  next_look_ = std::max(next_look_, now.mono + look_interval);
}

}  // namespace outrider::sidecar
