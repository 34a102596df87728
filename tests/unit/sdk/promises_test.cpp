// What a client promises about its end and its numbers, whoever is on the other side.
#include <atomic>
#include <chrono>
#include <future>
#include <string>
#include <thread>

#include <gtest/gtest.h>
#include <zmq.h>

#include "outrider/client.hpp"
#include "unit/sdk/confirmer.hpp"
#include "unit/sdk/receiver.hpp"

namespace outrider::test {
namespace {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

Options quick(const std::string& endpoint) {
  Options options;
  options.endpoint = endpoint.c_str();
  options.reconnect_initial_ms = 5;
  options.reconnect_max_ms = 20;
  return options;
}

Options roomy(const std::string& endpoint) {
  Options options = quick(endpoint);
  options.buffer_bytes_max = 64U << 20U;
  options.send_frames_max = 2;
  return options;
}

/// One event a frame, and as much as a socket's buffer in the kernel.
Status emit_large(Client& client) {
  const std::string text(200'000, 'x');
  return client.emit("t", text);
}

/// For the C functions: those of C++ ask for no more than an int holds.
constexpr std::uint32_t beyond_an_int_ms = 4'000'000'000;

TEST(Promises, ALingerBeyondAnIntIsALongOneAndNotNone) {
  ScratchFolder folder;
  const std::string endpoint = folder.endpoint();
  Receiver receiver(endpoint, nullptr, 1);
  Client client(roomy(endpoint));
  // All of these leave the buffer; not all of them leave ZeroMQ before somebody reads.
  constexpr std::size_t count = 5;
  for (std::size_t i = 0; i < count; ++i) ASSERT_EQ(emit_large(client), Status::ok);
  ASSERT_TRUE(eventually([&] { return client.stats().shipped_events == count; }));
  auto closed = std::async(std::launch::async,
                           [&] { return outrider_close(client.handle(), beyond_an_int_ms); });
  EXPECT_EQ(closed.wait_for(200ms), std::future_status::timeout);
  EXPECT_TRUE(receiver.receive(count));
  EXPECT_EQ(closed.get(), OUTRIDER_OK);
}

TEST(Promises, AFlushBeyondAnIntIsALongOneAndNotNone) {
  ScratchFolder folder;
  const std::string endpoint = folder.endpoint();
  Receiver receiver(endpoint, nullptr, 1);
  Client client(roomy(endpoint));
  constexpr std::size_t count = 5;
  for (std::size_t i = 0; i < count; ++i) ASSERT_EQ(emit_large(client), Status::ok);
  ASSERT_TRUE(eventually([&] { return client.stats().shipped_events == count; }));
  auto flushed = std::async(std::launch::async,
                            [&] { return outrider_flush(client.handle(), beyond_an_int_ms); });
  EXPECT_EQ(flushed.wait_for(200ms), std::future_status::timeout);
  EXPECT_TRUE(receiver.receive(count));
  EXPECT_EQ(flushed.get(), OUTRIDER_OK);
}

/// Events that come and go in all ways: sent, evicted, and dropped as what is not msgpack.
TEST(Promises, TheNumbersAddUpAtEveryLook) {
  ScratchFolder folder;
  const std::string endpoint = folder.endpoint();
  Receiver receiver(endpoint);
  Options options = quick(endpoint);
  options.buffer_bytes_max = 64U << 10U;
  options.frame_bytes_max = 4U << 10U;
  options.when_full = OUTRIDER_DROP_OLDEST;
  Client client(options);
  constexpr std::uint64_t count = 200'000;
  std::atomic<std::uint64_t> begun = 0;
  std::atomic<std::uint64_t> done = 0;
  std::thread emitter([&] {
    for (std::uint64_t i = 0; i < count; ++i) {
      ++begun;
      if (i % 2 == 0) {
        outrider_emit(client.handle(), "t", 1, "\xd9", 1);
      } else if (i % 101 == 0) {
        client.emit("no topic", i);
      } else {
        client.emit("t", i);
      }
      ++done;
    }
  });
  std::thread reader([&] {
    while (done < count) receiver.receive_frame(10ms);
  });
  bool is_right = true;
  while (is_right && done < count) {
    const std::uint64_t low = done;
    const outrider_stats stats = client.stats();
    const std::uint64_t high = begun;
    std::uint64_t sum = stats.shipped_events + stats.buffered_events;
    for (const std::uint64_t dropped : stats.dropped) sum += dropped;
    is_right = stats.emitted == sum && low <= stats.emitted && stats.emitted <= high;
    EXPECT_TRUE(is_right) << stats.emitted << " of " << low << " to " << high << ", sum " << sum;
  }
  emitter.join();
  reader.join();
  const outrider_stats stats = client.stats();
  EXPECT_EQ(stats.emitted, count);
  EXPECT_GT(stats.dropped[OUTRIDER_DROPPED_EVENT_TOPIC], 0U);
}

TEST(Promises, WhatZeroMqHeldAtTheEndIsUnknownAndTheRestIsCounted) {
  ScratchFolder folder;
  const std::string endpoint = folder.endpoint();
  Receiver receiver(endpoint, nullptr, 1);  // connected, and reads nothing
  Client client(roomy(endpoint));
  constexpr std::size_t count = 20;
  for (std::size_t i = 0; i < count; ++i) ASSERT_EQ(emit_large(client), Status::ok);
  ASSERT_TRUE(eventually([&] { return client.stats().shipped_events > 2; }));
  EXPECT_EQ(client.close(100ms), Status::timeout);
  const outrider_stats stats = client.stats();
  EXPECT_GT(stats.unknown_events, 0U);
  EXPECT_EQ(stats.shipped_events, stats.handed_over_events + stats.unknown_events);
  EXPECT_EQ(count, stats.shipped_events + stats.dropped[OUTRIDER_DROPPED_LINGER]);
  receiver.drain();
  EXPECT_GE(receiver.events.size(), stats.handed_over_events);
  EXPECT_LE(receiver.events.size(), stats.shipped_events);
}

TEST(Promises, AFailedHandOverIsToldToOneFlush) {
  ScratchFolder folder;
  const std::string endpoint = folder.endpoint();
  Receiver receiver(endpoint, nullptr, 1);
  Client client(roomy(endpoint));
  // All of these leave the buffer; not all of them leave ZeroMQ.
  for (int i = 0; i < 5; ++i) ASSERT_EQ(emit_large(client), Status::ok);
  ASSERT_TRUE(eventually([&] { return client.stats().shipped_events == 5; }));
  EXPECT_FALSE(client.flush(10ms));
  ASSERT_TRUE(eventually([&] { return client.stats().unknown_events > 0; }));
  EXPECT_FALSE(client.flush(patience)) << "the flush before could not know";
  EXPECT_TRUE(client.flush(patience));
}

/// A context of the application's own, and a sidecar elsewhere that is connected and reads nothing.
class ContextOfTheApplication : public testing::Test {
 protected:
  ~ContextOfTheApplication() override { zmq_ctx_term(context); }

  Options options() {
    Options options = roomy(endpoint);
    options.zmq_context = context;
    return options;
  }

  void* const context = zmq_ctx_new();
  ScratchFolder folder;
  const std::string endpoint = folder.endpoint();
  Receiver receiver{endpoint, nullptr, 1};
};

TEST_F(ContextOfTheApplication, AFlushStillSaysWhatIsNotHandedOver) {
  Client client(options());
  for (int i = 0; i < 5; ++i) ASSERT_EQ(emit_large(client), Status::ok);
  ASSERT_TRUE(eventually([&] { return client.stats().shipped_events == 5; }));
  EXPECT_FALSE(client.flush(10ms));
  EXPECT_TRUE(eventually([&] { return client.stats().unknown_events > 0; }));
}

TEST_F(ContextOfTheApplication, ACloseStillSaysWhatIsUnknown) {
  Client client(options());
  for (int i = 0; i < 5; ++i) ASSERT_EQ(emit_large(client), Status::ok);
  ASSERT_TRUE(eventually([&] { return client.stats().shipped_events == 5; }));
  EXPECT_EQ(client.close(100ms), Status::timeout);
  EXPECT_GT(client.stats().unknown_events, 0U);
}

TEST(Promises, AFailedHandOverIsToldToAllWhoWait) {
  ScratchFolder folder;
  const std::string endpoint = folder.endpoint();
  Receiver receiver(endpoint, nullptr, 1);
  Client client(roomy(endpoint));
  for (int i = 0; i < 5; ++i) ASSERT_EQ(emit_large(client), Status::ok);
  ASSERT_TRUE(eventually([&] { return client.stats().shipped_events == 5; }));
  std::atomic<int> complete = 0;
  const auto flush = [&] { complete += client.flush(6s) ? 1 : 0; };
  std::thread one(flush);
  std::thread other(flush);
  one.join();
  other.join();
  EXPECT_EQ(complete, 0);
}

TEST(Promises, AConnectionThatBreaksWhileItIsFullLosesSightOfWhatItHeld) {
  ScratchFolder folder;
  const std::string endpoint = folder.endpoint();
  Client client(roomy(endpoint));
  constexpr std::uint64_t count = 10;
  {
    Receiver stopped(endpoint, nullptr, 1);
    for (std::uint64_t i = 0; i < count; ++i) ASSERT_EQ(emit_large(client), Status::ok);
    // Full, and not just about to ship the rest: one that takes nothing does not count as there.
    ASSERT_TRUE(eventually([&] {
      const outrider_stats stats = client.stats();
      return stats.shipped_events > 0 && stats.buffered_events > 0 && stats.connected == 0;
    }));
  }
  ASSERT_TRUE(eventually([&] { return client.stats().unknown_events > 0; }));
  Receiver receiver(endpoint);
  EXPECT_FALSE(client.flush(patience));
  const outrider_stats stats = client.stats();
  EXPECT_EQ(stats.handed_over_events + stats.unknown_events, count);
  EXPECT_TRUE(client.flush(patience));
}

TEST(Promises, APatientFlushLeavesNoPatienceBehind) {
  ScratchFolder folder;
  const std::string endpoint = folder.endpoint();
  Receiver receiver(endpoint, nullptr, 1);
  Client client(roomy(endpoint));
  ASSERT_EQ(client.emit("t", 1), Status::ok);
  ASSERT_TRUE(client.flush(std::chrono::hours(1)));
  for (int i = 0; i < 5; ++i) ASSERT_EQ(emit_large(client), Status::ok);
  ASSERT_TRUE(eventually([&] { return client.stats().shipped_events == 6; }));
  EXPECT_FALSE(client.flush(10ms));
  // Within the patience of the second one, or the test's own runs out.
  EXPECT_TRUE(eventually([&] { return client.stats().unknown_events > 0; }));
}

TEST(Promises, ACloseEndsThePatientFlushOfAnotherThread) {
  ScratchFolder folder;
  const std::string endpoint = folder.endpoint();
  Receiver receiver(endpoint, nullptr, 1);
  Client client(roomy(endpoint));
  for (int i = 0; i < 5; ++i) ASSERT_EQ(emit_large(client), Status::ok);
  ASSERT_TRUE(eventually([&] { return client.stats().shipped_events == 5; }));
  auto flushed = std::async(std::launch::async, [&] { return client.flush(patience); });
  EXPECT_EQ(flushed.wait_for(200ms), std::future_status::timeout);
  EXPECT_EQ(client.close(100ms), Status::timeout);
  EXPECT_EQ(flushed.wait_for(patience / 2), std::future_status::ready);
  EXPECT_FALSE(flushed.get());
  const outrider_stats stats = client.stats();
  EXPECT_EQ(stats.handed_over_events + stats.unknown_events, 5U);
}

TEST(Promises, CloseAfterAFlushHasNothingLeftToLose) {
  ScratchFolder folder;
  const std::string endpoint = folder.endpoint();
  Receiver receiver(endpoint);
  Client client(quick(endpoint));
  client.emit("t", 1);
  ASSERT_TRUE(client.flush(patience));
  EXPECT_EQ(client.close(0ms), Status::ok);
  EXPECT_TRUE(client.flush(0ms)) << "all that was emitted is where it should be";
  EXPECT_TRUE(receiver.receive(1));
}

TEST(Promises, NoConfirmFunctionRunsAfterTheClientIsFreed) {
  ScratchFolder folder;
  const std::string endpoint = folder.endpoint();
  Options options = quick(endpoint);
  options.confirm_endpoint = endpoint.c_str();
  options.linger_ms = 0;
  outrider_client* client = nullptr;
  ASSERT_EQ(outrider_client_new(&options, &client), OUTRIDER_OK);
  struct Told {
    Counter calls;
    std::atomic<bool> may_go_on = false;
  } told;
  outrider_event event{};
  event.struct_bytes = sizeof event;
  event.topic = "t";
  event.topic_bytes = 1;
  event.data = "\x01";
  event.data_bytes = 1;
  constexpr int count = 1'000;
  const auto confirm = [](void* user, outrider_status) {
    auto& all = *static_cast<Told*>(user);
    all.calls.add();
    all.may_go_on.wait(false);
  };
  for (int i = 0; i < count; ++i) {
    ASSERT_EQ(outrider_deliver(client, &event, confirm, &told), OUTRIDER_OK);
  }
  auto calls_when_freed = std::async(std::launch::async, [&] {
    outrider_client_free(client);
    return told.calls.value();
  });
  EXPECT_TRUE(told.calls.reaches(1));
  // What a slow confirm function still has to do is waited for, beyond the time for a thread to
  // end.
  EXPECT_EQ(calls_when_freed.wait_for(500ms), std::future_status::timeout);
  told.may_go_on = true;
  told.may_go_on.notify_all();
  EXPECT_EQ(calls_when_freed.get(), std::uint64_t{count});
}

}  // namespace
}  // namespace outrider::test
