// Frames changed at random: the reader must never crash or read outside them (the address
// sanitizer watches), and what it takes must be msgpack in msgpack-c's eyes too.
#include <random>
#include <vector>

#include <gtest/gtest.h>
#include <msgpack.hpp>

#include "proto/frame_reader.hpp"
#include "proto/topic.hpp"
#include "support/golden_frames.hpp"

namespace outrider::proto {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr int frames_max = 200'000;
constexpr std::uint64_t seed = 20'260'131;

class RandomFrames : public testing::Test {
 protected:
  std::size_t below(std::size_t bound) { return random_() % bound; }

  /// One to four changes: a byte set, bytes taken out, bytes doubled, the end cut off.
  Bytes changed(Bytes bytes) {
    for (std::size_t left = 1 + below(4); left > 0 && !bytes.empty(); --left) {
      const auto at = bytes.begin() + static_cast<std::ptrdiff_t>(below(bytes.size()));
      const auto end =
          at + static_cast<std::ptrdiff_t>(1 + below(static_cast<std::size_t>(bytes.end() - at)));
      switch (below(5)) {
        case 0:
          *at = static_cast<std::uint8_t>(random_());
          break;
        case 1:
          *at = static_cast<std::uint8_t>(*at ^ (1U << below(8)));
          break;
        case 2:
          bytes.erase(at, end);
          break;
        case 3: {
          const Bytes part(at, end);
          bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(below(bytes.size())),
                       part.begin(), part.end());
          break;
        }
        default:
          bytes.erase(at, bytes.end());
      }
    }
    return bytes;
  }

  void check(const Bytes& bytes) {
    // On the heap in its exact size, so that the address sanitizer sees a read beyond it.
    const Bytes frame(bytes);
    if (reader_.open(frame) != Refusal::none) {
      ASSERT_EQ(reader_.event_count(), 0U);
      return;
    }
    ++taken_;
    for (std::size_t left = reader_.event_count(); left > 0; --left) {
      EventView event;
      if (reader_.next(event) != Refusal::none) continue;
      ++events_;
      ASSERT_TRUE(is_valid_topic(event.topic));
      std::size_t offset = 0;
      const auto* data = reinterpret_cast<const char*>(event.data.data());
      ASSERT_NO_THROW(msgpack::unpack(data, event.data.size(), offset)) << test::to_hex(frame);
      ASSERT_EQ(offset, event.data.size()) << test::to_hex(frame);
    }
  }

  std::mt19937_64 random_{seed};
  FrameReader reader_{{.frame_bytes_max = 8192, .event_bytes_max = 4096}};
  int taken_ = 0;
  int events_ = 0;
};

TEST_F(RandomFrames, ChangedGoldenFrames) {
  test::GoldenFile golden = test::read_golden_frames();
  std::erase_if(golden.frames, [](const auto& frame) { return frame.refusal != 0; });
  for (int i = 0; i < frames_max && !HasFatalFailure(); ++i) {
    check(changed(golden.frames[below(golden.frames.size())].bytes));
  }
  EXPECT_GT(taken_, frames_max / 20);
  EXPECT_GT(events_, frames_max / 20);
}

TEST_F(RandomFrames, RandomBytes) {
  for (int i = 0; i < frames_max / 4 && !HasFatalFailure(); ++i) {
    Bytes bytes = {0x93, 0x01, 0x80, 0x91, 0x93, 0xa1, 'a', 0x00};
    if (below(2) == 0) bytes.clear();
    for (std::size_t left = below(60); left > 0; --left) {
      bytes.push_back(static_cast<std::uint8_t>(random_()));
    }
    check(bytes);
  }
}

}  // namespace
}  // namespace outrider::proto
