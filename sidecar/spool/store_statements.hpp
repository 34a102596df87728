// The statements of a Store, prepared once.
//
// Used by the files that Store is written in: store.cpp and its siblings store_*.cpp.
// Thread and ownership: the store's. Fails with: SqliteError.
#pragma once

#include <cstdint>

#include "sidecar/spool/store.hpp"

namespace outrider::sidecar {

/// The database stores times and counts as SQLite's only kind of integer.
inline std::int64_t as_number(std::uint64_t value) {
  return static_cast<std::int64_t>(value);
}

struct Store::Statements {
  Database& db;

  Statement read_counters{
      db,
      "SELECT next_block, front_block, next_row, dead_events, dead_bytes, clients "
      "FROM counters"};
  Statement write_counters{db,
                           "UPDATE counters SET next_block=?, front_block=?, next_row=?, "
                           "dead_events=?, dead_bytes=?, clients=?"};
  Statement add_totals{db,
                       "UPDATE destination SET events=events+?, bytes=bytes+?, "
                       "scheduled_events=scheduled_events+?, scheduled_bytes=scheduled_bytes+? "
                       "WHERE id=?"};
  Statement insert_block{db,
                         "INSERT INTO block(id, destination, events, created_ns, crc, records) "
                         "VALUES(?,?,?,?,?,?)"};
  Statement read_blocks{db,
                        "SELECT b.id, b.events, b.created_ns, b.crc, b.records, s.events, s.bytes "
                        "FROM block b "
                        "LEFT JOIN settled s ON s.block=b.id "
                        "WHERE b.destination=? AND b.id>? AND b.id<? ORDER BY b.id"};
  Statement delete_block{db, "DELETE FROM block WHERE id=?"};
  Statement delete_settled{db, "DELETE FROM settled WHERE block=?"};
  Statement write_settled{db,
                          "INSERT INTO settled(block, events, bytes) SELECT ?1, ?2, ?3 "
                          "WHERE EXISTS(SELECT 1 FROM block WHERE id=?1) "
                          "ON CONFLICT(block) DO UPDATE SET events=?2, bytes=bytes+?3"};
  Statement insert_scheduled{db,
                             "INSERT INTO scheduled(due_ns, id, destination, crc, record) "
                             "VALUES(?,?,?,?,?)"};
  Statement next_due{db, "SELECT due_ns, crc FROM scheduled ORDER BY due_ns, id LIMIT 2"};
  Statement read_due{db,
                     "SELECT due_ns, id, destination, crc, record FROM scheduled WHERE due_ns<=? "
                     "ORDER BY due_ns, id LIMIT ?"};
  Statement delete_scheduled{
      db, "DELETE FROM scheduled WHERE due_ns=? AND id=? RETURNING " + byte_length("record")};
  Statement read_client{db, "SELECT highest, taken FROM client WHERE id=?"};
  Statement write_client{
      db, "INSERT OR REPLACE INTO client(id, highest, taken, seen_ns) VALUES(?,?,?,?)"};
  Statement insert_dead{db,
                        "INSERT INTO dead(id, destination, event, topic, reason, status, attempts, "
                        "first_ns, last_ns, answer, record) VALUES(?,?,?,?,?,?,?,?,?,?,?)"};
  Statement oldest_dead{db, "SELECT id, last_ns FROM dead ORDER BY id LIMIT 1"};
  Statement take_dead{db,
                      "DELETE FROM dead WHERE id=? "
                      "RETURNING destination, record, " +
                          byte_length("answer")};
  Statement add_returned{db,
                         "INSERT INTO returned(destination, events, bytes) VALUES(?1,?2,?3) "
                         "ON CONFLICT(destination) DO UPDATE SET events=events+?2, bytes=bytes+?3"};
  Statement read_returned{db, "SELECT destination, events, bytes FROM returned"};
  Statement delete_returned{db, "DELETE FROM returned"};
};

}  // namespace outrider::sidecar
