#include "sidecar/ingest/ingest_agent.hpp"

#include <algorithm>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "proto/topic.hpp"
#include "support/fake_source.hpp"
#include "support/frames.hpp"
#include "support/manual_clock.hpp"
#include "support/memory_log.hpp"

namespace outrider::sidecar {
namespace {

using test::event_bytes;
using test::frame_bytes;
using test::numbered_data;

class IngestAgentTest : public ::testing::Test, protected RecordSink {
 protected:
  std::size_t accept(const ArrivedEvent& event, const Now&) override {
    records.emplace_back(event.record.begin(), event.record.end());
    topics.emplace_back(event.topic);
    return destinations;
  }

  RecordView record(std::size_t i) const { return read_record(records[i].data()); }
  std::uint64_t refused(proto::Refusal refusal) const {
    return agent.counters().refused[static_cast<std::size_t>(refusal)];
  }
  void turn() {
    while (agent.do_work(clock.now()) > 0) {
    }
  }

  test::FakeSource source;
  test::ManualClock clock;
  test::MemoryLog log;
  IngestAgent agent{
      source, {.frame_bytes_max = 10'000, .event_bytes_max = 1'000}, false, *this, log, 1};
  std::vector<std::vector<std::uint8_t>> records;
  std::vector<std::string> topics;
  std::size_t destinations = 1;
};

TEST_F(IngestAgentTest, TurnsEventsIntoRecordsWithIdTimeAndHost) {
  source.frames.push_back(frame_bytes(
      {event_bytes("orders.paid", 0, numbered_data(1)), event_bytes("a", 42, numbered_data(2))},
      {.host = "web-1"}));
  turn();
  ASSERT_EQ(topics, (std::vector<std::string>{"orders.paid", "a"}));
  EXPECT_EQ(record(0).time_ns, clock.now().wall_ns());
  EXPECT_EQ(record(1).time_ns, 42U);
  EXPECT_EQ(record(0).host, "web-1");
  EXPECT_EQ(record(0).id.size(), 16U);
  EXPECT_EQ(record(0).id[6] >> 4U, 7) << "a UUID of version 7";
  EXPECT_FALSE(std::ranges::equal(record(0).id, record(1).id));
  EXPECT_EQ(proto::as_text(record(1).data), numbered_data(2));
}

TEST_F(IngestAgentTest, ABadEventIsRefusedAloneAndCountedByReason) {
  source.frames.push_back(frame_bytes({
      event_bytes("good.one", 1, numbered_data(1)),
      event_bytes("bad topic", 1, numbered_data(2)),
      event_bytes("big", 1, "\xda\x07\xd0" + std::string(2000, 'x')),
      event_bytes("attr", 1, numbered_data(3), "\x81\xa3pri\x09"),
      event_bytes("good.two", 1, numbered_data(4)),
  }));
  turn();
  EXPECT_EQ(topics, (std::vector<std::string>{"good.one", "good.two"}));
  EXPECT_EQ(agent.counters().events, 2U);
  EXPECT_EQ(agent.counters().events_refused, 3U);
  EXPECT_EQ(refused(proto::Refusal::event_topic), 1U);
  EXPECT_EQ(refused(proto::Refusal::event_too_large), 1U);
  EXPECT_EQ(refused(proto::Refusal::event_attributes), 1U);
}

TEST_F(IngestAgentTest, AnIdThatCouldForgeAHeaderIsRefused) {
  for (const std::string id : {"x\r\nX-Evil: 1", "two words", "caf\xc3\xa9", "fine:1"}) {
    const std::string attributes =
        "\x81\xa2id" + std::string(1, static_cast<char>(0xa0U | id.size())) + id;
    source.frames.push_back(frame_bytes({event_bytes("a", 1, numbered_data(1), attributes)}));
  }
  turn();
  EXPECT_EQ(refused(proto::Refusal::event_attributes), 3U);
  EXPECT_EQ(topics.size(), 1U);
}

TEST_F(IngestAgentTest, AMalformedFrameCountsNothingAndTheNextOneIsTaken) {
  const std::string good = frame_bytes({event_bytes("a", 1, numbered_data(1))});
  source.frames.push_back(good.substr(0, good.size() - 1));
  source.frames.push_back(good + "x");
  source.frames.push_back(std::string(10'001, '\xc0'));
  source.frames.emplace_back("");
  source.frames.push_back(good);
  turn();
  EXPECT_EQ(topics.size(), 1U);
  EXPECT_EQ(agent.counters().frames, 5U);
  EXPECT_EQ(agent.counters().frames_refused, 4U);
  EXPECT_EQ(refused(proto::Refusal::frame_truncated), 2U);
  EXPECT_EQ(refused(proto::Refusal::frame_trailing), 1U);
  EXPECT_EQ(refused(proto::Refusal::frame_too_large), 1U);
}

TEST_F(IngestAgentTest, AFutureTimeIsRefusedRatherThanSentEarly) {
  std::string attributes(
      "\x81\xa2"
      "at\xcf",
      5);
  const std::uint64_t at_ns = clock.now().wall_ns() + 1;
  for (int shift = 56; shift >= 0; shift -= 8) {
    attributes += static_cast<char>((at_ns >> shift) & 0xff);
  }
  source.frames.push_back(frame_bytes({event_bytes("a", 1, numbered_data(1), attributes)}));
  turn();
  EXPECT_EQ(refused(proto::Refusal::event_scheduled), 1U);
  clock.advance(std::chrono::nanoseconds(1));
  source.frames.push_back(frame_bytes({event_bytes("a", 1, numbered_data(1), attributes)}));
  turn();
  EXPECT_EQ(topics.size(), 1U) << "once the time has come, it is an event like any other";
}

TEST_F(IngestAgentTest, ATurnIsBounded) {
  for (int i = 0; i < 3 * IngestAgent::frames_per_turn_max; ++i) {
    source.frames.push_back(frame_bytes({event_bytes("a", 1, numbered_data(1))}));
  }
  EXPECT_EQ(agent.do_work(clock.now()), IngestAgent::frames_per_turn_max);
  EXPECT_EQ(agent.counters().frames, static_cast<std::uint64_t>(IngestAgent::frames_per_turn_max));
}

TEST_F(IngestAgentTest, ATurnIsBoundedByWhatIsExaminedAndStopsInsideAFrame) {
  const std::uint64_t max = TurnBudget::events_max;
  IngestAgent large(source, {.frame_bytes_max = 200'000, .event_bytes_max = 1'000}, false, *this,
                    log, 1);
  const auto refused_shapes = [&] {
    return large.counters().refused[static_cast<std::size_t>(proto::Refusal::event_shape)];
  };
  source.frames.push_back(frame_bytes(std::vector<std::string>(2 * max + 1, "\xa4text")));
  source.frames.push_back(frame_bytes({event_bytes("polite", 1, numbered_data(1))}));
  EXPECT_EQ(large.do_work(clock.now()), 1);
  EXPECT_EQ(refused_shapes(), max);
  EXPECT_GT(large.do_work(clock.now()), 0) << "there is more to do";
  EXPECT_EQ(refused_shapes(), 2 * max);
  EXPECT_TRUE(topics.empty());
  EXPECT_GT(large.do_work(clock.now()), 0);
  EXPECT_EQ(refused_shapes(), 2 * max + 1);
  EXPECT_EQ(topics, std::vector<std::string>{"polite"});
  EXPECT_EQ(large.counters().frames, 2U);
  EXPECT_EQ(large.do_work(clock.now()), 0);
}

TEST_F(IngestAgentTest, ATurnIsBoundedInBytes) {
  IngestAgent large(source, {.frame_bytes_max = 10U << 20U, .event_bytes_max = 4U << 20U}, false,
                    *this, log, 1);
  std::string data("\xc6\x00\x30\x00\x00", 5);  // 3 MiB
  data += std::string(3U << 20U, 'x');
  for (int i = 0; i < 4; ++i) source.frames.push_back(frame_bytes({event_bytes("a", 1, data)}));
  EXPECT_EQ(large.do_work(clock.now()), 2);
  EXPECT_EQ(large.do_work(clock.now()), 2);
}

TEST_F(IngestAgentTest, ATurnIsBoundedByTheCopiesOfItsEvents) {
  destinations = 1000;
  const std::size_t in_a_turn = TurnBudget::copies_max / destinations;
  const std::string event = event_bytes("a", 1, numbered_data(1));
  source.frames.push_back(frame_bytes(std::vector<std::string>(in_a_turn + 15, event)));
  EXPECT_EQ(agent.do_work(clock.now()), 1);
  EXPECT_EQ(topics.size(), in_a_turn);
  EXPECT_EQ(agent.do_work(clock.now()), 1) << "there is more to do";
  EXPECT_EQ(topics.size(), in_a_turn + 15);
  destinations = 10 * TurnBudget::copies_max;
  topics.clear();
  source.frames.push_back(frame_bytes({event, event}));
  agent.do_work(clock.now());
  EXPECT_EQ(topics.size(), 1U) << "one event, however many copies it has";
}

TEST_F(IngestAgentTest, AStopTakesTheRestOfAFrameInTurnsAndNoOtherFrame) {
  const std::uint64_t max = TurnBudget::events_max;
  IngestAgent large(source, {.frame_bytes_max = 1'000'000, .event_bytes_max = 1'000}, false, *this,
                    log, 1);
  const std::string frame =
      frame_bytes(std::vector<std::string>(2 * max + 7, event_bytes("a", 1, numbered_data(1))));
  source.frames.push_back(frame);
  source.frames.push_back(frame);
  large.do_work(clock.now());
  large.begin_stop();
  EXPECT_EQ(large.do_work(clock.now()), 1);
  EXPECT_EQ(topics.size(), 2 * max);
  EXPECT_TRUE(large.is_inside_frame());
  EXPECT_EQ(large.do_work(clock.now()), 1);
  EXPECT_EQ(topics.size(), 2 * max + 7);
  EXPECT_FALSE(large.is_inside_frame());
  EXPECT_EQ(large.do_work(clock.now()), 0);
  EXPECT_EQ(source.frames.size(), 1U);
}

TEST_F(IngestAgentTest, WhatAStopLeavesOfAFrameIsRefusedAndCounted) {
  destinations = TurnBudget::copies_max;
  source.frames.push_back(
      frame_bytes(std::vector<std::string>(8, event_bytes("a", 1, numbered_data(1)))));
  agent.do_work(clock.now());
  agent.begin_stop();
  agent.refuse_rest(clock.now());
  EXPECT_EQ(agent.counters().events, 1U);
  EXPECT_EQ(agent.counters().events_refused, 7U);
  EXPECT_EQ(refused(proto::Refusal::stopping), 7U);
  EXPECT_EQ(log.count("reason=stopping"), 1);
  EXPECT_EQ(log.count("since_last_line=7"), 1);
  EXPECT_EQ(agent.do_work(clock.now()), 0);
}

TEST_F(IngestAgentTest, EachReasonHasALineWithTheValueThatBrokeTheRule) {
  source.frames.push_back(frame_bytes({
      event_bytes("bad topic\n" + std::string(200, 'y'), 1, numbered_data(1)),
      event_bytes("attr", 1, numbered_data(3), "\x81\xa3pri\x09"),
      event_bytes("another bad topic", 1, numbered_data(1)),
      std::string("\x93\xa1t\xcb\x3f\xf8\0\0\0\0\0\0\xc0", 13),
  }));
  source.frames.emplace_back(10'001, '\xc0');
  turn();
  EXPECT_EQ(log.count("refused"), 4);
  EXPECT_EQ(log.count("reason=event_topic"), 1);
  EXPECT_EQ(log.count("value=\"bad topic\\x0ayyy"), 1) << log.lines[0];
  EXPECT_LT(log.lines[0].size(), 400U);
  EXPECT_EQ(log.count("reason=event_attributes"), 1);
  EXPECT_EQ(log.count("value=pri: 9, topic \"attr\""), 1) << log.lines[1];
  EXPECT_EQ(log.count("value=1.5"), 1);
  EXPECT_EQ(log.count("value=10001 bytes"), 1);
}

TEST_F(IngestAgentTest, TheLineOfARefusedFrameHasTheValueThatBrokeTheRule) {
  struct Case {
    std::string frame;
    std::string_view said;
  };
  const std::vector<Case> cases = {
      {"\x93\x02\x80\x90", "reason=frame_version because=*value=2 "},
      {"\x93\x01\x81\xa1s\xff\x90", "reason=frame_header because=*value=s: -1 "},
      {"\x93\x01\x81\xa1h\x05\x90", "reason=frame_header because=*value=h: 5 "},
      {"\x93\x01\x81\xa1"
       "d\x81\xa1x\xa1y\x90",
       "reason=frame_header because=*value=d: {\"x\": \"y\"} "},
      {"\x93\x01\x80\x80", "reason=frame_shape because=*value=[1, map of 0, map of 0] "},
      {"\x81\xa1"
       "a\x01",
       "reason=frame_shape because=*value={\"a\": 1} "},
      {"\x93\x01\x80\x91\xc1", "reason=frame_malformed because=*value=5 bytes, read to byte "},
      {"\x93\x01\x80\x90\x90", "reason=frame_trailing because=*value=5 bytes, read to byte 4 "},
      {"\x93\x01\x80", "reason=frame_truncated because=*value=3 bytes, read to byte 3 "},
  };
  for (const Case& one : cases) {
    clock.advance(std::chrono::seconds(11));
    log.lines.clear();
    source.frames.push_back(one.frame);
    turn();
    ASSERT_EQ(log.lines.size(), 1U) << one.said;
    const std::size_t star = one.said.find('*');
    EXPECT_EQ(log.count(one.said.substr(0, star)), 1) << log.lines[0];
    EXPECT_EQ(log.count(one.said.substr(star + 1)), 1) << log.lines[0];
  }
}

TEST_F(IngestAgentTest, ADateInSecondsOrMillisecondsIsRefusedRatherThanSentAtOnce) {
  const std::string seconds(
      "\x81\xa2"
      "at\xce\x69\x7d\xf0\xc0",
      9);
  const std::string none(
      "\x81\xa2"
      "at\0",
      5);
  source.frames.push_back(frame_bytes({event_bytes("a", 1, numbered_data(1), seconds),
                                       event_bytes("b", 0, numbered_data(1), none)}));
  turn();
  EXPECT_EQ(refused(proto::Refusal::event_date), 1U);
  EXPECT_EQ(topics, std::vector<std::string>{"b"});
  EXPECT_EQ(log.count("this may be seconds or milliseconds"), 1);
  EXPECT_EQ(log.count("value=at: 1769861312, topic \"a\""), 1) << log.lines[0];
}

TEST_F(IngestAgentTest, ATimeInSecondsOrMillisecondsIsSaidAndTaken) {
  for (const std::uint64_t time : {1'769'860'800ULL, 1'769'860'800'123ULL}) {
    source.frames.push_back(frame_bytes({event_bytes("a", time, numbered_data(1))}));
  }
  source.frames.push_back(
      frame_bytes({event_bytes("a", 0, numbered_data(1)),
                   event_bytes("a", 946'684'800ULL * 1'000'000'000, numbered_data(1))}));
  turn();
  EXPECT_EQ(topics.size(), 4U);
  EXPECT_EQ(log.count("before the year 2000"), 1);
  EXPECT_EQ(log.count("value=1769860800"), 1);
  clock.advance(std::chrono::seconds(11));
  source.frames.push_back(frame_bytes({event_bytes("a", 1'769'860'800, numbered_data(1))}));
  turn();
  EXPECT_EQ(log.count("since_last_line=2"), 1);
}

TEST_F(IngestAgentTest, ATimeToLiveRunsFromADateThatIsLaterThanTheTime) {
  const std::uint64_t wall_ns = clock.now().wall_ns();
  const auto number = [](std::uint64_t value) {
    std::string text("\xcf");
    for (int shift = 56; shift >= 0; shift -= 8) text += static_cast<char>((value >> shift) & 0xff);
    return text;
  };
  const auto event = [&](std::uint64_t time_ns, std::uint64_t at_ns, std::uint64_t ttl_ms) {
    return event_bytes("a", time_ns, numbered_data(1),
                       "\x82\xa2"
                       "at" +
                           number(at_ns) + "\xa3ttl" + number(ttl_ms));
  };
  const std::uint64_t second_ns = 1'000'000'000;
  source.frames.push_back(frame_bytes({
      event(wall_ns - 10 * second_ns, wall_ns - second_ns, 5'000),  // its ttl alone is over
      event(wall_ns - 10 * second_ns, wall_ns - 20 * second_ns, 15'000),
      event(wall_ns - 10 * second_ns, wall_ns, 0),
      event(wall_ns - 10 * second_ns, wall_ns, UINT64_MAX),
  }));
  turn();
  ASSERT_EQ(records.size(), 4U);
  const auto left_ms = [&](std::size_t i) {
    return std::chrono::round<std::chrono::milliseconds>(record(i).expires_at - clock.now().mono);
  };
  EXPECT_EQ(left_ms(0).count(), 4'001) << "to the next millisecond";
  EXPECT_EQ(left_ms(1).count(), 5'000);
  EXPECT_EQ(record(2).expires_at, never);
  EXPECT_EQ(record(3).expires_at, never);
}

TEST_F(IngestAgentTest, AFloodOfBadFramesIsOneLineInTheLog) {
  for (int i = 0; i < 1000; ++i) source.frames.emplace_back("\xc1");
  turn();
  EXPECT_EQ(log.count("refused"), 1);
  clock.advance(std::chrono::seconds(11));
  source.frames.emplace_back("\xc1");
  turn();
  EXPECT_EQ(log.count("since_last_line=1000"), 1) << "999 untold ones and the new one";
}

/// Data where the topic, the time, an attribute or an event belongs.
constexpr std::string_view password = "\x81\xa8password\xa7hunter3";
std::string misplaced(std::string_view topic, std::string_view time, std::string_view attributes) {
  return "\x94" + std::string(topic) + std::string(time) + "\x01" + std::string(attributes);
}

TEST_F(IngestAgentTest, WhatIsRedactedIsInNoLineAboutARefusal) {
  const std::string map(password);
  const std::vector<std::string> frames = {
      frame_bytes({misplaced(map, "\x01", "\x80")}),
      frame_bytes({misplaced("\xa3t.x", map, "\x80")}),
      frame_bytes({misplaced("\xa3t.x", "\x01", "\x81\xa3key" + map)}),
      frame_bytes({"\x92\xa3t.x" + map}),
      "\x93\x01" + map,
      "\x92" + map + "\x90",
      "\x93" + map + "\x80\x90",
      "\x93\x01\x81\xa1h" + map + "\x90",
      frame_bytes({misplaced("\xa7hunter3", "\xa7hunter3", "\x80")}),
  };
  IngestAgent discreet(source, {.frame_bytes_max = 10'000, .event_bytes_max = 1'000}, false, *this,
                       log, 1, true);
  for (const std::string& frame : frames) {
    source.frames.push_back(frame);
    discreet.do_work(clock.now());
    clock.advance(std::chrono::seconds(11));
  }
  EXPECT_EQ(log.count("refused"), static_cast<int>(frames.size()));
  EXPECT_EQ(log.count("password"), 0);
  EXPECT_EQ(log.count("value=\"hunter3"), 0);
  EXPECT_EQ(log.count("value=map of 1"), 2) << "topic and time";
  EXPECT_EQ(log.count("value=key: map of 1, topic \"t.x\""), 1);
  EXPECT_EQ(log.count("value=h: map of 1"), 1);
  EXPECT_EQ(log.count("value=str of 7 bytes"), 1);
}

TEST_F(IngestAgentTest, ARefusedFrameIsNotLostOnTheWay) {
  const std::vector<std::uint8_t> client(16, 1);
  const auto frame = [&](std::uint64_t sequence, std::size_t data_bytes = 1) {
    return frame_bytes({event_bytes("a", 1, "\xda\x30\x00" + std::string(data_bytes, 'x'))},
                       {.client_id = client, .sequence = sequence});
  };
  const auto good = [&](std::uint64_t sequence) {
    return frame_bytes({}, {.client_id = client, .sequence = sequence});
  };
  source.frames = {good(1), frame(2, 0x3000), good(3) + "x", good(5)};
  turn();
  EXPECT_EQ(agent.counters().frames_refused, 2U);
  EXPECT_EQ(agent.clients().frames_missing(), 1U);
}

TEST_F(IngestAgentTest, LossesOfClientsAreSaidWhileTheyGoOn) {
  const std::vector<std::uint8_t> client(16, 1);
  std::map<std::string, std::uint64_t, std::less<>> drops;
  const auto come = [&](std::uint64_t sequence) {
    source.frames.push_back(
        frame_bytes({}, {.client_id = client, .sequence = sequence, .drops = &drops}));
    turn();
  };
  come(1);
  EXPECT_TRUE(log.lines.empty());
  EXPECT_EQ(agent.next_deadline(), never);
  drops["buffer_full"] = 10;
  come(2);
  EXPECT_EQ(log.count("dropped_by_clients=buffer_full 10 frames_that_never_came=0"), 1);
  drops["buffer_full"] = 15;
  drops["too_large"] = 1;
  come(3);
  come(8);
  EXPECT_EQ(log.lines.size(), 1U) << "one in ten seconds";
  ASSERT_EQ(agent.next_deadline(), clock.now().mono + ClientLossLog::interval);
  clock.advance(ClientLossLog::interval);
  turn();
  EXPECT_EQ(log.count("dropped_by_clients=buffer_full 5, too_large 1 frames_that_never_came=4"), 1);
  clock.advance(ClientLossLog::interval);
  come(9);
  EXPECT_EQ(log.lines.size(), 2U) << "nothing new";
  EXPECT_EQ(agent.next_deadline(), never);
}

TEST(ClientTable, AddsUpWhatClientsDroppedAndWhatNeverCame) {
  ClientTable table;
  test::ManualClock clock;
  const std::vector<std::uint8_t> client(16, 1);
  std::map<std::string, std::uint64_t, std::less<>> drops;
  const auto note = [&](std::uint64_t sequence) {
    const std::string frame =
        frame_bytes({}, {.client_id = client, .sequence = sequence, .drops = &drops});
    proto::FrameReader reader({.frame_bytes_max = 1000, .event_bytes_max = 1000});
    ASSERT_EQ(reader.open(proto::as_bytes(frame)), proto::Refusal::none);
    table.note(reader.header(), clock.now());
  };
  note(5);  // the first one seen: those before went elsewhere
  EXPECT_EQ(table.frames_missing(), 0U);
  drops["buffer_full"] = 10;
  note(6);
  note(6);  // a repetition says nothing new
  drops["buffer_full"] = 12;
  drops["too_large"] = 1;
  note(9);
  EXPECT_EQ(table.frames_missing(), 2U);
  EXPECT_EQ(table.drops().at("buffer_full"), 12U);
  EXPECT_EQ(table.drops().at("too_large"), 1U);
}

class ClientTableTest : public ::testing::Test {
 protected:
  using Drops = std::map<std::string, std::uint64_t, std::less<>>;

  void note(std::uint32_t client, std::uint64_t sequence, const Drops& drops = {}) {
    std::vector<std::uint8_t> id(16, 0);
    for (int i = 0; i < 4; ++i) id[i] = static_cast<std::uint8_t>(client >> (8 * i));
    const std::string frame = frame_bytes(
        {}, {.client_id = id, .sequence = sequence, .drops = drops.empty() ? nullptr : &drops});
    proto::FrameReader reader({.frame_bytes_max = 100'000, .event_bytes_max = 1000});
    ASSERT_EQ(reader.open(proto::as_bytes(frame)), proto::Refusal::none);
    table.note(reader.header(), clock.now());
  }
  void flood() {
    for (std::uint32_t i = 0; i < ClientTable::clients_max + 10; ++i) note(1'000'000 + i, 1);
  }

  ClientTable table;
  test::ManualClock clock;
};

/// As a map with half as many buckets would see it.
TEST(ClientTableHash, TellsIdsApartByAllTheirBytes) {
  const ClientTable::Hash hash;
  for (std::size_t at = 0; at < proto::client_id_bytes; at += 2) {
    std::set<std::size_t> buckets;
    for (std::size_t i = 0; i < 4096; ++i) {
      ClientTable::ClientId id{};
      id[at] = static_cast<std::uint8_t>(i);
      id[at + 1] = static_cast<std::uint8_t>(i >> 8U);
      buckets.insert(hash(id) % 2048);
    }
    EXPECT_GT(buckets.size(), 1500U) << at;
  }
  EXPECT_NE(hash({}), ClientTable::Hash()({})) << "each has a seed of its own";
}

TEST_F(ClientTableTest, IsBoundedInClients) {
  flood();
  EXPECT_EQ(table.client_count(), ClientTable::clients_max);
}

TEST_F(ClientTableTest, IsBoundedInReasonsAndForgetsNoDrop) {
  Drops drops;
  for (int i = 0; i < 98; ++i) drops["reason" + std::to_string(i)] = 1;
  drops[std::string(1000, 'x')] = 1;
  drops["\xff\n"] = 1;
  note(1, 1, drops);
  std::uint64_t total = 0;
  for (const auto& [reason, events] : table.drops()) {
    total += events;
    EXPECT_LE(reason.size(), ClientTable::reason_bytes_max);
    EXPECT_TRUE(proto::is_valid_topic(reason)) << reason;
  }
  EXPECT_EQ(total, 100U) << "no drop is forgotten";
  note(1, 2, drops);
  drops["reason97"] = 5;
  note(1, 3, drops);
  total = 0;
  for (const auto& [reason, events] : table.drops()) total += events;
  EXPECT_EQ(total, 104U) << "nor counted twice";
}

TEST_F(ClientTableTest, IsBoundedInReasonsThatChangeWithEveryFrame) {
  for (int frame = 1; frame <= 500; ++frame) {
    Drops drops;
    for (int i = 0; i < 20; ++i) {
      drops["r" + std::to_string(frame) + "_" + std::to_string(i)] = 1;
    }
    note(1, static_cast<std::uint64_t>(frame), drops);
    note(2, static_cast<std::uint64_t>(frame), drops);
  }
  EXPECT_LE(table.reason_count(), 3 * (ClientTable::reasons_max + 1));
}

TEST_F(ClientTableTest, OfAHugeHeaderEveryDropCounts) {
  Drops drops;
  for (int i = 0; i < 5000; ++i) drops["reason" + std::to_string(i)] = 2;
  note(1, 1, drops);
  note(1, 2, drops);
  std::uint64_t total = 0;
  for (const auto& [reason, events] : table.drops()) total += events;
  EXPECT_EQ(total, 10'000U);
}

TEST_F(ClientTableTest, TotalsEndAtTheLargestNumber) {
  note(1, 1, {{"full", UINT64_MAX}});
  note(2, 1, {{"full", UINT64_MAX - 5}});
  note(3, 1, {{"\xff", UINT64_MAX}, {"\xfe", 7}});
  EXPECT_EQ(table.drops().at("full"), UINT64_MAX);
  EXPECT_EQ(table.drops().at("other"), UINT64_MAX);
  note(1, UINT64_MAX - 10);
  note(2, UINT64_MAX - 10);
  EXPECT_EQ(table.frames_missing(), UINT64_MAX);
}

TEST_F(ClientTableTest, AFloodOfNewClientsMakesNobodyForgottenWhoWasThereBefore) {
  note(1, 10, {{"full", 7}});
  flood();
  note(1, 12, {{"full", 7}});
  EXPECT_EQ(table.drops().at("full"), 7U) << "counted once";
  EXPECT_EQ(table.frames_missing(), 1U);
  clock.advance(ClientTable::silence_min);
  flood();
  EXPECT_EQ(table.client_count(), ClientTable::clients_max);
  note(1, 20);
  EXPECT_EQ(table.frames_missing(), 1U) << "after an hour's silence it may be forgotten";
}

}  // namespace
}  // namespace outrider::sidecar
