// Inspection: answers people's questions about a spool from its file.
//
// Used by the commands `outrider spool` and `outrider dead`, beside a running sidecar or without
// one, on a spool that spool_access.hpp has opened. Functions that take a Database only read;
// inside one ReadTransaction, several of them see the same moment. All changes go through Store.
//
// Thread: the caller's. Fails with: SqliteError.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sidecar/base/result.hpp"
#include "sidecar/spool/store.hpp"

namespace outrider::sidecar {

// Content -----------------------------------------------------------------------------------------

/// "#7" for one that has no name: in a damaged spool.
std::string name_of(const StoredDestinations& known, DestinationId destination);

/// Says so if the spool knows no destination of this name.
Status check_destination(Database& database, const std::string& name);

Status check_topic_pattern(const std::string& pattern);

struct DestinationInfo {
  std::string name;
  StoredTotals totals;
  std::optional<std::uint64_t> oldest_ns;  ///< when the oldest block was stored; spooled events
  std::optional<std::uint64_t> newest_ns;
  std::map<std::string, std::uint64_t> dead;  ///< dead letters by reason
  std::uint64_t damaged = 0;  ///< blocks and events that could not be read and were set aside
};

struct SpoolInfo {
  std::vector<DestinationInfo> destinations;
  std::uint64_t dead_events = 0;
  std::uint64_t dead_bytes = 0;
  std::uint64_t clients = 0;
  std::optional<std::uint64_t> next_due_ns;  ///< the next scheduled event
  std::string next_due_destination;
  std::vector<ScheduleMark> schedules;
  std::uint64_t file_bytes = 0;
  std::uint64_t log_bytes = 0;  ///< the write-ahead log
  std::uint64_t page_bytes = 0;
  std::uint64_t pages = 0;
  std::uint64_t free_pages = 0;
};

/// The schedule of a mark: the mark also names the expression and zone of its runs.
std::string schedule_of(const ScheduleMark& mark);

/// Costs the same whatever the number of events.
SpoolInfo read_info(Database& database, const std::string& path);

// Removing ----------------------------------------------------------------------------------------

struct Removed {
  std::uint64_t events = 0;  ///< spooled
  std::uint64_t scheduled = 0;
  std::uint64_t dead = 0;
};

/// The content for a destination; nullopt if there is none of that name.
std::optional<Removed> count_destination(Database& database, const std::string& name);

/// Forgets the last run of a schedule, which then begins again. False: none of it is known. No
/// sidecar may use the spool.
bool forget_schedule(Store& store, const std::string& name);

/// Removes all of it and the destination, in many small transactions. No sidecar may use the spool.
void remove_destination(Store& store, const std::string& name);

}  // namespace outrider::sidecar
