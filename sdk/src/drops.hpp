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
  void count(outrider_drop_reason reason, std::uint64_t events = 1) {
    counts_[reason].fetch_add(events);
  }
  std::uint64_t of(outrider_drop_reason reason) const { return counts_[reason].load(); }
  std::uint64_t total() const {
    std::uint64_t events = 0;
    for (const auto& count : counts_) events += count.load();
    return events;
  }

  /// As a frame's header carries them: only reasons that occurred.
  std::map<std::string, std::uint64_t, std::less<>> by_name() const {
    std::map<std::string, std::uint64_t, std::less<>> drops;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      if (const std::uint64_t events = counts_[i].load()) drops[drop_reason_names[i]] = events;
    }
    return drops;
  }

  void restart() {
    for (auto& count : counts_) count.store(0);
  }

 private:
  std::array<std::atomic<std::uint64_t>, OUTRIDER_DROP_REASONS> counts_{};
};

}  // namespace outrider::sdk
