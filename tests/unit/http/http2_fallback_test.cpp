// Answers that HTTP/2 loses: against a peer of our own that speaks both versions over TLS.

#include "sidecar/http/http2_fallback.hpp"

#include <atomic>
#include <csignal>
#include <functional>
#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <openssl/ssl.h>

#include "support/curl_fixture.hpp"
#include "support/http2_frames.hpp"
#include "support/manual_clock.hpp"
#include "support/socket_stream.hpp"
#include "support/tcp_peer.hpp"

namespace outrider::sidecar {
namespace {

using namespace test::http2;  // NOLINT: all of it
using std::chrono::seconds;
using Shown = Http2Fallback::Shown;
using test::TcpPeer;
using testing::HasSubstr;

class Http2FallbackTest : public testing::Test {
 protected:
  bool learn(Shown shown, std::size_t url = 1) { return state_.learn(url, shown, clock_.now()); }
  bool takes_http1(std::size_t url = 1) const { return state_.takes_http1(url, clock_.now()); }

  test::ManualClock clock_;
  Http2Fallback state_{3};
};

TEST_F(Http2FallbackTest, LastsForAWhileAndIsOfOneUrl) {
  EXPECT_FALSE(takes_http1());
  EXPECT_FALSE(learn(Shown::nothing));
  EXPECT_FALSE(takes_http1());
  EXPECT_TRUE(learn(Shown::lost_over_http2));
  EXPECT_TRUE(takes_http1());
  EXPECT_FALSE(takes_http1(0));
  EXPECT_FALSE(takes_http1(2));
  clock_.advance(Http2Fallback::http1_for - seconds(1));
  EXPECT_FALSE(learn(Shown::lost_over_http2)) << "it was on its way";
  EXPECT_TRUE(takes_http1());
  clock_.advance(seconds(1));
  EXPECT_FALSE(takes_http1());
  EXPECT_TRUE(learn(Shown::lost_over_http2));
}

TEST_F(Http2FallbackTest, EndsWhereHttp1IsRefused) {
  EXPECT_TRUE(learn(Shown::lost_over_http2));
  EXPECT_FALSE(learn(Shown::refused_http1));
  EXPECT_FALSE(takes_http1());
  clock_.advance(Http2Fallback::http2_for - seconds(1));
  EXPECT_FALSE(learn(Shown::lost_over_http2));
  EXPECT_FALSE(takes_http1());
  clock_.advance(seconds(1));
  EXPECT_TRUE(learn(Shown::lost_over_http2));
  EXPECT_TRUE(takes_http1());
}

TEST_F(Http2FallbackTest, WhoHasAnsweredOverHttp1DoesNotRefuseIt) {
  EXPECT_TRUE(learn(Shown::lost_over_http2));
  EXPECT_FALSE(learn(Shown::answered_over_http1));
  EXPECT_FALSE(learn(Shown::refused_http1));
  EXPECT_TRUE(takes_http1());
}

std::string reset(char stream, char reason) {
  return frame(reset_frame, 0, stream, {'\0', '\0', '\0', reason});
}

/// A peer over TLS. Over HTTP/2 it answers a request by what `broken` makes of its stream, as long
/// as there are any bad ones, and ends the connection. Over HTTP/1.1 it says `http1` and does the
/// same. One connection after the other.
class BothVersions {
 public:
  struct Plan {
    int bad_requests = 1'000'000;
    std::function<std::string(char)> broken;
    bool ends_connection = true;
    std::string http1 = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
  };

  BothVersions(test::TlsOptions tls, Plan plan)
      : plan_(std::move(plan)),
        tls_(test::make_tls_context(tls)),
        peer_([this](int fd) { serve(fd); }) {
    std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without MSG_NOSIGNAL
  }

  std::string url() const { return "https://127.0.0.1:" + std::to_string(peer_.port()) + "/"; }
  int over_http1() const { return over_http1_; }
  int over_http2() const { return over_http2_; }

 private:
  using Stream = std::unique_ptr<SSL, decltype(&SSL_free)>;

