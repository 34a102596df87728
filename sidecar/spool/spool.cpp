#include "sidecar/spool/spool.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "sidecar/base/fault_point.hpp"

namespace outrider::sidecar {
namespace {

/// More than this is given back after a frame that needed it.
constexpr std::size_t frame_bytes_kept_max = 1U << 20U;

std::uint64_t new_events(const Question& question) {
  std::uint64_t events = question.spilled.size() + question.confirmed.size();
  for (const Block& block : question.front) events += block.events;
  return events;
}

std::uint64_t settled_events(const Question& question) {
  std::uint64_t events = 0;
  for (const Settlement& settlement : question.settlements) events += settlement.events;
  return events;
}

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

}  // namespace

Spool::Spool(const SpoolSettings& settings, const std::vector<StoredTotals>& totals,
             Exchange& exchange, Log& log)
    : exchange_(exchange),
      log_(log),
      frame_bytes_max_(std::min(settings.frame_bytes_max, settings.bytes_max)),
      gathered_(settings.bytes_max),
      stalls_(log) {
  for (std::size_t i = 0; i < settings.lanes.size(); ++i) {
    lanes_.push_back(
        std::make_unique<Lane>(gathered_, static_cast<LaneIndex>(i), settings.lanes[i], totals[i]));
  }
  lane_answers_.resize(lanes_.size());
  is_answered_.resize(lanes_.size());
}

// Turning -----------------------------------------------------------------------------------------

int Spool::do_work(const Now& now) {
  int work = 0;
  for (const std::unique_ptr<Reply>& answer : exchange_.collect()) {
    if (answer->question) stalls_.answered(now);
    take_answer(*answer, now);
    ++work;
  }
  if (now.mono >= stalls_.next_deadline()) {
    stalls_.do_work(exchange_.put_backs(), waiting_events(), now);
  }
  return work;
}

void Spool::hand_over(const Now& now) {
  if (asked_ != nullptr || now.mono < retry_at_ || !has_question()) return;
  gather_settlements();
  if (std::exchange(is_store_new_, false)) {
    for (const auto& lane : lanes_) lane->look_anew();
  }
  asked_ = &gathered_.question();
  stalls_.asked(exchange_.put_backs(), now);
  exchange_.ask(gathered_.take());
}

void Spool::gather_settlements() {
  for (const LaneIndex lane : gathered_.take_settled_lanes()) {
    lanes_[lane]->take_settlements(gathered_.question().settlements);
  }
}

std::uint64_t Spool::unwritten_outcomes() {
  gather_settlements();
  std::uint64_t settled = settled_events(gathered_.question());
  if (asked_ != nullptr) settled += settled_events(*asked_);
  std::uint64_t moving = 0;
  for (const auto& lane : lanes_) moving += lane->events_moving();
  return settled - std::min(moving, settled);
}

MonoTime Spool::next_deadline() const {
  return asked_ == nullptr && has_question() ? retry_at_ : stalls_.next_deadline();
}

std::uint64_t Spool::waiting_events() const {
  return new_events(gathered_.question()) + (asked_ != nullptr ? new_events(*asked_) : 0);
}

void Spool::take_answer(Reply& answer, const Now& now) {
  const bool is_read_failing = std::any_of(answer.reads.begin(), answer.reads.end(),
                                           [](const auto& read) { return read.has_failed; });
  const bool is_in_trouble = answer.has_failed || is_read_failing ||
                             (answer.intake_trouble && !has_no_room(*answer.intake_trouble));
  if (is_in_trouble) retry_at_ = now.mono + retry_interval;
  if (answer.question) {
    asked_ = nullptr;
    note_question(*answer.question, answer);
  }
  tell_lanes(answer);
  if (answer.is_store_new) {
    is_store_new_ = true;
    for (const auto& lane : lanes_) lane->distrust();
  }
  if (answer.question) answer_frames(*answer.question, answer);
  if (answer.dead_trimmed > 0) {
    log_.warn("the oldest dead letters were removed, for there are too many",
              {{"events", std::to_string(answer.dead_trimmed)}});
  }
  if (answer.has_failed && answer.question) gathered_.ask_again(*answer.question);
}

LaneAnswer& Spool::answer_for(LaneIndex lane) {
  if (!is_answered_[lane]) {
    is_answered_[lane] = true;
    answered_.push_back(lane);
  }
  return lane_answers_[lane];
}

/// What the lanes have asked for, and frames.
void Spool::note_question(const Question& question, Reply& answer) {
  for (std::size_t i = 0; i < question.frames.size(); ++i) {
    const ConfirmedFrame& frame = question.frames[i];
    const bool is_stored = !answer.intake_trouble && answer.frames[i].is_new;
    for (std::size_t j = 0; j < frame.entries; ++j) {
      const Entry& entry = question.confirmed[frame.first_entry + j];
      LaneAnswer& lane = answer_for(entry.lane);
      Amount& stored = entry.due_ns == 0 ? lane.confirmed : lane.confirmed_scheduled;
      (is_stored ? stored : lane.unconfirmed) += {1, entry.record_bytes};
    }
  }
  if (answer.intake_trouble) {
    note_unstored(question.spilled);
  } else {
    for (const Block& block : question.front) {
      answer_for(block.lane).front += {block.events, block.records.size()};
    }
  }
  for (std::size_t i = 0; i < answer.reads.size(); ++i) {
    const ReadRequest& request = question.reads[i];
    LaneAnswer& lane = answer_for(request.lane);
    if (request.is_anew) {
      is_store_new_ = is_store_new_ || answer.reads[i].has_failed;
      lane.scheduling = gathered_.scheduling(request.lane);
    }
    lane.read = std::move(answer.reads[i]);
  }
}

/// Each lane hears all that the answer says to it at once.
void Spool::tell_lanes(Reply& answer) {
  for (const Moved& moved : answer.released) {
    answer_for(moved.lane).released += {moved.events, moved.bytes};
    answer_for(moved.lane).unreleased += {moved.damaged, moved.damaged_bytes};
  }
  for (const Moved& moved : answer.returned) {
    answer_for(moved.lane).returned += {moved.events, moved.bytes};
  }
  for (const Moved& moved : answer.left) {
    answer_for(moved.lane).left += {moved.events, moved.bytes};
  }
  for (Block& block : answer.stored) answer_for(block.lane).stored.push_back(std::move(block));
  end_answers(answer.intake_trouble ? drop_reason(*answer.intake_trouble)
                                    : DropReason::spool_failed);
}

void Spool::note_unstored(const std::vector<Entry>& spilled) {
  for (const Entry& entry : spilled) {
    LaneAnswer& answer = answer_for(entry.lane);
    (entry.due_ns == 0 ? answer.unstored : answer.unscheduled) += {1, entry.record_bytes};
  }
}

void Spool::end_answers(DropReason reason) {
  for (const LaneIndex lane : answered_) {
    lanes_[lane]->take(std::exchange(lane_answers_[lane], {}), reason);
    is_answered_[lane] = false;
  }
  answered_.clear();
}

void Spool::answer_frames(const Question& question, const Reply& answer) {
  for (std::size_t i = 0; i < question.frames.size(); ++i) {
    const ConfirmedFrame& frame = question.frames[i];
    const FrameAnswer fate =
        answer.intake_trouble
            ? FrameAnswer{refusal_for(*answer.intake_trouble), false, frame.refused}
            : answer.frames[i];
    fault_point("before_answer");
    if (answer_frame_) answer_frame_(frame, fate);
    fault_point("after_answer");
  }
}

void Spool::give_up(const Now& now) {
  Reply undone;
  undone.has_failed = true;
  undone.intake_trouble = StorageTrouble::failing;
  undone.question = exchange_.take();
  if (undone.question) take_answer(undone, now);
  if (asked_ != nullptr) note_unstored(asked_->spilled);
  note_unstored(gathered_.question().spilled);
  end_answers(DropReason::spool_failed);
  gathered_.question().spilled.clear();
  for (const auto& lane : lanes_) lane->give_up();
}

// New events --------------------------------------------------------------------------------------

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
  if (!gathered_.has_room(copies)) return proto::Refusal::spool_full;
  return proto::Refusal::none;
}

