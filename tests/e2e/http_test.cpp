// How the real binary gets to a receiver, what it shows it, and what it makes of its answers.

#include <filesystem>

#include "e2e/fault_fixture.hpp"

namespace outrider::test {
namespace {

const std::string short_linger = "[shutdown]\nlinger = 300ms\n";

class Http : public FaultTest {
 protected:
  void expect_delivered_once(const FaultReceiver& receiver) {
    expect_all_delivered("no fault", receiver, Duplicates::none);
  }

  /// Stops the sidecar: nothing was delivered, and nothing given up before.
  void expect_all_left() {
    EXPECT_EQ(sidecar_->stop(), 3) << sidecar_->err();
    EXPECT_EQ(sidecar_->ledger("audit").left, static_cast<std::uint64_t>(events));
  }

  /// Exchanges the file as a whole, as those who change secrets do.
  static void replace_file(const std::string& path, const std::string& text) {
    write_file(path + ".new", text);
    std::filesystem::rename(path + ".new", path);
  }
};

// The way there -----------------------------------------------------------------------------------

TEST_F(Http, OfSeveralUrlsTheOneThatIsDownCostsNothing) {
  constexpr long many = 500;
  FaultReceiver up;
  FaultReceiver also_up;
  FaultReceiver down;
  down.refuse();
  start(audit(down.url(), "url = " + up.url() + "\nurl = " + also_up.url()));
  emit(1, many);
  EXPECT_EQ(sidecar_->stop(), 0) << sidecar_->err();
  EXPECT_EQ(sidecar_->ledger("audit").delivered, static_cast<std::uint64_t>(many));
  std::vector<long> numbers = taken(up);
  EXPECT_FALSE(numbers.empty());
  for (const long n : taken(also_up)) numbers.push_back(n);
  EXPECT_FALSE(taken(also_up).empty());
  EXPECT_EQ(sorted(numbers), range(1, many));
}

TEST_F(Http, AReceiverMayListenOnAUnixSocket) {
  FaultReceiver receiver({.unix_path = dir_.file("app.sock")});
  start(audit(receiver.url()));
  emit();
  expect_delivered_once(receiver);
  EXPECT_TRUE(receiver.arrivals().front().head.starts_with("POST /events HTTP/1.1\r\n"));
}

TEST_F(Http, AnAnswerThatDoesNotEndIsItsStatus) {
  FaultReceiver receiver;
  receiver.script_requests(std::vector<Script>(static_cast<std::size_t>(events),
                                               answer_raw("HTTP/1.1 200 OK\r\n\r\n", hang())));
  start(audit(receiver.url(), "", {.request = "600s"}));
  emit();
  expect_delivered_once(receiver);
}

TEST_F(Http, AProxyIsAskedForTheWholeUrl) {
  FaultReceiver proxy;
  write_file(dir_.file("proxy"), "user:pass\n");
  start(audit("http://target.test/in", "proxy = http://127.0.0.1:" + std::to_string(proxy.port()) +
                                           "\nproxy_auth_file = " + dir_.file("proxy")));
  emit();
  expect_delivered_once(proxy);
  const Arrival arrival = proxy.arrivals().front();
  EXPECT_TRUE(arrival.head.starts_with("POST http://target.test/in HTTP/1.1\r\n")) << arrival.head;
  EXPECT_EQ(arrival.header("Proxy-Authorization"), "Basic dXNlcjpwYXNz");
}

TEST_F(Http, NothingIsSentToAPrivateAddressThatIsDenied) {
  FaultReceiver receiver;
  start(audit(receiver.url("localhost"), "deny_private_addresses = true") + short_linger);
  emit();
  EXPECT_TRUE(sidecar_->process().wait_for_line("deny_private_addresses", Process::Stream::err))
      << sidecar_->err();
  expect_all_left();
  EXPECT_EQ(receiver.counts().connections, 0U);
}

TEST_F(Http, AsManyRedirectsAsAllowedAreFollowed) {
  FaultReceiver receiver;
  const auto by_path = [](const Arrival& arrival) {
    if (arrival.head.starts_with("POST /there ")) return answer();
    return answer(307, "Location: /there\r\n");
  };
  receiver.script_requests({}, {read_all(), choose(by_path)});
  start(audit(receiver.url(), "redirects_max = 1"));
  emit();
  expect_delivered_once(receiver);
}

// TLS ---------------------------------------------------------------------------------------------

TEST_F(Http, AReceiverThatAsksForACertificateTakesOnlyWhoHasOne) {
  const Certificate own = make_certificate(dir_.path());
  const Certificate client = make_certificate(dir_.path(), "DNS:client", "client");
  FaultReceiver receiver(
      {.tls = TlsOptions{.certificate = own, .client_ca_file = client.cert_file}});
  const std::string trust = "ca_file = " + own.cert_file + "\n";
  start(audit(receiver.url(),
              trust + "cert_file = " + client.cert_file + "\nkey_file = " + client.key_file) +
        "[destination.nobody]\nurl = " + receiver.url() + "/nobody\n" + trust + short_linger);
  emit();
  wait_until_taken(receiver);
  EXPECT_TRUE(sidecar_->process().wait_for_line("destination=nobody", Process::Stream::err));
  EXPECT_EQ(sidecar_->stop(), 3) << sidecar_->err();
  EXPECT_EQ(sorted(taken(receiver)), range(1, events));
  EXPECT_EQ(sidecar_->ledger("audit").delivered, static_cast<std::uint64_t>(events));
  EXPECT_EQ(sidecar_->ledger("nobody").left, static_cast<std::uint64_t>(events));
}

TEST_F(Http, ReceiversOfAnOlderTlsThanConfiguredGetNothing) {
  constexpr int tls_1_2 = 0x0303;
  const Certificate own = make_certificate(dir_.path());
  FaultReceiver receiver({.tls = TlsOptions{own, tls_1_2}});
  start(audit(receiver.url(), "tls_version_min = 1.3\nca_file = " + own.cert_file) + short_linger);
  emit();
  EXPECT_TRUE(sidecar_->process().wait_for_line("TLS handshake", Process::Stream::err));
  expect_all_left();
  EXPECT_TRUE(receiver.arrivals().empty());
}

// Secrets -----------------------------------------------------------------------------------------

TEST_F(Http, SecretsComeFromFilesCredentialsAndTheEnvironment) {
  FaultReceiver receiver;
  write_file(dir_.file("token"), "t0ken\n");
  write_file(dir_.file("user"), "user:pass\n");
  start("[destination.bearer]\nurl = " + receiver.url() + "/bearer\nbearer_token_file = " +
            "credential:token\n[destination.basic]\nurl = " + receiver.url() +
            "/basic\nbasic_auth_file = " + dir_.file("user") + "\n[destination.header]\nurl = " +
            receiver.url() + "/header\nsecret_header = X-Api-Key: env:OUTRIDER_TEST_KEY\n",
        {"CREDENTIALS_DIRECTORY=" + dir_.path(), "OUTRIDER_TEST_KEY=k3y"});
  emit(1, 1);
  EXPECT_EQ(sidecar_->stop(), 0) << sidecar_->err();
  std::map<std::string, std::string> shown;
  for (const Arrival& arrival : receiver.arrivals()) {
    shown[arrival.head.substr(0, arrival.head.find(" HTTP"))] =
        arrival.header("Authorization") + arrival.header("X-Api-Key");
  }
  EXPECT_EQ(shown, (std::map<std::string, std::string>{{"POST /events/bearer", "Bearer t0ken"},
                                                       {"POST /events/basic", "Basic dXNlcjpwYXNz"},
                                                       {"POST /events/header", "k3y"}}));
  for (const char* secret : {"t0ken", "pass", "k3y"}) {
    EXPECT_EQ(sidecar_->err().find(secret), std::string::npos) << sidecar_->err();
  }
}

TEST_F(Http, ATokenThatChangesIsUsedWithinTwoSeconds) {
  FaultReceiver receiver;
  const auto by_token = [](const Arrival& arrival) {
    return answer(arrival.header("Authorization") == "Bearer new" ? 200 : 401);
  };
  receiver.script_requests({}, {read_all(), choose(by_token)});
  write_file(dir_.file("token"), "old\n");
  start(audit(receiver.url(), "bearer_token_file = " + dir_.file("token")));
  emit();
  wait_until_it_fails();
  replace_file(dir_.file("token"), "new\n");
  const auto begin = std::chrono::steady_clock::now();
  wait_until_taken(receiver);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 2s);
  expect_delivered_once(receiver);
}

// Answers -----------------------------------------------------------------------------------------

TEST_F(Http, AStatusMayMeanDelivered) {
  FaultReceiver receiver;
  receiver.script_requests({}, answer(409));
  start(audit(receiver.url(), "status_actions = 409:ok"));
  emit();
  EXPECT_EQ(sidecar_->stop(), 0) << sidecar_->err();
  EXPECT_EQ(sidecar_->ledger("audit").delivered, static_cast<std::uint64_t>(events));
  std::size_t arrived = 0;
  for (const Arrival& arrival : receiver.arrivals()) {
    arrived += values_of(arrival.body, "\"n\":", ",}").size();
  }
  EXPECT_EQ(arrived, static_cast<std::size_t>(events));
}

TEST_F(Http, AStatusMayMeanThatOneOfTheBatchIsPoison) {
  FaultReceiver receiver;
  const auto by_poison = [](const Arrival& arrival) {
    return answer(arrival.body.find("\"n\":7}") == std::string::npos ? 200 : 400);
  };
  receiver.script_requests({}, {read_all(), choose(by_poison)});
  start(audit(receiver.url(), "status_actions = 400:split"));
  emit();
  wait_until_taken(receiver, events - 1);
  EXPECT_EQ(sidecar_->stop(), 3) << sidecar_->err();
  const Tally tally = tally_of(receiver);
  EXPECT_EQ(tally.ledger.delivered, 19U);
  EXPECT_EQ(tally.ledger.dead, 1U);
  EXPECT_EQ(tally.received, 19U);
  EXPECT_EQ(distinct(taken(receiver)).count(7), 0U);
}

// Pace --------------------------------------------------------------------------------------------

TEST_F(Http, NoMoreLeavesThanTheRateAllows) {
  constexpr long many = 50;
  FaultReceiver receiver;
  start(audit(receiver.url(), "rate_max = 20 events/s"));
  const auto begin = std::chrono::steady_clock::now();
  emit(1, many);
  wait_until_taken(receiver, many);
  // 20 were saved up and a batch of 10 is paid for afterwards: the other 20 take a second.
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 900ms);
  EXPECT_EQ(sidecar_->stop(), 0) << sidecar_->err();
  EXPECT_EQ(sorted(taken(receiver)), range(1, many));
}

