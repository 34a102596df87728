// A Snapshot and its parts as JSON, as docs/openapi.json describes it.
//
// Used by Routes. The names are those of snapshot.hpp; counters by class or reason are objects with
// one member for each. Each answer begins with the time of the snapshot, its age and the boot id.
// `payloads` rules how much is shown of what receivers wrote. Pure functions; thread: any.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sidecar/base/clock.hpp"
#include "sidecar/config/config.hpp"
#include "sidecar/observe/change_log.hpp"
#include "sidecar/observe/snapshot.hpp"

namespace outrider::sidecar {

/// A text for this many bytes that are not shown.
std::string redaction_of(std::size_t bytes);
/// The words of a receiver may repeat an event or a secret.
std::string receiver_words(std::string_view words, Payloads payloads);

std::string stats_json(const Snapshot& snapshot, Duration age, Payloads payloads);
std::string destinations_json(const Snapshot& snapshot, Duration age, Payloads payloads);
std::string destination_json(const Snapshot& snapshot, Duration age,
                             const DestinationSnapshot& destination, Payloads payloads);
std::string clients_json(const Snapshot& snapshot, Duration age);
std::string schedules_json(const Snapshot& snapshot, Duration age);
std::string spool_json(const Snapshot& snapshot, Duration age);

/// `snapshot`: null if there is none yet.
std::string changes_json(const Snapshot* snapshot, Duration age, const std::vector<Change>& changes,
                         Payloads payloads);

}  // namespace outrider::sidecar
