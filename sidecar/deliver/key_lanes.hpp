// KeyLanes: keeps the events of one key in order, for `ordering = key`.
//
// An event whose key has others on their way, in a request or waiting for the next attempt, is set
// aside until they are settled; then all that was set aside for that key is next. Events of one
// batch are in order by themselves; events without a key are in nobody's way. What was only emitted
// can be evicted from among those that are set aside.
//
// Used by Backlog. Thread: one, with its backlog. Owns: the records that are set aside.
// Limits: none of its own; what is set aside counts as taken from the queue, and costs about 200
// bytes beside its record. A key on its way costs about 150 bytes and itself.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "sidecar/base/amount.hpp"
#include "sidecar/base/record.hpp"
#include "sidecar/deliver/batch.hpp"

namespace outrider::sidecar {

class KeyLanes {
 public:
  /// True if an event of this key may not be sent now.
  bool is_blocked(std::string_view key) const;

  /// Keeps a copy of a record whose key is blocked.
  void set_aside(const RecordView& record);

  /// The batch goes on its way: its keys are blocked until its events are settled.
  void enter(const Batch& batch);

  /// An event that had entered is settled.
  void leave(std::string_view key);

  /// Records that were set aside and may be sent now.
  bool has_ready() const { return !ready_.empty(); }
  /// The oldest of them, of the key that became free first.
  proto::ByteView front() const;
  void pop_front();

  Amount evictable(proto::Priority priority) const {
    return evictable_[static_cast<std::size_t>(priority)];
  }
  /// Gives up the oldest of them; there is one. Returns its bytes.
  std::size_t evict(proto::Priority priority);

  std::uint64_t events() const { return events_; }
  bool is_empty() const { return events_ == 0; }

  /// Forgets what is set aside, and calls `visit(proto::ByteView record)` for each first.
  template <typename Visit>
  void clear(const Visit& visit) {
    for (auto& [key, lane] : lanes_) {
      for (const auto& [number, record] : lane.aside) visit(proto::ByteView(record));
      lane.aside.clear();
    }
    std::erase_if(lanes_, [](const auto& entry) { return entry.second.on_the_way == 0; });
    ready_.clear();
    emitted_ = {};
    evictable_ = {};
    events_ = 0;
  }

 private:
  void count_out(std::uint64_t number, proto::ByteView record);

  struct Lane {
    std::uint32_t on_the_way = 0;
    std::map<std::uint64_t, std::vector<std::uint8_t>> aside;  ///< by their numbers
  };
  using Lanes = std::map<std::string, Lane, std::less<>>;

  Lanes lanes_;  ///< keys with something on the way or set aside
  std::deque<Lanes::iterator> ready_;
  /// Of each priority: what may be evicted, by its number.
  std::array<std::map<std::uint64_t, Lanes::iterator>, 3> emitted_;
  std::array<Amount, 3> evictable_{};
  std::uint64_t events_ = 0;
  std::uint64_t last_number_ = 0;
};

}  // namespace outrider::sidecar
