// With order by key, what stands on disk behind a key that fails: it keeps its order, and is in
// nobody's way.

#include <map>
#include <set>

#include "sidecar/base/random.hpp"
#include "unit/spool/spill_fixture.hpp"

namespace outrider::sidecar {
namespace {

using namespace std::chrono_literals;

class PassedOverTest : public SpillFixture {
 protected:
  PassedOverTest() {
    config.ordering = Ordering::key;
    config.when_full = WhenFull::drop_newest;
    config.queue_events_max = 20;
    config.batch_events_max = 4;
    config.concurrency_min = config.concurrency_max = 2;
    config.breaker_failures = 0;
    config.breaker_failure_rate = 0;
    config.retry_share_max = 1;
    config.retry_initial = 10ms;
    config.retry_max = 100ms;
  }
  /// In a frame of its own, or of several.
  void confirm(std::uint64_t first, std::uint64_t last, std::string_view key) {
    const DestinationHandle lanes[] = {0};
    for (std::uint64_t n = first; n <= last; ++n) {
      const auto record = test::numbered_record({.number = n, .key = key});
      ASSERT_EQ(spool->add_to_frame(lanes, read_record(record.data()), 0, clock.now()),
                proto::Refusal::none);
      key_of[n] = key;
    }
    ConfirmedFrame frame;
    frame.client[0] = 1;
    frame.sequence = ++sequence_;
    spool->add_frame(frame);
  }
  void emit(std::uint64_t number, std::string_view key) {
    accept(number, number, key);
    key_of[number] = key;
  }
  /// Answers what is under way: a batch with an event of a key that fails is refused for now.
  void answer() {
    while (!transport->open.empty()) {
      const std::string body = transport->open.begin()->second.body;
      std::vector<std::uint64_t> batch;
      bool fails = false;
      for (std::size_t at = 0; (at = body.find("\"n\":", at)) != std::string::npos; at += 4) {
        batch.push_back(std::stoull(body.substr(at + 4)));
        fails = fails || failing.contains(key_of[batch.back()]);
      }
      if (fails) {
        transport->answer(503);
      } else {
        for (const std::uint64_t number : batch) {
          std::uint64_t& last = last_of[key_of[number]];
          if (!key_of[number].empty()) {
            EXPECT_GT(number, last) << "of " << key_of[number];
          }
          last = number;
          EXPECT_TRUE(delivered.insert(number).second) << number << " came twice";
        }
        transport->answer(200);
      }
      destination->do_work(clock.now());
    }
  }
  void go_on(int rounds) {
    for (int i = 0; i < rounds; ++i) {
      turn();
      answer();
      clock.advance(20ms);
    }
  }
  std::size_t delivered_of(std::string_view key) {
    std::size_t events = 0;
    for (const std::uint64_t number : delivered) events += key_of[number] == key ? 1 : 0;
    return events;
  }

  std::set<std::string, std::less<>> failing;
  std::map<std::uint64_t, std::string> key_of;
  std::map<std::string, std::uint64_t> last_of;
  std::set<std::uint64_t> delivered;

 private:
  std::uint64_t sequence_ = 0;
};

TEST_F(PassedOverTest, MoreEventsBehindAFailingKeyThanMemoryHoldsKeepNoOtherWaiting) {
  start();
  failing = {"bad"};
  for (std::uint64_t n = 1; n <= 196; n += 5) confirm(n, n + 4, "bad");
  go_on(10);
  for (std::uint64_t n = 201; n <= 296; n += 5) confirm(n, n + 4, "good");
  go_on(50);
  EXPECT_EQ(delivered_of("good"), 100U);
  EXPECT_EQ(ledger().queued + ledger().spooled + ledger().in_flight, 200U);
  emit(301, "bad");
  go_on(5);
  failing.clear();
  go_on(200);
  EXPECT_EQ(delivered.size(), 301U);
  EXPECT_EQ(ledger().queued + ledger().spooled, 0U);
  EXPECT_TRUE(waiting().empty());
}

TEST_F(PassedOverTest, AKeyThatIsFreeGoesOnThoughMoreAndMoreComes) {
  start();
  failing = {"bad"};
  for (std::uint64_t n = 1; n <= 96; n += 5) confirm(n, n + 4, "bad");
  go_on(10);
  std::uint64_t next = 101;
  for (int i = 0; i < 60; ++i, next += 20) {
    if (i == 5) failing.clear();
    confirm(next, next + 19, "good");
    go_on(1);
  }
  EXPECT_EQ(delivered_of("bad"), 100U);
}

TEST_F(PassedOverTest, AStopKeepsTheOrder) {
  start();
  failing = {"bad"};
  emit(1, "other");
  for (std::uint64_t n = 2; n <= 101; n += 5) confirm(n, n + 4, n % 2 == 0 ? "bad" : "good");
  for (int i = 0; i < 4; ++i) {
    go_on(3);
    stop();
    start();
  }
  failing.clear();
  go_on(100);
  EXPECT_EQ(delivered.size(), 101U);
  EXPECT_TRUE(waiting().empty());
}

class PassedOverHistory : public PassedOverTest, public ::testing::WithParamInterface<int> {};

TEST_P(PassedOverHistory, NothingIsLostDoubledOrOutOfOrderWhateverFails) {
  Random random(static_cast<std::uint64_t>(GetParam()));
  config.when_full = random.chance(0.5) ? WhenFull::spool : WhenFull::drop_oldest;
  config.queue_events_max = 4 + random.below(30);
  config.batch_events_max = 1 + random.below(6);
  start();
  std::set<std::uint64_t> confirmed;
  std::uint64_t number = 0;
  for (int step = 0; step < 150 && !HasFailure(); ++step) {
    const std::string key(random.chance(0.9) ? 1 : 0, static_cast<char>('a' + random.below(4)));
    const std::uint64_t first = number + 1;
    switch (random.below(6)) {
      case 0:
      case 1:
        number += 1 + random.below(12);
        confirm(first, number, key);
        for (std::uint64_t n = first; n <= number; ++n) confirmed.insert(n);
        break;
      case 2:
        emit(++number, key);
        break;
      case 3:
        if (failing.erase(key) == 0) failing.insert(key);
        break;
      case 4:
        if (!random.chance(0.1)) break;
        turn();
        stop();
        start();
        break;
      default:
        go_on(1 + static_cast<int>(random.below(4)));
    }
  }
  failing.clear();
  go_on(300);
  for (const std::uint64_t n : confirmed) EXPECT_TRUE(delivered.contains(n)) << n;
  EXPECT_EQ(ledger().queued + ledger().spooled + ledger().in_flight, 0U);
  EXPECT_TRUE(waiting().empty());
}

INSTANTIATE_TEST_SUITE_P(Seeds, PassedOverHistory, ::testing::Range(1, 61));

}  // namespace
}  // namespace outrider::sidecar
