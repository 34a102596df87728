#include "sidecar/spool/disk_stall_log.hpp"

#include <string>
#include <utility>

#include "sidecar/base/units.hpp"

namespace outrider::sidecar {
namespace {

std::string seconds_of(Duration duration) {
  return format_duration(std::chrono::floor<std::chrono::seconds>(duration));
}

}  // namespace

void DiskStallLog::asked(std::uint64_t attempts, const Now& now) {
  attempts_ = attempts;
  since_ = now.mono;
  next_line_ = since_ + stalled_after;
}

void DiskStallLog::answered(const Now& now) {
  if (std::exchange(is_told_, false)) {
    log_.info("the spool's disk answers again", {{"after", seconds_of(now.mono - since_)}});
  }
  since_ = never;
  next_line_ = never;
}

void DiskStallLog::do_work(std::uint64_t attempts, std::uint64_t waiting, const Now& now) {
  if (now.mono < next_line_) return;
  if (attempts != attempts_) {
    // It has been heard of since.
    asked(attempts, now);
    return;
  }
  log_.error("the spool's disk hangs; events that must be stored wait",
             {{"since", seconds_of(now.mono - since_)}, {"events", std::to_string(waiting)}});
  is_told_ = true;
  next_line_ = now.mono + reminder_interval;
}

}  // namespace outrider::sidecar
