// What stands in a spool's tables, event by event, and whether its totals are those of what there
// is. For tests of the spool and for the simulation; fails with SqliteError, as what it reads.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "sidecar/base/record.hpp"
#include "sidecar/spool/database.hpp"
#include "sidecar/spool/store.hpp"

namespace outrider::test {

struct StoredEvent {
  std::string id;
  std::uint64_t number = 0;  ///< of numbered_data()
  std::uint64_t bytes = 0;
  std::uint64_t due_ns = 0;
};

/// Of one destination.
struct StoredEvents {
  std::vector<StoredEvent> waiting;  ///< in blocks and not settled, in their order
  std::vector<StoredEvent> scheduled;
  std::vector<StoredEvent> dead;
  std::vector<std::string> dead_reasons;
  std::array<const std::vector<StoredEvent>*, 3> all() const {
    return {&waiting, &scheduled, &dead};
  }
  std::uint64_t damaged_blocks = 0;  ///< whose checksum is wrong; their events are not in `waiting`
};

inline std::uint64_t number_in(proto::ByteView data) {
  constexpr std::size_t head_bytes = 4;
  std::uint64_t number = 0;
  for (std::size_t i = head_bytes; i < data.size(); ++i) number = number << 8U | data[i];
  return number;
}

inline StoredEvent stored_event(proto::ByteView bytes, std::uint64_t due_ns = 0) {
  const sidecar::RecordView record = sidecar::read_record(bytes.data());
  sidecar::IdSpace space;
  return {std::string(id_text(record, space)), number_in(record.data), record.bytes.size(), due_ns};
}

/// Everything that stands in the tables, by the name of the destination.
inline std::map<std::string, StoredEvents> read_tables(sidecar::Database& database) {
  std::map<std::string, StoredEvents> found;
  {
    sidecar::Statement names(database, "SELECT name FROM destination");
    while (names.step()) found[std::string(names.text(0))];
  }
  sidecar::Statement blocks(database,
                            "SELECT d.name, b.crc, b.records, s.events FROM block b "
                            "JOIN destination d ON d.id=b.destination "
                            "LEFT JOIN settled s ON s.block=b.id ORDER BY b.id");
  while (blocks.step()) {
    StoredEvents& events = found[std::string(blocks.text(0))];
    proto::ByteView records = blocks.bytes(2);
    const proto::ByteView settled = blocks.bytes(3);
    if (sidecar::checksum(records) != blocks.number(1)) {
      ++events.damaged_blocks;
      continue;
    }
    for (std::uint32_t i = 0; sidecar::sound_record_bytes(records) != 0; ++i) {
      const StoredEvent event = stored_event(records);
      if (!sidecar::has_bit(settled, i)) events.waiting.push_back(event);
      records = records.subspan(event.bytes);
    }
  }
  sidecar::Statement scheduled(database,
                               "SELECT d.name, s.due_ns, s.record FROM scheduled s "
                               "JOIN destination d ON d.id=s.destination ORDER BY due_ns, s.id");
  while (scheduled.step()) {
    found[std::string(scheduled.text(0))].scheduled.push_back(
        stored_event(scheduled.bytes(2), static_cast<std::uint64_t>(scheduled.number(1))));
  }
  sidecar::Statement dead(database,
                          "SELECT d.name, x.record, x.reason FROM dead x "
                          "JOIN destination d ON d.id=x.destination ORDER BY x.id");
  while (dead.step()) {
    StoredEvents& events = found[std::string(dead.text(0))];
    events.dead.push_back(stored_event(dead.bytes(1)));
    events.dead_reasons.emplace_back(dead.text(2));
  }
  return found;
}

inline std::uint64_t bytes_of(const std::vector<StoredEvent>& events) {
  std::uint64_t bytes = 0;
  for (const StoredEvent& event : events) bytes += event.bytes;
  return bytes;
}

/// The totals and counters are those of what there is. Outside of a transaction, or after commit().
inline void check_totals(sidecar::Database& database) {
  std::uint64_t dead = 0;
  for (const auto& [name, events] : read_tables(database)) {
    sidecar::Statement totals(database,
                              "SELECT events, bytes, scheduled_events, scheduled_bytes "
                              "FROM destination WHERE name=?");
    totals.bind(1, std::string_view(name));
    const sidecar::StatementReset reset(totals);
    ASSERT_TRUE(totals.step());
    EXPECT_EQ(totals.number(2), static_cast<std::int64_t>(events.scheduled.size())) << name;
    EXPECT_EQ(totals.number(3), static_cast<std::int64_t>(bytes_of(events.scheduled))) << name;
    dead += events.dead.size();
    // A block that cannot be read counts as it was written, and is not in `waiting`.
    if (events.damaged_blocks > 0) continue;
    EXPECT_EQ(totals.number(0), static_cast<std::int64_t>(events.waiting.size())) << name;
    EXPECT_EQ(totals.number(1), static_cast<std::int64_t>(bytes_of(events.waiting))) << name;
  }
  EXPECT_EQ(database.number("SELECT dead_events FROM counters"), static_cast<std::int64_t>(dead));
  EXPECT_EQ(database.number("SELECT dead_bytes FROM counters"),
            database.number("SELECT coalesce(sum(length(CAST(record AS BLOB))+"
                            "length(CAST(answer AS BLOB))),0) FROM dead"));
  EXPECT_EQ(database.number("SELECT clients FROM counters"),
            database.number("SELECT count(*) FROM client"));
  EXPECT_EQ(database.number("SELECT count(*) FROM settled WHERE block NOT IN "
                            "(SELECT id FROM block)"),
            0);
  EXPECT_GT(database.number("SELECT next_block FROM counters"),
            database.number("SELECT coalesce(max(id),0) FROM block"));
}

inline void check_totals(sidecar::Store& store) {
  check_totals(store.database());
}

}  // namespace outrider::test
