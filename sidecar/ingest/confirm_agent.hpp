// ConfirmAgent: takes frames that are to be confirmed, checks them, and hands their events on to be
// stored. What is refused is answered at once, the rest when it is on disk.
//
// Used by App. A frame must have a client id and a sequence number. An event that breaks a rule is
// refused alone and named in the answer; if there is no room for the others, nothing of the frame
// is taken and its client sends it again.
//
// Thread: the sidecar's one. Owns: counters and scratch space; the source and the sink outlive it.
// Limits: frames_per_turn_max frames a turn, and none while the sink is busy: they wait where they
// are.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "proto/confirm.hpp"
#include "proto/frame_reader.hpp"
#include "sidecar/base/agent.hpp"
#include "sidecar/base/log.hpp"
#include "sidecar/ingest/confirm_source.hpp"
#include "sidecar/ingest/ingest_agent.hpp"
#include "sidecar/ingest/record_maker.hpp"

namespace outrider::sidecar {

/// A frame whose events were handed on.
struct FrameToConfirm {
  std::string peer;
  std::array<std::uint8_t, proto::client_id_bytes> client{};
  std::uint64_t sequence = 0;
  std::vector<proto::RefusedEvent> refused;
};

class ConfirmSink {
 public:
  virtual ~ConfirmSink() = default;
  virtual bool is_busy() const = 0;
  /// False: there is no room, and what was added of this frame is to be dropped.
  virtual bool add_event(const ArrivedEvent& event, const Now& now) = 0;
  virtual void add_frame(FrameToConfirm frame) = 0;
  virtual void drop_frame() = 0;
};

class ConfirmAgent final : public Agent {
 public:
  static constexpr int frames_per_turn_max = 64;
  static constexpr std::uint64_t events_per_turn_max = 10'000;

  ConfirmAgent(ConfirmSource& source, proto::FrameLimits limits, ConfirmSink& sink, Log& log,
               std::uint64_t seed)
      : source_(source), reader_(limits), sink_(sink), refusals_(log), records_(seed) {}

  int do_work(const Now& now) override;

  /// From here on every frame is told to come again later: this sidecar stops.
  void refuse_all() { is_stopping_ = true; }

  const IngestCounters& counters() const { return counters_; }

 private:
  void take_frame(const PeerFrame& peer_frame, const Now& now);
  proto::Refusal add_events(FrameToConfirm& frame, const Now& now);
  void refuse_frame(const PeerFrame& peer_frame, proto::Refusal refusal, const Now& now);

  ConfirmSource& source_;
  proto::FrameReader reader_;
  ConfirmSink& sink_;
  RefusalLog refusals_;
  RecordMaker records_;
  IngestCounters counters_;
  bool is_stopping_ = false;
};

}  // namespace outrider::sidecar
