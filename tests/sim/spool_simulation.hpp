// SpoolSimulation: one world, from a seed, in which the sidecar lives many lives.
//
// Used by spool_sim_test.cpp, which tells what it is for. What happens stands here, what happens to
// the disk in spool_sim_disk.cpp, what must hold in spool_sim_checks.cpp. Thread: one.
#pragma once

#include <gtest/gtest.h>
#include <sqlite3.h>

#include "sidecar/base/fault_point.hpp"
#include "sidecar/base/random.hpp"
#include "sidecar/base/time_left.hpp"
#include "sim/hostile_client.hpp"
#include "sim/random_world.hpp"
#include "sim/receiver.hpp"
#include "sim/spool_history.hpp"
#include "support/app_fixture.hpp"
#include "support/spool_tables.hpp"
#include "support/twin_disk.hpp"

namespace outrider::sidecar {

using namespace std::chrono_literals;
using test::Receiver;
using test::SentEvent;
using test::StorageCrash;
using test::StorageOperation;
using test::StoredEvents;
using Tables = std::map<std::string, StoredEvents>;

inline constexpr const char* spool_path = "/spool/outrider.db";
inline constexpr const char* hostile_peer = "hostile";

/// Ends the process at once.
struct ProcessCrash {};

inline std::function<void()> at_fault_point;  // NOLINT(cert-err58-cpp)

/// One run of the sidecar.
struct Life {
  Exchange exchange;
  std::unique_ptr<StorageAgent> storage;
  std::unique_ptr<test::FakeApp> fake;
  bool is_app_woken = true;
  bool is_storage_woken = true;
  MonoTime storage_stalled_until{};
  bool has_wall_jumped = false;  ///< since the storage agent's last turn
};

class SpoolSimulation {
 public:
  explicit SpoolSimulation(std::uint64_t seed)
      : random_(seed), twin_(random_.next()), config_(make_config()) {
    history_.note_time(clock_.now());
    for (const DestinationConfig& destination : config_.destinations) {
      receivers_.push_back(std::make_unique<Receiver>(destination, random_.next()));
      Receiver& receiver = *receivers_.back();
      receiver.place_of = [this, is_kept = destination.spool_order == SpoolOrder::oldest_first](
                              std::uint64_t number) -> Receiver::Place {
        const SentEvent& event = history_.event(number);
        if (!is_kept || event.due_ns != 0 || event.is_put_back) return {};
        // Which of an emitted and a confirmed event was taken first, nobody outside knows.
        if (event.is_emitted) return {'e', number > unordered_number_ ? number : 0};
        return {'c', event.order > unordered_up_to_ ? event.order : 0};
      };
      receiver.on_receive = [this](std::uint64_t number, const std::string&) {
        history_.check_not_early(number);
      };
    }
    for (int i = 0; i < 2; ++i) {
      clients_.push_back(std::make_unique<test::ModelClient>(history_, random_.next()));
    }
    at_fault_point = [this] {
      if (fault_points_left_ == 0 || --fault_points_left_ > 0) return;
      twin_.crash(crash_kind());
      throw ProcessCrash{};
    };
    survive([this] { start_life(); });
  }
  ~SpoolSimulation() {
    at_fault_point = nullptr;
    end_life();
  }
  SpoolSimulation(const SpoolSimulation&) = delete;
  SpoolSimulation& operator=(const SpoolSimulation&) = delete;

  void run() {
    for (int step = 0; step < 300 && !failed(); ++step) {
      survive([this] { act(); });
    }
    if (!failed()) finish();
  }

 private:
  static bool failed() { return ::testing::Test::HasFailure(); }

  // The world -------------------------------------------------------------------------------------

