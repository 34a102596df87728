// Spool: the sidecar's side of the disk. It gathers what is to be stored, read and removed, hands
// it to the storage thread one group at a time, and passes on what comes back.
//
// Used by App, which turns it; its lanes by the destinations. Thread: the sidecar's one.
// Owns: the lanes, and the group that is being gathered. Borrows: the exchange.
// Limits: gathers at most gathered_bytes_max of new events; then append() says no, and is_busy()
// asks for a pause of everything else.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "sidecar/base/agent.hpp"
#include "sidecar/base/log.hpp"
#include "sidecar/spool/exchange.hpp"
#include "sidecar/spool/lane.hpp"

namespace outrider::sidecar {

struct SpoolSettings {
  std::uint64_t bytes_max = 0;  ///< of all lanes together
  std::vector<LaneSettings> lanes;
};

class Spool final : public Agent {
 public:
  static constexpr std::uint64_t gathered_bytes_max = 16U << 20U;
  static constexpr std::uint64_t busy_bytes = 4U << 20U;
  static constexpr Duration retry_interval = std::chrono::milliseconds(200);

  /// Gets the frames whose fate is decided.
  using AnswerFrame = std::function<void(const ConfirmedFrame& frame)>;

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

  /// Room for so many bytes of events that go to this lane.
  bool has_room(LaneIndex lane, std::uint64_t bytes) const;
  /// One event of the frame that add_frame() will end.
  void add_to_frame(LaneIndex lane, const RecordView& record, std::uint64_t due_ns, const Now& now);
  /// The frame is complete; its answer comes when it is stored.
  void add_frame(ConfirmedFrame frame);
  /// What add_to_frame() has added since the last frame is not wanted after all.
  void drop_frame();

  /// The recurring event that was appended is the run of this date.
  void mark(ScheduleMark mark) { gathered_->marks.push_back(std::move(mark)); }

  /// Marks whose events could not be stored.
  std::vector<ScheduleMark> take_undone_marks() { return std::exchange(undone_marks_, {}); }

  /// Somebody else has changed the database.
  void look_again() { gathered_->wants_look = true; }

 private:
  friend class Lane;

  /// Room for new events, on disk and on the way there.
  bool has_room(std::uint64_t bytes) const;
  bool has_settlements() const { return !touched_.empty(); }
  Entry write_entry(LaneIndex lane, const RecordView& record, std::uint64_t due_ns, const Now& now);
  void take_answer(Group& group, const Now& now);
  void take_intake(Group& group);
  void take_frames(Group& group);
  void keep_undone(Group& group);

  Exchange& exchange_;
  Log& log_;
  std::uint64_t bytes_max_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  AnswerFrame answer_frame_;

  std::unique_ptr<Group> gathered_;
  std::uint64_t gathered_bytes_ = 0;
  std::size_t frame_begin_ = 0;        ///< in gathered_->confirmed
  std::size_t frame_bytes_begin_ = 0;  ///< in gathered_->bytes, if the frame has an event
  std::uint64_t bytes_ = 0;            ///< of all lanes
  std::vector<LaneIndex> touched_;     ///< lanes with settlements to be written
  std::vector<ScheduleMark> undone_marks_;
  std::size_t asked_spilled_ = 0;  ///< in the group that is being written
  bool is_asking_ = false;
  std::uint64_t dead_bytes_ = 0;  ///< of gathered_->dead
  MonoTime retry_at_{};
};

}  // namespace outrider::sidecar
