#include "sidecar/spool/spool.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "sidecar/base/fault_point.hpp"

namespace outrider::sidecar {
namespace {

/// More than this is given back after a frame that needed it.
constexpr std::size_t frame_bytes_kept_max = 1U << 20U;

bool has_no_room(StorageTrouble trouble) {
  return trouble == StorageTrouble::full || trouble == StorageTrouble::at_limit;
}

DropReason drop_reason(StorageTrouble trouble) {
  return has_no_room(trouble) ? DropReason::spool_full : DropReason::spool_failed;
}

proto::Refusal refusal_for(StorageTrouble trouble) {
  if (trouble == StorageTrouble::at_limit) return proto::Refusal::spool_full;
  return trouble == StorageTrouble::full ? proto::Refusal::disk_full
                                         : proto::Refusal::spool_failing;
}

Entry write_entry(Bytes& out, LaneIndex lane, const RecordView& record, std::uint64_t due_ns,
                  const Now& now) {
  const std::size_t bytes = stored_record_bytes(record);
  const std::size_t offset = out.size();
  out.resize(offset + bytes);
  write_stored_record(record, now, out.data() + offset);
  return {lane, static_cast<std::uint32_t>(bytes), offset, due_ns};
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
      frame_bytes_max_(std::min(settings.frame_bytes_max, settings.bytes_max)),
      gathered_(std::make_unique<Question>()) {
  for (std::size_t i = 0; i < settings.lanes.size(); ++i) {
    lanes_.push_back(
        std::make_unique<Lane>(*this, static_cast<LaneIndex>(i), settings.lanes[i], totals[i]));
    bytes_ += totals[i].bytes + totals[i].scheduled_bytes;
  }
}

// Turning -----------------------------------------------------------------------------------------

int Spool::do_work(const Now& now) {
  int work = 0;
  for (const std::unique_ptr<Reply>& answer : exchange_.collect()) {
    take_answer(*answer, now);
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
  spilled_bytes_ = 0;
  dead_bytes_ = 0;
  exchange_.ask(std::exchange(gathered_, std::make_unique<Question>()));
}

MonoTime Spool::next_deadline() const {
  const MonoTime undone = undone_marks_.empty() ? never : undone_retry_at_;
  const bool can_ask = !is_asking_ && (!gathered_->is_empty() || has_settlements());
  return can_ask ? std::min(retry_at_, undone) : undone;
}

std::vector<ScheduleMark> Spool::take_undone_marks(const Now& now) {
  if (now.mono < undone_retry_at_) return {};
  return std::exchange(undone_marks_, {});
}

void Spool::take_answer(Reply& answer, const Now& now) {
  if (answer.question) {
    is_asking_ = false;
    asked_spilled_ = 0;
    take_intake(*answer.question, answer, now);
    take_frames(*answer.question, answer);
  }
  for (const Moved& moved : answer.released) lanes_[moved.lane]->note_released(moved);
  for (const Moved& moved : answer.returned) lanes_[moved.lane]->note_returned(moved);
  // What is on disk only may stand before what has come back: then that is read again behind it.
  for (const Moved& moved : answer.left) lanes_[moved.lane]->note_left(moved);
  for (Block& block : answer.stored) lanes_[block.lane]->note_stored(std::move(block));
  for (std::size_t i = 0; i < answer.reads.size(); ++i) {
    lanes_[answer.question->reads[i].lane]->note_read(answer.reads[i]);
  }
  if (answer.dead_trimmed > 0) {
    log_.warn("the oldest dead letters were removed, for there are too many",
              {{"events", std::to_string(answer.dead_trimmed)}});
  }
  if (answer.has_failed && answer.question) keep_undone(*answer.question);
  const bool is_read_failing = std::any_of(answer.reads.begin(), answer.reads.end(),
                                           [](const auto& read) { return read.has_failed; });
  const bool is_in_trouble = answer.has_failed || is_read_failing ||
                             (answer.intake_trouble && !has_no_room(*answer.intake_trouble));
  if (is_in_trouble) retry_at_ = now.mono + retry_interval;
}

void Spool::take_intake(Question& question, const Reply& answer, const Now& now) {
  if (answer.intake_trouble) {
    const DropReason reason = drop_reason(*answer.intake_trouble);
    for (const Entry& entry : question.spilled) lanes_[entry.lane]->note_not_stored(entry, reason);
    if (!question.marks.empty()) undone_retry_at_ = now.mono + undone_interval;
    std::ranges::move(question.marks, std::back_inserter(undone_marks_));
  } else {
    for (const Block& block : question.front) lanes_[block.lane]->note_front_stored(block);
  }
}

void Spool::take_frames(const Question& question, const Reply& answer) {
  for (std::size_t i = 0; i < question.frames.size(); ++i) {
    const ConfirmedFrame& frame = question.frames[i];
    const FrameAnswer fate =
        answer.intake_trouble
            ? FrameAnswer{refusal_for(*answer.intake_trouble), false, frame.refused}
            : answer.frames[i];
    for (std::size_t j = 0; j < frame.entries; ++j) {
      const Entry& entry = question.confirmed[frame.first_entry + j];
      Lane& lane = *lanes_[entry.lane];
      if (fate.is_new) {
        lane.note_confirmed(entry);
      } else {
        lane.note_not_confirmed(entry.record_bytes);
      }
    }
    fault_point("before_answer");
    if (answer_frame_) answer_frame_(frame, fate);
    fault_point("after_answer");
  }
}

/// The disk failed: what must not be forgotten is asked for again.
void Spool::keep_undone(Question& question) {
  put_before(question.settlements, gathered_->settlements);
  put_before(question.front, gathered_->front);
  for (const DeadLetter& letter : question.dead) {
    dead_bytes_ += letter.record.size() + letter.answer.size();
  }
  put_before(question.dead, gathered_->dead);
  gathered_->wants_look = gathered_->wants_look || question.wants_look;
}

void Spool::give_up() {
  for (const Entry& entry : gathered_->spilled) {
    lanes_[entry.lane]->note_not_stored(entry, DropReason::spool_failed);
  }
  gathered_->spilled.clear();
  for (const auto& lane : lanes_) lane->give_up();
}

// New events --------------------------------------------------------------------------------------

bool Spool::has_room(LaneIndex lane, std::uint64_t bytes) const {
  return spilled_bytes_ + bytes <= spilled_bytes_max && bytes_ + bytes <= bytes_max_ &&
         lanes_[lane]->has_room(bytes);
}

void Spool::spill(LaneIndex lane, const RecordView& record, std::uint64_t due_ns, const Now& now) {
  const Entry entry = write_entry(gathered_->bytes, lane, record, due_ns, now);
  gathered_->spilled.push_back(entry);
  spilled_bytes_ += entry.record_bytes;
  gathered_bytes_ += entry.record_bytes + sizeof(Entry);
}

/// For ever comes before not now, and what concerns one event before what concerns all.
proto::Refusal Spool::refusal_of(std::span<const LaneIndex> lanes, std::uint64_t bytes) {
  const std::uint64_t copies = bytes * lanes.size();
  if (copies > frame_bytes_max_) return proto::Refusal::event_beyond_spool;
  for (const LaneIndex lane : lanes) {
    full_lane_ = lane;
    if (bytes > lanes_[lane]->bytes_max()) return proto::Refusal::event_beyond_spool;
  }
  for (const LaneIndex lane : lanes) {
    full_lane_ = lane;
    if (!lanes_[lane]->has_room(bytes)) return proto::Refusal::destination_full;
  }
  if (frame_bytes_.size() + copies > frame_bytes_max_) return proto::Refusal::frame_copies;
  if (bytes_ + copies > bytes_max_) return proto::Refusal::spool_full;
  return proto::Refusal::none;
}

proto::Refusal Spool::add_to_frame(std::span<const LaneIndex> lanes, const RecordView& record,
                                   std::uint64_t due_ns, const Now& now) {
  const proto::Refusal refusal = refusal_of(lanes, stored_record_bytes(record));
  if (refusal != proto::Refusal::none) return refusal;
  for (const LaneIndex lane : lanes) {
    frame_entries_.push_back(write_entry(frame_bytes_, lane, record, due_ns, now));
    lanes_[lane]->note_confirming(frame_entries_.back().record_bytes);
  }
  return refusal;
}

void Spool::add_frame(ConfirmedFrame frame) {
  Bytes& bytes = gathered_->bytes;
  frame.first_entry = gathered_->confirmed.size();
  frame.entries = frame_entries_.size();
  for (Entry entry : frame_entries_) {
    entry.offset += bytes.size();
    gathered_->confirmed.push_back(entry);
  }
  bytes.insert(bytes.end(), frame_bytes_.begin(), frame_bytes_.end());
  gathered_bytes_ += sizeof(ConfirmedFrame) + frame.peer.size() + frame_bytes_.size() +
                     frame_entries_.size() * sizeof(Entry) +
                     frame.refused.capacity() * sizeof(proto::RefusedEvent);
  gathered_->frames.push_back(std::move(frame));
  forget_frame();
}

void Spool::drop_frame() {
  for (const Entry& entry : frame_entries_) {
    lanes_[entry.lane]->note_not_confirmed(entry.record_bytes);
  }
  forget_frame();
}

void Spool::forget_frame() {
  const bool is_large = frame_bytes_.capacity() > frame_bytes_kept_max;
  frame_bytes_.clear();
  frame_entries_.clear();
  if (!is_large) return;
  frame_bytes_.shrink_to_fit();
  frame_entries_.shrink_to_fit();
}

}  // namespace outrider::sidecar
