#include "sidecar/deliver/stall_log.hpp"

#include <utility>

#include "sidecar/base/units.hpp"

namespace outrider::sidecar {

StallLog::StallLog(const DestinationConfig& config, Log& log)
    : destination_(config.name), log_(log), is_used_(config.type != DestinationType::http) {}

void StallLog::started(bool is_first, const Now& now) {
  if (!is_used_ || !is_first) return;
  since_ = now.mono;
  next_line_ = since_ + stalled_after;
}

void StallLog::settled(bool is_last, const Now& now) {
  if (!is_used_) return;
  if (std::exchange(is_told_, false)) {
    log_.info(
        "destination accepts events again",
        {{"destination", destination_},
         {"after", format_duration(std::chrono::floor<std::chrono::seconds>(now.mono - since_))}});
  }
  since_ = is_last ? never : now.mono;
  next_line_ = is_last ? never : since_ + stalled_after;
}

void StallLog::do_work(std::uint64_t waiting, const Now& now) {
  if (now.mono < next_line_) return;
  log_.warn(
      "destination hangs in a write; its events wait",
      {{"destination", destination_},
       {"since", format_duration(std::chrono::floor<std::chrono::seconds>(now.mono - since_))},
       {"queued", std::to_string(waiting)}});
  is_told_ = true;
  next_line_ = now.mono + reminder_interval;
}

}  // namespace outrider::sidecar
