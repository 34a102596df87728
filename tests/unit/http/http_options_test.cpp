// What the options of an http destination do, each against a real peer.

#include <atomic>
#include <map>
#include <mutex>

#include <gmock/gmock.h>
#include <poll.h>
#include <stdlib.h>

#include "support/curl_fixture.hpp"
#include "support/records.hpp"
#include "support/tcp_peer.hpp"

namespace outrider::sidecar {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::HttpsServer;
using test::ReceivedRequest;
using test::ServerAnswer;
using test::TcpPeer;
using testing::HasSubstr;
using testing::Not;

constexpr const char* empty_ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// Answers every request of a connection alike and keeps their heads.
class Heads {
 public:
  explicit Heads(std::string answer = empty_ok) : answer_(std::move(answer)) {}

  void operator()(int fd) const {
    for (std::string head = TcpPeer::read_head(fd); !head.empty(); head = TcpPeer::read_head(fd)) {
      {
        const std::lock_guard lock(state_->mutex);
        state_->heads.push_back(head);
      }
      // The bodies of these tests are four bytes long.
      std::string body(4, '\0');
      if (head.starts_with("POST")) read(fd, body.data(), body.size());
      TcpPeer::write_all(fd, answer_);
    }
  }

  std::string last() const {
    const std::lock_guard lock(state_->mutex);
    return state_->heads.empty() ? "" : state_->heads.back();
  }

