#include "sidecar/config/schedule_checks.hpp"

#include <algorithm>

#include "proto/topic.hpp"
#include "proto/utf8.hpp"
#include "sidecar/base/json_data.hpp"
#include "sidecar/base/units.hpp"
#include "sidecar/config/messages.hpp"
#include "sidecar/cron/cron_expression.hpp"
#include "sidecar/cron/time_zone.hpp"

namespace outrider::sidecar {
namespace {

bool takes(const DestinationConfig& destination, const std::string& topic) {
  const auto matches_topic = [&](const std::string& pattern) {
    return proto::matches(pattern, topic);
  };
  return std::any_of(destination.topics.begin(), destination.topics.end(), matches_topic) &&
         std::none_of(destination.exclude.begin(), destination.exclude.end(), matches_topic);
}

}  // namespace

Status check_schedule_name(std::string_view name) {
  constexpr std::string_view allowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
  if (!name.empty() && name.size() <= schedule_name_bytes_max &&
      name.find_first_not_of(allowed) == std::string_view::npos) {
    return Nothing{};
  }
  return Error{in_quotes(name) +
               " is not a schedule name; use 1 to 40 of the characters A-Z a-z 0-9 _ -"};
}

Status check_cron(std::string_view expression) {
  return status_of(CronExpression::parse(expression));
}

Status check_time_zone(std::string_view name) {
  return status_of(TimeZone::load(name));
}

Status check_topic(std::string_view topic) {
  if (proto::is_valid_topic(topic)) return Nothing{};
  return Error{in_quotes(topic) +
               " is not a topic; write tokens of [A-Za-z0-9_-] joined by dots, as in reports.due"};
}

Status check_json(std::string_view json) {
  return status_of(json_to_msgpack(json));
}

Status check_key_text(std::string_view key) {
  if (!key.empty() && key.size() <= proto::key_bytes_max && proto::is_valid_utf8(key)) {
    return Nothing{};
  }
  return Error{in_quotes(key) + " is not a key; write 1 to " +
               std::to_string(proto::key_bytes_max) + " bytes of UTF-8"};
}

void validate_schedule(const ScheduleConfig& schedule, const Config& config,
                       const SectionView& section) {
  for (const char* key : {"cron", "topic"}) {
    if (section.is_given(key)) continue;
    section.complain(section.origin(""), "[schedule." + schedule.name + "] has no " +
                                             std::string(key) + "; it is required");
  }
  if (config.spool.path.empty()) {
    section.complain(section.origin(""),
                     "[schedule." + schedule.name + "] requires a spool; set [spool] path");
  }
  if (section.is_given("missed_max") && schedule.missed != MissedRuns::all &&
      !section.has_failed("missed") && !section.has_failed("missed_max")) {
    section.complain_of("missed_max", "applies only with missed = all");
  }
  const Result<std::string> data = json_to_msgpack(schedule.data);
  if (data.ok() && data.value().size() > config.ingest.event_bytes_max) {
    section.complain_of("data", "as msgpack (" + format_size(data.value().size()) +
                                    ") it exceeds ingest.event_bytes_max (" +
                                    format_size(config.ingest.event_bytes_max) + ")");
  }
  const bool is_taken =
      std::any_of(config.destinations.begin(), config.destinations.end(),
                  [&](const DestinationConfig& it) { return takes(it, schedule.topic); });
  if (!is_taken && section.is_given("topic") && !section.has_failed("topic")) {
    section.warn_of("topic", "no destination takes " + in_quotes(schedule.topic) +
                                 "; its events will be discarded");
  }
}

}  // namespace outrider::sidecar
