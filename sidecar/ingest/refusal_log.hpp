// RefusalLog: says in the log what was refused and why, a line a reason once in a while and never
// one by one, with the value that broke the rule.
//
// Used by IngestAgent and ConfirmAgent, one each. Thread: one, with its agent. Borrows: the log.
// Limits: a line a reason in 10 s; value_bytes_max bytes of a value. Where values are hidden, for
// some destination redacts fields, it has their type and size only: data may stand where it does
// not belong. A topic that can be one is shown all the same.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "proto/frame_reader.hpp"
#include "proto/refusal.hpp"
#include "sidecar/base/clock.hpp"
#include "sidecar/base/line_limit.hpp"
#include "sidecar/base/log.hpp"

namespace outrider::sidecar {

class RefusalLog {
 public:
  static constexpr std::size_t value_bytes_max = 80;

  RefusalLog(Log& log, bool hides_values) : log_(log), hides_values_(hides_values) {}
  /// From here on.
  void hide_values(bool hides_values) { hides_values_ = hides_values; }

  /// Of the event that `reader` gave last, or of its frame; or of so many `events` of the frame.
  void note(proto::Refusal refusal, const proto::FrameReader& reader, const Now& now,
            std::string_view destination = {}, std::uint64_t events = 1);

  /// The event was taken; but its time looks like seconds or milliseconds.
  void note_early_time(const proto::FrameReader& reader, const Now& now);

 private:
  struct Reason {
    std::uint64_t unsaid = 0;
    LineLimit limit;
  };
  std::string text_of(proto::ByteView value) const;
  std::string element_text(proto::ByteView event, std::uint32_t index) const;
  std::string topic_text(proto::ByteView event) const;
  std::string broken_text(const proto::BrokenValue& broken) const;
  std::string value_of(proto::Refusal refusal, const proto::FrameReader& reader) const;
  bool is_due(Reason& reason, std::uint64_t events, const Now& now);

  Log& log_;
  bool hides_values_;
  std::array<Reason, 64> reasons_;  ///< by number; early times under that of `none`
};

}  // namespace outrider::sidecar
