// Spool: the sidecar's side of the disk. It gathers requests to store, read and remove, gives them
// to the storage thread one group at a time, and passes the results on.
//
// Used by App, which turns it; its lanes by the destinations. Thread: the sidecar's one.
// Owns: the lanes, and the group that is being gathered. Borrows: the exchange.
// Limits: QuestionBuilder's. From its busy_bytes of anything on, is_busy() asks for a pause of
// frames that are to be confirmed; one of them has at most SpoolSettings::frame_bytes_max of
// copies.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "sidecar/base/agent.hpp"
#include "sidecar/base/line_limit.hpp"
#include "sidecar/base/log.hpp"
#include "sidecar/base/result.hpp"
#include "sidecar/base/stall_timer.hpp"
#include "sidecar/spool/exchange.hpp"
#include "sidecar/spool/lane.hpp"
#include "sidecar/spool/question_builder.hpp"

namespace outrider::sidecar {

struct SpoolSettings {
  static constexpr std::uint64_t frame_bytes_max_min = 32U << 20U;

  std::uint64_t bytes_max = 0;                          ///< of all lanes together
  std::uint64_t frame_bytes_max = frame_bytes_max_min;  ///< of a frame, a copy for each lane
  std::vector<LaneSettings> lanes;                      ///< of the first handles
};

class Spool final : public Agent {
 public:
  static constexpr Duration retry_interval = std::chrono::milliseconds(200);

  /// Gets the frames whose fate is decided.
  using AnswerFrame = std::function<void(const ConfirmedFrame& frame, const FrameAnswer& answer)>;

  Spool(const SpoolSettings& settings, const std::vector<StoredTotals>& totals, Exchange& exchange,
        Log& log);
  ~Spool() override;

  void on_answer(AnswerFrame answer) { answer_frame_ = std::move(answer); }

  /// One that is open.
  Lane& lane(DestinationHandle handle) { return *lanes_[handle]; }

  // Destinations that come and go -----------------------------------------------------------------

  struct NewLane {
    DestinationHandle handle = 0;
    std::string name;
    LaneSettings settings;
  };
  /// All are open from here on, in the same turn; or none, and why.
  using Opened = std::function<void(Status status, const Now& now)>;
  /// Asks the disk for these lanes. One call at a time.
  void open_lanes(std::vector<NewLane> lanes, Opened opened);
  /// Nobody waits for the answer any more; lanes that the disk opens are closed again.
  void forget_opening() { opened_ = nullptr; }
  bool is_opening() const { return !opening_.empty(); }
  /// The lane is at rest (Lane::is_at_rest) and its destination is gone. Its events stay on disk.
  void close_lane(DestinationHandle handle);

  /// Takes what has come back. Before the destinations' turn.
  int do_work(const Now& now) override;
  /// Hands over what was gathered, if the last group is back. After the destinations' turn.
  void hand_over(const Now& now);
  MonoTime next_deadline() const override;

  /// So much waits to be written that more should wait where it is.
  bool is_busy() const { return gathered_.is_busy(); }
  /// Events that are to be written and have not been promised to anybody.
  std::uint64_t unwritten_events() const {
    return gathered_.question().spilled.size() + (asked_ != nullptr ? asked_->spilled.size() : 0);
  }
  /// Events that are done, and not on disk: after a stop now they come again.
  std::uint64_t unwritten_outcomes();
  /// Nothing waits to be written, and nothing is being written.
  bool is_idle() const { return asked_ == nullptr && !has_question(); }

  /// The time to stop is over: new events that are not known to be stored by now are counted as
  /// dropped. Of what is just being written, some may turn out to be stored.
  void give_up(const Now& now);

  // Frames to be confirmed ------------------------------------------------------------------------

  /// One event of the frame that add_frame() will end, for all of these lanes; or why not.
  proto::Refusal add_to_frame(std::span<const DestinationHandle> lanes, const RecordView& record,
                              std::uint64_t due_ns, const Now& now);
  /// The lane that had no room for what add_to_frame() refused last.
  DestinationHandle full_lane() const { return full_lane_; }
  /// The frame is complete; its answer comes when it is stored.
  void add_frame(ConfirmedFrame frame);
  /// Discards the events that add_to_frame() has added since the last frame.
  void drop_frame();

  /// The run of a schedule, stored in all of these lanes and marked, or neither: the answer is like
  /// that of a frame. If there is no room, it is refused at once.
  proto::Refusal add_run(std::span<const DestinationHandle> lanes, const RecordView& record,
                         ConfirmedFrame run, const Now& now);
  /// A mark alone.
  void add_mark(ScheduleMark mark);

  /// Another process has changed the database.
  void look_again() { gathered_.question().wants_look = true; }

 private:
  bool has_question() const { return is_store_new_ || !gathered_.is_empty(); }
  bool is_full(std::span<const DestinationHandle> lanes, std::uint64_t bytes);
  void add_copies(FrameEvents& to, std::span<const DestinationHandle> lanes,
                  const RecordView& record, std::uint64_t due_ns, const Now& now);
  proto::Refusal refusal_of(std::span<const DestinationHandle> lanes, std::uint64_t bytes);
  void take_answer(Reply& answer, const Now& now);
  void add_what_follows(const Question& question, Reply& answer);
  void tell_lanes(LaneAnswers&& answers, DropReason reason);
  void take_opened(const Reply& answer, const Now& now);
  void answer_frames(const Question& question, const Reply& answer);
  void forget_frame();
  std::uint64_t waiting_events() const;
  void gather_settlements();
  void log_removed();
  void begin_wait(const Now& now);
  void end_wait(const Now& now);
  void look_for_stall(const Now& now);

  Exchange& exchange_;
  Log& log_;
  std::uint64_t frame_bytes_max_;
  QuestionBuilder gathered_;
  std::vector<std::unique_ptr<Lane>> lanes_;  ///< by handle; null: gone
  std::vector<NewLane> opening_;              ///< that the disk was asked for
  Opened opened_;
  AnswerFrame answer_frame_;

  FrameEvents frame_;  ///< that is not complete yet
  DestinationHandle full_lane_ = 0;
  const Question* asked_ = nullptr;  ///< the group that is being written; the exchange's
  bool is_store_new_ = false;        ///< and the lanes have not asked for it anew
  MonoTime retry_at_{};
  StallTimer stall_;            ///< of that group
  std::uint64_t attempts_ = 0;  ///< of the storage thread, when `stall_` began
  std::uint64_t removed_ = 0;   ///< dead letters, for others, since the last line
  LineLimit removal_limit_;
};

}  // namespace outrider::sidecar
