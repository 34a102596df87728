// ZmtpClient: a ZeroMQ peer by hand, for what libzmq would never send.
//
// Used by tests of ingest and fan-out. Speaks ZMTP 3.0 as a PUSH socket, or one of another type,
// over a Unix socket, or one that it is given. Thread: its owner's.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace outrider::test {

class ZmtpClient {
 public:
  explicit ZmtpClient(const std::string& path)
      : fd_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    is_connected_ = connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    fcntl(fd_, F_SETFL, O_NONBLOCK);
  }
  /// Takes over a connection that was accepted.
  explicit ZmtpClient(int accepted_fd) : fd_(accepted_fd), is_connected_(accepted_fd >= 0) {
    fcntl(fd_, F_SETFL, O_NONBLOCK);
  }
  ~ZmtpClient() { close(fd_); }
  ZmtpClient(const ZmtpClient&) = delete;
  ZmtpClient& operator=(const ZmtpClient&) = delete;

  bool is_connected() const { return is_connected_; }

  /// The handshake. False if the other side does not answer it within twenty seconds.
  bool greet(std::string_view type = "PUSH", std::string_view properties = {}) const {
    if (!write_all(hello(type, properties))) return false;
    // Its greeting and READY; that of a ROUTER has an identity, which is empty.
    const std::string other = type == "PUSH"   ? "PULL"
                              : type == "SUB"  ? "PUB"
                              : type == "PULL" ? "PUSH"
                                               : "ROUTER";
    for (std::size_t left = 64 + 24 + other.size() + (other == "ROUTER" ? 13 : 0); left > 0;) {
      char buffer[128];
      pollfd ready{fd_, POLLIN, 0};
      if (poll(&ready, 1, 20'000) != 1) return false;
      const ssize_t got = ::read(fd_, buffer, std::min(left, sizeof buffer));
      if (got <= 0) return false;
      left -= static_cast<std::size_t>(got);
    }
    return true;
  }

  static std::string hello(std::string_view type = "PUSH", std::string_view properties = {}) {
    return greeting() + command("READY", property("Socket-Type", type).append(properties));
  }
  static std::string greeting() {
    std::string bytes("\xff\0\0\0\0\0\0\0\0\x7f\3\0NULL", 16);
    bytes.resize(64);
    return bytes;
  }
  static std::string property(std::string_view name, std::string_view value) {
    std::string bytes(1, static_cast<char>(name.size()));
    return bytes.append(name).append(number(value.size(), 4)).append(value);
  }
  static std::string command(std::string_view name, std::string_view rest) {
    std::string body(1, static_cast<char>(name.size()));
    body.append(name).append(rest);
    return (body.size() < 256 ? '\4' + number(body.size(), 1) : '\6' + number(body.size(), 8)) +
           body;
  }
  static std::string part(std::string_view body, bool has_more) {
    return (has_more ? '\3' : '\2') + number(body.size(), 8).append(body);
  }

  /// For a tenth of a second at most.
  void wait_for_room() const {
    pollfd ready{fd_, POLLOUT, 0};
    poll(&ready, 1, 100);
  }
  /// How many bytes the kernel takes now; -1: the connection has ended.
  ssize_t write_some(std::string_view bytes) const {
    const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    return sent < 0 && errno == EAGAIN ? 0 : sent;
  }

  /// False if the connection ends before all is written, or nothing moves for ten seconds.
  bool write_all(std::string_view bytes) const {
    while (!bytes.empty()) {
      pollfd ready{fd_, POLLOUT, 0};
      if (poll(&ready, 1, 10'000) != 1) return false;
      const ssize_t sent = write_some(bytes);
      if (sent < 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  /// The other side sends something.
  bool wait_for_bytes(int timeout_ms = 20'000) const {
    char buffer[4096];
    pollfd ready{fd_, POLLIN, 0};
    return poll(&ready, 1, timeout_ms) == 1 && ::read(fd_, buffer, sizeof buffer) > 0;
  }
  /// How many bytes come until nothing has for `quiet_ms`, or so many are there.
  std::size_t read_some(std::size_t bytes_max, int quiet_ms) const {
    std::vector<char> buffer(1U << 16U);
    std::size_t bytes = 0;
    for (pollfd ready{fd_, POLLIN, 0}; bytes < bytes_max && poll(&ready, 1, quiet_ms) == 1;) {
      const ssize_t got = ::read(fd_, buffer.data(), std::min(buffer.size(), bytes_max - bytes));
      if (got <= 0) break;
      bytes += static_cast<std::size_t>(got);
    }
    return bytes;
  }
  /// The other side closes.
  bool wait_for_end(int timeout_ms = 20'000) const {
    char buffer[4096];
    for (;;) {
      pollfd ready{fd_, POLLIN, 0};
      if (poll(&ready, 1, timeout_ms) != 1) return false;
      const ssize_t got = ::read(fd_, buffer, sizeof buffer);
      if (got == 0 || (got < 0 && errno != EAGAIN)) return true;
    }
  }

 private:
  static std::string number(std::uint64_t value, unsigned bytes) {
    std::string text;
    while (bytes-- > 0) text += static_cast<char>(value >> 8 * bytes);
    return text;
  }

  int fd_;
  bool is_connected_ = false;
};

}  // namespace outrider::test
