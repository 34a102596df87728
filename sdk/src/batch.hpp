// Batch: delivered events that travel together, and whom to tell of each.
//
// Used by Courier and SetAside. Thread: its owner's. Fails with: std::bad_alloc, and has changed
// nothing then. Limits: events_max, and the bytes that its users allow.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "outrider/outrider.h"
#include "proto/bytes.hpp"
#include "proto/confirm.hpp"

namespace outrider::sdk {

/// Whom to tell what became of an event; the function may be null.
struct Delivery {
  outrider_confirm_fn confirm = nullptr;
  void* user = nullptr;
};

struct Batch {
  /// An answer can name each event of a frame, so that one never holds up the others.
  static constexpr std::size_t events_max = proto::refused_events_max;
  /// A record of each event, and room for its vector to grow.
  static constexpr std::size_t delivery_bytes = 2 * sizeof(Delivery);

  std::string events{};  ///< as they go on the wire, one after the other
  std::vector<Delivery> deliveries{};
  std::uint64_t oldest = 0;  ///< no event was taken before this one, counted from 1

  /// What it takes of the caller's budget.
  std::size_t cost() const { return events.size() + deliveries.size() * delivery_bytes; }
  /// Whether so much more may be added. An event that is larger than `bytes_max` stands alone.
  bool has_room(std::size_t bytes, std::size_t count, std::size_t bytes_max) const {
    return deliveries.empty() || (events.size() + bytes <= bytes_max &&  //
                                  deliveries.size() + count <= events_max);
  }
  void add(std::span<const proto::ByteView> pieces, Delivery delivery, std::size_t bytes_max);
  void add(const Batch& other, std::size_t bytes_max);

 private:
  void reserve(std::size_t bytes, std::size_t count, std::size_t bytes_max);
};

/// Walks over the events of a batch in their order.
class EventWalk {
 public:
  explicit EventWalk(const Batch& batch) : left_(proto::as_bytes(batch.events)) {}
  proto::ByteView next();

 private:
  proto::ByteView left_;
};

std::string_view topic_of(proto::ByteView event);

/// The events of a batch with two or more in two batches.
std::list<Batch> halves(const Batch& batch);

}  // namespace outrider::sdk
