// OperatorPause: a person asked that nothing be sent to one destination.
//
// Used by Destination. Requests in flight end; waiting events stay, and their ttl runs. A pause
// ends when its time is over, when somebody resumes, or when the sidecar stops; it is not kept over
// a restart. A second one takes the place of the first. Nobody tries anything meanwhile, so that
// its time is none of retry_age_max. Thread: one, with its destination. Borrows: the log. Limits:
// one line for each beginning and end.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "sidecar/base/clock.hpp"
#include "sidecar/base/log.hpp"

namespace outrider::sidecar {

class OperatorPause {
 public:
  struct Pause {
    WallTime since{};
    MonoTime began{};  ///< the first, if this one took its place
    MonoTime until = never;
    std::optional<WallTime> until_wall;
    std::string who;
  };

  OperatorPause(std::string destination, Log& log)
      : destination_(std::move(destination)), log_(log) {}

  /// `duration` zero: until end().
  void begin(Duration duration, std::string who, const Now& now);
  /// `why`: for the log. Returns how long it was; zero if there is none.
  Duration end(std::string_view why, const Now& now);

  /// When it ends by itself, or `never`.
  MonoTime ends_at() const { return pause_ ? pause_->until : never; }

  bool is_on() const { return pause_.has_value(); }
  const std::optional<Pause>& pause() const { return pause_; }

 private:
  std::string destination_;
  Log& log_;
  std::optional<Pause> pause_;
};

}  // namespace outrider::sidecar
