// Inspection: what people want to know of a spool, asked of its file.
//
// Used by the commands `outrider spool` and `outrider dead`, beside a running sidecar or without
// one. Everything here only reads, through a database of its own; what is changed is changed
// through Store. A Transaction around several questions makes them see the same moment.
//
// Thread: the caller's. Fails with: an Error from opening, SqliteError from all else; guarded()
// makes an Error of it.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sidecar/base/ledger.hpp"
#include "sidecar/base/result.hpp"
#include "sidecar/spool/store.hpp"

namespace outrider::sidecar {

// Opening -----------------------------------------------------------------------------------------

/// Never makes a file, and changes none. Fails if there is no spool, or it may not be read.
Result<Database> open_to_read(const std::string& path);

/// Whether a sidecar can take the file as its spool. Makes no file. `is_damaged`: it is no
/// database; a sidecar would set it aside.
Status check_first_page(const std::string& path, bool& is_damaged);

/// There is a file that is not empty, and it may be changed.
Status check_writable(const std::string& path);

/// For Store, with the same checks before.
Result<std::unique_ptr<Store>> open_to_write(const std::string& path);

/// Runs `action`; what the database fails with becomes an Error that names the spool.
Status guarded(const std::string& path, const std::function<void()>& action);

/// A sidecar uses it. Looks at its lock and does not hold it.
bool is_in_use(const std::string& path);

/// Keeps sidecars from using the spool as long as it lives.
class SpoolLock {
 public:
  /// Fails if one uses it.
  static Result<std::unique_ptr<SpoolLock>> take(const std::string& path);
  ~SpoolLock();
  SpoolLock(const SpoolLock&) = delete;
  SpoolLock& operator=(const SpoolLock&) = delete;

 private:
  explicit SpoolLock(int fd) : fd_(fd) {}
  int fd_;
};

/// Sees one moment of the spool as long as it lives, whatever a sidecar writes meanwhile.
class ReadTransaction {
 public:
  explicit ReadTransaction(Database& database);
  ~ReadTransaction();
  ReadTransaction(const ReadTransaction&) = delete;
  ReadTransaction& operator=(const ReadTransaction&) = delete;

 private:
  Database& database_;
};

// What is there -----------------------------------------------------------------------------------

using DestinationNames = std::map<DestinationId, std::string>;
DestinationNames destination_names(Database& database);
/// "#7" for one that has no name: in a damaged spool.
std::string name_of(const DestinationNames& names, DestinationId destination);

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

/// The schedule that a mark is of: the mark names what its runs were made of, too.
std::string schedule_of(const ScheduleMark& mark);

/// Costs the same whatever the number of events.
SpoolInfo read_info(Database& database, const std::string& path);

// Dead letters ------------------------------------------------------------------------------------

struct DeadFilter {
  std::vector<std::int64_t> ids;  ///< empty: all
  std::string destination;
  std::string topic;  ///< a pattern
  std::string reason;
  std::optional<int> status;
  std::optional<std::uint64_t> before_ns;  ///< the last attempt
  std::optional<std::uint64_t> after_ns;
  std::uint64_t events_max = UINT64_MAX;  ///< the newest so many
};

struct DeadHead {
  std::int64_t id = 0;
  std::string event;
  std::string destination;
  std::string topic;
  std::string reason;
  int status = 0;
  std::uint32_t attempts = 0;
  std::uint64_t first_ns = 0;
  std::uint64_t last_ns = 0;
  std::uint64_t bytes = 0;
};

/// Those that match all of the filter, the newest last.
std::vector<DeadHead> find_dead(Database& database, const DeadFilter& filter);

struct DeadWhole {
  DeadHead head;
  std::string answer;
  Bytes record;  ///< empty if it is damaged
};
std::optional<DeadWhole> read_dead(Database& database, std::int64_t id);

// Removing ----------------------------------------------------------------------------------------

struct Removed {
  std::uint64_t events = 0;  ///< spooled
  std::uint64_t scheduled = 0;
  std::uint64_t dead = 0;
};

/// What lies there for a destination; nullopt if there is none of that name.
std::optional<Removed> count_destination(Database& database, const std::string& name);

/// Forgets the last run of a schedule, which begins anew then. False: none of it is known. No
/// sidecar may use the spool.
bool forget_schedule(Store& store, const std::string& name);

/// Removes all of it and the destination, in many small transactions. No sidecar may use the spool.
void remove_destination(Store& store, const std::string& name);

}  // namespace outrider::sidecar
