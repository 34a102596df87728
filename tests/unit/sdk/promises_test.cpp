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

TEST(Promises, ALingerBeyondAnIntIsALongOneAndNotNone) {
  ScratchFolder folder;
  const std::string endpoint = folder.endpoint();
  Receiver receiver(endpoint, nullptr, 1);
  Client client(roomy(endpoint));
  constexpr std::size_t count = 40;
  for (std::size_t i = 0; i < count; ++i) ASSERT_EQ(emit_large(client), Status::ok);
  Status closed = Status::timeout;
  std::thread closer([&] { closed = client.close(std::chrono::milliseconds(4'000'000'000)); });
  EXPECT_TRUE(receiver.receive(count));
  closer.join();
  EXPECT_EQ(closed, Status::ok);
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
    ASSERT_TRUE(eventually([&] {
      const outrider_stats stats = client.stats();
      return stats.shipped_events > 0 && stats.buffered_events > 0;
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
