#include "sidecar/spool/spool.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "sidecar/base/fault_point.hpp"
#include "sidecar/base/units.hpp"
#include "sidecar/spool/store.hpp"

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

void note_unstored(const std::vector<Entry>& spilled, LaneAnswers& answers) {
  for (const Entry& entry : spilled) {
    LaneAnswer& answer = answers[entry.lane];
    (entry.due_ns == 0 ? answer.unstored : answer.unscheduled) += {1, entry.record_bytes};
  }
}

bool has_failed_read(const LaneAnswer& answer) {
  return answer.read && answer.read->has_failed;
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

Error no_new_lane(StorageTrouble trouble) {
  if (trouble == StorageTrouble::full) return {"the spool's disk is full"};
  return {trouble == StorageTrouble::at_limit ? "the spool has reached spool.bytes_max"
                                              : "the spool cannot be written"};
}

}  // namespace

Spool::Spool(const SpoolSettings& settings, const std::vector<StoredTotals>& totals,
             Exchange& exchange, Log& log)
    : exchange_(exchange),
      log_(log),
      frame_bytes_max_(std::min(settings.frame_bytes_max, settings.bytes_max)),
      gathered_(settings.bytes_max) {
  for (std::size_t i = 0; i < settings.lanes.size(); ++i) {
    lanes_.push_back(std::make_unique<Lane>(gathered_, static_cast<DestinationHandle>(i),
                                            settings.lanes[i], totals[i]));
  }
}

Spool::~Spool() {
  log_removed();
}

// Turning -----------------------------------------------------------------------------------------

int Spool::do_work(const Now& now) {
  int work = 0;
  for (const std::unique_ptr<Reply>& answer : exchange_.collect()) {
    if (answer->question) end_wait(now);
    take_answer(*answer, now);
    ++work;
  }
  look_for_stall(now);
  if (removed_ > 0 && removal_limit_.take(now)) log_removed();
  return work;
}

void Spool::begin_wait(const Now& now) {
  attempts_ = exchange_.put_backs();
  stall_.start(now);
}

void Spool::end_wait(const Now& now) {
  if (const auto stalled = stall_.stop(now)) {
    log_.info("the spool's disk answers again", {{"after", format_duration(*stalled)}});
  }
}

/// A disk that is frozen, or a file server that does not answer, holds the storage thread for ever.
/// A database that another program has locked does not: the storage thread tries again and again,
/// and logs that itself.
void Spool::look_for_stall(const Now& now) {
  if (now.mono < stall_.next_line()) return;
  if (exchange_.put_backs() != attempts_) {
    begin_wait(now);
  } else if (const auto stalled = stall_.take_line(now)) {
    log_.error(
        "the spool's disk hangs; events that must be stored wait",
        {{"since", format_duration(*stalled)}, {"events", std::to_string(waiting_events())}});
  }
}

void Spool::hand_over(const Now& now) {
  if (asked_ != nullptr || now.mono < retry_at_ || !has_question()) return;
  gather_settlements();
  if (std::exchange(is_store_new_, false)) {
    for (const auto& lane : lanes_) {
      if (lane) lane->look_anew();
    }
  }
  asked_ = &gathered_.question();
  begin_wait(now);
  exchange_.ask(gathered_.take());
}

void Spool::gather_settlements() {
  for (const DestinationHandle lane : gathered_.take_settled_lanes()) {
    if (lanes_[lane]) lanes_[lane]->take_settlements(gathered_.question().settlements);
  }
}

std::uint64_t Spool::unwritten_outcomes() {
  gather_settlements();
  std::uint64_t settled = settled_events(gathered_.question());
  if (asked_ != nullptr) settled += settled_events(*asked_);
  std::uint64_t moving = 0;
  for (const auto& lane : lanes_) moving += lane ? lane->events_moving() : 0;
  return settled - std::min(moving, settled);
}

MonoTime Spool::next_deadline() const {
  const MonoTime other = asked_ == nullptr && has_question() ? retry_at_ : stall_.next_line();
  return removed_ > 0 ? std::min(other, removal_limit_.next_line()) : other;
}

std::uint64_t Spool::waiting_events() const {
  return new_events(gathered_.question()) + (asked_ != nullptr ? new_events(*asked_) : 0);
}

