#include "sidecar/base/record.hpp"

#include <vector>

#include <gtest/gtest.h>

namespace outrider::sidecar {
namespace {

using namespace std::chrono_literals;

TEST(Record, KeepsEveryFieldOfTheEvent) {
  const std::vector<std::uint8_t> data = {0x81, 0xa1, 'a', 0x01};
  const std::vector<std::uint8_t> default_id(16, 7);
  proto::EventView event;
  event.topic = "orders.paid";
  event.time_ns = 5;
  event.data = data;
  event.attributes.id = proto::as_bytes("evt-1");
  event.attributes.id_is_text = true;
  event.attributes.key = "user-9";
  event.attributes.trace = "00-ab";
  event.attributes.ttl_ms = 2;
  event.attributes.priority = proto::Priority::high;
  const Now arrived = {MonoTime(1h), WallTime(1'000'005ns)};
  const RecordContext context{default_id, "web-1", arrived};

  std::vector<std::uint8_t> bytes(record_bytes(event, context));
  write_record(event, context, bytes.data());
  const RecordView view = read_record(bytes.data());

  EXPECT_EQ(record_bytes_at(bytes.data()), bytes.size());
  EXPECT_EQ(view.bytes.size(), bytes.size());
  EXPECT_EQ(proto::as_text(view.id), "evt-1");
  EXPECT_TRUE(view.id_is_text);
  EXPECT_EQ(view.topic, "orders.paid");
  EXPECT_EQ(view.key, "user-9");
  EXPECT_EQ(view.trace, "00-ab");
  EXPECT_EQ(view.host, "web-1");
  EXPECT_EQ(view.time_ns, 5U);
  EXPECT_EQ(view.expires_at, MonoTime(1h) + 1ms) << "one of its two was over on arrival";
  EXPECT_EQ(view.priority, proto::Priority::high);
  EXPECT_EQ(std::vector<std::uint8_t>(view.data.begin(), view.data.end()), data);
}

TEST(Record, SettlesWhatTheEventLeavesOpen) {
  const std::vector<std::uint8_t> data = {0xc0};
  const std::vector<std::uint8_t> default_id(16, 7);
  proto::EventView event;
  event.topic = "a";
  event.data = data;
  const RecordContext context{default_id, "", {MonoTime(1h), WallTime(99ns)}};

  std::vector<std::uint8_t> bytes(record_bytes(event, context));
  write_record(event, context, bytes.data());
  const RecordView view = read_record(bytes.data());

  EXPECT_EQ(view.time_ns, 99U);
  EXPECT_EQ(view.expires_at, never);
  EXPECT_EQ(std::vector<std::uint8_t>(view.id.begin(), view.id.end()), default_id);
  EXPECT_FALSE(view.id_is_text);
  EXPECT_TRUE(view.host.empty());
}

TEST(Record, AnEndlessTimeToLiveDoesNotWrapAround) {
  const std::vector<std::uint8_t> data = {0xc0};
  proto::EventView event;
  event.topic = "a";
  event.time_ns = 1;
  event.data = data;
  event.attributes.ttl_ms = UINT64_MAX;
  std::vector<std::uint8_t> bytes(record_bytes(event, {}));
  write_record(event, {}, bytes.data());
  EXPECT_EQ(read_record(bytes.data()).expires_at, never);
}

TEST(Record, AnEventThatIsTooOldOnArrivalExpiresAtOnce) {
  const std::vector<std::uint8_t> data = {0xc0};
  proto::EventView event;
  event.topic = "a";
  event.time_ns = 1;
  event.data = data;
  event.attributes.ttl_ms = 1;
  const RecordContext context{{}, "", {MonoTime(1h), WallTime(1s)}};
  std::vector<std::uint8_t> bytes(record_bytes(event, context));
  write_record(event, context, bytes.data());
  EXPECT_EQ(read_record(bytes.data()).expires_at, MonoTime(1h));
}

TEST(Record, ATimeInTheFutureDoesNotMakeAnEventLiveLonger) {
  const std::vector<std::uint8_t> data = {0xc0};
  proto::EventView event;
  event.topic = "a";
  event.time_ns = 3'600'000'000'000;
  event.data = data;
  event.attributes.ttl_ms = 1;
  const RecordContext context{{}, "", {MonoTime(1h), WallTime(1s)}};
  std::vector<std::uint8_t> bytes(record_bytes(event, context));
  write_record(event, context, bytes.data());
  EXPECT_EQ(read_record(bytes.data()).expires_at, MonoTime(1h) + 1ms);
}

TEST(Record, IsStoredByTheWallClockAndComesBackByTheMonotonicOneOfAnotherProcess) {
  const std::vector<std::uint8_t> data = {0x81, 0xa1, 'a', 0x01};
  const std::vector<std::uint8_t> id(16, 7);
  proto::EventView event;
  event.topic = "orders.paid";
  event.time_ns = 3'000'000'000;
  event.data = data;
  event.attributes.key = "user-9";
  event.attributes.ttl_ms = 10'000;
  event.attributes.priority = proto::Priority::high;
  const Now before = {MonoTime(1h), WallTime(3s)};
  const RecordContext context{id, "web-1", before};
  std::vector<std::uint8_t> bytes(record_bytes(event, context));
  write_record(event, context, bytes.data());
  const RecordView record = read_record(bytes.data());

  std::vector<std::uint8_t> stored(stored_record_bytes(record));
  write_stored_record(record, before, stored.data());
  EXPECT_EQ(sound_record_bytes(stored), stored.size());

  const Now after = {MonoTime(5s), WallTime(7s)};
  const RecordOrigin origin{42, 3};
  std::vector<std::uint8_t> restored(restored_record_bytes(stored));
  restore_record(stored, origin, after, restored.data());
  const RecordView view = read_record(restored.data());
  EXPECT_TRUE(has_record_origin_at(restored.data()));
  ASSERT_TRUE(view.origin);
  EXPECT_EQ(std::int64_t{view.origin->block}, 42);
  EXPECT_EQ(std::uint32_t{view.origin->index}, 3U);
  EXPECT_EQ(view.expires_at, MonoTime(5s) + 6s) << "four of its ten seconds were over";
  EXPECT_EQ(view.topic, "orders.paid");
  EXPECT_EQ(view.key, "user-9");
  EXPECT_EQ(view.host, "web-1");
  EXPECT_EQ(view.time_ns, 3'000'000'000U);
  EXPECT_EQ(view.priority, proto::Priority::high);
  EXPECT_EQ(std::vector<std::uint8_t>(view.data.begin(), view.data.end()), data);

  std::vector<std::uint8_t> again(stored_record_bytes(view));
  write_stored_record(view, after, again.data());
  EXPECT_EQ(again, stored) << "the same bytes, however often it goes to disk";
}

TEST(Record, WhatIsCutShortOrNoRecordIsNotSound) {
  const std::vector<std::uint8_t> data = {0xc0};
  const std::vector<std::uint8_t> id(16, 7);
  proto::EventView event;
  event.topic = "a";
  event.data = data;
  const RecordContext context{id, "", {MonoTime(1h), WallTime(99ns)}};
  std::vector<std::uint8_t> bytes(record_bytes(event, context));
  write_record(event, context, bytes.data());
  EXPECT_EQ(sound_record_bytes(bytes), bytes.size());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(sound_record_bytes({bytes.data(), size}), 0U) << size;
  }
  const std::vector<std::uint8_t> noise(100, 0xff);
  EXPECT_EQ(sound_record_bytes(noise), 0U);
}

}  // namespace
}  // namespace outrider::sidecar
