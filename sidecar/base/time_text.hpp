// TimeText: a point in time as RFC 3339 with nine decimals, 2026-01-31T12:00:00.123456789Z.
//
// Used by the encoders and EventTemplate. The calendar part of the last second is kept: events of
// one batch mostly share it, and the calendar is the expensive part. Thread: one object, one
// thread. Cannot fail.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace outrider::sidecar {

class TimeText {
 public:
  static constexpr std::size_t size_bytes = 30;
  /// The years 0000 to 9999, which RFC 3339 can write.
  static constexpr std::int64_t seconds_min = -62'167'219'200;
  static constexpr std::int64_t seconds_max = 253'402'300'799;

  TimeText();

  /// The text of a time since the Unix epoch; `seconds` within the limits above, `nanoseconds`
  /// below 10^9. Valid until the next call.
  std::string_view format(std::int64_t seconds, std::uint32_t nanoseconds);

  /// The same for nanoseconds since the Unix epoch, as events carry them.
  std::string_view format_ns(std::uint64_t time_ns) {
    return format(static_cast<std::int64_t>(time_ns / 1'000'000'000),
                  static_cast<std::uint32_t>(time_ns % 1'000'000'000));
  }

 private:
  void set_calendar(std::int64_t seconds);

  std::int64_t seconds_ = 0;
  std::array<char, size_bytes> text_;
};

}  // namespace outrider::sidecar
