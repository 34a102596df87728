// SetAside: delivered events that the sidecar has refused for the moment one by one, because a
// destination of theirs is full. They go again later in frames of their own, one at a time, so that
// they keep neither a place in the window nor the turn of others. What is delivered of their topics
// meanwhile waits behind them.
//
// Used by Courier. Thread: any, under the courier's lock. Fails with: std::bad_alloc, and has
// changed nothing then. Limits: its user's.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "proto/bytes.hpp"
#include "sdk/src/batch.hpp"

namespace outrider::sdk {

class SetAside {
 public:
  /// Nothing waits; a frame of it may be on its way.
  bool empty() const { return refused_.empty() && in_line_.empty() && tried_.empty(); }
  std::size_t cost() const { return cost_; }
  /// The lowest `oldest` of what waits; UINT64_MAX: nothing does.
  std::uint64_t oldest() const;
  /// Events of this topic wait here, or are on their way from here.
  bool has_topic(std::string_view topic) const {
    const auto found = topics_.find(topic);
    return found != topics_.end() && found->second > 0;
  }

  /// Puts an event at the end of the line; `oldest` as in Batch.
  void add(std::span<const proto::ByteView> pieces, Delivery delivery, std::uint64_t oldest,
           std::size_t bytes_max);
  /// Puts in what another one holds, which has been refused just now: before the line, and to be
  /// tried in the next round if it is refused `again`.
  void take_over(SetAside&& other, bool again, std::size_t bytes_max) noexcept;

  /// All that waits has been tried in this round.
  bool is_round_over() const { return refused_.empty(); }
  /// Some of it was refused again.
  bool was_round_in_vain() const { return !tried_.empty(); }
  /// What was refused comes before what has joined the line meanwhile.
  void begin_round() {
    refused_.splice(refused_.begin(), tried_);
    refused_.splice(refused_.end(), in_line_);
  }

  /// How many events take() will give; neither of them if the round is over.
  std::size_t next_count() const { return refused_.front().deliveries.size(); }
  /// What was taken is on its way until forget() or put_back().
  Batch take();
  /// All of it is answered; what is refused once more is taken over again.
  void forget(const Batch& batch) noexcept;
  /// What was taken, in pieces now, to the front.
  void put_back(std::list<Batch>&& pieces) noexcept;

  /// Everything, at the end.
  std::list<Batch> clear();

 private:
  std::list<Batch> refused_;                                  ///< to be tried in this round
  std::list<Batch> in_line_;                                  ///< never sent yet
  std::list<Batch> tried_;                                    ///< refused in this round
  std::size_t cost_ = 0;                                      ///< of all three
  std::map<std::string, std::uint64_t, std::less<>> topics_;  ///< and how many events each has
};

}  // namespace outrider::sdk
