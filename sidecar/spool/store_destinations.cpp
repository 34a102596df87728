// The names of destinations, their ids, and their content on disk.
#include <algorithm>

#include "sidecar/spool/store.hpp"

namespace outrider::sidecar {
namespace {

/// A hash has this bit and lower ones: six bytes on disk.
constexpr DestinationId hashed_ids = DestinationId{1} << 46U;

}  // namespace

DestinationId destination_id(std::string_view name) {
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  for (const char c : name) hash = (hash ^ static_cast<std::uint8_t>(c)) * 0x100000001b3;
  return hashed_ids | static_cast<DestinationId>((hash ^ hash >> 32U) & (hashed_ids - 1));
}

bool is_name_of(std::string_view name, DestinationId id) {
  return id < hashed_ids || id == destination_id(name) || name == "recovered-" + std::to_string(id);
}

DestinationId Store::destination(const std::string& name) {
  const DestinationId id = destination_id(name);
  bool is_damaged = false;
  {
    Statement find(database_, "SELECT name FROM destination WHERE id=?");
    find.bind(1, id);
    const StatementReset reset(find);
    is_damaged = find.step();
    if (is_damaged && find.text(0) == name) return id;
  }
  // By the table, because the index may be the damaged part.
  Statement namesake(database_, "SELECT id FROM destination NOT INDEXED WHERE name=?");
  namesake.bind(1, std::string_view(name));
  while (namesake.step()) {
    const DestinationId other = namesake.number(0);
    if (other < hashed_ids && !is_damaged) {
      namesake.reset();
      return other;
    }
    is_damaged = true;
  }
  if (is_damaged) {
    database_.execute("REINDEX destination");
    Statement rename(database_, "UPDATE destination SET name='recovered-' || id WHERE name=?");
    rename.bind(1, std::string_view(name)).run();
  }
  Statement insert(database_,
                   "INSERT INTO destination(id, name) VALUES(?1,?2) "
                   "ON CONFLICT(id) DO UPDATE SET name=?2");
  insert.bind(1, id).bind(2, std::string_view(name)).run();
  return id;
}

StoredDestinations read_destinations(Database& database) {
  StoredDestinations found;
  Statement all(database,
                "SELECT events, bytes, scheduled_events, scheduled_bytes, id, name "
                "FROM destination NOT INDEXED");
  const auto count = [&all](int column) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(all.number(column), 0));
  };
  while (all.step()) {
    found[all.number(4)] = {std::string(all.text(5)), {count(0), count(1), count(2), count(3)}};
  }
  return found;
}

}  // namespace outrider::sidecar
