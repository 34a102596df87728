// WaitingBatches: the batches that failed, until they are due again, and their events that may be
// evicted.
//
// Used by Backlog. A batch leaves when it is due, and its followers with it. Until then its emitted
// events can be evicted: the oldest batch first, and in it the oldest event. The gaps of evicted
// events are closed when they are an eighth of the batch, so that the cost of an eviction does not
// depend on the size of the batch; no caller sees the gaps. A batch that has lost events has
// another body, and needs another id.
//
// Thread: one, with its backlog. Owns: the batches. Limits: none of its own; taken events count
// against the queue's limits. A batch costs about 150 bytes here.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <utility>

#include "proto/event.hpp"
#include "sidecar/base/amount.hpp"
#include "sidecar/deliver/batch.hpp"

namespace outrider::sidecar {

class WaitingBatches {
 public:
  /// With its followers.
  void add(MonoTime due, BatchPtr batch);

  bool is_empty() const { return by_due_.empty(); }
  /// When the next is due, or `never`.
  MonoTime due_at() const;
  /// When the oldest event of them came, or `never`.
  MonoTime oldest() const { return arrivals_.empty() ? never : *arrivals_.begin(); }
  /// That one; there is one. If `waiting.has_changed`, it needs a new id, and so do its followers.
  BatchPtr take_first();
  void make_all_due(const Now& now);

  Amount evictable(proto::Priority priority) const { return evictable_[index_of(priority)]; }
  struct Evicted {
    RecordView record;  ///< valid until the next call
    BatchPtr emptied;   ///< the batch that has no event left; its followers are due
  };
  /// Gives up the oldest event of this priority; there is one.
  Evicted evict(proto::Priority priority);

  /// Calls `visit(Batch&)` for each, followers included, in the order in which they are due.
  template <typename Visit>
  void for_each(const Visit& visit) {
    for (auto& [due, first] : by_due_) {
      for (Batch* batch = first.get(); batch != nullptr; batch = batch->follower.get()) {
        close_gaps(*batch);
        visit(*batch);
      }
    }
  }
  void clear();

 private:
  using Due = std::pair<MonoTime, std::uint64_t>;

  static std::size_t index_of(proto::Priority priority) {
    return static_cast<std::size_t>(priority);
  }
  void count(Batch& batch, bool is_follower);
  void forget(Batch& batch);
  static void close_gaps(Batch& batch);

  std::map<Due, BatchPtr> by_due_;
  /// Of each priority: the batches with events of it that may be evicted, by their numbers.
  std::array<std::map<std::uint64_t, Batch*>, 3> by_age_;
  std::array<Amount, 3> evictable_{};
  std::multiset<MonoTime> arrivals_;  ///< Batch::arrived of each
  std::uint64_t last_number_ = 0;
  std::vector<std::uint8_t> evicted_;
};

}  // namespace outrider::sidecar
