// What is no cron expression, and what is said of it.
#include <gmock/gmock.h>

#include "sidecar/base/random.hpp"
#include "unit/cron/cron_support.hpp"

namespace outrider::sidecar {
namespace {

using testing::HasSubstr;

struct Case {
  std::string text;
  std::string error;  ///< part of it
};

std::string error_of(const std::string& text) {
  const auto parsed = CronExpression::parse(text);
  return parsed.ok() ? "no error" : parsed.error().message;
}

TEST(CronErrors, NameTheFieldAndWhatIsAllowed) {
  EXPECT_EQ(error_of("60 * * * *"),
            "minute: \"60\" is not allowed; write * or 0 to 59, lists as in 1,3, ranges as in 1-5, "
            "steps as in */2 or 1-5/2");
  EXPECT_EQ(error_of("* * * fob *"),
            "month: \"fob\" is not allowed; write * or 1 to 12, jan to dec, lists as in 1,3, "
            "ranges as in 1-5, steps as in */2 or 1-5/2");
  const std::vector<Case> cases = {
      {"* 24 * * *", "hour: \"24\""},
      {"* * 0 * *", "day of month: \"0\""},
      {"* * 32 * *", "day of month: \"32\""},
      {"* * * 0 *", "month: \"0\""},
      {"* * * 13 *", "month: \"13\""},
      {"* * * * 8", "day of week: \"8\""},
      {"mon * * * *", "minute: \"mon\""},
      {"* * jan * *", "day of month: \"jan\""},
      {"* * * mon *", "month: \"mon\""},
      {"* * * * jan", "day of week: \"jan\""},
      {"* * * january *", "month: \"january\""},
      {"* * * * monday", "day of week: \"monday\""},
      {"? * * * *", "minute: \"?\""},
      {"0 0 ? * 1", "day of month: \"?\""},
      {"L * * * *", "minute: \"L\""},
      {"0 0 * * L", "day of week: \"L\""},
      {"0 0 L-3 * *", "day of month: \"L-3\""},
      {"0 0 LW * *", "day of month: \"LW\""},
      {"0 0 15W * *", "day of month: \"15W\""},
      {"0 0 * * 5#3", "day of week: \"5#3\""},
      {"0~59 * * * *", "minute: \"0~59\""},
      {"-1 * * * *", "minute: \"-1\""},
      {"+1 * * * *", "minute: \"+1\""},
      {"1.5 * * * *", "minute: \"1.5\""},
      {"001 * * * *", "minute: \"001\""},
      {"0x1 * * * *", "minute: \"0x1\""},
      {"99999999999999999999 * * * *", "minute: \"99999999999999999999\""},
      {"1, * * * *", "minute: \"\""},
      {",1 * * * *", "minute: \"\""},
      {"1,,2 * * * *", "minute: \"\""},
      {"1- * * * *", "minute: \"1-\""},
      {"-5 * * * *", "minute: \"-5\""},
      {"1-2-3 * * * *", "minute: \"1-2-3\""},
      {"1-60 * * * *", "minute: \"1-60\""},
      {"*-5 * * * *", "minute: \"*-5\""},
      {"** * * * *", "minute: \"**\""},
      {"*5 * * * *", "minute: \"*5\""},
      {"!5 * * * *", "minute: \"!5\""},
  };
  for (const Case& one : cases) {
    EXPECT_THAT(error_of(one.text), HasSubstr(one.error + " is not allowed; write ")) << one.text;
  }
}

TEST(CronErrors, StepsAndRanges) {
  const std::vector<Case> cases = {
      {"*/0 * * * *", "minute: the step of \"*/0\" is not a number from 1 to 59"},
      {"*/ * * * *", "minute: the step of \"*/\" is not"},
      {"*/x * * * *", "minute: the step of \"*/x\" is not"},
      {"*/-1 * * * *", "minute: the step of \"*/-1\" is not"},
      {"*/90 * * * *", "minute: the step of \"*/90\" is not"},
      {"* */24 * * *", "hour: the step of \"*/24\" is not a number from 1 to 23"},
      {"*/5/5 * * * *", "minute: the step of \"*/5/5\" is not"},
      {"5/15 * * * *",
       "minute: \"5/15\" has a step after a single value; write */N or a range, as in 5-59/N"},
      {"* 22-2 * * *",
       "hour: the range \"22-2\" runs backwards; write it as two, joined by a comma"},
      {"* * * dec-jan *", "month: the range \"dec-jan\" runs backwards"},
      {"* * * * fri-mon", "day of week: the range \"fri-mon\" runs backwards"},
  };
  for (const Case& one : cases) EXPECT_THAT(error_of(one.text), HasSubstr(one.error)) << one.text;
}

TEST(CronErrors, CountOfFields) {
  const std::vector<Case> cases = {
      {"", "\"\" has 0 fields; write five: minute, hour, day of month, month, day of week"},
      {"   ", "has 0 fields"},
      {"*", "\"*\" has 1 field; write five"},
      {"* * * *", "has 4 fields"},
      {"0 0 12 * * ?", "has 6 fields"},
      {"0 */5 * * * *", "as in 30 3 * * mon-fri (there is none for seconds)"},
      {"* * * * * * *", "has 7 fields"},
      {"@every 5m",
       "\"@every 5m\" is not one of @yearly, @annually, @monthly, @weekly, @daily, "
       "@midnight, @hourly"},
      {"@reboot", "\"@reboot\" is not one of"},
      {"@", "\"@\" is not one of"},
      {"CRON_TZ=UTC * * * * *", "has 6 fields"},
  };
  for (const Case& one : cases) EXPECT_THAT(error_of(one.text), HasSubstr(one.error)) << one.text;
}

TEST(CronErrors, WhatNeverFires) {
  for (const char* text :
       {"0 0 30 2 *", "0 0 31 2,4,6,9,11 *", "0 0 30-31 feb *", "0 0 31 4 */2"}) {
    EXPECT_EQ(error_of(text), "it never fires: none of its months has such a day") << text;
  }
  // Either of the two days does, if both are restricted.
  EXPECT_EQ(error_of("0 0 30 2 1"), "no error");
  EXPECT_EQ(error_of("0 0 29 2 *"), "no error");
  EXPECT_EQ(error_of("0 0 L 2 *"), "no error");
}

TEST(CronErrors, AreShortAndPrintableForAnyText) {
  Random random(4);
  const std::string alphabet = "0123456789*/,-@ \tjanmonW?L#\n\x01\xff";
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    for (std::uint64_t length = random.below(40); length > 0; --length) {
      text += alphabet[random.below(alphabet.size())];
    }
    const std::string error = error_of(text);
    EXPECT_LT(error.size(), 700U);
    EXPECT_EQ(error.find_first_of("\n\t\x01"), std::string::npos);
  }
  EXPECT_LT(error_of(std::string(1'000'000, '*')).size(), 700U);
  EXPECT_LT(error_of(std::string(1'000'000, ' ') + "x").size(), 700U);
}

}  // namespace
}  // namespace outrider::sidecar
