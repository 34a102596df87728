// Reloads among faults: an App whose configuration changes all the time, from a seed.
//
// Destinations are added, changed, removed and configured again, while receivers fail, refuse and
// hang, the disk is full now and then, and reloads are wrong, slow or cut off by the stop. Each
// turn every ledger must add up and no counter may fall. At the end each event that a destination
// accepted is delivered once, counted as dropped or dead, or on disk: compared id by id.

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

#include <gtest/gtest.h>
#include <sqlite3.h>

#include "proto/topic.hpp"
#include "sidecar/base/time_left.hpp"
#include "sidecar/spool/storage_agent.hpp"
#include "sim/random_world.hpp"
#include "sim/snapshot_checks.hpp"
#include "support/app_fixture.hpp"
#include "support/spool_tables.hpp"
#include "support/twin_disk.hpp"

namespace outrider::sidecar {
namespace {

using namespace std::chrono_literals;

constexpr const char* spool_path = "/spool/outrider.db";
constexpr std::size_t names_max = 5;

std::vector<std::uint64_t> numbers_in(const std::string& body) {
  std::vector<std::uint64_t> found;
  for (std::size_t at = 0; (at = body.find("\"n\":", at)) != std::string::npos; at += 4) {
    found.push_back(std::stoull(body.substr(at + 4)));
  }
  return found;
}

/// Whoever a destination of this name sends to, over all its transports.
class Peer {
 public:
  void attach(test::FakeTransport& transport) {
    transport.on_start = [this, &transport](const test::SeenAttempt& attempt, const Now& now) {
      open_.push_back({&transport, attempt.id, numbers_in(attempt.body),
                       now.mono + std::chrono::milliseconds(random_->below(slowest_ms))});
    };
    transport.on_cancel = [this, &transport](const test::SeenAttempt& attempt) {
      std::erase_if(
          open_, [&](const Open& it) { return it.transport == &transport && it.id == attempt.id; });
    };
  }
  void use(Random& random) { random_ = &random; }
  void change_weather() {
    failing = random_->chance(0.4) ? 0.5 : 0;
    refusing = random_->chance(0.2) ? 1 : 0;
    slowest_ms = 1 + random_->below(3000);
  }
  void clear_up() { failing = refusing = 0; }

  void answer_due(const Now& now) {
    for (std::size_t i = 0; i < open_.size();) {
      if (open_[i].due > now.mono) {
        ++i;
        continue;
      }
      const Open it = std::exchange(open_[i], open_.back());
      open_.pop_back();
      answer(it);
    }
  }
  MonoTime next_due() const {
    MonoTime due = never;
    for (const Open& it : open_) due = std::min(due, it.due);
    return due;
  }
  const std::set<std::uint64_t>& taken() const { return taken_; }

 private:
  struct Open {
    test::FakeTransport* transport;
    AttemptId id;
    std::vector<std::uint64_t> numbers;
    MonoTime due;
  };

  void answer(const Open& it) {
    Completion completion;
    completion.id = it.id;
    if (random_->chance(failing)) {
      completion.detail = "reset";
      if (random_->chance(0.5)) {
        completion.result = AttemptResult::answered;
        completion.status = 503;
      }
    } else {
      completion.result = AttemptResult::answered;
      completion.status = random_->chance(refusing) ? 401 : 200;
    }
    if (completion.status == 200) {
      for (const std::uint64_t number : it.numbers) {
        EXPECT_TRUE(taken_.insert(number).second) << number << " came twice";
      }
    }
    it.transport->complete(std::move(completion));
  }

