#include "proto/topic.hpp"

#include <string>

#include <gtest/gtest.h>

namespace outrider::proto {
namespace {

TEST(Topic, ValidTopics) {
  for (const char* topic : {"a", "orders.paid", "A-Z_09.x", "a.b.c.d", "-", "_"}) {
    EXPECT_TRUE(is_valid_topic(topic)) << topic;
  }
  EXPECT_TRUE(is_valid_topic(std::string(255, 'a')));
}

TEST(Topic, InvalidTopics) {
  for (const char* topic :
       {"", ".", "a.", ".a", "a..b", "a b", "a/b", "*", "a.*", ">", "a.>", "ü"}) {
    EXPECT_FALSE(is_valid_topic(topic)) << topic;
  }
  EXPECT_FALSE(is_valid_topic(std::string(256, 'a')));
  EXPECT_FALSE(is_valid_topic(std::string_view("a\0b", 3)));
}

TEST(Topic, ValidPatterns) {
  for (const char* pattern : {"a", "a.b", "*", ">", "a.*", "*.b", "a.*.c", "a.>", "*.>"}) {
    EXPECT_TRUE(is_valid_pattern(pattern)) << pattern;
  }
}

TEST(Topic, InvalidPatterns) {
  for (const char* pattern :
       {"", ".", "a.", ".a", "a..b", ">.a", "a.>.b", "a*", "*a", "a.>b", "**", "a. b"}) {
    EXPECT_FALSE(is_valid_pattern(pattern)) << pattern;
  }
  EXPECT_FALSE(is_valid_pattern(std::string(256, 'a')));
}

TEST(Topic, AStarIsExactlyOneToken) {
  EXPECT_TRUE(matches("orders.*", "orders.paid"));
  EXPECT_TRUE(matches("*.paid", "orders.paid"));
  EXPECT_TRUE(matches("*", "orders"));
  EXPECT_FALSE(matches("orders.*", "orders"));
  EXPECT_FALSE(matches("orders.*", "orders.paid.twice"));
  EXPECT_FALSE(matches("*", "orders.paid"));
}

TEST(Topic, AnArrowIsOneTokenOrMoreAtTheEnd) {
  EXPECT_TRUE(matches(">", "orders"));
  EXPECT_TRUE(matches(">", "orders.paid.twice"));
  EXPECT_TRUE(matches("orders.>", "orders.paid"));
  EXPECT_TRUE(matches("orders.>", "orders.paid.twice"));
  EXPECT_FALSE(matches("orders.>", "orders"));
  EXPECT_FALSE(matches("orders.>", "order.paid"));
}

TEST(Topic, OtherTokensMatchAsTheyAre) {
  EXPECT_TRUE(matches("orders.paid", "orders.paid"));
  EXPECT_FALSE(matches("orders.paid", "orders.Paid"));
  EXPECT_FALSE(matches("orders.paid", "orders"));
  EXPECT_FALSE(matches("orders", "orders.paid"));
  EXPECT_FALSE(matches("order", "orders"));
}

}  // namespace
}  // namespace outrider::proto
