// A relay on a free port of a loopback address to a port of 127.0.0.1: what is between two ends
// that know nothing of it. It can let the connections that there are fall silent without a word, as
// a middlebox does that forgot them. Thread: every member may be called from the test's thread; two
// threads of its own a connection.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace outrider::test {

class TcpRelay {
 public:
  explicit TcpRelay(int to_port, const std::string& address = "127.0.0.1", int port = 0)
      : to_port_(to_port), listener_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in at = address_of(address, port);
    socklen_t bytes = sizeof at;
    is_listening_ =
        bind(listener_, reinterpret_cast<sockaddr*>(&at), bytes) == 0 && listen(listener_, 16) == 0;
    getsockname(listener_, reinterpret_cast<sockaddr*>(&at), &bytes);
    port_ = ntohs(at.sin_port);
    acceptor_ = std::thread([this] { accept_all(); });
  }
  ~TcpRelay() {
    {
      const std::lock_guard lock(mutex_);
      is_stopping_ = true;
      for (const int fd : sockets_) shutdown(fd, SHUT_RDWR);
    }
    shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    for (std::thread& carrier : carriers_) carrier.join();
    for (const int fd : sockets_) close(fd);
    close(listener_);
  }
  TcpRelay(const TcpRelay&) = delete;
  TcpRelay& operator=(const TcpRelay&) = delete;

  int port() const { return port_; }
  bool is_listening() const { return is_listening_; }
  int connections() const { return connections_; }

  /// The connections that there are carry nothing from now on, and stay open.
  void silence() { silent_up_to_ = connections_.load(); }

 private:
  static sockaddr_in address_of(const std::string& ip, int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    inet_pton(AF_INET, ip.c_str(), &address.sin_addr);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    return address;
  }

  void accept_all() {
    for (;;) {
      const int from = accept(listener_, nullptr, nullptr);
      if (from < 0) return;
      const int to = socket(AF_INET, SOCK_STREAM, 0);
      const sockaddr_in target = address_of("127.0.0.1", to_port_);
      connect(to, reinterpret_cast<const sockaddr*>(&target), sizeof target);
      const std::lock_guard lock(mutex_);
      sockets_.insert(sockets_.end(), {from, to});
      if (is_stopping_) return;
      const int number = ++connections_;
      carriers_.emplace_back([this, from, to, number] { carry(from, to, number); });
      carriers_.emplace_back([this, from, to, number] { carry(to, from, number); });
    }
  }

  void carry(int from, int to, int number) const {
    char buffer[16384];
    for (;;) {
      const ssize_t got = read(from, buffer, sizeof buffer);
      if (got <= 0) break;
      if (number <= silent_up_to_) continue;
      if (send(to, buffer, static_cast<std::size_t>(got), MSG_NOSIGNAL) != got) break;
    }
    shutdown(to, SHUT_WR);
  }

  const int to_port_;
  const int listener_;
  int port_ = 0;
  bool is_listening_ = false;
  std::atomic<int> connections_{0};
  std::atomic<int> silent_up_to_{0};
  std::mutex mutex_;  ///< guards is_stopping_ and sockets_
  bool is_stopping_ = false;
  std::vector<int> sockets_;
  std::vector<std::thread> carriers_;  ///< of acceptor_ until it has ended
  std::thread acceptor_;
};

}  // namespace outrider::test
