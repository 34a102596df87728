// HttpServer: HTTP/1.1 on one listening socket, in a thread of its own, within limits that hold
// against clients of every kind.
//
// Used by AdminServer. libmicrohttpd parses and writes; this wraps it and has what it does not: the
// time that a request may take as a whole, the places of connections (http_places.hpp), and an end
// of everything that the admin interface has no use for. There are no chunked requests (411), no
// bodies over body_bytes_max (413, by content-length and before any of it is read), no ranges, no
// Expect but 100-continue (417). Paths and
// queries are decoded, and an escape that is none, or of a zero byte, is refused (400).
//
// A head that does not even fit in the memory of its connection, 16 KiB, is answered by
// libmicrohttpd itself: the right status (413, 414 or 431), and a page of HTML that no option of
// its versions before 1.0 replaces.
//
// With no connection it sleeps without a timeout. If no descriptor is left, a new connection waits,
// and is looked at again once in accept_pause.
//
// Thread: open() and the destructor belong to one; the handler is called by the server's own, which
// takes no signals. Owns: the thread, the listening socket and the connections. Borrows: the
// handler and the clock. Fails with: an Error of open().
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "sidecar/admin/http_message.hpp"
#include "sidecar/base/clock.hpp"
#include "sidecar/base/result.hpp"

namespace outrider::sidecar {

/// Closes what it holds.
class OwnedDescriptor {
 public:
  explicit OwnedDescriptor(int fd = -1) : fd_(fd) {}
  OwnedDescriptor(OwnedDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  OwnedDescriptor& operator=(OwnedDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~OwnedDescriptor();
  int get() const { return fd_; }

 private:
  int fd_;
};

struct HttpServerSettings {
  OwnedDescriptor listener;          ///< listens, and does not block
  std::size_t connections_max = 64;  ///< at least 2
  // In PEM; empty: no TLS.
  std::string certificate = {};
  std::string key = {};
};

class HttpServer {
 public:
  static constexpr std::size_t head_bytes_max = 8U << 10U;
  static constexpr std::size_t body_bytes_max = 64U << 10U;
  /// Of all requests that are being read.
  static constexpr std::size_t bodies_bytes_max = 512U << 10U;
  static constexpr Duration accept_pause = std::chrono::seconds(1);
  /// Besides the connections: listener, wake-up, and libmicrohttpd's epoll.
  static constexpr std::size_t own_descriptors = 3;

  static Result<std::unique_ptr<HttpServer>> open(HttpServerSettings settings, HttpHandler& handler,
                                                  const Clock& clock);
  ~HttpServer();

  /// Listens here from now on; those who are connected stay so. From any thread.
  void listen_at(OwnedDescriptor listener);

 private:
  class Loop;
  explicit HttpServer(std::unique_ptr<Loop> loop);

  std::unique_ptr<Loop> loop_;
};

}  // namespace outrider::sidecar