void Spool::take_answer(Reply& answer, const Now& now) {
  const bool is_read_failing = std::ranges::any_of(
      answer.lanes, [](const auto& lane) { return has_failed_read(lane.second); });
  const bool is_in_trouble = answer.has_failed || is_read_failing ||
                             (answer.intake_trouble && !has_no_room(*answer.intake_trouble));
  if (is_in_trouble) retry_at_ = now.mono + retry_interval;
  if (answer.question) {
    asked_ = nullptr;
    add_what_follows(*answer.question, answer);
  }
  if (answer.question && !answer.question->openings.empty()) take_opened(answer, now);
  tell_lanes(std::move(answer.lanes),
             drop_reason(answer.intake_trouble.value_or(StorageTrouble::failing)));
  if (answer.is_store_new) {
    is_store_new_ = true;
    for (const auto& lane : lanes_) {
      if (lane) lane->distrust();
    }
  }
  if (answer.question) answer_frames(*answer.question, answer);
  removed_ += answer.dead_trimmed;
  if (answer.has_failed && answer.question) gathered_.ask_again(*answer.question);
}

void Spool::log_removed() {
  if (removed_ == 0) return;
  log_.warn(
      "the oldest dead letters were removed; there were more than dead_events_max or "
      "dead_bytes_max allows",
      {{"events", std::to_string(std::exchange(removed_, 0))}});
}

/// The consequences of the answer for each request.
void Spool::add_what_follows(const Question& question, Reply& answer) {
  for (std::size_t i = 0; i < question.frames.size(); ++i) {
    const ConfirmedFrame& frame = question.frames[i];
    if (answer.intake_trouble) {
      answer.frames.push_back({refusal_for(*answer.intake_trouble), false, frame.refused});
    }
    for (std::size_t j = 0; j < frame.entries; ++j) {
      const Entry& entry = question.confirmed[frame.first_entry + j];
      LaneAnswer& lane = answer.lanes[entry.lane];
      Amount& stored = entry.due_ns == 0 ? lane.confirmed : lane.confirmed_scheduled;
      (answer.frames[i].is_new ? stored : lane.unconfirmed) += {1, entry.record_bytes};
    }
  }
  if (answer.intake_trouble) {
    note_unstored(question.spilled, answer.lanes);
  } else {
    for (const Block& block : question.front) {
      answer.lanes[block.lane].front += {block.events, block.records.size()};
    }
  }
  for (const ReadRequest& request : question.reads) {
    if (!request.is_anew) continue;
    LaneAnswer& lane = answer.lanes[request.lane];
    is_store_new_ = is_store_new_ || has_failed_read(lane);
    lane.scheduling = gathered_.scheduling(request.lane);
  }
}

/// Each lane hears all that the answer says to it at once. Of one that is gone, there is only what
/// has come to the disk by itself: it stays there.
void Spool::tell_lanes(LaneAnswers&& answers, DropReason reason) {
  for (auto& [lane, answer] : answers) {
    if (lane < lanes_.size() && lanes_[lane]) lanes_[lane]->take(std::move(answer), reason);
  }
}

// Destinations that come and go -------------------------------------------------------------------

void Spool::open_lanes(std::vector<NewLane> lanes, Opened opened) {
  opening_ = std::move(lanes);
  opened_ = std::move(opened);
  std::vector<LaneOpening> openings;
  for (const NewLane& lane : opening_) openings.push_back({lane.handle, lane.name});
  gathered_.open(std::move(openings));
}

void Spool::take_opened(const Reply& answer, const Now& now) {
  const std::vector<NewLane> opening = std::exchange(opening_, {});
  const Opened opened = std::exchange(opened_, nullptr);
  const bool is_wanted = opened != nullptr && answer.opened.size() == opening.size();
  for (std::size_t i = 0; i < answer.opened.size(); ++i) {
    const auto& [handle, name, settings] = opening[i];
    if (lanes_.size() <= handle) lanes_.resize(handle + 1);
    if (is_wanted) {
      lanes_[handle] = std::make_unique<Lane>(gathered_, handle, settings, answer.opened[i]);
    } else {
      gathered_.close(handle);
    }
  }
  if (is_wanted) return opened(Nothing{}, now);
  if (opened == nullptr) return;
  opened(no_new_lane(answer.intake_trouble.value_or(StorageTrouble::failing)), now);
}