  void serve(int fd) {
    const Stream ssl(SSL_new(tls_.get()), SSL_free);
    SSL_set_fd(ssl.get(), fd);
    if (SSL_accept(ssl.get()) != 1) return;
    const unsigned char* version = nullptr;
    unsigned bytes = 0;
    SSL_get0_alpn_selected(ssl.get(), &version, &bytes);
    if (bytes == 2) {
      serve_http2(ssl.get());
    } else {
      serve_http1(ssl.get());
    }
    SSL_shutdown(ssl.get());
    shutdown(fd, SHUT_WR);
    TcpPeer::read_all(fd);
  }

  void serve_http1(SSL* ssl) {
    std::string text;
    while (text.find("\r\n\r\n[{}]") == std::string::npos) {
      const std::string byte = read_tls(ssl, 1);
      if (byte.empty()) return;
      text += byte;
    }
    ++over_http1_;
    write_tls(ssl, plan_.http1);
  }

  void serve_http2(SSL* ssl) {
    read_tls(ssl, preface_bytes);
    write_tls(ssl, frame(settings_frame, 0, 0, ""));
    for (;;) {
      const std::string head = read_tls(ssl, frame_head_bytes);
      if (head.empty()) return;
      read_tls(ssl, payload_bytes(head));
      const bool is_whole = head[3] == data_frame && (head[4] & end_stream) != 0;
      if (!is_whole) continue;
      const int bad_before = over_http2_++;
      const bool is_bad = bad_before < plan_.bad_requests;
      write_tls(ssl, is_bad ? plan_.broken(head[8])
                            : frame(headers_frame, end_of_headers_and_stream, head[8], status_200));
      if (plan_.ends_connection) return;
    }
  }

  const Plan plan_;
  const test::TlsContext tls_;
  std::atomic<int> over_http1_{0};
  std::atomic<int> over_http2_{0};
  TcpPeer peer_;
};

class LostAnswerTest : public test::CurlFixture {
 protected:
  void run(BothVersions::Plan plan, bool refuses_http1 = false) {
    test::TlsOptions tls{.certificate = certificate_, .chooses_http2 = true};
    tls.refuses_http1 = refuses_http1;
    peer_ = std::make_unique<BothVersions>(tls, std::move(plan));
    DestinationConfig config = to(peer_->url());
    config.http_version = HttpVersion::http2;
    config.ca_file = certificate_.cert_file;
    open(config);
  }
  void TearDown() override { transport_.reset(); }

  Completion send_one() {
    start(++id_);
    return finish_one();
  }

  /// The status is lost once, and then the same answer is read over HTTP/1.1.
  void expect_one_is_lost(std::function<std::string(char)> broken) {
    run({.broken = std::move(broken)});
    const Completion lost = send_one();
    EXPECT_EQ(lost.result, AttemptResult::failed);
    EXPECT_EQ(lost.status, 0);
    EXPECT_EQ(log_.count("an answer over HTTP/2 broke off before its status"), 1);
    for (int i = 1; i <= 3; ++i) {
      const Completion read = send_one();
      EXPECT_EQ(read.status, 200) << read.detail;
      EXPECT_EQ(peer_->over_http1(), i);
    }
    EXPECT_EQ(peer_->over_http2(), 1);
    EXPECT_EQ(log_.count("HTTP/1.1"), 1);
  }

