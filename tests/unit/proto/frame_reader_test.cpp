#include "proto/frame_reader.hpp"

#include <array>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "proto/frame_writer.hpp"
#include "support/golden_frames.hpp"

// What the golden vectors cannot say; what a frame means stands there.

namespace outrider::proto {
namespace {

constexpr FrameLimits limits = {.frame_bytes_max = 4U << 20U, .event_bytes_max = 1U << 20U};

std::vector<std::uint8_t> bytes_of(std::string_view hex) {
  return test::from_hex(hex);
}

TEST(FrameReader, EveryPrefixOfEveryGoodFrameIsTruncated) {
  const test::GoldenFile golden = test::read_golden_frames();
  FrameReader reader({golden.frame_bytes_max, golden.event_bytes_max});
  for (const test::GoldenFrame& frame : golden.frames) {
    if (frame.refusal != 0) continue;
    for (std::size_t size = 0; size < frame.bytes.size(); ++size) {
      // On the heap in its exact size, so that the address sanitizer sees a read beyond it.
      const std::vector<std::uint8_t> cut(frame.bytes.begin(), frame.bytes.begin() + size);
      ASSERT_EQ(reader.open(cut), Refusal::frame_truncated) << frame.name << " at " << size;
      ASSERT_EQ(reader.event_count(), 0U);
    }
  }
}

TEST(FrameReader, NothingOfARefusedFrameCounts) {
  FrameReader reader(limits);
  ASSERT_EQ(reader.open(bytes_of("9301809293a16100c0c1")), Refusal::frame_malformed);
  EXPECT_EQ(reader.event_count(), 0U);
}

TEST(FrameReader, ViewsPointIntoTheFrame) {
  const std::vector<std::uint8_t> frame = bytes_of("9301809193a16100a2686a");
  FrameReader reader(limits);
  ASSERT_EQ(reader.open(frame), Refusal::none);
  EventView event;
  ASSERT_EQ(reader.next(event), Refusal::none);
  EXPECT_EQ(event.data.data() + event.data.size(), frame.data() + frame.size());
}

/// `count` events of which each has these bytes, in a frame.
std::vector<std::uint8_t> frame_of(std::size_t count, const std::vector<std::uint8_t>& event) {
  std::vector<std::uint8_t> frame = {0x93, 0x01, 0x80, 0xdd};
  for (unsigned shift = 32; shift > 0; shift -= 8) {
    frame.push_back(static_cast<std::uint8_t>(count >> (shift - 8)));
  }
  for (std::size_t i = 0; i < count; ++i) frame.insert(frame.end(), event.begin(), event.end());
  return frame;
}

TEST(FrameReader, AFrameOfTinyEventsLeavesNoLargeScratchBehind) {
  // Each is refused, and the reader must not keep many times the frame.
  const auto frame = frame_of(800'000, bytes_of("93a1200000"));
  FrameReader reader(limits);
  ASSERT_EQ(reader.open(frame), Refusal::none);
  EXPECT_EQ(reader.event_count(), 800'000U);
  EventView event;
  EXPECT_EQ(reader.next(event), Refusal::event_topic);
  EXPECT_LE(reader.scratch_bytes(), 12 * frame.size());

  ASSERT_EQ(reader.open(bytes_of("9301809193a16100c0")), Refusal::none);
  EXPECT_LE(reader.scratch_bytes(), 256U * 1024U);
}

TEST(FrameReader, AFrameOfMoreEventsThanItsBytesCanHoldIsRefusedAtOnce) {
  FrameReader reader(limits);
  EXPECT_EQ(reader.open(frame_of(4'000'000, {0xc0})), Refusal::frame_refusals);
  EXPECT_EQ(reader.event_count(), 0U);
  EXPECT_EQ(reader.scratch_bytes(), 0U);
  EXPECT_EQ(reader.open(frame_of(5121, {0xc0})), Refusal::frame_refusals);
  EXPECT_EQ(reader.open(frame_of(5120, {0xc0})), Refusal::none) << "each is refused alone";
}

TEST(FrameReader, RefusalsHaveNamesAndSentences) {
  EXPECT_EQ(describe(Refusal::event_topic).name, "event_topic");
  EXPECT_EQ(describe(Refusal::none).name, "none");
  for (const RefusalRow& row : refusals) {
    EXPECT_FALSE(row.sentence.empty());
    EXPECT_EQ(describe(row.refusal).name, row.name);
  }
}

TEST(FrameReader, AFrameThatIsTooLargeStillSaysWhoseItIs) {
  const std::array<std::uint8_t, client_id_bytes> client = {1, 2, 3};
  std::string frame = frame_head({.client_id = client, .sequence = 7}, 1);
  frame += std::string(1000, '\x90');
  FrameReader reader({.frame_bytes_max = 500, .event_bytes_max = 500});
  EXPECT_EQ(reader.open({reinterpret_cast<const std::uint8_t*>(frame.data()), frame.size()}),
            Refusal::frame_too_large);
  EXPECT_EQ(reader.header().sequence, 7U);
  EXPECT_EQ(reader.header().client_id.size(), client.size());
  EXPECT_EQ(reader.event_count(), 0U);
}

}  // namespace
}  // namespace outrider::proto
