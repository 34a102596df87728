// The whole App under a false clock, false clients and a false outside world, from a seed.
//
// Hostile clients send beside polite ones, and must cost them nothing. Receivers have several urls,
// some of them down, and speak out of turn; descriptors run out; in some histories nobody reads the
// log for a while. Half of them end in a time when all is well: everything must go then, and no url
// be forgotten. Every turn the ledger's equation must hold and no destination may hold more than
// its limits; at the end every event must be where the ledger says: what receivers got is compared
// id by id. Somebody looks at it and pauses destinations meanwhile: each snapshot says what the
// report does, and nothing that is counted in it falls. Nothing overtakes in a queue: by priority
// and then by arrival, or by key. A failure prints its seed; OUTRIDER_SIM_SEED=N runs that one
// alone, OUTRIDER_SIM_SEEDS=N that many.

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "proto/topic.hpp"
#include "sidecar/base/random.hpp"
#include "sidecar/base/time_left.hpp"
#include "sim/hostile_client.hpp"
#include "sim/random_world.hpp"
#include "sim/receiver.hpp"
#include "sim/snapshot_checks.hpp"
#include "sim/unread_log.hpp"
#include "support/app_fixture.hpp"

namespace outrider::sidecar {
namespace {

using namespace std::chrono_literals;
using test::Receiver;

class Simulation {
 public:
  explicit Simulation(std::uint64_t seed)
      : random_(seed),
        config_(make_config()),
        fake_(config_, random_.next()),
        hostile_(random_.next()),
        operator_(seed + 1) {
    if (random_.chance(0.1)) {
      unread_log_ = std::make_unique<test::UnreadLog>();
      fake_.log.next = unread_log_.get();
    }
    for (std::size_t i = 0; i < fake_.transports.size(); ++i) {
      receivers_.push_back(std::make_unique<Receiver>(config_.destinations[i], random_.next()));
      receivers_.back()->priority_of = [this](std::uint64_t number) {
        return priority_of_.at(number);
      };
      receivers_.back()->attach(*fake_.transports[i]);
    }
  }

  void run() {
    for (int step = 0; step < 400; ++step) {
      act();
      command();
      if (::testing::Test::HasFailure()) return;
    }
    if (random_.chance(0.5)) recover();
    stop();
    check_end();
  }

 private:
  Config make_config() {
    Config config;
    config.shutdown_linger = std::chrono::milliseconds(random_.below(5000));
    config.ingest.event_bytes_max = 2000;
    const std::uint64_t destination_count = 1 + random_.below(4);
    for (std::uint64_t i = 0; i < destination_count; ++i) {
      config.destinations.push_back(test::random_destination(random_, i));
    }
    return config;
  }

