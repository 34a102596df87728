// Connections: the sockets of one multi handle's connections: which are idle, which of those spoke,
// and which are in doubt.
//
// An answer belongs to a request only if it came after the request on that connection (RFC 9112,
// 9.2). libcurl 7.88 does not check this: it takes bytes on an idle connection for the next answer.
// So an idle HTTP/1 connection on which anything arrives - bytes, an end, an error - is ended as
// soon as the reactor sees it, and is checked again right before a request is written to it. With
// TLS such bytes may be inside OpenSSL, which reads whole records, while libcurl reads only the
// length of an answer. No socket shows them, so the check is also made when an answer has been
// read. An answer is acknowledged at once, because the peer's kernel may hold further bytes back
// until then. TCP shows an answer that crosses a request on the way: the receiver had acknowledged
// none of the request when the answer arrived. HTTP/2 numbers its answers; there only an end ends
// an idle connection.
//
// After a timeout all connections to that address on which no answer has come since the request was
// written are in doubt: an idle one ends; one that carries other requests gets no new one until
// there is an answer, and ends with the last. Other traffic proves nothing: a front end may answer
// PINGs and send window updates on an HTTP/2 connection whose streams nobody serves any more.
//
// A connection whose answer is 421 (wrong connection) gets no new request either, and ends with the
// last. libcurl can forbid the reuse only of a connection without other requests.
//
// The connection of a receiver that keeps sending without answering is ended too: libcurl limits
// only the time for that, and on HTTP/2 not even the time.
//
// On HTTP/2 libcurl waits for room in a socket even if the receiver's window is closed, and would
// be called all the time. Such a socket is watched only for incoming data, which opens the window.
//
// libcurl has no call to end a connection. So its descriptor is replaced by that of a dead socket,
// which libcurl then finds closed.
//
// Used by CurlMulti and CurlRequest. Thread: the sidecar's one thread; never blocks. Owns: the dead
// socket; the descriptors are libcurl's until close(). Borrows: the reactor. Costs: one recv() for
// each request on a kept connection, a check of each idle one for a Unix socket, which has no port
// to identify it; and TCP_INFO twice. Limits: one entry for each connection.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sidecar/base/reactor.hpp"
#include "sidecar/http/tls_session.hpp"

struct sockaddr;

namespace outrider::sidecar {

/// An address with its port; 0: a Unix socket, or none.
using PeerKey = std::uint64_t;
PeerKey peer_key(const sockaddr& address);

class Connections {
 public:
  /// A socket that becomes ready while a request uses it.
  using OnReady = std::function<void(int fd, std::uint32_t events)>;

  Connections(Reactor& reactor, OnReady on_ready);
  ~Connections();
  Connections(const Connections&) = delete;
  Connections& operator=(const Connections&) = delete;

  /// libcurl made it, and closes it: other descriptors that it opens are never one. `silence_max`
  /// belongs to the request that it is made for; see Place.
  void opened(int fd, std::chrono::milliseconds silence_max);
  int close(int fd);

  enum class Use : std::uint8_t { http1, http2, unknown };
  /// No request is on it any more. False: it is no connection.
  bool rest(int fd, Use use);
  /// A request is on it, or it is being made, and waits for `events`. False: it is no connection.
  bool use(int fd, std::uint32_t events);

  /// So much came that a turn was too short for it. No answer takes many such turns.
  void had_more(int fd);

  /// Where a request is about to be written. libcurl says it without the descriptor.
  struct Place {
    std::string_view peer_ip;
    int peer_port = 0;
    std::string_view local_ip;
    int local_port = 0;            ///< none: a Unix socket
    int opened_fd = -1;            ///< by this request
    bool may_speak_first = false;  ///< a new connection, as with TLS or HTTP/2
    /// How long the peer's kernel may acknowledge nothing. Then it is gone, and the connection
    /// ends. Requests that share one have the longest of theirs.
    std::chrono::milliseconds silence_max{};
    TlsSessions tls{};  ///< that are known; the one below the receiver's, of a new connection alone
  };
  enum class Verdict : std::uint8_t {
    quiet,
    spoke,        ///< it was idle and is ended, or is in doubt: take another one
    spoke_first,  ///< it is new, and the receiver did not wait for a request
  };
  struct Look {
    Verdict verdict = Verdict::quiet;
    int fd = -1;  ///< -1: unknown
    PeerKey peer = 0;
    std::uint64_t id = 0;
    bool is_kept = false;                 ///< it has had requests before
    std::optional<std::uint64_t> sent{};  ///< bytes of all that was sent before the request
    MonoTime at{};                        ///< right before the request was written
  };
  Look look(const Place& place);

  /// The request that was there is over. libcurl does not say so of one that was answered at once.
  void settled(const Look& look, Use use);

  /// How much of the data sent after `look` has reached the receiver's kernel; all, if that is not
  /// counted. Cut: not all has, and the connection has ended.
  enum class Received : std::uint8_t { nothing, some, cut, all };
  /// `request_bytes_min`: of the whole request; data in flight is forgotten with a connection.
  Received received(const Look& look, std::uint64_t request_bytes_min);

  /// An answer to the request that is there comes in.
  void answers(const Look& look);

  /// The request that was there should have taken another one, says the receiver.
  void leave(const Look& look);

  /// The request that was there has waited for an answer in vain.
  void doubt(const Look& look);

 private:
  /// Busy while libcurl waits for it: where a request is written and answered at once, it does not.
  enum class State : std::uint8_t { fresh, idle, busy, ended };

  struct Connection {
    State state = State::fresh;
    Use use = Use::unknown;
    std::uint32_t watched = 0;  ///< the events that the reactor waits for; 0: none
    std::uint64_t id = 0;       ///< tells it from others that had its descriptor
    std::string ends;           ///< without the peer's port; empty: not known yet
    int peer_port = 0;
    PeerKey peer = 0;
    std::chrono::milliseconds silence_max{};
    TlsSessions tls{};
    int long_turns = 0;               ///< since the last request was written
    int writes = 0;                   ///< calls in a row for room to write, and for nothing else
    std::uint64_t written_bytes = 0;  ///< as of some such call
    bool is_stuck = false;            ///< is not watched for room to write
    bool is_left = false;             ///< gets no new request
    MonoTime alive_at{};              ///< when it was made, or an answer came on it
    MonoTime doubted_at{};
  };

  void name_new_ones();
  void forget_name(int fd, const std::string& ends);
  Connection* still_there(const Look& look);
  static void limit_silence(int fd, Connection& connection, std::chrono::milliseconds max);
  void watch(int fd, Connection& connection, std::uint32_t events);
  void heard(int fd, std::uint32_t events);
  void look_for_progress(int fd);
  Verdict look_at(int fd, Connection& connection, const Place& place);
  Verdict look_at_all_unix(const Place& place);
  int find(const Place& place) const;
  static bool is_in_doubt(const Connection& connection) {
    return connection.alive_at < connection.doubted_at;
  }
  void end(int fd, Connection& connection);

  Reactor& reactor_;
  const OnReady on_ready_;
  int dead_fd_;
  std::unordered_map<int, Connection> connections_;
  std::uint64_t last_id_ = 0;
  std::unordered_multimap<std::string, int> by_ends_;
  std::vector<int> nameless_;
};

}  // namespace outrider::sidecar
