// Report: the outcomes of all events, as numbers and as text.
//
// Used by `outrider run` when it ends, by embedded hosts and by tests. Plain values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sidecar/base/ledger.hpp"
#include "sidecar/ingest/confirm_agent.hpp"
#include "sidecar/ingest/ingest_agent.hpp"

namespace outrider::sidecar {

struct DestinationReport {
  std::string name;
  Ledger ledger;
};

struct Report {
  IngestCounters ingest;
  ConfirmCounters confirmed;
  std::uint64_t unrouted = 0;        ///< accepted events that no destination wants
  std::uint64_t frames_missing = 0;  ///< numbered by clients, never received
  /// In memory when an earlier run was cut off; they are in no ledger of this one.
  std::uint64_t lost_by_last_run = 0;
  ClientDrops client_drops;  ///< events that clients report as dropped, by reason
  std::vector<DestinationReport> destinations;

  /// Every ledger adds up.
  bool is_balanced() const;

  /// Some accepted event was dropped or is dead.
  bool has_losses() const;
};

/// A table of several lines for people.
std::string format_report(const Report& report);

}  // namespace outrider::sidecar
