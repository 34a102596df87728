// QuestionBuilder: the question that grows while another is answered, and the room that is left.
//
// Used by the lanes, through its public functions, and by Spool, which owns it, adds frames and
// hands it over. Thread: the sidecar's one. Owns: the question. Limits: bytes_max of all lanes
// together, on disk or on the way there; spilled_bytes_max of events that are spilled. Callers
// check for room first.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "sidecar/base/record.hpp"
#include "sidecar/spool/exchange.hpp"

namespace outrider::sidecar {

/// Events of a frame, a copy for each lane.
struct FrameEvents {
  Bytes bytes;
  std::vector<Entry> entries;  ///< in these bytes
};

class QuestionBuilder {
 public:
  static constexpr std::uint64_t spilled_bytes_max = 16U << 20U;
  static constexpr std::uint64_t busy_bytes = 4U << 20U;
  /// A frame, and an event with a date, counts as this many additional bytes: each is a row of its
  /// own, and takes as long as kilobytes of other events, while its client waits.
  static constexpr std::uint64_t row_bytes = 1U << 10U;

  explicit QuestionBuilder(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}

  bool has_room_to_spill(std::uint64_t bytes) const {
    return spilled_bytes_ + bytes <= spilled_bytes_max && has_room(bytes);
  }
  bool has_many_dead() const { return dead_bytes_ >= busy_bytes; }
  /// A lane's bytes, on disk and on the way there, are others now.
  void count_bytes(std::uint64_t before, std::uint64_t now) { bytes_ += now - before; }

  void spill(DestinationHandle lane, const RecordView& record, std::uint64_t due_ns,
             const Now& now);
  void put_front(Block block) { question_->front.push_back(std::move(block)); }
  /// In the place of what the lane asked before, if that has not been handed over.
  void read(ReadRequest request);
  void bury(DeadLetter letter);
  /// It has settlements, which it will be asked for when the question goes.
  void note_settled(DestinationHandle lane) { settled_lanes_.push_back(lane); }

 private:
  friend class Spool;

  bool has_room(std::uint64_t bytes) const { return bytes_ + bytes <= bytes_max_; }
  Question& question() { return *question_; }
  const Question& question() const { return *question_; }
  bool is_busy() const { return bytes_gathered_ >= busy_bytes; }
  bool is_empty() const { return question_->is_empty() && settled_lanes_.empty(); }
  void add_frame(ConfirmedFrame frame, const FrameEvents& events);
  void open(std::vector<LaneOpening> openings) { question_->openings = std::move(openings); }
  void close(DestinationHandle lane) { question_->closings.push_back(lane); }
  std::vector<DestinationHandle> take_settled_lanes() { return std::exchange(settled_lanes_, {}); }
  /// A lane's events with a date that are on their way to disk.
  Amount scheduling(DestinationHandle lane) const;
  /// The question so far.
  std::unique_ptr<Question> take();
  /// The disk failed: indispensable requests are made again, before all others.
  void ask_again(Question& failed);

  std::uint64_t bytes_max_;
  std::unique_ptr<Question> question_ = std::make_unique<Question>();
  std::vector<DestinationHandle> settled_lanes_;
  std::uint64_t bytes_ = 0;           ///< of all lanes
  std::uint64_t bytes_gathered_ = 0;  ///< that its new events and frames take
  std::uint64_t spilled_bytes_ = 0;   ///< of them, spilled events
  std::uint64_t dead_bytes_ = 0;
};

/// Appends the record as it is on disk.
Entry write_entry(Bytes& out, DestinationHandle lane, const RecordView& record,
                  std::uint64_t due_ns, const Now& now);

}  // namespace outrider::sidecar
