#include "sidecar/spool/lane.hpp"

#include <algorithm>
#include <utility>

namespace outrider::sidecar {

Lane::Lane(QuestionBuilder& question, DestinationHandle index, const LaneSettings& settings,
           const StoredTotals& totals)
    : question_(question),
      index_(index),
      settings_(settings),
      order_(totals, settings.is_fresh_first),
      counted_bytes_(order_.bytes()) {
  question_.count_bytes(0, counted_bytes_);
}

void Lane::attach(Ledger& ledger) {
  ledger_ = &ledger;
  const std::uint64_t there = order_.at(Place::unread).events + order_.at(Place::scheduled).events;
  const std::uint64_t known = ledger.spooled + ledger.scheduled;
  const std::uint64_t found = there - std::min(there, known);
  ledger.accepted += found;
  ledger.recovered += found;
  ledger.drop(DropReason::damaged, known - std::min(there, known));
  publish();
}

/// Whatever has moved: the copies of the sums follow.
void Lane::publish() {
  ledger_->spooled = order_.spooled();
  ledger_->scheduled = order_.at(Place::scheduled).events;
  const std::uint64_t bytes = order_.bytes();
  question_.count_bytes(std::exchange(counted_bytes_, bytes), bytes);
}

// Coming in ---------------------------------------------------------------------------------------

bool Lane::schedule(const RecordView& record, std::uint64_t due_ns, const Now& now) {
  const std::size_t bytes = stored_record_bytes(record);
  if (!has_room(bytes) || !question_.has_room_to_spill(bytes)) return false;
  question_.spill(index_, record, due_ns, now);
  order_.add(due_ns == 0 ? Place::storing : Place::scheduled, bytes);
  publish();
  return true;
}

void Lane::confirm(std::uint64_t bytes) {
  order_.add(Place::confirming, bytes);
  publish();
}

void Lane::withdraw(std::uint64_t bytes) {
  order_.withdraw(bytes);
  publish();
}

/// If all of the events are on disk, they stay where they are: that is their order. If a single one
/// is not, it belongs between others. So all are written anew, in front, and the old copies are
/// settled; one question carries both.
void Lane::put_back(PutBack events) {
  for (const PutBack::Saved& event : events.saved) {
    if (!order_.is_on_disk(event.origin)) ++events.unsaved;
  }
  if (events.unsaved == 0) {
    Amount saved;
    for (const PutBack::Saved& event : events.saved) saved += {1, event.bytes};
    order_.leave(saved);
  } else {
    for (const PutBack::Saved& event : events.saved) settle(event.origin, event.bytes);
    Amount all;
    for (Block& block : events.blocks) {
      block.lane = index_;
      all += {block.events, block.records.size()};
      question_.put_front(std::move(block));
    }
    order_.put_back(all, events.unsaved);
  }
  publish();
}

void Lane::give_up() {
  ledger_->drop(DropReason::spool_failed, order_.give_up());
  publish();
}

// Going out ---------------------------------------------------------------------------------------

std::uint64_t Lane::created_ns(const RecordView& record, const Now& now) const {
  return record.origin ? order_.created_ns(*record.origin) : now.wall_ns();
}

bool Lane::is_too_old(const RecordView& record, Duration tried_for, const Now& now) const {
  if (tried_for < settings_.age_max / tried_divisor) return false;
  const std::uint64_t since = created_ns(record, now);
  const auto age_max = static_cast<std::uint64_t>(settings_.age_max.count());
  return now.wall_ns() > since && now.wall_ns() - since >= age_max;
}

void Lane::take_next() {
  order_.take_next();
  publish();
}

bool Lane::pass_over(const RecordView& record) {
  const bool is_passed = order_.pass_over(*record.origin, stored_record_bytes(record));
  publish();
  return is_passed;
}

void Lane::look_back() {
  order_.look_back();
  publish();
}

void Lane::read_ahead() {
  if (auto request = order_.begin_read(index_)) question_.read(std::move(*request));
}

// Done --------------------------------------------------------------------------------------------

void Lane::settle(const RecordOrigin& origin, std::uint64_t bytes) {
  if (order_.settle(origin, bytes)) question_.note_settled(index_);
  publish();
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
  question_.bury(std::move(letter));
}

// Answers of the disk -----------------------------------------------------------------------------

void Lane::take(LaneAnswer&& answer, DropReason reason) {
  const std::uint64_t confirmed = answer.confirmed.events + answer.confirmed_scheduled.events;
  confirmed_ += answer.confirmed;
  confirmed_ += answer.confirmed_scheduled;
  const std::uint64_t unstored = answer.unstored.events + answer.unscheduled.events;
  const std::uint64_t unreleased = answer.unreleased.events;
  const std::uint64_t returned = answer.returned.events;
  const LaneOrder::Surprise surprise = order_.take(std::move(answer));
  ledger_->accepted += confirmed + returned + surprise.found;
  ledger_->recovered += returned + surprise.found;
  ledger_->drop(reason, unstored);
  ledger_->drop(DropReason::damaged, unreleased + surprise.missing);
  publish();
}

}  // namespace outrider::sidecar
