// RefusalLog: says in the log what was refused and why, a line a reason once in a while and never
// one by one, with the value that broke the rule.
//
// Used by IngestAgent and ConfirmAgent, one each. Thread: one, with its agent. Borrows: the log.
// Limits: a line a reason in 10 s; value_bytes_max bytes of a value.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "proto/frame_reader.hpp"
#include "proto/refusal.hpp"
#include "sidecar/base/clock.hpp"
#include "sidecar/base/log.hpp"

namespace outrider::sidecar {

class RefusalLog {
 public:
  static constexpr std::size_t value_bytes_max = 80;

  explicit RefusalLog(Log& log) : log_(log) {}

  /// Of the event that `reader` gave last, or of its frame; or of so many `events` of the frame.
  void note(proto::Refusal refusal, const proto::FrameReader& reader, const Now& now,
            std::string_view destination = {}, std::uint64_t events = 1);

  /// The event was taken; but its time looks like seconds or milliseconds.
  void note_early_time(const proto::FrameReader& reader, const Now& now);

 private:
  struct Reason {
    std::uint64_t unsaid = 0;
    MonoTime next_line{};
  };
  bool is_due(Reason& reason, std::uint64_t events, const Now& now);

  Log& log_;
  std::array<Reason, 64> reasons_;  ///< by number; early times under that of `none`
};

}  // namespace outrider::sidecar
