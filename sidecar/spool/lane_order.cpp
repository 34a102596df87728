#include "sidecar/spool/lane_order.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace outrider::sidecar {
namespace {

Amount unsettled_of(const Block& block) {
  Amount amount{block.events, block.records.size()};
  if (block.settled.empty()) return amount;
  std::size_t at = 0;
  for (std::uint32_t index = 0; index < block.events; ++index) {
    const std::size_t bytes = record_bytes_at(block.records.data() + at);
    at += bytes;
    if (has_bit(block.settled, index)) amount -= {1, bytes};
  }
  return amount;
}

}  // namespace

LaneOrder::LaneOrder(const StoredTotals& totals, bool is_fresh_first)
    : is_fresh_first_(is_fresh_first) {
  at_mutable(Place::unread) = {totals.events, totals.bytes};
  at_mutable(Place::scheduled) = {totals.scheduled_events, totals.scheduled_bytes};
}

// Places ------------------------------------------------------------------------------------------

std::uint64_t LaneOrder::spooled() const {
  return at(Place::storing).events + at(Place::returning).events + at(Place::unread).events +
         at(Place::arrived).events + at(Place::passed).events;
}

std::uint64_t LaneOrder::bytes() const {
  std::uint64_t bytes = 0;
  for (const Amount& amount : places_) bytes += amount.bytes;
  return bytes - std::min(adrift_.bytes, bytes);
}

bool LaneOrder::is_at_rest() const {
  const std::uint64_t moving = at(Place::confirming).events + at(Place::storing).events +
                               at(Place::returning).events + at(Place::taken).events;
  return moving == 0 && !is_reading_ && !is_distrusted_ && touched_.empty();
}

void LaneOrder::remove(Place from, const Amount& amount) {
  Amount& place = at_mutable(from);
  assert(from == Place::unread || from == Place::scheduled || place.events >= amount.events);
  place -= amount;
  // Losses by damage whose number is unknown.
  if (place.events == 0) place.bytes = 0;
}

void LaneOrder::move(Place from, Place to, const Amount& amount) {
  remove(from, amount);
  at_mutable(to) += amount;
}

// To disk -----------------------------------------------------------------------------------------

void LaneOrder::put_back(const Amount& events, std::uint64_t unsaved) {
  is_closed_ = true;
  at_mutable(Place::returning) += events;
  put_back_.push_back({events.events, unsaved});
}

void LaneOrder::leave(const Amount& events) {
  is_closed_ = true;
  move(Place::taken, Place::unread, events);
}

std::uint64_t LaneOrder::put_back_saved() const {
  std::uint64_t saved = 0;
  for (const Returning& part : put_back_)
    saved += part.events - std::min(part.unsaved, part.events);
  return saved;
}

std::uint64_t LaneOrder::give_up() {
  std::uint64_t unsaved = 0;
  for (const Returning& part : put_back_) unsaved += part.unsaved;
  put_back_.clear();
  move(Place::returning, Place::unread, at(Place::returning));
  remove(Place::unread, {unsaved, 0});
  return unsaved;
}

/// In the order in which an event can move inside of one group: confirmed or released, stored, and
/// then unread or arrived. So no place is left before it was entered.
///
/// A store that was opened again may hold more scheduled events than are known: a transaction that
/// failed may be on disk all the same, and one that released events may be lost with damage. Such
/// events may become due before this lane has asked for its totals anew. So the disk can release
/// more events than are known.
LaneOrder::Surprise LaneOrder::take(LaneAnswer&& answer) {
  move(Place::confirming, Place::storing, answer.confirmed);
  move(Place::confirming, Place::scheduled, answer.confirmed_scheduled);
  remove(Place::confirming, answer.unconfirmed);
  remove(Place::storing, answer.unstored);
  remove(Place::scheduled, answer.unscheduled);
  Surprise surprise;
  const std::uint64_t due = answer.released.events + answer.unreleased.events;
  surprise.found = due - std::min(at(Place::scheduled).events, due);
  move(Place::scheduled, Place::storing, answer.released);
  remove(Place::scheduled, answer.unreleased);
  at_mutable(Place::unread) += answer.returned;
  take_front(answer.front);
  // Blocks that are only on disk may precede those that were sent back: the latter are then read
  // again after them.
  move(Place::storing, Place::unread, answer.left);
  for (Block& block : answer.stored) take_stored(std::move(block));
  // A read saw all that its group has stored.
  if (!answer.read) return surprise;
  surprise += answer.read->totals ? take_anew(*answer.read, answer.scheduling)
                                  : take_read(std::move(*answer.read));
  return surprise;
}

