// Receivers that speak out of turn. What they say on an idle connection ends that connection and
// nothing else: every request gets the answer that came after it, and is sent once.

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>

#include <dlfcn.h>
#include <gmock/gmock.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "support/curl_fixture.hpp"
#include "support/fault_receiver.hpp"
#include "support/tcp_peer.hpp"

namespace {

/// Runs once, with a connection that was looked at and found quiet.
std::function<void(int)> after_the_look;

/// Of any connection, no more sent bytes are acknowledged than these: as where the other kernel is
/// far away.
std::atomic<std::uint64_t> acknowledged_bytes_max{UINT64_MAX};

/// Runs once, with a socket that is asked whether it has connected.
std::function<void(int)> before_it_is_connected;

/// With each new socket.
std::function<void(int)> before_it_connects;

}  // namespace

extern "C" [[gnu::visibility("default")]] int setsockopt(int fd, int level, int option,
                                                         const void* value,
                                                         socklen_t bytes) noexcept {
  using Function = int (*)(int, int, int, const void*, socklen_t);
  static const auto system = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "setsockopt"));
  if (level == SOL_SOCKET && option == SO_KEEPALIVE && before_it_connects) before_it_connects(fd);
  return system(fd, level, option, value, bytes);
}

extern "C" [[gnu::visibility("default")]] int getsockopt(int fd, int level, int option, void* value,
                                                         socklen_t* bytes) noexcept {
  using Function = int (*)(int, int, int, void*, socklen_t*);
  static const auto system = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "getsockopt"));
  if (level == SOL_SOCKET && option == SO_ERROR && before_it_is_connected) {
    std::exchange(before_it_is_connected, {})(fd);
  }
  const int result = system(fd, level, option, value, bytes);
  if (result == 0 && level == IPPROTO_TCP && option == TCP_INFO) {
    auto& acknowledged = static_cast<tcp_info*>(value)->tcpi_bytes_acked;
    acknowledged = std::min<std::uint64_t>(acknowledged, acknowledged_bytes_max);
  }
  return result;
}

extern "C" [[gnu::visibility("default")]] ssize_t recvfrom(int fd, void* data, std::size_t bytes,
                                                           int flags, sockaddr* from,
                                                           socklen_t* from_bytes) {
  using Function = ssize_t (*)(int, void*, std::size_t, int, sockaddr*, socklen_t*);
  static const auto system = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "recvfrom"));
  const ssize_t got = system(fd, data, bytes, flags, from, from_bytes);
  if (got < 0 && flags == (MSG_PEEK | MSG_DONTWAIT) && after_the_look) {
    const int error = errno;
    std::exchange(after_the_look, {})(fd);
    errno = error;
  }
  return got;
}

namespace outrider::sidecar {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::answer_text;
using test::Arrival;
using test::FaultReceiver;
using test::Script;
using test::speak;
using test::TcpPeer;
using testing::HasSubstr;

enum class Over { tcp, tls, unix_socket };

struct Speech {
  std::string name;
  std::string text;
  bool closes = false;
  Over over = Over::tcp;
  bool is_seen_at_once = false;  ///< by the reactor, before the next request begins
};

std::ostream& operator<<(std::ostream& out, const Speech& speech) {
  return out << speech.name;
}

std::vector<Speech> make_speeches() {
  const std::vector<std::pair<std::string, std::string>> texts = {
      {"Second200", answer_text(200)},
      {"Second400", answer_text(400)},
      {"Second408AndGoodbye", answer_text(408, "Connection: close\r\n")},
      {"Second410", answer_text(410)},
      {"Second503WithRetryAfter", answer_text(503, "Retry-After: 3600\r\n")},
      {"LineEnd", "\r\n"},
      {"Garbage", std::string("\x00\xff\x16 garbage", 11)},
      {"HalfAnAnswer", "HTTP/1.1 200 OK\r\nContent-Le"},
      {"LateContinue", "HTTP/1.1 100 Continue\r\n\r\n"},
      {"ManyAnswers", answer_text(200) + answer_text(200) + answer_text(200)},
  };
  std::vector<Speech> speeches;
  for (const auto& [name, text] : texts) {
    for (const bool closes : {false, true}) {
      for (const bool at_once : {false, true}) {
        const std::string tail = std::string(closes ? "Closing" : "") + (at_once ? "Seen" : "");
        speeches.push_back({name + tail, text, closes, Over::tcp, at_once});
        speeches.push_back({name + tail + "Tls", text, closes, Over::tls, at_once});
        speeches.push_back({name + tail + "Unix", text, closes, Over::unix_socket, at_once});
      }
    }
  }
  return speeches;
}

class IdleConnectionTest : public test::CurlFixture {
 protected:
  DestinationConfig to_receiver(const FaultReceiver& receiver) {
    DestinationConfig config = to(receiver.url());
    if (certificate_) config.ca_file = certificate_->cert_file;
    return config;
  }

