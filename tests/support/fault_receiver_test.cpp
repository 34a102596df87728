#include "support/fault_receiver.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace outrider::test {
namespace {

using namespace std::chrono_literals;

/// A blocking client that gives up after a while.
class Client {
 public:
  explicit Client(const FaultReceiver& receiver) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    const timeval patience{.tv_sec = 10, .tv_usec = 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(receiver.port()));
    is_connected_ = connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  ~Client() { close(fd_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  bool is_connected() const { return is_connected_; }

  void post(const std::string& body) const {
    const std::string request = "POST /events HTTP/1.1\r\nHost: x\r\nidempotency-key: key-1\r\n" +
                                std::string("Content-Length: ") + std::to_string(body.size()) +
                                "\r\n\r\n" + body;
    ASSERT_EQ(send(fd_, request.data(), request.size(), MSG_NOSIGNAL), ssize_t(request.size()));
  }

  /// Reads until `end` has come; says "RST" or "FIN" at the end of a connection.
  std::string read_until(const std::string& end) const {
    std::string text;
    while (text.find(end) == std::string::npos) {
      char buffer[4096];
      const ssize_t bytes = recv(fd_, buffer, sizeof buffer, 0);
      if (bytes <= 0) return text + (bytes == 0 ? "FIN" : errno == ECONNRESET ? "RST" : "nothing");
      text.append(buffer, static_cast<std::size_t>(bytes));
    }
    return text;
  }

 private:
  int fd_;
  bool is_connected_ = false;
};

TEST(FaultReceiver, KeepsWhatItReceivesAndAnswersByTheScript) {
  FaultReceiver receiver;
  receiver.script_requests({answer(503, "Retry-After: 1\r\n")});
  const Client client(receiver);
  client.post("one");
  EXPECT_NE(client.read_until("ok\n").find("503 Scripted\r\nRetry-After: 1"), std::string::npos);
  client.post("two");
  EXPECT_NE(client.read_until("ok\n").find("200 Scripted"), std::string::npos);
  const std::vector<Arrival> arrivals = receiver.arrivals();
  ASSERT_EQ(arrivals.size(), 2U);
  EXPECT_EQ(arrivals[0].body, "one");
  EXPECT_EQ(arrivals[0].header("Idempotency-Key"), "key-1");
  EXPECT_FALSE(arrivals[0].is_taken());
  EXPECT_EQ(arrivals[1].body, "two");
  EXPECT_EQ(arrivals[1].connection, 1U);
  EXPECT_TRUE(arrivals[1].is_taken());
}

TEST(FaultReceiver, BreaksConnectionsWhereTheScriptSaysSo) {
  FaultReceiver receiver;
  receiver.script_connections({{reset_connection()}});
  EXPECT_EQ(Client(receiver).read_until("ok"), "RST");
  for (const auto& [name, heard] :
       {std::pair<std::string, std::string>{"reset_in_request_head", "RST"},
        {"reset_in_request_body", "RST"},
        {"close_before_answer", "FIN"},
        {"reset_in_answer_head", "HTTP/1.1 2RST"}}) {
    receiver.script_requests({find_script(name)->script});
    const Client client(receiver);
    client.post("body");
    EXPECT_EQ(client.read_until("ok"), heard) << name;
  }
  const std::vector<Arrival> arrivals = receiver.arrivals();
  ASSERT_EQ(arrivals.size(), 4U);
  EXPECT_FALSE(arrivals[0].is_complete);
  EXPECT_FALSE(arrivals[1].is_complete);
  EXPECT_TRUE(arrivals[2].is_taken());
  EXPECT_EQ(arrivals[3].fate, Fate::cut);
}

TEST(FaultReceiver, RefusesAndListensAgainOnTheSamePort) {
  FaultReceiver receiver;
  const Client early(receiver);
  receiver.refuse();
  EXPECT_FALSE(Client(receiver).is_connected());
  receiver.listen();
  const Client client(receiver);
  client.post("body");
  EXPECT_NE(client.read_until("ok\n").find("200"), std::string::npos);
}

TEST(FaultReceiver, ServesAsManyAtATimeAsItHasPlaces) {
  FaultReceiver receiver({.capacity = 2, .latency = 50ms});
  std::vector<std::unique_ptr<Client>> clients;
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 6; ++i) clients.push_back(std::make_unique<Client>(receiver));
  for (const auto& client : clients) client->post("body");
  for (const auto& client : clients) client->read_until("ok\n");
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 150ms) << "three rounds of two";
  EXPECT_EQ(receiver.counts().in_service_max, 2U);
  EXPECT_EQ(receiver.counts().answered, 6U);
}

TEST(FaultReceiver, MorePlacesServeThoseWhoWait) {
  FaultReceiver receiver({.capacity = 1, .latency = 1h});
  const Client first(receiver);
  first.post("body");
  while (receiver.counts().in_service == 0) std::this_thread::yield();
  receiver.set_latency(0ms);
  const Client second(receiver);
  second.post("body");
  while (receiver.counts().waiting == 0) std::this_thread::yield();
  receiver.set_capacity(2);
  EXPECT_NE(second.read_until("ok\n").find("200"), std::string::npos);
}

}  // namespace
}  // namespace outrider::test
