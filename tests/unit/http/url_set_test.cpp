#include "sidecar/http/url_set.hpp"

#include <gtest/gtest.h>

namespace outrider::sidecar {
namespace {

using std::chrono::seconds;
using Ticket = UrlSet::Ticket;

constexpr BackoffLimits limits = {seconds(1), seconds(60)};

class UrlSetTest : public testing::Test {
 protected:
  Ticket take() { return urls_.take(now_); }
  bool fail(Ticket ticket, std::optional<Duration> retry_after = {}) {
    return urls_.failed(ticket, retry_after, now_);
  }
  void pass(Duration duration) { now_.mono += duration; }

  /// Takes tickets until one is for that url; gives the others back.
  Ticket take_of(std::size_t url) {
    std::vector<Ticket> others;
    Ticket ticket = take();
    while (ticket.url != url && others.size() < 100) {
      others.push_back(ticket);
      ticket = take();
    }
    EXPECT_EQ(ticket.url, url);
    for (const Ticket& other : others) urls_.cancelled(other);
    return ticket;
  }

  /// How many of `count` requests, each done before the next, go to that url.
  int share_of(std::size_t url, int count) {
    int hits = 0;
    for (int i = 0; i < count; ++i) {
      const Ticket ticket = take();
      hits += ticket.url == url ? 1 : 0;
      urls_.succeeded(ticket);
    }
    return hits;
  }