 private:
  struct State {
    std::mutex mutex;
    std::vector<std::string> heads;
  };
  std::string answer_;
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

/// Carries bytes between `fd` and a port of this machine until one side ends.
void pass_on(int fd, int port) {
  const int other = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  connect(other, reinterpret_cast<sockaddr*>(&address), sizeof address);
  pollfd ends[] = {{fd, POLLIN, 0}, {other, POLLIN, 0}};
  for (bool is_open = true; is_open && poll(ends, 2, -1) > 0;) {
    for (const int from : {0, 1}) {
      if (ends[from].revents == 0) continue;
      char bytes[4096];
      const ssize_t got = read(ends[from].fd, bytes, sizeof bytes);
      is_open = is_open && got > 0;
      if (got > 0) {
        TcpPeer::write_all(ends[1 - from].fd, {bytes, static_cast<std::size_t>(got)});
      }
    }
  }
  close(other);
}

class HttpOptionsTest : public test::CurlFixture {
 protected:
  Completion next(AttemptId id) {
    start(id);
    return finish_one();
  }
};

// Several urls ------------------------------------------------------------------------------------

TEST_F(HttpOptionsTest, SharesRequestsAmongItsUrls) {
  HttpsServer& one = serve();
  HttpsServer& two = serve();
  DestinationConfig config = to(one.url());
  config.urls.push_back(two.url());
  open(config);
  for (AttemptId id = 1; id <= 10; ++id) EXPECT_EQ(next(id).status, 200);
  EXPECT_EQ(one.received().size(), 5U);
  EXPECT_EQ(two.received().size(), 5U);
}

TEST_F(HttpOptionsTest, FailsOverAndSaysThatThereIsAnotherWay) {
  HttpsServer& good = serve();
  DestinationConfig config = to("http://127.0.0.1:1/");
  config.urls.push_back(good.url());
  config.retry_initial = config.retry_max = std::chrono::hours(1);
  open(config);
  int failures = 0;
  for (AttemptId id = 1; id <= 10; ++id) {
    const Completion completion = next(id);
    if (completion.result == AttemptResult::answered) continue;
    ++failures;
    EXPECT_TRUE(completion.has_alternative);
  }
  EXPECT_EQ(failures, 1);
  EXPECT_EQ(log_.count("destination=web peer=127.0.0.1:1 status=0 detail=cannot connect"), 1);
}

TEST_F(HttpOptionsTest, SaysWhenAUrlIsIllAndWhenItIsWellAgain) {
  std::atomic<int> status = 503;
  HttpsServer& one = serve([&](const ReceivedRequest&) { return ServerAnswer{status, "", {}}; });
  DestinationConfig config = to(one.url());
  config.urls.push_back(serve().url());
  config.retry_initial = config.retry_max = milliseconds(1);
  open(config);
  const std::string peer = "destination=web peer=127.0.0.1:" + std::to_string(one.port());
  for (AttemptId id = 1; id <= 10; ++id) next(id);
  EXPECT_EQ(log_.count(peer + " status=503"), 1);
  EXPECT_EQ(log_.count("url recovered"), 0);
  status = 200;
  for (AttemptId id = 11; id <= 100 && log_.count("url recovered " + peer) == 0; ++id) next(id);
  EXPECT_EQ(log_.count("url recovered " + peer), 1);
}

TEST_F(HttpOptionsTest, RetryAfterPausesTheOneUrlWhileAnotherIsHealthy) {
  HttpsServer& busy = serve([](const ReceivedRequest&) {
    return ServerAnswer{503, "", {{"Retry-After", "600"}}};
  });
  HttpsServer& good = serve();
  DestinationConfig config = to(busy.url());
  config.urls.push_back(good.url());
  open(config);
  std::map<int, int> statuses;
  for (AttemptId id = 1; id <= 10; ++id) {
    const Completion completion = next(id);
    ++statuses[completion.status];
    EXPECT_EQ(completion.retry_after, std::nullopt);
    EXPECT_EQ(completion.has_alternative, completion.status == 503);
  }
  EXPECT_EQ(statuses[503], 1);
}

TEST_F(HttpOptionsTest, TheLastUrlThatFailsIsTheDestinationsFailure) {
  const auto busy = [](const ReceivedRequest&) {
    return ServerAnswer{429, "", {{"Retry-After", "60"}}};
  };
  DestinationConfig config = to(serve(busy).url());
  config.urls.push_back(serve(busy).url());
  open(config);
  EXPECT_TRUE(next(1).has_alternative);
  const Completion second = next(2);
  EXPECT_FALSE(second.has_alternative);
  ASSERT_TRUE(second.retry_after);
  EXPECT_LE(*second.retry_after, seconds(60)) << "until the first of the two may be asked again";
  EXPECT_GT(*second.retry_after, seconds(30));
}

TEST_F(HttpOptionsTest, AUrlThatIsGoneIsLeftAndTheLogSaysSo) {
  const auto gone = [](const ReceivedRequest&) { return ServerAnswer{410, "moved", {}}; };
  HttpsServer& one = serve(gone);
  HttpsServer& two = serve();
  DestinationConfig config = to(one.url());
  config.urls.push_back(two.url());
  open(config);
  for (AttemptId id = 1; id <= 10; ++id) {
    const Completion completion = next(id);
    EXPECT_EQ(completion.others_remain && completion.has_alternative, completion.status == 410);
  }
  EXPECT_EQ(one.received().size(), 1U);
  EXPECT_EQ(two.received().size(), 9U);
  EXPECT_EQ(log_.count("one of several urls is gone; nothing more is sent to it destination=web "
                       "peer=127.0.0.1:" +
                       std::to_string(one.port()) + " status=410 answer=moved"),
            1);
}

TEST_F(HttpOptionsTest, ASplitByActionIsAFailureOfTheUrlWhereTheStatusUsuallyIs) {
  const auto refuse = [](const ReceivedRequest&) { return ServerAnswer{401, "", {}}; };
  HttpsServer& one = serve(refuse);
  DestinationConfig config = to(one.url());
  config.urls.push_back(serve().url());
  config.status_actions = {{400, 499, Outcome::split}};
  config.retry_initial = config.retry_max = std::chrono::hours(1);
  open(config);
  for (AttemptId id = 1; id <= 10; ++id) {
    const Completion completion = next(id);
    EXPECT_EQ(completion.has_alternative, completion.status == 401);
    EXPECT_EQ(completion.way, completion.status == 401 ? 0U : 1U);
  }
  EXPECT_EQ(one.received().size(), 1U);
}

TEST_F(HttpOptionsTest, A4xxIsTheReceiversWordAndNoIllHealth) {
  const auto refuse = [](const ReceivedRequest&) { return ServerAnswer{400, "", {}}; };
  HttpsServer& one = serve(refuse);
  DestinationConfig config = to(one.url());
  config.urls.push_back(serve(refuse).url());
  open(config);
  for (AttemptId id = 1; id <= 4; ++id) EXPECT_FALSE(next(id).has_alternative);
  EXPECT_EQ(one.received().size(), 2U);
}

// Where it connects -------------------------------------------------------------------------------

TEST_F(HttpOptionsTest, SpeaksOverAUnixSocket) {
  const Heads heads;
  const TcpPeer peer(dir_.file("app.sock"), heads);
  const Completion completion = send(to("http://unix:" + dir_.file("app.sock") + ":/in?a=1"));
  EXPECT_EQ(completion.status, 200) << completion.detail;
  EXPECT_THAT(heads.last(), HasSubstr("POST /in?a=1 HTTP/1.1\r\n"));
  EXPECT_THAT(heads.last(), HasSubstr("Host: localhost\r\n"));
}

TEST_F(HttpOptionsTest, SpeaksTlsOverAUnixSocket) {
  const test::Certificate certificate = test::make_certificate(dir_.path(), "DNS:localhost");
  HttpsServer& server = serve({}, &certificate);
  const TcpPeer peer(dir_.file("app.sock"), [port = server.port()](int fd) { pass_on(fd, port); });
  DestinationConfig config = to("https://unix:" + dir_.file("app.sock") + ":/in");
  config.ca_file = certificate.cert_file;
  const Completion completion = send(config);
  EXPECT_EQ(completion.status, 200) << completion.detail;
  EXPECT_EQ(server.received().at(0).server_name, "localhost");
}

TEST_F(HttpOptionsTest, NamesTheUnixSocketThatIsNotThere) {
  const Completion completion = send(to("http://unix:" + dir_.file("no.sock") + ":/"));
  EXPECT_EQ(completion.result, AttemptResult::failed);
  EXPECT_THAT(completion.detail, HasSubstr("cannot connect to unix:" + dir_.file("no.sock")));
}

TEST_F(HttpOptionsTest, GoesThroughAProxy) {
  const Heads heads;
  const TcpPeer proxy(heads);
  setenv("no_proxy", "*", 1);
  DestinationConfig config = to("http://target.example/events");
  config.proxy = proxy.url();
  config.proxy_auth_file = write("proxy", "user:pass");
  const Completion completion = send(config);
  unsetenv("no_proxy");
  EXPECT_EQ(completion.status, 200) << completion.detail;
  EXPECT_THAT(heads.last(), HasSubstr("POST http://target.example/events HTTP/1.1\r\n"));
  EXPECT_THAT(heads.last(), HasSubstr("Proxy-Authorization: Basic dXNlcjpwYXNz\r\n"));
}

TEST_F(HttpOptionsTest, ShowsNothingButTheHostToAProxyOfTls) {
  const Heads heads("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
  const TcpPeer proxy(heads);
  DestinationConfig config = to("https://target.example/events");
  config.proxy = proxy.url();
  config.bearer_token_file = write("token", "s3cret");
  config.headers = {"X-Team: payments"};
  EXPECT_EQ(send(config).status, 403);
  EXPECT_THAT(heads.last(), HasSubstr("CONNECT target.example:443 HTTP/1.1\r\n"));
  EXPECT_THAT(heads.last(), Not(HasSubstr("s3cret")));
  EXPECT_THAT(heads.last(), Not(HasSubstr("payments")));
}

TEST_F(HttpOptionsTest, FollowsTheEnvironmentsProxiesWhenToldSo) {
  const Heads heads;
  const TcpPeer proxy(heads);
  HttpsServer& server = serve();
  setenv("http_proxy", proxy.url().c_str(), 1);
  setenv("no_proxy", "127.0.0.1", 1);
  DestinationConfig config = to("http://target.example/events");
  config.proxy = "environment";
  const Completion through = send(config);
  config.urls = {server.url()};
  const Completion past = send(config);
  unsetenv("http_proxy");
  unsetenv("no_proxy");
  EXPECT_EQ(through.status, 200) << through.detail;
  EXPECT_THAT(heads.last(), HasSubstr("POST http://target.example/events"));
  EXPECT_EQ(past.status, 200) << past.detail;
  EXPECT_EQ(server.received().size(), 1U);
}

TEST_F(HttpOptionsTest, NeverConnectsToAPrivateAddressWhenThatIsDenied) {
  HttpsServer& server = serve();
  DestinationConfig config = to("http://localhost:" + std::to_string(server.port()) + "/");
  config.deny_private_addresses = true;
  const Completion completion = send(config);
  EXPECT_EQ(completion.result, AttemptResult::failed);
  EXPECT_THAT(completion.detail,
              HasSubstr("localhost:" + std::to_string(server.port()) + " is at "));
  EXPECT_THAT(completion.detail, HasSubstr("(loopback), which deny_private_addresses forbids"));
  EXPECT_TRUE(server.received().empty());
}

TEST_F(HttpOptionsTest, AGuardedDestinationUsesNoConnectionOfAnother) {
  HttpsServer& server = serve();
  DestinationConfig config = to(server.url());
  EXPECT_EQ(send(config).status, 200);
  EXPECT_EQ(send(config).status, 200);
  ASSERT_EQ(server.connections(), 1U);  // one that is shared, and open still
  config.deny_private_addresses = true;
  EXPECT_EQ(send(config).result, AttemptResult::failed);
  EXPECT_EQ(server.received().size(), 2U);
}

TEST_F(HttpOptionsTest, RefusesAUnixSocketWhenPrivateAddressesAreDenied) {
  DestinationConfig config = to("http://unix:/run/app.sock:/");
  config.deny_private_addresses = true;
  EXPECT_THAT(refusal(config), HasSubstr("deny_private_addresses"));
}

// TLS ---------------------------------------------------------------------------------------------

TEST_F(HttpOptionsTest, AsksForTheServerNameThatIsConfigured) {
  const test::Certificate certificate =
      test::make_certificate(dir_.path(), "DNS:collector.internal");
  HttpsServer& server = serve({}, &certificate);
  DestinationConfig config = to(server.url());
  config.ca_file = certificate.cert_file;
  EXPECT_THAT(send(config).detail, HasSubstr("not trusted"));
  config.tls_server_name = "other.internal";
  EXPECT_THAT(send(config).detail, HasSubstr("not trusted"));
  config.tls_server_name = "collector.internal";
  const Completion completion = send(config);
  EXPECT_EQ(completion.status, 200) << completion.detail;
  const ReceivedRequest request = server.received().at(0);
  EXPECT_EQ(request.server_name, "collector.internal");
  EXPECT_EQ(request.header("Host"), "127.0.0.1:" + std::to_string(server.port()));
}

TEST_F(HttpOptionsTest, TrustsCaFileAloneWhereAProxyMayComeBetweenToo) {
  const test::Certificate own = test::make_certificate(dir_.path(), "IP:127.0.0.1", "own");
  const test::Certificate other = test::make_certificate(dir_.path(), "IP:127.0.0.1", "other");
  HttpsServer& server = serve({}, &own);
  DestinationConfig config = to(server.url());
  for (const char* proxy : {"none", "environment"}) {
    config.proxy = proxy;
    config.ca_file = own.cert_file;
    EXPECT_EQ(send(config).status, 200) << proxy;
    config.ca_file = other.cert_file;
    EXPECT_THAT(send(config).detail, HasSubstr("not trusted")) << proxy;
  }
}

TEST_F(HttpOptionsTest, RefusesOlderTlsThanConfigured) {
  const test::Certificate certificate = test::make_certificate(dir_.path());
  HttpsServer& server = serve({}, &certificate);
  server.speak_old_tls();
  DestinationConfig config = to(server.url());
  config.ca_file = certificate.cert_file;
  EXPECT_EQ(send(config).status, 200);
  config.tls_version_min = TlsVersion::tls13;
  const Completion completion = send(config);
  EXPECT_EQ(completion.result, AttemptResult::failed);
  EXPECT_THAT(completion.detail, HasSubstr("TLS handshake"));
}

// Redirects ---------------------------------------------------------------------------------------

TEST_F(HttpOptionsTest, FollowsRedirectsWithMethodAndBody) {
  HttpsServer& server = serve([](const ReceivedRequest& request) {
    if (request.path == "/there") return ServerAnswer{};
    return ServerAnswer{std::stoi(request.body), "", {{"Location", "/there"}}};
  });
  DestinationConfig config = to(server.url());
  config.method = "PUT";
  config.redirects_max = 1;
  config.bearer_token_file = write("token", "s3cret");
  open(config);
  for (const char* status : {"301", "302", "307", "308"}) {
    start(1, status);
    EXPECT_EQ(finish_one().status, 200) << status;
    const ReceivedRequest request = server.received().back();
    EXPECT_EQ(request.method, "PUT") << status;
    EXPECT_EQ(request.path, "/there") << status;
    EXPECT_EQ(request.body, status);
    EXPECT_EQ(request.header("Idempotency-Key"), "batch-1");
    EXPECT_EQ(request.header("Authorization"), "Bearer s3cret");
  }
  start(1, "303");
  EXPECT_EQ(finish_one().status, 303);
}

TEST_F(HttpOptionsTest, FollowsNoMoreRedirectsThanConfigured) {
  HttpsServer& server = serve([](const ReceivedRequest&) {
    return ServerAnswer{307, "", {{"Location", "/again"}}};
  });
  DestinationConfig config = to(server.url());
  config.redirects_max = 3;
  EXPECT_EQ(send(config).status, 307);
  EXPECT_EQ(server.received().size(), 4U);
}

TEST_F(HttpOptionsTest, ShowsNoCredentialsToAnotherHost) {
  HttpsServer& other = serve();
  HttpsServer& server = serve([&other](const ReceivedRequest&) {
    return ServerAnswer{308, "", {{"Location", other.url()}}};
  });
  DestinationConfig config = to(server.url());
  config.redirects_max = 1;
  config.headers = {"X-Team: payments", "Content-Type: application/x-ours"};
  config.secret_headers = {"X-Api-Key: " + write("key", "s3cret")};
  config.basic_auth_file = write("basic", "user:pass");
  EXPECT_EQ(send(config).status, 200);
  const ReceivedRequest first = server.received().at(0);
  EXPECT_EQ(first.header("X-Api-Key"), "s3cret");
  EXPECT_EQ(first.header("Authorization"), "Basic dXNlcjpwYXNz");
  const ReceivedRequest second = other.received().at(0);
  EXPECT_EQ(second.body, "[{}]");
  EXPECT_EQ(second.header("Content-Type"), "application/x-ours");
  EXPECT_EQ(second.header("Idempotency-Key"), "batch-1");
  EXPECT_EQ(second.header("X-Api-Key"), "");
  EXPECT_EQ(second.header("Authorization"), "");
  EXPECT_EQ(second.header("X-Team"), "");
}

TEST_F(HttpOptionsTest, DoesNotFollowToWhereItMustNotGo) {
  const test::Certificate certificate = test::make_certificate(dir_.path());
  const std::map<std::string, std::string> forbidden = {
      {"http://127.0.0.1:1/", "from https to http"},
      {"https://user:s3cret@127.0.0.1:1/", "user and password"}};
  for (const auto& [location, reason] : forbidden) {
    HttpsServer& server = serve(
        [location = location](const ReceivedRequest&) {
          return ServerAnswer{307, "", {{"Location", location}}};
        },
        &certificate);
    DestinationConfig config = to(server.url());
    config.ca_file = certificate.cert_file;
    config.redirects_max = 5;
    const Completion completion = send(config);
    EXPECT_EQ(completion.status, 307) << location;
    EXPECT_THAT(completion.detail, HasSubstr(reason));
    EXPECT_THAT(completion.detail, Not(HasSubstr("s3cret")));
  }
}

TEST_F(HttpOptionsTest, KeepsTheServerNameOverARedirectOfItsOwnHost) {
  const test::Certificate certificate =
      test::make_certificate(dir_.path(), "DNS:collector.internal");
  HttpsServer& server = serve(
      [](const ReceivedRequest& request) {
        if (request.path == "/there") return ServerAnswer{};
        return ServerAnswer{307, "", {{"Location", "/there"}}};
      },
      &certificate);
  DestinationConfig config = to(server.url());
  config.ca_file = certificate.cert_file;
  config.tls_server_name = "collector.internal";
  config.redirects_max = 1;
  const Completion completion = send(config);
  EXPECT_EQ(completion.status, 200) << completion.detail;
  EXPECT_EQ(server.connections(), 1U);
}

// What is sent and kept ---------------------------------------------------------------------------

TEST_F(HttpOptionsTest, FillsTemplatesInForTheEvent) {
  HttpsServer& server = serve();
  DestinationConfig config =
      to("http://127.0.0.1:" + std::to_string(server.port()) + "/in/{topic}?key={key|no key}");
  config.method = "{key|POST}";
  config.headers = {"X-Topic: {topic}"};
  open(config);
  Attempt one = attempt(1);
  one.event = RecordView{.topic = "orders.paid", .key = "PUT"};
  start(one);
  EXPECT_EQ(finish_one().status, 200);
  const ReceivedRequest request = server.received().at(0);
  EXPECT_EQ(request.method, "PUT");
  EXPECT_EQ(request.path, "/in/orders.paid");
  EXPECT_EQ(request.header("X-Topic"), "orders.paid");

  one.event->key = "no method";
  start(one);
  const Completion completion = finish_one();
  EXPECT_EQ(completion.result, AttemptResult::unsendable);
  EXPECT_THAT(completion.detail, HasSubstr("method"));
  EXPECT_FALSE(completion.has_alternative);

  start(2);
  EXPECT_EQ(finish_one().result, AttemptResult::unsendable);
}

TEST_F(HttpOptionsTest, SendsWhatTheEncoderSaysOfTheBody) {
  HttpsServer& server = serve();
  Result<std::unique_ptr<Transport>> made =
      driver_.make_transport(to(server.url()), {"application/x-thing", "x-packed"}, log_);
  ASSERT_TRUE(made.ok());
  transport_ = std::move(made.value());
  const std::vector<std::string> headers = {"ce-id: 7", "traceparent: 00-1"};
  Attempt one = attempt(1);
  one.headers = &headers;
  start(one);
  EXPECT_EQ(finish_one().status, 200);
  const ReceivedRequest request = server.received().at(0);
  EXPECT_EQ(request.header("Content-Type"), "application/x-thing");
  EXPECT_EQ(request.header("Content-Encoding"), "x-packed");
  EXPECT_EQ(request.header("ce-id"), "7");
  EXPECT_EQ(request.header("traceparent"), "00-1");
}

TEST_F(HttpOptionsTest, HandsOnTheWholeAnswerToThoseWhoWantIt) {
  const std::string answer(500'000, 'x');
  HttpsServer& server = serve([&](const ReceivedRequest&) {
    return ServerAnswer{200, answer, {}};
  });
  open(to(server.url()));
  Attempt one = attempt(1);
  one.wants_answer = true;
  start(one);
  const Completion completion = finish_one();
  EXPECT_EQ(completion.answer, answer);
  EXPECT_EQ(completion.detail.size(), 1024U);
  EXPECT_EQ(next(2).answer, "");
}

TEST_F(HttpOptionsTest, LetsTheConfigurationSetTheHost) {
  HttpsServer& server = serve();
  DestinationConfig config = to(server.url());
  config.headers = {"Host: inner.example"};
  EXPECT_EQ(send(config).status, 200);
  EXPECT_EQ(server.received().at(0).header("Host"), "inner.example");
}

TEST_F(HttpOptionsTest, ASecretThatTheAnswerRepeatsIsHidden) {
  HttpsServer& server = serve([](const ReceivedRequest& request) {
    return ServerAnswer{
        400, "no: " + request.header("Authorization") + " " + request.header("X-Key"), {}};
  });
  DestinationConfig config = to(server.url());
  config.bearer_token_file = write("token", "t0ken-s3cret");
  config.secret_headers = {"X-Key: " + write("key", "k3y-s3cret")};
  EXPECT_EQ(send(config).detail, "no: Bearer *** ***");
  config.bearer_token_file.clear();
  config.basic_auth_file = write("pair", "me:p4ss-s3cret");
  EXPECT_EQ(send(config).detail, "no: Basic *** ***");
}

TEST_F(HttpOptionsTest, ASecretOfTheUrlIsHiddenAsTheReceiverReadsIt) {
  HttpsServer& server = serve([](const ReceivedRequest&) {
    return ServerAnswer{400, "no: SECRET/ab cd, SECRET%2Fab+cd, SECRET%2fab%20cd", {}};
  });
  DestinationConfig config = to(server.url() + "?key=SECRET%2Fab+cd");
  EXPECT_EQ(send(config).detail, "no: ***, ***, ***");
}

TEST_F(HttpOptionsTest, EachCookieIsHidden) {
  HttpsServer& server = serve([](const ReceivedRequest& request) {
    return ServerAnswer{400, request.header("Cookie") + ": s3ss10n-v4lue, c0okie-v4lue, dark", {}};
  });
  const std::string cookies = "sid=s3ss10n-v4lue; theme=dark;other=\"c0okie-v4lue\"";
  DestinationConfig config = to(server.url());
  config.headers = {"Cookie: " + cookies};
  EXPECT_EQ(send(config).detail, "***: ***, ***, dark");
  config.headers.clear();
  config.secret_headers = {"Cookie: " + write("cookies", cookies)};
  EXPECT_EQ(send(config).detail, "***: ***, ***, dark");
}

TEST_F(HttpOptionsTest, WhatIsTheSameOfASecretWithFieldsIsHidden) {
  HttpsServer& server = serve([](const ReceivedRequest& request) {
    return ServerAnswer{400, request.header("X-Token") + ", url-s3cret-7, -of-url/7, 7", {}};
  });
  DestinationConfig config = to(server.url() + "?token=url-s3cret-{data.n}-of-url%2F{data.n}");
  config.format = BodyFormat::payload;
  config.headers = {"X-Token: Token {{s3cret-{data.n}-short-{data.n}"};
  const std::string data = test::bytes_of({0x81, 0xa1, 'n', 7});
  const std::vector<std::uint8_t> record = test::make_record({.data = data});
  Attempt one = attempt(1);
  one.event = read_record(record.data());
  open(config);
  start(one);
  EXPECT_EQ(finish_one().detail, "Token ***7-short-7, ***7, ***7, 7");
}

TEST_F(HttpOptionsTest, APairThatAHeaderHoldsIsHiddenAsTheReceiverReadsIt) {
  HttpsServer& server = serve([](const ReceivedRequest& request) {
    return ServerAnswer{400, request.header("Authorization") + " me:p4ss-s3cret p4ss-s3cret", {}};
  });
  DestinationConfig config = to(server.url());
  config.headers = {"Authorization: Basic bWU6cDRzcy1zM2NyZXQ="};
  EXPECT_EQ(send(config).detail, "Basic *** *** ***");
  config.headers.clear();
  config.secret_headers = {"Authorization: " + write("pair", "basic bWU6cDRzcy1zM2NyZXQ")};
  EXPECT_EQ(send(config).detail, "basic *** *** ***");
  config.secret_headers = {"Authorization: " + write("pair", "Basic no/base64!")};
  EXPECT_EQ(send(config).detail, "Basic *** me:p4ss-s3cret p4ss-s3cret");
}

}  // namespace
}  // namespace outrider::sidecar
