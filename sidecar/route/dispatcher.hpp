// Dispatcher: gives each accepted event to the destinations of its topic.
//
// Used by App, between intake and delivery. An emitted event goes to its destinations' queues, or
// to the spool if it has a later date. An event to be confirmed, or from a schedule, goes to the
// spool for all of its destinations at once; they get it when it is on disk, and only then does it
// count.
//
// Thread: the sidecar's one. Owns: the router, and the state of the frame that is being read.
// Borrows: destinations and spool, which outlive it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string_view>
#include <vector>

#include "sidecar/base/log.hpp"
#include "sidecar/config/config.hpp"
#include "sidecar/deliver/destination_registry.hpp"
#include "sidecar/ingest/confirm_agent.hpp"
#include "sidecar/ingest/ingest_agent.hpp"
#include "sidecar/route/router.hpp"
#include "sidecar/route/unrouted_log.hpp"
#include "sidecar/spool/spool.hpp"

namespace outrider::sidecar {

class Dispatcher final : public RecordSink, public ConfirmSink {
 public:
  /// All destinations of the configuration are registered; each has the lane of its handle.
  /// `spool`: null without one; then only accept() is called.
  Dispatcher(const Config& config, const DestinationRegistry& destinations, Spool* spool, Log& log);

  /// From here on events go where this configuration says. Its destinations are registered.
  void use(const Config& config);

  // RecordSink
  std::size_t accept(const ArrivedEvent& event, const Now& now) override;

  // ConfirmSink
  bool is_busy() const override { return spool_->is_busy(); }
  proto::Refusal add_event(const ArrivedEvent& event, const Now& now, std::size_t& work) override;
  void add_frame(NumberedFrame frame) override;
  void drop_frame() override;
  std::string_view full_destination() const override;
  std::vector<proto::TopicSet> full_destinations() const override;

  /// Stores the run of a schedule together with its mark. The answer comes as that of a frame,
  /// unless it is refused at once.
  proto::Refusal add_run(std::string_view topic, const RecordView& record, ScheduleMark mark,
                         const Now& now);

  /// The outcome of a frame or run is known: stored events count from here on.
  void note_answer(const ConfirmedFrame& frame, const FrameAnswer& answer);

  /// Accepted events that no destination takes.
  std::uint64_t unrouted() const { return unrouted_; }

 private:
  std::size_t find_takers(std::string_view topic, const RecordView& record, const Now& now);
  bool has_takers() const { return !wanted_by_.empty() || !sampled_out_by_.empty(); }

  const DestinationRegistry& destinations_;
  Spool* spool_;
  Router router_;
  UnroutedLog unrouted_log_;
  Unrouted unrouted_policy_;
  std::uint64_t unrouted_ = 0;
  std::map<DestinationHandle, std::uint64_t> refused_bytes_;  ///< of the last event without room

  // Of the event that is being looked at.
  std::vector<DestinationHandle> wanted_by_;
  std::vector<DestinationHandle> sampled_out_by_;
  FrameCounts frame_counts_;  ///< of the frame that is being read
};

}  // namespace outrider::sidecar
