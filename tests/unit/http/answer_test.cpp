#include "sidecar/http/answer.hpp"

#include <atomic>
#include <chrono>
#include <future>
#include <latch>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/curl_fixture.hpp"
#include "support/tcp_peer.hpp"

namespace outrider::sidecar {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::TcpPeer;
using testing::HasSubstr;
using testing::Not;

/// Reads the request, says `text`, and keeps the connection until the other side closes it.
TcpPeer::Serve says(const std::string& text) {
  return [text](int fd) {
    if (TcpPeer::read_head(fd).empty()) return;
    TcpPeer::write_all(fd, text);
    TcpPeer::read_all(fd);
  };
}

/// The same, and then `more` again and again, as long as somebody takes it. Counts the bytes.
TcpPeer::Serve says_for_ever(const std::string& text, const std::string& more,
                             std::atomic<std::uint64_t>& bytes) {
  return [text, more, &bytes](int fd) {
    if (TcpPeer::read_head(fd).empty()) return;
    TcpPeer::write_all(fd, text);
    for (;;) {
      const ssize_t sent = send(fd, more.data(), more.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes += static_cast<std::uint64_t>(sent);
    }
  };
}

/// What the sockets' buffers hold beyond what is read.
constexpr std::uint64_t sockets_bytes_max = 32U << 20U;

class AnswerTest : public test::CurlFixture {
 protected:
  /// A request whose own timeout is far away.
  DestinationConfig patient(const std::string& url) {
    DestinationConfig config = to(url);
    config.timeout = seconds(600);
    return config;
  }
};

TEST(Answer, ToldByItsLines) {
  Answer answer(4);
  EXPECT_TRUE(answer.add_head("HTTP/1.1 200 Connection established\r\n"));
  EXPECT_TRUE(answer.add_head("\r\n"));
  EXPECT_TRUE(answer.add_head("HTTP/1.1 100 Continue\r\n"));
  EXPECT_TRUE(answer.add_head("\r\n"));
  EXPECT_EQ(answer.whole_status(), 100);
  EXPECT_TRUE(answer.add_head("HTTP/2 503\r\n"));
  EXPECT_EQ(answer.whole_status(), 0);
  EXPECT_TRUE(answer.add_head("A: b\r\n"));
  EXPECT_TRUE(answer.add_head("\r\n"));
  EXPECT_EQ(answer.whole_status(), 503);
  EXPECT_TRUE(answer.add_body("abc"));
  EXPECT_TRUE(answer.add_body("def"));
  EXPECT_EQ(answer.body(), "abcd");
  EXPECT_TRUE(answer.add_body(std::string(answer_bytes_max - 6, 'x')));
  EXPECT_FALSE(answer.add_body("x"));
}

TEST_F(AnswerTest, TheStatusIsTheOutcomeOfAnAnswerWithoutEnd) {
  TcpPeer peer(says("HTTP/1.1 200 OK\r\n\r\n"));
  const Completion completion = send(patient(peer.url()));
  EXPECT_EQ(completion.result, AttemptResult::answered);
  EXPECT_EQ(completion.status, 200);
}

TEST_F(AnswerTest, TheHeadOfABodyThatNeverEndsIsKept) {
  TcpPeer peer(says("HTTP/1.1 400 No\r\nContent-Length: 100\r\n\r\nnot like this"));
  const Completion completion = send(patient(peer.url()));
  EXPECT_EQ(completion.status, 400);
  EXPECT_EQ(completion.detail, "not like this");
  EXPECT_TRUE(completion.quotes_receiver());
}

TEST_F(AnswerTest, NeitherAHeadNorItsAnswerHasABody) {
  std::atomic<int> connections = 0;
  TcpPeer peer([&](int fd) {
    ++connections;
    for (;;) {
      const std::string head = TcpPeer::read_head(fd);
      if (head.empty()) return;
      EXPECT_THAT(head, testing::StartsWith("HEAD "));
      EXPECT_THAT(head, Not(HasSubstr("Content-Length")));
      TcpPeer::write_all(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
    }
  });
  DestinationConfig config = patient(peer.url());
  config.method = "HEAD";
  open(config);
  for (AttemptId id = 1; id <= 3; ++id) {
    start(id);
    EXPECT_EQ(finish_one().status, 200);
  }
  EXPECT_EQ(connections, 1);
}

TEST_F(AnswerTest, AHurryUsesTheStatusThatIsThere) {
  TcpPeer answers(says("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"));
  open(patient(answers.url()));
  start(1);
  // The head is here as soon as the rest is waited for, which has a deadline.
  ASSERT_TRUE(run_until([&] { return transport_->next_deadline() != never || !done_.empty(); }));
  transport_->hurry(clock_.now());
  const Completion completion = finish_one();
  EXPECT_EQ(completion.status, 200);
  EXPECT_EQ(completion.result, AttemptResult::answered);
}

TEST_F(AnswerTest, AHurryLeavesWhatHasNoOutcome) {
  TcpPeer silent(says("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nA: b\r\n"));
  open(patient(silent.url()));
  start(1);
  ASSERT_TRUE(run_until([&, turns = 0]() mutable { return ++turns > 20; }));
  transport_->hurry(clock_.now());
  turn();
  EXPECT_TRUE(done_.empty());
}

TEST_F(AnswerTest, AYesBeforeTheWholeRequestIsSentIsNoOutcomeYet) {
  const std::string body(16U << 20U, 'x');
  std::latch may_read(1);
  std::atomic<std::size_t> received = 0;
  TcpPeer peer([&](int fd) {
    if (TcpPeer::read_head(fd).empty()) return;
    TcpPeer::write_all(fd, "HTTP/1.1 200 OK\r\n\r\n");
    may_read.wait();
    char buffer[65536];
    for (ssize_t bytes = 0; (bytes = read(fd, buffer, sizeof buffer)) > 0;) {
      received += static_cast<std::size_t>(bytes);
    }
  });
  open(patient(peer.url()));
  start(1, body);
  for (int turns = 0; turns < 50; ++turns) {
    turn();
    EXPECT_GT(transport_->next_deadline(), clock_.now().mono + seconds(60))
        << "nothing ends it now";
  }
  transport_->hurry(clock_.now());
  turn();
  EXPECT_TRUE(done_.empty());
  may_read.count_down();
  EXPECT_EQ(finish_one().status, 200);
  EXPECT_TRUE(run_until([&] { return received == body.size(); }));
}

/// The kernel then holds no trace of what was not sent.
TEST_F(AnswerTest, AYesThatIsReadAfterTheConnectionWasResetIsNone) {
  const std::string body(600'000, 'x');
  std::latch may_answer(1);
  std::latch is_reset(1);
  TcpPeer peer([&](int fd) {
    if (TcpPeer::read_head(fd).empty()) return;
    may_answer.wait();
    TcpPeer::write_all(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    const sockaddr nowhere{.sa_family = AF_UNSPEC, .sa_data = {}};
    connect(fd, &nowhere, sizeof nowhere);  // resets the connection
    is_reset.count_down();
  });
  open(patient(peer.url()));
  start(1, body);
  // Until all of it is with our kernel.
  for (int turns = 0; turns < 30; ++turns) turn();
  may_answer.count_down();
  is_reset.wait();
  const Completion completion = finish_one();
  EXPECT_EQ(completion.result, AttemptResult::failed) << completion.detail;
  EXPECT_THAT(completion.detail, HasSubstr("answers 200 before it has read the whole request"));
}

TEST_F(AnswerTest, ARedirectThatDoesNotEndLeadsOn) {
  test::HttpsServer& server = serve();
  TcpPeer peer(says("HTTP/1.1 307 Go\r\nLocation: " + server.url() + "\r\n\r\n"));
  DestinationConfig config = patient(peer.url());
  config.redirects_max = 1;
  EXPECT_EQ(send(config).status, 200);
  EXPECT_EQ(server.received().size(), 1U);
}

TEST_F(AnswerTest, ReadsOfEachPartNoMoreThanItsBound) {
  const std::string yes = "HTTP/1.1 200 OK\r\n";
  const std::string chunked = yes + "Transfer-Encoding: chunked\r\n\r\n";
  const std::string line = "X-More: " + std::string(1000, 'm') + "\r\n";
  const std::tuple<const char*, std::string, std::string, int> cases[] = {
      {"trailers", chunked + "0\r\n", line, 200},
      {"a trailer", chunked + "0\r\nX: ", line.substr(0, 1000), 200},
      {"headers", yes, line, 200},
      {"a header", yes + "X: ", line.substr(0, 1000), 200},
      {"a reason", "HTTP/1.1 200 ", line.substr(0, 1000), 0},
      {"interim answers", "", "HTTP/1.1 103 Early Hints\r\n" + line + "\r\n", 0},
      {"an extension of a chunk", chunked + "4;x=", line.substr(0, 1000), 200},
      {"a chunk's size", chunked, std::string(1000, '0'), 200},
      {"a chunked body", chunked, "4\r\nabcd\r\n", 200},
      {"a body", yes + "\r\n", line, 200},
  };
  for (const auto& [part, text, more, status] : cases) {
    std::atomic<std::uint64_t> bytes = 0;
    TcpPeer peer(says_for_ever(text, more, bytes));
    const Completion completion = send(patient(peer.url()));
    EXPECT_EQ(completion.status, status) << part << ": " << completion.detail;
    // Extensions are bounded by the time that they have.
    if (std::string(part) != "an extension of a chunk") {
      EXPECT_LT(bytes, sockets_bytes_max) << part;
    }
  }
}

TEST_F(AnswerTest, SaysThatTheHeadsAreTooLarge) {
  std::atomic<std::uint64_t> bytes = 0;
  TcpPeer peer(says_for_ever("", "HTTP/1.1 103 Early\r\nX: y\r\n\r\n", bytes));
  EXPECT_THAT(send(patient(peer.url())).detail, HasSubstr("are larger than 64KiB"));
}

TEST_F(AnswerTest, OfABulkAnswerItSaysWhetherItCameWhole) {
  const std::string head = "HTTP/1.1 200 OK\r\nConnection: close\r\n";
  const std::pair<std::string, bool> cases[] = {
      {head + "Content-Length: 4\r\n\r\n1234", false},
      {head + "Content-Length: 9\r\n\r\n1234", true},
      {head + "\r\n" + std::string(answer_bytes_max + 1, 'x'), true},
  };
  for (const auto& [text, is_cut] : cases) {
    TcpPeer peer([&, text = text](int fd) {
      if (!TcpPeer::read_head(fd).empty()) TcpPeer::write_all(fd, text);
      shutdown(fd, SHUT_WR);
      TcpPeer::read_all(fd);
    });
    open(patient(peer.url()));
    Attempt bulk = attempt(1);
    bulk.wants_answer = true;
    start(bulk);
    const Completion completion = finish_one();
    EXPECT_EQ(completion.status, 200);
    EXPECT_EQ(completion.is_cut, is_cut) << text.substr(0, 100);
  }
}

TEST_F(AnswerTest, AProxyThatDoesNotConnectHasTheWord) {
  for (const int status : {302, 401, 403, 407, 410, 429, 503}) {
    for (const char* end : {"Content-Length: 0\r\n\r\n", "Content-Length: 9\r\n\r\nhalf", "\r\n"}) {
      TcpPeer proxy(says("HTTP/1.1 " + std::to_string(status) +
                         " No\r\nRetry-After: 17\r\nProxy-Authenticate: Basic\r\n" + end));
      DestinationConfig config = patient("https://target.example/");
      config.proxy = proxy.url();
      config.redirects_max = 3;
      const Completion completion = send(config);
      EXPECT_EQ(completion.result, AttemptResult::answered) << completion.detail;
      EXPECT_EQ(completion.status, status);
      EXPECT_EQ(completion.retry_after, seconds(17));
      EXPECT_EQ(completion.detail, "the proxy answers " + std::to_string(status) +
                                       " to CONNECT and does not connect to target.example:443");
      EXPECT_FALSE(completion.quotes_receiver());
    }
  }
}

TEST_F(AnswerTest, AProxyThatConnectsHasNoWord) {
  TcpPeer proxy([](int fd) {
    if (TcpPeer::read_head(fd).empty()) return;
    TcpPeer::write_all(fd, "HTTP/1.1 200 Yes\r\nRetry-After: 17\r\n\r\n");
  });
  DestinationConfig config = patient("https://target.example/");
  config.proxy = proxy.url();
  const Completion completion = send(config);
  EXPECT_EQ(completion.result, AttemptResult::failed);
  EXPECT_FALSE(completion.retry_after);
}

TEST_F(AnswerTest, WhatIsMisdirectedGoesAgainOnAnotherConnection) {
  std::atomic<int> connections = 0;
  TcpPeer peer([&](int fd) {
    const bool is_first = ++connections == 1;
    while (!TcpPeer::read_head(fd).empty()) {
      char body[4];
      if (read(fd, body, sizeof body) != 4) return;
      TcpPeer::write_all(fd, is_first ? "HTTP/1.1 421 No\r\nContent-Length: 0\r\n\r\n"
                                      : "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    }
  });
  open(patient(peer.url()));
  start(1);
  EXPECT_EQ(finish_one().status, 421);
  start(2);
  EXPECT_EQ(finish_one().status, 200);
  EXPECT_EQ(connections, 2);
}

TEST_F(AnswerTest, SendsAHeaderWithoutAValue) {
  std::promise<std::string> heard;
  TcpPeer peer([&](int fd) {
    heard.set_value(TcpPeer::read_head(fd));
    TcpPeer::write_all(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  });
  DestinationConfig config = to(peer.url());
  config.headers = {"X-Empty:", "X-Blank:  ", "X-Full: 1"};
  EXPECT_EQ(send(config).status, 200);
  const std::string head = heard.get_future().get();
  EXPECT_THAT(head, HasSubstr("\r\nX-Empty:\r\n"));
  EXPECT_THAT(head, HasSubstr("\r\nX-Blank:\r\n"));
  EXPECT_THAT(head, HasSubstr("\r\nX-Full: 1\r\n"));
  EXPECT_THAT(head, Not(HasSubstr("Expect")));
}

TEST_F(AnswerTest, SendsNoCharacterThatAPathCannotHave) {
  std::promise<std::string> heard;
  TcpPeer peer([&](int fd) {
    heard.set_value(TcpPeer::read_head(fd));
    TcpPeer::write_all(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  });
  EXPECT_EQ(send(to(peer.url() + "a\"<b>|\\^`{{%zz%41/\xc3\xa9?x[0]='\"%")).status, 200);
  EXPECT_THAT(heard.get_future().get(),
              HasSubstr("POST /a%22%3Cb%3E%7C%5C%5E%60%7B%25zz%41/%C3%A9?x%5B0%5D='%22%25 "));
}

}  // namespace
}  // namespace outrider::sidecar
