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
      if (random.chance(0.01)) window = ClientWindow(window.highest(), window.bits());
    }
  }
}

}  // namespace
}  // namespace outrider::sidecar
