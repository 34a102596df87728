// Batch: delivered events that are sent in one frame, and the confirm function of each. Used by
// Unconfirmed and SendWindow. Pure values; needs memory, and throws std::bad_alloc before anything
// is changed.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "outrider/outrider.h"
#include "proto/bytes.hpp"
#include "proto/confirm.hpp"
#include "sdk/src/worker.hpp"

namespace outrider::sdk {

/// The function that gets the outcome of an event; may be null.
struct Delivery {
  outrider_confirm_fn confirm = nullptr;
  void* user = nullptr;
};

/// The cost of a delivery besides its event's bytes: its record, and room for the vector to grow.
inline constexpr std::size_t delivery_bytes = 2 * sizeof(Delivery);

struct Batch {
  std::string events;  ///< complete msgpack values, back to back
  std::vector<Delivery> deliveries;
  std::uint64_t first_event = 0;  ///< as deliver counted them; none in here came before
  SteadyTime due{};               ///< not to be sent before
  std::uint32_t refusals = 0;     ///< how often it was refused for the moment
  bool is_stuck = false;          ///< its events were refused one by one: a destination is full
  bool is_unsure = false;         ///< its events were on their way when a connection ended
  bool may_be_taken = false;      ///< unsure, or on its way

  std::size_t cost() const { return events.size() + deliveries.size() * delivery_bytes; }
};

std::string_view topic_of(proto::ByteView event);

/// The events from one index up to before another, in a batch of their own.
Batch part_of(const Batch& batch, std::uint32_t from, std::uint32_t to);

/// The events that were refused for the moment, in a batch of their own.
Batch refused_for_now(const Batch& batch, const std::vector<proto::RefusedEvent>& refused);

}  // namespace outrider::sdk
