// What happens to the disk: it fails, is full or damaged, and a person looks at it.
#include <array>
#include <cerrno>

#include "sim/spool_simulation.hpp"

namespace outrider::sidecar {

namespace {

struct Trouble {
  StorageOperation operation;
  int code;
  int error = 0;
};
constexpr std::array troubles = {Trouble{StorageOperation::write, SQLITE_IOERR_WRITE},
                                 Trouble{StorageOperation::write, SQLITE_FULL},
                                 Trouble{StorageOperation::write, SQLITE_IOERR_WRITE, EDQUOT},
                                 Trouble{StorageOperation::sync, SQLITE_IOERR_FSYNC, EDQUOT},
                                 Trouble{StorageOperation::sync, SQLITE_IOERR_FSYNC},
                                 Trouble{StorageOperation::read, SQLITE_IOERR_READ},
                                 Trouble{StorageOperation::truncate, SQLITE_IOERR_TRUNCATE},
                                 Trouble{StorageOperation::remove, SQLITE_IOERR_DELETE},
                                 Trouble{StorageOperation::rename, SQLITE_IOERR},
                                 Trouble{StorageOperation::open, SQLITE_CANTOPEN}};
/// As SQLite says that no descriptor is to be had.
constexpr std::array no_descriptors = {Trouble{StorageOperation::open, SQLITE_CANTOPEN},
                                       Trouble{StorageOperation::shm_map, SQLITE_CANTOPEN},
                                       Trouble{StorageOperation::shm_map, SQLITE_IOERR_SHMOPEN}};

}  // namespace

void SpoolSimulation::break_disk() {
  schedules_.begin_trouble(now());
  const Trouble& trouble = troubles[random_.below(troubles.size())];
  twin_.fail({.operation = trouble.operation,
              .code = trouble.code,
              .nth = 1 + random_.below(30),
              .times = random_.chance(0.5) ? 1 + random_.below(5) : test::StorageFault::forever,
              .error = trouble.error,
              .is_torn = random_.chance(0.5)});
}

void SpoolSimulation::start_in_vain() {
  const Trouble& trouble = no_descriptors[random_.below(no_descriptors.size())];
  twin_.fail({.operation = trouble.operation,
              .code = trouble.code,
              .nth = 1 + random_.below(3),
              .times = test::StorageFault::forever});
  {
    // With as many as it needs it opens, and dies at once.
    Exchange exchange;
    const BoundedCall call(twin_, "the opening of the storage");
    const auto opened = StorageAgent::open(settings(), std::make_unique<test::TwinDisk>(twin_),
                                           exchange, log_, now());
  }
  if (twin_.is_down()) throw ProcessCrash{};
  heal_disk();
}

void SpoolSimulation::fill_disk() {
  schedules_.begin_trouble(now());
  twin_.set_bytes_max(UINT64_MAX);
  twin_.set_bytes_max(UINT64_MAX - twin_.free_bytes() + random_.below(200'000),
                      random_.chance(0.5) ? EDQUOT : 0);
}

void SpoolSimulation::start_full() {
  // Of a process that died there may be no reserve: then it may find no room at all.
  const bool has_reserve = twin_.exists(reserve_path(spool_path));
  fill_disk();
  if (!has_reserve) heal_disk();
  start_life();
}

void SpoolSimulation::disarm_crash() {
  twin_.crash_at(UINT64_MAX / 2, StorageCrash::process);
}

void SpoolSimulation::heal_disk() {
  schedules_.end_trouble(now());
  foreigner_.reset();
  twin_.clear_faults();
  twin_.set_bytes_max(UINT64_MAX);
}

void SpoolSimulation::disturb_disk() {
  schedules_.begin_trouble(now());
  begin_foreign(random_.chance(0.5));
}

void SpoolSimulation::begin_foreign(bool is_reader) {
  foreigner_.reset();
  is_foreigner_reader_ = is_reader;
  try {
    foreigner_ = std::make_unique<Database>(spool_path, OpenMode::read_write, twin_.vfs_name());
    foreigner_->execute(is_reader ? "BEGIN" : "BEGIN IMMEDIATE");
    foreigner_->number("SELECT count(*) FROM block");
  } catch (const SqliteError&) {
    // The disk fails it, too.
    foreigner_.reset();
  }
  if (twin_.is_down()) throw ProcessCrash{};
}

void SpoolSimulation::damage_block() {
  Bytes records;
  {
    Database database(spool_path, OpenMode::read_write, twin_.vfs_name());
    Statement pick(database, "SELECT records FROM block ORDER BY id LIMIT 1 OFFSET ?");
    const std::int64_t blocks = database.number("SELECT count(*) FROM block");
    pick.bind(1, static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(blocks))));
    const StatementReset reset(pick);
    if (!pick.step()) return;
    records.assign(pick.bytes(0).begin(), pick.bytes(0).end());
  }
  const std::string content = twin_.content(spool_path);
  const std::string first(records.begin(), records.begin() + static_cast<std::ptrdiff_t>(
                                                                 record_bytes_at(records.data())));
  const std::size_t at = content.find(first);
  if (at == std::string::npos || content.find(first, at + 1) != std::string::npos) return;
  twin_.flip_bit(spool_path, at + first.size() - 1, 3);
  proto::ByteView rest = records;
  while (!rest.empty()) {
    const test::StoredEvent event = test::stored_event(rest);
    damaged_.insert(event.number);
    rest = rest.subspan(event.bytes);
  }
}

void SpoolSimulation::inspect() {
  heal_disk();
  try {
    Database database(spool_path, OpenMode::read_write, twin_.vfs_name());
    if (random_.chance(0.3)) {
      database.checkpoint();
      return;
    }
    Store store(std::move(database));
    store.begin(true);
    const std::int64_t dead = store.database().number("SELECT coalesce(min(id),0) FROM dead");
    if (dead != 0) {
      {
        Statement read(store.database(), "SELECT record FROM dead WHERE id=?");
        read.bind(1, dead);
        const StatementReset reset(read);
        const std::uint64_t number = read.step() ? test::stored_event(read.bytes(0)).number : 0;
        if (number != 0) history_.event(number).is_put_back = true;
      }
      store.put_back_dead(dead, now());
    }
    store.commit();
    app().look_at_spool();
    life_->is_app_woken = true;
  } catch (const SqliteError& error) {
    if (!twin_.is_down()) FAIL() << error.what();
  }
  if (twin_.is_down()) throw ProcessCrash{};
}

}  // namespace outrider::sidecar
