// What a receiver gets from the real binary: formats, compression, headers filled in, signatures,
// order by key.

#include "e2e/e2e_fixture.hpp"
#include "support/fault_receiver.hpp"

namespace outrider::test {
namespace {

struct Case {
  std::string name;
  std::string settings;
};

class Bodies : public testing::TestWithParam<Case> {};

TEST_P(Bodies, EveryEventArrivesOnce) {
  const TempDir dir;
  Sink sink(dir);
  Sidecar sidecar(dir, https_destination("audit", sink, GetParam().settings));
  Client client(sidecar.endpoint());
  emit_numbers(client, 1, 500);
  EXPECT_TRUE(client.flush(10s));
  EXPECT_EQ(sidecar.stop(), 0) << sidecar.err();
  EXPECT_EQ(sidecar.ledger("audit").delivered, 500U);
  EXPECT_EQ(sorted(sink.numbers()), range(1, 500)) << sink.process().text(Process::Stream::err);
}

INSTANTIATE_TEST_SUITE_P(
    Formats, Bodies,
    testing::Values(
        Case{"JsonGzip", "compression = gzip"}, Case{"JsonZstd", "compression = zstd"},
        Case{"NdjsonGzip", "format = ndjson\ncompression = gzip\ncompression_level = 9"},
        Case{"MsgpackZstd", "format = msgpack\ncompression = zstd"},
        Case{"CloudEvents", "format = cloudevents\ncompression = gzip"},
        Case{"CloudEventsStructured", "format = cloudevents\ncloudevents_mode = structured"},
        Case{"CloudEventsBinary", "format = cloudevents\ncloudevents_mode = binary"},
        Case{"Payload", "format = payload"},
        Case{"PayloadOverHttp2", "format = payload\nhttp_version = 2"},
        Case{"OrderByKey", "ordering = key\nbatch_events_max = 7"}),
    [](const auto& test) { return test.param.name; });

TEST(Requests, AreFilledInFromTheEventSignedAndCarryItsTrace) {
  const TempDir dir;
  write_file(dir.file("secret"), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n");
  write_file(dir.file("key"), "s3cret\n");
  FaultReceiver receiver;
  Sidecar sidecar(dir, "[destination.hook]\ntype = http\nurl = " + receiver.url() +
                           "/{topic}/{data.user}?of={key|nobody}\nmethod = PUT\n"
                           "header = X-Event: {id}\nsecret_header = X-Api-Key: " +
                           dir.file("key") + "\nsigning_secret_file = " + dir.file("secret") +
                           "\nformat = payload\nredact = data.password\nstatic_field = data.env: "
                           "test\n");
  Client client(sidecar.endpoint());
  Attributes attributes;
  attributes.trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  ASSERT_EQ(client.emit("users.new", {{"user", "a/b c"}, {"password", "hidden"}}, attributes),
            Status::ok);
  ASSERT_TRUE(eventually([&] { return receiver.counts().answered == 1; }));
  EXPECT_EQ(sidecar.stop(), 0) << sidecar.err();

  const Arrival arrival = receiver.arrivals().front();
  EXPECT_TRUE(arrival.head.starts_with("PUT /events/users.new/a%2Fb%20c?of=nobody HTTP/1.1\r\n"))
      << arrival.head;
  EXPECT_EQ(arrival.header("X-Event"), arrival.header("Idempotency-Key"));
  EXPECT_EQ(arrival.header("webhook-id"), arrival.header("Idempotency-Key"));
  EXPECT_TRUE(arrival.header("webhook-signature").starts_with("v1,"));
  EXPECT_EQ(arrival.header("X-Api-Key"), "s3cret");
  EXPECT_EQ(arrival.header("traceparent"), attributes.trace);
  EXPECT_EQ(arrival.body, R"({"user":"a/b c","password":"[redacted]","env":"test"})");
  EXPECT_EQ(sidecar.err().find("s3cret"), std::string::npos);
}

TEST(Requests, AnEventThatCannotFillItsUrlCostsNobodyElse) {
  const TempDir dir;
  FaultReceiver receiver;
  Sidecar sidecar(dir, "[destination.hook]\ntype = http\nurl = " + receiver.url() +
                           "/{data.user}\nformat = payload\n");
  Client client(sidecar.endpoint());
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(client.emit("users.new", {{"user", i}}), Status::ok);
    if (i != 5) continue;
    ASSERT_EQ(client.emit("users.new", {{"nobody", i}}), Status::ok);
  }
  EXPECT_TRUE(client.flush(10s));
  EXPECT_EQ(sidecar.stop(), 3) << sidecar.err();
  const LedgerRow row = sidecar.ledger("hook");
  EXPECT_EQ(row.delivered, 10U);
  EXPECT_EQ(row.dead, 1U);
  EXPECT_NE(sidecar.err().find("reason=unsendable"), std::string::npos) << sidecar.err();
}

TEST(Requests, ASampleIsKeptAndTellsItsRate) {
  const TempDir dir;
  Sink sink(dir);
  Sidecar sidecar(dir, https_destination("audit", sink, "sample = 10%"));
  Client client(sidecar.endpoint());
  emit_numbers(client, 1, 1000);
  EXPECT_TRUE(client.flush(10s));
  EXPECT_EQ(sidecar.stop(), 0) << "what was not chosen is no loss: " << sidecar.err();
  const LedgerRow row = sidecar.ledger("audit");
  EXPECT_GT(row.delivered, 50U);
  EXPECT_LT(row.delivered, 200U);
  EXPECT_EQ(row.delivered + row.dropped, 1000U);
  EXPECT_NE(sink.output().find("\"sample_rate\":0.1"), std::string::npos);
}

TEST(Requests, OfOneKeyArriveInOrderThoughTheReceiverFails) {
  const TempDir dir;
  Sink sink(dir, {"--fail-rate", "0.3", "--seed", "3"});
  Sidecar sidecar(dir, https_destination("audit", sink,
                                         "ordering = key\nbatch_events_max = 5\n"
                                         "retry_max = 50ms\n"
                                         "retry_share_max = 100%\nbreaker_failures = 0\n"
                                         "breaker_failure_rate = 0%\n"));
  Client client(sidecar.endpoint());
  const std::vector<std::string> keys = {"a", "b", "c", "d"};
  for (long n = 1; n <= 400; ++n) {
    Attributes attributes;
    attributes.key = keys[static_cast<std::size_t>(n) % keys.size()];
    ASSERT_EQ(client.emit("orders.paid", {{"n", n}}, attributes), Status::ok);
  }
  ASSERT_TRUE(eventually([&] { return distinct(sink.numbers()).size() == 400; })) << sidecar.err();
  EXPECT_EQ(sidecar.stop(), 0);
  std::map<long, long> last;
  for (const long n : sink.numbers()) {
    EXPECT_GT(n, last[n % 4]);
    last[n % 4] = n;
  }
}

}  // namespace
}  // namespace outrider::test
