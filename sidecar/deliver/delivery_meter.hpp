// DeliveryMeter: what one destination's attempts came to, counted since the start.
//
// Used by Destination and its Settler, which count a batch at a time; copied into a
// DestinationSnapshot. Thread: one, with its destination. Plain values.
//
// An event's time from acceptance to delivery is that of the oldest event that its batch ever had,
// which is no less than its own: a batch gathers for batch_delay, or until a request may start. An
// event from disk came when it was stored there, by the wall clock.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "sidecar/deliver/transport.hpp"
#include "sidecar/observe/duration_histogram.hpp"

namespace outrider::sidecar {

struct DeliveryMeter {
  static constexpr std::size_t status_classes = 6;  ///< as StatusClass counts them

  std::uint64_t retries = 0;                             ///< attempts of batches that had failed
  std::array<std::uint64_t, status_classes> requests{};  ///< that ended, by StatusClass
  DurationHistogram request_time;                        ///< of those that were answered
  DurationHistogram settle_time;                         ///< of events
  std::string last_failure;                              ///< in our words, or its status
  std::string last_answer;                               ///< the words of the receiver

  /// An attempt has ended after `time`. An attempt that was handed over to a receiver without
  /// answers counts as a success; one that could not be sent at all is no request.
  void note_end(const Completion& completion, Duration time);
  /// It failed, or its events are dead letters.
  void note_failure(const Completion& completion);
};

}  // namespace outrider::sidecar
