// ZmtpClient: a ZeroMQ client by hand, for what libzmq would never send.
//
// Used by tests of ingest and fan-out. Speaks ZMTP 3.0 as a PUSH socket, or one of another type,
// over a Unix socket. Thread: its
// owner's.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>

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
  ~ZmtpClient() { close(fd_); }
  ZmtpClient(const ZmtpClient&) = delete;
  ZmtpClient& operator=(const ZmtpClient&) = delete;

  bool is_connected() const { return is_connected_; }

  /// The handshake. False if the other side does not answer it within twenty seconds.
  bool greet(std::string_view type = "PUSH") const {
    if (!write_all(hello(type))) return false;
    // Its greeting, and READY as PULL or PUB socket.
    for (std::size_t left = 64 + 24 + (type == "PUSH" ? 4 : 3); left > 0;) {
      char buffer[128];
      pollfd ready{fd_, POLLIN, 0};
      if (poll(&ready, 1, 20'000) != 1) return false;
      const ssize_t got = ::read(fd_, buffer, std::min(left, sizeof buffer));
      if (got <= 0) return false;
      left -= static_cast<std::size_t>(got);
    }
    return true;
  }

  static std::string hello(std::string_view type = "PUSH") {
    std::string greeting("\xff\0\0\0\0\0\0\0\0\x7f\3\0NULL", 16);
    greeting.resize(64);
    std::string ready("\5READY\13Socket-Type\0\0\0", 21);
    ready += static_cast<char>(type.size());
    ready += type;
    return greeting + '\4' + static_cast<char>(ready.size()) + ready;
  }
  static std::string part(std::string_view body, bool has_more) {
    std::string bytes(1, static_cast<char>(has_more ? 3 : 2));
    for (int shift = 56; shift >= 0; shift -= 8) {
      bytes += static_cast<char>(body.size() >> static_cast<unsigned>(shift));
    }
    return bytes.append(body);
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
  int fd_;
  bool is_connected_ = false;
};

}  // namespace outrider::test
