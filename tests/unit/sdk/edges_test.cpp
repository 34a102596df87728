// Values at the edges of what an event or an option may be: each is taken as it is, or refused.
#include <chrono>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "outrider/client.hpp"
#include "unit/sdk/receiver.hpp"

namespace outrider::test {
namespace {

using namespace std::chrono_literals;

/// Nobody is there: what is emitted stays in the buffer.
Options nobody() {
  Options options;
  options.endpoint = "ipc:///nonexistent/outrider.sock";
  options.linger_ms = 0;
  return options;
}

TEST(Edges, EndpointsThatNoSocketHasAreRefused) {
  for (const char* endpoint : {"tcp://127.0.0.1:99999", "tcp://127.0.0.1:65536",
                               "tcp://127.0.0.1:0", "tcp://127.0.0.1:", "tcp://127.0.0.1:-1",
                               "tcp://127.0.0.1:1x", "tcp://:1", "udp://127.0.0.1:1", ""}) {
    Options options = nobody();
    options.endpoint = endpoint;
    EXPECT_EQ(Client(options).status(), Status::invalid_argument) << endpoint;
  }
  Options options = nobody();
  options.endpoint = "tcp://127.0.0.1:65535";
  EXPECT_EQ(Client(options).status(), Status::ok);
}

TEST(Edges, AStructWithoutItsSizeIsRefused) {
  Options options = nobody();
  outrider_client* client = nullptr;
  options.struct_bytes = 0;
  EXPECT_EQ(outrider_client_new(&options, &client), OUTRIDER_INVALID_ARGUMENT);
  Client made(nobody());
  outrider_event event{};
  event.topic = "t";
  event.topic_bytes = 1;
  event.data = "\x01";
  event.data_bytes = 1;
  EXPECT_EQ(outrider_emit_event(made.handle(), &event), OUTRIDER_INVALID_ARGUMENT);
  EXPECT_EQ(outrider_deliver(made.handle(), &event, nullptr, nullptr), OUTRIDER_INVALID_ARGUMENT);
}

TEST(Edges, TimesThatCannotBeAreRefused) {
  Client client(nobody());
  const std::chrono::system_clock::time_point before_1970(-1h);
  EXPECT_EQ(client.emit("t", 1, {.ttl = -1ms}), Status::bad_attributes);
  EXPECT_EQ(client.emit("t", 1, {.delay = -1ms}), Status::bad_attributes);
  EXPECT_EQ(client.emit("t", 1, {.time = before_1970}), Status::bad_attributes);
  EXPECT_EQ(client.emit("t", 1, {.at = before_1970}), Status::bad_attributes);
  EXPECT_EQ(client.emit("t", 1, {.ttl = 0ms}), Status::ok) << "never expires";
  EXPECT_EQ(client.stats().dropped[OUTRIDER_DROPPED_EVENT_ATTRIBUTES], 4U);
}

TEST(Edges, TheBufferLimitsWhatIsEmittedAndNotWhatIsDelivered) {
  Options options = nobody();
  options.buffer_bytes_max = 1U << 20U;
  options.event_bytes_max = 4U << 20U;
  Client client(options);
  const std::string text(2U << 20U, 'x');
  EXPECT_EQ(client.emit("t", text), Status::too_large);
  EXPECT_EQ(client.deliver("t", text, [](Status) {}), Status::ok);
  const std::string most(900'000, 'x');
  EXPECT_EQ(client.emit("t", most), Status::ok) << "more than half of the buffer";
}

TEST(Edges, ALargeEventGivesUpOldOnesOnlyIfItHasRoomThen) {
  Options options = nobody();
  options.buffer_bytes_max = 16U << 20U;
  options.event_bytes_max = 15U << 20U;
  options.when_full = OUTRIDER_DROP_OLDEST;
  Client client(options);
  const std::string small(1'000, 's');
  while (client.stats().dropped[OUTRIDER_DROPPED_BUFFER_FULL] == 0) {
    ASSERT_EQ(client.emit("t", small), Status::ok);
  }
  const std::string large(8U << 20U, 'l');
  EXPECT_EQ(client.emit("t", large), Status::ok);
  const outrider_stats stats = client.stats();
  EXPECT_GT(stats.buffered_bytes, large.size());
  EXPECT_GT(stats.buffered_events, 1'000U) << "no more went than had to";
}

TEST(Edges, DataThatRunsIntoTheAttributesIsNoEvent) {
  ScratchFolder folder;
  const std::string endpoint = folder.endpoint();
  Receiver receiver(endpoint);
  Client client(endpoint);
  // A whole value, and then a map whose value the real attributes would be; a map that lacks one.
  for (const std::string& data :
       {std::string("\x01\x81\xa1x"), std::string("\x01\x81\xa1x\xc4\x08"),
        std::string("\x81\xa1x"), std::string("\x92\x01")}) {
    outrider_event event{};
    event.struct_bytes = sizeof event;
    event.topic = "bad";
    event.topic_bytes = 3;
    event.data = data.data();
    event.data_bytes = data.size();
    event.key = "k";
    event.key_bytes = 1;
    EXPECT_EQ(outrider_emit_event(client.handle(), &event), OUTRIDER_OK);
  }
  EXPECT_EQ(client.emit("good", 1, {.key = "k"}), Status::ok);
  ASSERT_TRUE(receiver.receive(1));
  EXPECT_EQ(receiver.events[0].topic, "good");
  EXPECT_EQ(receiver.events[0].key, "k");
  EXPECT_EQ(client.stats().dropped[OUTRIDER_DROPPED_EVENT_DATA], 4U);
}

TEST(Edges, CharArraysEndWhereTheirTextDoes) {
  ScratchFolder folder;
  const std::string endpoint = folder.endpoint();
  Receiver receiver(endpoint);
  Client client(endpoint);
  const char full[4] = {'a', 'b', 'c', 'd'};
  char reused[8] = "ab\0cdef";
  client.emit("t", full);
  client.emit("t", {{"f", full}, {"r", reused}});
  client.emit("t", std::string_view("a\0b", 3));
  ASSERT_TRUE(receiver.receive(3));
  EXPECT_EQ(receiver.events[0].data,
            "\xa4"
            "abcd");
  EXPECT_EQ(receiver.events[1].data,
            "\x82\xa1"
            "f\xa4"
            "abcd\xa1r\xa2"
            "ab");
  EXPECT_EQ(receiver.events[2].data, std::string("\xa3"
                                                 "a\0b",
                                                 4));
}

TEST(Edges, MoreTextThanMsgpackHoldsIsBadData) {
  Client client(nobody());
  const char one = 'x';
  // Refused by its length alone: its bytes are not there.
  EXPECT_EQ(client.emit("t", std::string_view(&one, (std::size_t{1} << 32U) + 3)),
            Status::bad_data);
}

/// Emits when its thread's other objects are gone.
struct Last {
  ~Last() {
    if (client != nullptr) client->emit("last", std::string(1'000, 'x'));
  }
  Client* client = nullptr;
};

TEST(Edges, AThreadMayEmitWhileItEnds) {
  ScratchFolder folder;
  const std::string endpoint = folder.endpoint();
  Receiver receiver(endpoint);
  Client client(endpoint);
  std::thread([&] {
    // Made before the buffer that events are packed in, and so destroyed after it.
    static thread_local Last last;
    last.client = &client;
    client.emit("first", std::string(1'000, 'x'));
  }).join();
  ASSERT_TRUE(receiver.receive(2));
  EXPECT_EQ(receiver.events[1].topic, "last");
}

}  // namespace
}  // namespace outrider::test
