// Destination: everything between an accepted event and its outcome, for one destination.
//
// Used by App, one a configured destination; they share nothing, so that a sick one uses up only
// its own budget. Its parts: the Backlog has what waits and goes next, the Pacer says when and how
// much, the Transport carries, and the Settler decides what an answer means.
//
// It sends at once when nothing is in flight, and gathers while something is, until a batch is full
// or batch_delay old. Fresh batches and retries take turns when both are due.
//
// A reload changes it in place: encoder, transport and settings are replaced, everything else
// stays.
//
// Thread: the sidecar's one thread. Owns: its backlog, batches in flight, encoder and transports.
// Limits: queue_events_max and queue_bytes_max bound all it holds, in flight included.
// Fails with: nothing; what goes wrong is counted in the ledger and told to the log.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sidecar/base/agent.hpp"
#include "sidecar/base/ledger.hpp"
#include "sidecar/base/log.hpp"
#include "sidecar/base/stall_timer.hpp"
#include "sidecar/config/destination_config.hpp"
#include "sidecar/deliver/backlog.hpp"
#include "sidecar/deliver/delivery_meter.hpp"
#include "sidecar/deliver/drop_log.hpp"
#include "sidecar/deliver/failure_log.hpp"
#include "sidecar/deliver/operator_pause.hpp"
#include "sidecar/deliver/pacer.hpp"
#include "sidecar/deliver/settler.hpp"
#include "sidecar/deliver/transport.hpp"
#include "sidecar/encode/encoder.hpp"
#include "sidecar/observe/rate_meter.hpp"

namespace outrider::sidecar {

struct DestinationSnapshot;

/// Its part of the spool.
inline LaneSettings lane_settings(const DestinationConfig& config) {
  return {config.spool_bytes_max, config.spool_age_max,
          config.spool_order == SpoolOrder::fresh_first};
}

class Destination final : public Agent {
 public:
  /// `lane`: its part of the spool, or null; outlives the destination, or until it is parked.
  /// `earlier`: one with this name that was removed and parked; its counters go on.
  Destination(const DestinationConfig& config, std::unique_ptr<Encoder> encoder,
              std::unique_ptr<Transport> transport, Lane* lane, Log& log, std::uint64_t seed,
              const Destination* earlier = nullptr);

  /// Has these settings from here on. Its records, lane, counters and a person's pause stay; type,
  /// format, `ordering` and `spool_order` are those that it has. `encoder` and `transport` are null
  /// if theirs have not changed. Attempts that are under way end where they began; all others use
  /// the new transport, and a destination that is broken or held is probed at once. A batch that
  /// was made keeps its id and its body.
  void change(const DestinationConfig& config, std::shared_ptr<Encoder> encoder,
              std::unique_ptr<Transport> transport, const Now& now);

  /// A person has perhaps mended its receiver or its credentials: if it is broken or held, it is
  /// tried now.
  void probe(const Now& now);

  // A reload removes it ---------------------------------------------------------------------------

  /// Nothing comes in any more. Its events are sent, put on disk or dropped, until `deadline`;
  /// the rest is then put on disk, or dropped if there is no spool.
  void begin_removal(OnRemove how, MonoTime deadline, const Now& now);
  bool is_leaving() const { return leaves_.has_value(); }
  /// It is configured again. False: too late, it has given up its events.
  bool stay();
  /// Nothing of it is in memory, and its lane may be closed.
  bool may_be_parked() const { return has_left_ && (lane_ == nullptr || lane_->is_at_rest()); }
  /// Only its counters are left; nothing but name(), ledger() and snapshot() is called any more.
  void park(const Now& now);

  /// Takes a copy of the record, or drops one as the configuration says.
  void accept(proto::ByteView record, const Now& now);

  /// Takes a copy of the record to be sent when it is due. Only with a spool.
  void schedule(proto::ByteView record, std::uint64_t due_ns, const Now& now);

  /// Whether `sample` keeps an event; one that it does not keep is counted.
  bool samples(const RecordView& record);
  bool is_sampled_out(const RecordView& record) const;
  /// Accepted, and dropped by sampling.
  void count_sampled_out(std::uint64_t events) {
    ledger_.accepted += events;
    ledger_.drop(DropReason::sampled, events);
  }

  int do_work(const Now& now) override;
  MonoTime next_deadline() const override;

