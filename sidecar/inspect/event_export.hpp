// for_each_event: every event that a spool holds, in whatever state, for people and their tools.
//
// Used by `outrider spool export`, beside a running sidecar too, and on a damaged spool: unreadable
// rows are skipped and counted. Settled events are left out. The export is not a snapshot of one
// moment: a few rows are read at a time, scheduled events first, because they become spooled ones,
// and dead letters last. An event that moves meanwhile may be exported twice.
//
// Thread: the database's. Fails with: SqliteError, if not even the first page can be read. Memory:
// one block's.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "sidecar/base/record.hpp"
#include "sidecar/spool/database.hpp"

namespace outrider::sidecar {

enum class EventState : std::uint8_t { spooled, scheduled, dead };
struct EventStateRow {
  EventState state;
  std::string_view name;
};
inline constexpr std::array event_states = {
    EventStateRow{EventState::spooled, "spooled"},
    EventStateRow{EventState::scheduled, "scheduled"},
    EventStateRow{EventState::dead, "dead"},
};

struct EventFilter {
  std::string destination;
  std::string topic;  ///< a pattern
  std::optional<EventState> state;
};

struct ExportedEvent {
  EventState state;
  std::string_view destination;
  RecordView record;          ///< stored
  std::uint64_t due_ns = 0;   ///< scheduled
  std::string_view reason{};  ///< dead, like the next one
  int status = 0;
  std::uint32_t attempts = 0;
};

struct Unreadable {
  std::uint64_t events = 0;     ///< whose bytes differ from the written ones
  std::uint64_t stretches = 0;  ///< of the file, with an unknown number of events
};

/// Calls `take` with each event that matches, until it returns false, and `between` when some were
/// taken and nothing is held, so that it may be slow. Skips damaged places.
Unreadable for_each_event(Database& database, const EventFilter& filter,
                          const std::function<bool(const ExportedEvent&)>& take,
                          const std::function<void()>& between);

}  // namespace outrider::sidecar
