// HTTP/2: against nghttpd, and against a peer of our own that breaks off streams and connections.

#include <atomic>
#include <set>

#include <gmock/gmock.h>

#include "support/curl_fixture.hpp"
#include "support/http2_frames.hpp"
#include "support/process.hpp"
#include "support/tcp_peer.hpp"
#include "support/tcp_relay.hpp"

namespace outrider::sidecar {
namespace {

using namespace test::http2;  // NOLINT: all of it
using test::TcpPeer;
using testing::HasSubstr;

std::string read_bytes(int fd, std::size_t bytes) {
  std::string text(bytes, '\0');
  for (std::size_t at = 0; at < bytes;) {
    const ssize_t got = read(fd, text.data() + at, bytes - at);
    if (got <= 0) return "";
    at += static_cast<std::size_t>(got);
  }
  return text;
}

/// Reads a connection until the headers of a request have come; its stream, or 0.
char read_request(int fd) {
  for (;;) {
    const std::string head = read_bytes(fd, frame_head_bytes);
    if (head.empty()) return 0;
    read_bytes(fd, payload_bytes(head));
    if (head[3] == headers_frame) return head[8];
  }
}

/// A peer that answers the first requests with `first`, and the others with 200. `first` gets the
/// request's stream.
class Http2Peer {
 public:
  Http2Peer(int bad_requests, std::function<std::string(char)> first)
      : bad_left_(bad_requests), first_(std::move(first)), peer_([this](int fd) { serve(fd); }) {}

  std::string url() const { return peer_.url(); }
  int requests() const { return requests_; }

 private:
  void serve(int fd) {
    read_bytes(fd, preface_bytes);
    TcpPeer::write_all(fd, frame(settings_frame, 0, 0, ""));
    for (char stream = read_request(fd); stream != 0; stream = read_request(fd)) {
      ++requests_;
      const std::string good = frame(headers_frame, end_of_headers_and_stream, stream, status_200);
      TcpPeer::write_all(fd, bad_left_-- > 0 ? first_(stream) : good);
    }
  }

  std::atomic<int> requests_{0};
  int bad_left_;
  std::function<std::string(char)> first_;
  TcpPeer peer_;
};

/// A peer that takes no more of a body than the window that each connection begins with, until it
/// is told to.
class ClosedWindow {
 public:
  static constexpr std::size_t window_bytes = 65'535;

  explicit ClosedWindow(std::size_t body_bytes)
      : body_bytes_(body_bytes), peer_([this](int fd) { serve(fd); }) {}
  ~ClosedWindow() { open(); }

  std::string url() const { return peer_.url(); }
  std::size_t received_bytes() const { return received_bytes_; }

  void open() {
    is_open_ = true;
    is_open_.notify_all();
  }

 private:
  void serve(int fd) {
    read_bytes(fd, preface_bytes);
    TcpPeer::write_all(fd, frame(settings_frame, 0, 0, ""));
    for (;;) {
      const std::string head = read_bytes(fd, frame_head_bytes);
      if (head.empty()) return;
      const auto bytes = payload_bytes(head);
      read_bytes(fd, bytes);
      if (head[3] != data_frame) continue;
      received_bytes_ += bytes;
      if (received_bytes_ == window_bytes) {
        is_open_.wait(false);
        const std::string more = {0, 16, 0, 0};
        TcpPeer::write_all(fd, frame(window_frame, 0, 0, more));
        TcpPeer::write_all(fd, frame(window_frame, 0, head[8], more));
      }
      if (received_bytes_ < body_bytes_) continue;
      TcpPeer::write_all(fd, frame(headers_frame, end_of_headers_and_stream, head[8], status_200));
    }
  }

  const std::size_t body_bytes_;
  std::atomic<std::size_t> received_bytes_ = 0;
  std::atomic<bool> is_open_ = false;
  TcpPeer peer_;
};

class Http2Test : public test::CurlFixture {
 protected:
  DestinationConfig over_http2(const std::string& url) {
    DestinationConfig config = to(url);
    config.http_version = HttpVersion::http2;
    return config;
  }

