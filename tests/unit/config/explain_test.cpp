#include "sidecar/config/explain.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/manual_clock.hpp"
#include "unit/config/config_support.hpp"

namespace outrider::sidecar {
namespace {

using test::load;
using testing::HasSubstr;
using testing::Not;

/// At noon of 2026-01-31, a Saturday, in UTC.
std::string explain(const LoadedConfig& loaded) {
  return explain(loaded, test::ManualClock().now().wall);
}

/// The line that begins so, without the blanks between setting and origin.
std::string line_of(const std::string& text, const std::string& beginning) {
  const std::size_t begin = text.find(beginning);
  if (begin == std::string::npos) return "no line: " + beginning;
  std::string line = text.substr(begin, text.find('\n', begin) - begin);
  const std::size_t gap = line.find("   ");
  if (gap != std::string::npos)
    line.erase(gap, line.find_last_of(' ', line.rfind("   ") + 3) - gap);
  return line;
}

TEST(ConfigExplain, ShowsEverySettingWithItsOrigin) {
  const std::string text =
      explain(load("[destination.a]\nurl = https://h.example/e\nheader = X: 1\nheader = Y: 2\n",
                   {"--destination.a.timeout=2s"}));
  EXPECT_THAT(text, HasSubstr("\n[destination.a]\n"));
  EXPECT_EQ(line_of(text, "url = "), "url = https://h.example/e a.conf:2");
  EXPECT_EQ(line_of(text, "header = Y"), "header = Y: 2 a.conf:4");
  EXPECT_EQ(line_of(text, "queue_events_max"), "queue_events_max = 100000 default");
  EXPECT_EQ(line_of(text, "ca_file"), "ca_file = (not set) default");
  EXPECT_THAT(text, HasSubstr("timeout = 2s"));
  EXPECT_THAT(text, HasSubstr("command line"));
  EXPECT_EQ(line_of(text, "linger"), "linger = 10s default");
  // What belongs to other types is not shown.
  EXPECT_THAT(text, Not(HasSubstr("send_events_max")));
}

TEST(ConfigExplain, SaysEveryPartOfAPolicy) {
  const std::string text = explain(
      load("[destination.hook]\nurl = https://h.example/a\nurl = https://h.example/b\n"
           "format = payload\ncompression = zstd\nredact = data.password\nsample = 10%\n"
           "rate_max = 5 requests/s\nordering = key\nconcurrency_min = 3\nconcurrency_max = 3\n"
           "status_actions = 409:ok\nretry_share_max = 100%\nbreaker_failures = 0\n"
           "breaker_failure_rate = 0%\ndeny_private_addresses = true\nredirects_max = 2\n"));
  for (const char* part :
       {"https://h.example/a, https://h.example/b, each request to the one that is up and least "
        "busy, as payload, compressed by zstd at level 1.",
        "It connects to public addresses only.", "It redacts data.password.",
        "Of the events it keeps 10%, the rest is counted as sampled.",
        "Each event is a request of its own; 3 requests are on their way at a time; on average at "
        "most 5 requests/s leave. An event whose body alone is larger than 16MiB is a dead letter. "
        "Events with the same key arrive in order, also over retries.",
        "redirects are followed, 2 at most.", "Different from that: 409:ok."}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
  EXPECT_THAT(text, Not(HasSubstr("probes it until")));
  EXPECT_THAT(text, Not(HasSubstr("Retries are at most")));
}

TEST(ConfigExplain, NeverShowsSecrets) {
  const std::string text =
      explain(load("[destination.a]\nurl = https://h.example/e\nheader = X-Api-Key: s3cret\n"
                   "header = authorization: Bearer s3cret\nheader = X-Tenant: open\n"));
  EXPECT_THAT(text, Not(HasSubstr("s3cret")));
  EXPECT_THAT(text, HasSubstr("authorization: ***"));
  EXPECT_THAT(text, HasSubstr("X-Tenant: open"));
  EXPECT_THAT(text, HasSubstr("It sends the headers X-Api-Key, authorization, X-Tenant.\n"));
  const std::string with_query = explain(
      load("[destination.a]\nurl = https://h.example/e?sort=id&Api_Key=s3cret&token=s3cret#x\n"));
  EXPECT_THAT(with_query, Not(HasSubstr("s3cret")));
  EXPECT_THAT(explain(load("[destination.a]\nurl = https://h/\nproxy = http://p/?x=s3cret\n")),
              Not(HasSubstr("s3cret")));
  EXPECT_THAT(with_query, HasSubstr("url = https://h.example/e?sort=id&Api_Key=***&token=***#x "));
  EXPECT_THAT(with_query, HasSubstr("to https://h.example/e?sort=id&Api_Key=***&token=***#x as"));
  EXPECT_THAT(explain(load("[destination.a]\nformat = payload\nurl = https://h/?key={key}\n")),
              HasSubstr("https://h/?key={key} as"));
}

TEST(ConfigExplain, SaysInPlainWordsWhatADestinationDoes) {
  const std::string text = explain(load(
      "[destination.audit]\nurl = https://h.example/e\ntopics = orders.*\nexclude = orders.test\n"
      "when_full = drop_oldest\nretry_attempts_max = 7\n"
      "[destination.disk]\ntype = file\npath = /var/log/e\nformat = ndjson\n"
      "retry_attempts_max = 1\n"
      "[destination.out]\ntype = stdout\n"
      "[destination.fan]\ntype = zmq\nurl = tcp://*:7777\nbind = true\nsocket = push\n"));
  EXPECT_THAT(
      text,
      HasSubstr(
          "audit gets topics orders.*, except topics orders.test and sends them by POST to "
          "https://h.example/e as json.\n"
          "  No connection is used for longer than 5m.\n"
          "  A batch leaves at once when nothing else is on its way, otherwise when it has 500 "
          "events or 1MiB or is 200ms old; 1 to 16 requests are on their way at a time, as many as "
          "the receiver answers without queueing them. An event whose body alone is larger than "
          "16MiB is a dead letter.\n"
          "  It keeps at most 100000 events or 64MiB waiting in memory; when that is full, the "
          "oldest events are dropped and counted to make room, low priority first and high "
          "priority last.\n"
          "  A request fails that has no connection after 5s or no answer after 30s. A batch that "
          "fails and may yet succeed is tried again after a random wait of up to "
          "1s, "
          "doubling up to 5m, for 24h or 7 attempts; then it is a dead letter, counted and logged. "
          "Retries are at most 20% of the requests, but always 10 a second.\n"
          "  After 5 failures in a row, or 50% failures among the requests of 10s, one request at "
          "a "
          "time probes it until it answers. Then it starts slowly: 1 request at a time, and twice "
          "as "
          "many with each round of answers.\n"
          "  2xx is delivered; "));
  EXPECT_THAT(text, HasSubstr("disk gets every event and appends them to /var/log/e as ndjson."));
  EXPECT_THAT(text, HasSubstr("A batch that fails is not tried again"));
  EXPECT_THAT(text, HasSubstr("out gets every event and writes them to standard output as json."));
  EXPECT_THAT(text, HasSubstr("fan gets every event and sends each as a ZeroMQ message in json to "
                              "one of the workers, bound to tcp://*:7777."));
}

TEST(ConfigExplain, ShowsNoSecretWhereverItStands) {
  const std::string text = explain(
      load("[destination.a]\nurl = https://h/x?sig=s3cret-1\nheader = X-Api-Key: s3cret-2\n"
           "header = X-Forward: Bearer s3cret-3\nformat = cloudevents\n"
           "cloudevents_source = https://me:s3cret-4@h/\nstatic_field = data.password: s3cret-5\n"
           "static_field = data.note: token=s3cret-6\n[spool]\npath = x\n[schedule.s]\n"
           "cron = @daily\ntopic = a.b\ndata = {\"password\": \"s3cret-7\", \"n\": 42}\n"));
  EXPECT_THAT(text, Not(HasSubstr("s3cret")));
  EXPECT_THAT(text, HasSubstr("42"));
}

TEST(ConfigExplain, EndsWithTheWarnings) {
  EXPECT_THAT(explain(load("[destination.a]\nurl = http://h.example/e\n")),
              HasSubstr("warning: a.conf:2: url"));
}

}  // namespace
}  // namespace outrider::sidecar