void LaneOrder::take_front(const Amount& stored) {
  move(Place::returning, Place::unread, stored);
  for (std::uint64_t left = stored.events; left > 0 && !put_back_.empty();) {
    Returning& part = put_back_.front();
    const std::uint64_t events = std::min(left, part.events);
    left -= events;
    part.events -= events;
    if (part.events == 0) put_back_.pop_front();
  }
}

void LaneOrder::take_stored(Block block) {
  const Amount amount{block.events, block.records.size()};
  const bool is_next =
      at(Place::unread).events == 0 && !is_reading_ && !is_in_doubt_ && !is_turning();
  const bool may_overtake = is_fresh_first_ && read_early_.size() < early_max;
  const bool has_room = arrived_memory_ + amount.bytes <= read_ahead_bytes_max;
  if (is_closed_ || !has_room || !(is_next || may_overtake)) {
    move(Place::storing, Place::unread, amount);
    return;
  }
  move(Place::storing, Place::arrived, amount);
  arrived_memory_ += amount.bytes;
  if (is_next) {
    read_up_to_ = block.id;
  } else {
    read_early_.insert(block.id);
  }
  if (!is_fresh_first_) {
    arrived_.push_back(std::move(block));
    return;
  }
  // After the blocks that were begun, and after those that overtook before it.
  early_end_ = std::max(early_end_, std::size_t{next_offset_ > 0 ? 1U : 0U});
  arrived_.insert(arrived_.begin() + static_cast<std::ptrdiff_t>(early_end_), std::move(block));
  ++early_end_;
}

// From disk ---------------------------------------------------------------------------------------

std::optional<ReadRequest> LaneOrder::begin_read(DestinationHandle lane) {
  if (is_reading_ || is_closed_ || is_distrusted_ || is_turning()) return std::nullopt;
  if (at(Place::unread).events == 0 && !is_in_doubt_) return std::nullopt;
  if (arrived_memory_ >= read_ahead_bytes_max) return std::nullopt;
  is_reading_ = true;
  return ReadRequest{lane, read_up_to_, read_ahead_bytes_max - arrived_memory_,
                     is_in_doubt_ && read_up_to_ == INT64_MIN};
}

/// After damage the disk may hold other events than `unread` counts. Events beyond the count are
/// found at once, because they are in memory now. Too few prove nothing yet: the others may stand
/// before read_up_to_. So a difference first causes doubt, and everything is read once more. What
/// is missing at the end of that reading is gone, as are the events of damaged blocks.
LaneOrder::Surprise LaneOrder::take_read(ReadAnswer answer) {
  is_reading_ = false;
  if (answer.has_failed) return {};
  Surprise surprise;
  if (is_closed_) {
    // It may have seen the events that were put back. The blocks that it read stay in their places.
    surprise.missing = std::min(answer.damaged.events, at(Place::unread).events);
    remove(Place::unread, {surprise.missing, answer.damaged.bytes});
    return surprise;
  }
  for (Block& block : answer.blocks) {
    read_up_to_ = std::max(read_up_to_, block.id);
    // In memory already, or it was: its events are counted elsewhere.
    if (read_early_.erase(block.id) > 0) continue;
    const auto open = open_.find(block.id);
    if (open != open_.end() && !open->second.passed.empty()) unmask_passed(block, open->second);
    const Amount amount = unsettled_of(block);
    const std::uint64_t known = at(Place::unread).events;
    if (amount.events > known) surprise.found += amount.events - known;
    move(Place::unread, Place::arrived, amount);
    arrived_memory_ += block.records.size();
    arrived_.push_back(std::move(block));
  }
  skip_settled();
  read_early_.erase(read_early_.begin(), read_early_.upper_bound(read_up_to_));
  const bool was_in_doubt = is_in_doubt_;
  const std::uint64_t unread = at(Place::unread).events;
  surprise.missing = std::min(answer.damaged.events, unread);
  if (answer.is_end) is_in_doubt_ = false;
  if (answer.is_end && was_in_doubt) surprise.missing = unread;
  remove(Place::unread, {surprise.missing, answer.damaged.bytes});
  const bool is_odd = surprise.found > 0 || (answer.is_end && unread > surprise.missing);
  if (is_odd && !was_in_doubt) {
    is_in_doubt_ = true;
    read_from_the_beginning();
  }
  return surprise;
}

