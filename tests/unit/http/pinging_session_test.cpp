// A session of HTTP/2 that says it lives while nobody serves some of its streams: a front end that
// PINGs, and whose backend is gone. Against a peer of our own over TLS.

#include <atomic>
#include <csignal>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <openssl/ssl.h>
#include <poll.h>

#include "support/curl_fixture.hpp"
#include "support/http2_frames.hpp"
#include "support/socket_stream.hpp"
#include "support/tcp_peer.hpp"

namespace outrider::sidecar {
namespace {

using namespace test::http2;  // NOLINT: all of it
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int ping_interval_ms = 50;

/// Its first session leaves the requests of some numbers, from 1 on, without an answer; the others
/// serve all. Each session PINGs all the time.
class PingingPeer {
 public:
  PingingPeer(const test::Certificate& certificate, std::function<bool(int)> ignores)
      : ignores_(std::move(ignores)),
        tls_(test::make_tls_context({.certificate = certificate, .chooses_http2 = true})),
        peer_([this](int fd) { accept(fd); }) {
    std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without MSG_NOSIGNAL
  }
  ~PingingPeer() {
    const std::lock_guard lock(mutex_);
    for (const int fd : sockets_) shutdown(fd, SHUT_RDWR);
    for (std::thread& thread : threads_) thread.join();
    for (const int fd : sockets_) close(fd);
  }
  PingingPeer(const PingingPeer&) = delete;
  PingingPeer& operator=(const PingingPeer&) = delete;

  std::string url() const { return "https://127.0.0.1:" + std::to_string(peer_.port()) + "/"; }
  int sessions() const { return sessions_; }
  int requests() const { return requests_; }

 private:
  void accept(int connection) {
    const std::lock_guard lock(mutex_);
    const int fd = sockets_.emplace_back(dup(connection));
    threads_.emplace_back([this, fd, number = ++sessions_] { serve(fd, number == 1); });
  }

  void serve(int fd, bool is_first) {
    const std::unique_ptr<SSL, decltype(&SSL_free)> owned(SSL_new(tls_.get()), SSL_free);
    SSL* const ssl = owned.get();
    SSL_set_fd(ssl, fd);
    if (SSL_accept(ssl) != 1) return;
    read_tls(ssl, preface_bytes);
    write_tls(ssl, frame(settings_frame, 0, 0, ""));
    for (int requests = 0;;) {
      if (!has_input(ssl, fd)) {
        write_tls(ssl, frame(ping_frame, 0, 0, "12345678"));
        continue;
      }
      const std::string head = read_tls(ssl, frame_head_bytes);
      if (head.empty()) return;
      read_tls(ssl, payload_bytes(head));
      const bool is_whole = head[3] == data_frame && (head[4] & end_stream) != 0;
      if (!is_whole) continue;
      ++requests_;
      if (is_first && ignores_(++requests)) continue;
      write_tls(ssl, frame(headers_frame, end_of_headers_and_stream, head[8], status_200));
    }
  }

  static bool has_input(SSL* ssl, int fd) {
    pollfd wanted{fd, POLLIN, 0};
    return SSL_pending(ssl) > 0 || poll(&wanted, 1, ping_interval_ms) != 0;
  }

  const std::function<bool(int)> ignores_;
  const test::TlsContext tls_;
  std::atomic<int> sessions_{0};
  std::atomic<int> requests_{0};
  std::mutex mutex_;  ///< guards the two below
  std::vector<int> sockets_;
  std::vector<std::thread> threads_;
  test::TcpPeer peer_;
};

class PingingSessionTest : public test::CurlFixture {
 protected:
  /// The first session ignores these requests. One has been answered.
  void run(std::function<bool(int)> ignores) {
    peer_ = std::make_unique<PingingPeer>(certificate_, std::move(ignores));
    DestinationConfig config = to(peer_->url());
    config.http_version = HttpVersion::http2;
    config.ca_file = certificate_.cert_file;
    config.timeout = seconds(2);
    open(config);
    start(1);
    ASSERT_EQ(finish_one().status, 200);
  }
  void TearDown() override { transport_.reset(); }

  /// The others are under way for a while already.
  void start_later(AttemptId id) {
    const MonoTime later = clock_.now().mono + milliseconds(300);
    ASSERT_TRUE(run_until([&] { return clock_.now().mono > later; }));
    start(id);
  }

  const test::Certificate certificate_ = test::make_certificate(dir_.path());
  std::unique_ptr<PingingPeer> peer_;
};

TEST_F(PingingSessionTest, IsLeftAfterATimeout) {
  run([](int request) { return request > 1; });
  start(2);
  EXPECT_EQ(finish_one().result, AttemptResult::failed);
  for (AttemptId id = 3; id <= 5; ++id) {
    start(id);
    const Completion completion = finish_one();
    EXPECT_EQ(completion.status, 200) << completion.detail;
  }
  EXPECT_EQ(peer_->sessions(), 2);
}

TEST_F(PingingSessionTest, TakesNoRequestWhileOthersStillWaitThere) {
  run([](int request) { return request > 1; });
  start(2);
  start_later(3);
  Completion completion = finish_one();
  ASSERT_EQ(completion.id, 2U);
  EXPECT_EQ(completion.result, AttemptResult::failed);
  start_later(4);
  for (int ended = 0; ended < 2; ++ended) {
    completion = finish_one();
    EXPECT_EQ(completion.status, completion.id == 4 ? 200 : 0) << completion.detail;
  }
}

TEST_F(PingingSessionTest, IsKeptAfterATimeoutWhileItAnswersOthers) {
  run([](int request) { return request == 2; });
  start(2);
  ASSERT_TRUE(run_until([&] { return peer_->requests() == 2; }));
  start_later(3);
  EXPECT_EQ(finish_one().status, 200);
  EXPECT_EQ(finish_one().result, AttemptResult::failed);
  start(4);
  EXPECT_EQ(finish_one().status, 200);
  EXPECT_EQ(peer_->sessions(), 1);
}

}  // namespace
}  // namespace outrider::sidecar
