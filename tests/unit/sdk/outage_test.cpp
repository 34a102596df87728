#include <algorithm>
#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <msgpack.hpp>

#include "outrider/client.hpp"
#include "unit/sdk/confirmer.hpp"
#include "unit/sdk/receiver.hpp"

namespace outrider::test {
namespace {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

constexpr std::uint64_t buffer_bytes_max = 64U << 10U;

Options small_buffer(const std::string& endpoint, outrider_when_full when_full) {
  Options options;
  options.endpoint = endpoint.c_str();
  options.buffer_bytes_max = buffer_bytes_max;
  options.when_full = when_full;
  options.reconnect_initial_ms = 5;
  options.reconnect_max_ms = 20;
  options.linger_ms = 100;
  return options;
}

std::uint64_t number(const ReceivedEvent& event) {
  return msgpack::unpack(event.data.data(), event.data.size()).get().as<std::uint64_t>();
}

/// Reads all the time, until told how many events there are to be.
class ReaderThread {
 public:
  explicit ReaderThread(Receiver& receiver)
      : receiver_(receiver), thread_([this] {
          while (!is_done_ || receiver_.events.size() < expected_) {
            if (!receiver_.receive_frame(is_done_ ? patience : 10ms) && is_done_) return;
          }
        }) {}

  bool join_after(std::size_t expected) {
    expected_ = expected;
    is_done_ = true;
    thread_.join();
    return receiver_.events.size() == expected;
  }

