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

TEST(Text, EveryFileIsInAFolder) {
  EXPECT_EQ(folder_of("/var/lib/spool.db"), "/var/lib");
  EXPECT_EQ(folder_of("/spool.db"), "/");
  EXPECT_EQ(folder_of("spool.db"), ".");
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
  EXPECT_EQ(printable("abc", 3), "abc");
}

TEST(Text, PrintableIsAlwaysValidUtf8AndHidesNothing) {
  EXPECT_EQ(printable("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", 99),
            "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
  EXPECT_EQ(printable("caf\xc3\xa9", 4), "caf...") << "cut between two characters";
  EXPECT_EQ(printable("\xff"
                      "a\xe2\x82",
                      99),
            "\\xffa\\xe2\\x82");
  EXPECT_EQ(printable("\xc2\x9b"
                      "31m",
                      99),
            "\\u009b31m")
      << "CSI as one character";
  EXPECT_EQ(printable("\xe2\x80\xae"
                      "fdp.exe",
                      99),
            "\\u202efdp.exe")
      << "right-to-left override";
  EXPECT_EQ(printable("a\xe2\x80\xa8"
                      "b\xe2\x81\xa6\xd8\x9c",
                      99),
            "a\\u2028b\\u2066\\u061c");
}

TEST(Text, PrintableShowsWhatHasNoWidth) {
  EXPECT_EQ(printable("a\xc2\xad\xe1\xa0\x8e\xef\xb8\x8f\xe2\x80\x8b", 99),
            "a\\u00ad\\u180e\\ufe0f\\u200b");
  EXPECT_EQ(printable("\xf3\xa0\x81\x81\xf3\xa0\x84\x80", 99), "\\udb40\\udc41\\udb40\\udd00")
      << "the tag A and a selector";
  EXPECT_EQ(printable_json("\"\xf3\xa0\x81\x81\""), "\"\\udb40\\udc41\"");
  const std::string_view seen =
      "\xc2\xac\xc2\xae\xe2\x80\x90\xef\xbf\xbd\xf0\x9f\x98\x80\xf3\xb0\x80\x80";
  EXPECT_EQ(printable(seen, 99), seen) << "what stands beside them";
}

TEST(Text, PrintableJsonStaysTheSameJson) {
  EXPECT_EQ(printable_json("{\n\"a\":1}\n"), "{\n\"a\":1}\n");
  EXPECT_EQ(printable_json("{\"a\":\"\\n\xc3\xa9\"}"), "{\"a\":\"\\n\xc3\xa9\"}");
  EXPECT_EQ(printable_json("\"\x7f\xc2\x9b\xe2\x80\xae\""), "\"\\u007f\\u009b\\u202e\"");
}

}  // namespace
}  // namespace outrider::sidecar
