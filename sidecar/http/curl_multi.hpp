// CurlMulti: one libcurl multi handle with its pool of connections, its sockets on the reactor, and
// its one timer. connections.hpp describes its connections between requests.
//
// Used by CurlDriver, which gives it its turn, and by CurlRequest. Thread: the sidecar's one
// thread; never blocks. Owns: the multi handle and its connections. Borrows: the reactor. Limits:
// requests_max() of all senders together; further requests wait, which is not a failure.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <unordered_map>

#include <curl/curl.h>

#include "sidecar/base/reactor.hpp"
#include "sidecar/http/connections.hpp"

namespace outrider::sidecar {

/// The object that an easy handle's CURLOPT_PRIVATE points to.
class CurlListener {
 public:
  /// The transfer is over. May remove and add any handle.
  virtual void done(CURLcode code, const Now& now) = 0;

 protected:
  ~CurlListener() = default;
};

/// The last answer to `easy`.
Connections::Use use_of(CURL* easy);

class CurlMulti {
 public:
  explicit CurlMulti(Reactor& reactor);
  ~CurlMulti();
  CurlMulti(const CurlMulti&) = delete;
  CurlMulti& operator=(const CurlMulti&) = delete;

  /// Begins now, or when descriptors are left for it; its timeout begins then. `sender`: who shares
  /// the descriptors with others.
  bool add(CURL* easy, const void* sender);
  void remove(CURL* easy);
  /// False: it waits for a descriptor.
  bool has_begun(CURL* easy) const { return under_way_.contains(easy); }

  /// If both have senders, each has half of requests_max().
  void share_with(CurlMulti& other);

  /// Requests under way at a time, so that a quarter of all descriptors is left for clients
  /// (socket_gate.hpp).
  static std::size_t requests_max();

  /// Makes room for one more sender, which may use this many more connections at a time.
  void expect_connections(std::uint64_t more);

  Connections& connections() { return connections_; }

  /// Runs the timer and notifies the listeners of finished transfers.
  void do_work(const Now& now);
  MonoTime next_deadline() const;

 private:
  static int on_socket_change(CURL* easy, curl_socket_t fd, int what, void* self, void* socket);
  static int on_timer_change(CURLM* multi, long timeout_ms, void* self);
  void on_ready(int fd, std::uint32_t events);
  bool act(curl_socket_t fd, int mask);
  void tell_done(const Now& now);

  struct Waiting {
    CURL* easy;
    const void* sender;
  };

  std::size_t own_requests_max() const;
  bool may_begin(const void* sender) const;
  bool begin(CURL* easy, const void* sender);
  std::deque<Waiting>::const_iterator next_waiting() const;
  void begin_waiting(const Now& now);

  Reactor& reactor_;
  Connections connections_;
  CURLM* multi_;
  long connections_max_ = 0;
  std::size_t requests_max_ = 0;
  bool has_half_ = false;
  std::size_t senders_ = 0;
  std::unordered_map<CURL*, const void*> under_way_;     ///< with their senders
  std::unordered_map<const void*, std::size_t> shares_;  ///< of senders that have any under way
  std::deque<Waiting> waiting_;
  /// Set by libcurl since the last turn. It counts from the next turn on, because a callback does
  /// not know the time; so that turn follows at once.
  std::optional<Duration> new_timeout_;
  MonoTime deadline_ = never;
  MonoTime last_turn_{};
};

}  // namespace outrider::sidecar
