// Every option of a destination is in the plain words: changing it changes them.
#include "sidecar/config/plain_words.hpp"

#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sidecar/config/options.hpp"
#include "support/certificate.hpp"
#include "unit/config/config_support.hpp"

namespace outrider::sidecar {
namespace {

using testing::HasSubstr;
using testing::Not;

/// A setting that is not the default, and what else must be written for it.
struct Change {
  std::string value;
  std::string context = "url = https://h.example/e\n";
};

/// So that its options may be given.
const std::string spool = "[spool]\npath = s.db\n";

std::string words(const std::string& section) {
  return plain_words(test::load("[destination.a]\n" + section + spool).config.destinations.at(0),
                     true);
}

std::map<std::string_view, Change> make_changes(const test::TempDir& dir) {
  const std::string http = Change{}.context;
  const std::string zmq = "type = zmq\nurl = tcp://h:1\n";
  const std::string secret = dir.write("secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n");
  const std::string pair = dir.write("pair", "me:pass\n");
  const test::Certificate own = test::make_certificate(dir.path());
  const std::string both = dir.path() + "/both";
  const std::string join = "cat " + own.cert_file + " " + own.key_file + " > " + both;
  EXPECT_EQ(std::system(join.c_str()), 0);
  return {
      {"type", {"stdout", ""}},
      {"topics", {"orders.>"}},
      {"exclude", {"orders.test"}},
      {"format", {"ndjson"}},
      {"cloudevents_mode", {"structured", http + "format = cloudevents\n"}},
      {"cloudevents_source", {"/here", http + "format = cloudevents\n"}},
      {"compression", {"zstd"}},
      {"compression_level", {"3", http + "compression = gzip\n"}},
      {"redact", {"data.a"}},
      {"drop_fields", {"data.a"}},
      {"rename_field", {"data.a: b"}},
      {"static_field", {"data.a: b"}},
      {"sample", {"10%"}},
      {"url", {"https://other.example/e", ""}},
      {"path", {"/var/log/e", "type = file\n"}},
      {"method", {"PUT"}},
      {"header", {"X-Tenant: open"}},
      {"secret_header", {"X-Api-Key: " + secret}},
      {"bearer_token_file", {secret}},
      {"basic_auth_file", {pair}},
      {"signing_secret_file", {secret}},
      {"ca_file", {own.cert_file}},
      {"cert_file", {both}},
      {"key_file", {own.key_file, http + "cert_file = " + both + "\n"}},
      {"tls_version_min", {"1.3"}},
      {"tls_server_name", {"inner.example"}},
      {"http_version", {"2"}},
      {"redirects_max", {"2"}},
      {"proxy", {"http://p.example:3128"}},
      {"proxy_auth_file", {pair, http + "proxy = http://p.example:3128\n"}},
      {"deny_private_addresses", {"true"}},
      {"connection_age_max", {"1m"}},
      {"socket", {"push", zmq}},
      {"bind", {"true", zmq}},
      {"send_events_max", {"5", zmq}},
      {"batch_events_max", {"7"}},
      {"batch_bytes_max", {"7KiB"}},
      {"body_bytes_max", {"7MiB"}},
      {"batch_delay", {"7ms"}},
      {"queue_events_max", {"777"}},
      {"queue_bytes_max", {"7MiB"}},
      {"when_full", {"spool"}},
      {"spool_order", {"fresh_first"}},
      {"spool_bytes_max", {"7MiB"}},
      {"spool_age_max", {"7h"}},
      {"ordering", {"key"}},
      {"concurrency_min", {"2"}},
      {"concurrency_max", {"7"}},
      {"rate_max", {"7 events/m"}},
      {"timeout", {"7s"}},
      {"connect_timeout", {"7s"}},
      {"retry_initial", {"7s"}},
      {"retry_max", {"7m"}},
      {"retry_age_max", {"7h"}},
      {"retry_attempts_max", {"7"}},
      {"retry_share_max", {"7%"}},
      {"breaker_failures", {"7"}},
      {"breaker_failure_rate", {"7%"}},
      {"status_actions", {"409:ok"}},
  };
}

TEST(PlainWords, TellOfEveryOption) {
  const test::TempDir dir;
  const auto changes = make_changes(dir);
  for (const Option& option : options()) {
    if (option.section != "destination") continue;
    const auto change = changes.find(option.key);
    if (change == changes.end()) {
      ADD_FAILURE() << option.key << " is not in the table above";
      continue;
    }
    const auto& [value, context] = change->second;
    // What is required may be what is missing here.
    const LoadResult without = load_config_text("[destination.a]\n" + context + spool, "a.conf");
    EXPECT_NE(words(context + std::string(option.key) + " = " + value + "\n"),
              plain_words(without.loaded.config.destinations.at(0), true))
        << option.key;
  }
}

TEST(PlainWords, SpeakOfEventsWhereEachIsARequestOfItsOwn) {
  const std::string single = words("url = https://h.example/e\nformat = payload\n");
  EXPECT_THAT(single, HasSubstr("sends each by POST to"));
  EXPECT_THAT(single, HasSubstr("An event that fails and may yet succeed"));
  EXPECT_THAT(single, Not(HasSubstr("batch")));
  EXPECT_THAT(words("url = https://h.example/e\nformat = payload\nretry_attempts_max = 1\n"),
              HasSubstr("An event that fails is not tried again"));
  // To a file many go at once.
  EXPECT_THAT(words("type = file\npath = /x\nformat = payload\n"), HasSubstr("A batch leaves"));
}

TEST(PlainWords, AConnectionIsWaitedForNoLongerThanTheAnswer) {
  EXPECT_THAT(words("url = https://h.example/e\ntimeout = 2s\n"),
              HasSubstr("no connection after 2s or no answer after 2s"));
  EXPECT_THAT(words("url = https://h.example/e\ntimeout = 2s\nconnect_timeout = 1s\n"),
              HasSubstr("no connection after 1s or no answer after 2s"));
}

TEST(PlainWords, TellWhoIsTrustedAndWhoAsks) {
  const test::TempDir dir;
  const test::Certificate own = test::make_certificate(dir.path());
  const std::string pair = dir.write("pair", "me:s3cret\n");
  const std::string text =
      words("url = https://h.example/e\nhttp_version = 2\nca_file = " + own.cert_file +
            "\ncert_file = " + own.cert_file + "\nkey_file = " + own.key_file +
            "\ntls_version_min = 1.3\ntls_server_name = inner.example\nproxy = http://p:3128\n" +
            "proxy_auth_file = " + pair + "\nsecret_header = X-Api-Key: " + pair +
            "\nheader = X-A: 1\nheader = X-B: 2\n");
  EXPECT_THAT(text, HasSubstr("  It speaks HTTP/2. No connection is used for longer than 5m. It "
                              "uses the proxy http://p:3128, with a user and password.\n"
                              "  It trusts the certificates in " +
                              own.cert_file +
                              " instead of the system's. The receiver's certificate must be for "
                              "inner.example. It speaks TLS 1.3 or newer. It shows the certificate "
                              "in " +
                              own.cert_file + ", whose key is in " + own.key_file +
                              ". It sends the headers X-A, X-B. It sends the secret header "
                              "X-Api-Key.\n"));
}

TEST(PlainWords, TellWhatBecomesOfWhatZeroMqDoesNotTake) {
  const std::string zmq = "type = zmq\nurl = tcp://h:1\n";
  EXPECT_THAT(words(zmq), HasSubstr("ZeroMQ holds at most 10000 events for a subscriber; what is "
                                    "over it is dropped and counted"));
  EXPECT_THAT(
      words(zmq + "socket = push\n"),
      HasSubstr("ZeroMQ holds at most 200 events for a worker; what is over it waits here"));
}

TEST(PlainWords, TellWhatAPauseIsLike) {
  EXPECT_THAT(words("url = https://h.example/e\nconcurrency_min = 2\n"),
              HasSubstr("Then it starts slowly: 2 requests at a time, and twice as many"));
  EXPECT_THAT(words("url = https://h.example/e\nconcurrency_max = 1\n"),
              Not(HasSubstr("starts slowly")));
  EXPECT_THAT(words("url = https://h.example/e\nconcurrency_max = 1\n"),
              HasSubstr("; 1 request is on its way at a time"));
  EXPECT_THAT(words("url = https://h.example/e\n"),
              HasSubstr("401 and 403 hold everything, and one request at a time probes whether "
                        "they are mended"));
}

}  // namespace
}  // namespace outrider::sidecar
