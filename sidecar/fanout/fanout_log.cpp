#include "sidecar/fanout/fanout_log.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

namespace outrider::sidecar {

FanoutLog::FanoutLog(std::string destination, bool is_pub, Log& log)
    : destination_(std::move(destination)), is_pub_(is_pub), log_(log) {}

void FanoutLog::gone(std::uint64_t peers, std::uint64_t events_max, const Now& now) {
  peers_gone_ += peers;
  events_gone_max_ += events_max;
  look(now);
}

void FanoutLog::sent(std::uint64_t heard, std::uint64_t unheard, const Now& now) {
  unheard_ += unheard;
  if (heard > 0) {
    quiet_until_ = now.mono + quiet_after_heard;
    if (std::exchange(is_unheard_, false)) {
      next_unheard_line_ = now.mono + line_interval;
      write_unheard(LogLevel::info, "a fan-out's events have a subscriber again");
    }
    unheard_ = 0;
  } else if (unheard > 0 && !is_unheard_ && now.mono >= quiet_until_ &&
             now.mono >= next_unheard_line_) {
    is_unheard_ = true;
    next_unheard_line_ = now.mono + reminder_interval;
    write_unheard(LogLevel::warn, "no subscriber for a fan-out's events; they reach nobody");
  }
}

void FanoutLog::look(const Now& now) {
  if (peers_gone_ > 0 && gone_limit_.take(now)) write_gone();
  if (is_unheard_ && now.mono >= next_unheard_line_) {
    next_unheard_line_ = now.mono + reminder_interval;
    write_unheard(LogLevel::warn, "still no subscriber for a fan-out's events; they reach nobody");
  }
}

MonoTime FanoutLog::next_deadline() const {
  return std::min(peers_gone_ > 0 ? gone_limit_.next_line() : never,
                  is_unheard_ ? next_unheard_line_ : never);
}

void FanoutLog::finish() {
  if (peers_gone_ > 0) write_gone();
  if (std::exchange(is_unheard_, false)) {
    write_unheard(LogLevel::warn,
                  "there was no subscriber for a fan-out's events; they reached nobody");
  }
}

void FanoutLog::write_gone() {
  log_.warn(is_pub_ ? "a subscriber disconnected; events on the way to it may be lost"
                    : "a worker disconnected; events on the way to it may be lost",
            {{"destination", destination_},
             {"times", std::to_string(std::exchange(peers_gone_, 0))},
             {"events_in_zeromq_max", std::to_string(std::exchange(events_gone_max_, 0))}});
}

void FanoutLog::write_unheard(LogLevel level, std::string_view message) {
  log_.write(level, message, {{"destination", destination_}, {"events", std::to_string(unheard_)}});
}

}  // namespace outrider::sidecar