  Random* random_ = nullptr;
  double failing = 0;
  double refusing = 0;
  std::uint64_t slowest_ms = 500;
  std::vector<Open> open_;
  std::set<std::uint64_t> taken_;
};

class ReloadSimulation {
 public:
  explicit ReloadSimulation(std::uint64_t seed) : random_(seed), has_spool_(random_.chance(0.6)) {
    for (std::size_t i = 0; i < names_max; ++i) peers_[name(i)].use(random_);
    snapshots_.queues_shrink = true;
    wanted_.shutdown_linger = std::chrono::milliseconds(random_.below(3000));
    if (has_spool_) wanted_.spool.path = spool_path;
    for (std::size_t i = 0; i < 2; ++i) wanted_.destinations.push_back(make_destination(i));
    start();
  }

  void run() {
    for (int step = 0; step < 250 && !::testing::Test::HasFailure(); ++step) act();
    if (::testing::Test::HasFailure()) return;
    if (random_.chance(0.5)) recover();
    if (random_.chance(0.5)) begin_reload();  // the stop comes in the middle of it
    stop();
    if (!::testing::Test::HasFailure()) check_end();
  }

 private:
  static std::string name(std::size_t i) { return "d" + std::to_string(i); }

  DestinationConfig make_destination(std::size_t i) {
    DestinationConfig it = test::random_destination(random_, i);
    it.type = DestinationType::http;
    it.urls = {"https://receiver.example/" + std::to_string(random_.below(1000))};
    it.sample_rate = 1;
    it.ordering = i % 2 == 0 ? Ordering::none : Ordering::key;
    it.retry_age_max = 24h;
    it.retry_attempts_max = 0;
    it.body_bytes_max = 16U << 20U;
    it.rate_max = {};
    it.status_actions.clear();
    if (has_spool_ && random_.chance(0.6)) it.when_full = WhenFull::spool;
    it.on_remove = static_cast<OnRemove>(random_.below(3));
    if (!has_spool_ && it.on_remove == OnRemove::spool) it.on_remove = OnRemove::drain;
    it.on_remove_max = std::chrono::seconds(random_.below(20));
    return it;
  }

  void start() {
    SpoolState state;
    if (has_spool_) {
      StorageSettings settings;
      settings.path = spool_path;
      settings.dead = {1000, 1U << 30U, 24h};
      for (const auto& it : wanted_.destinations) settings.lanes.push_back(it.name);
      auto opened = StorageAgent::open(settings, std::make_unique<test::TwinDisk>(twin_), exchange_,
                                       log_, test::ManualClock().now());
      ASSERT_TRUE(opened.ok()) << opened.error().message;
      storage_ = std::move(opened.value());
      state = storage_->state();
    }
    fake_ = std::make_unique<test::FakeApp>(
        wanted_, random_.next(), has_spool_ ? &exchange_ : nullptr, state,
        [this](const DestinationConfig& it, test::FakeTransport& transport) {
          peers_.at(it.name).attach(transport);
        });
  }

  void act() {
    switch (random_.below(12)) {
      case 0:
      case 1:
        begin_reload();
        break;
      case 2:
        fake_->preparer.is_ready = random_.chance(0.7);
        break;
      case 3:
        peers_[name(random_.below(names_max))].change_weather();
        break;
      case 4:
        if (has_spool_ && random_.chance(0.3)) {
          twin_.fail({.operation = test::StorageOperation::write,
                      .code = SQLITE_FULL,
                      .times = 1 + random_.below(20),
                      .path_end = "-wal"});
        }
        break;
      case 5:
        pass(std::chrono::seconds(random_.below(8)));
        break;
      case 6:
        if (has_spool_) confirm();
        break;
      default:
        emit();
        turn();
        pass(std::chrono::milliseconds(random_.below(400)));
    }
  }

  void begin_reload() {
    turn();
    Config next = wanted_;
    for (std::uint64_t changes = 1 + random_.below(3); changes > 0; --changes) change(next);
    fake_->preparer.error = random_.chance(0.1) ? "outrider.conf:1: nonsense" : "";
    if (random_.chance(0.1)) next.ingest.frame_bytes_max += 1;
    fake_->preparer.wanted = next;
    const Config before = fake_->app->config();
    const std::uint64_t ticket = fake_->reloads.ask("the simulation");
    turn();
    const auto outcome = fake_->reloads.outcome(ticket);
    if (outcome && outcome->result == ReloadResult::applied) wanted_ = fake_->app->config();
    if (outcome && outcome->result == ReloadResult::refused) {
      EXPECT_EQ(fake_->app->config().destinations.size(), before.destinations.size());
    }
  }

