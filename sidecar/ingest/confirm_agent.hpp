// ConfirmAgent: takes frames to be confirmed, checks them, and passes their events on to be stored.
// It answers refusals at once, and the rest when it is on disk.
//
// Used by App. A frame must have a client id and a sequence number. An event that breaks a rule, or
// for which one of its destinations has no room, is refused alone and named in the answer, with the
// topics of the full destinations. If the spool has no room for the others, nothing of the frame is
// taken and its client sends it again. Every frame gets an answer: it is taken, or refused with a
// number, which is permanent if the frame can never be taken.
//
// Thread: the sidecar's one. Owns: counters and scratch space; the source and the sink outlive it.
// Limits: a turn opens frames_per_turn_max frames, or fewer with bytes_per_turn_max bytes, has a
// TurnBudget of events and of their copies, and may stop inside a frame. It opens none while the
// sink is busy: they wait in the source. An answer names proto::refused_events_max events.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proto/confirm.hpp"
#include "proto/frame_reader.hpp"
#include "sidecar/base/agent.hpp"
#include "sidecar/base/log.hpp"
#include "sidecar/base/numbered_frame.hpp"
#include "sidecar/ingest/confirm_source.hpp"
#include "sidecar/ingest/ingest_agent.hpp"
#include "sidecar/ingest/record_maker.hpp"
#include "sidecar/ingest/turn_budget.hpp"

namespace outrider::sidecar {

/// The outcomes of frames to be confirmed.
struct ConfirmCounters {
  std::uint64_t frames = 0;          ///< stored and confirmed
  std::uint64_t frames_again = 0;    ///< stored before and confirmed again
  std::uint64_t frames_refused = 0;  ///< could not be stored
  std::uint64_t events = 0;          ///< of frames that were stored
};

class ConfirmSink {
 public:
  virtual ~ConfirmSink() = default;
  virtual bool is_busy() const = 0;
  /// Takes one event of the frame that add_frame() will end, or returns why not. The refusal
  /// concerns only the event if is_of_event(); otherwise the events added of this frame are to be
  /// dropped. `work`: its cost, for TurnBudget.
  virtual proto::Refusal add_event(const ArrivedEvent& event, const Now& now,
                                   std::size_t& work) = 0;
  virtual void add_frame(NumberedFrame frame) = 0;
  virtual void drop_frame() = 0;
  /// The destination without room for the event that add_event() refused last.
  virtual std::string_view full_destination() const = 0;
  /// The topics of destinations that still have no room for the events refused last.
  virtual std::vector<proto::TopicSet> full_destinations() const = 0;
};

class ConfirmAgent final : public Agent {
 public:
  static constexpr int frames_per_turn_max = 64;
  static constexpr std::uint64_t bytes_per_turn_max = 4U << 20U;

  /// `hides_values`: see RefusalLog.
  ConfirmAgent(ConfirmSource& source, proto::FrameLimits limits, ConfirmSink& sink, Log& log,
               std::uint64_t seed, bool hides_values)
      : source_(source),
        limits_(limits),
        reader_(limits),
        sink_(sink),
        refusals_(log, hides_values),
        records_(seed) {}

  void hide_values(bool hides_values) { refusals_.hide_values(hides_values); }

  int do_work(const Now& now) override;

  /// From here on every frame is to come again later, also one that is half read: this sidecar
  /// stops.
  void refuse_all(const Now& now);

  /// The answer to a frame that was passed on and has this many taken events. They and `refused`
  /// count if it `is_new`.
  void answer(const std::string& peer, std::uint64_t sequence, proto::Refusal status,
              const std::vector<proto::RefusedEvent>& refused, bool is_new, std::uint64_t events);

  const IngestCounters& counters() const { return counters_; }
  const ConfirmCounters& confirmed() const { return confirmed_; }

 private:
  void open(const PeerFrame& peer_frame, const Now& now);
  void take_events(TurnBudget& budget, const Now& now);
  proto::Refusal take_event(TurnBudget& budget, const Now& now);
  proto::Refusal leave_out(proto::Refusal refusal, const Now& now);
  void refuse_frame(proto::Refusal refusal, const Now& now);
  void send(const std::string& peer, const proto::ConfirmAnswer& answer);

  ConfirmSource& source_;
  proto::FrameLimits limits_;
  proto::FrameReader reader_;
  ConfirmSink& sink_;
  RefusalLog refusals_;
  RecordMaker records_;
  IngestCounters counters_;
  ConfirmCounters confirmed_;
  bool is_stopping_ = false;

  // The frame that is being read.
  bool is_open_ = false;
  std::uint32_t next_event_ = 0;
  NumberedFrame frame_;
};

}  // namespace outrider::sidecar
