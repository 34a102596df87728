// HttpConnection: one connection to an HTTP server, on which a test sends what it likes.
//
// Used by the tests of the admin interface. Every wait has a deadline and says by its result
// whether it was met. Thread: one.
#pragma once

#include <cctype>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace outrider::test {

struct HttpReply {
  int status = 0;
  std::string head;  ///< in small letters
  std::string body;

  bool has(std::string_view small) const { return head.find(small) != std::string::npos; }
};

class HttpConnection {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds patience{20};

  explicit HttpConnection(const std::string& unix_path) {
    std::signal(SIGPIPE, SIG_IGN);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, unix_path.data(), unix_path.size());
    connect_to(reinterpret_cast<sockaddr*>(&address), sizeof address);
  }
  explicit HttpConnection(int port) {
    std::signal(SIGPIPE, SIG_IGN);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    connect_to(reinterpret_cast<sockaddr*>(&address), sizeof address);
  }
  HttpConnection(HttpConnection&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), received_(std::move(other.received_)) {}
  HttpConnection& operator=(HttpConnection&&) = delete;
  ~HttpConnection() {
    if (fd_ >= 0) close(fd_);
  }

  bool is_connected() const { return fd_ >= 0; }

  /// False: the server has ended the connection, or takes nothing any more.
  bool send(std::string_view text) const {
    while (!text.empty()) {
      const ssize_t sent = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  /// A reply with content-length; `to_head`: without its body. Nothing: it did not come whole.
  std::optional<HttpReply> reply(bool to_head = false) {
    const auto deadline = Clock::now() + patience;
    std::size_t end = 0;
    while ((end = received_.find("\r\n\r\n")) == std::string::npos) {
      if (receive(deadline) <= 0) return std::nullopt;
    }
    HttpReply reply;
    reply.head = received_.substr(0, end + 2);
    for (char& c : reply.head) c = static_cast<char>(std::tolower(c));
    received_.erase(0, end + 4);
    reply.status = std::atoi(reply.head.c_str() + 9);  // NOLINT(cert-err34-c)
    const std::size_t at = reply.head.find("content-length: ");
    const std::size_t bytes =
        at == std::string::npos || to_head ? 0 : std::stoul(reply.head.substr(at + 16));
    while (received_.size() < bytes) {
      if (receive(deadline) <= 0) return std::nullopt;
    }
    reply.body = received_.substr(0, bytes);
    received_.erase(0, bytes);
    return reply;
  }
  std::optional<HttpReply> ask(std::string_view request) {
    send(request);
    return reply();
  }

  /// Passes over what comes before the end.
  bool wait_for_end(std::chrono::milliseconds wait = patience) {
    const auto deadline = Clock::now() + wait;
    ssize_t got = 0;
    while ((got = receive(deadline)) > 0) received_.clear();
    return got == 0;
  }

 private:
  void connect_to(const sockaddr* address, socklen_t bytes) {
    fd_ = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    // A server that takes nothing must not hold a test up for ever.
    const timeval limit{patience.count(), 0};
    setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (connect(fd_, address, bytes) != 0) close(std::exchange(fd_, -1));
  }

  /// 0: the end, or a reset; -1: too late.
  ssize_t receive(Clock::time_point deadline) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
    pollfd one{fd_, POLLIN, 0};
    if (left.count() <= 0 || poll(&one, 1, static_cast<int>(left.count())) <= 0) return -1;
    char buffer[65536];
    const ssize_t got = recv(fd_, buffer, sizeof buffer, 0);
    if (got <= 0) return 0;
    received_.append(buffer, static_cast<std::size_t>(got));
    return got;
  }

  int fd_ = -1;
  std::string received_;
};

}  // namespace outrider::test
