#include "sidecar/ingest/ingest_agent.hpp"

#include <algorithm>

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
  void accept(const ArrivedEvent& event, const Now&) override {
    records.emplace_back(event.record.begin(), event.record.end());
    topics.emplace_back(event.topic);
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

TEST_F(IngestAgentTest, AFloodOfBadFramesIsOneLineInTheLog) {
  for (int i = 0; i < 1000; ++i) source.frames.emplace_back("\xc1");
  turn();
  EXPECT_EQ(log.count("refused"), 1);
  clock.advance(std::chrono::seconds(11));
  source.frames.emplace_back("\xc1");
  turn();
  EXPECT_EQ(log.count("since_last_line=1000"), 1) << "999 untold ones and the new one";
}

TEST(ClientTable, AddsUpWhatClientsDroppedAndWhatNeverCame) {
  ClientTable table;
  const std::vector<std::uint8_t> client(16, 1);
  std::map<std::string, std::uint64_t, std::less<>> drops;
  const auto note = [&](std::uint64_t sequence) {
    const std::string frame =
        frame_bytes({}, {.client_id = client, .sequence = sequence, .drops = &drops});
    proto::FrameReader reader({.frame_bytes_max = 1000, .event_bytes_max = 1000});
    ASSERT_EQ(reader.open(proto::as_bytes(frame)), proto::Refusal::none);
    table.note(reader.header());
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

TEST(ClientTable, IsBoundedInClientsAndInReasons) {
  ClientTable table;
  std::map<std::string, std::uint64_t, std::less<>> drops;
  for (int i = 0; i < 98; ++i) drops["reason" + std::to_string(i)] = 1;
  drops[std::string(1000, 'x')] = 1;
  drops["\xff\n"] = 1;
  std::vector<std::uint8_t> client(16, 0);
  for (std::size_t i = 0; i < ClientTable::clients_max + 10; ++i) {
    client[0] = static_cast<std::uint8_t>(i);
    client[1] = static_cast<std::uint8_t>(i >> 8U);
    client[2] = static_cast<std::uint8_t>(i >> 16U);
    proto::FrameHeader header;
    header.client_id = client;
    header.sequence = 1;
    table.note(header);
  }
  EXPECT_EQ(table.client_count(), ClientTable::clients_max);

  const std::string frame = frame_bytes({}, {.client_id = client, .sequence = 2, .drops = &drops});
  proto::FrameReader reader({.frame_bytes_max = 10'000, .event_bytes_max = 1000});
  ASSERT_EQ(reader.open(proto::as_bytes(frame)), proto::Refusal::none);
  table.note(reader.header());
  EXPECT_LE(table.drops().size(), ClientTable::reasons_max + 1);
  std::uint64_t total = 0;
  for (const auto& [reason, events] : table.drops()) total += events;
  EXPECT_EQ(total, 100U) << "no drop is forgotten";
  for (const auto& [reason, events] : table.drops()) {
    EXPECT_LE(reason.size(), ClientTable::reason_bytes_max);
    EXPECT_TRUE(proto::is_valid_topic(reason)) << reason;
  }
}

}  // namespace
}  // namespace outrider::sidecar