TEST_F(Http, AtTheMarkLowGivesWayToHigh) {
  FaultReceiver receiver;
  receiver.script_requests({{read_all(), hang()}});
  FaultReceiver other;
  // One is in flight, ten may wait. The other destination shows what has come in.
  start(audit(receiver.url(), "queue_events_max = 11\nconcurrency_max = 1") +
        "[destination.other]\nurl = " + other.url() + "\n");
  emit(1, 1);
  ASSERT_TRUE(eventually([&] { return receiver.counts().requests == 1; })) << sidecar_->err();
  for (long n = 2; n <= 21; ++n) {
    Attributes attributes;
    attributes.priority = n <= 11 ? Priority::low : Priority::high;
    ASSERT_EQ(client_->emit("orders.paid", {{"n", n}}, attributes), Status::ok);
  }
  wait_until_taken(other, 21);
  receiver.end_connections();
  wait_until_taken(receiver, 11);
  EXPECT_EQ(sidecar_->stop(), 3) << sidecar_->err();
  EXPECT_EQ(sidecar_->ledger("audit").delivered, 11U);
  EXPECT_EQ(sidecar_->ledger("audit").dropped, 10U);
  EXPECT_NE(sidecar_->err().find("evicted 10"), std::string::npos) << sidecar_->err();
  std::set<long> expected = distinct(range(12, 21));
  expected.insert(1);
  EXPECT_EQ(distinct(taken(receiver)), expected);
}

}  // namespace
}  // namespace outrider::test
