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
  } catch (const SqliteError& error) {
    if (!twin_.is_down()) ADD_FAILURE() << error.what();
  }
  if (twin_.is_down()) throw ProcessCrash{};
  for (const auto& [name, stored] : tables) {
    std::set<std::string> ids;
    for (const auto* events : {&stored.waiting, &stored.scheduled, &stored.dead}) {
      for (const auto& event : *events) {
        EXPECT_TRUE(ids.insert(event.id).second) << name << " has " << event.number << " twice";
      }
    }
  }
  return tables;
}

void SpoolSimulation::check_settled(const Receiver& receiver, const StoredEvents& stored) {
  for (const auto& event : stored.waiting) {
    EXPECT_TRUE(!receiver.received().contains(event.id) || receiver.unknown().contains(event.id))
        << event.number << " has arrived and is still to be sent";
  }
  for (const auto& event : stored.dead) {
    EXPECT_TRUE(!receiver.received().contains(event.id) || receiver.unknown().contains(event.id))
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
  for (std::size_t i = 0; i < receivers_.size(); ++i) {
    const Ledger& ledger = report.destinations[i].ledger;
    const StoredEvents& stored = tables.at(report.destinations[i].name);
    EXPECT_EQ(ledger.scheduled, stored.scheduled.size());
    EXPECT_LE(ledger.spooled, stored.waiting.size() + (stored.damaged_blocks > 0 ? 1U << 20U : 0));
    EXPECT_LE(stored.waiting.size(), ledger.spooled + ledger.queued + ledger.in_flight);
    check_settled(*receivers_[i], stored);
    const std::uint64_t late_ns = now().wall_ns() - 1'000'000'000;
    if (stored.scheduled.empty()) continue;
    EXPECT_GE(stored.scheduled.front().due_ns, late_ns);
  }
  check_confirmed(tables);
}

bool SpoolSimulation::is_for(const DestinationConfig& destination, const SentEvent& event) const {
  const bool is_wanted = destination.topics.front() == ">" || event.topic.starts_with("orders.");
  const bool is_excluded = !destination.exclude.empty() && event.topic == "orders.paid";
  return is_wanted && !is_excluded;
}

void SpoolSimulation::check_confirmed(const Tables& tables) {
  std::uint64_t missing = 0;
  for (std::size_t i = 0; i < receivers_.size(); ++i) {
    std::set<std::uint64_t> known = receivers_[i]->numbers();
    const StoredEvents& stored = tables.at(config_.destinations[i].name);
    for (const auto* events : {&stored.waiting, &stored.scheduled, &stored.dead}) {
      for (const auto& event : *events) known.insert(event.number);
    }
    for (const SentEvent& event : history_.events()) {
      if (!event.is_confirmed || !is_for(config_.destinations[i], event)) continue;
      if (known.contains(event.number) || damaged_.contains(event.number)) continue;
      EXPECT_TRUE(event.may_expire)
          << config_.destinations[i].name << " has lost event " << event.number;
      ++missing;
    }
  }
  std::uint64_t expired = expired_;
  if (life_) {
    for (const auto& destination : app().report().destinations) {
      expired += destination.ledger.dropped_for(DropReason::expired);
    }
  }
  EXPECT_LE(missing, expired);
  // Where nothing is damaged the totals are those of what there is.
  EXPECT_TRUE(!damaged_.empty() || log_.count("made anew") == 0);
  for (const auto& receiver : receivers_) {
    for (const auto& [id, count] : receiver->received()) {
      EXPECT_TRUE(count == 1 || receiver->unknown().contains(id)) << id << " came twice";
    }
  }
}

void SpoolSimulation::finish() {
  survive([this] {
    fault_points_left_ = 0;
    disarm_crash();
    life_->storage_stalled_until = {};
    for (const auto& receiver : receivers_) receiver->clear_up();
    // The clock may have gone back by hours.
    jump_wall(1000h);
    restart();
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
  Database database(spool_path, OpenMode::read_write, twin_.vfs_name());
  check_confirmed(test::read_tables(database));
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
