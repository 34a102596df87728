#include "sidecar/spool/spool.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "sidecar/base/fault_point.hpp"

namespace outrider::sidecar {
namespace {

DropReason drop_reason(StorageTrouble trouble) {
  return trouble == StorageTrouble::full ? DropReason::spool_full : DropReason::spool_failed;
}

proto::Refusal refusal_of(StorageTrouble trouble) {
  return trouble == StorageTrouble::full ? proto::Refusal::spool_full
                                         : proto::Refusal::spool_failing;
}

template <typename T>
void put_before(std::vector<T>& first, std::vector<T>& second) {
  std::move(second.begin(), second.end(), std::back_inserter(first));
  second = std::move(first);
}

}  // namespace

Spool::Spool(const SpoolSettings& settings, const std::vector<StoredTotals>& totals,
             Exchange& exchange, Log& log)
    : exchange_(exchange),
      log_(log),
      bytes_max_(settings.bytes_max),
      gathered_(std::make_unique<Group>()) {
  for (std::size_t i = 0; i < settings.lanes.size(); ++i) {
    lanes_.push_back(
        std::make_unique<Lane>(*this, static_cast<LaneIndex>(i), settings.lanes[i], totals[i]));
    bytes_ += totals[i].bytes + totals[i].scheduled_bytes;
  }
}

// Turning -----------------------------------------------------------------------------------------

int Spool::do_work(const Now& now) {
  int work = 0;
  for (const std::unique_ptr<Group>& group : exchange_.collect()) {
    take_answer(*group, now);
    ++work;
  }
  return work;
}

void Spool::hand_over(const Now& now) {
  if (is_asking_ || now.mono < retry_at_) return;
  for (const LaneIndex lane : touched_) lanes_[lane]->write_settlements(*gathered_);
  touched_.clear();
  if (gathered_->is_empty()) return;
  is_asking_ = true;
  asked_spilled_ = gathered_->spilled.size();
  gathered_bytes_ = 0;
  dead_bytes_ = 0;
  frame_begin_ = 0;
  exchange_.ask(std::exchange(gathered_, std::make_unique<Group>()));
}

MonoTime Spool::next_deadline() const {
  return !is_asking_ && (!gathered_->is_empty() || has_settlements()) ? retry_at_ : never;
}

void Spool::take_answer(Group& group, const Now& now) {
  if (group.is_asked) {
    is_asking_ = false;
    asked_spilled_ = 0;
  }
  take_intake(group);
  take_frames(group);
  for (const Moved& moved : group.released) lanes_[moved.lane]->note_released(moved);
  for (const Moved& moved : group.returned) lanes_[moved.lane]->note_returned(moved);
  // What is on disk only may stand before what has come back: then that is read again behind it.
  for (const Moved& moved : group.left) lanes_[moved.lane]->note_left(moved);
  for (Block& block : group.stored) lanes_[block.lane]->note_stored(std::move(block));
  for (ReadAnswer& answer : group.reads_done) lanes_[answer.request.lane]->note_read(answer);
  if (group.dead_trimmed > 0) {
    log_.warn("the oldest dead letters were removed, for there are too many",
              {{"events", std::to_string(group.dead_trimmed)}});
  }
  if (group.has_failed) keep_undone(group);
  const bool is_read_failing = std::any_of(group.reads_done.begin(), group.reads_done.end(),
                                           [](const auto& answer) { return answer.has_failed; });
  const bool is_in_trouble =
      group.has_failed || is_read_failing ||
      (group.intake_trouble && *group.intake_trouble != StorageTrouble::full);
  if (is_in_trouble) retry_at_ = now.mono + retry_interval;
}

void Spool::take_intake(Group& group) {
  if (group.intake_trouble) {
    const DropReason reason = drop_reason(*group.intake_trouble);
    for (const Entry& entry : group.spilled) lanes_[entry.lane]->note_not_stored(entry, reason);
    put_before(group.marks, undone_marks_);
  } else {
    for (const Block& block : group.front) lanes_[block.lane]->note_front_stored(block);
  }
}

void Spool::take_frames(Group& group) {
  for (ConfirmedFrame& frame : group.frames) {
    if (group.intake_trouble) frame.status = refusal_of(*group.intake_trouble);
    for (std::size_t i = 0; i < frame.entries; ++i) {
      const Entry& entry = group.confirmed[frame.first_entry + i];
      Lane& lane = *lanes_[entry.lane];
      if (frame.is_new && !group.intake_trouble) {
        lane.note_confirmed(entry);
      } else {
        lane.note_not_reserved(entry.record_bytes);
      }
    }
    fault_point("before_answer");
    if (answer_frame_) answer_frame_(frame);
    fault_point("after_answer");
  }
}

/// The disk failed: what must not be forgotten is asked for again.
void Spool::keep_undone(Group& group) {
  put_before(group.settlements, gathered_->settlements);
  put_before(group.front, gathered_->front);
  for (const DeadLetter& letter : group.dead) {
    dead_bytes_ += letter.record.size() + letter.answer.size();
  }
  put_before(group.dead, gathered_->dead);
  gathered_->wants_look = gathered_->wants_look || group.wants_look;
}

void Spool::give_up() {
  for (const Entry& entry : gathered_->spilled) {
    lanes_[entry.lane]->note_not_stored(entry, DropReason::spool_failed);
  }
  gathered_->spilled.clear();
  for (const auto& lane : lanes_) lane->give_up();
}

// New events --------------------------------------------------------------------------------------

bool Spool::has_room(std::uint64_t bytes) const {
  return gathered_bytes_ + bytes <= gathered_bytes_max && bytes_ + bytes <= bytes_max_;
}

bool Spool::has_room(LaneIndex lane, std::uint64_t bytes) const {
  return has_room(bytes) && lanes_[lane]->has_room(bytes);
}

Entry Spool::write_entry(LaneIndex lane, const RecordView& record, std::uint64_t due_ns,
                         const Now& now) {
  const std::size_t bytes = stored_record_bytes(record);
  Bytes& out = gathered_->bytes;
  const std::size_t offset = out.size();
  out.resize(offset + bytes);
  write_stored_record(record, now, out.data() + offset);
  gathered_bytes_ += bytes;
  return {lane, static_cast<std::uint32_t>(bytes), offset, due_ns};
}

void Spool::add_to_frame(LaneIndex lane, const RecordView& record, std::uint64_t due_ns,
                         const Now& now) {
  if (gathered_->confirmed.size() == frame_begin_) frame_bytes_begin_ = gathered_->bytes.size();
  const Entry entry = write_entry(lane, record, due_ns, now);
  gathered_->confirmed.push_back(entry);
  lanes_[lane]->note_reserved(entry.record_bytes);
}

void Spool::add_frame(ConfirmedFrame frame) {
  frame.first_entry = frame_begin_;
  frame.entries = gathered_->confirmed.size() - frame_begin_;
  gathered_->frames.push_back(std::move(frame));
  frame_begin_ = gathered_->confirmed.size();
}

void Spool::drop_frame() {
  if (gathered_->confirmed.size() == frame_begin_) return;
  for (std::size_t i = frame_begin_; i < gathered_->confirmed.size(); ++i) {
    const Entry& entry = gathered_->confirmed[i];
    lanes_[entry.lane]->note_not_reserved(entry.record_bytes);
  }
  gathered_->confirmed.resize(frame_begin_);
  gathered_bytes_ -= gathered_->bytes.size() - frame_bytes_begin_;
  gathered_->bytes.resize(frame_bytes_begin_);
}

}  // namespace outrider::sidecar
