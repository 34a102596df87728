// check_spool: finds the problems of a spool; repair_spool: repairs them.
//
// Used by `outrider spool verify` and `repair`. Reads everything once: SQLite's own check of the
// file, the checksum and the structure of each block and each event, and whether the recorded
// totals match the content. Call it within one ReadTransaction.
//
// Thread: the database's. Fails with: nothing; an unreadable place is a problem like others.
// Limits: names the first problems_max problems and counts the rest. Memory: one block's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sidecar/base/result.hpp"
#include "sidecar/spool/database.hpp"
#include "sidecar/spool/salvage.hpp"

namespace outrider::sidecar {

inline constexpr std::size_t problems_max = 100;

struct SpoolProblem {
  std::string what;
  std::string cure;  ///< the cure, or the meaning
};

struct SpoolCheck {
  std::uint64_t blocks = 0;
  std::uint64_t events = 0;  ///< spooled
  std::uint64_t scheduled = 0;
  std::uint64_t dead = 0;
  /// Spooled and scheduled events by the totals that are kept; nothing if they cannot be read.
  std::optional<std::uint64_t> kept_events;
  std::vector<SpoolProblem> problems;
  std::uint64_t more_problems = 0;
};

SpoolCheck check_spool(Database& database);

struct SpoolRepair {
  SpoolCheck before;
  SpoolCheck after;
  std::optional<Salvaged> replaced;  ///< counting again was not enough
  /// Those that were kept and are not there any more, if the totals are right.
  std::uint64_t lost_events() const;
};

/// Repairs what check_spool() finds, as a starting sidecar would: rebuilds indexes and totals, and
/// if that does not cure everything, replaces the spool by everything that can be read of it. No
/// other program may use the spool meanwhile. Fails with: an Error; then the spool is unchanged.
Result<SpoolRepair> repair_spool(const std::string& path, Disk& disk, const Now& now);

}  // namespace outrider::sidecar
