// StoreKeeper: keeps the spool's database fit to be written: opens and mends it, and looks after
// its log, its reserve, its room and its oldest dead letters.
//
// Used by StorageAgent; GroupWriter writes to the store that it has open. Thread: after open(), the
// storage thread's. Owns: the store and the disk.
// Fails with: what open(), prepare_promise() and trim_dead() throw, which note_trouble() takes. All
// other trouble is noted and said here.
//
// Invariants:
//   - Nothing is promised over a gap in the log, nor in a file that the next start would not find:
//     prepare_promise() comes before each transaction that takes something in.
//   - A reader costs room, and never time: nothing waits until it ends, and the log becomes short
//     again when it has.
//   - Room is what the disk has beyond free_bytes_min, or what the database itself does not use:
//     a spool that was drained takes in again, however full the disk is.
//   - The reserve lies on the disk, with the log as large as that may become: a spool on a
//     full disk opens, and lets go what is settled. It is given back in steps, and never for what
//     is new; while it is not whole, nothing new comes in but where there is room for both.
//   - The lock file is ours: one that is removed or replaced is taken again. Where another sidecar
//     has it by then, the spool is that one's, and nothing is promised any more. It is looked at
//     before each promise, and when somebody tells of it.
//   - Nothing is removed by its age before the clock has gone steadily for steady_min: a start with
//     a wrong clock removes nothing, nor does a clock that jumps.
//   - Damaged is only what a second look, after everything was closed and opened again, still finds
//     so. What the system cannot read is damaged only if that lasts: a start looks for some
//     seconds, and while the sidecar runs StorageAgent decides.
//   - Ids that were given out in this run are not given out again, whatever was lost.
//   - What is told of the disk (state) is what the first opening read; after each later one the
//     lanes ask for their own anew (take_is_store_new).
#pragma once

#include <algorithm>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sidecar/base/log.hpp"
#include "sidecar/spool/disk.hpp"
#include "sidecar/spool/exchange.hpp"
#include "sidecar/spool/salvage.hpp"
#include "sidecar/spool/store.hpp"

namespace outrider::sidecar {

struct StorageSettings {
  std::string path;
  bool is_synced = true;  ///< sync = full
  /// Of the database without its dead letters, and of what its log has beyond log_bytes; events of
  /// destinations that are not configured any more are among it.
  std::uint64_t bytes_max = UINT64_MAX;
  std::uint64_t free_bytes_min = 0;  ///< new events are refused when less than this is free
  DeadLimits dead;
  std::uint64_t log_bytes = 0;     ///< the write-ahead log has this length from the start
  std::vector<std::string> lanes;  ///< names of the destinations, in their order
  /// Somebody tells of what happens to the lock file, by a question that wants a look. False: it is
  /// looked at here, each second.
  std::function<bool(const std::string& lock_file)> watch_lock = [](const auto&) { return true; };
};

/// What the sidecar's thread has to know of the spool when it starts.
struct SpoolState {
  std::vector<StoredTotals> lanes;
  std::vector<ScheduleMark> marks;
};

/// How much of the reserve a transaction may have that finds no room.
enum class ReserveUse : std::uint8_t {
  none,  ///< it takes in what is new
  half,  ///< it takes as much as it gives, and what it moves is gone soon: what is due
  all,   ///< it makes room
};

/// What any exception on the storage thread means for the spool.
StorageTrouble trouble_of(const std::exception& error);

class StoreKeeper {
 public:
  static constexpr std::uint64_t reserve_bytes_min = 4U << 20U;
  /// So much of it is given back at a time: what is free may be somebody else's the next moment.
  static constexpr std::uint64_t reserve_step_bytes = 1U << 20U;
  /// So long the wall clock must not have jumped; or so long as the age that is allowed.
  static constexpr Duration steady_min = std::chrono::hours(1);
  static constexpr int wal_pages_max = 4096;
  /// The same while there is no reserve: it must not become larger than what is left.
  static constexpr int wal_pages_max_without_reserve = 256;
  /// What that is in bytes, with what one group adds.
  static constexpr std::uint64_t log_bytes = 20U << 20U;

  StoreKeeper(StorageSettings settings, std::unique_ptr<Disk> disk, Log& log)
      : settings_(std::move(settings)), disk_(std::move(disk)), log_(log) {}
  /// Leaves a reserve behind if there is room, without which no start would open on a full disk.
  ~StoreKeeper();
  StoreKeeper(const StoreKeeper&) = delete;
  StoreKeeper& operator=(const StoreKeeper&) = delete;

  /// Makes the spool its own, and opens or makes the store. A damaged one is mended. Throws if none
  /// is open.
  void open(const Now& now);
  /// What is looked at next is read from the disk.
  void close();
  /// Replaces the damaged store and opens the new one. False: none is open.
  bool mend(const std::string& reason, UnreadPlaces unread, const Now& now);
  /// Outside of a transaction, before anything is written. Without the file of its shared memory,
  /// SQLite does not see what others write to the log: then the store is closed.
  void check_shared_memory();

