#include "sidecar/spool/store_keeper.hpp"

#include <algorithm>
#include <utility>

#include "sidecar/base/fault_point.hpp"
#include "sidecar/base/units.hpp"
#include "sidecar/spool/log_check.hpp"
#include "sidecar/spool/salvage.hpp"

namespace outrider::sidecar {
namespace {

constexpr Duration trouble_line_interval = std::chrono::minutes(1);
/// A disk that comes and goes makes a line of a kind in this time.
constexpr Duration line_interval = std::chrono::seconds(10);
constexpr Duration room_look_interval = std::chrono::seconds(1);
constexpr std::uint64_t room_look_bytes = 8U << 20U;
/// What a transaction takes besides its records, and what the reserve leaves free.
constexpr std::uint64_t room_slack = 1U << 20U;
/// The tables of a spool that is empty take less.
constexpr std::uint64_t tables_bytes = 256U << 10U;
constexpr Duration house_keeping_interval = std::chrono::minutes(10);
constexpr Duration log_look_interval = std::chrono::seconds(1);
constexpr Duration lock_look_interval = std::chrono::seconds(1);
/// For other programs' locks: the storage thread has more to do than to wait.
constexpr std::chrono::milliseconds lock_wait = std::chrono::milliseconds(100);
/// More than this between two looks is a jump; less is how clocks are set right slowly.
constexpr Duration clock_jump_min = std::chrono::minutes(1);
constexpr Duration give_back_interval = std::chrono::milliseconds(100);
/// A path to the disk that comes and goes is back in this time, or systemd starts us again.
constexpr int looks_at_start = 10;
constexpr Duration look_again_interval = std::chrono::milliseconds(500);
/// A copy may be damaged itself.
constexpr int looks_max = looks_at_start + 4;

}  // namespace

StorageTrouble trouble_of(const std::exception& error) {
  const auto* known = dynamic_cast<const SqliteError*>(&error);
  return known != nullptr ? known->trouble() : StorageTrouble::failing;
}

// Opening and mending -----------------------------------------------------------------------------

StoreKeeper::~StoreKeeper() {
  // With the last connection goes the log, and its room.
  store_.reset();
  if (!was_open_) return;
  for (const std::uint64_t bytes : {reserve_bytes(), reserve_bytes_min}) {
    if (disk_->take_reserve(settings_.path, bytes)) return;
  }
}

void StoreKeeper::take() {
  is_lock_watched_ = false;
  next_lock_look_ = {};
  disk_->lock(settings_.path);
  is_lock_watched_ = settings_.watch_lock(lock_path(settings_.path));
  lock_file_ = disk_->look_at(lock_path(settings_.path));
}

void StoreKeeper::open(const Now& now) {
  if (!lock_file_) take();
  bool is_to_be_mended = false;
  UnreadPlaces unread = UnreadPlaces::fail;
  std::string reason;
  bool is_mended = false;
  for (int looks = 1;; ++looks) {
    if (std::exchange(is_to_be_mended, false)) {
      try {
        replace_store(reason, unread, now);
        is_mended = true;
      } catch (const SqliteError& error) {
        if (!error.is_read_error() || was_open_ || looks >= looks_max) throw;
        disk_->wait(look_again_interval);
        continue;
      }
    }
    try {
      look(looks == 1, now);
      is_store_new_ = std::exchange(was_open_, true);
      return;
    } catch (const std::exception& error) {
      store_.reset();
      if (trouble_of(error) == StorageTrouble::full && give_back_reserve()) continue;
      const auto* known = dynamic_cast<const SqliteError*>(&error);
      const bool may_be_damage = known != nullptr && known->may_be_damage();
      if (!may_be_damage || is_mended || looks >= looks_max) throw;
      if (!known->is_read_error()) {
        is_to_be_mended = looks > 1;
        unread = looks < looks_at_start ? UnreadPlaces::fail : UnreadPlaces::step_over;
      } else if (was_open_) {
        throw;
      } else if (looks < looks_at_start) {
        disk_->wait(look_again_interval);
      } else {
        is_to_be_mended = true;
        unread = UnreadPlaces::step_over;
      }
      reason = error.what();
    }
  }
}

void StoreKeeper::look(bool is_first, const Now& now) {
  // Of a replacement that could not be finished there may be a copy that nobody must pass over.
  if (finish_replacement(settings_.path, *disk_, now)) {
    log_.error("the interrupted replacement of a damaged spool is now complete",
               {{"path", settings_.path}});
  }
  disk_->prepare(settings_.path);
  const bool is_new = check_empty();
  if (is_first) check_log();
  disk_->check_files_can_be_made(settings_.path);
  store_ = std::make_unique<Store>(Database(settings_.path, OpenMode::create, disk_->vfs()));
  if (!has_our_schema(store_->database())) {
    throw SqliteError::damaged("its tables are not those of a spool");
  }
  file_ = disk_->look_at(settings_.path);
  shm_file_ = disk_->look_at(shm_path(settings_.path));
  if (is_new) log_.info("a new spool was created", {{"path", settings_.path}});
  read_state();
  prepare_log();
  log_file_ = disk_->look_at(wal_path(settings_.path));
  take_reserve();
  store_->database().wait_for_locks(lock_wait);
}

void StoreKeeper::close() {
  if (store_) used_ids_ = store_->used_ids();
  store_.reset();
}

void StoreKeeper::check_shared_memory() {
  if (!store_) return;
  if (is_same_file(shm_file_, disk_->look_at(shm_path(settings_.path)))) return;
  // Without these, another one would be made in their place.
  if (!has_its_files(disk_->look_at(wal_path(settings_.path)))) return;
  log_.error(
      "the file of the spool's shared memory was deleted while it was in use; the spool is "
      "opened again",
      {{"path", shm_path(settings_.path)}});
  // It would take away what others have written to it.
  store_->database().leave_log();
  close();
}

/// True: there is nothing yet.
bool StoreKeeper::check_empty() {
  if (bytes_of(settings_.path) > 0) {
    if (!disk_->look_at(emptied_path(settings_.path))) return false;
  } else {
    if (bytes_of(wal_path(settings_.path)) == 0) return true;
    give_first_pages(settings_.path, *disk_);
  }
  throw SqliteError::damaged("it is empty, but its write-ahead log is not");
}

void StoreKeeper::check_log() {
  std::uint64_t behind = 0;
  try {
    behind = transactions_behind_damage(*disk_, wal_path(settings_.path));
  } catch (const SqliteError&) {
    // What cannot be read now, SQLite does not read either.
  }
  if (behind == 0) return;
  log_.error(
      "the spool's write-ahead log is damaged; the transactions after the damage are lost, or were "
      "not yet safe at a power loss",
      {{"path", wal_path(settings_.path)}, {"transactions", std::to_string(behind)}});
}

bool StoreKeeper::mend(const std::string& reason, UnreadPlaces unread, const Now& now) {
  try {
    replace_store(reason, unread, now);
    open(now);
    return true;
  } catch (const std::exception&) {
    store_.reset();
    return false;
  }
}

void StoreKeeper::read_state() {
  store_->begin(true);
  destinations_.clear();
  const auto before = store_->destinations();
  for (const std::string& lane : settings_.lanes) {
    destinations_.push_back(store_->destination(lane));
    const auto old = before.find(destinations_.back());
    if (old == before.end() || old->second.name == lane) continue;
    log_.error("the name of a destination in the spool was damaged; it is repaired",
               {{"destination", lane}, {"was", old->second.name}});
  }
  // What a person had put back is among the totals, which are told once.
  if (!was_open_) store_->take_returned();
  if (used_ids_) store_->use_ids_beyond(*used_ids_);
  if (store_->has_wrong_totals()) {
    store_->count_anew();
    say_counted_anew();
  }
  store_->commit();
  state_ = {};
  const auto known = store_->destinations();
  for (const DestinationId id : destinations_) state_.lanes.push_back(known.at(id).totals);
  for (const auto& [id, destination] : known) {
    const StoredTotals& totals = destination.totals;
    if (lane_of(id) || totals.events + totals.scheduled_events == 0) continue;
    log_.warn("the spool holds events for a destination that is not configured; they stay there",
              {{"destination", destination.name},
               {"events", std::to_string(totals.events + totals.scheduled_events)}});
  }
  state_.marks = store_->marks();
}

void StoreKeeper::count_anew() {
  try {
    store_->begin(false);
    store_->count_anew();
    store_->commit();
    say_counted_anew();
  } catch (const SqliteError& error) {
    if (error.trouble() != StorageTrouble::full) throw;
    store_->roll_back();
  }
}

void StoreKeeper::say_counted_anew() {
  log_.error("the spool's totals or indexes did not match its events; they were rebuilt",
             {{"path", settings_.path}});
}

void StoreKeeper::replace_store(const std::string& reason, UnreadPlaces unread, const Now& now) {
  close();
  if (!std::exchange(is_damage_told_, true)) {
    log_.error("the spool is damaged; everything that can be read is copied into a new one",
               {{"path", settings_.path}, {"because", reason}});
  }
  const Salvaged salvaged =
      replace_damaged(settings_.path, *disk_, WithoutCopy::begin_empty, unread, now);
  is_damage_told_ = false;
  if (!salvaged.has_copy && !salvaged.is_without_room) {
    log_.error(
        "the damaged spool was set aside whole; no copy could be made, and the new spool is empty",
        {{"set_aside", salvaged.damaged_path}, {"because", salvaged.because}});
    return;
  }
  log_.error(salvaged.has_copy
                 ? "the damaged spool was set aside; keep it until you know that nothing is missing"
                 : "the damaged spool was set aside whole; there was no room for a copy, and the "
                   "new spool is empty",
             {{"set_aside", salvaged.damaged_path},
              {"events_kept", std::to_string(salvaged.events)},
              {"dead_letters_kept", std::to_string(salvaged.dead)},
              {"unreadable", std::to_string(salvaged.unreadable)}});
}

std::optional<LaneIndex> StoreKeeper::lane_of(DestinationId destination) const {
  const auto found = std::find(destinations_.begin(), destinations_.end(), destination);
  if (found == destinations_.end()) return std::nullopt;
  return static_cast<LaneIndex>(found - destinations_.begin());
}

// Trouble -----------------------------------------------------------------------------------------

bool StoreKeeper::note_trouble(const std::exception& error, ReserveUse use, const Now& now) {
  if (store_) store_->roll_back();
  is_in_trouble_ = true;
  const StorageTrouble trouble = trouble_of(error);
  const auto* known = dynamic_cast<const SqliteError*>(&error);
  is_log_in_doubt_ = is_log_in_doubt_ || (known != nullptr && known->may_leave_gap());
  if (known != nullptr && known->is_file_too_long()) shorten_file();
  // Room for what makes room, and for nothing else.
  const bool is_room_made = trouble == StorageTrouble::full && use != ReserveUse::none &&
                            give_back_reserve(use == ReserveUse::half ? reserve_bytes_min / 2 : 0);
  if (now.mono < next_trouble_line_) return is_room_made;
  next_trouble_line_ = now.mono + trouble_line_interval;
  trouble_said_at_ = now.mono;
  log_.error(trouble == StorageTrouble::full
                 ? "the spool's disk is full; nothing new is stored until there is room"
                 : "the spool cannot be written; the sidecar keeps trying",
             {{"path", settings_.path}, {"because", error.what()}});
  return is_room_made;
}

void StoreKeeper::note_recovery(const Now& now) {
  is_in_trouble_ = false;
  say_recovery(now);
}

void StoreKeeper::say_recovery(const Now& now) {
  if (!is_recovery_to_be_said() || now.mono < next_recovery_line_) return;
  next_recovery_line_ = now.mono + line_interval;
  next_trouble_line_ = *std::exchange(trouble_said_at_, std::nullopt) + line_interval;
  log_.info("the spool can be written again", {{"path", settings_.path}});
}

void StoreKeeper::say_damaged(DestinationId destination, std::uint64_t events) {
  log_.error("blocks in the spool are damaged; they were set aside in its table `damaged`",
             {{"destination", store_->destinations()[destination].name},
              {"events", std::to_string(events)}});
}

// The log and the room ----------------------------------------------------------------------------

void StoreKeeper::prepare_promise() {
  check_files();
  make_log_safe();
}

bool StoreKeeper::has_its_files(const std::optional<FileMark>& log) const {
  const auto file = disk_->look_at(settings_.path);
  return file && is_same_file(file, file_) && file->bytes > 0 &&
         (!log_file_ || is_same_file(log, log_file_));
}

/// What is written to a file without a name is gone with this process.
void StoreKeeper::check_files() {
  const auto log = disk_->look_at(wal_path(settings_.path));
  if (!has_its_files(log)) {
    throw SqliteError::other(
        "its files were deleted, replaced or emptied while they were in use; restart the sidecar");
  }
  log_file_ = log;
  check_lock();
}

/// Without it another sidecar may take the spool: it is taken again, or that one has it.
void StoreKeeper::check_lock() {
  const auto lock = disk_->look_at(lock_path(settings_.path));
  if (!is_same_file(lock, lock_file_)) {
    take();
    // Whoever changed the database meanwhile had nothing to touch.
    is_touched_ = true;
  } else if (lock && lock->changed_ns != lock_file_->changed_ns) {
    lock_file_ = lock;
    is_touched_ = is_touched_ || !is_lock_watched_;
  }
}

void StoreKeeper::keep_lock(const Now& now) {
  if (now.mono < next_lock_look_) return;
  check_lock();
  next_lock_look_ = is_lock_watched_ ? never : now.mono + lock_look_interval;
}

/// A sync that failed is not made good by the next one: the system has forgotten what it could not
/// write, and says nothing of it again. Settlements that were committed without a sync may be such
/// a gap in the log, and what is committed behind a gap is lost with the power. So everything
/// leaves the log before something is promised again.
void StoreKeeper::make_log_safe() {
  if (!is_log_in_doubt_ || !settings_.is_synced) return;
  if (store_->empty_log()) {
    stretch_log();
  } else {
    // Somebody reads it. Inside of a transaction nobody else writes to it.
    store_->commit_mark([this] { disk_->write_again(wal_path(settings_.path)); });
  }
  is_log_in_doubt_ = false;
}

/// At the start, so that the first who waits for an answer does not wait for this.
void StoreKeeper::prepare_log() {
  try {
    make_log_safe();
    if (!settings_.is_synced) stretch_log();
  } catch (const SqliteError& error) {
    // Then before the first promise.
    store_->roll_back();
    if (error.trouble() == StorageTrouble::damaged) throw;
  }
}

void StoreKeeper::stretch_log() {
  const std::uint64_t needed = settings_.log_bytes + reserve_bytes() + settings_.free_bytes_min;
  if (disk_->free_bytes(settings_.path) >= needed) store_->stretch_log(settings_.log_bytes);
}

std::uint64_t StoreKeeper::reserve_bytes() const {
  return std::max(settings_.log_bytes, reserve_bytes_min);
}

/// Not what was just given back.
void StoreKeeper::take_reserve() {
  std::uint64_t there = bytes_of(reserve_path(settings_.path));
  const std::uint64_t missing = reserve_bytes() - std::min(there, reserve_bytes());
  const std::uint64_t free = disk_->free_bytes(settings_.path);
  if (missing > 0 && free >= missing + reserve_step_bytes + room_slack &&
      disk_->take_reserve(settings_.path, reserve_bytes())) {
    there = reserve_bytes();
  }
  // What of it the log has taken is where it belongs.
  has_reserve_ = there + bytes_of(wal_path(settings_.path)) >= reserve_bytes();
}

/// A database that became longer in its log than its file may be: the log cannot leave until what
/// nothing uses is cut off.
void StoreKeeper::shorten_file() {
  if (!store_) return;
  try {
    store_->vacuum_in_small_steps();
  } catch (const std::exception&) {
    store_->roll_back();
  }
}

/// Also from what the database itself does not use.
void StoreKeeper::regain_reserve() {
  take_reserve();
  if (has_reserve_ || !store_) return;
  try {
    if (store_->unused_bytes() < 2 * reserve_bytes()) return;
    store_->vacuum();
    store_->database().checkpoint();
  } catch (const std::exception&) {
    // There is not even room for that.
    store_->roll_back();
  }
  take_reserve();
}

bool StoreKeeper::give_back_reserve(std::uint64_t kept_bytes) {
  if (kept_bytes > 0 && bytes_of(reserve_path(settings_.path)) <= kept_bytes) return false;
  has_reserve_ = false;
  return disk_->give_back_reserve(settings_.path, reserve_step_bytes);
}

std::uint64_t StoreKeeper::bytes_of(const std::string& path) const {
  return disk_->look_at(path).value_or(FileMark{}).bytes;
}

std::uint64_t StoreKeeper::log_bytes_more() const {
  const std::uint64_t log = bytes_of(wal_path(settings_.path));
  return log - std::min(log, std::max(settings_.log_bytes, log_bytes));
}

/// What is in the log makes the database as much longer when it leaves it, at worst.
std::uint64_t StoreKeeper::pending_bytes() const {
  return store_ ? static_cast<std::uint64_t>(store_->database().wal_pages()) * Store::page_bytes
                : 0;
}

void StoreKeeper::look_for_room() {
  if (!has_reserve_) regain_reserve();
  const std::uint64_t free = disk_->free_bytes(settings_.path);
  const std::uint64_t kept_free =
      settings_.free_bytes_min + pending_bytes() + (has_reserve_ ? 0 : reserve_bytes_min);
  room_ = free - std::min(free, kept_free);
  used_ = 0;
  if (!store_) return;
  try {
    if (has_reserve_) room_ = std::max(room_, store_->unused_bytes());
    used_ = store_->used_bytes() + log_bytes_more();
  } catch (const std::exception&) {
    // The transaction will say it.
  }
}

std::optional<StorageTrouble> StoreKeeper::lack_of_room(std::uint64_t bytes, const Now& now) {
  if (now.mono >= next_room_look_ || written_since_look_ >= room_look_bytes) {
    next_room_look_ = now.mono + room_look_interval;
    written_since_look_ = 0;
    look_for_room();
  }
  const std::uint64_t written = written_since_look_ + bytes;
  std::optional<StorageTrouble> lack;
  if (used_ + written > tables_bytes && used_ + written - tables_bytes > settings_.bytes_max)
    lack = StorageTrouble::at_limit;
  // A record takes a row, which may take a page more than it fills.
  if (2 * written + room_slack > room_) lack = StorageTrouble::full;
  say_room(lack, now);
  return lack;
}

void StoreKeeper::say_room(std::optional<StorageTrouble> lack, const Now& now) {
  if (lack == lack_said_ || now.mono < next_room_line_) return;
  lack_said_ = lack;
  next_room_line_ = now.mono + line_interval;
  if (!lack) {
    log_.info("the spool's disk has room again");
  } else if (*lack == StorageTrouble::full) {
    log_.error(
        "the spool's disk has too little room; nothing new is stored until there is more",
        {{"path", settings_.path}, {"free_bytes_min", format_size(settings_.free_bytes_min)}});
  } else {
    log_.error(
        "the spool's file has reached its size limit; nothing new is stored until events leave",
        {{"path", settings_.path}, {"bytes_max", format_size(settings_.bytes_max)}});
  }
}

void StoreKeeper::measure(SpoolSnapshot& to) {
  to.bytes_max = settings_.bytes_max;
  to.disk_free_bytes = disk_->free_bytes(settings_.path);
  to.log_bytes = bytes_of(wal_path(settings_.path));
  if (store_) {
    try {
      to.database_bytes = store_->database_bytes();
      to.free_page_bytes = store_->unused_bytes();
      const Amount dead = store_->dead();
      to.dead_events = dead.events;
      to.dead_bytes = dead.bytes;
    } catch (const std::exception&) {
      // The next transaction will say it.
    }
  }
  to.bytes = to.database_bytes + to.log_bytes;
}

// Keeping house -----------------------------------------------------------------------------------

MonoTime StoreKeeper::next_deadline() const {
  // While no store is open there is no house to keep, however long ago that was due.
  MonoTime deadline = store_ ? next_house_keeping_ : never;
  if (store_ && is_log_long_) deadline = std::min(deadline, next_log_look_);
  if (store_) deadline = std::min(deadline, next_lock_look_);
  if (is_recovery_to_be_said()) deadline = std::min(deadline, next_recovery_line_);
  return deadline;
}

bool StoreKeeper::keep_house(const Now& now) {
  watch_clock(now);
  say_recovery(now);
  if (!store_) return false;
  try {
    check_shared_memory();
    if (!store_) open(now);
    keep_lock(now);
    keep_log(now);
    if (now.mono < next_house_keeping_) return false;
    next_house_keeping_ = now.mono + house_keeping_interval;
    trim(now);
    if (store_->give_back_pages()) next_house_keeping_ = now.mono + give_back_interval;
    if (!has_reserve_) take_reserve();
  } catch (const std::exception& error) {
    // What fails at once is not tried again at once.
    next_house_keeping_ = std::max(next_house_keeping_, now.mono + log_look_interval);
    next_log_look_ = std::max(next_log_look_, now.mono + log_look_interval);
    next_lock_look_ = std::max(next_lock_look_, now.mono + lock_look_interval);
    if (trouble_of(error) == StorageTrouble::damaged && mend(error.what(), UnreadPlaces::fail, now))
      return true;
    note_trouble(error, ReserveUse::all, now);
  }
  return !store_;
}

void StoreKeeper::keep_log(const Now& now) {
  if (store_->database().wal_pages() >
      (has_reserve_ ? wal_pages_max : wal_pages_max_without_reserve)) {
    fault_point("before_checkpoint");
    store_->database().checkpoint();
    fault_point("after_checkpoint");
  }
  if (now.mono < next_log_look_) return;
  next_log_look_ = now.mono + log_look_interval;
  is_log_long_ = log_bytes_more() > 0;
  if (!is_log_long_ || !store_->empty_log()) return;
  is_log_long_ = false;
  stretch_log();
}

void StoreKeeper::watch_clock(const Now& now) {
  const Duration ahead = now.wall.time_since_epoch() - now.mono.time_since_epoch();
  const bool is_first = clock_steady_since_ == MonoTime::max();
  if (!is_first && std::chrono::abs(ahead - wall_ahead_) <= clock_jump_min) return;
  clock_steady_since_ = now.mono;
  wall_ahead_ = ahead;
}

Duration StoreKeeper::age_max(const Now& now) {
  watch_clock(now);
  const Duration steady = now.mono - clock_steady_since_;
  return steady < std::min(steady_min, settings_.dead.age_max) ? Duration::max()
                                                               : settings_.dead.age_max;
}

std::uint64_t StoreKeeper::trim_dead(const Now& now) {
  DeadLimits limits = settings_.dead;
  limits.age_max = age_max(now);
  const Store::Trimmed trimmed = store_->trim_dead(limits, now);
  if (trimmed.is_recounted) say_counted_anew();
  return trimmed.removed;
}

void StoreKeeper::trim(const Now& now) {
  store_->begin(false);
  const std::uint64_t removed = trim_dead(now);
  const std::uint64_t damaged = store_->trim_damaged(age_max(now), now);
  store_->commit();
  if (damaged > 0) {
    log_.warn("damaged blocks that were set aside long ago were removed",
              {{"blocks", std::to_string(damaged)}});
  }
  if (removed == 0) return;
  log_.warn("the oldest dead letters were removed; there were too many, or they were too old",
            {{"events", std::to_string(removed)}});
}

}  // namespace outrider::sidecar
