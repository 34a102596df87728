#include "sidecar/http/curl_transport.hpp"

#include <filesystem>
#include <fstream>
#include <future>
#include <latch>
#include <set>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "sidecar/base/time_left.hpp"
#include "sidecar/http/signer.hpp"
#include "sidecar/observe/snapshot.hpp"
#include "support/curl_fixture.hpp"
#include "support/fault_receiver.hpp"
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

using CurlTransportTest = test::CurlFixture;

TEST_F(CurlTransportTest, PostsTheBodyWithItsHeaders) {
  HttpsServer& server = serve();
  DestinationConfig config = to(server.url());
  config.headers = {"X-Team: payments", "User-Agent: ours"};
  const Completion completion = send(config, "[{\"a\":1}]");
  EXPECT_EQ(completion.id, 1U);
  EXPECT_EQ(completion.result, AttemptResult::answered);
  EXPECT_EQ(completion.status, 200);
  const ReceivedRequest request = server.received().at(0);
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.path, "/events");
  EXPECT_EQ(request.body, "[{\"a\":1}]");
  EXPECT_EQ(request.header("Content-Type"), "application/json");
  EXPECT_EQ(request.header("Idempotency-Key"), "batch-1");
  EXPECT_EQ(request.header("X-Team"), "payments");
  EXPECT_EQ(request.header("User-Agent"), "ours");
  EXPECT_EQ(request.header("Expect"), "");
  EXPECT_EQ(request.header("Content-Length"), "9");
}

TEST_F(CurlTransportTest, SendsOtherMethodsToo) {
  HttpsServer& server = serve();
  DestinationConfig config = to(server.url());
  config.method = "PUT";
  EXPECT_EQ(send(config, "body").status, 200);
  EXPECT_EQ(server.received().at(0).method, "PUT");
  EXPECT_EQ(server.received().at(0).body, "body");
}

