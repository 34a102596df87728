// A listening socket on a free port of 127.0.0.1, or a Unix socket, for peers that misbehave below
// HTTP: they accept and say nothing, reset, or answer without end. One thread serves one connection
// after the other.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace outrider::test {

class TcpPeer {
 public:
  /// Gets each connection, which is closed when it returns.
  using Serve = std::function<void(int fd)>;

  explicit TcpPeer(Serve serve) : listener_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t bytes = sizeof address;
    bind(listener_, reinterpret_cast<sockaddr*>(&address), bytes);
    listen(listener_, 16);
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &bytes);
    port_ = ntohs(address.sin_port);
    run(std::move(serve));
  }
  TcpPeer(const std::string& path, Serve serve) : listener_(socket(AF_UNIX, SOCK_STREAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    listen(listener_, 16);
    run(std::move(serve));
  }
  /// Cuts the connection that is being served.
  ~TcpPeer() {
    {
      const std::lock_guard lock(mutex_);
      is_stopping_ = true;
      if (connection_ >= 0) shutdown(connection_, SHUT_RDWR);
    }
    shutdown(listener_, SHUT_RDWR);  // ends the accept
    thread_.join();
    close(listener_);
  }
  TcpPeer(const TcpPeer&) = delete;
  TcpPeer& operator=(const TcpPeer&) = delete;

  int port() const { return port_; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/"; }

  /// The head of a request, its last empty line included; empty when the other side closed. What
  /// stands behind it is not read.
  static std::string read_head(int fd) {
    std::string head;
    for (char byte = 0; !head.ends_with("\r\n\r\n"); head += byte) {
      if (read(fd, &byte, 1) != 1) return "";
    }
    return head;
  }

  static void write_all(int fd, const std::string& text) {
    for (std::size_t at = 0; at < text.size();) {
      const ssize_t sent = send(fd, text.data() + at, text.size() - at, MSG_NOSIGNAL);
      if (sent <= 0) return;
      at += static_cast<std::size_t>(sent);
    }
  }

  /// Reads until the other side closes.
  static void read_all(int fd) {
    char buffer[4096];
    while (read(fd, buffer, sizeof buffer) > 0) {
    }
  }

 private:
  void run(Serve serve) {
    thread_ = std::thread([this, serve = std::move(serve)] {
      for (;;) {
        const int fd = accept(listener_, nullptr, nullptr);
        if (fd < 0) return;
        if (set_connection(fd)) serve(fd);
        set_connection(-1);
        close(fd);
      }
    });
  }

  /// False if it is too late for connections.
  bool set_connection(int fd) {
    const std::lock_guard lock(mutex_);
    connection_ = fd;
    return !is_stopping_;
  }

  int listener_;
  int port_ = 0;
  std::mutex mutex_;
  int connection_ = -1;  ///< that is being served
  bool is_stopping_ = false;
  std::thread thread_;
};

}  // namespace outrider::test
