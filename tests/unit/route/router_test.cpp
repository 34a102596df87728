#include "sidecar/route/router.hpp"

#include <algorithm>

#include <gtest/gtest.h>

#include "proto/topic.hpp"
#include "sidecar/base/random.hpp"

namespace outrider::sidecar {
namespace {

std::vector<std::uint32_t> targets(Router& router, std::string_view topic) {
  const auto span = router.route(topic).destinations;
  return {span.begin(), span.end()};
}

using Indices = std::vector<std::uint32_t>;

/// Each destination has its place in the list as its handle.
std::vector<Route> numbered(std::vector<Route> routes) {
  for (std::size_t i = 0; i < routes.size(); ++i) {
    routes[i].destination = static_cast<DestinationHandle>(i);
  }
  return routes;
}

TEST(Router, NamesDestinationsByTheirHandles) {
  Router router({{7, {"orders.>"}, {}}, {3, {">"}, {"users.>"}}});
  EXPECT_EQ(targets(router, "orders.paid"), (Indices{3, 7}));
  EXPECT_EQ(targets(router, "users.new"), Indices{});
}

TEST(Router, GivesAnEventToEveryDestinationThatWantsIt) {
  Router router({{0, {">"}, {}}, {1, {"orders.*"}, {}}, {2, {"exceptions.>", "orders.paid"}, {}}});
  EXPECT_EQ(targets(router, "orders.paid"), (Indices{0, 1, 2}));
  EXPECT_EQ(targets(router, "orders.open"), (Indices{0, 1}));
  EXPECT_EQ(targets(router, "exceptions.a.b"), (Indices{0, 2}));
}

TEST(Router, ExcludeWinsOverTopics) {
  Router router({{0, {">"}, {"debug.>"}}});
  EXPECT_EQ(targets(router, "debug.sql"), Indices{});
  EXPECT_EQ(targets(router, "debug"), Indices{0});
}

TEST(Router, ATopicThatNobodyWantsHasNoTargets) {
  Router router({{0, {"orders.>"}, {}}});
  EXPECT_TRUE(targets(router, "users.new").empty());
  EXPECT_TRUE(targets(router, "users.new").empty());
}

/// The tree and proto::matches() are of one mind.
TEST(Router, TheTreeMatchesAsEachPatternDoes) {
  Random random(7);
  const auto any_of = [&](const std::vector<std::string>& words) {
    return words[random.below(words.size())];
  };
  const auto some = [&](const std::vector<std::string>& words, const std::string& last) {
    std::string text;
    for (std::size_t tokens = random.below(4); tokens > 0; --tokens) text += any_of(words) + ".";
    return text + last;
  };
  std::vector<Route> routes(40);
  for (Route& route : routes) {
    for (std::size_t n = 1 + random.below(3); n > 0; --n) {
      route.topics.push_back(some({"a", "b", "*"}, any_of({"a", "b", "*", ">"})));
    }
    if (random.below(2) == 0) route.exclude = {some({"a", "*"}, any_of({"b", "*", ">"}))};
  }
  Router router(numbered(routes));
  for (int i = 0; i < 2000; ++i) {
    const std::string topic = some({"a", "b", "c"}, any_of({"a", "b", "c"}));
    Indices expected;
    for (std::uint32_t at = 0; at < routes.size(); ++at) {
      const auto has_one = [&](const std::vector<std::string>& patterns) {
        return std::ranges::any_of(patterns,
                                   [&](const auto& one) { return proto::matches(one, topic); });
      };
      if (has_one(routes[at].topics) && !has_one(routes[at].exclude)) expected.push_back(at);
    }
    ASSERT_EQ(targets(router, topic), expected) << topic;
  }
}

/// A client whose every topic is new must not buy the time of all others with the configuration.
TEST(Router, ANewTopicCostsItsTokensAndNotThePatterns) {
  std::vector<Route> routes;
  for (int i = 0; i < 1000; ++i) {
    const std::string n = std::to_string(i);
    routes.push_back(
        {0, {"*.*.*.*.svc" + n + ".>", "*.*.*.*.*.*.x" + n, "*.*.*.*.*.y" + n + ".*"}, {}});
  }
  Router router(numbered(routes));
  std::string topic;
  for (int i = 0; i < 110; ++i) topic += "t.";
  EXPECT_LE(router.route(topic + "1").steps, 10U);
  EXPECT_EQ(router.route(topic + "1").steps, 0U) << "remembered";
}

TEST(Router, AnswersTheSameWhateverItHasForgotten) {
  Router router({{0, {"even.>"}, {}}, {1, {"odd.>"}, {}}});
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