  /// nghttpd on a port that was free a moment ago, which it says all about. It answers what it is
  /// sent.
  std::string run_nghttpd(const test::Certificate* certificate) {
    for (int tries = 0; tries < 20; ++tries) {
      const int port = TcpPeer([](int) {}).port();
      std::vector<std::string> words = {"nghttpd", "-v",        "--echo-upload",
                                        "-a",      "127.0.0.1", std::to_string(port)};
      if (certificate == nullptr) {
        words.emplace_back("--no-tls");
      } else {
        words.push_back(certificate->key_file);
        words.push_back(certificate->cert_file);
      }
      nghttpd_ = std::make_unique<test::Process>(words);
      if (nghttpd_->wait_for_line("listen 127.0.0.1")) {
        return (certificate == nullptr ? "http" : "https") + std::string("://127.0.0.1:") +
               std::to_string(port) + "/events";
      }
    }
    return "";
  }

  /// Sends eight requests at once, after a first one alone, on this many connections of all so far.
  void expect_side_by_side(const DestinationConfig& config, std::size_t connections) {
    EXPECT_EQ(send(config, "body").status, 200);
    done_.clear();
    for (AttemptId id = 2; id <= 9; ++id) start(id, "body");
    EXPECT_TRUE(run_until([&] { return done_.size() == 8; }));
    for (const Completion& completion : done_) {
      EXPECT_EQ(completion.status, 200) << completion.detail;
      EXPECT_EQ(completion.detail, "body");
    }
    // It may answer before it says so.
    EXPECT_TRUE(run_until([&] { return connections_of_nghttpd() >= connections; }));
    nghttpd_->signal(SIGTERM);
    EXPECT_TRUE(nghttpd_->wait());
    EXPECT_EQ(connections_of_nghttpd(), connections);
  }

  std::size_t connections_of_nghttpd() const {
    std::set<std::string> connections;
    const std::string said = nghttpd_->text();
    for (std::size_t at = said.find("[id="); at != std::string::npos;
         at = said.find("[id=", at + 1)) {
      connections.insert(said.substr(at, said.find(']', at) - at));
    }
    return connections.size();
  }

  std::unique_ptr<test::Process> nghttpd_;
};

TEST_F(Http2Test, PutsRequestsSideBySideOnOneConnection) {
  const test::Certificate certificate = test::make_certificate(dir_.path());
  DestinationConfig config = over_http2(run_nghttpd(&certificate));
  config.ca_file = certificate.cert_file;
  expect_side_by_side(config, 1);
}

/// Its window, and the streams that it may have, are for one alone.
TEST_F(Http2Test, NoConnectionIsForTwoDestinations) {
  const test::Certificate certificate = test::make_certificate(dir_.path());
  DestinationConfig config = over_http2(run_nghttpd(&certificate));
  config.ca_file = certificate.cert_file;
  EXPECT_EQ(send(config, "body").status, 200);
  expect_side_by_side(config, 2);
}

/// On a connection for each request.
TEST_F(Http2Test, IsSpokenUnaskedWithoutTls) {
  expect_side_by_side(over_http2(run_nghttpd(nullptr)), 9);
}

TEST_F(Http2Test, SpeaksHttp1ToThoseWhoKnowNothingElseOverTls) {
  const test::Certificate certificate = test::make_certificate(dir_.path());
  test::HttpsServer& server = serve({}, &certificate);
  DestinationConfig config = over_http2(server.url());
  config.ca_file = certificate.cert_file;
  const Completion completion = send(config);
  EXPECT_EQ(completion.status, 200) << completion.detail;
}

/// Behind a relay that forgets its first connection: the session lives as far as TCP can tell.
class DeadSessionTest : public Http2Test {
 protected:
  void SetUp() override {
    const test::Certificate certificate = test::make_certificate(dir_.path());
    const std::string url = run_nghttpd(&certificate);
    const std::size_t colon = url.rfind(':');
    relay_ = std::make_unique<test::TcpRelay>(std::stoi(url.substr(colon + 1)));
    DestinationConfig config =
        over_http2("https://127.0.0.1:" + std::to_string(relay_->port()) + "/events");
    config.ca_file = certificate.cert_file;
    config.timeout = std::chrono::seconds(5);
    open(config);
    start(1, "body");
    ASSERT_EQ(finish_one().status, 200);
  }
  void TearDown() override { transport_.reset(); }