void Spool::close_lane(DestinationHandle handle) {
  lanes_[handle]->detach();
  lanes_[handle].reset();
  gathered_.close(handle);
}

void Spool::answer_frames(const Question& question, const Reply& answer) {
  for (std::size_t i = 0; i < question.frames.size(); ++i) {
    fault_point("before_answer");
    if (answer_frame_) answer_frame_(question.frames[i], answer.frames[i]);
    fault_point("after_answer");
  }
}

void Spool::give_up(const Now& now) {
  Reply undone;
  undone.has_failed = true;
  undone.intake_trouble = StorageTrouble::failing;
  undone.question = exchange_.take();
  if (undone.question) take_answer(undone, now);
  LaneAnswers lost;
  if (asked_ != nullptr) note_unstored(asked_->spilled, lost);
  note_unstored(gathered_.question().spilled, lost);
  tell_lanes(std::move(lost), DropReason::spool_failed);
  gathered_.question().spilled.clear();
  for (const auto& lane : lanes_) {
    if (lane) lane->give_up();
  }
}

// New events --------------------------------------------------------------------------------------

/// Of one of these lanes, which is noted.
bool Spool::is_full(std::span<const DestinationHandle> lanes, std::uint64_t bytes) {
  return std::ranges::any_of(lanes, [&](DestinationHandle lane) {
    full_lane_ = lane;
    return !lanes_[lane]->has_room(bytes);
  });
}

/// For ever comes before not now, and what concerns one event before what concerns all.
proto::Refusal Spool::refusal_of(std::span<const DestinationHandle> lanes, std::uint64_t bytes) {
  const std::uint64_t copies = bytes * lanes.size();
  if (copies > frame_bytes_max_ || bytes > Store::record_bytes_max) {
    return proto::Refusal::event_beyond_spool;
  }
  for (const DestinationHandle lane : lanes) {
    full_lane_ = lane;
    if (bytes > lanes_[lane]->bytes_max()) return proto::Refusal::event_beyond_spool;
  }
  if (is_full(lanes, bytes)) return proto::Refusal::destination_full;
  if (frame_.bytes.size() + copies > frame_bytes_max_) return proto::Refusal::frame_copies;
  return gathered_.has_room(copies) ? proto::Refusal::none : proto::Refusal::spool_full;
}

void Spool::add_copies(FrameEvents& to, std::span<const DestinationHandle> lanes,
                       const RecordView& record, std::uint64_t due_ns, const Now& now) {
  for (const DestinationHandle lane : lanes) {
    to.entries.push_back(write_entry(to.bytes, lane, record, due_ns, now));
    lanes_[lane]->confirm(to.entries.back().record_bytes);
  }
}

proto::Refusal Spool::add_to_frame(std::span<const DestinationHandle> lanes,
                                   const RecordView& record, std::uint64_t due_ns, const Now& now) {
  const proto::Refusal refusal = refusal_of(lanes, stored_record_bytes(record));
  if (refusal == proto::Refusal::none) add_copies(frame_, lanes, record, due_ns, now);
  return refusal;
}

void Spool::add_frame(ConfirmedFrame frame) {
  gathered_.add_frame(std::move(frame), frame_);
  forget_frame();
}

void Spool::drop_frame() {
  for (const Entry& entry : frame_.entries) lanes_[entry.lane]->withdraw(entry.record_bytes);
  forget_frame();
}

/// Beside a frame that may be half read.
proto::Refusal Spool::add_run(std::span<const DestinationHandle> lanes, const RecordView& record,
                              ConfirmedFrame run, const Now& now) {
  const std::size_t bytes = stored_record_bytes(record);
  if (is_full(lanes, bytes)) return proto::Refusal::destination_full;
  if (!gathered_.has_room(bytes * lanes.size())) return proto::Refusal::spool_full;
  FrameEvents events;
  add_copies(events, lanes, record, 0, now);
  gathered_.add_frame(std::move(run), events);
  return proto::Refusal::none;
}

void Spool::add_mark(ScheduleMark mark) {
  ConfirmedFrame frame;
  frame.mark = std::move(mark);
  gathered_.add_frame(std::move(frame), {});
}

void Spool::forget_frame() {
  if (frame_.bytes.capacity() > frame_bytes_kept_max) frame_ = {};
  frame_.bytes.clear();
  frame_.entries.clear();
}

}  // namespace outrider::sidecar
