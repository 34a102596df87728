// How the sidecar's lives begin and end.
#include "sim/spool_simulation.hpp"

namespace outrider::sidecar {

void SpoolSimulation::start_life() {
  life_ = std::make_unique<Life>();
  auto opened = [this] {
    const BoundedCall call(twin_, "the opening of the storage");
    return StorageAgent::open(settings(), std::make_unique<test::TwinDisk>(twin_), life_->exchange,
                              log_, now());
  }();
  if (twin_.is_down()) throw ProcessCrash{};
  ASSERT_TRUE(opened.ok()) << opened.error().message;
  life_->storage = std::move(opened.value());
  if (!is_flipped_) check_ages(read_disk());
  life_->fake = std::make_unique<test::FakeApp>(config_, random_.next(), &life_->exchange,
                                                life_->storage->state());
  life_->exchange.wake_sidecar = [this] { life_->is_app_woken = true; };
  life_->exchange.wake_storage = [this] { life_->is_storage_woken = true; };
  for (std::size_t i = 0; i < config_.destinations.size(); ++i) {
    receiver(i).attach(*life_->fake->transports[i]);
  }
  listen();
  schedules_.note(now());
  if (is_flipped_) return;
  // What stands on disk is what the new life knows of.
  const Tables tables = read_disk();
  const Report report = app().report();
  for (std::size_t i = 0; i < report.destinations.size(); ++i) {
    const auto& [name, ledger] = report.destinations[i];
    const StoredEvents& stored = tables.at(name);
    EXPECT_EQ(ledger.scheduled, stored.scheduled.size()) << name;
    if (stored.damaged_blocks > 0) continue;
    EXPECT_EQ(ledger.spooled, stored.waiting.size()) << name;
    EXPECT_EQ(app().spool()->lane(static_cast<DestinationHandle>(i)).bytes(),
              bytes_of(stored.waiting) + bytes_of(stored.scheduled))
        << name;
  }
}

void SpoolSimulation::listen() {
  emitted_.clear();
  life_->fake->source->on_read = [this](const std::string& frame) {
    const auto found = emitted_.find(frame);
    if (found == emitted_.end()) return;
    std::uint64_t order = history_.next_order();
    for (const std::uint64_t number : found->second) history_.event(number).order = order++;
    emitted_.erase(found);
  };
  life_->fake->confirm_source->on_read = [this](const std::string& peer, const std::string& frame) {
    if (peer != hostile_peer) clients_.at(std::stoul(peer))->note_read(frame);
  };
  life_->fake->confirm_source->on_answer = [this](const std::string& peer,
                                                  const proto::ConfirmAnswer& answer) {
    if (peer == hostile_peer) return;
    test::ModelClient& client = *clients_.at(std::stoul(peer));
    client.note_answer(answer);
    if (!random_.chance(0.1)) client.take(answer);
  };
}

void SpoolSimulation::end_life() {
  if (!life_) return;
  schedules_.note(now());
  if (life_->fake) note_report();
  life_.reset();
}

void SpoolSimulation::come_back() {
  if (!twin_.is_down()) twin_.crash(crash_kind());
  // What was put back when a destination was gone stands before what was still on its way then.
  if (life_ && life_->fake && life_->fake->log.count("destination is gone") > 0) {
    unordered_up_to_ = history_.last_order();
  }
  for (std::size_t i = 0; life_ && life_->fake && i < config_.destinations.size(); ++i) {
    receiver(i).cut_off_all();
  }
  for (const auto& [name, receiver] : receivers_) receiver->forget_order();
  for (const auto& client : clients_) client->note_crash();
  end_life();
  twin_.restart();
  if (random_.chance(0.1)) start_in_vain();
  if (random_.chance(0.05)) fault_points_left_ = 1 + random_.below(5);
  if (random_.chance(0.05)) {
    start_full();
  } else {
    start_life();
  }
  fault_points_left_ = 0;
  end_loss();
  note_unsettled();
}

void SpoolSimulation::note_unsettled() {
  const Tables tables = read_disk();
  for (const auto& [name, receiver] : receivers_) {
    const auto stored = tables.find(name);
    if (stored == tables.end()) continue;
    for (const auto* events : {&stored->second.waiting, &stored->second.scheduled}) {
      for (const auto& event : *events) {
        if (receiver->received().contains(event.id)) receiver->note_unknown(event.id);
      }
    }
  }
}

void SpoolSimulation::stop() {
  const Now at = now();
  app().request_stop();
  life_->is_app_woken = true;
  for (const auto& [name, receiver] : receivers_) receiver->is_stopping = true;
  while (!app().is_finished() && !failed()) {
    turn();
    ASSERT_LE(now().mono - at.mono, config_.shutdown_linger + App::storing_max + 100ms);
    if (!app().is_finished()) pass(1ms);
  }
  if (failed()) return;
  const Report report = app().report();
  const bool is_stored = life_->fake->log.count("could not store everything in time") == 0;
  // What was sent and not noted comes again, behind others.
  for (const auto& [name, receiver] : receivers_) {
    if (!is_stored) receiver->forget_order();
  }
  // Somebody may go on reading, through the end of this process and into the next one.
  const bool is_read_on = is_foreigner_reader_ && random_.chance(0.8);
  auto reader = is_read_on ? std::move(foreigner_) : nullptr;
  heal_disk();
  foreigner_ = std::move(reader);
  end_life();
  if (twin_.is_down()) throw ProcessCrash{};
  disarm_crash();
  for (const auto& client : clients_) client->note_crash();
  if (before_loss_ || is_flipped_) return;
  Database database(spool_path, OpenMode::read_write, twin_.vfs_name());
  const Tables tables = test::read_tables(database);
  for (const auto& [name, ledger] : report.destinations) {
    const StoredEvents& stored = tables.at(name);
    EXPECT_EQ(ledger.queued + ledger.in_flight, 0U);
    if (is_stored) {
      // An event that became due after the app's last turn is on disk as waiting, and the app has
      // not heard of it. Nothing moves the other way.
      EXPECT_EQ(ledger.scheduled + ledger.spooled, stored.scheduled.size() + stored.waiting.size())
          << name;
      EXPECT_GE(ledger.scheduled, stored.scheduled.size()) << name;
      check_settled(*receivers_.at(name), stored);
    } else if (stored.damaged_blocks == 0) {
      EXPECT_LE(ledger.scheduled + ledger.spooled, stored.scheduled.size() + stored.waiting.size())
          << name << " has lost events without a word";
    }
  }
}

void SpoolSimulation::restart() {
  if (!before_loss_ && random_.chance(0.15)) begin_foreign(true);
  stop();
  if (failed()) return;
  // What somebody reads is in the log, and not where it is looked for.
  if (!before_loss_ && !foreigner_ && random_.chance(0.2)) damage_block();
  advance(std::chrono::milliseconds(random_.below(5000)));
  if (random_.chance(0.1)) advance(std::chrono::hours(24 * random_.below(60)));
  // A clock without a battery, or set by a wrong hand.
  if (random_.chance(0.05)) jump_wall(std::chrono::hours(24 * random_.below(1000)));
  if (random_.chance(0.05)) jump_wall(-std::chrono::hours(24 * random_.below(1000)));
  if (random_.chance(0.2)) edit_config();
  if (random_.chance(0.1)) start_in_vain();
  if (random_.chance(0.1)) {
    start_full();
  } else {
    start_life();
  }
  end_loss();
  note_unsettled();
}

void SpoolSimulation::note_report() {
  for (const auto& [name, ledger] : app().report().destinations) {
    expired_[name] += ledger.dropped_for(DropReason::expired);
  }
  if (life_->fake->log.count("the run of a schedule cannot be stored") > 0) {
    schedules_.note_refusal();
  }
}

}  // namespace outrider::sidecar
