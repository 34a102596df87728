#include "sidecar/cron/time_zone.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <optional>

#include <cctz/civil_time.h>
#include <cctz/time_zone.h>
#include <sys/stat.h>

#include "sidecar/base/text.hpp"
#include "sidecar/base/time_text.hpp"

namespace outrider::sidecar {
namespace {

using std::chrono::seconds;

constexpr std::size_t zone_name_bytes_max = 64;

/// Far beyond every date, and far from where seconds overflow.
constexpr Instant far_ahead{seconds(1LL << 40U)};
constexpr Instant far_back{-far_ahead.time_since_epoch()};

/// The characters of zone names; above all, no way out of the folder of zones.
bool is_zone_name(std::string_view name) {
  constexpr std::string_view allowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/";
  return !name.empty() && name.size() <= zone_name_bytes_max && name.front() != '/' &&
         name.find_first_not_of(allowed) == std::string_view::npos;
}

std::string_view environment(const char* name) {
  const char* const value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): never set here
  return value == nullptr ? "" : value;
}

/// A file that cctz would open and on which it would block for ever: a pipe, for example.
bool is_no_file(std::string_view name) {
  if (name.starts_with("file:")) name.remove_prefix(5);
  std::string path;
  if (!name.starts_with('/')) {
    const std::string_view folder = environment("TZDIR");
    path = std::string(folder.empty() ? "/usr/share/zoneinfo" : folder) + "/";
  }
  path += name;
  struct stat status {};
  return stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode);
}

bool load_zone(std::string_view name, cctz::time_zone& zone) {
  return !is_no_file(name) && cctz::load_time_zone(std::string(name), &zone);
}

seconds offset_at(const cctz::time_zone& zone, Instant instant) {
  return seconds(zone.lookup(instant).offset);
}

/// The instant at which clocks with this offset show `civil`.
Instant instant_of(const cctz::civil_second& civil, seconds offset) {
  return Instant(seconds(civil - cctz::civil_second(1970, 1, 1))) - offset;
}

/// The zone of the machine; nothing if cctz cannot read the value of $TZ, which it would silently
/// take as UTC. An empty $TZ is UTC by POSIX; so is a machine without /etc/localtime.
std::optional<cctz::time_zone> local_zone() {
  const char* setting = std::getenv("TZ");  // NOLINT(concurrency-mt-unsafe)
  std::string_view name = setting == nullptr ? "localtime" : setting;
  if (name.starts_with(':')) name.remove_prefix(1);
  cctz::time_zone zone;
  if (name.empty()) return cctz::utc_time_zone();
  if (name == "localtime") {
    const std::string_view other = environment("LOCALTIME");
    if (is_no_file(other.empty() ? "/etc/localtime" : other)) return std::nullopt;
    return cctz::local_time_zone();
  }
  if (load_zone(name, zone)) return zone;
  return std::nullopt;
}

}  // namespace

struct TimeZone::Data {
  cctz::time_zone zone;
};

Result<TimeZone> TimeZone::load(std::string_view name) {
  if (name == "local") {
    if (const auto zone = local_zone()) return TimeZone(std::make_shared<Data>(Data{*zone}));
    return Error{"local uses $TZ, and there is no time zone \"" +
                 printable(environment("TZ"), zone_name_bytes_max) +
                 "\" on this machine (package tzdata); write a name as in Europe/Berlin instead of "
                 "local, or set $TZ to one; rules as in CET-1CEST are not supported"};
  }
  Data data;
  if (is_zone_name(name) && load_zone(name, data.zone)) {
    return TimeZone(std::make_shared<Data>(data));
  }
  return Error{"there is no time zone \"" + printable(name, zone_name_bytes_max) +
               "\" on this machine (package tzdata); write a name as in Europe/Berlin, UTC or "
               "local"};
}

ZoneSpan TimeZone::span_at(Instant instant) const {
  const cctz::time_zone& zone = data_->zone;
  const seconds offset = offset_at(zone, instant);
  ZoneSpan span{far_back, far_ahead, offset, offset};
  cctz::time_zone::civil_transition change;
  if (zone.prev_transition(instant + seconds(1), &change)) {
    span.begin = instant_of(change.to, offset);
    span.offset_before = offset + seconds(change.from - change.to);
  }
  if (zone.next_transition(instant, &change)) span.end = instant_of(change.from, offset);
  return span;
}

std::string TimeZone::text(Instant instant) const {
  const seconds offset = offset_at(data_->zone, instant);
  TimeText time;
  constexpr std::size_t bytes_to_seconds = 19;
  std::string text(
      time.format((instant + offset).time_since_epoch().count(), 0).substr(0, bytes_to_seconds));
  const std::chrono::hh_mm_ss of(std::chrono::abs(offset));
  std::array<char, 16> shift{};
  std::snprintf(shift.data(), shift.size(), "%c%02d:%02d", offset < seconds(0) ? '-' : '+',
                static_cast<int>(of.hours().count()), static_cast<int>(of.minutes().count()));
  return text + shift.data();
}

}  // namespace outrider::sidecar