  void change(Config& config) {
    const std::size_t i = random_.below(names_max);
    const auto found = std::ranges::find(config.destinations, name(i), &DestinationConfig::name);
    if (found == config.destinations.end()) {
      config.destinations.push_back(make_destination(i));
    } else if (random_.chance(0.5) && config.destinations.size() > 1) {
      config.destinations.erase(found);
    } else {
      const DestinationConfig before = *found;
      *found = make_destination(i);
      found->spool_order = before.spool_order;
      if (random_.chance(0.5)) found->urls = before.urls;
    }
  }

  std::vector<std::string> takers(const std::string& topic) const {
    std::vector<std::string> names;
    const auto matches = [&](const std::string& pattern) { return proto::matches(pattern, topic); };
    for (const DestinationConfig& it : fake_->app->config().destinations) {
      if (std::ranges::any_of(it.topics, matches) && std::ranges::none_of(it.exclude, matches)) {
        names.push_back(it.name);
      }
    }
    return names;
  }

  std::string next_event(std::string& topic) {
    static constexpr const char* topics[] = {"orders.paid", "orders.open", "users.new"};
    topic = topics[random_.below(3)];
    std::string key = "\x81\xa3key\xa1";
    key += static_cast<char>('a' + random_.below(4));
    return test::event_bytes(topic, 0, test::numbered_data(++number_),
                             random_.chance(0.5) ? key : "");
  }

  /// An event goes to the destinations of the configuration that is in use when it is read.
  void expect(const std::vector<std::string>& topics) {
    for (const std::string& topic : topics) {
      for (const std::string& it : takers(topic)) ++expected_[it];
    }
  }

  void emit() {
    std::vector<std::string> events;
    std::vector<std::string> topics;
    for (std::uint64_t left = random_.below(30); left > 0; --left) {
      events.push_back(next_event(topics.emplace_back()));
    }
    fake_->source->on_read = [this, topics](const std::string&) { expect(topics); };
    fake_->source->frames.push_back(test::frame_bytes(events));
    turn();
  }

  void confirm() {
    turn();
    std::string topic;
    const std::string event = next_event(topic);
    auto names = std::make_shared<std::vector<std::string>>();
    fake_->confirm_source->on_read = [this, topic, names](const std::string&, const std::string&) {
      *names = takers(topic);
    };
    fake_->confirm_source->on_answer = [this, names](const std::string&,
                                                     const proto::ConfirmAnswer& answer) {
      if (answer.status != 0) return;
      for (const std::string& it : *names) ++expected_[it];
    };
    fake_->confirm_source->frames.emplace_back(
        "peer", test::frame_bytes({event}, {.client_id = client_, .sequence = ++sequence_}));
    // Routed now, stored later.
    fake_->app->do_work(fake_->clock.now());
    if (random_.chance(0.5)) begin_reload();
    for (int i = 0; i < 100 && fake_->confirm_source->answers.empty(); ++i) pass(100ms);
    EXPECT_FALSE(fake_->confirm_source->answers.empty());
    fake_->confirm_source->answers.clear();
  }

