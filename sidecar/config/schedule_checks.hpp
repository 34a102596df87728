// Checks of the settings of a schedule, and a schedule in plain words.
// Used by the option table, the checks across options and `outrider check`. Time zones are looked
// up on this machine. Fails with: an Error that says what to write.
#pragma once

#include <string>
#include <string_view>

#include "sidecar/base/clock.hpp"
#include "sidecar/base/result.hpp"
#include "sidecar/config/config.hpp"
#include "sidecar/config/section_view.hpp"

namespace outrider::sidecar {

Status check_schedule_name(std::string_view name);
Status check_cron(std::string_view expression);
Status check_time_zone(std::string_view name);
Status check_topic(std::string_view topic);
Status check_json(std::string_view json);
Status check_key_text(std::string_view key);

/// What needs more than one setting.
void validate_schedule(const ScheduleConfig& schedule, const Config& config,
                       const SectionView& section);

/// A line that begins with its name and ends with the next three runs; ends with a line feed.
std::string plain_words(const ScheduleConfig& schedule, WallTime now);

}  // namespace outrider::sidecar