  /// The shutdown begins: from here on nothing is given up for having been tried too often or too
  /// long.
  void begin_stop(const Now& now) {
    settler_.begin_stop();
    end_pause("the sidecar stops", now);
  }

  /// Nothing is sent from now on, for `duration` or, if that is zero, until resume().
  void pause(Duration duration, std::string who, const Now& now) {
    pause_.begin(duration, std::move(who), now);
  }
  void resume(const std::string& who, const Now& now) { end_pause(who + " asked for it", now); }

  /// Nothing comes in any more: sends what there is without gathering and without long waits.
  void begin_flush(const Now& now);

  /// Nothing is queued, waiting, in flight or held by the transport.
  bool is_drained() const { return in_flight_.empty() && backlog_.is_empty() && held() == 0; }

  /// The linger time is over: ends what is in flight. With a spool, what is left is put there; else
  /// it is counted as dropped, as is in any case what the transport still holds.
  void abandon(const Now& now);

  /// Lets the transport close; nothing is sent afterwards.
  void close(MonoTime deadline);

  /// Events that a crash would lose.
  std::uint64_t events_in_memory_only() const {
    return ledger_.queued + ledger_.in_flight - (lane_ != nullptr ? lane_->events_in_memory() : 0);
  }

  const std::string& name() const { return name_; }
  const Ledger& ledger() const { return ledger_; }
  const Pacer& pacer() const { return pacer_; }
  /// On disk or on the way there.
  std::uint64_t lane_bytes() const { return lane_ != nullptr ? lane_->bytes() : 0; }

  /// All that there is to say of it. `delivered` leaves out what the transport still holds, which
  /// is in flight there: so it does not fall when that is lost.
  DestinationSnapshot snapshot(const Now& now);

 private:
  void leave(const Now& now);
  bool may_send() const;
  void replace_transport(std::unique_ptr<Transport> transport, const Now& now);
  void end_former_transports(const Now& now);
  /// Events that the transports hold.
  std::uint64_t held() const;
  /// Requests that take a place of the concurrency limit.
  std::size_t places_taken() const { return in_flight_.size() - in_former_; }
  BatchPtr next_batch(const Now& now, bool& is_retry);
  void start(BatchPtr batch, bool is_retry, const Now& now);
  void note_held_back(const Now& now);
  void collect(const Now& now);
  BatchPtr take_in_flight(AttemptId id, const Now& now);
  void note_progress(const Now& now);
  void look_for_stall(const Now& now);
  void drop_held();
  void end_pause(std::string_view why, const Now& now) {
    backlog_.make_up_for(pause_.end(why, now), now);
  }
  void note_rates(const Now& now);
  bool can_send(const Now& now) const;
  void fill_health(DestinationSnapshot& to, const Now& now) const;
  void fill_time_to_loss(DestinationSnapshot& to, const Now& now) const;

  std::string name_;
  Log& log_;
  DestinationType type_;
  bool goes_to_disk_ = false;  ///< when_full = spool
  std::uint64_t sample_below_ =
      0;  ///< ids whose hash is at least this are not kept; 0: all are kept

  std::shared_ptr<Encoder> encoder_;
  std::unique_ptr<Transport> transport_;
  std::vector<std::unique_ptr<Transport>> former_;  ///< that still have something in flight
  Lane* lane_;
  FailureLog failures_;
  DropLog drops_;
  StallTimer stall_;  ///< since something was written; never of http
  Pacer pacer_;
  OperatorPause pause_;
  DeliveryMeter meter_;
  Ledger ledger_;
  Backlog backlog_;
  Settler settler_;

  std::vector<BatchPtr> in_flight_;
  std::size_t in_former_ = 0;  ///< of in_flight_, in former transports
  std::vector<Completion> completions_;
  MonoTime held_look_at_ = never;   ///< flushing: when the transport is asked what it holds
  std::optional<OnRemove> leaves_;  ///< a reload has removed it
  MonoTime leaves_by_ = never;
  bool has_left_ = false;  ///< it has given up its events, or has none
  bool is_fresh_next_ = false;
  bool is_flushing_ = false;

  Amount emitted_;  ///< accepted by accept(), without what sampling drops
  RateMeter<5> rates_;
  std::uint64_t rated_accepted_ = UINT64_MAX;  ///< what rates_ knows of; at first nothing
  std::uint64_t told_delivered_ = 0;           ///< by the last snapshot
};

}  // namespace outrider::sidecar