  Config make_config() {
    Config config;
    config.shutdown_linger = std::chrono::milliseconds(random_.below(5000));
    config.ingest.event_bytes_max = 2000;
    config.spool.path = spool_path;
    config.spool.sync = random_.chance(0.8) ? SpoolSync::full : SpoolSync::normal;
    config.spool.free_bytes_min = random_.chance(0.3) ? 100'000 : 0;
    if (random_.chance(0.2)) config.spool.bytes_max = 50'000 + random_.below(300'000);
    config.spool.dead_events_max = 1'000'000;
    config.spool.dead_age_max = std::chrono::hours(100'000);
    for (std::uint64_t left = 1 + random_.below(4); left > 0; --left) {
      DestinationConfig destination = test::random_destination(random_, left);
      destination.sample_rate = 1;
      if (random_.chance(0.9)) destination.rate_max = {};
      const std::uint64_t when_full = random_.below(4);
      if (when_full >= 2) destination.when_full = WhenFull::spool;
      if (random_.chance(0.2)) destination.spool_order = SpoolOrder::fresh_first;
      if (random_.chance(0.3)) destination.spool_bytes_max = 10'000 + random_.below(100'000);
      destination.spool_age_max = random_.chance(0.2)
                                      ? Duration(std::chrono::seconds(10 + random_.below(100)))
                                      : Duration(std::chrono::hours(10'000));
      config.destinations.push_back(std::move(destination));
    }
    return config;
  }

  StorageSettings storage_settings() const {
    StorageSettings settings;
    settings.path = config_.spool.path;
    settings.is_synced = config_.spool.sync == SpoolSync::full;
    settings.free_bytes_min = config_.spool.free_bytes_min;
    settings.dead = {config_.spool.dead_events_max, config_.spool.dead_bytes_max,
                     config_.spool.dead_age_max};
    for (const DestinationConfig& destination : config_.destinations) {
      settings.lanes.push_back(destination.name);
    }
    return settings;
  }

  StorageCrash crash_kind() {
    const bool may_lose_power = config_.spool.sync == SpoolSync::full && random_.chance(0.5);
    return may_lose_power ? StorageCrash::power : StorageCrash::process;
  }

  Now now() const { return clock_.now(); }
  App& app() { return *life_->fake->app; }

  void advance(Duration by) {
    clock_.advance(by);
    history_.note_time(now());
  }

  // Lives -----------------------------------------------------------------------------------------

  void start_life() {
    life_ = std::make_unique<Life>();
    auto opened = StorageAgent::open(storage_settings(), std::make_unique<test::TwinDisk>(twin_),
                                     life_->exchange, log_, now());
    if (twin_.is_down()) throw ProcessCrash{};
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    life_->storage = std::move(opened.value());
    life_->fake = std::make_unique<test::FakeApp>(config_, random_.next(), &life_->exchange,
                                                  life_->storage->state());
    life_->exchange.wake_sidecar = [this] { life_->is_app_woken = true; };
    life_->exchange.wake_storage = [this] { life_->is_storage_woken = true; };
    for (std::size_t i = 0; i < receivers_.size(); ++i) {
      receivers_[i]->attach(*life_->fake->transports[i]);
    }
    life_->fake->confirm_source->on_answer = [this](const std::string& peer,
                                                    const proto::ConfirmAnswer& answer) {
      if (peer == hostile_peer) return;
      test::ModelClient& client = *clients_.at(std::stoul(peer));
      if (answer.status == 0) client.note_taken(answer);
      if (!random_.chance(0.1)) client.take(answer);
    };
    // What stands on disk is what the new life knows of.
    const Tables tables = read_disk();
    const Report report = app().report();
    for (std::size_t i = 0; i < receivers_.size(); ++i) {
      const Ledger& ledger = report.destinations[i].ledger;
      const StoredEvents& stored = tables.at(report.destinations[i].name);
      EXPECT_EQ(ledger.scheduled, stored.scheduled.size());
      if (stored.damaged_blocks > 0) continue;
      EXPECT_EQ(ledger.spooled, stored.waiting.size());
    }
  }

  void end_life() {
    if (!life_) return;
    if (life_->fake) note_report();
    life_.reset();
  }

  /// Does something that may end in a crash, and comes back to life.
  template <typename Action>
  void survive(const Action& action) {
    try {
      action();
      return;
    } catch (const ProcessCrash&) {
      heal_disk();
    }
    while (!failed()) {
      try {
        come_back();
        return;
      } catch (const ProcessCrash&) {
        fault_points_left_ = 0;
      }
    }
  }

  void come_back() {
    if (!twin_.is_down()) twin_.crash(crash_kind());
    // What was put back when a destination was gone stands before what was still on its way then.
    if (life_ && life_->fake && life_->fake->log.count("destination is gone") > 0) {
      unordered_up_to_ = history_.last_order();
      unordered_number_ = history_.events().size();
    }
    for (const auto& receiver : receivers_) {
      if (life_ && life_->fake) receiver->cut_off_all();
      receiver->forget_order();
    }
    for (const auto& client : clients_) client->note_crash();
    end_life();
    twin_.restart();
    if (random_.chance(0.1)) start_in_vain();
    if (random_.chance(0.05)) fault_points_left_ = 1 + random_.below(5);
    start_life();
    fault_points_left_ = 0;
    note_unsettled();
  }

  /// What has arrived and was not settled on disk when the process died comes again.
  void note_unsettled() {
    const Tables tables = read_disk();
    for (std::size_t i = 0; i < receivers_.size(); ++i) {
      const StoredEvents& stored = tables.at(config_.destinations[i].name);
      for (const auto* events : {&stored.waiting, &stored.scheduled}) {
        for (const auto& event : *events) {
          if (receivers_[i]->received().contains(event.id)) receivers_[i]->note_unknown(event.id);
        }
      }
    }
  }

  /// SIGTERM: the end must come in time, whatever the weather and the disk.
  void stop() {
    const Now at = now();
    app().request_stop();
    life_->is_app_woken = true;
    for (const auto& receiver : receivers_) receiver->is_stopping = true;
    while (!app().is_finished() && !failed()) {
      turn();
      ASSERT_LE(now().mono - at.mono, config_.shutdown_linger + App::storing_max + 100ms);
      if (!app().is_finished()) pass(1ms);
    }
    if (failed()) return;
    const Report report = app().report();
    const bool is_stored = life_->fake->log.count("did not take what was left in time") == 0;
    // What was sent and not noted comes again, behind others.
    for (const auto& receiver : receivers_) {
      if (!is_stored) receiver->forget_order();
    }
    heal_disk();
    end_life();
    if (twin_.is_down()) throw ProcessCrash{};
    disarm_crash();
    for (const auto& client : clients_) client->note_crash();
    Database database(spool_path, OpenMode::read_write, twin_.vfs_name());
    const Tables tables = test::read_tables(database);
    for (std::size_t i = 0; is_stored && i < receivers_.size(); ++i) {
      const Ledger& ledger = report.destinations[i].ledger;
      const StoredEvents& stored = tables.at(report.destinations[i].name);
      EXPECT_EQ(ledger.queued + ledger.in_flight, 0U);
      EXPECT_EQ(ledger.scheduled, stored.scheduled.size());
      EXPECT_EQ(ledger.spooled, stored.waiting.size());
      check_settled(*receivers_[i], stored);
    }
  }

  void restart() {
    stop();
    if (failed()) return;
    if (random_.chance(0.2)) damage_block();
    advance(std::chrono::milliseconds(random_.below(5000)));
    if (random_.chance(0.1)) start_in_vain();
    start_life();
    note_unsettled();
  }

  void note_report() {
    const Report report = app().report();
    for (const DestinationReport& destination : report.destinations) {
      expired_ += destination.ledger.dropped_for(DropReason::expired);
    }
  }

  // What happens ----------------------------------------------------------------------------------

  void act() {
    const std::uint64_t dice = random_.below(1000);
    if (dice < 400) {
      send_confirmed();
    } else if (dice < 500) {
      send_unconfirmed();
    } else if (dice < 580) {
      send_again();
      send_hostile();
    } else if (dice < 640) {
      receivers_[random_.below(receivers_.size())]->change_weather(spool_weather());
      if (random_.chance(0.1)) set_descriptors(false);
      if (random_.chance(0.3)) set_descriptors(true);
    } else if (dice < 680) {
      jump_wall(std::chrono::minutes(random_.below(60)) * (random_.chance(0.5) ? 1 : -1));
    } else if (dice < 780) {
      pass(std::chrono::seconds(random_.below(10)));
    } else if (dice < 830) {
      life_->storage_stalled_until = now().mono + std::chrono::milliseconds(random_.below(2000));
    } else if (dice < 860) {
      break_disk();
    } else if (dice < 870) {
      fill_disk();
    } else if (dice < 910) {
      heal_disk();
    } else if (dice < 920) {
      throw ProcessCrash{};
    } else if (dice < 935) {
      twin_.crash_at(1 + random_.below(40), crash_kind());
    } else if (dice < 950) {
      fault_points_left_ = 1 + random_.below(30);
    } else if (dice < 965) {
      restart();
    } else if (dice < 980) {
      check_quiet();
    } else if (dice < 990) {
      inspect();
    } else if (dice < 995) {
      pass(std::chrono::minutes(11));
    }
    if (failed()) return;
    turn_some();
    if (random_.chance(0.8)) turn();
    advance(std::chrono::microseconds(random_.below(50'000)));
  }

  test::Weather spool_weather() {
    test::Weather weather = test::random_weather(random_);
    weather.subscriber_full = 0;
    return weather;
  }

  /// The whole process has some left for requests, or has not.
  void set_descriptors(bool has_some) {
    for (const auto& receiver : receivers_) receiver->has_descriptors = has_some;
  }

  void jump_wall(Duration by) {
    clock_.jump_wall(by);
    history_.note_time(now());
    life_->has_wall_jumped = true;
  }

  void send_confirmed() {
    const std::uint64_t client = random_.below(clients_.size());
    const std::string& frame = clients_[client]->make_frame(now());
    if (random_.chance(0.05)) return;  // lost
    send(client, frame);
    if (random_.chance(0.1)) send(client, frame);
  }

  void send_again() {
    const std::uint64_t client = random_.below(clients_.size());
    for (const std::string& frame : clients_[client]->frames_again(random_.chance(0.5))) {
      send(client, frame);
    }
  }

  void send(std::uint64_t client, const std::string& frame) {
    life_->fake->confirm_source->frames.emplace_back(std::to_string(client), frame);
    life_->is_app_woken = true;
  }

  /// Beside the frames of others, to be confirmed or not.
  void send_hostile() {
    for (std::uint64_t left = random_.below(5); left > 0; --left) {
      life_->fake->confirm_source->frames.emplace_back(hostile_peer, hostile_.next().bytes);
      life_->fake->source->frames.push_back(hostile_.next().bytes);
    }
    life_->is_app_woken = true;
  }

  void send_unconfirmed() {
    std::vector<std::string> events;
    for (std::uint64_t left = random_.below(40); left > 0; --left) {
      events.push_back(test::random_event(history_, random_, now()));
      history_.event(history_.events().size()).is_emitted = true;
    }
    life_->fake->source->frames.push_back(test::frame_bytes(events));
    life_->is_app_woken = true;
  }

  // The disk, in spool_sim_disk.cpp.
  void break_disk();
  /// A life that ends at once, for want of descriptors, and leaves everything as it is.
  void start_in_vain();
  void fill_disk();
  void disarm_crash();
  void heal_disk();
  /// A bit of one block is not what was written; its events are lost, and that is counted.
  void damage_block();
  /// What a person does meanwhile, in another process.
  void inspect();

  // Turning ---------------------------------------------------------------------------------------

  bool is_stalled() const { return now().mono < life_->storage_stalled_until; }
  bool is_app_due() {
    return life_->is_app_woken || time_left(app().next_deadline(), now().mono) == 0ns;
  }
  bool is_storage_due() const {
    return !is_stalled() &&
           (life_->is_storage_woken || life_->storage->next_deadline() <= now().mono);
  }

  void turn_app() {
    life_->is_app_woken = false;
    if (app().do_work(now()) > 0) life_->is_app_woken = true;
    if (app().is_finished()) life_->is_app_woken = false;
    check_turn();
  }

  void turn_storage() {
    life_->is_storage_woken = false;
    life_->has_wall_jumped = false;
    if (life_->storage->do_work(now()) > 0) life_->is_storage_woken = true;
    if (twin_.is_down()) throw ProcessCrash{};
  }

  void turn_some() {
    for (std::uint64_t left = random_.below(4); left > 0; --left) {
      if (random_.chance(0.5)) {
        if (is_app_due()) turn_app();
      } else if (is_storage_due()) {
        turn_storage();
      }
    }
  }

  /// As the run loops do: until there is nothing to do and nothing is due.
  void turn() {
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
    if (!failed()) ADD_FAILURE() << "never comes to rest: a run loop would spin";
  }

  /// Lets time pass as the run loops do, which sleep until something is due. In between nothing may
  /// be: a wake-up that nobody asked for would have been lost.
  void pass(Duration duration) {
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

  void check_nothing_to_do() {
    if (!app().is_finished() && !life_->is_app_woken) {
      EXPECT_EQ(app().do_work(now()), 0) << "a wake-up was lost";
    }
    if (!is_stalled() && !life_->is_storage_woken && !life_->has_wall_jumped) {
      EXPECT_EQ(life_->storage->do_work(now()), 0) << "a wake-up of the storage was lost";
    }
    if (twin_.is_down()) throw ProcessCrash{};
  }

  // What must hold, and the end -------------------------------------------------------------------

  void check_turn();
  /// What stands on disk, which is in order.
  Tables read_disk();
  /// What is known to have arrived need not be on disk.
  void check_settled(const Receiver& receiver, const StoredEvents& stored);
  void check_quiet();
  bool is_for(const DestinationConfig& destination, const SentEvent& event) const;
  /// Every confirmed event has arrived, or is on disk, or has expired by its own wish.
  void check_confirmed(const Tables& tables);
  /// All is well at last: everything goes.
  void finish();
  std::size_t unanswered() const;
  bool is_all_gone();

  Random random_;
  test::ManualClock clock_;
  test::StorageTwin twin_;
  Config config_;
  test::MemoryLog log_;
  test::History history_;
  std::vector<std::unique_ptr<Receiver>> receivers_;
  std::vector<std::unique_ptr<test::ModelClient>> clients_;
  test::HostileClient hostile_{random_.next()};
  std::unique_ptr<Life> life_;
  std::uint64_t fault_points_left_ = 0;  ///< until the process dies at one
  std::uint64_t unordered_up_to_ = 0;
  std::uint64_t unordered_number_ = 0;  ///< the same, of emitted events by number
  std::uint64_t expired_ = 0;           ///< in earlier lives
  std::set<std::uint64_t> damaged_;
};

}  // namespace outrider::sidecar