  std::unique_ptr<test::TcpRelay> relay_;
};

TEST_F(DeadSessionTest, NoRequestFollowsOneThatTimedOut) {
  relay_->silence();
  start(2, "body");
  start(3, "body");
  EXPECT_EQ(finish_one().result, AttemptResult::failed);
  EXPECT_EQ(finish_one().result, AttemptResult::failed);
  for (AttemptId id = 4; id <= 9; ++id) {
    start(id, "body");
    const Completion completion = finish_one();
    EXPECT_EQ(completion.status, 200) << completion.detail;
  }
  EXPECT_EQ(relay_->connections(), 2);
}

TEST_F(DeadSessionTest, NoneFollowsWhileOthersStillWaitThere) {
  relay_->silence();
  start(2, "body");
  const MonoTime later = clock_.now().mono + std::chrono::seconds(1);
  ASSERT_TRUE(run_until([&] { return clock_.now().mono > later; }));
  start(3, "body");
  Completion completion = finish_one();
  ASSERT_EQ(completion.id, 2U);
  EXPECT_EQ(completion.result, AttemptResult::failed);
  start(4, "body");
  for (int ended = 0; ended < 2; ++ended) {
    completion = finish_one();
    EXPECT_EQ(completion.status, completion.id == 4 ? 200 : 0) << completion.detail;
  }
}

/// Nothing was done with the request, says the peer; so it is sent again within the attempt.
TEST_F(Http2Test, ARefusedStreamIsSentAgain) {
  Http2Peer peer(1, [](char stream) {
    return frame(reset_frame, 0, stream, {'\0', '\0', '\0', refused_stream});
  });
  const Completion completion = send(over_http2(peer.url()));
  EXPECT_EQ(completion.status, 200) << completion.detail;
  EXPECT_EQ(peer.requests(), 2);
}

TEST_F(Http2Test, AGoawayIsAFailedAttempt) {
  Http2Peer peer(1, [](char) { return frame(goaway_frame, 0, 0, std::string(8, '\0')); });
  open(over_http2(peer.url()));
  start(1);
  EXPECT_EQ(finish_one().result, AttemptResult::failed);
  start(2);
  EXPECT_EQ(finish_one().status, 200);
}

TEST_F(Http2Test, AResetStreamIsAFailedAttempt) {
  Http2Peer peer(1, [](char stream) {
    return frame(reset_frame, 0, stream, {'\0', '\0', '\0', internal_error});
  });
  open(over_http2(peer.url()));
  start(1);
  const Completion first = finish_one();
  EXPECT_EQ(first.result, AttemptResult::failed);
  EXPECT_THAT(first.detail, HasSubstr("HTTP/2 stream"));
  start(2);
  EXPECT_EQ(finish_one().status, 200);
}

/// libcurl alone would have the loop run without a pause.
TEST_F(Http2Test, AClosedWindowCostsNothing) {
  const std::string body(200'000, 'x');
  ClosedWindow receiver(body.size());
  open(over_http2(receiver.url()));
  start(1, body);
  ASSERT_TRUE(run_until([&] { return receiver.received_bytes() == ClosedWindow::window_bytes; }));
  int turns = 0;
  const MonoTime end = clock_.now().mono + std::chrono::milliseconds(500);
  for (; clock_.now().mono < end; ++turns) turn();
  EXPECT_LT(turns, 300);
  receiver.open();
  EXPECT_EQ(finish_one().status, 200);
  EXPECT_EQ(receiver.received_bytes(), body.size());
}

}  // namespace
}  // namespace outrider::sidecar
