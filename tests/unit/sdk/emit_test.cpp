#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <typeinfo>
#include <vector>

#include <gtest/gtest.h>
#include <msgpack.hpp>
#include <sys/mman.h>

#include "bench/reference_event.hpp"
#include "outrider/client.hpp"
#include "unit/sdk/receiver.hpp"

namespace custom {

struct Order {
  std::uint64_t id = 0;
  std::string currency;
  MSGPACK_DEFINE_MAP(id, currency)
};

struct Throwing {
  template <typename Packer>
  void msgpack_pack(Packer& packer) const {
    packer.pack_map(2);
    throw std::runtime_error("cannot be packed");
  }
};

/// Emits while it is being packed, as a logging accessor might.
struct Nesting {
  outrider::Client* client = nullptr;
  template <typename Packer>
  void msgpack_pack(Packer& packer) const {
    packer.pack_array(2);
    packer.pack(1);
    client->emit("inner", {{"nested", true}});
    packer.pack(2);
  }
};

}  // namespace custom

namespace outrider::test {
namespace {

using namespace std::chrono_literals;

class EmitTest : public testing::Test {
 protected:
  /// The data of the n-th event, as msgpack-c prints it.
  std::string json(std::size_t n) {
    const std::string& data = receiver.events.at(n).data;
    std::ostringstream out;
    out << msgpack::unpack(data.data(), data.size()).get();
    return out.str();
  }

