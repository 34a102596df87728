// What befalls the spool's files: a database that is damaged and replaced while it is in use, files
// that somebody deletes or replaces, a bit that flips.
#include "sim/spool_simulation.hpp"

namespace outrider::sidecar {

/// All that was sent is taken or refused, and on disk; from here on some of it may be lost.
void SpoolSimulation::begin_loss() {
  schedules_.note(now());
  heal_disk();
  life_->storage_stalled_until = {};
  pass(1s);
  if (failed()) return;
  before_loss_ = read_disk();
  for (const auto& [name, receiver] : receivers_) receiver->begin_loss();
  sent_before_loss_ = history_.events().size();
  // What was taken of a client may be lost, too.
  for (const auto& client : clients_) client->give_up();
}

/// What was there and is not there any more has gone with the disk.
void SpoolSimulation::end_loss() {
  if (!before_loss_) return;
  // Marks of schedules may be lost, which begin anew then.
  damaged_.insert(0);
  const Tables before = *std::exchange(before_loss_, std::nullopt);
  const Tables after = read_disk();
  for (const auto& [name, stored] : before) {
    std::set<std::string> there;
    if (const auto found = after.find(name); found != after.end()) {
      for (const auto* events : found->second.all()) {
        for (const auto& event : *events) there.insert(event.id);
      }
    }
    for (const auto* events : stored.all()) {
      for (const auto& event : *events) {
        if (there.contains(event.id)) continue;
        damaged_.insert(event.number);
        seen_[name].erase(event.id);
      }
    }
  }
  // What was taken meanwhile may have gone at once.
  for (auto number = sent_before_loss_ + 1; number <= history_.events().size(); ++number) {
    damaged_.insert(number);
  }
  for (const auto& [name, receiver] : receivers_) receiver->end_loss();
  note_unsettled();
}

void SpoolSimulation::replace_store() {
  if (!has_disasters_) return;
  begin_loss();
  if (failed()) return;
  const std::uint64_t kind = random_.below(3);
  if (kind == 1) {
    twin_.fail({.operation = StorageOperation::read,
                .code = SQLITE_CORRUPT,
                .nth = 1 + random_.below(40),
                .times = 1 + random_.below(10)});
  } else if (kind == 2) {
    twin_.fail({.operation = StorageOperation::open, .code = SQLITE_FULL, .path_end = ".partial"});
  }
  if (random_.chance(0.3)) {
    twin_.fail({.operation = StorageOperation::rename,
                .code = SQLITE_IOERR,
                .nth = 1 + random_.below(4),
                .times = 1 + random_.below(3)});
  }
  twin_.fail({.operation = StorageOperation::write, .code = SQLITE_CORRUPT, .path_end = "-wal"});
  send_confirmed();
  if (random_.chance(0.5)) send_unconfirmed();
  if (random_.chance(0.3)) {
    turn_some();
  } else {
    pass(1s);
  }
  heal_disk();
  if (random_.chance(0.2)) {
    // At once, while nothing is known of the new one.
    restart();
  } else {
    pass(1s);
    end_loss();
    check_quiet();
  }
}

void SpoolSimulation::delete_files() {
  if (!has_disasters_) return;
  begin_loss();
  if (failed()) return;
  const std::string name = spool_path + (random_.chance(0.5) ? "-wal" : "");
  // It may be emptied in its place: then it is the same file.
  const bool is_emptied = name == spool_path && random_.chance(0.4);
  if (!is_emptied) twin_.remove(name);
  if (!is_emptied && random_.chance(0.3)) twin_.put(name, std::string(8192, 'x'));
  if (is_emptied || random_.chance(0.2)) twin_.put(name, "");
  const auto confirmed = [this] {
    return std::ranges::count_if(history_.events(), &SentEvent::is_confirmed);
  };
  const auto before = confirmed();
  const auto damages = log_.count("the spool is damaged");
  send_confirmed();
  send_confirmed();
  send_unconfirmed();
  pass(2s);
  // What cannot be read of it any more is damage, and the new one can be promised in.
  if (log_.count("the spool is damaged") == damages) {
    EXPECT_EQ(confirmed(), before) << "promised in files that are gone";
  }
  for (const auto& client : clients_) client->give_up();
  // Without its log the database is none.
  if (name == spool_path && random_.chance(0.5)) throw ProcessCrash{};
  restart();
}

void SpoolSimulation::flip_bit() {
  if (!random_.chance(0.2)) return;
  const std::uint64_t bytes = twin_.file_bytes(spool_path);
  twin_.flip_bit(spool_path, random_.below(bytes), static_cast<unsigned>(random_.below(8)));
  is_flipped_ = true;
  start_life();
  pass(1min);
  stop();
}

}  // namespace outrider::sidecar
