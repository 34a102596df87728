// Opening, looking twice at what may be damage, and mending it.
#include <utility>

#include "sidecar/spool/log_check.hpp"
#include "sidecar/spool/salvage.hpp"
#include "sidecar/spool/store_keeper.hpp"

namespace outrider::sidecar {
namespace {

/// For other programs' locks: the storage thread has more to do than to wait.
constexpr std::chrono::milliseconds lock_wait = std::chrono::milliseconds(100);
/// A path to the disk that comes and goes is back in this time, or systemd starts us again.
constexpr int looks_at_start = 10;
constexpr Duration look_again_interval = std::chrono::milliseconds(500);
/// A copy may be damaged itself.
constexpr int looks_max = looks_at_start + 4;

}  // namespace

void StoreKeeper::open(const Now& now) {
  if (!lock_.is_taken()) lock_.take();
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
      if (settings_.gate) settings_.gate->open();
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
  check_names();
  // Of a replacement that could not be finished there may be a copy that nobody must pass over.
  if (const auto damaged = finish_replacement(settings_.path, *disk_, now)) {
    log_.error("the interrupted replacement of a damaged spool is now complete",
               {{"path", settings_.path}, {"set_aside", *damaged}});
  }
  disk_->prepare(settings_.path);
  const bool is_new = check_empty();
  if (is_first) check_log();
  disk_->check_files_can_be_made(settings_.path);
  store_ = std::make_unique<Store>(Database(settings_.path, OpenMode::create, disk_->vfs()));
  if (!has_our_schema(store_->database())) {
    throw SqliteError::damaged("its tables are not those of a spool");
  }
  store_->limit_file(disk_->file_bytes_max());
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
  if (!store_) return;
  if (settings_.gate) settings_.gate->shut();
  used_ids_ = store_->used_ids();
  if (is_emptied() || !can_secure_log()) store_->database().leave_log();
  store_.reset();
}

bool StoreKeeper::can_secure_log() {
  try {
    secure_log();
    return true;
  } catch (const std::exception&) {
    store_->roll_back();
    return false;
  }
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
  LogDamage damage;
  try {
    damage = check_write_ahead_log(*disk_, wal_path(settings_.path));
  } catch (const SqliteError&) {
    // What cannot be read now, SQLite does not read either.
  }
  if (!damage.is_damaged) return;
  log_.error(
      "the spool's write-ahead log is damaged; the transactions after the damage are lost, or were "
      "not yet safe at a power loss",
      {{"path", wal_path(settings_.path)},
       {"transactions",
        damage.transactions == 0 ? "unknown" : std::to_string(damage.transactions)}});
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
    destinations_.push_back(lane.empty() ? no_destination : store_->destination(lane));
    if (lane.empty()) continue;
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
  for (const DestinationId id : destinations_) {
    state_.lanes.push_back(id == no_destination ? StoredTotals{} : known.at(id).totals);
  }
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

void StoreKeeper::note_opened(const LaneOpening& opening, DestinationId destination) {
  if (const auto before = lane_of(destination)) note_closed(*before);
  if (settings_.lanes.size() <= opening.lane) {
    settings_.lanes.resize(opening.lane + 1);
    destinations_.resize(opening.lane + 1, no_destination);
  }
  settings_.lanes[opening.lane] = opening.name;
  destinations_[opening.lane] = destination;
}

void StoreKeeper::note_closed(DestinationHandle lane) {
  settings_.lanes.at(lane).clear();
  destinations_.at(lane) = no_destination;
}

std::optional<DestinationHandle> StoreKeeper::lane_of(DestinationId destination) const {
  const auto found = std::find(destinations_.begin(), destinations_.end(), destination);
  if (found == destinations_.end()) return std::nullopt;
  return static_cast<DestinationHandle>(found - destinations_.begin());
}

}  // namespace outrider::sidecar
