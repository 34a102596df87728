// check_write_ahead_log: what a write-ahead log holds that SQLite will pass over.
//
// Used by StoreKeeper before it opens a database, and by `spool verify`. SQLite reads a log up to
// the first frame of which the checksum is wrong, for there a crash may have ended it, and forgets
// what is behind without a word. Transactions behind it that belong to the same log and are sound
// by themselves were there: it is damaged. Or the power was lost, and they were not safe yet.
//
// If the head of the log is damaged too, the log is the one that its first sound frame names. A
// frame is sound if its checksum continues the one of the frame before it.
//
// Thread: the storage thread's. Fails with: what Disk::read() throws. Memory: some MiB for a
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
