// Dead letters and the jobs on them as JSON, for the admin interface.
//
// Used by Routes. Names are those of docs/openapi.json. An event and the words of a receiver are
// shown as far as `payloads` allows. Pure functions.
#pragma once

#include <string>
#include <vector>

#include "sidecar/config/config.hpp"
#include "sidecar/inspect/dead_jobs.hpp"

namespace outrider::sidecar {

std::string dead_list_json(const DeadList& list);
std::string dead_letter_json(const DeadWhole& letter, Payloads payloads);
std::string dead_job_json(const DeadJob& job);
std::string dead_jobs_json(const std::vector<DeadJob>& jobs);

}  // namespace outrider::sidecar
