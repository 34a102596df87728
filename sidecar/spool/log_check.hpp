// check_write_ahead_log: the transactions in a write-ahead log that SQLite will skip.
//
// Used by StoreKeeper before it opens a database, and by `spool verify`. SQLite reads a log up to
// the first frame with a wrong checksum, because a crash may have ended it there, and silently
// ignores the rest. If valid transactions of the same log follow, the log is damaged. Or the power
// was lost, and they were not safe yet.
//
// If the head of the log is damaged too, the first sound frame identifies the log. A frame is sound
// if its checksum continues that of the frame before it.
//
// Thread: the storage thread's. Fails with: the exceptions of Disk::read(). Memory: a few MiB for a
// moment.
#pragma once

#include <cstdint>
#include <string>

#include "sidecar/spool/disk.hpp"

namespace outrider::sidecar {

struct LogDamage {
  bool is_damaged = false;
  /// Those behind the damage that can be counted; 0: unknown.
  std::uint64_t transactions = 0;
};

/// `path`: of the log.
LogDamage check_write_ahead_log(Disk& disk, const std::string& path);

}  // namespace outrider::sidecar
