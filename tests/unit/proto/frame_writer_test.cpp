#include "proto/frame_writer.hpp"

#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <msgpack.hpp>

#include "proto/frame_reader.hpp"

namespace outrider::proto {
namespace {

std::string event_head(std::uint32_t element_count, std::string_view topic, std::uint64_t time_ns) {
  std::vector<std::uint8_t> out(event_head_bytes_max(topic.size()));
  const std::uint8_t* end = write_event_head(out.data(), element_count, topic, time_ns);
  return {out.begin(), out.begin() + (end - out.data())};
}

msgpack::object_handle unpack(const std::string& bytes) {
  return msgpack::unpack(bytes.data(), bytes.size());
}

TEST(FrameWriter, EventHeadsOfEveryTopicLength) {
  for (std::size_t size = 1; size <= 255; ++size) {
    const std::string topic(size, 't');
    const std::string bytes = event_head(3, topic, 1'769'860'800'123'456'789) + '\xc0';
    const msgpack::object_handle handle = unpack(bytes);
    const msgpack::object event = handle.get();
    ASSERT_EQ(event.type, msgpack::type::ARRAY);
    ASSERT_EQ(event.via.array.size, 3U);
    EXPECT_EQ(event.via.array.ptr[0].as<std::string>(), topic);
    EXPECT_EQ(event.via.array.ptr[1].as<std::uint64_t>(), 1'769'860'800'123'456'789U);
  }
}

TEST(FrameWriter, AFourthElementIsForTheAttributes) {
  const std::string bytes = event_head(4, "a", UINT64_MAX) + "\xc0\x80";
  const msgpack::object_handle handle = unpack(bytes);
  EXPECT_EQ(handle.get().via.array.size, 4U);
  EXPECT_EQ(handle.get().via.array.ptr[1].as<std::uint64_t>(), UINT64_MAX);
}

TEST(FrameWriter, HeadersHoldWhatIsGivenAndNothingElse) {
  const std::vector<std::uint8_t> client_id(16, 0xab);
  const std::map<std::string, std::uint64_t, std::less<>> drops = {{"closed", 1}, {"full", 70'000}};
  FrameHeaderFields fields;
  fields.client_id = client_id;
  fields.sequence = 300;
  fields.host = "web-1";
  fields.pid = 4321;
  fields.library = "cpp/0.1.0";
  fields.drops = &drops;
  const std::string bytes = frame_head(fields, 0);
  const msgpack::object_handle handle = unpack(bytes);
  std::map<std::string, msgpack::object> header;
  handle.get().via.array.ptr[1].convert(header);
  EXPECT_EQ(header.size(), 6U);
  EXPECT_EQ(header["c"].as<std::vector<char>>(), std::vector<char>(16, '\xab'));
  EXPECT_EQ(header["s"].as<std::uint64_t>(), 300U);
  EXPECT_EQ(header["h"].as<std::string>(), "web-1");
  EXPECT_EQ(header["p"].as<std::uint64_t>(), 4321U);
  EXPECT_EQ(header["l"].as<std::string>(), "cpp/0.1.0");
  EXPECT_EQ((header["d"].as<std::map<std::string, std::uint64_t>>()),
            (std::map<std::string, std::uint64_t>{{"closed", 1}, {"full", 70'000}}));

  const std::map<std::string, std::uint64_t, std::less<>> no_drops;
  fields = {};
  fields.drops = &no_drops;
  EXPECT_EQ(frame_head(fields, 0), "\x93\x01\x80\x90");
}

TEST(FrameWriter, TheReaderTakesWhatTheWriterWrites) {
  for (const std::uint32_t count : {1U, 15U, 16U, 65'536U}) {
    FrameHeaderFields fields;
    fields.sequence = count;
    std::string frame = frame_head(fields, count);
    for (std::uint32_t i = 0; i < count; ++i) frame += event_head(3, "a.b", i) + '\xc0';
    FrameReader reader({frame.size(), 100});
    ASSERT_EQ(reader.open(as_bytes(frame)), Refusal::none);
    EXPECT_EQ(reader.header().sequence, count);
    ASSERT_EQ(reader.event_count(), count);
    for (std::uint32_t i = 0; i < count; ++i) {
      EventView event;
      ASSERT_EQ(reader.next(event), Refusal::none);
      ASSERT_EQ(event.time_ns, i);
    }
  }
}

}  // namespace
}  // namespace outrider::proto
