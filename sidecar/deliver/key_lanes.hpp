// KeyLanes: keeps the events of one key in order, for `ordering = key`.
//
// If other events of its key are in a request or wait for the next attempt, an event is set aside
// until they are settled; then all events set aside for that key are next. Events of one batch are
// in order anyway; events without a key block no others. Emitted events can be evicted while they
// are set aside.
//
// If a key fails, its events that are also on disk can be passed over: they stay there. The key is
// then blocked until its owner looks back, even if none of its events is in flight any more.
//
// Used by Backlog. Thread: one, with its backlog. Owns: the records that are set aside.
// Limits: none of its own; events set aside count as taken from the queue, and cost about 200 bytes
// besides their records. A key in flight costs about 150 bytes and its text.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <iterator>
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

  /// Keeps a copy of a record whose key is blocked, and which came at that time.
  void set_aside(const RecordView& record, MonoTime arrived);

  /// The batch leaves: its keys are blocked until its events are settled.
  void enter(const Batch& batch);

  /// The batch has failed, and its keys with it, until their events that have entered are settled.
  void note_failure(const Batch& batch);
  bool is_failing(std::string_view key) const;

  /// An event of this key, which is blocked, was passed over; and all that come later will be.
  void pass_over(std::string_view key);
  bool is_passed(std::string_view key) const;
  /// Of the events set aside for a blocked key, passes over the youngest as long as
  /// `pass(RecordView)` returns true, and forgets them.
  template <typename Pass>
  void pass_over_youngest(std::string_view key, const Pass& pass) {
    const auto found = lanes_.find(key);
    if (found == lanes_.end()) return;
    Lane& lane = found->second;
    while (!lane.aside.empty()) {
      const auto last = std::prev(lane.aside.end());
      if (!pass(read_record(last->second.record.data()))) return;
      lane.is_passed = true;
      count_out(last->first, last->second.record);
      lane.aside.erase(last);
    }
  }
  /// Only the look back keeps a key from continuing.
  bool wants_look_back() const { return resting_ > 0; }
  /// Events that were passed over return.
  void look_back();

  /// An event that had entered is settled.
  void leave(std::string_view key);

  /// Records that were set aside and may be sent now.
  bool has_ready() const { return !ready_.empty(); }
  /// The oldest of them, of the key that became free first.
  proto::ByteView front() const;
  MonoTime front_arrived() const;
  void pop_front();

  Amount evictable(proto::Priority priority) const {
    return evictable_[static_cast<std::size_t>(priority)];
  }
  /// Gives up the oldest of them; there is one. Returns its bytes.
  std::size_t evict(proto::Priority priority);

  std::uint64_t events() const { return events_; }
  bool is_empty() const { return events_ == 0; }

  /// Calls `visit(proto::ByteView record)` for each event that is set aside; of one key in order.
  template <typename Visit>
  void for_each(const Visit& visit) const {
    for (const auto& [key, lane] : lanes_) {
      for (const auto& [number, aside] : lane.aside) visit(proto::ByteView(aside.record));
    }
  }
  /// Forgets the events that are set aside or were passed over.
  void clear();

 private:
  void count_out(std::uint64_t number, proto::ByteView record);

  struct Aside {
    std::vector<std::uint8_t> record;
    MonoTime arrived;
  };
  struct Lane {
    std::uint32_t on_the_way = 0;
    bool is_failing = false;
    bool is_passed = false;
    std::map<std::uint64_t, Aside> aside;  ///< by their numbers
  };
  using Lanes = std::map<std::string, Lane, std::less<>>;

  static bool is_at_rest(const Lane& lane) { return lane.on_the_way == 0 && lane.aside.empty(); }
  void rest(Lanes::iterator lane);

  Lanes lanes_;  ///< keys with something on the way or set aside
  std::deque<Lanes::iterator> ready_;
  /// For each priority, by its number: the events that may be evicted.
  std::array<std::map<std::uint64_t, Lanes::iterator>, 3> emitted_;
  std::array<Amount, 3> evictable_{};
  std::uint64_t resting_ = 0;  ///< lanes that nothing but the look back keeps
  std::uint64_t events_ = 0;
  std::uint64_t last_number_ = 0;
};

}  // namespace outrider::sidecar
