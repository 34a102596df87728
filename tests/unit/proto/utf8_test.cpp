#include "proto/utf8.hpp"

#include <string>

#include <gtest/gtest.h>

namespace outrider::proto {
namespace {

std::string repaired(std::string_view text) {
  std::string out;
  append_as_valid_utf8(text, out);
  return out;
}

const std::string mark(replacement_character);

TEST(Utf8, WellFormedTextStaysAsItIs) {
  for (const std::string_view text :
       {std::string_view(""), std::string_view("plain ascii of some length"),
        std::string_view("grüße 東京 🚀"), std::string_view("a\0b", 3),
        std::string_view("\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"),
        std::string_view("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf")}) {
    EXPECT_TRUE(is_valid_utf8(text)) << text;
    EXPECT_EQ(repaired(text), text);
  }
}

TEST(Utf8, IllFormedTextIsFoundWhereverItStands) {
  for (std::size_t size = 1; size < 30; ++size) {
    for (std::size_t at = 0; at < size; ++at) {
      std::string text(size, 'x');
      text[at] = '\x80';
      EXPECT_FALSE(is_valid_utf8(text));
      EXPECT_EQ(repaired(text), std::string(at, 'x') + mark + std::string(size - at - 1, 'x'));
    }
  }
}

// The table of Unicode 15, section 3.9, "U+FFFD substitution of maximal subparts".
TEST(Utf8, EachMaximalSubpartIsOneReplacement) {
  EXPECT_EQ(repaired("\xc0\xaf"), mark + mark);                        // overlong
  EXPECT_EQ(repaired("\xe0\x80\xaf"), mark + mark + mark);             // overlong
  EXPECT_EQ(repaired("\xed\xa0\x80"), mark + mark + mark);             // surrogate
  EXPECT_EQ(repaired("\xf4\x90\x80\x80"), mark + mark + mark + mark);  // above U+10FFFF
  EXPECT_EQ(repaired("\xf5z"), mark + "z");                            // never a lead
  EXPECT_EQ(repaired("\xe1\x80\xe2\xf0\x91\x92\xf1\xbfz"), mark + mark + mark + mark + "z");
  EXPECT_EQ(repaired("\xe6\x9d\xb1\xe4\xba"), "\xe6\x9d\xb1" + mark);  // cut short
}

}  // namespace
}  // namespace outrider::proto