  void act() {
    switch (random_.below(10)) {
      case 0:
        change_weather();
        if (random_.chance(0.1)) set_descriptors(false);
        if (random_.chance(0.3)) set_descriptors(true);
        break;
      case 1:
        fake_.clock.jump_wall(std::chrono::minutes(60) * (random_.chance(0.5) ? 1 : -1));
        break;
      case 2:
        send_garbage();
        send_hostile();
        break;
      case 3:
        pass(std::chrono::seconds(random_.below(10)));
        if (unread_log_) use_log();
        break;
      default:
        send_frame();
        turn();
        pass(std::chrono::microseconds(random_.below(50'000)));
    }
  }

  /// Lets time pass as the run loop does, which sleeps until something is due. In between nothing
  /// may be: a wake-up that nobody asked for would have been lost.
  void pass(Duration duration) {
    const MonoTime end = fake_.clock.now().mono + duration;
    while (!::testing::Test::HasFailure()) {
      turn();
      const Duration left = end - fake_.clock.now().mono;
      const Duration sleep = time_left(fake_.app->next_deadline(), fake_.clock.now().mono);
      if (sleep > left) {
        fake_.clock.advance(left);
        ASSERT_EQ(fake_.app->do_work(fake_.clock.now()), 0) << "a wake-up was lost";
        return;
      }
      if (sleep > 1ns && random_.chance(0.1)) {
        fake_.clock.advance(sleep - 1ns);
        ASSERT_EQ(fake_.app->do_work(fake_.clock.now()), 0) << "a wake-up was lost";
        fake_.clock.advance(1ns);
      } else {
        fake_.clock.advance(sleep);
      }
    }
  }

  /// A person pauses a destination now and then, for a while or until it is resumed.
  void command() {
    if (!operator_.chance(0.03)) return;
    ControlRequest request{.action = ControlAction::pause, .who = "operator"};
    request.destination = config_.destinations[operator_.below(receivers_.size())].name;
    if (operator_.chance(0.5)) request.action = ControlAction::resume;
    if (operator_.chance(0.5)) request.duration = std::chrono::milliseconds(operator_.below(9000));
    ask(std::move(request));
  }

  /// A request is carried out in a turn of its own.
  void ask(ControlRequest request) {
    ASSERT_TRUE(fake_.request(std::move(request)).ok());
    check_turn();
  }

  void resume_all() {
    for (const DestinationConfig& destination : config_.destinations) {
      ask({.action = ControlAction::resume, .destination = destination.name});
    }
  }

  void change_weather() {
    receivers_[random_.below(receivers_.size())]->change_weather(test::random_weather(random_));
  }

  /// The whole process has some left, or has not.
  void set_descriptors(bool has_some) {
    for (const auto& receiver : receivers_) receiver->has_descriptors = has_some;
  }

  /// All is well again: everything goes, and every url gets its part of it.
  void recover() {
    resume_all();
    for (const auto& receiver : receivers_) receiver->clear_up();
    pass(retry_after_max + 10s);
    for (const auto& receiver : receivers_) receiver->clear_up();
    for (int i = 0; i < 40 && !::testing::Test::HasFailure(); ++i) {
      send_frame();
      pass(1s);
    }
    for (int i = 0; i < 100 && !is_idle() && !::testing::Test::HasFailure(); ++i) pass(100s);
    EXPECT_TRUE(is_idle()) << format_report(fake_.app->report());
    for (const auto& receiver : receivers_) receiver->check_urls();
  }

  bool is_idle() {
    const Report report = fake_.app->report();
    return std::ranges::all_of(report.destinations, [](const DestinationReport& destination) {
      return destination.ledger.queued + destination.ledger.in_flight == 0;
    });
  }

  /// By a part that talks a lot, while it is read now and then.
  void use_log() {
    for (std::uint64_t left = random_.below(6); left > 0; --left) {
      if (random_.chance(0.5)) {
        unread_log_->read_some(random_.below(400'000));
        continue;
      }
      for (std::uint64_t lines = random_.below(300); lines > 0; --lines) {
        unread_log_->warn("somebody is talkative", {{"text", std::string(2000, 'x')}});
      }
    }
  }

  void send_frame() {
    static constexpr const char* topics[] = {"orders.paid", "orders.open", "users.new", "a.b.c"};
    std::vector<std::string> events;
    for (std::uint64_t left = random_.below(40); left > 0; --left) {
      const std::uint64_t kind = random_.below(20);
      const std::string data = test::numbered_data(++number_);
      const std::string topic = topics[random_.below(4)];
      if (kind == 0) {
        events.push_back(test::event_bytes("not a topic", 0, data));
        ++refused_;
      } else if (kind == 1) {
        events.push_back(test::event_bytes(topic, 0, "\xda\x0b\xb8" + std::string(3000, 'x')));
        ++refused_;
      } else {
        int priority = static_cast<int>(proto::Priority::normal);
        events.push_back(test::event_bytes(topic, 0, data, attributes(priority)));
        priority_of_[number_] = priority;
        topic_of_[number_] = topic;
      }
    }
    fake_.source->frames.push_back(test::frame_bytes(events));
  }

  /// A msgpack map with some of: a ttl of 100 ms, a key of five, a priority.
  std::string attributes(int& priority) {
    std::string fields;
    char count = 0;
    if (random_.chance(0.05)) fields += std::string("\xa3ttl\x64"), ++count;
    if (random_.chance(0.5)) {
      fields += std::string("\xa3key\xa1") + static_cast<char>('a' + random_.below(5)), ++count;
    }
    if (random_.chance(0.5)) {
      priority = static_cast<int>(random_.below(3));
      fields += std::string("\xa3pri") + static_cast<char>(priority), ++count;
    }
    return static_cast<char>(0x80 + count) + fields;
  }

  void send_garbage() {
    std::string frame = test::frame_bytes({test::event_bytes("a", 0, test::numbered_data(0))});
    frame.resize(random_.below(frame.size()));
    fake_.source->frames.push_back(frame);
  }

  void send_hostile() {
    for (std::uint64_t left = random_.below(5); left > 0; --left) {
      test::HostileFrame frame = hostile_.next();
      fake_.source->frames.push_back(std::move(frame.bytes));
      refused_ += frame.refused_events;
    }
  }

  /// Turns the app as the run loop does: until there is nothing to do and nothing is due.
  void turn() {
    for (int i = 0; i < 2000; ++i) {
      const bool is_looked_at = operator_.chance(0.05);
      if (is_looked_at) fake_.ask_for_snapshot();
      const int work = fake_.app->do_work(fake_.clock.now());
      check_turn();
      if (is_looked_at) snapshots_.check(*fake_.board.latest(), fake_.app->report());
      if (work == 0 && time_left(fake_.app->next_deadline(), fake_.clock.now().mono) > 0ns) return;
    }
    ADD_FAILURE() << "the app never comes to rest: the run loop would spin";
  }

  void check_turn() {
    const Report report = fake_.app->report();
    ASSERT_TRUE(report.is_balanced()) << format_report(report);
    ASSERT_LE(report.client_drops.size(), ClientTable::reasons_max + 1);
    const std::uint64_t looked_at = report.ingest.events + report.ingest.events_refused;
    ASSERT_LE(looked_at - std::exchange(looked_at_, looked_at), TurnBudget::events_max);
    for (std::size_t i = 0; i < report.destinations.size(); ++i) {
      const Ledger& ledger = report.destinations[i].ledger;
      ASSERT_LE(ledger.queued + ledger.in_flight, config_.destinations[i].queue_events_max);
      ASSERT_LE(fake_.transports[i]->open.size(), config_.destinations[i].concurrency_max);
    }
  }

  /// SIGTERM: the end must come by the linger time, whatever the weather.
  void stop() {
    const Now at = fake_.clock.now();
    fake_.app->request_stop();
    for (const auto& receiver : receivers_) receiver->is_stopping = true;
    while (!fake_.app->is_finished()) {
      turn();
      ASSERT_LE(fake_.clock.now().mono - at.mono, config_.shutdown_linger + 100ms);
      pass(1ms);
      if (::testing::Test::HasFailure()) return;
    }
  }

  bool is_for(std::size_t destination, const std::string& topic) const {
    const auto matches = [&](const std::string& pattern) { return proto::matches(pattern, topic); };
    const DestinationConfig& config = config_.destinations[destination];
    return std::ranges::any_of(config.topics, matches) &&
           std::ranges::none_of(config.exclude, matches);
  }

  /// Delivered is what the receiver said yes to, and nothing of that was sent again. What it got
  /// besides had an unknown outcome: its answer was lost.
  static void check_ids(const Receiver& receiver, std::uint64_t delivered) {
    EXPECT_EQ(receiver.taken().size(), delivered);
    for (const auto& [id, count] : receiver.taken()) EXPECT_EQ(count, 1) << id << " came again";
    for (const auto& [id, count] : receiver.received()) {
      EXPECT_TRUE(receiver.taken().contains(id) || receiver.unknown().contains(id)) << id;
      EXPECT_TRUE(count == 1 || receiver.unknown().contains(id)) << id << " came twice";
    }
    EXPECT_EQ(receiver.numbers().size(), receiver.received().size());
  }

  void check_end() {
    const Report report = fake_.app->report();
    EXPECT_EQ(report.ingest.events, topic_of_.size());
    EXPECT_EQ(report.ingest.events_refused, refused_);
    for (std::size_t i = 0; i < report.destinations.size(); ++i) {
      const Ledger& ledger = report.destinations[i].ledger;
      EXPECT_EQ(ledger.queued + ledger.in_flight, 0U);
      check_ids(*receivers_[i], ledger.delivered);
      std::uint64_t wanted = 0;
      for (const auto& [number, topic] : topic_of_) wanted += is_for(i, topic) ? 1 : 0;
      EXPECT_EQ(ledger.accepted, wanted);
      for (const std::uint64_t number : receivers_[i]->numbers()) {
        EXPECT_TRUE(topic_of_.contains(number) && is_for(i, topic_of_[number]))
            << report.destinations[i].name << " got event " << number << ", which is not for it";
      }
      if (config_.destinations[i].retry_attempts_max == 0) {
        EXPECT_EQ(ledger.dead_for(DeadReason::attempts), 0U);
      }
      EXPECT_EQ(receivers_[i]->lost(), ledger.dropped_for(DropReason::subscriber_full));
    }
    snapshots_.check(*fake_.board.latest(), report);
    EXPECT_EQ(fake_.board.latest()->phase, LifePhase::stopped);
    if (unread_log_) unread_log_->read_all();
  }

  Random random_;
  Config config_;
  std::unique_ptr<test::UnreadLog> unread_log_;  ///< in some histories
  test::FakeApp fake_;
  std::vector<std::unique_ptr<Receiver>> receivers_;
  test::HostileClient hostile_;
  Random operator_;  ///< a person who looks and commands
  test::SnapshotChecks snapshots_;
  std::uint64_t number_ = 0;
  std::uint64_t looked_at_ = 0;
  std::map<std::uint64_t, std::string> topic_of_;  ///< of the events that are to be accepted
  std::map<std::uint64_t, int> priority_of_;
  std::uint64_t refused_ = 0;
};

TEST(Simulation, TheLedgerAddsUpThroughFailuresClockJumpsAndShutdown) {
  test::for_each_seed(200, [](std::uint64_t seed) { Simulation(seed).run(); });
}

}  // namespace
}  // namespace outrider::sidecar