  FaultReceiver::Options over(Over kind) {
    FaultReceiver::Options options;
    if (kind == Over::unix_socket) options.unix_path = dir_.file("receiver.sock");
    if (kind == Over::tls) {
      certificate_ = test::make_certificate(dir_.path());
      options.tls = test::TlsOptions{*certificate_};
    }
    return options;
  }

  /// The driver does not turn meanwhile, as when the sidecar is busy with other things.
  static bool comes_true(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + seconds(10);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::yield();
    }
    return true;
  }

  std::optional<test::Certificate> certificate_;
};

class IdleConnectionThatSpeaks : public IdleConnectionTest,
                                 public testing::WithParamInterface<Speech> {};

TEST_P(IdleConnectionThatSpeaks, EndsAndNoRequestWithIt) {
  const Speech& speech = GetParam();
  FaultReceiver receiver(over(speech.over));
  Script script = {test::read_all(), test::send_text(answer_text(200)),
                   test::wait_for(milliseconds(5)), speak(speech.text)};
  if (speech.closes) script.push_back(test::close_connection());
  receiver.script_requests({}, script);
  open(to_receiver(receiver));
  constexpr AttemptId requests = 4;
  for (AttemptId id = 1; id <= requests; ++id) {
    const std::string body = "body " + std::to_string(id);  // it must outlive its attempt
    start(id, body);
    const Completion completion = finish_one();
    EXPECT_EQ(completion.result, AttemptResult::answered) << completion.detail;
    EXPECT_EQ(completion.status, 200);
    ASSERT_TRUE(comes_true([&] { return receiver.counts().spoken == id; }));
    if (speech.closes) {
      ASSERT_TRUE(comes_true([&] { return receiver.counts().cut == id; }));
    }
    if (speech.is_seen_at_once) turn();
  }
  const std::vector<Arrival> arrivals = receiver.arrivals();
  ASSERT_EQ(arrivals.size(), requests);
  for (AttemptId id = 1; id <= requests; ++id) {
    EXPECT_EQ(arrivals[id - 1].body, "body " + std::to_string(id));
  }
  EXPECT_EQ(receiver.counts().connections, requests);
}

INSTANTIATE_TEST_SUITE_P(Speeches, IdleConnectionThatSpeaks, testing::ValuesIn(make_speeches()),
                         [](const auto& test) { return test.param.name; });

TEST_F(IdleConnectionTest, QuietOnesAreKept) {
  for (const Over kind : {Over::tcp, Over::tls, Over::unix_socket}) {
    FaultReceiver receiver(over(kind));
    open(to_receiver(receiver));
    for (AttemptId id = 1; id <= 20; ++id) {
      start(id);
      ASSERT_EQ(finish_one().status, 200);
      if (id % 2 == 0) turn();
    }
    EXPECT_EQ(receiver.counts().connections, 1U);
    transport_.reset();
    certificate_.reset();
  }
}

/// One that was ended is not what libcurl makes do with, also where it has several.
TEST_F(IdleConnectionTest, AllThatSpokeAreLeftAtOnce) {
  FaultReceiver receiver;
  receiver.set_capacity(8);
  receiver.set_latency(milliseconds(50));
  receiver.script_requests(std::vector<Script>(
      8,
      Script{test::read_all(), test::work(), test::send_text(answer_text(200)),
             test::wait_for(milliseconds(5)), speak(answer_text(408)), test::close_connection()}));
  open(to_receiver(receiver));
  for (AttemptId id = 1; id <= 8; ++id) start(id);
  ASSERT_TRUE(run_until([&] { return done_.size() == 8; }));
  done_.clear();
  ASSERT_TRUE(comes_true([&] { return receiver.counts().cut == 8; }));
  start(9);
  EXPECT_EQ(finish_one().status, 200);
  EXPECT_EQ(receiver.counts().requests, 9U);
}

/// Gives the next sockets one local port, as the kernel may where their peers differ.
class OneLocalPort {
 public:
  explicit OneLocalPort(int sockets) : left_(sockets) {
    before_it_connects = [this](int fd) { bind_to_it(fd); };
  }
  ~OneLocalPort() { before_it_connects = {}; }
  OneLocalPort(const OneLocalPort&) = delete;
  OneLocalPort& operator=(const OneLocalPort&) = delete;

 private:
  void bind_to_it(int fd) {
    if (left_-- <= 0) return;
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    socklen_t bytes = sizeof address_;
    auto* const address = reinterpret_cast<sockaddr*>(&address_);
    EXPECT_EQ(bind(fd, address, bytes), 0) << errno;
    getsockname(fd, address, &bytes);
  }

  int left_;
  sockaddr_in address_{.sin_family = AF_INET,
                       .sin_port = 0,
                       .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)},
                       .sin_zero = {}};
};