/// All except the held ones. Blocks with held events are marked as read early, so that reading
/// steps over them. A block with events that were passed over is read all the same, but take_read()
/// lets only those events through (unmask_passed).
void LaneOrder::read_from_the_beginning() {
  read_up_to_ = INT64_MIN;
  wants_look_back_ = false;
  left_of_round_ = 0;
  move(Place::passed, Place::unread, at(Place::passed));
  // Not those of the reading before, which may have been cut short: a block that it would have
  // stepped over may have been passed over meanwhile, and nobody holds it any more.
  read_early_.clear();
  for (const Block& block : arrived_) read_early_.insert(block.id);
  for (const auto& [id, open] : open_) {
    if (open.passed.empty()) {
      read_early_.insert(id);
    } else {
      read_early_.erase(id);
    }
  }
}

ReadRequest LaneOrder::begin_anew(DestinationHandle lane) {
  is_reading_ = true;
  ReadRequest request{.lane = lane, .is_anew = true, .held = {arrived_.begin(), arrived_.end()}};
  std::set<BlockId> arrived;
  for (Block& block : request.held) {
    arrived.insert(block.id);
    if (const auto open = open_.find(block.id); open != open_.end()) {
      block.settled = open->second.settled;
    }
  }
  for (const auto& [id, open] : open_) {
    if (arrived.contains(id)) continue;
    Block& block = request.held.emplace_back();
    block.id = id;
    block.settled = open.settled;
  }
  return request;
}

bool LaneOrder::is_on_disk(const RecordOrigin& origin) const {
  const auto found = open_.find(origin.block);
  return !is_distrusted_ && found != open_.end() && !found->second.is_gone;
}

LaneOrder::Surprise LaneOrder::take_anew(const ReadAnswer& answer, const Amount& scheduling) {
  is_reading_ = is_distrusted_ = is_in_doubt_ = false;
  // Events that one replacement lost may be found by the next.
  for (auto& [id, open] : open_) open.is_gone = false;
  for (const BlockId id : answer.gone) {
    const auto open = open_.find(id);
    if (open == open_.end()) continue;
    open->second.is_gone = true;
    open->second.unsettled -= std::exchange(open->second.passed_amount, {});
    open->second.passed.clear();
    const Open& left = open->second;
    if (left.unsettled.events + left.newly_settled.events == 0) open_.erase(open);
  }
  // All else that is on disk is unread, and is read from the beginning.
  read_from_the_beginning();
  // The totals count every event on disk. Of these, the events that are held here, and those that
  // were settled here after the question left, are not unread. The totals count nothing of a block
  // that is gone: its held events are adrift, in memory only.
  Amount held = at(Place::arrived);
  held += at(Place::taken);
  adrift_ = {};
  for (const auto& [id, open] : open_) {
    if (open.is_gone) {
      adrift_ += open.unsettled;
    } else {
      held += open.newly_settled;
    }
  }
  // Events that a stop has left in place are no longer held, whatever the state of their block.
  if (adrift_.events > at(Place::taken).events) adrift_ = at(Place::taken);
  held -= adrift_;
  Amount unread{answer.totals->events, answer.totals->bytes};
  unread -= held;
  Amount scheduled{answer.totals->scheduled_events, answer.totals->scheduled_bytes};
  scheduled += scheduling;
  Surprise surprise;
  const auto replace = [&](Place place, const Amount& there) {
    const std::uint64_t known = at(place).events;
    surprise.found += there.events - std::min(known, there.events);
    surprise.missing += known - std::min(known, there.events);
    at_mutable(place) = there;
  };
  replace(Place::unread, unread);
  replace(Place::scheduled, scheduled);
  return surprise;
}

proto::ByteView LaneOrder::next() const {
  const std::uint8_t* at = arrived_.front().records.data() + next_offset_;
  return {at, record_bytes_at(at)};
}

