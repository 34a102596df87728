// What happens to the disk: it fails, is full or damaged, and a person looks at it.
#include "sim/spool_simulation.hpp"

namespace outrider::sidecar {

void SpoolSimulation::break_disk() {
  struct Kind {
    StorageOperation operation;
    int code;
  };
  static constexpr Kind kinds[] = {{StorageOperation::write, SQLITE_IOERR_WRITE},
                                   {StorageOperation::write, SQLITE_FULL},
                                   {StorageOperation::sync, SQLITE_IOERR_FSYNC},
                                   {StorageOperation::read, SQLITE_IOERR_READ},
                                   {StorageOperation::truncate, SQLITE_IOERR_TRUNCATE}};
  const Kind& kind = kinds[random_.below(std::size(kinds))];
  twin_.fail({.operation = kind.operation,
              .code = kind.code,
              .nth = 1 + random_.below(30),
              .times = random_.chance(0.5) ? 1 + random_.below(5) : test::StorageFault::forever,
              .is_torn = random_.chance(0.5)});
}

void SpoolSimulation::fill_disk() {
  twin_.set_bytes_max(UINT64_MAX);
  twin_.set_bytes_max(UINT64_MAX - twin_.free_bytes() + random_.below(200'000));
}

void SpoolSimulation::disarm_crash() {
  twin_.crash_at(UINT64_MAX / 2, StorageCrash::process);
}

void SpoolSimulation::heal_disk() {
  twin_.clear_faults();
  twin_.set_bytes_max(UINT64_MAX);
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
        if (read.step()) {
          history_.event(test::stored_event(read.bytes(0)).number).is_put_back = true;
        }
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
