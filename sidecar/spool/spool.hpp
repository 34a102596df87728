// Spool: the sidecar's side of the disk. It gathers what is to be stored, read and removed, hands
// it to the storage thread one group at a time, and passes on what comes back.
//
// Used by App, which turns it; its lanes by the destinations. Thread: the sidecar's one.
// Owns: the lanes, and the group that is being gathered. Borrows: the exchange.
// Limits: gathers at most spilled_bytes_max of events that are spilled; then append() says no. From
// busy_bytes of anything on, is_busy() asks for a pause of frames that are to be confirmed; one of
// them has at most SpoolSettings::frame_bytes_max of copies.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "sidecar/base/agent.hpp"
#include "sidecar/base/log.hpp"
#include "sidecar/spool/exchange.hpp"
#include "sidecar/spool/lane.hpp"

namespace outrider::sidecar {

struct SpoolSettings {
  static constexpr std::uint64_t frame_bytes_max_min = 32U << 20U;

  std::uint64_t bytes_max = 0;                          ///< of all lanes together
  std::uint64_t frame_bytes_max = frame_bytes_max_min;  ///< of a frame, a copy for each lane
  std::vector<LaneSettings> lanes;
};

class Spool final : public Agent {
 public:
  static constexpr std::uint64_t spilled_bytes_max = 16U << 20U;
  static constexpr std::uint64_t busy_bytes = 4U << 20U;
  static constexpr Duration retry_interval = std::chrono::milliseconds(200);
  /// Before a run of a recurring event that could not be stored is tried again.
  static constexpr Duration undone_interval = std::chrono::seconds(10);

  /// Gets the frames whose fate is decided.
  using AnswerFrame = std::function<void(const ConfirmedFrame& frame, const FrameAnswer& answer)>;

  Spool(const SpoolSettings& settings, const std::vector<StoredTotals>& totals, Exchange& exchange,
        Log& log);

  void on_answer(AnswerFrame answer) { answer_frame_ = std::move(answer); }

  Lane& lane(std::size_t index) { return *lanes_[index]; }

  /// Takes what has come back. Before the destinations' turn.
  int do_work(const Now& now) override;
  /// Hands over what was gathered, if the last group is back. After the destinations' turn.
  void hand_over(const Now& now);
  MonoTime next_deadline() const override;

  /// So much waits to be written that more should wait where it is.
  bool is_busy() const { return gathered_bytes_ >= busy_bytes; }
  bool has_many_dead() const { return dead_bytes_ >= busy_bytes; }
  /// Events that are to be written and have not been promised to anybody.
  std::uint64_t unwritten_events() const { return gathered_->spilled.size() + asked_spilled_; }
  /// Nothing waits to be written, and nothing is being written.
  bool is_idle() const { return !is_asking_ && gathered_->is_empty() && !has_settlements(); }

  /// The time to stop is over: new events that are not stored by now are counted as dropped.
  void give_up();

  // Frames to be confirmed ------------------------------------------------------------------------

  /// One event of the frame that add_frame() will end, for all of these lanes; or why not.
  proto::Refusal add_to_frame(std::span<const LaneIndex> lanes, const RecordView& record,
                              std::uint64_t due_ns, const Now& now);
  /// The lane that had no room for what add_to_frame() refused last.
  LaneIndex full_lane() const { return full_lane_; }
  /// The frame is complete; its answer comes when it is stored.
  void add_frame(ConfirmedFrame frame);
  /// What add_to_frame() has added since the last frame is not wanted after all.
  void drop_frame();

  /// The recurring event that was appended is the run of this date.
  void mark(ScheduleMark mark) { gathered_->marks.push_back(std::move(mark)); }

  /// Marks whose events could not be stored, the oldest first; once it is time to try again.
  std::vector<ScheduleMark> take_undone_marks(const Now& now);

  /// Somebody else has changed the database.
  void look_again() { gathered_->wants_look = true; }

 private:
  friend class Lane;

  /// Room for a spilled event, on disk and on the way there.
  bool has_room(LaneIndex lane, std::uint64_t bytes) const;
  void spill(LaneIndex lane, const RecordView& record, std::uint64_t due_ns, const Now& now);
  proto::Refusal refusal_of(std::span<const LaneIndex> lanes, std::uint64_t bytes);
  bool has_settlements() const { return !touched_.empty(); }
  void take_answer(Reply& answer, const Now& now);
  void take_intake(Question& question, const Reply& answer, const Now& now);
  void take_frames(const Question& question, const Reply& answer);
  void keep_undone(Question& question);
  void forget_frame();

  Exchange& exchange_;
  Log& log_;
  std::uint64_t bytes_max_;
  std::uint64_t frame_bytes_max_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  AnswerFrame answer_frame_;

  std::unique_ptr<Question> gathered_;
  std::uint64_t gathered_bytes_ = 0;  ///< all that its new events and frames take
  std::uint64_t spilled_bytes_ = 0;   ///< of them, spilled events
  Bytes frame_bytes_;                 ///< of the frame that is not complete yet
  std::vector<Entry> frame_entries_;  ///< in frame_bytes_
  LaneIndex full_lane_ = 0;
  std::uint64_t bytes_ = 0;         ///< of all lanes
  std::vector<LaneIndex> touched_;  ///< lanes with settlements to be written
  std::vector<ScheduleMark> undone_marks_;
  MonoTime undone_retry_at_{};
  std::size_t asked_spilled_ = 0;  ///< in the group that is being written
  bool is_asking_ = false;
  std::uint64_t dead_bytes_ = 0;  ///< of gathered_->dead
  MonoTime retry_at_{};
};

}  // namespace outrider::sidecar
