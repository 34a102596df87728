#include "sidecar/inspect/inspection.hpp"

#include <algorithm>
#include <functional>

#include "proto/topic.hpp"
#include "sidecar/base/text.hpp"
#include "sidecar/inspect/spool_access.hpp"
#include "sidecar/spool/disk.hpp"

namespace outrider::sidecar {
namespace {

constexpr std::int64_t rows_at_once = 256;

std::uint64_t as_count(std::int64_t number) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(number, 0));
}

std::optional<std::uint64_t> time_of(Database& database, const std::string& sql) {
  Statement statement(database, sql);
  const StatementReset reset(statement);
  if (!statement.step()) return std::nullopt;
  return static_cast<std::uint64_t>(statement.number(0));
}

DestinationInfo read_destination(Database& database, DestinationId id) {
  DestinationInfo info;
  const std::string first =
      "SELECT created_ns FROM block WHERE destination=" + std::to_string(id) + " ORDER BY id";
  info.oldest_ns = time_of(database, first + " LIMIT 1");
  info.newest_ns = time_of(database, first + " DESC LIMIT 1");
  return info;
}

}  // namespace

// Content -----------------------------------------------------------------------------------------

std::string name_of(const StoredDestinations& known, DestinationId destination) {
  const auto found = known.find(destination);
  return found != known.end() ? found->second.name : "#" + std::to_string(destination);
}

Status check_destination(Database& database, const std::string& name) {
  if (name.empty()) return Nothing{};
  std::string known;
  for (const auto& [id, other] : read_destinations(database)) {
    if (other.name == name) return Nothing{};
    known += (known.empty() ? "" : ", ") + other.name;
  }
  return Error{"the spool has no destination \"" + printable(name, 64) + "\"; it has " +
               (known.empty() ? "none" : known)};
}

Status check_topic_pattern(const std::string& pattern) {
  if (proto::is_valid_pattern(pattern)) return Nothing{};
  return Error{"\"" + printable(pattern, 64) +
               "\" is not a topic pattern, as in orders.* or exceptions.>"};
}

std::string schedule_of(const ScheduleMark& mark) {
  return mark.name.substr(0, mark.name.find(' '));
}

SpoolInfo read_info(Database& database, const std::string& path) {
  SpoolInfo info;
  const StoredDestinations known = read_destinations(database);
  std::map<DestinationId, DestinationInfo> destinations;
  for (const auto& [id, row] : known) {
    destinations[id] = read_destination(database, id);
    destinations[id].totals = row.totals;
  }
  Statement dead(database, "SELECT destination, reason, count(*) FROM dead GROUP BY 1, 2");
  while (dead.step()) {
    destinations[dead.number(0)].dead[std::string(dead.text(1))] = as_count(dead.number(2));
  }
  Statement damaged(database, "SELECT destination, count(*) FROM damaged GROUP BY 1");
  while (damaged.step()) destinations[damaged.number(0)].damaged = as_count(damaged.number(1));
  for (auto& [id, destination] : destinations) {
    destination.name = name_of(known, id);
    info.destinations.push_back(std::move(destination));
  }
  std::ranges::sort(info.destinations, {}, &DestinationInfo::name);

  Statement due(database, "SELECT due_ns, destination FROM scheduled ORDER BY due_ns, id LIMIT 1");
  {
    const StatementReset reset(due);
    if (due.step()) {
      info.next_due_ns = static_cast<std::uint64_t>(due.number(0));
      info.next_due_destination = name_of(known, due.number(1));
    }
  }
  Statement marks(database, "SELECT name, last_ns FROM schedule ORDER BY name");
  while (marks.step()) {
    info.schedules.push_back(
        {std::string(marks.text(0)), static_cast<std::uint64_t>(marks.number(1))});
  }
  const auto number = [&](const char* sql) { return as_count(database.number(sql)); };
  info.dead_events = number("SELECT dead_events FROM counters");
  info.dead_bytes = number("SELECT dead_bytes FROM counters");
  info.clients = number("SELECT clients FROM counters");
  info.file_bytes = file_bytes(path);
  info.log_bytes = file_bytes(wal_path(path));
  info.page_bytes = number("PRAGMA page_size");
  info.pages = number("PRAGMA page_count");
  info.free_pages = number("PRAGMA freelist_count");
  return info;
}

// Removing ----------------------------------------------------------------------------------------

namespace {

std::optional<DestinationId> id_of(const StoredDestinations& known, const std::string& name) {
  const auto found =
      std::ranges::find(known, name, [](const auto& row) { return row.second.name; });
  return found == known.end() ? std::nullopt : std::optional(found->first);
}

/// In transactions of some hundred rows; `select` gives the rows, `remove` takes one away. False:
/// it cannot be found by its key, and would be given for ever.
void remove_rows(Store& store, const std::string& select,
                 const std::function<bool(const Statement&)>& remove) {
  for (bool is_done = false; !is_done;) {
    store.begin(false);
    std::int64_t rows = 0;
    {
      Statement next(store.database(), select + " LIMIT " + std::to_string(rows_at_once));
      for (; next.step(); ++rows) {
        if (!remove(next)) throw SqliteError::damaged("a row cannot be removed by its key");
      }
    }
    is_done = rows == 0;
    store.commit();
    store.database().checkpoint();
  }
}

}  // namespace

std::optional<Removed> count_destination(Database& database, const std::string& name) {
  const StoredDestinations known = read_destinations(database);
  const auto id = id_of(known, name);
  if (!id) return std::nullopt;
  const StoredTotals& totals = known.at(*id).totals;
  const std::int64_t dead =
      database.number("SELECT count(*) FROM dead WHERE destination=" + std::to_string(*id));
  return Removed{totals.events, totals.scheduled_events, as_count(dead)};
}

bool forget_schedule(Store& store, const std::string& name) {
  bool is_found = false;
  store.begin(true);
  for (const ScheduleMark& mark : store.marks()) {
    if (schedule_of(mark) != name) continue;
    store.mark({mark.name, 0});
    is_found = true;
  }
  store.commit();
  return is_found;
}

void remove_destination(Store& store, const std::string& name) {
  const auto found = id_of(store.destinations(), name);
  if (!found) return;
  const DestinationId destination = *found;
  const std::string whose = " WHERE destination=" + std::to_string(destination);
  remove_rows(store,
              "SELECT b.id, b.events, b.records, s.events FROM block b LEFT JOIN settled s "
              "ON s.block=b.id" +
                  whose,
              [&](const Statement& row) {
                const proto::ByteView records = row.bytes(2);
                const SettledPart part = settled_part(records, row.bytes(3));
                Settlement settlement{};
                settlement.block = row.number(0);
                settlement.events = static_cast<std::uint32_t>(row.number(1) - part.events);
                settlement.bytes = records.size() - static_cast<std::uint64_t>(part.bytes);
                settlement.is_whole = true;
                return store.settle(destination, settlement);
              });
  remove_rows(store, "SELECT due_ns, id FROM scheduled" + whose, [&](const Statement& row) {
    store.remove_scheduled(destination, row.number(0), row.number(1));
    return true;
  });
  remove_rows(store, "SELECT id FROM dead" + whose,
              [&](const Statement& row) { return store.remove_dead(row.number(0)); });
  store.begin(true);
  for (const char* table : {"returned", "damaged"}) {
    store.database().execute(std::string("DELETE FROM ") + table + whose);
  }
  store.database().execute("DELETE FROM destination WHERE id=" + std::to_string(destination));
  store.commit();
}

}  // namespace outrider::sidecar