 private:
  Receiver& receiver_;
  std::atomic<std::size_t> expected_ = 0;
  std::atomic<bool> is_done_ = false;
  std::thread thread_;
};

TEST(Outage, DropNewestKeepsTheOldestAndCountsExactly) {
  ScratchFolder folder;
  const std::string endpoint = folder.endpoint();
  Client client(small_buffer(endpoint, OUTRIDER_DROP_NEWEST));
  constexpr std::uint64_t offered = 10'000;
  std::uint64_t taken = 0;
  for (std::uint64_t i = 0; i < offered; ++i) {
    const Status status = client.emit("t", i);
    ASSERT_TRUE(status == Status::ok || status == Status::full);
    if (status == Status::ok) ++taken;
  }
  ASSERT_LT(taken, offered);
  const outrider_stats stats = client.stats();
  EXPECT_EQ(stats.emitted, offered);
  EXPECT_EQ(stats.buffered_events, taken);
  EXPECT_EQ(stats.dropped[OUTRIDER_DROPPED_BUFFER_FULL], offered - taken);
  EXPECT_LE(stats.buffered_bytes, buffer_bytes_max);
  EXPECT_EQ(stats.connected, 0);

  Receiver receiver(endpoint);
  ASSERT_TRUE(receiver.receive(taken));
  for (std::uint64_t i = 0; i < taken; ++i) ASSERT_EQ(number(receiver.events[i]), i);
  EXPECT_EQ(receiver.drops["buffer_full"], offered - taken);
}

TEST(Outage, DropOldestKeepsTheNewestAndCountsExactly) {
  ScratchFolder folder;
  const std::string endpoint = folder.endpoint();
  Client client(small_buffer(endpoint, OUTRIDER_DROP_OLDEST));
  constexpr std::uint64_t offered = 10'000;
  for (std::uint64_t i = 0; i < offered; ++i) ASSERT_EQ(client.emit("t", i), Status::ok);
  const outrider_stats stats = client.stats();
  const std::uint64_t dropped = stats.dropped[OUTRIDER_DROPPED_BUFFER_FULL];
  EXPECT_GT(dropped, 0U);
  EXPECT_EQ(stats.emitted, offered);
  EXPECT_EQ(stats.buffered_events, offered - dropped);

  Receiver receiver(endpoint);
  ASSERT_TRUE(receiver.receive(offered - dropped));
  for (std::uint64_t i = 0; i < receiver.events.size(); ++i) {
    ASSERT_EQ(number(receiver.events[i]), dropped + i);
  }
  EXPECT_EQ(receiver.drops["buffer_full"], dropped);
}

TEST(Outage, DropOldestMakesRoomForAnEventThatTakesMostOfTheBuffer) {
  ScratchFolder folder;
  const std::string endpoint = folder.endpoint();
  Options options = small_buffer(endpoint, OUTRIDER_DROP_OLDEST);
  options.buffer_bytes_max = 16U << 20U;
  options.event_bytes_max = 16U << 20U;
  Client client(options);
  const std::string small(4'000, 's');
  constexpr std::uint64_t offered = 5'000;
  for (std::uint64_t i = 0; i < offered; ++i) ASSERT_EQ(client.emit("t", small), Status::ok);
  const std::uint64_t before = client.stats().dropped[OUTRIDER_DROPPED_BUFFER_FULL];
  ASSERT_GT(before, 0U);
  constexpr std::uint64_t large_bytes = 10U << 20U;
  EXPECT_EQ(client.emit("t", std::string(large_bytes, 'l')), Status::ok);
  const std::uint64_t dropped = client.stats().dropped[OUTRIDER_DROPPED_BUFFER_FULL] - before;
  EXPECT_LE(dropped, large_bytes / small.size() + 32);
  EXPECT_EQ(client.emit("t", std::string(options.buffer_bytes_max, 'l')), Status::too_large);
  EXPECT_EQ(client.stats().dropped[OUTRIDER_DROPPED_BUFFER_FULL], before + dropped);
}

TEST(Outage, DropOldestTakesFromOtherThreadsToo) {
  ScratchFolder folder;
  const std::string endpoint = folder.endpoint();
  Client client(small_buffer(endpoint, OUTRIDER_DROP_OLDEST));
  std::thread([&] {
    for (std::uint64_t i = 0; i < 5'000; ++i) client.emit("old", i);
  }).join();
  for (std::uint64_t i = 0; i < 5'000; ++i) ASSERT_EQ(client.emit("new", i), Status::ok);
  const outrider_stats stats = client.stats();
  Receiver receiver(endpoint);
  ASSERT_TRUE(receiver.receive(10'000 - stats.dropped[OUTRIDER_DROPPED_BUFFER_FULL]));
  const auto is_newest = [](const ReceivedEvent& event) {
    return event.topic == "new" && number(event) == 4'999;
  };
  EXPECT_TRUE(std::any_of(receiver.events.begin(), receiver.events.end(), is_newest));
}

TEST(Outage, StuckSidecarFillsTheBufferAndNeverBlocks) {
  ScratchFolder folder;
  const std::string endpoint = folder.endpoint();
  Receiver receiver(endpoint);  // connected, but nobody reads
  Options options = small_buffer(endpoint, OUTRIDER_DROP_NEWEST);
  options.send_frames_max = 2;
  Client client(options);
  const std::string text(2'000, 'x');
  // What the sockets between them hold has to be filled first.
  ASSERT_TRUE(comes_true([&] { return client.emit_wait(100ms, "t", text) == Status::timeout; }));
  for (int i = 0; i < 1'000; ++i) client.emit("t", text);
  const outrider_stats stats = client.stats();
  EXPECT_GE(stats.dropped[OUTRIDER_DROPPED_BUFFER_FULL], 900U);
  EXPECT_TRUE(eventually([&] { return client.stats().connected == 0; }));
  ASSERT_TRUE(receiver.receive(stats.emitted - stats.dropped[OUTRIDER_DROPPED_BUFFER_FULL]));
  EXPECT_TRUE(client.flush(patience));
}

TEST(Outage, SidecarThatRestartsGetsEverythingEmittedMeanwhile) {
  ScratchFolder folder;
  const std::string endpoint = folder.endpoint();
  Client client(small_buffer(endpoint, OUTRIDER_DROP_NEWEST));
  auto first = std::make_unique<Receiver>(endpoint);
  client.emit("t", std::uint64_t{0});
  ASSERT_TRUE(first->receive(1));
  ASSERT_EQ(client.stats().connected, 1);
  first.reset();
  ASSERT_TRUE(eventually([&] { return client.stats().connected == 0; }));
  for (std::uint64_t i = 1; i <= 100; ++i) ASSERT_EQ(client.emit("t", i), Status::ok);
  EXPECT_FALSE(client.flush(20ms));
  Receiver second(endpoint);
  EXPECT_TRUE(client.flush(patience));
  ASSERT_TRUE(second.receive(100));
  EXPECT_EQ(number(second.events.front()), 1U);
  EXPECT_EQ(number(second.events.back()), 100U);
}

TEST(Outage, FlushTellsTheTruth) {
  ScratchFolder folder;
  const std::string endpoint = folder.endpoint();
  Client client(small_buffer(endpoint, OUTRIDER_DROP_NEWEST));
  EXPECT_TRUE(client.flush(0ms)) << "nothing was emitted";
  client.emit("t", 1);
  EXPECT_FALSE(client.flush(20ms)) << "nobody is there";
  Receiver receiver(endpoint);
  EXPECT_TRUE(client.flush(patience));
  EXPECT_EQ(client.stats().shipped_events, 1U);
  EXPECT_TRUE(receiver.receive(1));
}

TEST(Outage, CloseWithNobodyThereTakesTheLingerAndCounts) {
  ScratchFolder folder;
  const std::string endpoint = folder.endpoint();
  Client client(small_buffer(endpoint, OUTRIDER_DROP_NEWEST));
  for (int i = 0; i < 3; ++i) client.emit("t", i);
  const auto begin = SteadyClock::now();
  EXPECT_EQ(client.close(100ms), Status::timeout);
  const auto took = SteadyClock::now() - begin;
  EXPECT_GE(took, 100ms);
  EXPECT_LT(took, 5s);
  EXPECT_EQ(client.emit("t", 1), Status::closed);
  const outrider_stats stats = client.stats();
  EXPECT_EQ(stats.emitted, 4U);
  EXPECT_EQ(stats.dropped[OUTRIDER_DROPPED_LINGER], 3U);
  EXPECT_EQ(stats.dropped[OUTRIDER_DROPPED_CLOSED], 1U);
  EXPECT_EQ(stats.buffered_events, 0U);
  EXPECT_EQ(client.close(10s), Status::timeout) << "closing again waits for nothing";
}

TEST(Outage, CloseSendsWhatIsBufferedAndReturnsAtOnce) {
  ScratchFolder folder;
  const std::string endpoint = folder.endpoint();
  Receiver receiver(endpoint);
  Client client(small_buffer(endpoint, OUTRIDER_DROP_NEWEST));
  for (int i = 0; i < 500; ++i) ASSERT_EQ(client.emit("t", i), Status::ok);
  EXPECT_EQ(client.close(patience), Status::ok);
  EXPECT_TRUE(receiver.receive(500));
}

TEST(Outage, UnusedClientClosesAtOnce) {
  Client client;
  const auto begin = SteadyClock::now();
  EXPECT_EQ(client.close(patience), Status::ok);
  EXPECT_LT(SteadyClock::now() - begin, 5s);
}

TEST(Outage, EmitWaitWaitsForRoom) {
  ScratchFolder folder;
  const std::string endpoint = folder.endpoint();
  Client client(small_buffer(endpoint, OUTRIDER_DROP_OLDEST));
  std::uint64_t taken = 0;
  while (client.emit_wait(0ms, "t", taken) == Status::ok) ++taken;
  const auto begin = SteadyClock::now();
  EXPECT_EQ(client.emit_wait(50ms, "t", taken), Status::timeout);
  EXPECT_GE(SteadyClock::now() - begin, 50ms);

  Status waited = Status::timeout;
  std::thread waiter([&] { waited = client.emit_wait(patience, "t", taken); });
  Receiver receiver(endpoint);
  EXPECT_TRUE(receiver.receive(taken + 1));
  waiter.join();
  EXPECT_EQ(waited, Status::ok);
  EXPECT_EQ(client.stats().dropped[OUTRIDER_DROPPED_BUFFER_FULL], 2U);
}

TEST(Outage, ManyThreadsLoseNothingThatWasTaken) {
  ScratchFolder folder;
  const std::string endpoint = folder.endpoint();
  Client client(small_buffer(endpoint, OUTRIDER_DROP_NEWEST));
  constexpr int thread_count = 10;
  constexpr std::uint64_t events_each = 2'000;
  std::atomic<std::uint64_t> taken = 0;
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < thread_count; ++t) {
    threads.emplace_back([&, t] {
      for (std::uint64_t i = 0; i < events_each; ++i) {
        if (client.emit("t", t * events_each + i) == Status::ok) ++taken;
        if (i % 500 == 0) client.flush(1ms);
        if (i % 500 == 1) client.stats();
      }
    });
  }
  Receiver receiver(endpoint);
  ReaderThread reader(receiver);
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(client.flush(patience));
  EXPECT_TRUE(reader.join_after(taken));
  std::set<std::uint64_t> numbers;
  for (const ReceivedEvent& event : receiver.events) numbers.insert(number(event));
  EXPECT_EQ(numbers.size(), taken) << "no event comes twice";
  const outrider_stats stats = client.stats();
  EXPECT_EQ(stats.emitted, thread_count * events_each);
  EXPECT_EQ(stats.shipped_events + stats.dropped[OUTRIDER_DROPPED_BUFFER_FULL], stats.emitted);
}

TEST(Outage, ThreadsMayEmitWhileTheClientCloses) {
  ScratchFolder folder;
  const std::string endpoint = folder.endpoint();
  Receiver receiver(endpoint);
  Client client(small_buffer(endpoint, OUTRIDER_DROP_NEWEST));
  Counter taken;
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      Status status = Status::ok;
      while ((status = client.emit("t", 1)) != Status::closed) {
        if (status == Status::ok) taken.add();
      }
    });
  }
  ReaderThread reader(receiver);
  EXPECT_TRUE(taken.reaches(1'001));
  EXPECT_EQ(client.close(patience), Status::ok);
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(reader.join_after(taken.value()));
}

/// As where the sidecar's two endpoints were mixed up, until somebody sees it.
TEST(Outage, AnotherSocketInThePlaceOfTheSidecarIsWaitedOut) {
  ScratchFolder folder;
  const std::string endpoint = folder.endpoint();
  Options options = small_buffer(endpoint, OUTRIDER_DROP_NEWEST);
  options.confirm_endpoint = endpoint.c_str();
  Client client(options);
  {
    Confirmer other(endpoint);
    ASSERT_EQ(client.emit("t", 1), Status::ok);
    EXPECT_FALSE(client.flush(200ms));
  }
  Receiver receiver(endpoint);
  EXPECT_TRUE(receiver.receive(1));
  EXPECT_TRUE(client.flush(patience));
  EXPECT_EQ(client.stats().unknown_events, 0U);
}

TEST(Outage, AnotherSocketInThePlaceOfTheConfirmingSidecarIsWaitedOut) {
  ScratchFolder folder;
  const std::string endpoint = folder.endpoint();
  Options options = small_buffer(endpoint, OUTRIDER_DROP_NEWEST);
  options.confirm_endpoint = endpoint.c_str();
  Client client(options);
  std::future<Status> confirmed;
  {
    Receiver other(endpoint);
    confirmed = client.deliver("t", 1);
    EXPECT_FALSE(client.flush(200ms));
  }
  Confirmer confirmer(endpoint);
  ASSERT_TRUE(confirmer.receive(1));
  confirmer.answer(confirmer.frames[0]);
  EXPECT_EQ(confirmed.get(), Status::ok);
}

/// What was on its way to the sidecar that was there before is unknown then, and no frame is lost
/// that was still to be sent.
TEST(Outage, AnotherSocketAfterAFullSidecarCostsWhatThatOneHeld) {
  ScratchFolder folder;
  const std::string endpoint = folder.endpoint();
  Options options = small_buffer(endpoint, OUTRIDER_DROP_NEWEST);
  options.buffer_bytes_max = 64U << 20U;
  options.send_frames_max = 2;
  Client client(options);
  constexpr std::uint64_t count = 10;
  const std::string text(200'000, 'x');
  {
    Receiver full(endpoint, nullptr, 1);
    for (std::uint64_t i = 0; i < count; ++i) ASSERT_EQ(client.emit("t", text), Status::ok);
    ASSERT_TRUE(eventually([&] {
      const outrider_stats stats = client.stats();
      return stats.shipped_events > 0 && stats.buffered_events > 0;
    }));
  }
  {
    Confirmer other(endpoint);
    EXPECT_FALSE(client.flush(200ms));
  }
  Receiver receiver(endpoint);
  // Each loss is told to one of them, and there are two at most.
  EXPECT_TRUE(client.flush(patience) || client.flush(patience) || client.flush(patience));
  const outrider_stats stats = client.stats();
  EXPECT_GT(stats.unknown_events, 0U);
  EXPECT_EQ(stats.handed_over_events + stats.unknown_events, count);
  receiver.drain();
  EXPECT_GE(receiver.events.size(), stats.handed_over_events);
}

}  // namespace
}  // namespace outrider::test
