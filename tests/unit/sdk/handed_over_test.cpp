// What is known of events that were handed to ZeroMQ.
#include "sdk/src/handed_over.hpp"

#include <chrono>
#include <cstdint>
#include <string>

#include <gtest/gtest.h>

#include "sdk/src/client.hpp"
#include "unit/sdk/receiver.hpp"

namespace outrider::test {
namespace {

using sdk::HandedOver;

TEST(HandedOver, KnowsOfWhatZeroMqCannotHoldAnyMore) {
  constexpr std::size_t queued = 16;
  HandedOver known(queued);
  // In the queue, the one that is being written, and one that may lie in the buffer of small
  // frames.
  for (std::size_t i = 0; i < queued + 2; ++i) known.sent(1, 10'000);
  EXPECT_EQ(known.events(), 0U);
  known.sent(1, 10'000);
  EXPECT_EQ(known.events(), 1U);
  known.sent(1, 10'000);
  EXPECT_EQ(known.events(), 2U);
}

TEST(HandedOver, SmallFramesMayLieInTheBufferTogether) {
  HandedOver known(1);
  constexpr std::uint32_t frames = 8192 / 64;
  for (std::uint32_t i = 0; i < 2 + frames; ++i) known.sent(3, 64);
  EXPECT_EQ(known.events(), 0U);
  known.sent(3, 64);
  EXPECT_EQ(known.events(), 3U);
}

TEST(HandedOver, EachEventIsCountedOnce) {
  HandedOver known(2);
  for (int i = 0; i < 5; ++i) known.sent(7, 10);
  known.settle();
  EXPECT_EQ(known.events(), 35U);
  EXPECT_FALSE(known.has_frames());
  for (int i = 0; i < 5; ++i) known.sent(1, 10);
  EXPECT_TRUE(known.has_frames());
  known.lose_sight();
  EXPECT_EQ(known.unknown_events(), 5U);
  known.settle();
  EXPECT_EQ(known.events(), 35U);
  for (int i = 0; i < 100; ++i) known.sent(1, 9'000);
  known.settle();
  EXPECT_EQ(known.events(), 135U);
  EXPECT_EQ(known.unknown_events(), 5U);
}

/// A client whose flush does not wait for a sidecar that takes nothing as long as usual.
sdk::ClientOptions impatient(const std::string& endpoint) {
  outrider_options given = sdk::default_options();
  given.endpoint = endpoint.c_str();
  given.linger_ms = 0;
  sdk::ClientOptions options;
  EXPECT_TRUE(sdk::read_options(given, options));
  options.shipper.hand_over_ms = 50;
  return options;
}

struct ImpatientClient : sdk::Client {
  explicit ImpatientClient(const sdk::ClientOptions& options) : sdk::Client(options) {}
  ~ImpatientClient() {
    close(0);
    EXPECT_TRUE(eventually([&] { return can_be_freed(); }));
  }
};

constexpr std::uint32_t patience_ms = 20'000;
constexpr std::uint64_t events = 10;

/// More than a receiver takes that reads nothing, and than the system's buffers between the two.
void emit_large(sdk::Client& client) {
  std::string data(200'000, 'x');
  const std::string head{"\xc6\x00\x03\x0d\x3b", 5};  // bin of 199,995 bytes
  data.replace(0, head.size(), head);
  for (std::uint64_t i = 0; i < events; ++i) {
    outrider_event event{};
    event.topic = "t";
    event.topic_bytes = 1;
    event.data = data.data();
    event.data_bytes = data.size();
    ASSERT_EQ(client.emit(event), OUTRIDER_OK);
  }
}

TEST(HandedOver, AFlushThatLosesSightOfEventsSaysSoOnceAndCountsThem) {
  ScratchFolder folder;
  Receiver stopped(folder.endpoint(), nullptr, 1);
  ImpatientClient client(impatient(folder.endpoint()));
  emit_large(client);
  EXPECT_EQ(client.flush(0), OUTRIDER_TIMEOUT);
  ASSERT_TRUE(eventually([&] { return client.stats().unknown_events > 0; }));
  EXPECT_EQ(client.flush(patience_ms), OUTRIDER_TIMEOUT) << "the first one did not wait so long";
  outrider_stats stats = client.stats();
  EXPECT_EQ(stats.shipped_events, events);
  EXPECT_EQ(stats.handed_over_events + stats.unknown_events, events);
  EXPECT_GT(stats.unknown_events, 0U);
  EXPECT_EQ(client.flush(patience_ms), OUTRIDER_OK) << "nothing is new";
  stopped.drain();
  EXPECT_LT(stopped.events.size(), events);
  EXPECT_GE(stopped.events.size(), stats.handed_over_events);
}

TEST(HandedOver, ACloseThatLosesSightOfEventsCountsThem) {
  ScratchFolder folder;
  Receiver stopped(folder.endpoint(), nullptr, 1);
  ImpatientClient client(impatient(folder.endpoint()));
  emit_large(client);
  ASSERT_TRUE(eventually([&] { return client.stats().shipped_events == events; }));
  EXPECT_EQ(client.close(50), OUTRIDER_TIMEOUT);
  ASSERT_TRUE(eventually([&] { return client.can_be_freed(); }));
  const outrider_stats stats = client.stats();
  EXPECT_EQ(stats.handed_over_events + stats.unknown_events, events);
  EXPECT_GT(stats.unknown_events, 0U);
}

TEST(HandedOver, WhatIsFlushedIsKnown) {
  ScratchFolder folder;
  Receiver receiver(folder.endpoint());
  ImpatientClient client(impatient(folder.endpoint()));
  emit_large(client);
  EXPECT_EQ(client.flush(patience_ms), OUTRIDER_OK);
  EXPECT_EQ(client.stats().handed_over_events, events);
  EXPECT_EQ(client.stats().unknown_events, 0U);
  EXPECT_EQ(client.close(0), OUTRIDER_OK) << "nothing is left to be lost";
  EXPECT_TRUE(receiver.receive(events));
}

TEST(HandedOver, AConnectionThatBreaksWhileItIsFullLosesSightOfWhatItHeld) {
  ScratchFolder folder;
  sdk::ClientOptions options = impatient(folder.endpoint());
  options.shipper.link.send_frames_max = 1;
  ImpatientClient client(options);
  {
    Receiver stopped(folder.endpoint(), nullptr, 1);
    emit_large(client);
    ASSERT_TRUE(eventually([&] {
      const outrider_stats stats = client.stats();
      return stats.shipped_events > 0 && stats.buffered_events > 0;
    }));
  }
  ASSERT_TRUE(eventually([&] { return client.stats().unknown_events > 0; }));
  Receiver receiver(folder.endpoint());
  EXPECT_EQ(client.flush(patience_ms), OUTRIDER_TIMEOUT);
  const outrider_stats stats = client.stats();
  EXPECT_EQ(stats.handed_over_events + stats.unknown_events, events);
  EXPECT_EQ(client.flush(patience_ms), OUTRIDER_OK);
}

}  // namespace
}  // namespace outrider::test