  const test::Certificate certificate_ = test::make_certificate(dir_.path());
  std::unique_ptr<BothVersions> peer_;
  AttemptId id_ = 0;
};

std::string head_and_reset(char stream) {
  return frame(headers_frame, end_headers, stream, status_200) + reset(stream, internal_error);
}

TEST_F(LostAnswerTest, AStatusAndAResetComeOverHttp1) {
  expect_one_is_lost(head_and_reset);
}

TEST_F(LostAnswerTest, AStatusAndAResetWithoutAnErrorComeOverHttp1) {
  expect_one_is_lost([](char stream) {
    return frame(headers_frame, end_headers, stream, status_200) + reset(stream, '\0');
  });
}

TEST_F(LostAnswerTest, AStatusAndABodyOfAnotherLengthComeOverHttp1) {
  expect_one_is_lost([](char stream) {
    const std::string length_50{'\x0f', '\x0d', 2, '5', '0'};  // another row, with a value
    return frame(headers_frame, end_headers, stream, status_200 + length_50) +
           frame(data_frame, end_stream, stream, "abc");
  });
}

TEST_F(LostAnswerTest, ASecondStatusComesOverHttp1) {
  expect_one_is_lost([](char stream) {
    return frame(headers_frame, end_headers, stream, status_200) +
           frame(headers_frame, end_of_headers_and_stream, stream, status_200);
  });
}

TEST_F(LostAnswerTest, AStatusWithMoreHeadThanIsReadComesOverHttp1) {
  expect_one_is_lost([](char stream) {
    // In no row, named x; the length of the value takes three bytes.
    const std::string header =
        std::string{'\0', 1, 'x', '\x7f', '\xe1', '\x6d'} + std::string(14'176, 'y');
    std::string text = frame(headers_frame, 0, stream, status_200);
    for (int i = 0; i < 12; ++i) text += frame(more_headers_frame, 0, stream, header);
    return text + frame(more_headers_frame, end_headers, stream, "");
  });
}

TEST_F(LostAnswerTest, Http2IsTriedAgainLater) {
  run({.bad_requests = 1, .broken = head_and_reset});
  EXPECT_EQ(send_one().result, AttemptResult::failed);
  later_ = Http2Fallback::http1_for - seconds(30);
  EXPECT_EQ(send_one().status, 200);
  EXPECT_EQ(peer_->over_http1(), 1);
  later_ = Http2Fallback::http1_for + seconds(30);
  EXPECT_EQ(send_one().status, 200);
  EXPECT_EQ(peer_->over_http2(), 2);
  EXPECT_EQ(log_.count("HTTP/1.1"), 1);
}

/// The second attempt has found out, and the third is over HTTP/2.
TEST_F(LostAnswerTest, WhoRefusesHttp1ByTlsIsAskedOverHttp2) {
  run({.bad_requests = 1, .broken = head_and_reset}, true);
  EXPECT_EQ(send_one().result, AttemptResult::failed);
  EXPECT_EQ(send_one().result, AttemptResult::failed);
  EXPECT_EQ(peer_->over_http2(), 1);
  const Completion read = send_one();
  EXPECT_EQ(read.status, 200) << read.detail;
  EXPECT_EQ(peer_->over_http2(), 2);
}

TEST_F(LostAnswerTest, WhoRefusesHttp1LaterIsAskedOverHttp2) {
  for (const std::string& refusal :
       {std::string(), frame(settings_frame, 0, 0, ""),
        std::string("HTTP/1.1 505 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"),
        std::string("HTTP/1.1 426 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")}) {
    run({.bad_requests = 1, .broken = head_and_reset, .http1 = refusal});
    EXPECT_EQ(send_one().result, AttemptResult::failed);
    const Completion refused = send_one();
    EXPECT_EQ(refused.result, AttemptResult::failed) << refusal;
    EXPECT_EQ(refused.status, 0);
    EXPECT_EQ(peer_->over_http1(), 1);
    const Completion read = send_one();
    EXPECT_EQ(read.status, 200) << read.detail;
    EXPECT_EQ(peer_->over_http2(), 2);
  }
}

class UnreadRequestTest : public LostAnswerTest {
 protected:
  /// Each fails, and the next goes over HTTP/2 all the same.
  void expect_http2_stays(std::function<std::string(char)> broken) {
    run({.broken = std::move(broken), .ends_connection = false});
    int before = 0;
    for (int i = 0; i < 2; ++i) {
      EXPECT_EQ(send_one().result, AttemptResult::failed);
      EXPECT_GT(peer_->over_http2(), before);
      before = peer_->over_http2();
    }
    EXPECT_EQ(peer_->over_http1(), 0);
    EXPECT_EQ(log_.count("HTTP/1.1"), 0);
  }
};

TEST_F(UnreadRequestTest, ARefusedStreamStaysWithHttp2) {
  expect_http2_stays([](char stream) { return reset(stream, refused_stream); });
}

TEST_F(UnreadRequestTest, AGoawayStaysWithHttp2) {
  for (const char reason : {'\0', internal_error}) {
    expect_http2_stays(
        [reason](char) { return frame(goaway_frame, 0, 0, std::string(7, '\0') + reason); });
  }
}

}  // namespace
}  // namespace outrider::sidecar
