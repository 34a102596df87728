#include "sidecar/inspect/inspection.hpp"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <set>
#include <system_error>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/topic.hpp"
#include "sidecar/base/record.hpp"
#include "sidecar/spool/disk.hpp"

namespace outrider::sidecar {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t rows_at_once = 256;
constexpr const char* read_only_cure =
    "; mount it writable; if it was, the kernel's log (dmesg) says why it no longer is";

std::uint64_t file_bytes(const std::string& path) {
  std::error_code error;
  const auto bytes = fs::file_size(path, error);
  return error ? 0 : bytes;
}

std::string folder_of(const std::string& path) {
  const std::string folder = fs::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

/// access() does not see what the kernel has made read-only by itself. Nothing is left behind, and
/// the database itself is not opened: to close it would end the locks that SQLite has on it.
bool is_read_only(const std::string& folder) {
  const int fd = ::open(folder.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
  if (fd < 0) return errno == EROFS;
  ::close(fd);
  return false;
}

/// So that SQLite may make its files beside the database, and take them away again.
bool is_writable(const std::string& path) {
  const std::string folder = folder_of(path);
  return ::access(path.c_str(), W_OK) == 0 && ::access(folder.c_str(), W_OK) == 0 &&
         !is_read_only(folder);
}

Status check_file(const std::string& path, int access) {
  const bool may = ::access(path.c_str(), access) == 0;
  if (may && (access & W_OK) != 0 && is_read_only(folder_of(path))) {
    errno = EROFS;
  } else if (may) {
    std::error_code error;
    if (fs::is_regular_file(path, error)) return Nothing{};
    return Error{"the spool " + path + " is not a file"};
  }
  if (errno == ENOENT || errno == ENOTDIR) {
    return Error{"no spool at " + path + "; a sidecar makes it when it starts"};
  }
  return Error{std::string("the spool ") + path + " cannot be " +
               ((access & W_OK) != 0 ? "written" : "read") + ": " +
               std::generic_category().message(errno) +
               (errno == EROFS ? read_only_cure
                               : "; do it as the user that the sidecar runs as, or as root")};
}

/// Of an empty file, which SQLite would take for a new database, whose log it deletes.
Status check_content(const std::string& path) {
  if (file_bytes(path) > 0) return Nothing{};
  if (file_bytes(wal_path(path)) == 0) {
    return Error{"the spool " + path + " is empty; a sidecar makes a new one there when it starts"};
  }
  return Error{"the spool " + path +
               " is empty, and its write-ahead log is not; leave that, and "
               "start the sidecar anew: it goes on with what the log holds"};
}

Error as_error(const std::string& path, const SqliteError& error) {
  const std::string message = "the spool " + path + ": " + error.what();
  if (error.trouble() != StorageTrouble::damaged) return {message};
  return {message +
          "; `outrider spool export` gives what can be read, and `outrider spool repair`, or a "
          "sidecar that comes upon the damage, goes on with that"};
}

Database open_database(const std::string& path) {
  std::error_code error;
  const bool has_log = fs::exists(wal_path(path), error);
  if (!has_log && is_writable(path)) {
    // A reader leaves its empty log behind; a connection that could write takes it away.
    Database database(path, OpenMode::read_write);
    database.execute("PRAGMA query_only=ON");
    return database;
  }
  const bool is_frozen = file_bytes(wal_path(path)) == 0 && !is_writable(path) && !is_in_use(path);
  return {path, is_frozen ? OpenMode::frozen : OpenMode::read_only};
}

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

// Opening -----------------------------------------------------------------------------------------

Status guarded(const std::string& path, const std::function<void()>& action) {
  try {
    action();
    return Nothing{};
  } catch (const SqliteError& error) {
    return as_error(path, error);
  }
}

Result<Database> open_to_read(const std::string& path) {
  if (Status status = check_file(path, R_OK); !status.ok()) return status.error();
  if (Status status = check_content(path); !status.ok()) return status.error();
  const auto checked = [](Database database) {
    database.execute("PRAGMA cache_size=-4096; PRAGMA trusted_schema=OFF");
    Store::check_kind(database);
    return database;
  };
  try {
    try {
      return checked(open_database(path));
    } catch (const SqliteError& error) {
      // No room for SQLite's own files, and nobody else who has some.
      const bool is_whole = file_bytes(wal_path(path)) == 0 && !is_in_use(path);
      if (error.trouble() != StorageTrouble::full || !is_whole) throw;
      return checked({path, OpenMode::frozen});
    }
  } catch (const SqliteError& error) {
    if (error.trouble() == StorageTrouble::failing && !is_writable(path) &&
        file_bytes(wal_path(path)) > 0) {
      return Error{"the spool " + path + " has a write-ahead log, which cannot be read where " +
                   "nothing may be written (" + error.what() + "); copy both to another place"};
    }
    return as_error(path, error);
  }
}

Status check_first_page(const std::string& path, bool& is_damaged) {
  // What was made and never checkpointed is still in the write-ahead log.
  if (file_bytes(path) == 0 || file_bytes(wal_path(path)) > 0) return Nothing{};
  try {
    Database database(path, OpenMode::frozen);
    // Without tables: a sidecar could not go on when it had made the file.
    if (database.number("SELECT count(*) FROM sqlite_schema") > 0) Store::check_kind(database);
  } catch (const SqliteError& error) {
    is_damaged = error.trouble() == StorageTrouble::damaged;
    if (!is_damaged) return Error{error.what()};
  }
  return Nothing{};
}

Status check_writable(const std::string& path) {
  Status status = check_file(path, R_OK | W_OK);
  return status.ok() ? check_content(path) : status;
}

Result<std::unique_ptr<Store>> open_to_write(const std::string& path) {
  if (Status status = check_writable(path); !status.ok()) return status.error();
  try {
    Database database(path, OpenMode::read_write);
    Store::check_kind(database);
    return std::make_unique<Store>(std::move(database));
  } catch (const SqliteError& error) {
    return as_error(path, error);
  }
}

bool is_in_use(const std::string& path) {
  const int fd = ::open(lock_path(path).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) return false;
  const bool is_locked = ::flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  ::close(fd);
  return is_locked;
}

Result<std::unique_ptr<SpoolLock>> SpoolLock::take(const std::string& path) {
  const std::string name = lock_path(path);
  const int fd =
      ::open(name.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
  if (fd < 0) {
    return Error{"cannot open " + name + ": " + std::generic_category().message(errno) +
                 (errno == EROFS ? read_only_cure : "")};
  }
  std::unique_ptr<SpoolLock> lock(new SpoolLock(fd));
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    return Error{"a sidecar uses the spool " + path + "; stop it first"};
  }
  // If root has just made it, it must not keep the sidecar out.
  struct stat owner {};
  const bool is_known = ::stat(path.c_str(), &owner) == 0;
  if (is_known && ::fchown(fd, owner.st_uid, owner.st_gid) != 0 && errno == EPERM) {
    return Error{"cannot give " + name + " to the owner of the spool"};
  }
  return lock;
}

SpoolLock::~SpoolLock() {
  ::close(fd_);
}

ReadTransaction::ReadTransaction(Database& database) : database_(database) {
  database_.execute("BEGIN");
  // From the first look on, the moment stands still. This one succeeds whatever else is damaged.
  database_.number("SELECT count(*) FROM sqlite_schema");
}

ReadTransaction::~ReadTransaction() {
  try {
    database_.execute("ROLLBACK");
  } catch (const SqliteError&) {
    // It ends with the connection at the latest.
  }
}

// What is there -----------------------------------------------------------------------------------

DestinationNames destination_names(Database& database) {
  DestinationNames names;
  Statement all(database, "SELECT id, name FROM destination");
  while (all.step()) names[all.number(0)] = all.text(1);
  return names;
}

std::string name_of(const DestinationNames& names, DestinationId destination) {
  const auto found = names.find(destination);
  return found != names.end() ? found->second : "#" + std::to_string(destination);
}

std::string schedule_of(const ScheduleMark& mark) {
  return mark.name.substr(0, mark.name.find(' '));
}

SpoolInfo read_info(Database& database, const std::string& path) {
  SpoolInfo info;
  std::map<DestinationId, DestinationInfo> destinations;
  Statement all(database,
                "SELECT id, name, events, bytes, scheduled_events, scheduled_bytes "
                "FROM destination");
  while (all.step()) {
    DestinationInfo& destination = destinations[all.number(0)];
    destination = read_destination(database, all.number(0));
    destination.name = all.text(1);
    destination.totals = {as_count(all.number(2)), as_count(all.number(3)), as_count(all.number(4)),
                          as_count(all.number(5))};
  }
  Statement dead(database, "SELECT destination, reason, count(*) FROM dead GROUP BY 1, 2");
  while (dead.step()) {
    destinations[dead.number(0)].dead[std::string(dead.text(1))] = as_count(dead.number(2));
  }
  Statement damaged(database, "SELECT destination, count(*) FROM damaged GROUP BY 1");
  while (damaged.step()) destinations[damaged.number(0)].damaged = as_count(damaged.number(1));

  const DestinationNames names = destination_names(database);
  for (auto& [id, destination] : destinations) {
    destination.name = name_of(names, id);
    info.destinations.push_back(std::move(destination));
  }
  std::ranges::sort(info.destinations, {}, &DestinationInfo::name);

  Statement due(database, "SELECT due_ns, destination FROM scheduled ORDER BY due_ns, id LIMIT 1");
  {
    const StatementReset reset(due);
    if (due.step()) {
      info.next_due_ns = static_cast<std::uint64_t>(due.number(0));
      info.next_due_destination = name_of(names, due.number(1));
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

// Dead letters ------------------------------------------------------------------------------------

namespace {

constexpr const char* dead_columns =
    "id, destination, event, topic, reason, status, attempts, first_ns, last_ns, "
    "length(record)+length(CAST(answer AS BLOB))";

DeadHead read_head(const Statement& row, const DestinationNames& names) {
  return {row.number(0),
          std::string(row.text(2)),
          name_of(names, row.number(1)),
          std::string(row.text(3)),
          std::string(row.text(4)),
          static_cast<int>(row.number(5)),
          static_cast<std::uint32_t>(row.number(6)),
          static_cast<std::uint64_t>(row.number(7)),
          static_cast<std::uint64_t>(row.number(8)),
          as_count(row.number(9))};
}

bool is_wanted(const DeadHead& letter, const DeadFilter& filter) {
  return (filter.destination.empty() || letter.destination == filter.destination) &&
         (filter.topic.empty() || proto::matches(filter.topic, letter.topic)) &&
         (filter.reason.empty() || letter.reason == filter.reason) &&
         (!filter.status || letter.status == *filter.status) &&
         (!filter.before_ns || letter.last_ns < *filter.before_ns) &&
         (!filter.after_ns || letter.last_ns >= *filter.after_ns);
}

}  // namespace

std::vector<DeadHead> find_dead(Database& database, const DeadFilter& filter) {
  const DestinationNames names = destination_names(database);
  const std::set<std::int64_t> ids(filter.ids.begin(), filter.ids.end());
  std::vector<DeadHead> found;
  Statement rows(database, std::string("SELECT ") + dead_columns + " FROM dead ORDER BY id DESC");
  const StatementReset reset(rows);
  while (found.size() < filter.events_max && rows.step()) {
    if (!ids.empty() && !ids.contains(rows.number(0))) continue;
    DeadHead letter = read_head(rows, names);
    if (is_wanted(letter, filter)) found.push_back(std::move(letter));
  }
  std::ranges::reverse(found);
  return found;
}

std::optional<DeadWhole> read_dead(Database& database, std::int64_t id) {
  Statement row(database,
                std::string("SELECT ") + dead_columns + ", answer, record FROM dead WHERE id=?");
  row.bind(1, id);
  const StatementReset reset(row);
  if (!row.step()) return std::nullopt;
  DeadWhole letter{read_head(row, destination_names(database)), std::string(row.text(10)), {}};
  const proto::ByteView record = row.bytes(11);
  if (is_sound(record, 1)) letter.record.assign(record.begin(), record.end());
  return letter;
}

// Removing ----------------------------------------------------------------------------------------

std::optional<Removed> count_destination(Database& database, const std::string& name) {
  Statement find(database,
                 "SELECT events, scheduled_events, "
                 "(SELECT count(*) FROM dead WHERE dead.destination=destination.id) "
                 "FROM destination NOT INDEXED WHERE name=?");
  find.bind(1, std::string_view(name));
  const StatementReset reset(find);
  if (!find.step()) return std::nullopt;
  return Removed{as_count(find.number(0)), as_count(find.number(1)), as_count(find.number(2))};
}

namespace {

/// In transactions of some hundred rows; `select` gives the rows, `remove` takes one away.
void remove_rows(Store& store, const std::string& select,
                 const std::function<void(const Statement&)>& remove) {
  for (bool is_done = false; !is_done;) {
    store.begin(false);
    std::int64_t rows = 0;
    {
      Statement next(store.database(), select + " LIMIT " + std::to_string(rows_at_once));
      for (; next.step(); ++rows) remove(next);
    }
    is_done = rows < rows_at_once;
    store.commit();
    store.database().checkpoint();
  }
}

}  // namespace

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
  const auto known = store.destinations();
  const auto found =
      std::ranges::find(known, name, [](const auto& row) { return row.second.name; });
  if (found == known.end()) return;
  const DestinationId destination = found->first;
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
                store.settle(destination, settlement);
              });
  remove_rows(store, "SELECT due_ns, id FROM scheduled" + whose, [&](const Statement& row) {
    store.remove_scheduled(destination, static_cast<std::uint64_t>(row.number(0)), row.number(1));
  });
  remove_rows(store, "SELECT id FROM dead" + whose,
              [&](const Statement& row) { store.remove_dead(row.number(0)); });
  store.begin(true);
  for (const char* table : {"returned", "damaged"}) {
    store.database().execute(std::string("DELETE FROM ") + table + whose);
  }
  store.database().execute("DELETE FROM destination WHERE id=" + std::to_string(destination));
  store.commit();
}

}  // namespace outrider::sidecar
