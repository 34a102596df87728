// IngestAgent: takes frames from the source, checks them, and passes their events on as records.
//
// Used by App. A frame that is malformed counts as one refused frame and nothing of it is taken; an
// event that breaks a rule is refused alone. Refusals are counted by reason, and logged once in a
// while, never one by one.
//
// Thread: the sidecar's one thread. Owns: counters and scratch space; the source and the sink
// outlive it. Limits: a turn opens frames_per_turn_max frames, or fewer with bytes_per_turn_max
// bytes, has a TurnBudget of events, taken or refused, and of their copies, and may stop inside a
// frame: so delivery and other clients get their share.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "proto/frame_reader.hpp"
#include "sidecar/base/agent.hpp"
#include "sidecar/base/log.hpp"
#include "sidecar/ingest/client_loss_log.hpp"
#include "sidecar/ingest/client_table.hpp"
#include "sidecar/ingest/frame_source.hpp"
#include "sidecar/ingest/record_maker.hpp"
#include "sidecar/ingest/refusal_log.hpp"
#include "sidecar/ingest/turn_budget.hpp"

namespace outrider::sidecar {

/// Where accepted events go.
class RecordSink {
 public:
  virtual ~RecordSink() = default;

  /// Takes an event; its bytes are valid during the call. Returns its cost, for TurnBudget.
  virtual std::size_t accept(const ArrivedEvent& event, const Now& now) = 0;
};

struct IngestCounters {
  std::uint64_t frames = 0;                  ///< received, refused ones included
  std::uint64_t events = 0;                  ///< accepted
  std::uint64_t frames_refused = 0;          ///< permanently; none of their events counts
  std::uint64_t events_refused = 0;          ///< permanently, in frames that were good otherwise
  std::array<std::uint64_t, 256> refused{};  ///< by proto::Refusal, each time that it was answered

  /// A temporarily refused frame or event is sent again, and does not count as refused.
  void refuse(proto::Refusal refusal);
  IngestCounters& operator+=(const IngestCounters& other);
};

class IngestAgent final : public Agent {
 public:
  static constexpr int frames_per_turn_max = 8;
  static constexpr std::uint64_t bytes_per_turn_max = 4U << 20U;

  /// `can_wait`: events may have a later date. `hides_values`: see RefusalLog.
  IngestAgent(FrameSource& source, proto::FrameLimits limits, bool can_wait, RecordSink& sink,
              Log& log, std::uint64_t seed, bool hides_values = false)
      : source_(source),
        reader_(limits),
        can_wait_(can_wait),
        sink_(sink),
        refusals_(log, hides_values),
        records_(seed),
        losses_(log) {}

  void hide_values(bool hides_values) { refusals_.hide_values(hides_values); }

  int do_work(const Now& now) override;
  MonoTime next_deadline() const override { return losses_.next_deadline(); }

  /// From here on a turn only continues the frame at which the last one stopped.
  void begin_stop() { is_stopping_ = true; }
  /// Such a frame is open: the source must not be closed yet.
  bool is_inside_frame() const { return events_waiting_ > 0; }
  /// Nobody takes the rest of it any more: it is refused.
  void refuse_rest(const Now& now);

  const IngestCounters& counters() const { return counters_; }
  const ClientTable& clients() const { return clients_; }

 private:
  void open(proto::ByteView frame, const Now& now);
  void take_events(TurnBudget& budget, const Now& now);
  std::size_t take_event(const Now& now);
  void refuse(proto::Refusal refusal, const Now& now);

  FrameSource& source_;
  proto::FrameReader reader_;
  bool can_wait_;
  RecordSink& sink_;
  RefusalLog refusals_;
  RecordMaker records_;
  ClientTable clients_;
  ClientLossLog losses_;
  IngestCounters counters_;
  std::uint64_t events_waiting_ = 0;  ///< of the frame that is open
  bool is_stopping_ = false;
};

}  // namespace outrider::sidecar
