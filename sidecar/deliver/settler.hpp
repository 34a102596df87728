// Settler: carries out the end of an attempt for the batch that was sent.
//
// Used by Destination, one each. An answer, or the lack of one, is a verdict on the whole batch
// (outcome.hpp), or on each of its events if the transport or the encoder's AnswerReader
// distinguishes them. The settler counts the verdict in the ledger and reports it to the pacer and
// the log. Each event is delivered, dropped, dead, or returns to the backlog for its next attempt.
//
// Invariant: after settle() each event of the batch is in exactly one place, and the ledger has
// counted it there.
//
// Thread: the sidecar's one. Borrows: its constructor's arguments, which outlive it. Fails with:
// nothing.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "sidecar/base/ledger.hpp"
#include "sidecar/config/destination_config.hpp"
#include "sidecar/deliver/backlog.hpp"
#include "sidecar/deliver/delivery_meter.hpp"
#include "sidecar/deliver/failure_log.hpp"
#include "sidecar/deliver/outcome.hpp"
#include "sidecar/deliver/pacer.hpp"
#include "sidecar/deliver/transport.hpp"
#include "sidecar/encode/encoder.hpp"

namespace outrider::sidecar {

class Settler {
 public:
  /// `reader`: null if answers speak of whole batches. `lane`: null without a spool.
  Settler(const DestinationConfig& config, const AnswerReader* reader, Lane* lane, Backlog& backlog,
          Pacer& pacer, FailureLog& failures, DeliveryMeter& meter, Ledger& ledger)
      : lane_(lane),
        backlog_(backlog),
        pacer_(pacer),
        failures_(failures),
        meter_(meter),
        ledger_(ledger) {
    use(config, reader);
  }

  /// Other settings, from here on.
  void use(const DestinationConfig& config, const AnswerReader* reader);
  /// From here on everything goes another way: a failure of an earlier attempt tells nothing of it,
  /// and its batch is tried again at once.
  void begin_anew(const Now& now);

  /// The attempt of this batch has ended.
  void settle(BatchPtr batch, const Completion& completion, const Now& now);

  /// All of it is dead; `completion` is kept with its dead letters.
  void bury(BatchPtr batch, DeadReason reason, const Completion& completion, const Now& now);

  /// Events that were never in a batch, of a destination that is gone.
  void bury_unsent(std::uint64_t events);

  /// From here on no event is given up because of its attempts or its age: a failure during the
  /// shutdown is not final.
  void begin_stop() { is_stopping_ = true; }

  /// The destination is gone: nothing is sent to it any more.
  bool is_disabled() const { return is_disabled_; }
  /// Its credentials are refused: its events wait until a person mends that.
  bool is_held() const { return is_held_; }

 private:
  bool read_verdicts(const Batch& batch, const Completion& completion);
  void settle_each(BatchPtr batch, const Completion& completion, const Now& now);
  void settle_whole(BatchPtr batch, const Completion& completion, const Now& now);
  Outcome proved(Outcome outcome, int status, const Batch& batch) const;
  bool others_succeed(const Batch& batch) const;
  void answered(const Batch& batch, bool is_taken, const Now& now);
  void failed(BatchPtr batch, Outcome outcome, const Completion& completion, const Now& now);
  void retry_or_give_up(BatchPtr batch, Duration delay, const Completion& completion,
                        const Now& now);
  void split(BatchPtr batch, const Completion& completion, const Now& now);
  void disable(BatchPtr batch, const Completion& completion, const Now& now);
  void bury_old(Batch& batch, const Completion& completion, const Now& now);
  void count_dead(const Batch& batch, std::uint32_t events, DeadReason reason,
                  const Completion& completion, const Now& now);
  void keep_dead(const RecordView& record, DeadReason reason, int status, const Batch& batch,
                 const Completion& completion, const Now& now);
  void leave_queue(const Now& now);

  std::vector<StatusAction> status_actions_;
  Duration retry_age_max_{};
  std::uint64_t retry_attempts_max_ = 0;
  const AnswerReader* reader_ = nullptr;
  Lane* const lane_;
  Backlog& backlog_;
  Pacer& pacer_;
  FailureLog& failures_;
  DeliveryMeter& meter_;
  Ledger& ledger_;

  std::vector<EventVerdict> verdicts_;  ///< of the batch that is being settled
  std::vector<int> statuses_;
  std::map<std::uint32_t, AttemptId> last_taken_;  ///< by way: the newest attempt that took events
  AttemptId other_way_up_to_ = 0;  ///< attempts that went another way than those to come
  bool is_held_ = false;           ///< since the breaker opened, credentials were refused
  bool is_stopping_ = false;
  bool is_disabled_ = false;
};

}  // namespace outrider::sidecar
