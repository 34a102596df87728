// HTTP/2 to a real nginx: connections that it ends, and requests that it sends elsewhere. It hands
// requests on, and so has read them before it answers.

#include <csignal>
#include <fstream>
#include <future>
#include <map>
#include <memory>
#include <set>

#include <gmock/gmock.h>

#include "support/curl_fixture.hpp"
#include "support/process.hpp"
#include "support/tcp_peer.hpp"

namespace outrider::sidecar {
namespace {

class NginxHttp2Test : public test::CurlFixture {
 protected:
  /// Requests go on to `upstream`, unless `location` says otherwise. The access log has a line a
  /// request: its connection and its key. False if nobody listens.
  bool run_nginx(const std::string& upstream, const std::string& location,
                 const std::string& http = {}) {
    const test::Certificate certificate = test::make_certificate(dir_.path());
    const std::string port = std::to_string(test::TcpPeer([](int) {}).port());
    std::string paths;
    for (const char* name : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"}) {
      paths += std::string(name) + "_temp_path " + dir_.file(name) + "; ";
    }
    const std::string file = write(
        "nginx.conf",
        "daemon off; master_process off; pid " + dir_.file("pid") + "; error_log stderr notice; " +
            "events {} http { access_log off; " + paths + http +
            " log_format keys '$connection $http_idempotency_key'; server { access_log " +
            dir_.file("access.log") + " keys; listen 127.0.0.1:" + port +
            " ssl http2; ssl_certificate " + certificate.cert_file + "; ssl_certificate_key " +
            certificate.key_file + "; location / { " + location + " proxy_pass " + upstream +
            "; } location /ready { return 200; } } }");
    nginx_ = std::make_unique<test::Process>(
        std::vector<std::string>{"nginx", "-c", file, "-p", dir_.path(), "-e", "stderr"});
    config_ = to("https://127.0.0.1:" + port + "/ready");
    config_.http_version = HttpVersion::http2;
    config_.ca_file = certificate.cert_file;
    const bool is_ready = run_until([&] { return send(config_).status == 200; });
    config_.urls = {"https://127.0.0.1:" + port + "/"};
    return is_ready;
  }

  void start_keyed(AttemptId id, std::string_view body) {
    const std::string key = "key-" + std::to_string(id);
    Attempt next = attempt(id, body);
    next.batch_id = key;
    start(next);
  }

  std::unique_ptr<test::Process> nginx_;
  DestinationConfig config_;
};

/// A connection ends by GOAWAY when nginx has taken keepalive_requests on it, and it reads none of
/// those that came behind them. libcurl sends such a request again, five times at most.
TEST_F(NginxHttp2Test, EachRequestArrivesOnceThoughGoawayComesAllTheTime) {
  const std::string upstream = "unix:" + dir_.file("upstream.sock");
  ASSERT_TRUE(run_nginx(
      "http://" + upstream + ":/", "",
      "keepalive_requests 20; server { listen " + upstream + "; location / { return 200; } }"));
  open(config_);
  constexpr AttemptId requests = 200;
  constexpr AttemptId at_once = 50;   // none of them is refused more than three times
  const std::string body(2000, 'x');  // all of them together: more than a window
  std::vector<std::string> failures;
  for (AttemptId id = 0; id < requests;) {
    for (AttemptId i = 0; i < at_once; ++i) start_keyed(++id, body);
    for (AttemptId i = 0; i < at_once; ++i) {
      const Completion completion = finish_one();
      if (completion.status != 200) failures.push_back(completion.detail);
    }
  }
  EXPECT_THAT(failures, testing::IsEmpty());
  transport_.reset();
  nginx_->signal(SIGQUIT);
  ASSERT_TRUE(nginx_->wait());

  std::map<std::string, int> received;
  std::set<std::string> connections;
  std::ifstream log(dir_.file("access.log"));
  for (std::string connection, key; log >> connection >> key;) {
    if (!key.starts_with("key-")) continue;
    ++received[key];
    connections.insert(connection);
  }
  EXPECT_EQ(received.size(), requests) << "some are lost";
  for (const auto& [key, times] : received) EXPECT_EQ(times, 1) << key;
  EXPECT_GE(connections.size(), requests / 20) << "GOAWAY does not come";
}

/// The connection is one that another request still waits on, which keeps it open. Nothing else
/// goes there.
TEST_F(NginxHttp2Test, WhatIsMisdirectedGoesAgainOnAnotherConnection) {
  std::promise<void> may_answer;
  test::HttpsServer& upstream =
      serve([wait = may_answer.get_future().share()](const test::ReceivedRequest& request) {
        if (request.body == "first") wait.wait_for(std::chrono::seconds(30));
        return test::ServerAnswer{};
      });
  // A connection takes two.
  ASSERT_TRUE(run_nginx(upstream.url(),
                        "if ($connection_requests ~ [3-9]) { return 421; } "
                        "proxy_set_header X-Connection $connection;"));
  open(config_);
  start_keyed(4, "before");
  ASSERT_EQ(finish_one().status, 200);
  start_keyed(1, "first");
  ASSERT_TRUE(run_until([&] { return upstream.received().size() == 2; }));
  start_keyed(2, "second");
  const Completion misdirected = finish_one();
  EXPECT_EQ(misdirected.id, 2U);
  EXPECT_EQ(misdirected.status, 421) << misdirected.detail;
  start_keyed(2, "second");
  const Completion again = finish_one();
  EXPECT_EQ(again.id, 2U);
  EXPECT_EQ(again.status, 200) << again.detail;
  start_keyed(3, "third");
  const Completion next = finish_one();
  EXPECT_EQ(next.status, 200) << next.detail;
  may_answer.set_value();
  const Completion first = finish_one();
  EXPECT_EQ(first.id, 1U);
  EXPECT_EQ(first.status, 200) << first.detail;
  const std::vector<test::ReceivedRequest> received = upstream.received();
  ASSERT_EQ(received.size(), 4U);
  EXPECT_EQ(received[1].header("X-Connection"), received[0].header("X-Connection"));
  EXPECT_NE(received[2].header("X-Connection"), received[0].header("X-Connection"));
  EXPECT_NE(received[3].header("X-Connection"), received[0].header("X-Connection"));
}

}  // namespace
}  // namespace outrider::sidecar