  bool is_open() const { return store_ != nullptr; }
  Store& store() { return *store_; }
  const SpoolState& state() const { return state_; }
  bool is_synced() const { return settings_.is_synced; }
  DestinationId destination(LaneIndex lane) const { return destinations_.at(lane); }
  /// Nothing: it is not configured.
  std::optional<LaneIndex> lane_of(DestinationId destination) const;

  /// Before a transaction that takes something in; not inside of one.
  void prepare_promise();
  /// Inside of a transaction. Returns how many dead letters were beyond the limits.
  std::uint64_t trim_dead(const Now& now);
  /// Why so much may not be taken in; nothing: it may.
  std::optional<StorageTrouble> lack_of_room(std::uint64_t bytes, const Now& now);
  void note_written(std::uint64_t bytes) { written_since_look_ += bytes; }
  void say_damaged(DestinationId destination, std::uint64_t events);
  /// After what may be damage. Outside of a transaction. Without room it is left as it is.
  void count_anew();

  /// Undoes what is open of a transaction, and sees to what may help the next one: `use` says
  /// whether it may have of the reserve. True: room was made.
  bool note_trouble(const std::exception& error, ReserveUse use, const Now& now);
  /// Another store was opened since this was last asked.
  bool take_is_store_new() { return std::exchange(is_store_new_, false); }
  /// Something new was stored.
  void note_recovery(const Now& now);

  /// Something happened to the lock file: it is looked at when house is kept next.
  void doubt_lock() { next_lock_look_ = {}; }
  /// Somebody else may have changed the database since the last transaction.
  bool is_touched() const { return is_touched_; }
  void note_looked() { is_touched_ = false; }

  /// Between transactions. True: the store was damaged, and another one is open or none.
  bool keep_house(const Now& now);
  MonoTime next_deadline() const;

  /// What there is now of all that can be looked at; not inside of a transaction.
  void measure(SpoolSnapshot& to);

 private:
  void take();
  void look(bool is_first, const Now& now);
  void replace_store(const std::string& reason, UnreadPlaces unread, const Now& now);
  bool check_empty();
  void check_log();
  void read_state();
  void say_counted_anew();
  bool has_its_files(const std::optional<FileMark>& log) const;
  void check_files();
  void check_lock();
  void keep_lock(const Now& now);
  void make_log_safe();
  void prepare_log();
  void keep_log(const Now& now);
  void stretch_log();
  std::uint64_t reserve_bytes() const;
  void take_reserve();
  void regain_reserve();
  void shorten_file();
  /// What is left of it is not more than `kept_bytes`, or nothing: false.
  bool give_back_reserve(std::uint64_t kept_bytes = 0);
  std::uint64_t pending_bytes() const;
  void look_for_room();
  void say_room(std::optional<StorageTrouble> lack, const Now& now);
  bool is_recovery_to_be_said() const { return trouble_said_at_ && !is_in_trouble_; }
  void say_recovery(const Now& now);
  /// What the log has beyond what it always has.
  std::uint64_t log_bytes_more() const;
  std::uint64_t bytes_of(const std::string& path) const;
  void trim(const Now& now);
  void watch_clock(const Now& now);
  Duration age_max(const Now& now);

  StorageSettings settings_;
  std::unique_ptr<Disk> disk_;
  Log& log_;
  std::unique_ptr<Store> store_;
  std::vector<DestinationId> destinations_;  ///< by lane
  SpoolState state_;
  std::optional<UsedIds> used_ids_;  ///< of the store that was replaced last

  MonoTime next_house_keeping_{};
  MonoTime clock_steady_since_ = MonoTime::max();
  Duration wall_ahead_{};  ///< of the monotonic clock, then
  MonoTime next_trouble_line_{};
  MonoTime next_recovery_line_{};
  std::optional<MonoTime> trouble_said_at_;  ///< and not that it is over
  MonoTime next_room_look_{};
  MonoTime next_log_look_{};
  std::uint64_t written_since_look_ = 0;
  std::uint64_t room_ = 0;  ///< then
  std::uint64_t used_ = 0;  ///< then
  std::optional<StorageTrouble> lack_said_;
  MonoTime next_room_line_{};
  bool has_reserve_ = false;      ///< all of it, or in the log
  bool is_log_long_ = false;      ///< longer than it need be
  std::optional<FileMark> file_;  ///< the database that is open
  std::optional<FileMark> log_file_;
  std::optional<FileMark> shm_file_;
  std::optional<FileMark> lock_file_;
  bool is_lock_watched_ = false;
  bool is_touched_ = false;
  MonoTime next_lock_look_ = never;
  bool is_in_trouble_ = false;
  bool was_open_ = false;
  bool is_store_new_ = false;
  bool is_damage_told_ = false;  ///< and it is not replaced yet
  /// What was written to it unsynced may never become safe; also by the process before this one.
  bool is_log_in_doubt_ = true;
};

}  // namespace outrider::sidecar