  ScratchFolder folder;
  Receiver receiver{folder.endpoint()};
  Client client{folder.endpoint()};
};

TEST_F(EmitTest, ReferenceEventComesThroughByteForByte) {
  msgpack::sbuffer packed;
  msgpack::packer packer(packed);
  bench::pack_reference_data(packer);
  const auto before = std::chrono::system_clock::now().time_since_epoch();
  ASSERT_EQ(client.emit(bench::reference_topic,
                        [](Writer& w) { bench::pack_reference_data(w.packer()); }),
            Status::ok);
  ASSERT_TRUE(receiver.receive(1));
  const ReceivedEvent& event = receiver.events[0];
  EXPECT_EQ(event.topic, "orders.paid");
  EXPECT_EQ(event.data, std::string(packed.data(), packed.size()));
  EXPECT_GE(event.time_ns, static_cast<std::uint64_t>(std::chrono::nanoseconds(before).count()));
  const std::size_t head_bytes = 1 + 1 + bench::reference_topic.size() + 9;
  EXPECT_EQ(head_bytes + packed.size(), bench::reference_event_bytes);
}

TEST_F(EmitTest, HeaderTellsWhoSends) {
  client.emit("a", 1);
  ASSERT_TRUE(receiver.receive(1));
  EXPECT_EQ(receiver.events[0].client_id.size(), 16U);
  EXPECT_EQ(receiver.pid, static_cast<std::uint64_t>(getpid()));
  EXPECT_EQ(receiver.library, std::string("outrider-cpp/") + outrider_version());
  EXPECT_FALSE(receiver.host.empty());
  EXPECT_EQ(receiver.last_sequence, 1U);
  EXPECT_TRUE(receiver.drops.empty());
  client.emit("a", 2);
  ASSERT_TRUE(receiver.receive(2));
  EXPECT_EQ(receiver.last_sequence, receiver.frames);
}

TEST_F(EmitTest, FieldsNestAndHoldAnyKind) {
  const std::string text = "text";
  const char* const null_text = nullptr;
  client.emit("t", {{"amount", 49.99},
                    {"user_id", 42},
                    {"literal", "abc"},
                    {"string", text},
                    {"view", std::string_view("v")},
                    {"null", nullptr},
                    {"null_text", null_text},
                    {"yes", true},
                    {"tags", {{"region", "eu"}, {"deep", {{"deeper", -1}}}}},
                    {"list", {1, 2, 3}},
                    {"names", {"x", "y"}},
                    {"vector", std::vector<int>{4, 5}},
                    {"none", std::optional<int>()},
                    {"order", custom::Order{7, "EUR"}}});
  ASSERT_TRUE(receiver.receive(1));
  EXPECT_EQ(json(0),
            R"({"amount":49.99,"user_id":42,"literal":"abc","string":"text","view":"v",)"
            R"("null":null,"null_text":null,"yes":true,)"
            R"("tags":{"region":"eu","deep":{"deeper":-1}},"list":[1,2,3],"names":["x","y"],)"
            R"("vector":[4,5],"none":null,"order":{"id":7,"currency":"EUR"}})");
}

TEST_F(EmitTest, ArraysOfCharAreTextWithinTheirBounds) {
  struct Bounded {
    char text[4];
    char behind[4];
  };
  Bounded full{{'a', 'b', 'c', 'd'}, {'X', 'X', 'X', '\0'}};
  const Bounded const_full = full;
  char buffer[8] = {'b', 'o', 'b', '\0', '?', '?', '?', '?'};
  const char padded[8] = {'b', 'o', 'b'};
  const char inner[4] = {'a', '\0', 'b', '\0'};
  client.emit("t", {{"full", full.text},
                    {"const_full", const_full.text},
                    {"buffer", buffer},
                    {"padded", padded},
                    {"empty", ""}});
  client.emit("t", {{"literal", "a\0b"}, {"inner", inner}});
  client.emit("t", [&](Writer& w) {
    w.map(2);
    w.field("full", full.text);
    w.key("inner");
    w.value("a\0b");
  });
  client.emit("t", full.text);
  client.emit("t", buffer);
  ASSERT_TRUE(receiver.receive(5));
  EXPECT_EQ(json(0), R"({"full":"abcd","const_full":"abcd","buffer":"bob","padded":"bob",)"
                     R"("empty":""})");
  EXPECT_EQ(receiver.events[1].data, std::string("\x82\xa7literal\xa3"
                                                 "a\0b"
                                                 "\xa5inner\xa3"
                                                 "a\0b",
                                                 23));
  EXPECT_EQ(receiver.events[2].data, std::string("\x82\xa4"
                                                 "full\xa4"
                                                 "abcd\xa5inner\xa3"
                                                 "a\0b",
                                                 21));
  EXPECT_EQ(json(3), R"("abcd")");
  EXPECT_EQ(json(4), R"("bob")");
}

TEST_F(EmitTest, TextThatMsgpackCannotCountIsTooLarge) {
  // Nothing of it is read: no more than addresses are taken for it.
  constexpr std::size_t bytes = (std::size_t{4} << 30U) + 3;
  void* const memory =
      mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  const std::string_view text(static_cast<const char*>(memory), bytes);
  EXPECT_EQ(client.emit("t", {{"text", text}}), Status::too_large);
  EXPECT_EQ(client.emit("t", text), Status::too_large);
  EXPECT_EQ(client.emit("t", {{text, 1}}), Status::too_large);
  EXPECT_EQ(client.emit("t", [&](Writer& w) { w.value(text); }), Status::too_large);
  EXPECT_EQ(client.deliver_wait(0ms, "t", text), Status::too_large);
  munmap(memory, bytes);
  EXPECT_EQ(client.stats().dropped[OUTRIDER_DROPPED_EVENT_TOO_LARGE], 4U);
}

TEST_F(EmitTest, WhatAThreadDestroysAtItsEndMayEmit) {
  struct EmitsAtTheEnd {
    Client* client = nullptr;
    ~EmitsAtTheEnd() { client->emit("last", {{"text", std::string(1'000, 'x')}}); }
  };
  std::thread([&] {
    // Made before the thread's buffer, and so destroyed after it.
    static thread_local EmitsAtTheEnd last;
    last.client = &client;
    client.emit("first", 1);
  }).join();
  ASSERT_TRUE(receiver.receive(2));
  EXPECT_EQ(receiver.events[1].topic, "last");

  static_assert(std::is_trivially_destructible_v<detail::PackBuffer>);
  detail::PackBuffer buffer;
  buffer.write("x", 1);
  buffer.end();
  EXPECT_EQ(buffer.size(), 1U);
  buffer.cut(0);
  EXPECT_EQ(buffer.data(), nullptr);
  buffer.write("x", 1);
  buffer.cut(0);
  EXPECT_EQ(buffer.data(), nullptr);
}

TEST(Emit, TheHeadersNamesCarryItsVersion) {
  std::string version = std::string("v") + outrider_version();
  std::ranges::replace(version, '.', '_');
  for (const char* name : {typeid(Client).name(), typeid(detail::PackBuffer).name(),
                           typeid(Field).name(), typeid(Writer).name()}) {
    EXPECT_NE(std::string_view(name).find(version), std::string_view::npos) << name;
  }
}

TEST_F(EmitTest, AnyPackableValueCanBeTheData) {
  client.emit("t", custom::Order{1, "EUR"});
  client.emit("t", std::map<std::string, int>{{"a", 1}});
  client.emit("t", std::numeric_limits<std::uint64_t>::max());
  client.emit("t", std::numeric_limits<std::int64_t>::min());
  client.emit("t", std::nan(""));
  client.emit("t", "just text");
  client.emit("t", nullptr);
  client.emit("t", {});
  client.emit("t", std::vector<char>{'\x00', '\x01'});
  ASSERT_TRUE(receiver.receive(9));
  EXPECT_EQ(json(0), R"({"id":1,"currency":"EUR"})");
  EXPECT_EQ(json(1), R"({"a":1})");
  EXPECT_EQ(json(2), "18446744073709551615");
  EXPECT_EQ(json(3), "-9223372036854775808");
  EXPECT_EQ(json(5), R"("just text")");
  EXPECT_EQ(json(6), "null");
  EXPECT_EQ(json(7), "{}");
  EXPECT_EQ(receiver.events[8].data, std::string("\xc4\x02\x00\x01", 4));
}

TEST_F(EmitTest, WriterWritesPieceByPiece) {
  client.emit("t", [](auto& w) {
    w.map(2);
    w.field("a", 1);
    w.key("list");
    w.array(2);
    w.value("x");
    w.value(2.5);
  });
  ASSERT_TRUE(receiver.receive(1));
  EXPECT_EQ(json(0), R"({"a":1,"list":["x",2.5]})");
}

TEST_F(EmitTest, AttributesComeThrough) {
  const std::array<std::uint8_t, 16> uuid{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
  const auto at = std::chrono::system_clock::time_point(1'800'000'000s);
  EXPECT_EQ(client.emit("t", {{"a", 1}},
                        {.uuid = uuid,
                         .key = "order-7",
                         .trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                         .time = at,
                         .at = at + 1s,
                         .ttl = 90s,
                         .priority = Priority::high}),
            Status::ok);
  EXPECT_EQ(client.emit("t", 1, {.id = "pay-1", .priority = Priority::low}), Status::ok);
  ASSERT_TRUE(receiver.receive(2));
  const ReceivedEvent& first = receiver.events[0];
  EXPECT_EQ(first.id, std::string(uuid.begin(), uuid.end()));
  EXPECT_FALSE(first.id_is_text);
  EXPECT_EQ(first.key, "order-7");
  EXPECT_EQ(first.trace, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
  EXPECT_EQ(first.time_ns, 1'800'000'000'000'000'000U);
  EXPECT_EQ(first.at_ns, 1'800'000'001'000'000'000U);
  EXPECT_EQ(first.ttl_ms, 90'000U);
  EXPECT_EQ(first.priority, proto::Priority::high);
  EXPECT_EQ(receiver.events[1].id, "pay-1");
  EXPECT_TRUE(receiver.events[1].id_is_text);
  EXPECT_EQ(receiver.events[1].priority, proto::Priority::low);
}

TEST_F(EmitTest, AttributesAtTheirLargestComeThrough) {
  const std::string id(64, 'i');
  const std::string key(255, 'k');
  const std::string trace(255, 't');
  const auto at = std::chrono::system_clock::time_point(1'800'000'000s);
  EXPECT_EQ(
      client.emit(
          std::string(255, 't'), 1,
          {.id = id, .key = key, .trace = trace, .at = at, .ttl = 1h, .priority = Priority::high}),
      Status::ok);
  ASSERT_TRUE(receiver.receive(1));
  EXPECT_EQ(receiver.events[0].id, id);
  EXPECT_EQ(receiver.events[0].key, key);
  EXPECT_EQ(receiver.events[0].trace, trace);
}

TEST_F(EmitTest, RefusalsAreStatusesAndReportedWithoutAnotherEvent) {
  EXPECT_EQ(client.emit("", 1), Status::bad_topic);
  EXPECT_EQ(client.emit("orders..paid", 1), Status::bad_topic);
  EXPECT_EQ(client.emit(std::string(256, 'a'), 1), Status::bad_topic);
  EXPECT_EQ(client.emit("t", custom::Throwing{}), Status::bad_data);
  EXPECT_EQ(client.emit("t", std::string(2U << 20U, 'x')), Status::too_large);
  const std::string long_key(256, 'k');
  EXPECT_EQ(client.emit("t", 1, {.key = long_key}), Status::bad_attributes);
  const std::array<std::uint8_t, 15> short_uuid{};
  EXPECT_EQ(client.emit("t", 1, {.uuid = short_uuid}), Status::bad_attributes);
  client.emit("t", 1);
  ASSERT_TRUE(receiver.receive(1));
  EXPECT_EQ(client.emit("not a topic", 1), Status::bad_topic);
  ASSERT_TRUE(comes_true([&] {
    receiver.receive_frame(10ms);
    return receiver.drops["event_topic"] == 4;
  }));
  EXPECT_EQ(receiver.drops["event_data"], 1U);
  EXPECT_EQ(receiver.drops["event_too_large"], 1U);
  EXPECT_EQ(receiver.drops["event_attributes"], 2U);
  EXPECT_EQ(receiver.events.size(), 1U);
  const outrider_stats stats = client.stats();
  EXPECT_EQ(stats.emitted, 9U);
  EXPECT_EQ(stats.shipped_events, 1U);
  EXPECT_EQ(stats.buffered_events, 0U);
}

TEST_F(EmitTest, MalformedDataNeverSpoilsAFrame) {
  const auto too_deep = [](Writer& w) {
    for (int i = 0; i < 40; ++i) w.array(1);
    w.value(1);
  };
  const auto too_few = [](Writer& w) { w.map(2), w.field("a", 1); };
  const auto too_many = [](Writer& w) { w.value(1), w.value(2); };
  for (int i = 0; i < 3; ++i) {
    client.emit("good", i);
    client.emit("bad", too_few);
    client.emit("bad", too_many);
    client.emit("bad", too_deep);
  }
  client.emit("good", 3);
  ASSERT_TRUE(receiver.receive(4));
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(json(i), std::to_string(i));
  ASSERT_TRUE(comes_true([&] {
    receiver.receive_frame(10ms);
    return receiver.drops["event_data"] == 9;
  }));
  const outrider_stats stats = client.stats();
  EXPECT_EQ(stats.emitted, 13U);
  EXPECT_EQ(stats.shipped_events, 4U);
  EXPECT_EQ(stats.buffered_events, 0U);
}

TEST_F(EmitTest, DataThatReachesIntoTheAttributesIsMalformed) {
  // Each of them is one event of four elements, if the attributes complete the data.
  const std::vector<std::string> datas = {
      std::string("\xc0\x81\xa1x", 4),                  // nil, and a name without its value
      std::string("\xc0\x81\xa3key\xd9\x08", 8),        // nil, and a key of eight bytes
      std::string("\xc0\x81\xa3key\xa8", 7),            // the same, shorter
      std::string("\xc0\xa8", 2),                       // nil, and a text of eight bytes
      std::string("\xc0", 1) + std::string("\xc0", 1),  // two values
      std::string("\x91", 1),                           // an array without its element
  };
  for (const std::string& data : datas) {
    outrider_event event{};
    event.struct_bytes = sizeof event;
    event.topic = "t";
    event.topic_bytes = 1;
    event.data = data.data();
    event.data_bytes = data.size();
    event.key = "k";  // eight bytes of attributes: a map, a name, a text
    event.key_bytes = 1;
    ASSERT_EQ(outrider_emit_event(client.handle(), &event), OUTRIDER_OK);
  }
  client.emit("good", 1, {.key = "k"});
  ASSERT_TRUE(receiver.receive(1));
  EXPECT_EQ(receiver.events[0].topic, "good");
  EXPECT_EQ(receiver.events[0].key, "k");
  EXPECT_TRUE(comes_true([&] {
    receiver.receive_frame(10ms);
    return receiver.drops["event_data"] == datas.size();
  }));
}

TEST_F(EmitTest, EmittingWhilePackingKeepsBothEvents) {
  EXPECT_EQ(client.emit("outer", custom::Nesting{&client}), Status::ok);
  ASSERT_TRUE(receiver.receive(2));
  EXPECT_EQ(json(0), R"({"nested":true})");
  EXPECT_EQ(json(1), "[1,2]");
}

TEST_F(EmitTest, LargeEventIsAFrameOfItsOwnAndOthersAreCut) {
  const std::string large(700'000, 'x');
  EXPECT_EQ(client.emit("large", large), Status::ok);
  ASSERT_TRUE(receiver.receive(1));
  EXPECT_EQ(receiver.events[0].data.size(), large.size() + 5);
  receiver.largest_frame_bytes = 0;
  const std::string text(10'000, 'y');
  for (int i = 0; i < 200; ++i) ASSERT_EQ(client.emit("t", text), Status::ok);
  ASSERT_TRUE(receiver.receive(201));
  EXPECT_LE(receiver.largest_frame_bytes, 256U << 10U);
}

TEST_F(EmitTest, EventsOfAThreadKeepTheirOrder) {
  constexpr std::size_t count = 20'000;
  for (std::size_t i = 0; i < count; ++i) ASSERT_EQ(client.emit("t", i), Status::ok);
  ASSERT_TRUE(receiver.receive(count));
  for (std::size_t i = 0; i < count; ++i) ASSERT_EQ(json(i), std::to_string(i));
}

TEST(Emit, WorksWithinTheProcess) {
  void* context = zmq_ctx_new();
  {
    Receiver receiver("inproc://sidecar", context);
    Options options;
    options.endpoint = "inproc://sidecar";
    options.zmq_context = context;
    Client client(options);
    EXPECT_EQ(client.emit("t", 1), Status::ok);
    EXPECT_TRUE(client.flush(patience));
    EXPECT_TRUE(receiver.receive(1));
  }
  zmq_ctx_term(context);
}

TEST(Emit, OptionsThatCannotWorkAreRefused) {
  const auto status = [](auto change) {
    Options options;
    change(options);
    Client client(options);
    EXPECT_EQ(client.emit("t", 1), Status::invalid_argument);
    return client.status();
  };
  const std::string long_path = "ipc:///" + std::string(120, 'a');
  EXPECT_EQ(status([&](Options& o) { o.endpoint = long_path.c_str(); }), Status::invalid_argument);
  for (const char* endpoint : {"",
                               "ipc://",
                               "ipc://*",
                               "tcp://localhost",
                               "tcp://:1",
                               "tcp://*:1",
                               "tcp://a:",
                               "tcp://a:0",
                               "tcp://a:65536",
                               "tcp://127.0.0.1:99999",
                               "tcp://a:4294967297",
                               "tcp://a:+1",
                               "tcp://a:1 ",
                               "tcp://a b:1",
                               "tcp://a:0x1",
                               "udp://a:1",
                               "x",
                               "inproc://nobody-can-be-there",
                               "tcp://a:b:1",
                               "tcp://[::1:80",
                               "tcp://-:1",
                               "tcp://[]:1",
                               "tcp://a/b:1",
                               "tcp://a:1;b:2",
                               "ipc://*x",
                               "ipc:///a\nb"}) {
    EXPECT_EQ(status([&](Options& o) { o.endpoint = endpoint; }), Status::invalid_argument)
        << endpoint;
    EXPECT_EQ(status([&](Options& o) { o.confirm_endpoint = endpoint; }), Status::invalid_argument)
        << endpoint;
  }
  for (const char* endpoint : {"tcp://[::1]:65535", "tcp://::1:80", "tcp://[fe80::1%lo]:80",
                               "tcp://name_of.an-example:1", "ipc://relative", "ipc://@abstract"}) {
    Options options;
    options.endpoint = endpoint;
    EXPECT_EQ(Client(options).status(), Status::ok) << endpoint;
  }
  EXPECT_EQ(status([](Options& o) { o.endpoint = nullptr; }), Status::invalid_argument);
  EXPECT_EQ(status([](Options& o) { o.buffer_bytes_max = 1; }), Status::invalid_argument);
  EXPECT_EQ(status([](Options& o) { o.frame_bytes_max = 1; }), Status::invalid_argument);
  EXPECT_EQ(status([](Options& o) { o.when_full = 7; }), Status::invalid_argument);
}

TEST_F(EmitTest, TimesThatCannotBeAreRefused) {
  const std::chrono::system_clock::time_point before_1970(-1h);
  const std::chrono::system_clock::time_point before_2000(std::chrono::seconds(946684799));
  EXPECT_EQ(client.emit("t", 1, {.ttl = -1ms}), Status::bad_attributes);
  EXPECT_EQ(client.emit("t", 1, {.delay = -1ms}), Status::bad_attributes);
  EXPECT_EQ(client.emit("t", 1, {.time = before_1970}), Status::bad_attributes);
  EXPECT_EQ(client.emit("t", 1, {.at = before_1970}), Status::bad_attributes);
  EXPECT_EQ(client.emit("t", 1, {.at = before_2000}), Status::bad_attributes);
  EXPECT_EQ(client.emit("t", 1, {.ttl = 0ms}), Status::ok) << "never expires";
  EXPECT_EQ(client.stats().dropped[OUTRIDER_DROPPED_EVENT_ATTRIBUTES], 5U);
}

}  // namespace
}  // namespace outrider::test
