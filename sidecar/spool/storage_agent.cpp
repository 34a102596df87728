#include "sidecar/spool/storage_agent.hpp"

#include <algorithm>
#include <utility>

#include "sidecar/base/fault_point.hpp"
#include "sidecar/base/units.hpp"
#include "sidecar/spool/salvage.hpp"

namespace outrider::sidecar {
namespace {

/// The wall clock may jump while we wait by the monotonic one.
constexpr Duration clock_look_interval = std::chrono::seconds(1);
constexpr Duration trouble_retry_interval = std::chrono::milliseconds(200);
constexpr Duration trouble_line_interval = std::chrono::minutes(1);
constexpr Duration room_look_interval = std::chrono::seconds(1);
constexpr std::uint64_t room_look_bytes = 8U << 20U;
constexpr Duration house_keeping_interval = std::chrono::minutes(10);
constexpr Duration give_back_interval = std::chrono::milliseconds(100);
constexpr std::uint64_t nothing_due = UINT64_MAX;

ReadAnswer failed_read(const ReadRequest& request) {
  ReadAnswer answer;
  answer.request = request;
  answer.has_failed = true;
  return answer;
}

}  // namespace

// Opening and mending -----------------------------------------------------------------------------

Result<std::unique_ptr<StorageAgent>> StorageAgent::open(StorageSettings settings,
                                                         std::unique_ptr<Disk> disk,
                                                         Exchange& exchange, Log& log,
                                                         const Now& now) {
  const auto in_spool = [&settings](const Error& error) { return error.with_prefix("spool"); };
  if (Status status = disk->lock(settings.path); !status.ok()) return in_spool(status.error());
  const auto finished = finish_replacement(settings.path, *disk, now);
  if (!finished.ok()) return in_spool(finished.error());
  if (Status status = disk->prepare(settings.path); !status.ok()) return in_spool(status.error());
  std::unique_ptr<StorageAgent> agent(
      new StorageAgent(std::move(settings), std::move(disk), exchange, log));
  if (Status status = agent->open_store(now); !status.ok()) {
    return status.error().with_prefix("spool " + agent->settings_.path);
  }
  return agent;
}

Status StorageAgent::open_store(const Now& now) {
  for (bool is_mended = false;; is_mended = true) {
    try {
      store_ = std::make_unique<Store>(Database(settings_.path, OpenMode::create, disk_->vfs()));
      read_state();
      prepare_log();
      has_reserve_ = disk_->take_reserve(settings_.path, reserve_bytes);
      next_due_ns_ = 0;
      return Nothing{};
    } catch (const SqliteError& error) {
      store_.reset();
      if (error.trouble() != StorageTrouble::damaged || is_mended) return Error{error.what()};
      if (Status status = replace_store(error.what(), now); !status.ok()) return status;
    }
  }
}

void StorageAgent::read_state() {
  store_->begin(true);
  destinations_.clear();
  for (const std::string& lane : settings_.lanes)
    destinations_.push_back(store_->destination(lane));
  // What a person had put back is among the totals.
  store_->take_returned();
  store_->commit();
  state_ = {};
  const auto known = store_->destinations();
  for (const std::string& lane : settings_.lanes) state_.lanes.push_back(known.at(lane).second);
  for (const auto& [name, destination] : known) {
    const StoredTotals& totals = destination.second;
    const bool is_configured =
        std::find(settings_.lanes.begin(), settings_.lanes.end(), name) != settings_.lanes.end();
    if (is_configured || totals.events + totals.scheduled_events == 0) continue;
    log_.warn("the spool holds events for a destination that is not configured; they stay there",
              {{"destination", name},
               {"events", std::to_string(totals.events + totals.scheduled_events)}});
  }
  state_.marks = store_->marks();
}

Status StorageAgent::replace_store(const std::string& reason, const Now& now) {
  const BlockId next_block = store_ ? store_->next_block() : 0;
  store_.reset();
  if (!std::exchange(is_damage_told_, true)) {
    log_.error("the spool is damaged; what can be read of it is copied into a new one",
               {{"path", settings_.path}, {"because", reason}});
  }
  const auto replaced = replace_damaged(settings_.path, *disk_, next_block, now);
  if (!replaced.ok()) return replaced.error();
  is_damage_told_ = false;
  const Salvaged& salvaged = replaced.value();
  log_.error(salvaged.has_copy
                 ? "the damaged spool was set aside; keep it until you know that nothing is missing"
                 : "the damaged spool was set aside whole, for there was no room for a copy",
             {{"set_aside", salvaged.damaged_path},
              {"events_kept", std::to_string(salvaged.events)},
              {"dead_letters_kept", std::to_string(salvaged.dead)},
              {"unreadable", std::to_string(salvaged.unreadable)}});
  return disk_->prepare(settings_.path);
}

// Turning -----------------------------------------------------------------------------------------

int StorageAgent::do_work(const Now& now) {
  std::unique_ptr<Group> group = exchange_.take();
  const bool is_asked = group != nullptr;
  if (!is_asked && !has_due(now)) {
    keep_house(now);
    look_ahead(now);
    return 0;
  }
  if (!is_asked) group = std::make_unique<Group>();
  group->is_asked = is_asked;
  do_group(*group, now);
  const bool has_news = !group->released.empty() || !group->returned.empty();
  if (is_asked || has_news) exchange_.answer(std::move(group));
  fault_point("after_answer");
  keep_house(now);
  look_ahead(now);
  return 1;
}

bool StorageAgent::has_due(const Now& now) const {
  return next_due_ns_ <= now.wall_ns() && now.mono >= retry_at_ &&
         exchange_.uncollected() < uncollected_max;
}

void StorageAgent::look_ahead(const Now& now) {
  wake_at_ = next_house_keeping_;
  if (next_due_ns_ == nothing_due) return;
  if (exchange_.uncollected() >= uncollected_max) {
    wake_at_ = now.mono + std::chrono::milliseconds(1);
    return;
  }
  const std::uint64_t wall_ns = now.wall_ns();
  const auto left = next_due_ns_ <= wall_ns
                        ? Duration::zero()
                        : Duration(static_cast<Duration::rep>(next_due_ns_ - wall_ns));
  wake_at_ = std::min(wake_at_, now.mono + std::min(left, clock_look_interval));
  wake_at_ = std::max(wake_at_, retry_at_);
}

// Groups ------------------------------------------------------------------------------------------

void StorageAgent::do_group(Group& group, const Now& now) {
  if (!store_) {
    if (Status status = open_store(now); !status.ok()) {
      retry_at_ = now.mono + trouble_retry_interval;
      forget_answer(group);
      group.intake_trouble = StorageTrouble::failing;
      group.has_failed = true;
      for (const ReadRequest& request : group.reads) {
        group.reads_done.push_back(failed_read(request));
      }
      return;
    }
  }
  // What a stop puts back takes the room of what it replaces.
  const bool with_intake = !group.has_intake() || !group.front.empty() || has_room(now);
  if (!with_intake) group.intake_trouble = StorageTrouble::full;
  bool is_done = try_group(group, with_intake, now);
  // Without the new events. What a stop puts back must not be settled if it was not stored.
  if (!is_done && group.has_intake() && with_intake && group.front.empty() && store_) {
    is_done = try_group(group, false, now);
  }
  group.has_failed = !is_done;
  for (const ReadRequest& request : group.reads) {
    // The read before may have found that the spool is beyond help.
    if (is_done && store_) {
      do_read(request, group, now);
    } else {
      group.reads_done.push_back(failed_read(request));
    }
  }
}

bool StorageAgent::try_group(Group& group, bool with_intake, const Now& now) {
  for (bool is_mended = false;; is_mended = true) {
    try {
      forget_answer(group);
      const bool takes_in = with_intake && group.has_intake();
      if (takes_in) make_log_safe();
      store_->begin(settings_.is_synced && (takes_in || !group.dead.empty()));
      note_returned(group);
      if (takes_in) {
        take_intake(group, now);
        take_front(group, now);
      }
      for (const Settlement& settlement : group.settlements) {
        store_->settle(destinations_[settlement.lane], settlement);
      }
      if (!group.settlements.empty()) fault_point("mid_settle");
      bury(group, now);
      if (has_due(now)) release_due(group, now);
      finish_blocks(group, now);
      fault_point("before_commit");
      store_->commit();
      fault_point("after_commit");
      if (takes_in) {
        group.intake_trouble.reset();
        note_recovery();
      }
      return true;
    } catch (const SqliteError& error) {
      builders_.clear();
      store_->roll_back();
      forget_answer(group);
      group.intake_trouble = error.trouble();
      const bool is_damaged = error.trouble() == StorageTrouble::damaged;
      if (is_damaged && !is_mended && replace_store(error.what(), now).ok() &&
          open_store(now).ok()) {
        continue;
      }
      note_trouble(error, now);
      return false;
    }
  }
}

/// In the order in which it came, which is that of the bytes: events of one key may be in both.
void StorageAgent::take_intake(Group& group, const Now& now) {
  auto spilled = group.spilled.begin();
  const auto add_spilled_before = [&](std::size_t offset) {
    for (; spilled != group.spilled.end() && spilled->offset < offset; ++spilled) {
      add(group, *spilled, false, now);
    }
  };
  for (const ScheduleMark& mark : group.marks) store_->mark(mark);
  for (ConfirmedFrame& frame : group.frames) {
    const auto seen = store_->take_frame(frame, now);
    frame.is_new = seen == ClientWindow::Sequence::unseen;
    frame.status = seen == ClientWindow::Sequence::forgotten ? proto::Refusal::frame_sequence_old
                                                             : proto::Refusal::none;
    if (!frame.is_new) continue;
    if (frame.entries > 0) add_spilled_before(group.confirmed[frame.first_entry].offset);
    for (std::size_t i = 0; i < frame.entries; ++i) {
      add(group, group.confirmed[frame.first_entry + i], true, now);
    }
  }
  add_spilled_before(group.bytes.size());
}

void StorageAgent::add(Group& group, const Entry& entry, bool is_wanted, const Now& now) {
  const proto::ByteView record(group.bytes.data() + entry.offset, entry.record_bytes);
  if (entry.due_ns == 0) {
    add_record(group, entry.lane, record, is_wanted, now);
    return;
  }
  store_->insert_scheduled(destinations_[entry.lane], entry.due_ns, record);
  next_due_ns_ = std::min(next_due_ns_, entry.due_ns);
}

void StorageAgent::add_record(Group& group, LaneIndex lane, proto::ByteView record, bool is_wanted,
                              const Now& now) {
  Builder& builder = builders_[lane];
  Bytes& records = builder.block.records;
  const bool is_full = builder.block.events >= Store::block_events_max ||
                       records.size() + record.size() > Store::block_bytes_max;
  if (builder.block.events > 0 && (is_full || builder.is_wanted != is_wanted)) {
    finish_block(group, lane, builder, now);
  }
  builder.is_wanted = is_wanted;
  records.insert(records.end(), record.begin(), record.end());
  ++builder.block.events;
  written_since_look_ += record.size();
}

void StorageAgent::finish_block(Group& group, LaneIndex lane, Builder& builder, const Now& now) {
  Block& block = builder.block;
  block.lane = lane;
  block.created_ns = now.wall_ns();
  block.id = store_->insert_block(destinations_[lane], block);
  fault_point("mid_spill");
  if (builder.is_wanted && exchange_.uncollected() < uncollected_max) {
    group.stored.push_back(std::exchange(block, {}));
  } else {
    group.left.push_back({lane, block.events, block.records.size()});
    block.records.clear();
    block.events = 0;
  }
}

void StorageAgent::finish_blocks(Group& group, const Now& now) {
  for (auto& [lane, builder] : builders_) {
    if (builder.block.events > 0) finish_block(group, lane, builder, now);
  }
}

void StorageAgent::take_front(Group& group, const Now& now) {
  std::map<LaneIndex, std::vector<Block*>> by_lane;
  for (Block& block : group.front) {
    block.created_ns = now.wall_ns();
    by_lane[block.lane].push_back(&block);
  }
  for (auto& [lane, blocks] : by_lane) {
    store_->insert_front(destinations_[lane], blocks);
    fault_point("mid_put_back");
  }
}

void StorageAgent::bury(Group& group, const Now& now) {
  if (group.dead.empty()) return;
  for (const DeadLetter& letter : group.dead) {
    store_->insert_dead(destinations_[letter.lane], letter);
  }
  fault_point("mid_bury");
  group.dead_trimmed = store_->trim_dead(settings_.dead, now);
}

void StorageAgent::release_due(Group& group, const Now& now) {
  std::map<LaneIndex, Moved> released;
  for (DueEvent& event : store_->take_due(now, due_events_max, due_bytes_max)) {
    const auto lane = lane_of(event.destination);
    if (!lane) {
      // Its destination is not configured any more. There it waits with the others.
      Block block;
      block.events = 1;
      block.created_ns = now.wall_ns();
      block.records = std::move(event.record);
      if (!block.records.empty()) store_->insert_block(event.destination, block);
      continue;
    }
    Moved& moved = released[*lane];
    moved.lane = *lane;
    if (event.record.empty()) {
      ++moved.damaged;
      moved.damaged_bytes += event.bytes;
      continue;
    }
    ++moved.events;
    moved.bytes += event.bytes;
    add_record(group, *lane, event.record, true, now);
  }
  fault_point("mid_release");
  for (const auto& [lane, moved] : released) group.released.push_back(moved);
  const auto next = store_->next_due_ns();
  next_due_ns_ = next.value_or(nothing_due);
}

void StorageAgent::do_read(const ReadRequest& request, Group& group, const Now& now) {
  ReadAnswer answer;
  answer.request = request;
  try {
    ReadBlocks read = store_->read(destinations_[request.lane], request);
    answer.blocks = std::move(read.blocks);
    answer.is_end = read.is_end;
    if (!read.damaged.empty()) {
      store_->begin(false);
      for (const BlockId block : read.damaged) {
        answer.damaged_events += store_->quarantine(destinations_[request.lane], block, now);
        fault_point("quarantine_block");
      }
      store_->commit();
      log_.error("blocks in the spool are damaged; they were set aside in its table `damaged`",
                 {{"destination", settings_.lanes[request.lane]},
                  {"events", std::to_string(answer.damaged_events)}});
    }
  } catch (const SqliteError& error) {
    store_->roll_back();
    answer = failed_read(request);
    note_trouble(error, now);
    if (error.trouble() == StorageTrouble::damaged && replace_store(error.what(), now).ok()) {
      [[maybe_unused]] const Status opened = open_store(now);
    }
  }
  group.reads_done.push_back(std::move(answer));
}

void StorageAgent::note_returned(Group& group) {
  for (auto& [destination, moved] : store_->take_returned()) {
    const auto lane = lane_of(destination);
    if (!lane) continue;
    moved.lane = *lane;
    group.returned.push_back(moved);
  }
}

/// Nothing: it is not configured.
std::optional<LaneIndex> StorageAgent::lane_of(DestinationId destination) const {
  const auto found = std::find(destinations_.begin(), destinations_.end(), destination);
  if (found == destinations_.end()) return std::nullopt;
  return static_cast<LaneIndex>(found - destinations_.begin());
}

void StorageAgent::forget_answer(Group& group) {
  group.stored.clear();
  group.left.clear();
  group.released.clear();
  group.returned.clear();
  group.dead_trimmed = 0;
  for (ConfirmedFrame& frame : group.frames) frame.is_new = false;
}

// Trouble -----------------------------------------------------------------------------------------

void StorageAgent::note_trouble(const SqliteError& error, const Now& now) {
  is_in_trouble_ = true;
  is_log_in_doubt_ = is_log_in_doubt_ || error.trouble() == StorageTrouble::failing;
  retry_at_ = now.mono + trouble_retry_interval;
  next_due_ns_ = 0;
  if (error.trouble() == StorageTrouble::full && has_reserve_) {
    // Room for what makes room.
    disk_->give_back_reserve(settings_.path);
    has_reserve_ = false;
  }
  if (now.mono < next_trouble_line_) return;
  next_trouble_line_ = now.mono + trouble_line_interval;
  log_.error(error.trouble() == StorageTrouble::full
                 ? "the spool's disk is full; nothing new is stored until there is room"
                 : "the spool cannot be written; it is tried again",
             {{"path", settings_.path}, {"because", error.what()}});
}

/// A sync that failed is not made good by the next one: the system has forgotten what it could not
/// write, and says nothing of it again. Settlements that were committed without a sync may be such
/// a gap in the log, and what is committed behind a gap is lost with the power. So everything
/// leaves the log before something is promised again.
void StorageAgent::make_log_safe() {
  if (!is_log_in_doubt_ || !settings_.is_synced) return;
  store_->make_log_safe();
  is_log_in_doubt_ = false;
  store_->stretch_log(settings_.log_bytes);
}

/// At the start, so that the first who waits for an answer does not wait for this.
void StorageAgent::prepare_log() {
  try {
    make_log_safe();
    if (!settings_.is_synced) store_->stretch_log(settings_.log_bytes);
  } catch (const SqliteError& error) {
    // Then before the first promise.
    store_->roll_back();
    if (error.trouble() == StorageTrouble::damaged) throw;
  }
}

void StorageAgent::note_recovery() {
  if (!is_in_trouble_) return;
  is_in_trouble_ = false;
  next_trouble_line_ = {};
  log_.info("the spool can be written again", {{"path", settings_.path}});
}

bool StorageAgent::has_room(const Now& now) {
  if (now.mono < next_room_look_ && written_since_look_ < room_look_bytes) return has_room_;
  next_room_look_ = now.mono + room_look_interval;
  written_since_look_ = 0;
  const bool had_room =
      std::exchange(has_room_, disk_->free_bytes(settings_.path) >= settings_.free_bytes_min);
  if (had_room && !has_room_) {
    log_.error(
        "the spool's disk has too little room; nothing new is stored until there is more",
        {{"path", settings_.path}, {"free_bytes_min", format_size(settings_.free_bytes_min)}});
  }
  if (!had_room && has_room_) log_.info("the spool's disk has room again");
  return has_room_;
}

// Between groups ----------------------------------------------------------------------------------

void StorageAgent::keep_house(const Now& now) {
  if (!store_) return;
  try {
    if (store_->database().wal_pages() > wal_pages_max) {
      fault_point("before_checkpoint");
      store_->database().checkpoint();
      fault_point("after_checkpoint");
    }
    if (now.mono < next_house_keeping_) return;
    next_house_keeping_ = now.mono + house_keeping_interval;
    store_->begin(false);
    store_->trim_dead(settings_.dead, now);
    store_->commit();
    if (store_->give_back_pages()) next_house_keeping_ = now.mono + give_back_interval;
    if (!has_reserve_ && has_room(now)) {
      has_reserve_ = disk_->take_reserve(settings_.path, reserve_bytes);
    }
  } catch (const SqliteError& error) {
    store_->roll_back();
    note_trouble(error, now);
  }
}

}  // namespace outrider::sidecar
