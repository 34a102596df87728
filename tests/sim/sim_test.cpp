// The whole App under a false clock, false clients and a false outside world, from a seed.
//
// Every turn the ledger's equation must hold and no destination may hold more than its limits; at
// the end every event must be where the ledger says: what receivers got is compared id by id. A
// failure prints its seed; OUTRIDER_SIM_SEED=N runs that one alone, OUTRIDER_SIM_SEEDS=N that many.

#include <cstdlib>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "sidecar/base/random.hpp"
#include "support/app_fixture.hpp"

namespace outrider::sidecar {
namespace {

using namespace std::chrono_literals;

/// How the outside world treats one destination, for a while.
struct Weather {
  double failure = 0;      ///< no answer: refused, reset
  double lost_answer = 0;  ///< received, but the answer never came
  double overloaded = 0;   ///< 503, sometimes with Retry-After
  double refused = 0;      ///< 400
  double unauthorised = 0;
  double gone = 0;       ///< 410
  double too_large = 0;  ///< 413 for batches of more than one event
  double congested = 0;  ///< takes only a part
  Duration latency_max = 1ms;
};

/// Answers the attempts of one fake transport, and remembers what a real receiver would have got.
class Receiver {
 public:
  Receiver(test::FakeTransport& transport, std::uint64_t seed)
      : transport_(transport), random_(seed) {
    transport.on_collect = [this](const Now& now) { answer_due(now); };
  }

  /// Ids received, and how often.
  const std::map<std::string, int>& received() const { return received_; }
  std::uint64_t lost() const { return lost_; }
  /// Of those received, the ones whose answer was lost at least once.
  const std::set<std::string>& unknown() const { return unknown_; }

  Weather weather;

 private:
  static std::vector<std::string> ids(const std::string& body) {
    std::vector<std::string> found;
    for (std::size_t at = 0; (at = body.find("{\"id\":\"", at)) != std::string::npos; at += 7) {
      found.push_back(body.substr(at + 7, 36));
    }
    return found;
  }

  void answer_due(const Now& now) {
    for (const auto& [id, attempt] : transport_.open) {
      if (!due_.contains(id)) {
        const auto latency = static_cast<std::uint64_t>(weather.latency_max.count());
        due_[id] = now.mono + Duration(static_cast<Duration::rep>(random_.below(latency + 1)));
      }
    }
    for (auto it = due_.begin(); it != due_.end();) {
      const auto open = transport_.open.find(it->first);
      if (open == transport_.open.end()) {
        it = due_.erase(it);
      } else if (it->second <= now.mono) {
        answer(open->second);
        it = due_.erase(it);
      } else {
        ++it;
      }
    }
  }

  void answer(const test::SeenAttempt& attempt) {
    Completion completion;
    completion.id = attempt.id;
    completion.result = AttemptResult::answered;
    completion.status = 200;
    const std::vector<std::string> events = ids(attempt.body);
    if (random_.chance(weather.failure)) {
      completion.result = AttemptResult::failed;
      completion.detail = "connection reset";
    } else if (random_.chance(weather.lost_answer)) {
      completion.result = AttemptResult::failed;
      completion.detail = "timeout";
      receive(events, events.size());
      unknown_.insert(events.begin(), events.end());
    } else if (random_.chance(weather.overloaded)) {
      completion.status = 503;
      if (random_.chance(0.5)) completion.retry_after = Duration(2s);
    } else if (random_.chance(weather.refused)) {
      completion.status = 400;
    } else if (random_.chance(weather.unauthorised)) {
      completion.status = 401;
    } else if (random_.chance(weather.gone)) {
      completion.status = 410;
    } else if (events.size() > 1 && random_.chance(weather.too_large)) {
      completion.status = 413;
    } else if (random_.chance(weather.congested)) {
      completion.result = AttemptResult::sent_some;
      completion.events_sent = static_cast<std::uint32_t>(random_.below(events.size() + 1));
      if (completion.events_sent > 0 && random_.chance(0.5)) completion.events_lost = 1;
      lost_ += completion.events_lost;
      receive(events, completion.events_sent - completion.events_lost);
    } else {
      receive(events, events.size());
    }
    transport_.complete(completion);
  }

  void receive(const std::vector<std::string>& events, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) ++received_[events[i]];
  }

  test::FakeTransport& transport_;
  Random random_;
  std::map<AttemptId, MonoTime> due_;
  std::map<std::string, int> received_;
  std::set<std::string> unknown_;
  std::uint64_t lost_ = 0;
};

class Simulation {
 public:
  explicit Simulation(std::uint64_t seed)
      : random_(seed), config_(make_config()), fake_(config_, random_.next()) {
    for (auto* transport : fake_.transports) {
      receivers_.push_back(std::make_unique<Receiver>(*transport, random_.next()));
    }
  }

