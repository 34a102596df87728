// What `outrider check` says beyond the settings: each sentence follows the settings it depends on.
#include "sidecar/config/consequences.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/config/config_support.hpp"

namespace outrider::sidecar {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

const std::string http = "url = https://h.example/e\n";
const std::string zmq = "type = zmq\nurl = ipc:///x\n";
const std::string spool = "[spool]\npath = s.db\n";

Sentences of(const std::string& destination, const std::string& more = "") {
  const Config config = test::load("[destination.a]\n" + destination + more).config;
  return consequences(config.destinations.at(0), config.spool);
}

Sentences of_all(const std::string& text) {
  return consequences(test::load("[destination.a]\ntype = stdout\n" + text).config);
}

TEST(Consequences, OfTheDefaults) {
  EXPECT_THAT(
      of(http),
      ElementsAre(
          "Sends a batch at once while nothing is in flight; otherwise when it has 500 events or "
          "1MiB or has waited 200ms; 1 to 16 requests in parallel, as the receiver can take.",
          "A request fails after 5s without a connection, or after 30s without an answer.",
          "A failed batch is retried after a random wait of up to 1s, doubling up to 5m, for 24h; "
          "then it is a dead letter.",
          "The circuit breaker opens after 5 failures in a row, or 50% failures among at least 20 "
          "requests in 10s. While it is open, one request at a time probes the destination.",
          "2xx is delivered. 408, 421, 425, 429, 5xx and no answer are retried, after Retry-After "
          "if given. 413 halves the batch. 401, 403 and 407 suspend the destination until a probe "
          "succeeds. 410 disables the destination. Any other status is a dead letter.",
          "The queue is full at 100000 events or 64MiB; then new events are dropped, low priority "
          "first."));
  EXPECT_EQ(of("type = stdout\n").size(), 4U) << "there are no requests and no answers";
}

TEST(Consequences, OfBatchesRatesAndConcurrency) {
  EXPECT_THAT(of(http + "format = payload\nconcurrency_max = 1\nrate_max = 5 requests/s\n"),
              Contains("Sends one event per request; 1 request in parallel; on average at most 5 "
                       "requests/s."));
  // Files take many at once.
  EXPECT_THAT(of("type = file\npath = /x\nformat = payload\nbatch_events_max = 1\n"),
              Contains(HasSubstr("when it has 1 event or 1MiB or has waited")));
}

TEST(Consequences, OfTimeouts) {
  EXPECT_THAT(of(http + "timeout = 2s\n"),
              Contains(HasSubstr("after 2s without a connection, or after 2s without an answer")));
  EXPECT_THAT(of(http + "timeout = 2s\nconnect_timeout = 1s\n"),
              Contains(HasSubstr("after 1s without a connection, or after 2s without an answer")));
  EXPECT_THAT(of(zmq + "socket = push\n"),
              Contains("A message fails when no worker takes it within 30s."));
}

TEST(Consequences, OfRetries) {
  EXPECT_THAT(of(http + "retry_attempts_max = 7\n"),
              Contains(HasSubstr("for 24h or 7 attempts; then it is a dead letter.")));
  EXPECT_THAT(of(http + "format = payload\nretry_attempts_max = 1\n"),
              Contains("A failed event is not retried: it is a dead letter."));
  EXPECT_THAT(of(http + "spool_age_max = 1h\n", spool),
              Contains("An event that has been on disk for 1h is a dead letter after an answered "
                       "failure, once this run has tried it for a tenth of that."));
}

TEST(Consequences, OfTheBreaker) {
  EXPECT_THAT(of(http + "breaker_failures = 0\nbreaker_failure_rate = 7%\n"),
              Contains(HasSubstr("opens after 7% failures among at least 20 requests in 10s.")));
  EXPECT_THAT(of(http + "breaker_failure_rate = 0%\n"),
              Contains(HasSubstr("opens after 5 failures in a row. While")));
  EXPECT_THAT(of(http + "breaker_failures = 0\nbreaker_failure_rate = 0%\n"),
              Contains("Failures never open the circuit breaker."));
}

TEST(Consequences, OfAnswers) {
  EXPECT_THAT(of(http + "url = https://other.example/e\nformat = payload\nredirects_max = 2\n"
                        "status_actions = 409:ok\n"),
              Contains("2xx is delivered. 408, 421, 425, 429, 5xx and no answer are retried, after "
                       "Retry-After if given. 401, 403 and 407 suspend the URL, or the destination "
                       "if no other URL is up, until a probe succeeds. 410 disables the URL, and "
                       "with its last URL the destination. Up to 2 redirects are followed. Any "
                       "other status is a dead letter; exceptions: 409:ok."));
}

TEST(Consequences, OfAFullQueue) {
  const std::string full = "The queue is full at 100000 events or 64MiB; then ";
  EXPECT_THAT(of(http + "when_full = drop_oldest\nqueue_events_max = 700\n"),
              Contains("The queue is full at 700 events or 64MiB; then the oldest events are "
                       "dropped, low priority first."));
  EXPECT_THAT(of(http, spool),
              Contains(full + "new events from `emit` are dropped, low priority first."));
  EXPECT_THAT(of(http + "when_full = spool\nspool_bytes_max = 7MiB\n", spool),
              Contains(full + "new events go to disk. At 7MiB on disk, or at 4GiB of all "
                              "destinations together, events from `emit` are dropped, low "
                              "priority first."));
}

TEST(Consequences, OfZeroMq) {
  EXPECT_THAT(of(zmq), Contains("ZeroMQ buffers up to 10000 events per subscriber and drops the "
                                "rest. Events that are buffered for a peer are lost with it."));
  EXPECT_THAT(of(zmq + "socket = push\n"),
              Contains(HasSubstr("up to 200 events per worker; the rest wait in the queue.")));
  EXPECT_THAT(of(http), Not(Contains(HasSubstr("ZeroMQ"))));
}

TEST(Consequences, OfTheWhole) {
  EXPECT_THAT(
      of_all("[shutdown]\nlinger = 7s\n"),
      ElementsAre("A shutdown waits up to 7s for the queues to empty; events left after that "
                  "are lost and counted.",
                  "Dead letters are counted and logged, but not kept."));
  EXPECT_THAT(of_all(spool),
              ElementsAre(HasSubstr("events left after that are written to the spool."),
                          "Dead letters are counted and logged, and kept in the spool for up to "
                          "720h."));
  EXPECT_THAT(of_all(spool + "dead_bytes_max = 0\n"), Contains(HasSubstr("but not kept.")));
}

}  // namespace
}  // namespace outrider::sidecar
