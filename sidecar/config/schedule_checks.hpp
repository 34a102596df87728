// Checks of the settings of a schedule. Used by the option table and the checks across options.
// Time zones are looked up on this machine. Fails with: an Error that says what to write.
#pragma once

#include <string_view>

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

/// Checks that need more than one setting.
void validate_schedule(const ScheduleConfig& schedule, const Config& config,
                       const SectionView& section);

}  // namespace outrider::sidecar
