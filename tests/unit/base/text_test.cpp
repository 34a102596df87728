#include "sidecar/base/text.hpp"

#include <gtest/gtest.h>

namespace outrider::sidecar {
namespace {

TEST(Text, SplitTrimsAndLeavesOutEmptyParts) {
  EXPECT_EQ(split(" a , b.> ,, ", ','), (std::vector<std::string>{"a", "b.>"}));
  EXPECT_TRUE(split("", ',').empty());
}

TEST(Text, ControlBytesAreFound) {
  EXPECT_FALSE(has_control("caf\xc3\xa9 ~"));
  EXPECT_TRUE(has_control("a\nb"));
  EXPECT_TRUE(has_control("\x7f"));
  EXPECT_TRUE(has_control(std::string_view("\0", 1)));
}

TEST(Text, NearestFindsTheMistypedName) {
  const std::vector<std::string_view> names = {"queue_bytes_max", "queue_events_max", "timeout"};
  EXPECT_EQ(nearest("queue_byte_max", names), "queue_bytes_max");
  EXPECT_EQ(nearest("timeuot", names), "timeout");
  EXPECT_EQ(nearest("colour", names), "");
}

TEST(Text, PrintableEscapesControlBytesAndCuts) {
  EXPECT_EQ(printable("a\nb\x7f", 10), "a\\x0ab\\x7f");
  EXPECT_EQ(printable("abcdef", 3), "abc...");
}

}  // namespace
}  // namespace outrider::sidecar
