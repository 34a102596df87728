// What must hold at every turn, at every quiet moment and at the end.
#include "sim/spool_simulation.hpp"

namespace outrider::sidecar {

void SpoolSimulation::check_turn() {
  const Report report = app().report();
  ASSERT_TRUE(report.is_balanced()) << format_report(report);
  for (std::size_t i = 0; i < report.destinations.size(); ++i) {
    const Ledger& ledger = report.destinations[i].ledger;
    ASSERT_LE(ledger.queued + ledger.in_flight, config_.destinations[i].queue_events_max);
    ASSERT_LE(life_->fake->transports[i]->open.size(), config_.destinations[i].concurrency_max);
    ASSERT_LE(ledger.spooled, 1U << 30U) << "below zero";
    ASSERT_LE(ledger.scheduled, 1U << 30U) << "below zero";
  }
}

Tables SpoolSimulation::read_disk() {
  Tables tables;
  try {
    Database database(spool_path, OpenMode::read_write, twin_.vfs_name());
    test::check_totals(database);
    tables = test::read_tables(database);
    marks_.clear();
    Statement marks(database, "SELECT name, last_ns FROM schedule");
    while (marks.step()) {
      marks_[std::string(marks.text(0))] =
          Instant(std::chrono::seconds(marks.number(1) / 1'000'000'000));
    }
  } catch (const SqliteError& error) {
    if (!twin_.is_down()) ADD_FAILURE() << error.what();
  }
  if (twin_.is_down()) throw ProcessCrash{};
  for (const auto& [name, stored] : tables) {
    std::set<std::string> ids;
    for (const auto* events : stored.all()) {
      for (const auto& event : *events) {
        // What lost the end of the log brings back events whose date had come beside their blocks,
        // which are in memory; and the runs of a schedule whose mark was lost. Of a database that
        // was emptied, its log brings back rows of pages that are free by now.
        if (damaged_.contains(0) || before_loss_) continue;
        EXPECT_TRUE(ids.insert(event.id).second) << name << " has " << event.number << " twice";
      }
    }
  }
  return tables;
}

/// Nobody knows what the receiver has said to it; or damage may have brought it back.
bool SpoolSimulation::may_come_again(const Receiver& receiver, const std::string& id) const {
  return receiver.unknown().contains(id) || damaged_.contains(0);
}

void SpoolSimulation::check_settled(const Receiver& receiver, const StoredEvents& stored) {
  for (const auto& event : stored.waiting) {
    EXPECT_TRUE(!receiver.received().contains(event.id) || may_come_again(receiver, event.id))
        << event.number << " has arrived and is still to be sent";
  }
  for (const auto& event : stored.dead) {
    EXPECT_TRUE(!receiver.received().contains(event.id) || may_come_again(receiver, event.id))
        << event.number << " has arrived and is dead";
  }
}

void SpoolSimulation::check_quiet() {
  heal_disk();
  life_->storage_stalled_until = {};
  pass(3s);
  if (random_.chance(0.5)) {
    // Nothing but the clock says that something is due now.
    pass(20s);
    jump_wall(10min);
    pass(3s);
  }
  turn();
  if (failed()) return;
  const Tables tables = read_disk();
  const Report report = app().report();
  for (std::size_t i = 0; i < report.destinations.size(); ++i) {
    const auto& [name, ledger] = report.destinations[i];
    const StoredEvents& stored = tables.at(name);
    EXPECT_EQ(ledger.scheduled, stored.scheduled.size()) << name;
    EXPECT_LE(ledger.spooled, stored.waiting.size() + (stored.damaged_blocks > 0 ? 1U << 20U : 0));
    EXPECT_LE(stored.waiting.size(), ledger.spooled + ledger.queued + ledger.in_flight) << name;
    if (stored.damaged_blocks == 0) {
      EXPECT_EQ(app().spool()->lane(static_cast<DestinationHandle>(i)).bytes(),
                bytes_of(stored.waiting) + bytes_of(stored.scheduled))
          << name;
    }
    check_settled(receiver(i), stored);
    const std::uint64_t late_ns = now().wall_ns() - 1'000'000'000;
    if (stored.scheduled.empty()) continue;
    EXPECT_GE(stored.scheduled.front().due_ns, late_ns);
  }
  check_ids(tables);
}

void SpoolSimulation::check_ages(const Tables& tables) {
  for (const auto& [name, stored] : tables) {
    for (std::size_t i = 0; i < stored.dead.size(); ++i) {
      if (stored.dead_reasons[i] != "age") continue;
      const std::string& id = stored.dead[i].id;
      if (!aged_[name].insert(id).second) continue;
      EXPECT_TRUE(receivers_.at(name)->may_be_too_old(id, now()))
          << name << " has given up event " << stored.dead[i].number << " for its age alone";
    }
  }
}

void SpoolSimulation::check_ids(const Tables& tables) {
  check_ages(tables);
  for (const auto& [name, receiver] : receivers_) {
    const auto stored = tables.find(name);
    check_ids_of(name, stored == tables.end() ? StoredEvents{} : stored->second);
    for (const auto& [id, count] : receiver->received()) {
      EXPECT_TRUE(count == 1 || may_come_again(*receiver, id)) << id << " came twice";
    }
  }
}

void SpoolSimulation::check_ids_of(const std::string& name, const StoredEvents& stored) {
  auto& seen = seen_[name];
  std::set<std::uint64_t> known = receivers_.at(name)->numbers();
  for (const auto* events : stored.all()) {
    for (const auto& event : *events) {
      known.insert(event.number);
      seen[event.id] = event.number;
    }
  }
  std::set<std::uint64_t> wanted;
  for (const auto& [id, number] : seen) wanted.insert(number);
  for (const SentEvent& event : history_.events()) {
    if (event.is_confirmed && is_for(name, event)) wanted.insert(event.number);
    EXPECT_FALSE(known.contains(event.number) && is_sampled_out(name, event.id))
        << name << " has event " << event.number << ", which is not in its sample";
  }
  check_runs_of(name, stored);
  std::uint64_t gone = 0;
  for (const std::uint64_t number : wanted) {
    if (number == 0 || known.contains(number) || damaged_.contains(number)) continue;
    EXPECT_TRUE(history_.may_have_expired(history_.event(number), now()))
        << name << " has lost event " << number
        << (history_.event(number).is_confirmed ? "" : ", which it had on disk");
    ++gone;
  }
  // Those that were only emitted would hide a loss.
  if (style_.emitted_may_expire) return;
  std::uint64_t expired = expired_[name];
  for (std::size_t i = 0; life_ && i < config_.destinations.size(); ++i) {
    if (config_.destinations[i].name != name) continue;
    expired += app().report().destinations[i].ledger.dropped_for(DropReason::expired);
  }
  EXPECT_LE(gone, expired) << name << " has lost events that may have expired, and did not";
}

void SpoolSimulation::check_runs_of(const std::string& name, const StoredEvents& stored) {
  std::set<std::string> ids;
  for (const auto& [id, count] : receivers_.at(name)->received()) ids.insert(id);
  for (const auto* events : stored.all()) {
    for (const auto& event : *events) ids.insert(event.id);
  }
  for (const auto& [id, number] : seen_[name]) {
    if (number != 0 || damaged_.contains(0)) continue;
    EXPECT_TRUE(ids.contains(id)) << name << " has lost the run " << id;
  }
  if (life_ && life_->fake->log.count("the run of a schedule cannot be stored") > 0) {
    schedules_.note_refusal();
  }
  if (!plans_.back().contains(name) || damaged_.contains(0)) return;
  std::size_t first = plans_.size();
  while (first > 0 && plans_[first - 1].contains(name)) --first;
  for (const ScheduleConfig& schedule : config_.schedules) {
    const auto last = marks_.find(Recurrence::mark_of(schedule));
    if (last == marks_.end() || !wants(name, schedule.topic)) continue;
    std::set<Instant> runs;
    for (const std::string& id : ids) {
      if (!id.starts_with(schedule.name + "/")) continue;
      runs.insert(test::run_of(id));
      EXPECT_TRUE(schedules_.was_due(schedule.name, test::run_of(id)))
          << name << " has got " << id << ", when nothing was due";
      EXPECT_LE(test::run_of(id).time_since_epoch().count() * 1'000'000'000,
                history_.highest_time())
          << name << " has got a run before its time";
    }
    if (ever_.at(name).sample_rate < 1) continue;
    const Instant began = std::max(plan_began_[first], schedule_began_.at(last->first));
    schedules_.check(schedule, name, began, last->second, runs);
  }
}

void SpoolSimulation::finish() {
  survive([this] {
    fault_points_left_ = 0;
    disarm_crash();
    life_->storage_stalled_until = {};
    for (const auto& [name, receiver] : receivers_) receiver->clear_up();
    restart();
  });
  if (failed()) return;
  // All destinations that there ever were get what is theirs.
  survive([this] {
    stop();
    for (const auto& [name, destination] : ever_) {
      if (!plans_.back().contains(name)) config_.destinations.push_back(destination);
    }
    begin_plan();
    // The clock may have gone back.
    jump_wall(Duration(history_.highest_time() - now().wall_ns()) + 1000h);
    start_life();
    note_unsettled();
  });
  for (int i = 0; i < 500 && unanswered() > 0 && !failed(); ++i) {
    for (std::uint64_t client = 0; client < clients_.size(); ++client) {
      for (const std::string& frame : clients_[client]->frames_again(true)) send(client, frame);
    }
    pass(2s);
  }
  EXPECT_EQ(unanswered(), 0U) << "clients wait for ever";
  for (int i = 0; i < 50 && !is_all_gone() && !failed(); ++i) pass(100s);
  if (failed()) return;
  EXPECT_TRUE(is_all_gone()) << format_report(app().report());
  check_quiet();
  if (failed()) return;
  stop();
  if (failed()) return;
  Database database(spool_path, OpenMode::read_write, twin_.vfs_name());
  check_ids(test::read_tables(database));
  if (!failed()) flip_bit();
}

std::size_t SpoolSimulation::unanswered() const {
  std::size_t frames = 0;
  for (const auto& client : clients_) frames += client->unanswered();
  return frames;
}

bool SpoolSimulation::is_all_gone() {
  for (const auto& destination : app().report().destinations) {
    const Ledger& ledger = destination.ledger;
    if (ledger.queued + ledger.in_flight + ledger.spooled + ledger.scheduled > 0) return false;
  }
  return true;
}

}  // namespace outrider::sidecar
