// What the tests of cron expressions share.
#pragma once

#include <cstdio>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "sidecar/cron/cron_expression.hpp"

namespace outrider::test {

/// "2026-01-31T12:00", with seconds and an offset behind it if wanted: "2026-01-31T12:00:30+01:00".
inline sidecar::Instant at(const std::string& text) {
  int year = 0;
  unsigned month = 0;
  unsigned day = 0;
  int hour = 0;
  int minute = 0;
  int second = 0;
  int read = 0;
  EXPECT_EQ(
      std::sscanf(text.c_str(), "%d-%u-%uT%d:%d%n", &year, &month, &day, &hour, &minute, &read), 5)
      << text;
  std::string rest = text.substr(static_cast<std::size_t>(read));
  if (std::sscanf(rest.c_str(), ":%2d%n", &second, &read) == 1 && rest.front() == ':') {
    rest = rest.substr(static_cast<std::size_t>(read));
  }
  char sign = '+';
  int offset_hours = 0;
  int offset_minutes = 0;
  if (!rest.empty()) std::sscanf(rest.c_str(), "%c%d:%d", &sign, &offset_hours, &offset_minutes);
  const std::chrono::minutes offset(offset_hours * 60 + offset_minutes);
  const auto date = std::chrono::year(year) / std::chrono::month(month) / std::chrono::day(day);
  return std::chrono::sys_days(date) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
         std::chrono::seconds(second) - (sign == '-' ? -offset : offset);
}

inline sidecar::TimeZone zone(const std::string& name) {
  const auto loaded = sidecar::TimeZone::load(name);
  EXPECT_TRUE(loaded.ok()) << loaded.error().message;
  return loaded.value();
}

inline sidecar::CronExpression cron(const std::string& text) {
  const auto parsed = sidecar::CronExpression::parse(text);
  EXPECT_TRUE(parsed.ok()) << text << ": " << parsed.error().message;
  return parsed.value();
}

/// The next runs, as text with the zone's offset.
inline std::vector<std::string> runs(const std::string& expression, const std::string& after,
                                     std::size_t count, const std::string& zone_name = "UTC") {
  const sidecar::CronExpression parsed = cron(expression);
  const sidecar::TimeZone in = zone(zone_name);
  std::vector<std::string> texts;
  sidecar::Instant from = at(after);
  while (texts.size() < count) {
    const auto next = parsed.next_after(from, in);
    if (!next) break;
    texts.push_back(in.text(*next));
    from = *next;
  }
  return texts;
}

}  // namespace outrider::test
