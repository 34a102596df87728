// A listening socket on a free port of 127.0.0.1, for peers that misbehave below HTTP: they accept
// and say nothing, reset, or answer without end. One thread serves one connection after the other.
#pragma once

#include <functional>
#include <string>
#include <thread>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace outrider::test {

class TcpPeer {
 public:
  /// `serve` gets each connection, which is closed when it returns.
  explicit TcpPeer(std::function<void(int fd)> serve) : listener_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t bytes = sizeof address;
    bind(listener_, reinterpret_cast<sockaddr*>(&address), bytes);
    listen(listener_, 16);
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &bytes);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this, serve = std::move(serve)] {
      for (;;) {
        const int fd = accept(listener_, nullptr, nullptr);
        if (fd < 0) return;
        serve(fd);
        close(fd);
      }
    });
  }
  ~TcpPeer() {
    shutdown(listener_, SHUT_RDWR);  // ends the accept
    thread_.join();
    close(listener_);
  }
  TcpPeer(const TcpPeer&) = delete;
  TcpPeer& operator=(const TcpPeer&) = delete;

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/"; }

  /// Reads until the other side closes.
  static void read_all(int fd) {
    char buffer[4096];
    while (read(fd, buffer, sizeof buffer) > 0) {
    }
  }

 private:
  int listener_;
  int port_ = 0;
  std::thread thread_;
};

}  // namespace outrider::test
