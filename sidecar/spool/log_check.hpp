// transactions_behind_damage: the transactions in a write-ahead log that SQLite will skip.
//
// Used by StoreKeeper before it opens a database. SQLite reads a log up to the first frame with a
// wrong checksum, because a crash may have ended it there, and silently ignores the rest. If valid
// transactions of the same log follow, the log is damaged. Or the power was lost, and they were not
// safe yet.
//
// Thread: the storage thread's. Fails with: nothing; an unreadable place counts as the end. Memory:
// a few MiB for a moment.
#pragma once

#include <cstdint>
#include <string>

#include "sidecar/spool/disk.hpp"

namespace outrider::sidecar {

/// `path`: of the log.
std::uint64_t transactions_behind_damage(Disk& disk, const std::string& path);

}  // namespace outrider::sidecar