  Now now_{MonoTime{} + std::chrono::hours(1), WallTime{}};
  UrlSet urls_{3, limits, 7};
};

TEST_F(UrlSetTest, TakesTurnsAmongUrlsThatHaveAsLittleToDo) {
  for (std::size_t url : {0U, 1U, 2U}) EXPECT_EQ(share_of(url, 30), 10);
}

TEST_F(UrlSetTest, TakesTheUrlWithTheLeastInFlight) {
  std::vector<Ticket> tickets;
  for (int i = 0; i < 6; ++i) tickets.push_back(take());
  std::size_t freed = tickets[4].url;
  urls_.succeeded(tickets[4]);
  EXPECT_EQ(take().url, freed);
  freed = tickets[0].url;
  urls_.cancelled(tickets[0]);
  EXPECT_EQ(take().url, freed);
}

TEST_F(UrlSetTest, AvoidsAUrlThatFailedUntilItsBackoffIsOver) {
  EXPECT_TRUE(fail(take_of(1), seconds(5)));
  EXPECT_EQ(share_of(1, 50), 0);
  pass(seconds(5));
  EXPECT_EQ(take().url, 1U);
}

TEST_F(UrlSetTest, ProbesWithOneRequestAlone) {
  fail(take_of(1), seconds(1));
  pass(seconds(1));
  const Ticket probe = take();
  ASSERT_EQ(probe.url, 1U);
  std::vector<Ticket> others;
  for (int i = 0; i < 20; ++i) {
    others.push_back(take());
    EXPECT_NE(others.back().url, 1U);
  }
  for (const Ticket& other : others) urls_.cancelled(other);
  urls_.succeeded(probe);
  EXPECT_EQ(share_of(1, 30), 10);
}

TEST_F(UrlSetTest, ProbesAgainWhenTheProbeWasCancelled) {
  fail(take_of(1), seconds(1));
  pass(seconds(1));
  urls_.cancelled(take());
  EXPECT_EQ(take().url, 1U);
}

TEST_F(UrlSetTest, WaitsLongerAfterEachProbeThatFails) {
  fail(take_of(1), seconds(1));
  pass(seconds(1));
  fail(take(), seconds(20));
  pass(seconds(19));
  EXPECT_EQ(share_of(1, 10), 0);
  pass(seconds(1));
  EXPECT_EQ(take().url, 1U);
}

TEST_F(UrlSetTest, CountsFailuresThatWereUnderWayOnce) {
  std::vector<Ticket> tickets;
  for (int i = 0; i < 300; ++i) tickets.push_back(take());
  for (const Ticket& ticket : tickets) {
    if (ticket.url == 1) fail(ticket);
  }
  // One failure waits for a second at most; a hundred in a row would wait for up to a minute.
  pass(seconds(1));
  EXPECT_EQ(take().url, 1U);
}

TEST_F(UrlSetTest, DoesNotTrustAnswersOfBeforeTheFailure) {
  const Ticket early = take_of(1);
  fail(take_of(1), seconds(5));
  urls_.succeeded(early);
  EXPECT_EQ(share_of(1, 20), 0);
}

TEST_F(UrlSetTest, TakesTheOneDueSoonestWhenNoneIsHealthy) {
  EXPECT_TRUE(fail(take_of(0), seconds(30)));
  EXPECT_TRUE(fail(take_of(1), seconds(10)));
  EXPECT_FALSE(fail(take_of(2), seconds(20)));
  EXPECT_EQ(take().url, 1U);
  EXPECT_EQ(take().url, 1U);
}

TEST_F(UrlSetTest, NeedsNoSecondUrl) {
  UrlSet one(1, limits, 7);
  EXPECT_FALSE(one.failed(one.take(now_), seconds(30), now_));
  EXPECT_EQ(one.take(now_).url, 0U);
}

TEST_F(UrlSetTest, TheWaitIsThatOfTheUrlThatIsDueSoonest) {
  EXPECT_EQ(urls_.wait(now_), Duration::zero());
  const Ticket tickets[] = {take_of(0), take_of(1), take_of(2)};
  fail(tickets[0], seconds(100));
  fail(tickets[1], seconds(5));
  EXPECT_EQ(urls_.wait(now_), Duration::zero()) << "one is healthy";
  fail(tickets[2], seconds(3600));
  EXPECT_EQ(urls_.wait(now_), seconds(5));
}

TEST_F(UrlSetTest, AUrlRestsAsItAskedWhateverBecomesOfTheOthers) {
  const Ticket tickets[] = {take_of(0), take_of(1), take_of(2)};
  EXPECT_TRUE(fail(tickets[0], seconds(5)));
  EXPECT_TRUE(fail(tickets[1], seconds(7)));
  // This one asks for nothing, and its backoff may end after the others' rest.
  EXPECT_FALSE(fail(tickets[2]));
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(fail(take_of(2)));
  EXPECT_EQ(take().url, 2U);
}

TEST_F(UrlSetTest, AnAnswerOfBeforeTheFailureMayAskAHealthyUrlForARest) {
  const Ticket early = take_of(1);
  fail(take_of(1));
  for (const std::size_t other : {0U, 2U}) fail(take_of(other), seconds(5));
  pass(seconds(1));
  urls_.succeeded(take_of(1));
  pass(seconds(4));
  for (int i = 0; i < 2; ++i) urls_.succeeded(take());
  for (const std::size_t url : {0U, 1U, 2U}) ASSERT_TRUE(urls_.is_healthy(url));
  fail(early, seconds(5));
  EXPECT_EQ(share_of(1, 30), 0);
  pass(seconds(5));
  EXPECT_EQ(share_of(1, 30), 10);
}

TEST_F(UrlSetTest, OneThatIsGoneIsTakenNoMoreAndTheLastOneIsTheDestination) {
  const auto settle = [this](std::size_t url, Outcome outcome) {
    Completion completion;
    EXPECT_FALSE(urls_.settle(take_of(url), outcome, completion, now_));
    return completion;
  };
  const Ticket late = take_of(0);
  Completion gone = settle(0, Outcome::disable);
  EXPECT_TRUE(gone.others_remain);
  EXPECT_TRUE(gone.has_alternative);
  EXPECT_EQ(share_of(0, 30), 0);
  urls_.succeeded(late);
  EXPECT_FALSE(urls_.is_healthy(0));
  const Completion ill = settle(1, Outcome::hold);
  EXPECT_TRUE(ill.has_alternative);
  gone = settle(2, Outcome::disable);
  EXPECT_TRUE(gone.others_remain) << "it is ill, and may get well";
  EXPECT_FALSE(gone.has_alternative);
  EXPECT_EQ(share_of(1, 30), 30) << "though it is ill";
  gone = settle(1, Outcome::disable);
  EXPECT_FALSE(gone.others_remain);
  EXPECT_FALSE(gone.has_alternative);
}

TEST_F(UrlSetTest, WhatIsLeftSaysForHowLongItRests) {
  EXPECT_TRUE(fail(take_of(0), seconds(9)));
  EXPECT_TRUE(fail(take_of(1), seconds(5)));
  Completion gone;
  urls_.settle(take_of(2), Outcome::disable, gone, now_);
  EXPECT_TRUE(gone.others_remain);
  EXPECT_FALSE(gone.has_alternative);
  EXPECT_EQ(gone.retry_after, seconds(5));
}

TEST_F(UrlSetTest, WhereAllRestTheDestinationIsToldForHowLong) {
  const auto settle = [this](Ticket ticket, std::optional<Duration> retry_after) {
    Completion completion;
    completion.retry_after = retry_after;
    EXPECT_FALSE(urls_.settle(ticket, Outcome::retry, completion, now_));
    return completion;
  };
  const Ticket tickets[] = {take_of(0), take_of(1), take_of(2), take_of(2)};
  EXPECT_EQ(settle(tickets[0], seconds(5)).retry_after, std::nullopt) << "others are well";
  EXPECT_EQ(settle(tickets[1], seconds(9)).retry_after, std::nullopt);
  const Completion last = settle(tickets[2], seconds(7));
  EXPECT_FALSE(last.has_alternative);
  EXPECT_EQ(last.retry_after, seconds(5));
  pass(seconds(1));
  EXPECT_EQ(settle(tickets[3], std::nullopt).retry_after, seconds(4)) << "though it does not ask";
}

}  // namespace
}  // namespace outrider::sidecar
