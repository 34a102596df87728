#include "sidecar/spool/client_window.hpp"

#include <set>

#include <gtest/gtest.h>

#include "sidecar/base/random.hpp"

namespace outrider::sidecar {
namespace {

using Sequence = ClientWindow::Sequence;
constexpr std::uint64_t size = proto::confirm_window_frames;

TEST(ClientWindow, KnowsWhatWasTakenAndForgetsWhatIsOld) {
  ClientWindow window;
  EXPECT_EQ(window.look_up(1), Sequence::unseen);
  window.take(1);
  window.take(3);
  EXPECT_EQ(window.look_up(1), Sequence::taken);
  EXPECT_EQ(window.look_up(2), Sequence::unseen) << "a gap may still be filled";
  EXPECT_EQ(window.look_up(3), Sequence::taken);
  EXPECT_EQ(window.look_up(4), Sequence::unseen);
  window.take(size);
  EXPECT_EQ(window.look_up(1), Sequence::taken) << "the oldest that is remembered";
  window.take(size + 1);
  EXPECT_EQ(window.look_up(1), Sequence::forgotten);
  EXPECT_EQ(window.look_up(2), Sequence::unseen);
  window.take(10 * size);
  EXPECT_EQ(window.look_up(size + 1), Sequence::forgotten);
  EXPECT_EQ(window.look_up(9 * size + 1), Sequence::unseen)
      << "bits are not those of a round before";
  window.take(UINT64_MAX);
  EXPECT_EQ(window.look_up(UINT64_MAX), Sequence::taken);
  EXPECT_EQ(window.look_up(UINT64_MAX - size + 1), Sequence::unseen);
  EXPECT_EQ(window.look_up(UINT64_MAX - size), Sequence::forgotten);
}

TEST(ClientWindow, AgreesWithASetOfAllThatWasTaken) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Random random(seed);
    ClientWindow window;
    std::set<std::uint64_t> taken;
    std::uint64_t highest = 0;
    for (int step = 0; step < 3000; ++step) {
      const std::uint64_t reach = random.chance(0.02) ? 3 * size : 20;
      const std::uint64_t sequence = random.chance(0.5)
                                         ? highest + 1 + random.below(reach)
                                         : highest - std::min(highest, random.below(size + 50));
      const Sequence expected = highest >= size && sequence <= highest - size ? Sequence::forgotten
                                : taken.contains(sequence)                    ? Sequence::taken
                                                                              : Sequence::unseen;
      ASSERT_EQ(window.look_up(sequence), expected) << "seed " << seed << ", " << sequence;
      if (expected == Sequence::unseen) {
        window.take(sequence);
        taken.insert(sequence);
        highest = std::max(highest, sequence);
      }
      if (random.chance(0.01)) window = ClientWindow(window.highest(), window.bytes());
    }
  }
}

TEST(ClientWindow, RemembersWhatWasLeftOutAndForgetsTheOldestOfIt) {
  ClientWindow window(42);
  window.take(1);
  std::uint64_t sequence = 2;
  for (; sequence < 50; ++sequence) window.take(sequence, std::vector<std::uint8_t>(512, 0xa5));
  window.take(sequence);
  const ClientWindow again(window.highest(), window.bytes());
  EXPECT_EQ(again.bytes(), window.bytes());
  EXPECT_LE(window.bytes().size(), 512 + 16 + ClientWindow::left_out_bytes_max);
  for (const std::uint64_t kept : {sequence - 1, sequence - 31}) {
    EXPECT_EQ(again.look_up(kept), Sequence::taken);
    EXPECT_EQ(again.left_out(kept).size(), 512U);
  }
  EXPECT_EQ(again.look_up(sequence), Sequence::taken);
  EXPECT_TRUE(again.left_out(sequence).empty());
  for (const std::uint64_t old : {1U, 2U, 10U}) {
    EXPECT_EQ(again.look_up(old), Sequence::forgotten) << "nobody knows what of it was taken";
  }
  EXPECT_EQ(again.look_up(sequence + 1), Sequence::unseen);
}

TEST(ClientWindow, WhatWasLeftOutGoesWithItsFrame) {
  ClientWindow window;
  window.take(5, {1});
  window.take(5 + size);
  EXPECT_TRUE(window.left_out(5).empty());
  EXPECT_EQ(window.bytes().size(), 512U + 16U);
  EXPECT_EQ(window.look_up(6), Sequence::unseen);
}

TEST(ClientWindow, ReadsWhatAnEarlierVersionHasWrittenAndWhatIsDamaged) {
  std::vector<std::uint8_t> bytes(512, 0);
  bytes[0] = 2;
  EXPECT_EQ(ClientWindow(1, bytes).look_up(1), Sequence::taken);
  ClientWindow window(7);
  window.take(1, {1, 2, 3});
  const std::vector<std::uint8_t> whole = window.bytes();
  for (std::size_t end = 0; end < whole.size(); ++end) {
    const ClientWindow cut(1, proto::ByteView(whole).first(end));
    EXPECT_LE(cut.bytes().size(), whole.size());
  }
}

TEST(ClientWindow, AnAnswerIsMadeAgainFromWhatWasLeftOut) {
  const std::vector<proto::RefusedEvent> first = {{0, 17}, {3, 35}, {9, 35}};
  std::vector<proto::RefusedEvent> again = {{0, 17}, {4, 35}};
  put_left_out(left_out_of(first), again);
  EXPECT_EQ(again, first);
  again = {{2, 35}, {5, 17}};
  put_left_out({}, again);
  EXPECT_EQ(again, (std::vector<proto::RefusedEvent>{{5, 17}}));
}

}  // namespace
}  // namespace outrider::sidecar