void LaneOrder::take_next() {
  const Block& block = arrived_.front();
  Open& open = open_[block.id];
  if (open.settled.empty()) {
    open.created_ns = block.created_ns;
    open.unsettled = unsettled_of(block);
    open.settled = block.settled;
    open.settled.resize((block.events + 7) / 8);
  }
  const std::size_t bytes = next().size();
  move(Place::arrived, Place::taken, {1, bytes});
  if (left_of_round_ > 0) --left_of_round_;
  next_offset_ += bytes;
  ++next_index_;
  skip_settled();
}

bool LaneOrder::pass_over(const RecordOrigin& origin, std::uint64_t bytes) {
  if (is_closed_ || !is_on_disk(origin)) return false;
  if (at(Place::passed).events == 0) left_of_round_ = spooled();
  const auto found = open_.find(origin.block);
  Open& open = found->second;
  open.passed.resize(open.settled.size());
  open.passed[origin.index / 8] |= static_cast<std::uint8_t>(1U << (origin.index % 8));
  open.passed_amount += {1, bytes};
  move(Place::taken, Place::passed, {1, bytes});
  // Nothing else of the block is held, and its settled events are settled on disk, too: the disk
  // knows as much of it as memory does. A later reading takes it as a block never seen.
  const bool is_as_on_disk =
      !open.has_settled && open.passed_amount.events == open.unsettled.events;
  if (is_as_on_disk) open_.erase(found);
  return true;
}

/// The round is over: further reads would only delay the look back.
bool LaneOrder::is_turning() const {
  const bool is_over = left_of_round_ == 0 || at(Place::unread).events == 0;
  return wants_look_back_ && is_over && !is_in_doubt_ && !is_distrusted_ && !is_closed_;
}

void LaneOrder::look_back() {
  read_from_the_beginning();
}

/// Of a block that is partly held, only the events that were passed over return.
void LaneOrder::unmask_passed(Block& block, Open& open) {
  block.settled.assign(open.settled.size(), 0xff);
  for (std::size_t i = 0; i < open.passed.size(); ++i) {
    block.settled[i] = static_cast<std::uint8_t>(~open.passed[i]);
  }
  open.passed.clear();
  open.passed_amount = {};
}

std::uint64_t LaneOrder::created_ns(const RecordOrigin& origin) const {
  const auto found = open_.find(origin.block);
  assert(found != open_.end());
  return found == open_.end() ? 0 : found->second.created_ns;
}

/// On to the next event that is not settled, and to the next block if there is none. This keeps
/// rule 3 of the header, by which has_next() needs to look at no event.
void LaneOrder::skip_settled() {
  while (!arrived_.empty()) {
    const Block& block = arrived_.front();
    while (next_offset_ < block.records.size() && has_bit(block.settled, next_index_)) {
      next_offset_ += next().size();
      ++next_index_;
    }
    if (next_offset_ < block.records.size()) return;
    arrived_memory_ -= block.records.size();
    arrived_.pop_front();
    if (early_end_ > 0) --early_end_;
    next_index_ = 0;
    next_offset_ = 0;
  }
}

// Done --------------------------------------------------------------------------------------------

bool LaneOrder::settle(const RecordOrigin& origin, std::uint64_t bytes) {
  const auto found = open_.find(origin.block);
  assert(found != open_.end());
  if (found == open_.end()) return false;
  Open& open = found->second;
  const bool is_first = touched_.empty();
  if (open.newly_settled.events == 0) touched_.push_back(found->first);
  open.settled[origin.index / 8] |= static_cast<std::uint8_t>(1U << (origin.index % 8));
  open.unsettled -= {1, bytes};
  open.newly_settled += {1, bytes};
  open.has_settled = true;
  if (open.is_gone) adrift_ -= {1, bytes};
  remove(Place::taken, {1, bytes});
  return is_first;
}

void LaneOrder::take_settlements(DestinationHandle lane, std::vector<Settlement>& out) {
  for (const BlockId id : touched_) {
    const auto found = open_.find(id);
    Open& open = found->second;
    const Amount settled = std::exchange(open.newly_settled, {});
    Settlement settlement{id,
                          lane,
                          static_cast<std::uint32_t>(settled.events),
                          settled.bytes,
                          open.unsettled.events == 0,
                          {}};
    if (settlement.is_whole) {
      open_.erase(found);
    } else {
      settlement.settled = open.settled;
    }
    out.push_back(std::move(settlement));
  }
  touched_.clear();
}

}  // namespace outrider::sidecar
