// Drops: events that were dropped, counted by reason; one table gives the reasons their names.
// Used by Client and Shipper. Thread: any.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "outrider/outrider.h"

namespace outrider::sdk {

/// By outrider_drop_reason. Where the sidecar refuses for the same reason, the name is the same.
inline constexpr std::array<const char*, OUTRIDER_DROP_REASONS> drop_reason_names = {
    "buffer_full",      "event_topic", "event_data", "event_too_large",
    "event_attributes", "closed",      "forked",     "linger",
};

class Drops {
 public:
  /// An event that emit refuses.
  void count_refused(outrider_drop_reason reason) { refused_[reason].fetch_add(1); }
  /// Events that the buffer had accepted.
  void count_accepted(outrider_drop_reason reason, std::uint64_t events) {
    accepted_[reason].fetch_add(events);
  }
  std::uint64_t refused(std::size_t reason) const { return refused_[reason].load(); }
  std::uint64_t accepted(std::size_t reason) const { return accepted_[reason].load(); }

  std::uint64_t total() const {
    std::uint64_t events = 0;
    for (std::size_t i = 0; i < refused_.size(); ++i) events += refused(i) + accepted(i);
    return events;
  }

  /// As a frame's header carries them: only reasons that occurred.
  std::map<std::string, std::uint64_t, std::less<>> by_name() const {
    std::map<std::string, std::uint64_t, std::less<>> drops;
    for (std::size_t i = 0; i < refused_.size(); ++i) {
      if (const std::uint64_t events = refused(i) + accepted(i))
        drops[drop_reason_names[i]] = events;
    }
    return drops;
  }

  void restart() {
    for (auto& count : refused_) count.store(0);
    for (auto& count : accepted_) count.store(0);
  }

 private:
  using Counts = std::array<std::atomic<std::uint64_t>, OUTRIDER_DROP_REASONS>;

  Counts refused_{};
  Counts accepted_{};
};

}  // namespace outrider::sdk