proto::Refusal Spool::add_to_frame(std::span<const LaneIndex> lanes, const RecordView& record,
                                   std::uint64_t due_ns, const Now& now) {
  const proto::Refusal refusal = refusal_of(lanes, stored_record_bytes(record));
  if (refusal != proto::Refusal::none) return refusal;
  for (const LaneIndex lane : lanes) {
    frame_entries_.push_back(write_entry(frame_bytes_, lane, record, due_ns, now));
    lanes_[lane]->confirm(frame_entries_.back().record_bytes);
  }
  return refusal;
}

void Spool::add_frame(ConfirmedFrame frame) {
  gathered_.add_frame(std::move(frame), frame_entries_, frame_bytes_);
  forget_frame();
}

void Spool::drop_frame() {
  for (const Entry& entry : frame_entries_) {
    lanes_[entry.lane]->withdraw(entry.record_bytes);
  }
  forget_frame();
}

/// Beside a frame that may be half read.
proto::Refusal Spool::add_run(std::span<const LaneIndex> lanes, const RecordView& record,
                              ConfirmedFrame run, const Now& now) {
  const std::size_t bytes = stored_record_bytes(record);
  for (const LaneIndex lane : lanes) {
    full_lane_ = lane;
    if (!lanes_[lane]->has_room(bytes)) return proto::Refusal::destination_full;
  }
  if (!gathered_.has_room(bytes * lanes.size())) return proto::Refusal::spool_full;
  Bytes records;
  std::vector<Entry> entries;
  for (const LaneIndex lane : lanes) {
    entries.push_back(write_entry(records, lane, record, 0, now));
    lanes_[lane]->confirm(entries.back().record_bytes);
  }
  gathered_.add_frame(std::move(run), entries, records);
  return proto::Refusal::none;
}

void Spool::add_mark(ScheduleMark mark) {
  ConfirmedFrame frame;
  frame.mark = std::move(mark);
  gathered_.add_frame(std::move(frame), {}, {});
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
