#include "sidecar/route/router.hpp"

#include <gtest/gtest.h>

namespace outrider::sidecar {
namespace {

std::vector<std::uint32_t> targets(Router& router, std::string_view topic) {
  const auto span = router.route(topic);
  return {span.begin(), span.end()};
}

using Indices = std::vector<std::uint32_t>;

TEST(Router, GivesAnEventToEveryDestinationThatWantsIt) {
  Router router({{{">"}, {}}, {{"orders.*"}, {}}, {{"exceptions.>", "orders.paid"}, {}}});
  EXPECT_EQ(targets(router, "orders.paid"), (Indices{0, 1, 2}));
  EXPECT_EQ(targets(router, "orders.open"), (Indices{0, 1}));
  EXPECT_EQ(targets(router, "exceptions.a.b"), (Indices{0, 2}));
}

TEST(Router, ExcludeWinsOverTopics) {
  Router router({{{">"}, {"debug.>"}}});
  EXPECT_EQ(targets(router, "debug.sql"), Indices{});
  EXPECT_EQ(targets(router, "debug"), Indices{0});
}

TEST(Router, ATopicThatNobodyWantsHasNoTargets) {
  Router router({{{"orders.>"}, {}}});
  EXPECT_TRUE(targets(router, "users.new").empty());
  EXPECT_TRUE(targets(router, "users.new").empty());
}

TEST(Router, AnswersTheSameWhateverItHasForgotten) {
  Router router({{{"even.>"}, {}}, {{"odd.>"}, {}}});
  for (int round = 0; round < 2; ++round) {
    for (std::size_t i = 0; i < topics_remembered_max + 100; ++i) {
      const bool is_odd = i % 2 == 1;
      const std::string topic = (is_odd ? "odd." : "even.") + std::to_string(i);
      ASSERT_EQ(targets(router, topic), Indices{is_odd ? 1U : 0U}) << topic;
    }
  }
}

}  // namespace
}  // namespace outrider::sidecar
