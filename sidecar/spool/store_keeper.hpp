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
//   - What is taken in can leave the log: the database may become as long as it is with its log,
//     on the disk and by the limit on the size of files. Room is what is left beyond that and
//     free_bytes_min, or what the database does not use, as far as the log can carry it. So a
//     drained spool takes in again, however full the disk is.
//   - The log carries what its file, the reserve and the disk have together. It begins again before
//     anything fails for lack of room. While the reserve is not whole, the database gives the file
//     system half of what it does not use, for the log.
//   - The reserve is as large as the log may become: a spool on a full disk opens, and lets go what
//     is settled. It is given back in steps, and never for what is new.
//   - Nothing is promised in a file that has a second name: its lock has only one.
//   - Nothing is promised while the lock file is not ours (LockKeeper).
//   - Nothing is removed by its age before the clock has gone steadily for steady_min (ClockWatch).
//   - Damaged is only what a second look, after everything was closed and opened again, still finds
//     so. What the system cannot read is damaged only if that lasts: a start looks for some
//     seconds, and while the sidecar runs StorageAgent decides.
//   - Ids that were given out in this run are not given out again, whatever was lost.
//   - What is told of the disk (state) is what the first opening read; after each later one the
//     lanes ask for their own anew (take_is_store_new).
#pragma once

#include <algorithm>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sidecar/base/line_limit.hpp"
#include "sidecar/base/log.hpp"
#include "sidecar/spool/clock_watch.hpp"
#include "sidecar/spool/disk.hpp"
#include "sidecar/spool/exchange.hpp"
#include "sidecar/spool/lock_keeper.hpp"
#include "sidecar/spool/salvage.hpp"
#include "sidecar/spool/spool_gate.hpp"
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
  std::vector<std::string> lanes;  ///< names of the destinations, by handle; empty: gone
  /// Who watches tells of it by a question that wants a look.
  LockKeeper::Watch watch_lock = [](const auto&) { return true; };
  /// Of other threads that use the spool; null: there are none.
  std::shared_ptr<SpoolGate> gate{};
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
  /// The same while the reserve is not whole: the disk has little for it.
  static constexpr int wal_pages_max_without_reserve = 256;
  /// What that is in bytes, with what one group adds.
  static constexpr std::uint64_t log_bytes = 20U << 20U;

  StoreKeeper(StorageSettings settings, std::unique_ptr<Disk> disk, Log& log)
      : settings_(std::move(settings)),
        disk_(std::move(disk)),
        log_(log),
        lock_(*disk_, settings_.path, settings_.watch_lock) {}
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
  DestinationId destination(DestinationHandle lane) const { return destinations_.at(lane); }
  /// Nothing: it is not configured.
  std::optional<DestinationHandle> lane_of(DestinationId destination) const;
  /// The transaction that opened a lane, or closed one, is committed. A lane that has the same
  /// destination and was not closed is gone from here on.
  void note_opened(const LaneOpening& opening, DestinationId destination);
  void note_closed(DestinationHandle lane);

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

  LockKeeper& lock() { return lock_; }

  /// Between transactions. True: the store was damaged, and another one is open or none.
  bool keep_house(const Now& now);
  MonoTime next_deadline() const;

  /// What there is now of all that can be looked at; not inside of a transaction.
  void measure(SpoolSnapshot& to);

 private:
  void look(bool is_first, const Now& now);
  void replace_store(const std::string& reason, UnreadPlaces unread, const Now& now);
  bool check_empty();
  void check_log();
  void read_state();
  void say_counted_anew();
  bool has_its_files(const std::optional<FileMark>& log) const;
  /// Somebody has emptied or deleted the database. Its log has the newest of what was there, and is
  /// what the next start can read: it must not move into that file.
  bool is_emptied() const { return bytes_of(settings_.path) == 0; }
  void check_names() const;
  void check_files();
  void secure_log();
  bool can_secure_log();
  void prepare_log();
  void keep_log(const Now& now);
  void stretch_log();
  std::uint64_t reserve_bytes() const;
  void take_reserve();
  void regain_reserve();
  bool restart_log(const Now& now);
  void shorten_file();
  /// What is left of it is not more than `kept_bytes`, or nothing: false.
  bool give_back_reserve(std::uint64_t kept_bytes = 0);
  std::uint64_t bytes_for_log() const;
  std::uint64_t room_to_grow();
  void look_for_room();
  void say_room(std::optional<StorageTrouble> lack, const Now& now);
  bool is_recovery_to_be_said() const { return trouble_said_at_ && !is_in_trouble_; }
  void say_recovery(const Now& now);
  /// What the log has beyond what it always has.
  std::uint64_t log_bytes_more() const;
  std::uint64_t bytes_of(const std::string& path) const;
  void trim(const Now& now);
  Duration age_max(const Now& now);

  StorageSettings settings_;
  std::unique_ptr<Disk> disk_;
  Log& log_;
  LockKeeper lock_;
  std::unique_ptr<Store> store_;
  /// Of a lane that is gone.
  static constexpr DestinationId no_destination = -1;
  std::vector<DestinationId> destinations_;  ///< by lane
  SpoolState state_;
  std::optional<UsedIds> used_ids_;  ///< of the store that was replaced last

  MonoTime next_house_keeping_{};
  ClockWatch clock_;
  MonoTime next_trouble_line_{};
  LineLimit recovery_limit_;
  std::optional<MonoTime> trouble_said_at_;  ///< and not that it is over
  MonoTime next_room_look_{};
  MonoTime next_log_look_{};
  std::optional<MonoTime> log_restarted_at_;  ///< for lack of room
  std::uint64_t written_since_look_ = 0;
  std::uint64_t room_ = 0;  ///< then
  std::uint64_t used_ = 0;  ///< then
  std::optional<StorageTrouble> lack_said_;
  LineLimit room_limit_;
  bool has_reserve_ = false;      ///< all of it, or in the log
  bool is_log_long_ = false;      ///< longer than it need be
  std::optional<FileMark> file_;  ///< the database that is open
  std::optional<FileMark> log_file_;
  std::optional<FileMark> shm_file_;
  bool is_in_trouble_ = false;
  bool was_open_ = false;
  bool is_store_new_ = false;
  bool is_damage_told_ = false;  ///< and it is not replaced yet
  /// What was written to it unsynced may never become safe; also by the process before this one.
  bool is_log_in_doubt_ = true;
};

}  // namespace outrider::sidecar
