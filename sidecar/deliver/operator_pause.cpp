#include "sidecar/deliver/operator_pause.hpp"

#include "sidecar/base/units.hpp"

namespace outrider::sidecar {

void OperatorPause::begin(Duration duration, std::string who, const Now& now) {
  const MonoTime began = pause_ ? pause_->began : now.mono;
  pause_ = {now.wall, began, never, std::nullopt, std::move(who)};
  if (duration > Duration::zero()) {
    pause_->until = now.mono + duration;
    pause_->until_wall = now.wall + duration;
  }
  log_.warn("destination paused",
            {{"destination", destination_},
             {"for", pause_->until == never ? "until it is resumed" : format_duration(duration)},
             {"by", pause_->who}});
}

Duration OperatorPause::end(std::string_view why, const Now& now) {
  if (!pause_) return Duration::zero();
  const Duration length = now.mono - pause_->began;
  pause_.reset();
  log_.info("destination resumed", {{"destination", destination_}, {"because", std::string(why)}});
  return length;
}

}  // namespace outrider::sidecar
