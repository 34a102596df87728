// Destination: everything between an accepted event and its outcome, for one destination.
//
// Used by App, one a configured destination; they share nothing, so that a sick one uses up only
// its own budget. It queues, forms batches, sends them by its transport and settles what the
// answers mean. It sends at once when nothing is in flight, and gathers while something is, until a
// batch is full or batch_delay old.
//
// Failing: a batch that is to be tried again waits on its own, in no request's place, while the
// destination as a whole is paced by its Pacer. Once it recovers, all that waits is due at once.
//
// Thread: the sidecar's one thread. Owns: its queue, batches, encoder and transport.
// Limits: queue_events_max and queue_bytes_max bound all it holds, in flight included.
// Fails with: nothing; what goes wrong is counted in the ledger and told to the log.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sidecar/base/agent.hpp"
#include "sidecar/base/log.hpp"
#include "sidecar/base/uuid.hpp"
#include "sidecar/config/config.hpp"
#include "sidecar/deliver/batch.hpp"
#include "sidecar/deliver/ledger.hpp"
#include "sidecar/deliver/outcome.hpp"
#include "sidecar/deliver/pacer.hpp"
#include "sidecar/deliver/transport.hpp"
#include "sidecar/encode/encoder.hpp"
#include "sidecar/queue/event_queue.hpp"

namespace outrider::sidecar {

class Destination final : public Agent {
 public:
  Destination(const DestinationConfig& config, std::unique_ptr<Encoder> encoder,
              std::unique_ptr<Transport> transport, Log& log, std::uint64_t seed);

  /// Takes a copy of the record, or drops one as when_full says.
  void accept(proto::ByteView record, const Now& now);

  int do_work(const Now& now) override;
  MonoTime next_deadline() const override;

  /// Shutting down: sends what there is without gathering and without long waits.
  void begin_flush(const Now& now);

  /// Nothing is queued, waiting or in flight.
  bool is_drained() const;

  /// The linger time is over: ends what is in flight and counts what is left as dropped.
  void abandon(const Now& now);

  /// Lets the transport close; nothing is sent afterwards.
  void close(MonoTime deadline) { transport_->close(deadline); }

  const std::string& name() const { return name_; }
  const Ledger& ledger() const { return ledger_; }

 private:
  using BatchPtr = std::unique_ptr<Batch>;

  /// The policy of this destination, as configured.
  struct Policy {
    WhenFull when_full;
    std::uint64_t batch_events_max;
    std::uint64_t batch_bytes_max;
    Duration batch_delay;
    Duration retry_age_max;
    std::uint64_t retry_attempts_max;
  };

  // Sending.
  bool has_batch_to_form(const Now& now) const;
  BatchPtr next_batch(const Now& now);
  BatchPtr form_batch(const Now& now);
  void give_id(Batch& batch, const Now& now);
  BatchPtr take_due_batch(const Now& now);
  bool is_expired(const RecordView& record, const Now& now) const;
  void remove_expired(Batch& batch, const Now& now);
  void start(BatchPtr batch, const Now& now);

  // Settling.
  void settle(const Completion& completion, const Now& now);
  void settle_answer(BatchPtr batch, const Completion& completion, const Now& now);
  void delivered(BatchPtr batch, std::uint32_t lost);
  void sent_some(BatchPtr batch, const Completion& completion, const Now& now);
  void failed(BatchPtr batch, Outcome outcome, const Completion& completion, const Now& now);
  void tell_failure(Outcome outcome, const Completion& completion, const Now& now);
  void answered(AttemptId attempt, const Now& now);
  void make_all_due(const Now& now);
  void split(BatchPtr batch, const Now& now);
  void disable(BatchPtr batch, const Completion& completion, const Now& now);
  void bury(const Batch& batch, std::string_view reason, const Completion& completion,
            const Now& now);
  void wait_until(MonoTime due, BatchPtr batch);
  void settled(const Batch& batch);
  void recycle(BatchPtr batch);

  std::string name_;
  Policy policy_;
  std::unique_ptr<Encoder> encoder_;
  std::unique_ptr<Transport> transport_;
  Log& log_;
  Pacer pacer_;
  UuidGenerator batch_ids_;

  EventQueue queue_;
  std::vector<BatchPtr> in_flight_;
  std::multimap<MonoTime, BatchPtr> waiting_;  ///< by when they are due
  BatchPtr spare_;                             ///< a settled batch whose memory is used again
  std::vector<Completion> completions_;
  Ledger ledger_;

  MonoTime gathering_since_{};
  bool is_flushing_ = false;
  bool is_disabled_ = false;
  std::optional<Outcome> told_failure_;  ///< what the log was told and has not been taken back
  MonoTime next_failure_log_{};
  std::uint64_t dead_untold_ = 0;
  MonoTime next_dead_log_{};
};

}  // namespace outrider::sidecar