  void run() {
    for (int step = 0; step < 400; ++step) {
      act();
      turn();
      if (::testing::Test::HasFailure()) return;
    }
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
      DestinationConfig destination;
      destination.name = "d" + std::to_string(i);
      destination.format = BodyFormat::ndjson;
      destination.when_full = random_.chance(0.5) ? WhenFull::drop_newest : WhenFull::drop_oldest;
      destination.queue_events_max = 1 + random_.below(300);
      destination.queue_bytes_max = 1000 + random_.below(30'000);
      destination.batch_events_max = 1 + random_.below(50);
      destination.batch_bytes_max = 100 + random_.below(10'000);
      destination.batch_delay = std::chrono::milliseconds(random_.below(300));
      destination.concurrency_max = 1 + random_.below(4);
      destination.retry_initial = std::chrono::milliseconds(1 + random_.below(500));
      destination.retry_max = destination.retry_initial * 16;
      destination.retry_attempts_max = random_.below(4) == 0 ? 1 + random_.below(5) : 0;
      if (random_.chance(0.3)) destination.topics = {"orders.>"};
      if (random_.chance(0.2)) destination.exclude = {"orders.paid"};
      config.destinations.push_back(std::move(destination));
    }
    return config;
  }

  void act() {
    switch (random_.below(10)) {
      case 0:
        change_weather();
        break;
      case 1:
        fake_.clock.jump_wall(std::chrono::minutes(60) * (random_.chance(0.5) ? 1 : -1));
        break;
      case 2:
        send_garbage();
        break;
      case 3:
        fake_.clock.advance(std::chrono::seconds(random_.below(10)));
        break;
      default:
        send_frame();
        fake_.clock.advance(std::chrono::microseconds(random_.below(50'000)));
    }
  }

  void change_weather() {
    Weather& weather = receivers_[random_.below(receivers_.size())]->weather;
    weather = {};
    const auto sometimes = [&] { return random_.chance(0.3) ? 0.9 * unit() : 0.0; };
    weather.failure = random_.chance(0.2) ? 1.0 : sometimes();
    weather.lost_answer = sometimes();
    weather.overloaded = sometimes();
    weather.refused = sometimes();
    weather.unauthorised = sometimes();
    weather.gone = random_.chance(0.02) ? 0.5 : 0.0;
    weather.too_large = sometimes();
    weather.congested = sometimes();
    weather.latency_max = std::chrono::milliseconds(random_.below(2000));
  }

  double unit() { return static_cast<double>(random_.below(1000)) / 1000.0; }

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
      } else if (kind == 2) {
        // "ttl": 100 ms
        events.push_back(test::event_bytes(topic, 0, data, "\x81\xa3ttl\x64"));
        ++accepted_;
      } else {
        events.push_back(test::event_bytes(topic, 0, data));
        ++accepted_;
      }
    }
    fake_.source->frames.push_back(test::frame_bytes(events));
  }

  void send_garbage() {
    std::string frame = test::frame_bytes({test::event_bytes("a", 0, test::numbered_data(0))});
    frame.resize(random_.below(frame.size()));
    fake_.source->frames.push_back(frame);
  }

  /// Turns the app as the run loop does: until there is nothing to do and nothing is due.
  void turn() {
    for (int i = 0; i < 1000; ++i) {
      const int work = fake_.app->do_work(fake_.clock.now());
      check_turn();
      if (work == 0 && fake_.app->next_deadline() > fake_.clock.now().mono) return;
    }
    ADD_FAILURE() << "the app never comes to rest: the run loop would spin";
  }

  void check_turn() {
    const Report report = fake_.app->report();
    ASSERT_TRUE(report.is_balanced()) << format_report(report);
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
    while (!fake_.app->is_finished()) {
      turn();
      ASSERT_LE(fake_.clock.now().mono - at.mono, config_.shutdown_linger + 100ms);
      fake_.clock.advance(1ms);
      if (::testing::Test::HasFailure()) return;
    }
  }

  void check_end() {
    const Report report = fake_.app->report();
    EXPECT_EQ(report.ingest.events, accepted_);
    EXPECT_EQ(report.ingest.events_refused, refused_);
    for (std::size_t i = 0; i < report.destinations.size(); ++i) {
      const Ledger& ledger = report.destinations[i].ledger;
      EXPECT_EQ(ledger.queued + ledger.in_flight, 0U);
      // Delivered means received. What was received and is not counted as delivered had an unknown
      // outcome: its answer was lost.
      const std::uint64_t distinct = receivers_[i]->received().size();
      EXPECT_GE(distinct, ledger.delivered);
      EXPECT_LE(distinct, ledger.delivered + receivers_[i]->unknown().size());
      for (const auto& [id, count] : receivers_[i]->received()) {
        EXPECT_TRUE(count == 1 || receivers_[i]->unknown().contains(id)) << id << " came twice";
      }
      EXPECT_EQ(receivers_[i]->lost(), ledger.dropped_for(DropReason::subscriber_full));
    }
  }

  Random random_;
  Config config_;
  test::FakeApp fake_;
  std::vector<std::unique_ptr<Receiver>> receivers_;
  std::uint64_t number_ = 0;
  std::uint64_t accepted_ = 0;
  std::uint64_t refused_ = 0;
};

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): one thread
  return value == nullptr ? otherwise : std::strtoull(value, nullptr, 10);
}

TEST(Simulation, TheLedgerAddsUpThroughFailuresClockJumpsAndShutdown) {
  const std::uint64_t only = from_environment("OUTRIDER_SIM_SEED", 0);
  const std::uint64_t count = only != 0 ? 1 : from_environment("OUTRIDER_SIM_SEEDS", 200);
  for (std::uint64_t i = 1; i <= count; ++i) {
    const std::uint64_t seed = only != 0 ? only : i;
    Simulation(seed).run();
    ASSERT_FALSE(HasFailure()) << "run it again with OUTRIDER_SIM_SEED=" << seed;
  }
}

}  // namespace
}  // namespace outrider::sidecar