TEST_F(CurlTransportTest, KeepsOneConnectionAliveOverTls) {
  const test::Certificate certificate = test::make_certificate(dir_.path());
  HttpsServer& server = serve({}, &certificate);
  DestinationConfig config = to(server.url());
  config.ca_file = certificate.cert_file;
  open(config);
  const std::string body(300'000, 'x');
  for (AttemptId id = 1; id <= 20; ++id) {
    start(id, body);
    const Completion completion = finish_one();
    ASSERT_EQ(completion.status, 200) << completion.detail;
    ASSERT_EQ(completion.id, id);
  }
  EXPECT_EQ(server.received().size(), 20U);
  EXPECT_EQ(server.received().back().body, body);
  EXPECT_EQ(server.connections(), 1U);
}

TEST_F(CurlTransportTest, RunsSeveralAttemptsAtOnce) {
  const auto all_here = std::make_shared<std::latch>(4);
  HttpsServer& server = serve([all_here](const ReceivedRequest&) {
    all_here->arrive_and_wait();
    return ServerAnswer{};
  });
  open(to(server.url()));
  for (AttemptId id = 1; id <= 4; ++id) start(id);
  ASSERT_TRUE(run_until([&] { return done_.size() == 4; }));
  for (const Completion& completion : done_) EXPECT_EQ(completion.status, 200);
}

TEST_F(CurlTransportTest, RefusesACertificateThatNobodySigned) {
  const test::Certificate certificate = test::make_certificate(dir_.path());
  HttpsServer& server = serve({}, &certificate);
  const Completion completion = send(to(server.url()));
  EXPECT_EQ(completion.result, AttemptResult::failed);
  EXPECT_THAT(completion.detail, HasSubstr("certificate of 127.0.0.1:"));
  EXPECT_THAT(completion.detail, HasSubstr("not trusted: "));
  EXPECT_TRUE(server.received().empty());
}

TEST_F(CurlTransportTest, TrustsNobodyButItsCaFile) {
  const test::Certificate certificate = test::make_certificate(dir_.path());
  const test::Certificate other = test::make_certificate(dir_.path(), "IP:127.0.0.1", "other");
  HttpsServer& server = serve({}, &certificate);
  DestinationConfig config = to(server.url());
  config.ca_file = other.cert_file;
  const Completion completion = send(config);
  EXPECT_EQ(completion.result, AttemptResult::failed);
  EXPECT_THAT(completion.detail, HasSubstr("not trusted"));
}

TEST_F(CurlTransportTest, RefusesACertificateOfAnotherHost) {
  const test::Certificate certificate =
      test::make_certificate(dir_.path(), "DNS:elsewhere.example");
  HttpsServer& server = serve({}, &certificate);
  DestinationConfig config = to(server.url());
  config.ca_file = certificate.cert_file;
  const Completion completion = send(config);
  EXPECT_EQ(completion.result, AttemptResult::failed);
  EXPECT_THAT(completion.detail, HasSubstr("not trusted"));
}

TEST_F(CurlTransportTest, SaysThatAPortIsRefused) {
  const Completion completion = send(to("http://127.0.0.1:1/"));
  EXPECT_EQ(completion.result, AttemptResult::failed);
  EXPECT_EQ(completion.detail, "cannot connect to 127.0.0.1:1: Connection refused");
}

TEST_F(CurlTransportTest, SaysWhyThereIsNoConnectionToAUnixSocket) {
  const std::string path = dir_.file("app.sock");
  const DestinationConfig config = to("http://unix:" + path + ":/");
  EXPECT_EQ(send(config).detail, "cannot connect to unix:" + path + ": No such file or directory");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  const auto* const name = reinterpret_cast<const sockaddr*>(&address);
  const int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_EQ(bind(listener, name, sizeof address), 0);
  EXPECT_EQ(send(config).detail, "cannot connect to unix:" + path + ": Connection refused");
  ASSERT_EQ(listen(listener, 0), 0);
  std::vector<int> callers;
  do {
    callers.push_back(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
  } while (connect(callers.back(), name, sizeof address) == 0);
  EXPECT_EQ(send(config).detail,
            "cannot connect to unix:" + path + ": its queue of connections is full");
  callers.push_back(listener);
  for (const int fd : callers) close(fd);
}

TEST_F(CurlTransportTest, SaysThatAHostIsUnknown) {
  const Completion completion = send(to("http://no-such-host.invalid/"));
  EXPECT_EQ(completion.result, AttemptResult::failed);
  EXPECT_THAT(completion.detail, HasSubstr("no-such-host.invalid"));
}

TEST_F(CurlTransportTest, ARequestThatIsNeverAnsweredEndsWhenItsTimeIsOver) {
  TcpPeer peer(TcpPeer::read_all);
  DestinationConfig config = to(peer.url());
  config.timeout = std::chrono::seconds(3);
  open(config);
  const MonoTime begin = clock_.now().mono;
  start(1);
  // As the run loop does: nothing but what is due, or a descriptor, ends the wait.
  while (done_.empty()) {
    driver_.do_work(clock_.now());
    transport_->collect(clock_.now(), done_);
    const MonoTime deadline = std::min(driver_.next_deadline(), transport_->next_deadline());
    if (done_.empty()) reactor_.wait(time_left(deadline, clock_.now().mono));
  }
  EXPECT_GE(clock_.now().mono - begin, std::chrono::seconds(3));
  EXPECT_LT(clock_.now().mono - begin, std::chrono::milliseconds(3600));
}

TEST_F(CurlTransportTest, GivesUpOnAServerThatNeverAnswers) {
  TcpPeer peer(TcpPeer::read_all);
  DestinationConfig config = to(peer.url());
  config.timeout = milliseconds(150);
  const Completion completion = send(config);
  EXPECT_EQ(completion.result, AttemptResult::failed);
  EXPECT_THAT(completion.detail, HasSubstr("no answer from 127.0.0.1:"));
  EXPECT_THAT(completion.detail, HasSubstr("within 150ms"));
}

/// The first request that comes is answered when go_on() is called.
class LateAnswer {
 public:
  ~LateAnswer() {
    if (!std::exchange(has_gone_on_, true)) go_on_.set_value();
  }
  std::string url() const { return peer_.url(); }
  bool has_request() { return asked_.wait_for(milliseconds(0)) == std::future_status::ready; }
  /// Returns when the answer lies in the client's kernel.
  void go_on() {
    has_gone_on_ = true;
    go_on_.set_value();
    answered_.wait();
  }

 private:
  bool has_gone_on_ = false;
  std::promise<void> request_, go_on_, answer_;
  std::future<void> asked_ = request_.get_future();
  std::future<void> may_go_on_ = go_on_.get_future();
  std::future<void> answered_ = answer_.get_future();
  TcpPeer peer_{[this](int fd) {
    if (TcpPeer::read_head(fd).empty()) return;
    request_.set_value();
    may_go_on_.wait();
    TcpPeer::write_all(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    answer_.set_value();
    TcpPeer::read_all(fd);
  }};
};

TEST_F(CurlTransportTest, AnAnswerThatLiesInTheKernelIsTakenHoweverLateTheTurn) {
  LateAnswer peer;
  const DestinationConfig config = to(peer.url());
  open(config);
  start(1);
  ASSERT_TRUE(run_until([&] { return peer.has_request(); }));
  peer.go_on();
  Now late = clock_.now();
  late.mono += config.timeout;
  transport_->collect(late, done_);
  EXPECT_TRUE(done_.empty());
  reactor_.wait(Duration::zero());
  const Completion completion = finish_one();
  EXPECT_EQ(completion.status, 200) << completion.detail;
}

TEST_F(CurlTransportTest, APauseIsNotOfTheTimeThatAnAnswerHas) {
  LateAnswer peer;
  open(to(peer.url()));
  start(1);
  ASSERT_TRUE(run_until([&] { return peer.has_request(); }));
  Now after_pause = clock_.now();
  after_pause.mono += std::chrono::hours(1);
  transport_->collect(after_pause, done_);
  EXPECT_TRUE(done_.empty());
  after_pause.mono += std::chrono::seconds(19);
  transport_->collect(after_pause, done_);
  EXPECT_TRUE(done_.empty());
  peer.go_on();
  EXPECT_EQ(finish_one().status, 200);
}

TEST_F(CurlTransportTest, SurvivesAReset) {
  TcpPeer peer([](int fd) {
    char byte = 0;
    read(fd, &byte, 1);
    const linger at_once{1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  });
  const Completion completion = send(to(peer.url()), std::string(4U << 20U, 'x'));
  EXPECT_EQ(completion.result, AttemptResult::failed);
  EXPECT_THAT(completion.detail, HasSubstr("broke"));
}

TEST_F(CurlTransportTest, CutsAnAnswerWithoutEnd) {
  TcpPeer peer([](int fd) {
    if (TcpPeer::read_head(fd).empty()) return;
    std::string block = "HTTP/1.1 503 Busy\r\nRetry-After: 3\r\n\r\n";
    while (::send(fd, block.data(), block.size(), MSG_NOSIGNAL) > 0) block.assign(65536, 'y');
  });
  const Completion completion = send(to(peer.url()));
  EXPECT_EQ(completion.result, AttemptResult::answered);
  EXPECT_EQ(completion.status, 503);
  EXPECT_EQ(completion.retry_after, seconds(3));
  EXPECT_EQ(completion.detail, std::string(1024, 'y'));
}

TEST_F(CurlTransportTest, SaysThatAStatusLineHasNoEnd) {
  TcpPeer peer([](int fd) {
    if (TcpPeer::read_head(fd).empty()) return;
    std::string block = "HTTP/1.1 200 ";
    while (::send(fd, block.data(), block.size(), MSG_NOSIGNAL) > 0) block.assign(65536, 'y');
  });
  const Completion completion = send(to(peer.url()));
  EXPECT_EQ(completion.result, AttemptResult::failed);
  EXPECT_THAT(completion.detail, HasSubstr("is too long"));
}

TEST_F(CurlTransportTest, ReadsRetryAfterAndDoesNotFollowRedirects) {
  HttpsServer& server = serve([](const ReceivedRequest& request) {
    if (request.body == "busy") return ServerAnswer{429, "slow down", {{"Retry-After", "17"}}};
    return ServerAnswer{302, "", {{"Location", "/elsewhere"}}};
  });
  const Completion busy = send(to(server.url()), "busy");
  EXPECT_EQ(busy.status, 429);
  EXPECT_EQ(busy.retry_after, seconds(17));
  EXPECT_EQ(busy.detail, "slow down");
  const Completion moved = send(to(server.url()), "moved");
  EXPECT_EQ(moved.status, 302);
  EXPECT_EQ(moved.retry_after, std::nullopt);
  EXPECT_EQ(server.received().size(), 2U);
}

TEST_F(CurlTransportTest, CancelsInFlightAndGoesOn) {
  const auto cancelled = std::make_shared<std::latch>(1);
  HttpsServer& server = serve([cancelled](const ReceivedRequest&) {
    cancelled->wait();
    return ServerAnswer{};
  });
  open(to(server.url()));
  start(1);
  ASSERT_TRUE(run_until([&] { return server.received().size() == 1; }));
  transport_->cancel(1);
  transport_->cancel(1);
  cancelled->count_down();
  start(2);
  EXPECT_EQ(finish_one().id, 2U);
  EXPECT_TRUE(done_.empty());
}

TEST_F(CurlTransportTest, EndsWithAttemptsInFlight) {
  TcpPeer peer(TcpPeer::read_all);
  open(to(peer.url()));
  start(1);
  turn();
  transport_.reset();
}

TEST_F(CurlTransportTest, AuthenticatesFromFiles) {
  HttpsServer& server = serve();
  DestinationConfig bearer = to(server.url());
  bearer.bearer_token_file = write("token", "  s3cret\n");
  EXPECT_EQ(send(bearer).status, 200);
  EXPECT_EQ(server.received().at(0).header("Authorization"), "Bearer s3cret");
  DestinationConfig basic = to(server.url());
  basic.basic_auth_file = write("basic", "user:pa:ss\n");
  EXPECT_EQ(send(basic).status, 200);
  EXPECT_EQ(server.received().at(1).header("Authorization"), "Basic dXNlcjpwYTpzcw==");
}

TEST_F(CurlTransportTest, RefusesBadSettingsWithoutShowingSecrets) {
  DestinationConfig config = to("https://example.com");
  config.ca_file = dir_.file("missing.pem");
  EXPECT_THAT(refusal(config), HasSubstr("missing.pem\" cannot be read: No such file"));

  config = to("https://example.com");
  config.basic_auth_file = write("basic", "nocolonsecret");
  EXPECT_THAT(refusal(config), HasSubstr("of the form user:password"));
  EXPECT_THAT(refusal(config), Not(HasSubstr("nocolonsecret")));

  config = to("https://example.com");
  config.bearer_token_file = write("token", "two\nlines");
  EXPECT_THAT(refusal(config), HasSubstr("one line"));
  config.bearer_token_file = write("empty", "\n");
  EXPECT_THAT(refusal(config), HasSubstr("is empty"));

  EXPECT_THAT(refusal(to("ftp://example.com")), HasSubstr("write http:// or https://"));
  EXPECT_THAT(refusal(to("https://")), HasSubstr("has no host"));
  EXPECT_THAT(refusal(to("https://me:secret@example.com")), HasSubstr("basic_auth_file"));
  EXPECT_THAT(refusal(to("https://me:secret@example.com")), Not(HasSubstr("secret@")));
  config = to("https://example.com");
  config.headers = {"no colon"};
  EXPECT_THAT(refusal(config), HasSubstr("Name: value"));
}

TEST_F(CurlTransportTest, IgnoresProxiesOfTheEnvironment) {
  setenv("http_proxy", "http://127.0.0.1:1", 1);
  HttpsServer& server = serve();
  const Completion completion = send(to(server.url()));
  unsetenv("http_proxy");
  EXPECT_EQ(completion.status, 200) << completion.detail;
}

TEST_F(CurlTransportTest, SendsSecretHeaders) {
  HttpsServer& server = serve();
  DestinationConfig config = to(server.url());
  config.secret_headers = {"X-Api-Key: " + write("key", "s3cret\n")};
  EXPECT_EQ(send(config).status, 200);
  EXPECT_EQ(server.received().at(0).header("X-Api-Key"), "s3cret");
}

TEST_F(CurlTransportTest, UsesATokenThatHasChangedOverTheSameConnection) {
  HttpsServer& server = serve();
  DestinationConfig config = to(server.url());
  config.bearer_token_file = write("token", "one");
  EXPECT_EQ(send(config).status, 200);
  write("token", "second");
  start(2);
  EXPECT_EQ(finish_one().status, 200);
  later_ += seconds(1);
  start(3);
  EXPECT_EQ(finish_one().status, 200);
  const std::vector<ReceivedRequest> received = server.received();
  EXPECT_EQ(received.at(1).header("Authorization"), "Bearer one");
  EXPECT_EQ(received.at(2).header("Authorization"), "Bearer second");
  EXPECT_EQ(server.connections(), 1U);
  EXPECT_EQ(log_.count("credentials re-read"), 1);
}

TEST_F(CurlTransportTest, KeepsATokenWhoseNewFileIsBroken) {
  HttpsServer& server = serve();
  DestinationConfig config = to(server.url());
  config.bearer_token_file = write("token", "one");
  open(config);
  write("token", "hidden\nhidden");
  for (AttemptId id = 1; id <= 3; ++id) {
    later_ += seconds(1);
    start(id);
    EXPECT_EQ(finish_one().status, 200);
    EXPECT_EQ(server.received().back().header("Authorization"), "Bearer one");
  }
  EXPECT_EQ(log_.lines.size(), 1U);
  EXPECT_EQ(log_.count("error changed credentials cannot be used"), 1);
  EXPECT_EQ(log_.count("hidden"), 0);
}

TEST_F(CurlTransportTest, ARequestOnItsWayKeepsItsCredentials) {
  const auto may_answer = std::make_shared<std::latch>(1);
  HttpsServer& server = serve([may_answer](const ReceivedRequest&) {
    may_answer->wait();
    return ServerAnswer{};
  });
  DestinationConfig config = to(server.url());
  config.bearer_token_file = write("token", "one");
  open(config);
  start(1);
  write("token", "second");
  later_ += seconds(1);
  start(2);
  ASSERT_TRUE(run_until([&] { return server.received().size() == 2; }));
  may_answer->count_down();
  EXPECT_EQ(finish_one().status, 200);
  EXPECT_EQ(finish_one().status, 200);
  std::set<std::string> tokens;
  for (const ReceivedRequest& request : server.received()) {
    tokens.insert(request.header("Authorization"));
  }
  EXPECT_EQ(tokens, (std::set<std::string>{"Bearer one", "Bearer second"}));
}

TEST_F(CurlTransportTest, ShowsAClientCertificateAndTheNextOneOnceItIsThere) {
  namespace fs = std::filesystem;
  const test::Certificate own = test::make_certificate(dir_.path());
  const test::Certificate one = test::make_certificate(dir_.path(), "DNS:one", "one");
  const test::Certificate two = test::make_certificate(dir_.path(), "DNS:two", "two");
  const std::string clients = dir_.file("clients.crt");
  std::ofstream(clients) << std::ifstream(one.cert_file).rdbuf()
                         << std::ifstream(two.cert_file).rdbuf();
  servers_.push_back(std::make_unique<HttpsServer>(HttpsServer::Handler(), &own, clients));
  HttpsServer& server = *servers_.back();

  DestinationConfig config = to(server.url());
  config.ca_file = own.cert_file;
  EXPECT_EQ(send(config).result, AttemptResult::failed);

  config.cert_file = one.cert_file;
  config.key_file = one.key_file;
  open(config);
  start(1);
  EXPECT_EQ(finish_one().status, 200);
  start(2);
  EXPECT_EQ(finish_one().status, 200);
  EXPECT_EQ(server.connections(), 1U);

  fs::rename(two.cert_file, one.cert_file);
  fs::rename(two.key_file, one.key_file);
  later_ += seconds(1);
  start(3);
  EXPECT_EQ(finish_one().status, 200);
  const std::vector<ReceivedRequest> received = server.received();
  EXPECT_EQ(received.at(1).client_name, "one");
  EXPECT_EQ(received.at(2).client_name, "two");
  EXPECT_EQ(server.connections(), 2U);
}

TEST_F(CurlTransportTest, TrustsTheCaFileThatHasChanged) {
  const test::Certificate own = test::make_certificate(dir_.path());
  const test::Certificate other = test::make_certificate(dir_.path(), "IP:127.0.0.1", "other");
  HttpsServer& server = serve({}, &own);
  DestinationConfig config = to(server.url());
  config.ca_file = other.cert_file;
  EXPECT_EQ(send(config).result, AttemptResult::failed);
  std::filesystem::copy(own.cert_file, dir_.file("new.crt"));
  std::filesystem::rename(dir_.file("new.crt"), other.cert_file);
  later_ += seconds(1);
  start(2);
  const Completion completion = finish_one();
  EXPECT_EQ(completion.status, 200) << completion.detail;
}

TEST_F(CurlTransportTest, SignsRequestsWhenThereAreKeys) {
  HttpsServer& server = serve();
  DestinationConfig config = to(server.url());
  EXPECT_EQ(send(config).status, 200);
  EXPECT_EQ(server.received().at(0).header("webhook-id"), "");
  EXPECT_EQ(server.received().at(0).header("webhook-signature"), "");

  config.signing_secret_files = {write("keys", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n")};
  const std::int64_t before_s =
      std::chrono::floor<seconds>(clock_.now().wall).time_since_epoch().count();
  EXPECT_EQ(send(config, "{\"a\":1}").status, 200);
  const ReceivedRequest request = server.received().at(1);
  EXPECT_EQ(request.header("webhook-id"), "batch-1");
  const std::int64_t timestamp_s = std::stoll(request.header("webhook-timestamp"));
  EXPECT_GE(timestamp_s, before_s);
  EXPECT_LE(timestamp_s, before_s + 60);
  const auto secrets = read_signing_secrets(config.signing_secret_files[0]);
  std::vector<SigningKey> keys;
  keys.push_back(std::move(SigningKey::make(secrets.value()[0]).value()));
  EXPECT_EQ(request.header("webhook-signature"), sign(keys, "batch-1", timestamp_s, request.body));
}

TEST_F(CurlTransportTest, TellsTheHealthOfItsUrlsAndNothingOfThemThatMayBeASecret) {
  test::FaultReceiver ill;
  test::FaultReceiver well;
  ill.script_requests({test::answer(503)});
  DestinationConfig config = to(ill.url() + "/hooks/T0KEN?key=T0KEN");
  config.urls.push_back(well.url());
  config.urls.emplace_back("http://unix:/run/receiver.sock:/T0KEN");
  config.retry_initial = config.retry_max = std::chrono::minutes(5);
  open(config);
  AttemptId id = 0;
  ASSERT_TRUE(run_until([&] {
    start(++id);
    finish_one();
    return !transport_->urls()[0].is_healthy;
  }));
  const std::vector<UrlSnapshot> urls = transport_->urls();
  ASSERT_EQ(urls.size(), 3U);
  EXPECT_TRUE(ill.url().starts_with(urls[0].url)) << urls[0].url;
  EXPECT_TRUE(urls[1].is_healthy);
  EXPECT_FALSE(urls[1].is_gone);
  EXPECT_EQ(urls[2].url, "http://unix:/run/receiver.sock");
  for (const UrlSnapshot& url : urls) EXPECT_EQ(url.url.find("T0KEN"), std::string::npos);
}

/// Slower than connect_timeout, as it always is; whoever is cut short by a probe gets it twice.
TEST_F(CurlTransportTest, AProbeHasTheTimeOfAnyRequest) {
  test::FaultReceiver slow;
  test::FaultReceiver well;
  slow.script_requests({test::answer(503)}, {test::read_all(), test::wait_for(milliseconds(1500)),
                                             test::send_text(test::answer_text(200))});
  DestinationConfig config = to(slow.url());
  config.urls.push_back(well.url());
  config.connect_timeout = seconds(1);
  config.retry_initial = config.retry_max = milliseconds(1);
  open(config);
  AttemptId id = 0;
  ASSERT_TRUE(run_until([&] {
    start(++id);
    finish_one();
    return slow.counts().answered + slow.counts().abandoned >= 3;
  }));
  EXPECT_EQ(slow.counts().abandoned, 0U);
}

}  // namespace
}  // namespace outrider::sidecar
