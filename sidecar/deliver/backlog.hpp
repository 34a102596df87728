// Backlog: the events that wait for one destination, and which of them are sent next.
//
// Used by Destination. Events wait in the queue until a batch is made of them; a batch that failed
// waits without taking the place of a request. With `ordering = key`, events whose key is in flight
// are set aside. Batches are encoded as they are made, so that batch_bytes_max bounds the body.
//
// With a spool, events without room go to disk, and return from there when there is room. An event
// that is also on disk is settled there when it is settled here.
//
// With `ordering = key`, events from disk whose key fails stay in memory as long as they take at
// most half of the room. Further ones are passed over: they stay on disk, with all later events of
// their key, and the other keys continue. When the key is free, and all other events that were on
// disk have had their turn, the lane looks back.
//
// Eviction: a new event without room in memory, or on disk where it may go there, evicts emitted
// events of a lower priority wherever they wait in memory: in a batch for its next attempt, set
// aside for their key, or queued. With drop_oldest it also evicts those of its own priority. The
// lowest priority is evicted first, and within it the oldest event. Events in a request, those that
// follow it, and those that are also on disk are never evicted. A new event that still has no room
// is dropped.
//
// Thread: one, with its destination. Owns: the queue and the batches that wait; a batch that was
// taken belongs to the taker until it comes back by wait_until(), split() or finish().
// Borrows: the lane of the spool, if there is one, and the ledger, in which it counts
// `queued` and the drops. Limits: queue_events_max and queue_bytes_max bound the events that it
// holds and those that were taken.
#pragma once

#include <cstdint>
#include <memory>
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
  Backlog(const DestinationConfig& config, std::shared_ptr<Encoder> encoder, Lane* lane,
          Ledger& ledger, std::uint64_t seed);

  /// Other settings, and another encoder of the same format, for batches that are made from here
  /// on. `ordering` and `spool_order` stay.
  void use(const DestinationConfig& config, std::shared_ptr<Encoder> encoder);

  /// Takes a copy of the record, or drops one as when_full says.
  void accept(proto::ByteView record, const Now& now);
  /// Takes events that were read from disk, as far as there is room; or looks back. Returns how
  /// many events it took.
  std::uint32_t refill(const Now& now);
  /// Something has come back and there is room for it; or it is time to look back.
  bool can_refill() const;

  /// When a batch should be made of the queued events: at once if nothing is in flight, otherwise
  /// when there are enough of them or they have waited for batch_delay. `never` if nothing is
  /// queued.
  MonoTime fresh_due_at(bool is_idle) const;
  /// When the next failed batch wants to be tried again, or `never`.
  MonoTime retry_due_at() const;

  /// Makes a batch of at most this many events. Null if there is none to send after all, because
  /// all had expired or must wait for others of their key.
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
  /// The same, and settles those that are also on disk.
  std::uint64_t discard();
  /// With a spool, at the end: gives up all waiting events, and before them the batches in `taken`;
  /// they are on disk for the next run, in this order. Batches that are still in flight are settled
  /// one by one; so are their followers.
  void put_back(const std::vector<BatchPtr>& taken, const Now& now);

  bool is_empty() const;

  /// Counts against the queue's limits: all events that it holds and all that were taken.
  Amount held() const { return queue_.held(); }
  const QueueLimits& limits() const { return queue_.limits(); }
  /// When the oldest event that waits here arrived, or `never`. An event that is set aside for its
  /// key is younger than the one that it waits for, and is not looked at.
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
  static void encode(Batch& batch);
  void recycle(BatchPtr batch);

  WhenFull when_full_{};
  bool keeps_key_order_;
  std::uint64_t batch_events_max_ = 0;
  std::uint64_t batch_bytes_max_ = 0;
  std::uint64_t body_bytes_max_ = 0;
  Duration batch_delay_{};
  bool is_fresh_first_;
  std::shared_ptr<Encoder> encoder_;
  Lane* lane_;
  Ledger& ledger_;
  UuidGenerator batch_ids_;

  EventQueue queue_;
  KeyLanes lanes_;
  WaitingBatches waiting_;
  /// How far into the queue there may be an event with a key that is not on disk.
  std::uint64_t ahead_of_emitted_ = 0;
  MonoTime gathering_since_{};
  BatchPtr spare_;  ///< a settled batch whose memory is used again
};

}  // namespace outrider::sidecar
