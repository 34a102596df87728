#include "sidecar/spool/store_keeper.hpp"

#include <algorithm>
#include <utility>

#include "sidecar/base/fault_point.hpp"
#include "sidecar/base/units.hpp"

namespace outrider::sidecar {
namespace {

constexpr Duration trouble_line_interval = std::chrono::minutes(1);
/// A disk that comes and goes makes a line of a kind in this time.
constexpr Duration line_interval = std::chrono::seconds(10);
constexpr Duration room_look_interval = std::chrono::seconds(1);
constexpr std::uint64_t room_look_bytes = 8U << 20U;
/// What a transaction takes besides its records, and what the reserve leaves free.
constexpr std::uint64_t room_slack = 1U << 20U;
/// A step of giving pages back: what it moves fits into a small log.
constexpr int vacuum_step_pages = 256;
constexpr int vacuum_steps_max = 8;
/// The tables of a spool that is empty take less.
constexpr std::uint64_t tables_bytes = 256U << 10U;
constexpr Duration house_keeping_interval = std::chrono::minutes(10);
constexpr Duration log_look_interval = std::chrono::seconds(1);
constexpr Duration give_back_interval = std::chrono::milliseconds(100);

/// So much longer becomes the database's file, which has `bytes`, when all of the log has left it:
/// each page is counted once, and what another program has moved is not.
std::uint64_t pending_bytes(Store& store, std::uint64_t bytes) {
  const std::uint64_t all = store.file_bytes();
  return all - std::min(all, bytes);
}

std::string two_names(const std::string& name) {
  return name +
         " has more than one name (hard links), and another sidecar may use it under another one; "
         "remove the other names, or stop the sidecar and make a file of its own: cp -p " +
         name + " " + name + ".copy && mv " + name + ".copy " + name;
}

}  // namespace

StorageTrouble trouble_of(const std::exception& error) {
  const auto* known = dynamic_cast<const SqliteError*>(&error);
  return known != nullptr ? known->trouble() : StorageTrouble::failing;
}

StoreKeeper::~StoreKeeper() {
  // With the last connection goes the log, and its room.
  close();
  if (!was_open_) return;
  for (const std::uint64_t bytes : {reserve_bytes(), reserve_bytes_min}) {
    if (disk_->take_reserve(settings_.path, bytes)) return;
  }
}

// Trouble -----------------------------------------------------------------------------------------

bool StoreKeeper::note_trouble(const std::exception& error, ReserveUse use, const Now& now) {
  if (store_) store_->roll_back();
  const StorageTrouble trouble = trouble_of(error);
  const auto* known = dynamic_cast<const SqliteError*>(&error);
  is_log_in_doubt_ = is_log_in_doubt_ || (known != nullptr && known->may_leave_gap());
  if (trouble == StorageTrouble::full && restart_log(now)) return true;
  is_in_trouble_ = true;
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
  if (!is_recovery_to_be_said() || !recovery_limit_.take(now)) return;
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
  if (settings_.is_synced) secure_log();
}

bool StoreKeeper::has_its_files(const std::optional<FileMark>& log) const {
  const auto file = disk_->look_at(settings_.path);
  return file && is_same_file(file, file_) && file->bytes > 0 &&
         (!log_file_ || is_same_file(log, log_file_));
}

/// The lock goes by name: under another one a second sidecar would use the same file.
void StoreKeeper::check_names() const {
  for (const std::string& name :
       {settings_.path, wal_path(settings_.path), shm_path(settings_.path)}) {
    const auto file = disk_->look_at(name);
    if (!file || file->names <= 1) continue;
    throw SqliteError::other(two_names(name));
  }
}

/// What is written to a file without a name is gone with this process.
void StoreKeeper::check_files() {
  const auto log = disk_->look_at(wal_path(settings_.path));
  if (!has_its_files(log)) {
    throw SqliteError::other(
        "its files were deleted, replaced or emptied while they were in use; restart the sidecar");
  }
  log_file_ = log;
  check_names();
  lock_.check();
}

/// A sync that failed is not made good by the next one: the system has forgotten what it could not
/// write, and says nothing of it again. Such a gap in the log takes with it, if the power fails,
/// everything that is committed behind it, and makes a half of a database out of one into which
/// the log was being moved. So the log is written again before something is promised, and before it
/// moves.
void StoreKeeper::secure_log() {
  if (!is_log_in_doubt_) return;
  const std::string path = wal_path(settings_.path);
  const auto log = disk_->look_at(path);
  // check_files() has a word for one that is not ours.
  if (log_file_ && !is_same_file(log, log_file_)) return;
  if (log && log->bytes > 0) store_->while_nobody_writes([&] { disk_->write_again(path); });
  is_log_in_doubt_ = false;
}

/// At the start, so that the first who waits for an answer does not wait for this.
void StoreKeeper::prepare_log() {
  try {
    secure_log();
    if (!settings_.is_synced || store_->empty_log()) stretch_log();
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

/// Not what was just given back. Less is better than nothing.
void StoreKeeper::take_reserve() {
  std::uint64_t there = bytes_of(reserve_path(settings_.path));
  for (const std::uint64_t wanted : {reserve_bytes(), reserve_bytes_min}) {
    const std::uint64_t missing = wanted - std::min(there, wanted);
    const std::uint64_t free = disk_->free_bytes(settings_.path);
    if (missing == 0) break;
    if (free >= missing + reserve_step_bytes + room_slack &&
        disk_->take_reserve(settings_.path, wanted)) {
      there = wanted;
    }
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

/// Also from what the database itself does not use, half of which the log needs.
void StoreKeeper::regain_reserve() {
  take_reserve();
  try {
    for (int steps = 0; !has_reserve_ && store_ && steps < vacuum_steps_max; ++steps) {
      const std::uint64_t unused = store_->unused_bytes();
      if (unused < vacuum_step_pages * Store::page_bytes || unused / 2 < bytes_for_log()) return;
      store_->vacuum(vacuum_step_pages);
      secure_log();
      if (!store_->database().restart_log()) return;
      take_reserve();
    }
  } catch (const std::exception&) {
    // There is not even room for that.
    store_->roll_back();
  }
}

/// A log that cannot grow begins again instead. Once a turn, for what is tried again writes to it.
bool StoreKeeper::restart_log(const Now& now) {
  if (!store_ || log_restarted_at_ == now.mono || is_emptied()) return false;
  try {
    secure_log();
    if (!store_->database().restart_log()) return false;
  } catch (const std::exception&) {
    // There is no room for what it holds.
    store_->roll_back();
    return false;
  }
  log_restarted_at_ = now.mono;
  return true;
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

/// Of which the last room_slack is for what is settled.
std::uint64_t StoreKeeper::bytes_for_log() const {
  const std::uint64_t ours =
      bytes_of(wal_path(settings_.path)) + bytes_of(reserve_path(settings_.path));
  const std::uint64_t all = ours + std::min(disk_->free_bytes(settings_.path), UINT64_MAX - ours);
  const std::uint64_t at_most = std::min(all, disk_->file_bytes_max());
  return at_most - std::min(at_most, room_slack);
}

/// How much longer the database may become.
std::uint64_t StoreKeeper::room_to_grow() {
  const std::uint64_t bytes = bytes_of(settings_.path);
  const std::uint64_t pending = store_ ? pending_bytes(*store_, bytes) : 0;
  const std::uint64_t reserve = bytes_of(reserve_path(settings_.path));
  const std::uint64_t kept =
      has_reserve_ ? 0 : reserve_bytes_min - std::min(reserve, reserve_bytes_min);
  const std::uint64_t free = disk_->free_bytes(settings_.path);
  const std::uint64_t room = free - std::min(free, settings_.free_bytes_min + pending + kept);
  // The rest is for dead letters, and for what moves within the database.
  const std::uint64_t file_bytes_max = disk_->file_bytes_max() / 8 * 7;
  return std::min(room, file_bytes_max - std::min(file_bytes_max, bytes + pending));
}

void StoreKeeper::look_for_room() {
  if (!has_reserve_) regain_reserve();
  room_ = 0;
  used_ = 0;
  try {
    room_ = room_to_grow();
    if (!store_) return;
    room_ = std::max(room_, std::min(store_->unused_bytes(), bytes_for_log()));
    // Clients, blocks that were set aside and half empty pages of dead letters never leave to make
    // room: without events there is no limit to reach.
    used_ = std::min(store_->used_bytes(), store_->event_bytes_max()) + log_bytes_more();
  } catch (const std::exception&) {
    // The transaction will say it.
    room_ = UINT64_MAX;
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
  if (lack == lack_said_ || !room_limit_.take(now)) return;
  lack_said_ = lack;
  if (!lack) {
    log_.info("the spool's disk has room again");
  } else if (*lack == StorageTrouble::full) {
    const std::uint64_t file_bytes_max = disk_->file_bytes_max();
    log_.error(
        "the spool's disk has too little room; nothing new is stored until there is more",
        {{"path", settings_.path},
         {"free_bytes_min", format_size(settings_.free_bytes_min)},
         {"file_bytes_max", file_bytes_max == UINT64_MAX ? "none" : format_size(file_bytes_max)}});
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
      to.database_bytes = store_->file_bytes();
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
  if (store_) deadline = std::min(deadline, lock_.next_deadline());
  if (is_recovery_to_be_said()) deadline = std::min(deadline, recovery_limit_.next_line());
  return deadline;
}

bool StoreKeeper::keep_house(const Now& now) {
  clock_.steady_for(now);  // each turn, so that it sees each jump
  say_recovery(now);
  if (!store_) return false;
  try {
    check_shared_memory();
    if (!store_) open(now);
    lock_.keep(now);
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
    lock_.postpone(now);
    if (trouble_of(error) == StorageTrouble::damaged && mend(error.what(), UnreadPlaces::fail, now))
      return true;
    note_trouble(error, ReserveUse::all, now);
  }
  return !store_;
}

void StoreKeeper::keep_log(const Now& now) {
  if (is_emptied()) return;
  const int wal_pages = store_->database().wal_pages();
  // What it adds to the database has its room now, and perhaps not any more when the log has grown.
  const bool is_tight = !has_reserve_ && wal_pages > 0 &&
                        (wal_pages > wal_pages_max_without_reserve ||
                         pending_bytes(*store_, bytes_of(settings_.path)) > 0);
  if (wal_pages > wal_pages_max || is_tight) {
    fault_point("before_checkpoint");
    secure_log();
    store_->database().checkpoint();
    fault_point("after_checkpoint");
  }
  if (now.mono < next_log_look_) return;
  next_log_look_ = now.mono + log_look_interval;
  is_log_long_ = log_bytes_more() > 0;
  if (!is_log_long_) return;
  secure_log();
  if (!store_->empty_log()) return;
  is_log_long_ = false;
  stretch_log();
}

Duration StoreKeeper::age_max(const Now& now) {
  const Duration age = settings_.dead.age_max;
  return clock_.steady_for(now) < std::min(steady_min, age) ? Duration::max() : age;
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