  void turn() {
    for (int i = 0; i < 3000; ++i) {
      const Now now = fake_->clock.now();
      for (auto& [name, peer] : peers_) peer.answer_due(now);
      const bool is_looked_at = random_.chance(0.05);
      if (is_looked_at) fake_->ask_for_snapshot();
      int work = fake_->app->do_work(now);
      const Report report = fake_->app->report();
      ASSERT_TRUE(report.is_balanced()) << format_report(report);
      if (is_looked_at && !fake_->app->is_finished()) {
        snapshots_.check(*fake_->board.latest(), report);
      }
      if (storage_) work += storage_->do_work(now);
      if (work == 0 && exchange_.uncollected() == 0 &&
          time_left(fake_->app->next_deadline(), now.mono) > 0ns) {
        return;
      }
      if (work == 0 && fake_->app->is_finished()) return;
      if (i > 100) fake_->clock.advance(1us);
    }
    ADD_FAILURE() << "the app never comes to rest: the run loop would spin";
  }

  void pass(Duration duration) {
    const MonoTime end = fake_->clock.now().mono + duration;
    for (;;) {
      turn();
      const MonoTime now = fake_->clock.now().mono;
      if (now >= end || ::testing::Test::HasFailure()) return;
      MonoTime next = std::min(end, fake_->app->next_deadline());
      if (storage_) next = std::min(next, storage_->next_deadline());
      for (const auto& [name, peer] : peers_) next = std::min(next, peer.next_due());
      fake_->clock.advance(std::max<Duration>(next - now, 1us));
    }
  }

  void recover() {
    twin_.clear_faults();
    fake_->preparer.is_ready = true;
    for (auto& [name, peer] : peers_) peer.clear_up();
    pass(20min);
    for (const DestinationReport& it : fake_->app->report().destinations) {
      EXPECT_EQ(it.ledger.queued + it.ledger.in_flight, 0U) << it.name;
    }
  }

  void stop() {
    const MonoTime at = fake_->clock.now().mono;
    fake_->app->request_stop();
    while (!fake_->app->is_finished() && !::testing::Test::HasFailure()) {
      pass(10ms);
      ASSERT_LE(fake_->clock.now().mono - at, 10s + App::storing_max);
    }
    EXPECT_TRUE(fake_->reloads.outcome(UINT64_MAX).has_value()) << "nobody waits for ever";
  }

  void check_end() {
    std::map<std::string, test::StoredEvents> stored;
    if (has_spool_) {
      storage_.reset();
      Database database(spool_path, OpenMode::read_write, twin_.vfs_name());
      test::check_totals(database);
      stored = test::read_tables(database);
    }
    const Report report = fake_->app->report();
    for (const auto& [name, ledger] : report.destinations) {
      SCOPED_TRACE(name);
      const std::set<std::uint64_t>& taken = peers_.at(name).taken();
      EXPECT_EQ(ledger.accepted - ledger.recovered, expected_[name]);
      EXPECT_EQ(ledger.delivered, taken.size());
      EXPECT_EQ(ledger.queued + ledger.in_flight, 0U);
      if (ledger.dropped_for(DropReason::spool_failed) == 0) {
        EXPECT_EQ(ledger.spooled, stored[name].waiting.size());
      }
      for (const auto& event : stored[name].waiting) {
        EXPECT_FALSE(taken.contains(event.number)) << event.number << " would come twice";
      }
      EXPECT_EQ(ledger.dropped_for(DropReason::damaged), 0U);
    }
  }

  Random random_;
  bool has_spool_;
  Config wanted_;
  std::map<std::string, Peer> peers_;
  test::StorageTwin twin_;
  test::MemoryLog log_;
  Exchange exchange_;
  std::unique_ptr<StorageAgent> storage_;
  std::unique_ptr<test::FakeApp> fake_;
  test::SnapshotChecks snapshots_;
  std::map<std::string, std::uint64_t> expected_;  ///< accepted, by destination
  std::vector<std::uint8_t> client_ = std::vector<std::uint8_t>(16, 7);
  std::uint64_t number_ = 0;
  std::uint64_t sequence_ = 0;
};

TEST(ReloadSimulation, NothingIsLostOrDoubledByReloads) {
  test::for_each_seed(100, [](std::uint64_t seed) { ReloadSimulation(seed).run(); });
}

}  // namespace
}  // namespace outrider::sidecar
