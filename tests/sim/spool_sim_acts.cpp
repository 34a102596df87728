// What happens, and how time passes.
#include <array>

#include "sim/spool_simulation.hpp"

namespace outrider::sidecar {

void SpoolSimulation::run() {
  for (int step = 0; step < 300 && !failed(); ++step) {
    survive([this] { act(); });
  }
  if (!failed()) finish();
}

void SpoolSimulation::act() {
  struct Row {
    std::uint64_t weight;
    void (SpoolSimulation::*action)();
  };
  static constexpr std::array rows = {
      Row{400, &SpoolSimulation::send_confirmed}, Row{100, &SpoolSimulation::send_unconfirmed},
      Row{80, &SpoolSimulation::send_again},      Row{60, &SpoolSimulation::change_weather},
      Row{40, &SpoolSimulation::jump_some},       Row{50, &SpoolSimulation::stall_storage},
      Row{30, &SpoolSimulation::break_disk},      Row{12, &SpoolSimulation::fill_disk},
      Row{40, &SpoolSimulation::heal_disk},       Row{15, &SpoolSimulation::restart},
      Row{15, &SpoolSimulation::check_quiet},     Row{10, &SpoolSimulation::inspect},
      Row{10, &SpoolSimulation::disturb_disk},    Row{4, &SpoolSimulation::replace_store},
      Row{3, &SpoolSimulation::delete_files},
  };
  std::uint64_t dice = random_.below(1000);
  for (const Row& row : rows) {
    if (dice < row.weight) {
      (this->*row.action)();
      break;
    }
    dice -= row.weight;
  }
  // What is left of the thousand.
  const std::uint64_t other = random_.below(1000);
  if (other < 10) throw ProcessCrash{};
  if (other < 25) twin_.crash_at(1 + random_.below(40), crash_kind());
  if (other >= 25 && other < 40) fault_points_left_ = 1 + random_.below(30);
  if (other >= 40 && other < 45) pass(std::chrono::minutes(11));
  if (other >= 45 && other < 145) pass(std::chrono::seconds(random_.below(10)));
  if (failed()) return;
  turn_some();
  if (random_.chance(0.8)) turn();
  advance(std::chrono::microseconds(random_.below(50'000)));
}

void SpoolSimulation::change_weather() {
  receiver(random_.below(config_.destinations.size())).change_weather(spool_weather());
  if (random_.chance(0.1)) set_descriptors(false);
  if (random_.chance(0.3)) set_descriptors(true);
}

test::Weather SpoolSimulation::spool_weather() {
  test::Weather weather = test::random_weather(random_);
  weather.subscriber_full = 0;
  return weather;
}

void SpoolSimulation::set_descriptors(bool has_some) {
  for (const auto& [name, receiver] : receivers_) receiver->has_descriptors = has_some;
}

void SpoolSimulation::jump_some() {
  jump_wall(std::chrono::minutes(random_.below(60)) * (random_.chance(0.5) ? 1 : -1));
}

void SpoolSimulation::stall_storage() {
  schedules_.note(now());
  life_->storage_stalled_until = now().mono + std::chrono::milliseconds(random_.below(2000));
}

// Sending -----------------------------------------------------------------------------------------

void SpoolSimulation::send_confirmed() {
  const std::uint64_t client = random_.below(clients_.size());
  const std::string& frame = clients_[client]->make_frame(now(), style_);
  if (random_.chance(0.05)) return;  // lost
  send(client, frame);
  if (random_.chance(0.1)) send(client, frame);
}

void SpoolSimulation::send_again() {
  const std::uint64_t client = random_.below(clients_.size());
  for (const std::string& frame : clients_[client]->frames_again(random_.chance(0.5))) {
    send(client, frame);
  }
  send_hostile();
}

void SpoolSimulation::send(std::uint64_t client, const std::string& frame) {
  life_->fake->confirm_source->frames.emplace_back(std::to_string(client), frame);
  life_->is_app_woken = true;
}

void SpoolSimulation::send_hostile() {
  for (std::uint64_t left = random_.below(5); left > 0; --left) {
    life_->fake->confirm_source->frames.emplace_back(hostile_peer, hostile_.next().bytes);
    life_->fake->source->frames.push_back(hostile_.next().bytes);
  }
  life_->is_app_woken = true;
}

void SpoolSimulation::send_unconfirmed() {
  std::vector<std::string> events;
  std::vector<std::uint64_t> numbers;
  for (std::uint64_t left = random_.below(40); left > 0; --left) {
    events.push_back(
        test::random_event(history_, random_, now(), style_, style_.emitted_may_expire));
    numbers.push_back(history_.events().size());
  }
  life_->fake->source->frames.push_back(test::frame_bytes(events));
  emitted_[life_->fake->source->frames.back()] = std::move(numbers);
  life_->is_app_woken = true;
}

// Turning -----------------------------------------------------------------------------------------

bool SpoolSimulation::is_app_due() {
  return life_->is_app_woken || time_left(app().next_deadline(), now().mono) == 0ns;
}

bool SpoolSimulation::is_storage_due() const {
  return !is_stalled() &&
         (life_->is_storage_woken || life_->storage->next_deadline() <= now().mono);
}

void SpoolSimulation::turn_app() {
  life_->is_app_woken = false;
  {
    const BoundedCall call(twin_, "a turn of the app");
    if (app().do_work(now()) > 0) life_->is_app_woken = true;
  }
  if (app().is_finished()) life_->is_app_woken = false;
  check_turn();
}

void SpoolSimulation::turn_storage() {
  life_->is_storage_woken = false;
  life_->has_wall_jumped = false;
  {
    const BoundedCall call(twin_, "a turn of the storage");
    if (life_->storage->do_work(now()) > 0) life_->is_storage_woken = true;
  }
  if (twin_.is_down()) throw ProcessCrash{};
}

void SpoolSimulation::turn_some() {
  for (std::uint64_t left = random_.below(4); left > 0; --left) {
    if (random_.chance(0.5)) {
      if (is_app_due()) turn_app();
    } else if (is_storage_due()) {
      turn_storage();
    }
  }
}

void SpoolSimulation::turn() {
  for (int i = 0; i < 5000 && !failed(); ++i) {
    const bool is_app = !app().is_finished() && is_app_due();
    const bool is_storage = is_storage_due();
    if (!is_app && !is_storage) return;
    if (is_app && (!is_storage || random_.chance(0.6))) {
      turn_app();
    } else {
      turn_storage();
    }
  }
  if (failed()) return;
  ADD_FAILURE() << "never comes to rest: the run loop of the "
                << (is_storage_due() ? "storage" : "app") << " would spin";
}

void SpoolSimulation::pass(Duration duration) {
  const MonoTime end = now().mono + duration;
  while (!failed()) {
    turn();
    if (failed() || now().mono >= end) return;
    const MonoTime storage_at =
        is_stalled() ? life_->storage_stalled_until : life_->storage->next_deadline();
    const MonoTime at =
        app().is_finished() ? storage_at : std::min(storage_at, app().next_deadline());
    if (at > end) {
      advance(end - now().mono);
      check_nothing_to_do();
      return;
    }
    const Duration sleep = time_left(at, now().mono);
    if (sleep > 1ns && random_.chance(0.1)) {
      advance(sleep - 1ns);
      check_nothing_to_do();
      advance(1ns);
    } else {
      advance(sleep);
    }
  }
}

void SpoolSimulation::check_nothing_to_do() {
  if (!app().is_finished() && !life_->is_app_woken) {
    const BoundedCall call(twin_, "a turn of the app");
    EXPECT_EQ(app().do_work(now()), 0) << "a wake-up was lost";
  }
  if (!is_stalled() && !life_->is_storage_woken && !life_->has_wall_jumped) {
    const BoundedCall call(twin_, "a turn of the storage");
    EXPECT_EQ(life_->storage->do_work(now()), 0) << "a wake-up of the storage was lost";
  }
  if (twin_.is_down()) throw ProcessCrash{};
}

}  // namespace outrider::sidecar
