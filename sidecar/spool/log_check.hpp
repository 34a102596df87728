// transactions_behind_damage: what a write-ahead log holds that SQLite will pass over.
//
// Used by StoreKeeper before it opens a database. SQLite reads a log up to the first frame of which
// the checksum is wrong, for there a crash may have ended it, and forgets what is behind without a
// word. Transactions behind it that belong to the same log and are sound by themselves were there:
// it is damaged. Or the power was lost, and they were not safe yet.
//
// Thread: the storage thread's. Fails with: nothing; what cannot be read is the end. Memory: some
// MiB for a moment.
#pragma once

#include <cstdint>
#include <string>

#include "sidecar/spool/disk.hpp"

namespace outrider::sidecar {

/// `path`: of the log.
std::uint64_t transactions_behind_damage(Disk& disk, const std::string& path);

}  // namespace outrider::sidecar