/// The redirect makes one destination have both.
TEST_F(IdleConnectionTest, ConnectionsWithOneLocalPortAreToldApart) {
  constexpr AttemptId requests = 4;
  for (const bool first_speaks : {false, true}) {
    FaultReceiver second;
    FaultReceiver first;
    const Script redirect = test::answer(307, "Location: " + second.url() + "\r\n");
    const Script late = {test::wait_for(milliseconds(5)), speak(answer_text(410))};
    Script first_script = redirect;
    Script second_script = test::answer();
    Script& loud = first_speaks ? first_script : second_script;
    loud.insert(loud.end(), late.begin(), late.end());
    first.script_requests({}, first_script);
    second.script_requests({}, second_script);
    DestinationConfig config = to(first.url());
    config.redirects_max = 1;
    open(config);
    const OneLocalPort port(2);
    for (AttemptId id = 1; id <= requests; ++id) {
      start(id);
      const Completion completion = finish_one();
      EXPECT_EQ(completion.status, 200) << completion.detail;
      ASSERT_TRUE(
          comes_true([&] { return (first_speaks ? first : second).counts().spoken == id; }));
    }
    EXPECT_EQ(first.counts().requests, requests);
    EXPECT_EQ(second.counts().requests, requests);
    EXPECT_EQ(first.counts().connections, first_speaks ? requests : 1U);
    EXPECT_EQ(second.counts().connections, first_speaks ? 1U : requests);
    transport_.reset();
  }
}

TEST_F(IdleConnectionTest, OneThatTheReceiverClosesIsClosedWhileAllIsQuiet) {
  std::atomic<bool> is_closed_here{false};
  TcpPeer peer([&](int fd) {
    TcpPeer::read_head(fd);
    char body[4];
    EXPECT_EQ(read(fd, body, sizeof body), 4);
    TcpPeer::write_all(fd, answer_text(200));
    shutdown(fd, SHUT_WR);
    TcpPeer::read_all(fd);
    is_closed_here = true;
  });
  open(to(peer.url()));
  start(1);
  EXPECT_EQ(finish_one().status, 200);
  EXPECT_TRUE(run_until([&] { return is_closed_here.load(); }));
}

/// The answer was under way when the request was written: the receiver had got none of it. Over a
/// distance that is so if the answer comes before the acknowledgement of any byte; here the kernel
/// on the other side may be quicker, so it is made to look as if it was not.
TEST_F(IdleConnectionTest, AnAnswerThatCrossesTheRequestIsNotItsAnswer) {
  for (const int status : {200, 408, 410}) {
    std::atomic<int> served{0};
    std::atomic<int> talking_fd{-1};
    std::atomic<bool> has_crossed{false};
    TcpPeer peer([&](int fd) {
      const bool is_first = ++served == 1;
      if (!is_first) acknowledged_bytes_max = UINT64_MAX;
      TcpPeer::read_head(fd);
      char body[4];
      EXPECT_EQ(read(fd, body, sizeof body), 4);
      talking_fd = fd;
      TcpPeer::write_all(fd, answer_text(is_first ? 200 : 202));
      // It gave the connection up and reads no more of it.
      pollfd end{.fd = fd, .events = POLLRDHUP, .revents = 0};
      poll(&end, 1, -1);
      if (is_first) has_crossed = recv(fd, body, sizeof body, MSG_DONTWAIT) > 0;
    });
    open(to(peer.url()));
    start(1);
    EXPECT_EQ(finish_one().status, 200);
    after_the_look = [&](int fd) {
      tcp_info info{};
      socklen_t bytes = sizeof info;
      EXPECT_EQ(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &bytes), 0);
      acknowledged_bytes_max = info.tcpi_bytes_acked;
      TcpPeer::write_all(talking_fd, answer_text(status));
    };
    start(2);
    EXPECT_EQ(finish_one().status, 202);
    EXPECT_FALSE(after_the_look);
    EXPECT_EQ(served, 2);
    EXPECT_TRUE(has_crossed) << "the request was not written on the connection that spoke";
    transport_.reset();
  }
}

TEST_F(IdleConnectionTest, ANewConnectionThatSpeaksFirstHasFailed) {
  TcpPeer peer([](int fd) {
    TcpPeer::write_all(fd, answer_text(200));
    TcpPeer::read_all(fd);
  });
  open(to(peer.url()));
  before_it_is_connected = [](int fd) {
    pollfd spoken{.fd = fd, .events = POLLIN, .revents = 0};
    EXPECT_EQ(poll(&spoken, 1, 20'000), 1);
  };
  start(1);
  const Completion completion = finish_one();
  EXPECT_EQ(completion.result, AttemptResult::failed);
  EXPECT_THAT(completion.detail, HasSubstr("sends data before the request"));
}

TEST_F(IdleConnectionTest, AnEarlyRefusalIsTheAnswer) {
  const std::string body(8'000'000, 'x');
  for (const int status : {400, 413}) {
    FaultReceiver receiver;
    receiver.script_requests(
        {{test::read_body(1), test::send_text(answer_text(status, "Connection: close\r\n")),
          test::wait_for(milliseconds(50)), test::close_connection()}});
    open(to_receiver(receiver));
    start(1, body);
    const Completion completion = finish_one();
    EXPECT_EQ(completion.result, AttemptResult::answered) << completion.detail;
    EXPECT_EQ(completion.status, status);
    start(2);
    EXPECT_EQ(finish_one().status, 200);
    transport_.reset();
  }
}

}  // namespace
}  // namespace outrider::sidecar
