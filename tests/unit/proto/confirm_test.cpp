#include "proto/confirm.hpp"

#include <random>
#include <string>

#include <gtest/gtest.h>

#include "proto/refusal.hpp"
#include "support/golden_frames.hpp"

namespace outrider::proto {
namespace {

TEST(Confirm, EveryGoldenAnswerIsReadAsTheFileSays) {
  const auto answers = test::read_golden_answers();
  ASSERT_GT(answers.size(), 40U);
  // One answer for all: what one leaves behind must not show in the next.
  ConfirmAnswer answer;
  for (const test::GoldenAnswer& golden : answers) {
    SCOPED_TRACE(golden.name);
    ASSERT_EQ(read_confirm_answer(golden.bytes, answer), golden.answer.has_value());
    if (golden.answer) {
      EXPECT_EQ(answer, *golden.answer);
    }
  }
}

TEST(Confirm, WhatIsWrittenIsRead) {
  for (const test::GoldenAnswer& golden : test::read_golden_answers()) {
    if (!golden.answer) continue;
    SCOPED_TRACE(golden.name);
    ConfirmAnswer answer;
    ASSERT_TRUE(read_confirm_answer(as_bytes(write_confirm_answer(*golden.answer)), answer));
    EXPECT_EQ(answer, *golden.answer);
  }
}

TEST(Confirm, WrittenInTheShortestForm) {
  EXPECT_EQ(write_confirm_answer({.sequence = 7}), std::string("\x94\x01\xa1"
                                                               "c\x07\x00",
                                                               6));
  EXPECT_EQ(write_confirm_answer({.sequence = 7, .refused = {{1, 17}}}),
            std::string("\x95\x01\xa1"
                        "c\x07\x00\x81\x01\x11",
                        9));
  EXPECT_EQ(write_confirm_answer({.sequence = 7, .limits = {100, 64}}), std::string("\x96\x01\xa1"
                                                                                    "c\x07\x00\x80"
                                                                                    "\x82\xa1"
                                                                                    "fd\xa1"
                                                                                    "e@",
                                                                                    14));
}

TEST(Confirm, FullDestinationsAreReadAsTheyWereWritten) {
  const ConfirmAnswer written{.sequence = 7,
                              .refused = {{1, 35}},
                              .limits = {100, 64},
                              .full = {{{"a.*", "b.>"}, {"b.x"}}, {{"c"}, {}}}};
  ConfirmAnswer read;
  ASSERT_TRUE(read_confirm_answer(as_bytes(write_confirm_answer(written)), read));
  EXPECT_EQ(read, written);
  EXPECT_TRUE(read.full[0].holds("b.y"));
  EXPECT_FALSE(read.full[0].holds("b.x"));
}

TEST(Confirm, OfMoreFullDestinationsThanFitNothingIsSaid) {
  ConfirmAnswer written{.sequence = 7, .limits = {100, 64}};
  for (int i = 0; i < 100; ++i) written.full.push_back({{std::string(100, 'a')}, {}});
  const std::string bytes = write_confirm_answer(written);
  EXPECT_LE(bytes.size(), said_patterns_bytes_max + 64);
  ConfirmAnswer read;
  ASSERT_TRUE(read_confirm_answer(as_bytes(bytes), read));
  EXPECT_FALSE(read.full.empty());
  EXPECT_LT(read.full.size(), written.full.size());
}

TEST(Confirm, WhatIsNoListOfPatternsIsPassedOver) {
  ConfirmAnswer read;
  // {"x": [[["a b"], []]], "f": 9}: no pattern has a space.
  const std::string bytes(
      "\x96\x01\xa1"
      "c\x07\x00\x80\x82\xa1x\x91\x92\x91\xa3"
      "a b\x90\xa1"
      "f\x09",
      21);
  ASSERT_TRUE(read_confirm_answer(as_bytes(bytes), read));
  EXPECT_TRUE(read.full.empty());
  EXPECT_EQ(read.limits.frame_bytes_max, 9U);
}

TEST(Confirm, AnyBytesAreReadWithoutHarm) {
  std::mt19937_64 random(1);
  const auto answers = test::read_golden_answers();
  for (int i = 0; i < 20'000; ++i) {
    std::vector<std::uint8_t> bytes = answers[random() % answers.size()].bytes;
    if (bytes.empty()) continue;
    for (auto left = 1 + random() % 3; left > 0; --left) {
      bytes[random() % bytes.size()] = static_cast<std::uint8_t>(random());
    }
    ConfirmAnswer answer;
    if (!read_confirm_answer(bytes, answer)) continue;
    ConfirmAnswer again;
    ASSERT_TRUE(read_confirm_answer(as_bytes(write_confirm_answer(answer)), again));
    ASSERT_EQ(again, answer);
  }
}

TEST(Confirm, NumbersSayWhetherTryingAgainHelps) {
  EXPECT_FALSE(is_for_later(static_cast<unsigned>(Refusal::frame_sequence_old)));
  EXPECT_FALSE(is_for_later(static_cast<unsigned>(Refusal::event_scheduled)));
  EXPECT_TRUE(is_for_later(static_cast<unsigned>(Refusal::spool_full)));
  EXPECT_TRUE(is_for_later(static_cast<unsigned>(Refusal::stopping)));
  EXPECT_TRUE(is_for_later(1000));
}

}  // namespace
}  // namespace outrider::proto
