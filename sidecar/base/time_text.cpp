#include "sidecar/base/time_text.hpp"

#include <chrono>

#include "sidecar/base/digits.hpp"

namespace outrider::sidecar {
namespace {

void put_digits(char* out, std::uint32_t value, std::size_t digit_count) {
  for (std::size_t i = digit_count; i > 0; --i) {
    out[i - 1] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
}

}  // namespace

TimeText::TimeText() {
  constexpr std::string_view pattern = "1970-01-01T00:00:00.000000000Z";
  static_assert(pattern.size() == size_bytes);
  pattern.copy(text_.data(), pattern.size());
}

std::string_view TimeText::format(std::int64_t seconds, std::uint32_t nanoseconds) {
  if (seconds != seconds_) set_calendar(seconds);
  char* out = &text_[20];
  out = put_pair(nanoseconds / 10'000'000, out);
  out = put_pair(nanoseconds / 100'000 % 100, out);
  out = put_pair(nanoseconds / 1'000 % 100, out);
  out = put_pair(nanoseconds / 10 % 100, out);
  *out = static_cast<char>('0' + nanoseconds % 10);
  return {text_.data(), text_.size()};
}

void TimeText::set_calendar(std::int64_t seconds) {
  namespace chrono = std::chrono;
  const chrono::sys_seconds time{chrono::seconds(seconds)};
  const auto day = chrono::floor<chrono::days>(time);
  const chrono::year_month_day date(day);
  const chrono::hh_mm_ss clock(time - day);
  put_digits(&text_[0], static_cast<std::uint32_t>(static_cast<int>(date.year())), 4);
  put_digits(&text_[5], static_cast<unsigned>(date.month()), 2);
  put_digits(&text_[8], static_cast<unsigned>(date.day()), 2);
  put_digits(&text_[11], static_cast<std::uint32_t>(clock.hours().count()), 2);
  put_digits(&text_[14], static_cast<std::uint32_t>(clock.minutes().count()), 2);
  put_digits(&text_[17], static_cast<std::uint32_t>(clock.seconds().count()), 2);
  seconds_ = seconds;
}

}  // namespace outrider::sidecar
