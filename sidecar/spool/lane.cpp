#include "sidecar/spool/lane.hpp"

#include <algorithm>
#include <utility>

#include "sidecar/spool/spool.hpp"

namespace outrider::sidecar {
namespace {

/// Blocks that may be in memory though older ones are still on disk.
constexpr std::size_t read_early_max = 4096;

}  // namespace

Lane::Lane(Spool& spool, LaneIndex index, const LaneSettings& settings, const StoredTotals& totals)
    : spool_(spool),
      index_(index),
      settings_(settings),
      totals_(totals),
      bytes_(totals.bytes + totals.scheduled_bytes),
      readable_(totals.events) {}

void Lane::attach(Ledger& ledger) {
  ledger_ = &ledger;
  ledger.accepted += totals_.events + totals_.scheduled_events;
  ledger.recovered += totals_.events + totals_.scheduled_events;
  ledger.spooled += totals_.events;
  ledger.scheduled += totals_.scheduled_events;
}

// Coming in ---------------------------------------------------------------------------------------

bool Lane::append(const RecordView& record, const Now& now) {
  const std::size_t bytes = stored_record_bytes(record);
  if (!spool_.has_room(index_, bytes)) return false;
  spool_.spill(index_, record, 0, now);
  note_reserved(bytes);
  ++ledger_->spooled;
  return true;
}

bool Lane::schedule(const RecordView& record, std::uint64_t due_ns, const Now& now) {
  const std::size_t bytes = stored_record_bytes(record);
  if (!spool_.has_room(index_, bytes)) return false;
  spool_.spill(index_, record, due_ns, now);
  note_reserved(bytes);
  ++ledger_->scheduled;
  return true;
}

void Lane::put_back(std::vector<Block> blocks, std::uint64_t unsaved) {
  is_closed_ = true;
  unsaved_ += unsaved;
  for (Block& block : blocks) {
    block.lane = index_;
    ledger_->spooled += block.events;
    note_reserved(block.records.size());
    spool_.gathered_->front.push_back(std::move(block));
  }
}

void Lane::leave(std::uint64_t events) {
  is_closed_ = true;
  ledger_->spooled += events;
  in_memory_ -= events;
}

void Lane::give_up() {
  ledger_->spooled -= unsaved_;
  ledger_->drop(DropReason::spool_failed, std::exchange(unsaved_, 0));
}

// Going out ---------------------------------------------------------------------------------------

proto::ByteView Lane::next() const {
  const std::uint8_t* at = arrived_.front().records.data() + next_offset_;
  return {at, record_bytes_at(at)};
}

WallTime Lane::next_expires_at() const {
  const WallTime created(Duration(static_cast<Duration::rep>(arrived_.front().created_ns)));
  return settings_.age_max > WallTime::max() - created ? WallTime::max()
                                                       : created + settings_.age_max;
}

void Lane::take_next() {
  const Block& block = arrived_.front();
  Open& open = open_[block.id];
  if (open.settled.empty()) {
    open.unsettled = block.events - count_bits(block.settled);
    open.settled = block.settled;
    open.settled.resize((block.events + 7) / 8);
  }
  --ledger_->spooled;
  ++in_memory_;
  next_offset_ += next().size();
  ++next_index_;
  skip_settled();
}

/// On to the next event that is not settled, and to the next block if there is none.
void Lane::skip_settled() {
  while (!arrived_.empty()) {
    const Block& block = arrived_.front();
    while (next_offset_ < block.records.size() && has_bit(block.settled, next_index_)) {
      next_offset_ += next().size();
      ++next_index_;
    }
    if (next_offset_ < block.records.size()) return;
    arrived_bytes_ -= block.records.size();
    arrived_.pop_front();
    if (early_end_ > 0) --early_end_;
    next_index_ = 0;
    next_offset_ = 0;
  }
}

void Lane::read_ahead() {
  if (is_reading_ || is_closed_ || readable_ == 0) return;
  if (arrived_bytes_ >= read_ahead_bytes_max) return;
  is_reading_ = true;
  spool_.gathered_->reads.push_back({index_, read_up_to_, read_ahead_bytes_max - arrived_bytes_});
}

// Done --------------------------------------------------------------------------------------------

void Lane::settle(const RecordView& record) {
  const auto found = open_.find(record.origin->block);
  if (found == open_.end()) return;
  Open& open = found->second;
  const std::uint32_t index = record.origin->index;
  if (open.newly_settled == 0) {
    if (touched_.empty()) spool_.touched_.push_back(index_);
    touched_.push_back(found->first);
  }
  open.settled[index / 8] |= static_cast<std::uint8_t>(1U << (index % 8));
  --open.unsettled;
  --in_memory_;
  const std::size_t bytes = stored_record_bytes(record);
  ++open.newly_settled;
  open.newly_settled_bytes += bytes;
  note_not_reserved(bytes);
}

void Lane::bury(const RecordView& record, const Obituary& obituary, const Now& now) {
  DeadLetter letter;
  letter.lane = index_;
  letter.reason = obituary.reason;
  letter.status = obituary.status;
  letter.attempts = obituary.attempts;
  letter.first_ns = static_cast<std::uint64_t>(obituary.first_attempt.time_since_epoch().count());
  letter.last_ns = now.wall_ns();
  letter.answer = obituary.answer;
  letter.record.resize(stored_record_bytes(record));
  write_stored_record(record, now, letter.record.data());
  spool_.dead_bytes_ += letter.record.size() + letter.answer.size();
  spool_.gathered_->dead.push_back(std::move(letter));
}

bool Lane::is_busy() const {
  return spool_.has_many_dead();
}

void Lane::write_settlements(Question& question) {
  for (const BlockId id : touched_) {
    const auto found = open_.find(id);
    Open& open = found->second;
    Settlement settlement{id,
                          index_,
                          std::exchange(open.newly_settled, 0),
                          std::exchange(open.newly_settled_bytes, 0),
                          open.unsettled == 0,
                          {}};
    if (settlement.is_whole) {
      open_.erase(found);
    } else {
      settlement.settled = open.settled;
    }
    question.settlements.push_back(std::move(settlement));
  }
  touched_.clear();
}

// What became of what was asked for ---------------------------------------------------------------

void Lane::note_reserved(std::uint64_t bytes) {
  bytes_ += bytes;
  spool_.bytes_ += bytes;
}

void Lane::note_not_reserved(std::uint64_t bytes) {
  bytes_ -= std::min(bytes, bytes_);
  spool_.bytes_ -= std::min(bytes, spool_.bytes_);
}

void Lane::note_confirming(std::uint64_t bytes) {
  ++confirming_;
  note_reserved(bytes);
}

void Lane::note_not_confirmed(std::uint64_t bytes) {
  --confirming_;
  note_not_reserved(bytes);
}

void Lane::note_confirmed(const Entry& entry) {
  --confirming_;
  ++ledger_->accepted;
  ++(entry.due_ns == 0 ? ledger_->spooled : ledger_->scheduled);
}

void Lane::note_not_stored(const Entry& entry, DropReason reason) {
  --(entry.due_ns == 0 ? ledger_->spooled : ledger_->scheduled);
  ledger_->drop(reason, 1);
  note_not_reserved(entry.record_bytes);
}

void Lane::note_stored(Block block) {
  const bool is_next = readable_ == 0 && !is_reading_;
  const bool may_overtake = settings_.is_fresh_first && read_early_.size() < read_early_max;
  const bool has_room = arrived_bytes_ + block.records.size() <= read_ahead_bytes_max;
  if (is_closed_ || !has_room || !(is_next || may_overtake)) {
    readable_ += block.events;
    return;
  }
  if (is_next) {
    read_up_to_ = block.id;
  } else {
    read_early_.insert(block.id);
  }
  arrived_bytes_ += block.records.size();
  if (!settings_.is_fresh_first) {
    arrived_.push_back(std::move(block));
    return;
  }
  // Behind what has been begun, and behind those that overtook before it.
  early_end_ = std::max(early_end_, std::size_t{next_offset_ > 0 ? 1U : 0U});
  arrived_.insert(arrived_.begin() + static_cast<std::ptrdiff_t>(early_end_), std::move(block));
  ++early_end_;
}

void Lane::note_front_stored(const Block& block) {
  readable_ += block.events;
  unsaved_ = 0;
}

void Lane::note_released(const Moved& moved) {
  ledger_->scheduled -= moved.events + moved.damaged;
  ledger_->spooled += moved.events;
  ledger_->drop(DropReason::damaged, moved.damaged);
  note_not_reserved(moved.damaged_bytes);
}

void Lane::note_returned(const Moved& moved) {
  ledger_->accepted += moved.events;
  ledger_->recovered += moved.events;
  ledger_->spooled += moved.events;
  readable_ += moved.events;
  note_reserved(moved.bytes);
}

void Lane::note_read(ReadAnswer& answer) {
  is_reading_ = false;
  if (answer.has_failed) return;
  for (Block& block : answer.blocks) {
    read_up_to_ = std::max(read_up_to_, block.id);
    if (read_early_.erase(block.id) > 0) continue;
    const std::uint32_t events = block.events - count_bits(block.settled);
    readable_ -= std::min<std::uint64_t>(events, readable_);
    arrived_bytes_ += block.records.size();
    arrived_.push_back(std::move(block));
  }
  skip_settled();
  read_early_.erase(read_early_.begin(), read_early_.upper_bound(read_up_to_));
  // What should be there and is not has gone with a damaged database.
  const std::uint64_t missing = answer.is_end ? readable_ : answer.damaged_events;
  if (missing == 0) return;
  readable_ -= std::min(missing, readable_);
  ledger_->spooled -= missing;
  ledger_->drop(DropReason::damaged, missing);
}

}  // namespace outrider::sidecar
