// Destination: everything between an accepted event and its outcome, for one destination.
//
// Used by App, one a configured destination; they share nothing, so that a sick one uses up only
// its own budget. It decides what an answer means for the events that were sent; what waits and
// goes next is its Backlog's, when and how much its Pacer's, carrying its Transport's.
//
// It sends at once when nothing is in flight, and gathers while something is, until a batch is full
// or batch_delay old. Fresh batches and retries take turns when both are due.
//
// Thread: the sidecar's one thread. Owns: its backlog, batches in flight, encoder and transport.
// Limits: queue_events_max and queue_bytes_max bound all it holds, in flight included.
// Fails with: nothing; what goes wrong is counted in the ledger and told to the log.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sidecar/base/agent.hpp"
#include "sidecar/base/ledger.hpp"
#include "sidecar/base/log.hpp"
#include "sidecar/config/destination_config.hpp"
#include "sidecar/deliver/backlog.hpp"
#include "sidecar/deliver/drop_log.hpp"
#include "sidecar/deliver/failure_log.hpp"
#include "sidecar/deliver/outcome.hpp"
#include "sidecar/deliver/pacer.hpp"
#include "sidecar/deliver/stall_log.hpp"
#include "sidecar/deliver/transport.hpp"
#include "sidecar/encode/encoder.hpp"

namespace outrider::sidecar {

class Destination final : public Agent {
 public:
  /// `lane`: its part of the spool, or null; outlives the destination.
  Destination(const DestinationConfig& config, std::unique_ptr<Encoder> encoder,
              std::unique_ptr<Transport> transport, Lane* lane, Log& log, std::uint64_t seed);

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
  void begin_stop() { is_stopping_ = true; }

  /// Nothing comes in any more: sends what there is without gathering and without long waits.
  void begin_flush(const Now& now);

  /// Nothing is queued, waiting or in flight.
  bool is_drained() const { return in_flight_.empty() && backlog_.is_empty(); }

  /// The linger time is over: ends what is in flight. With a spool, what is left is put there; else
  /// it is counted as dropped.
  void abandon(const Now& now);

  /// Lets the transport close; nothing is sent afterwards.
  void close(MonoTime deadline) { transport_->close(deadline); }

  /// Events that a crash would lose.
  std::uint64_t events_in_memory_only() const {
    return ledger_.queued + ledger_.in_flight - (lane_ != nullptr ? lane_->events_in_memory() : 0);
  }

  const std::string& name() const { return name_; }
  const Ledger& ledger() const { return ledger_; }
  const Pacer& pacer() const { return pacer_; }

 private:
  // Sending.
  BatchPtr next_batch(const Now& now, bool& is_retry);
  void start(BatchPtr batch, bool is_retry, const Now& now);
  void note_held_back(const Now& now);

  // Settling.
  void collect(const Now& now);
  void settle(const Completion& completion, const Now& now);
  void settle_answer(BatchPtr batch, const Completion& completion, const Now& now);
  bool settle_items(BatchPtr& batch, const Completion& completion, const Now& now);
  bool others_succeed(const Batch& batch) const;
  void answered(const Batch& batch, bool is_taken, const Now& now);
  void delivered(BatchPtr batch, std::uint32_t lost, const Now& now);
  void sent_some(BatchPtr batch, const Completion& completion, const Now& now);
  void failed(BatchPtr batch, Outcome outcome, const Completion& completion, const Now& now);
  void retry_or_give_up(BatchPtr batch, Duration delay, const Completion& completion,
                        const Now& now);
  void disable(BatchPtr batch, const Completion& completion, const Now& now);
  void bury(BatchPtr batch, DeadReason reason, const Completion& completion, const Now& now);
  void bury_unsent(std::uint64_t events);
  void keep_dead(const RecordView& record, DeadReason reason, const Batch& batch,
                 const Completion& completion, const Now& now);
  void bury_old(Batch& batch, const Completion& completion, const Now& now);
  void leave_queue(const Now& now);

  std::string name_;
  std::uint64_t sample_below_;  ///< ids whose hash is at least this are not kept; 0: all are kept
  std::vector<StatusAction> status_actions_;
  Duration retry_age_max_;
  std::uint64_t retry_attempts_max_;

  std::unique_ptr<Encoder> encoder_;
  std::unique_ptr<Transport> transport_;
  Lane* lane_;
  FailureLog failures_;
  DropLog drops_;
  StallLog stalls_;
  Pacer pacer_;
  Ledger ledger_;
  Backlog backlog_;

  std::vector<BatchPtr> in_flight_;
  std::vector<Completion> completions_;
  std::vector<int> item_statuses_;
  std::map<std::uint32_t, AttemptId> last_taken_;  ///< by way: the newest attempt that took events
  bool is_fresh_next_ = false;
  bool is_held_ = false;  ///< since the breaker opened, credentials were refused
  bool is_stopping_ = false;
  bool is_flushing_ = false;
  bool is_disabled_ = false;
};

}  // namespace outrider::sidecar
