// Backlog: what waits at one destination, and what goes next.
//
// Used by Destination. Events wait in the queue until a batch is made of them; a batch that failed
// waits on its own, in no request's place. With `ordering = key`, events whose key is on its way
// are set aside. Batches are encoded as they are made, so that batch_bytes_max bounds the body.
//
// With a spool, what finds no room goes to disk, and what is on disk comes back when there is room;
// an event that stands on disk is settled there when it is settled here.
//
// With `ordering = key`, what comes from disk for a key that fails stays in memory while that takes
// half of the room at most; beyond it, it is passed over: it stays on disk, with all that comes
// later for its key, and the other keys go on. When the key is free, and all that was on disk
// beside it has had its turn, the lane looks back.
//
// Who gives way: a new event that finds room neither in memory nor, where it may go there, on disk
// evicts events of a lower priority that were only emitted, wherever they wait in memory: in a
// batch for its next attempt, set aside for their key, or queued; with drop_oldest those of its own
// priority too. The lowest priority goes first, and of it the oldest. What is in a request, what
// follows it, and what stands on disk as well is never evicted. A new event that still has no room
// is dropped.
//
// Thread: one, with its destination. Owns: the queue and the batches that wait; a batch that was
// taken belongs to the taker until it comes back by wait_until(), split() or finish().
// Borrows: the lane of the spool, if there is one, the encoder and the ledger, of which it keeps
// `queued`, what waits here, and the drops. Limits: queue_events_max and queue_bytes_max bound all
// it holds and all that was taken.
#pragma once

#include <cstdint>
#include <vector>

#include "sidecar/base/ledger.hpp"
#include "sidecar/base/uuid.hpp"
#include "sidecar/config/destination_config.hpp"
#include "sidecar/deliver/batch.hpp"
#include "sidecar/deliver/key_lanes.hpp"
#include "sidecar/deliver/waiting_batches.hpp"
#include "sidecar/queue/event_queue.hpp"
#include "sidecar/spool/lane.hpp"

namespace outrider::sidecar {

class Backlog {
 public:
  Backlog(const DestinationConfig& config, Encoder& encoder, Lane* lane, Ledger& ledger,
          std::uint64_t seed);

  /// Takes a copy of the record, or drops one as when_full says.
  void accept(proto::ByteView record, const Now& now);
  /// Takes what has come back from disk, as far as there is room; or looks back. Returns how many
  /// events it took.
  std::uint32_t refill(const Now& now);
  /// Something has come back and there is room for it; or it is time to look back.
  bool can_refill() const;

  /// When a batch should be made of what is queued: at once if nothing is on its way, else when
  /// there is enough of it or it has waited for batch_delay. `never` if nothing is queued.
  MonoTime fresh_due_at(bool is_idle) const;
  /// When the next failed batch wants to be tried again, or `never`.
  MonoTime retry_due_at() const;

  /// Makes a batch of at most so many events. Null if there is none to be sent after all, because
  /// all had expired or stand behind others of their key.
  BatchPtr take_fresh(std::uint64_t events_max, const Now& now);
  /// The failed batch that has waited longest, if one is due.
  BatchPtr take_retry(const Now& now);

  /// The batch failed, and waits for its next attempt.
  void wait_until(MonoTime due, BatchPtr batch);
  /// Both halves wait to be sent, now, each with an id of its own.
  void split(BatchPtr batch, const Now& now);
  void make_all_due(const Now& now);
  /// As Batch::forget_attempts(), for all that wait.
  void forget_attempts();
  /// So much of the time since their first attempts does not count.
  void make_up_for(Duration lost, const Now& now);

  /// Events of a batch are settled: delivered, dropped or dead.
  void release(const RecordView& record);
  /// All of them are. Its follower is due.
  void finish(BatchPtr batch, const Now& now);

  /// Forgets all that waits and returns how many events that were.
  std::uint64_t clear();
  /// With a spool, at the end: gives up all that waits, and before it the batches that were on
  /// their way; it is on disk for the next run, in this order. Batches that are still on their way
  /// are settled one by one; so is what follows them.
  void put_back(const std::vector<BatchPtr>& taken, const Now& now);

  bool is_empty() const;

  /// What counts against the queue's limits: all it holds and all that was taken.
  Amount held() const { return queue_.held(); }
  const QueueLimits& limits() const { return queue_.limits(); }
  /// When the oldest event that waits here came, or `never`. What is set aside is younger than what
  /// it stands behind, and not looked at.
  MonoTime oldest() const;

  /// The batch's events have changed: it is another batch for the receiver.
  void give_id(Batch& batch, const Now& now);

 private:
  bool has_full_batch() const;
  double free_part() const;
  bool has_room(std::size_t record_bytes) const;
  bool spill(proto::ByteView record, const Now& now);
  bool is_behind_its_key(proto::ByteView record) const;
  void settle_on_disk(const RecordView& record);
  class Taken;
  bool make_room(std::size_t record_bytes, proto::Priority priority, const Now& now);
  bool add_next(Batch& batch, const RecordView& record);
  bool can_look_back() const;
  bool pass_over(const RecordView& record);
  void note_failure(const Batch& batch);
  bool drop_if_expired(const RecordView& record, const Now& now);
  void remove_expired(Batch& batch, const Now& now);
  void encode(Batch& batch);
  void recycle(BatchPtr batch);

  WhenFull when_full_;
  bool keeps_key_order_;
  std::uint64_t batch_events_max_;
  std::uint64_t batch_bytes_max_;
  std::uint64_t body_bytes_max_;
  Duration batch_delay_;
  bool is_fresh_first_;
  Encoder& encoder_;
  Lane* lane_;
  Ledger& ledger_;
  UuidGenerator batch_ids_;

  EventQueue queue_;
  KeyLanes lanes_;
  WaitingBatches waiting_;
  /// The first so many of the queue may have an event with a key behind them that is not on disk.
  std::uint64_t ahead_of_emitted_ = 0;
  MonoTime gathering_since_{};
  BatchPtr spare_;  ///< a settled batch whose memory is used again
};

}  // namespace outrider::sidecar
