#include "sidecar/config/policy_text.hpp"

#include <gtest/gtest.h>

namespace outrider::sidecar {
namespace {

TEST(PolicyText, SharesArePercentages) {
  EXPECT_EQ(parse_share("20%").value(), 0.2);
  EXPECT_EQ(parse_share("0.5 %").value(), 0.005);
  EXPECT_EQ(parse_share("100%").value(), 1.0);
  EXPECT_EQ(format_share(0.2), "20%");
  EXPECT_EQ(format_share(0.005), "0.5%");
  EXPECT_EQ(format_share(1), "100%");
  for (const char* wrong : {"", "20", "%", "-1%", "0x1%", "1e1%", "nan%"}) {
    EXPECT_FALSE(parse_share(wrong).ok()) << wrong;
  }
}

TEST(PolicyText, RatesAreOfEventsRequestsAndBytes) {
  const RateLimits rates = parse_rates("600 events/m, 10 requests/s, 1MiB/s").value();
  EXPECT_EQ(rates, (RateLimits{10, 10, 1048576}));
  EXPECT_EQ(format_rates(rates), "10 events/s, 10 requests/s, 1MiB/s");
  for (const char* written :
       {"1 events/h", "7 events/m", "0.1 requests/h", "4.5 requests/s", "100000 events/h", "1MiB/h",
        "75MiB/m", "1000/h", "0.0001 events/h", "999999999999 events/s"}) {
    EXPECT_EQ(format_rates(parse_rates(written).value()), written);
  }
  EXPECT_EQ(format_rates(parse_rates("0.5 requests/s").value()), "30 requests/m");
  EXPECT_EQ(parse_rates("3600 requests/h").value().requests_per_s, 1);
  EXPECT_EQ(parse_rates("0.5 requests/s").value().requests_per_s, 0.5);
  EXPECT_EQ(format_rates({}), "");
  for (const char* wrong : {"", "5", "5/s", "0 events/s", "5 events", "5 events/d", "5 cows/s",
                            "1 MiB/s", "-1 events/s", "5 events/s, 6 events/m", "1e99 events/s"}) {
    EXPECT_EQ(parse_rates(wrong).ok(), std::string_view(wrong) == "5/s") << wrong;
  }
}

TEST(PolicyText, AStatusHasOneAction) {
  EXPECT_TRUE(parse_status_actions("500-502:retry, 503:dead, 499:ok").ok());
  for (const char* wrong : {"500-502:retry, 502-503:dead", "502-503:dead, 500-502:retry",
                            "409:ok, 409:ok", "500-599:retry, 503:dead", "503:dead, 500-599:ok"}) {
    EXPECT_FALSE(parse_status_actions(wrong).ok()) << wrong;
  }
  EXPECT_EQ(parse_status_actions("409:ok, 500-599:retry, 503-504:dead").error().message,
            "\"500-599:retry\" and \"503-504:dead\" overlap; a status has one action");
}

TEST(PolicyText, ActionsAreByStatusOrRange) {
  const auto actions = parse_status_actions("409:ok, 422:dead, 520-527:retry").value();
  EXPECT_EQ(actions, (std::vector<StatusAction>{{409, 409, Outcome::delivered},
                                                {422, 422, Outcome::dead},
                                                {520, 527, Outcome::retry}}));
  EXPECT_EQ(format_status_actions(actions), "409:ok, 422:dead, 520-527:retry");
  for (const char* wrong : {"409", "409:", ":ok", "199:ok", "600:ok", "409:okay", "527-520:retry",
                            "409-:ok", "4x9:ok"}) {
    EXPECT_FALSE(parse_status_actions(wrong).ok()) << wrong;
  }
  EXPECT_NE(parse_status_actions("409:rety").error().message.find("did you mean \"retry\""),
            std::string::npos);
}

}  // namespace
}  // namespace outrider::sidecar
