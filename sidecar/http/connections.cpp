#include "sidecar/http/connections.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace outrider::sidecar {
namespace {

/// TCP_CLOSE of <netinet/tcp.h>, which cannot be included beside <linux/tcp.h>.
constexpr int tcp_closed = 7;

/// Calls for room to write before it is asked whether they write anything.
constexpr unsigned idle_writes_max = 16;

/// An answer has a mebibyte at most, and heads; TLS and HTTP/2 add to it.
constexpr int long_turns_max = 64;

std::uint64_t mixed(std::uint64_t hash, std::uint64_t value) {
  return (hash ^ value) * 0x9e3779b97f4a7c15U + (hash >> 29U);
}

/// All connections to Unix sockets have this name, and no other connection.
const std::string unix_ends = "unix";

std::string ends_of(std::string_view peer_ip, std::string_view local_ip, int local_port) {
  std::string ends(peer_ip);
  ends.append(" ").append(local_ip);
  return ends.append(" ").append(std::to_string(local_port));
}

std::optional<tcp_info> tcp_info_of(int fd) {
  tcp_info info{};
  socklen_t bytes = sizeof info;
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &bytes) != 0) return std::nullopt;
  return info;
}

/// Bytes that were sent until now; nothing where the kernel does not count.
std::optional<std::uint64_t> sent_on(int fd) {
  const std::optional<tcp_info> info = tcp_info_of(fd);
  int unacknowledged = 0;
  if (!info || info->tcpi_bytes_acked == 0 || ioctl(fd, SIOCOUTQ, &unacknowledged) != 0) {
    return std::nullopt;
  }
  return info->tcpi_bytes_acked + static_cast<std::uint64_t>(unacknowledged);
}

/// Bytes, the end of the connection, or an error.
bool has_input(int fd) {
  char byte = 0;
  const ssize_t got = recvfrom(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT, nullptr, nullptr);
  return got >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

/// At once: data that a peer's kernel holds back until then arrives before the next request is
/// written.
void acknowledge(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

MonoTime mono_now() {
  return SystemClock().now().mono;
}

int port_of(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
  }
  return ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
}

std::array<char, INET6_ADDRSTRLEN> ip_of(const sockaddr& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const void* ip = &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
  if (address.sa_family == AF_INET) ip = &reinterpret_cast<const sockaddr_in&>(address).sin_addr;
  inet_ntop(address.sa_family, ip, text.data(), text.size());
  return text;
}

}  // namespace

PeerKey peer_key(const sockaddr& address) {
  if (address.sa_family != AF_INET && address.sa_family != AF_INET6) return 0;
  const auto ip = ip_of(address);
  std::uint64_t hash = mixed(0, static_cast<std::uint64_t>(port_of(address)));
  for (const char* letter = ip.data(); *letter != '\0'; ++letter) {
    hash = mixed(hash, static_cast<unsigned char>(*letter));
  }
  return hash | 1U;
}

Connections::Connections(Reactor& reactor, OnReady on_ready)
    : reactor_(reactor), on_ready_(std::move(on_ready)) {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) != 0) {
    throw std::system_error(errno, std::generic_category(), "cannot create a pair of sockets");
  }
  dead_fd_ = ends[0];
  ::close(ends[1]);
}

Connections::~Connections() {
  for (const auto& [fd, connection] : connections_) {
    if (connection.watched != 0) reactor_.remove(fd);
  }
  ::close(dead_fd_);
}

void Connections::opened(int fd, std::chrono::milliseconds silence_max) {
  Connection& connection = connections_[fd] = {};
  connection.id = ++last_id_;
  limit_silence(fd, connection, silence_max);
  nameless_.push_back(fd);
}

/// Not for a Unix socket, which has no such option and no such peer.
void Connections::limit_silence(int fd, Connection& connection, std::chrono::milliseconds max) {
  if (std::exchange(connection.silence_max, max) == max) return;
  const auto max_ms = static_cast<unsigned>(max.count());
  setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &max_ms, sizeof max_ms);
}

int Connections::close(int fd) {
  if (const auto found = connections_.find(fd); found != connections_.end()) {
    watch(fd, found->second, 0);
    forget_name(fd, found->second.ends);
    connections_.erase(found);
  }
  return ::close(fd);
}

void Connections::forget_name(int fd, const std::string& ends) {
  if (ends.empty()) {
    std::erase(nameless_, fd);
    return;
  }
  const auto [first, last] = by_ends_.equal_range(ends);
  const auto found = std::find_if(first, last, [fd](const auto& it) { return it.second == fd; });
  if (found != last) by_ends_.erase(found);
}

/// Those that are not connected yet stay without a name.
void Connections::name_new_ones() {
  std::erase_if(nameless_, [this](int fd) {
    sockaddr_storage peer{};
    sockaddr_storage local{};
    socklen_t peer_bytes = sizeof peer;
    socklen_t local_bytes = sizeof local;
    auto* const peer_address = reinterpret_cast<sockaddr*>(&peer);
    auto* const local_address = reinterpret_cast<sockaddr*>(&local);
    if (getpeername(fd, peer_address, &peer_bytes) != 0) return false;
    if (getsockname(fd, local_address, &local_bytes) != 0) return false;
    Connection& connection = connections_[fd];
    connection.peer = peer_key(*peer_address);
    if (connection.peer == 0) {
      connection.ends = unix_ends;
    } else {
      connection.peer_port = port_of(*peer_address);
      connection.ends = ends_of(ip_of(*peer_address).data(), ip_of(*local_address).data(),
                                port_of(*local_address));
    }
    by_ends_.emplace(connection.ends, fd);
    return true;
  });
}

// Idle and busy -----------------------------------------------------------------------------------

void Connections::watch(int fd, Connection& connection, std::uint32_t events) {
  if (connection.watched == events) return;
  connection.watched = events;
  if (events == 0) {
    reactor_.remove(fd);
  } else {
    reactor_.set(fd, events, [this, fd](std::uint32_t ready) { heard(fd, ready); });
  }
}

bool Connections::use(int fd, std::uint32_t events) {
  const auto found = connections_.find(fd);
  if (found == connections_.end()) return false;
  if (found->second.state == State::idle) found->second.state = State::busy;
  found->second.is_stuck = false;
  watch(fd, found->second, events);
  return true;
}

bool Connections::rest(int fd, Use use) {
  const auto found = connections_.find(fd);
  if (found == connections_.end()) return false;
  Connection& connection = found->second;
  if (use != Use::unknown) connection.use = use;
  if (connection.state == State::fresh || connection.state == State::ended) {
    watch(fd, connection, 0);
    return true;
  }
  connection.state = State::idle;
  if (connection.is_left || is_in_doubt(connection)) {
    end(fd, connection);
  } else {
    if (connection.use == Use::http1) acknowledge(fd);
    watch(fd, connection, connection.use == Use::http1 ? EPOLLIN : EPOLLRDHUP);
  }
  return true;
}

void Connections::had_more(int fd) {
  const auto found = connections_.find(fd);
  if (found == connections_.end() || found->second.state == State::ended) return;
  if (++found->second.long_turns >= long_turns_max) end(fd, found->second);
}

void Connections::heard(int fd, std::uint32_t events) {
  const auto found = connections_.find(fd);
  if (found == connections_.end() || found->second.state != State::idle) {
    if (found != connections_.end() && std::exchange(found->second.is_stuck, false)) {
      watch(fd, found->second, found->second.watched | EPOLLOUT);
    }
    on_ready_(fd, events);
    if (events == EPOLLOUT) look_for_progress(fd);
    return;
  }
  const bool is_over = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
  if (is_over || (found->second.use == Use::http1 && has_input(fd))) end(fd, found->second);
}

void Connections::look_for_progress(int fd) {
  const auto found = connections_.find(fd);
  if (found == connections_.end() || found->second.state == State::idle) return;
  Connection& connection = found->second;
  if (++connection.writes % idle_writes_max != 0 || (connection.watched & EPOLLOUT) == 0) return;
  const std::optional<std::uint64_t> sent_bytes = sent_on(fd);
  if (!sent_bytes) return;
  if (*sent_bytes == std::exchange(connection.written_bytes, *sent_bytes)) {
    watch(fd, connection, EPOLLIN);
    connection.is_stuck = true;
  }
}

void Connections::end(int fd, Connection& connection) {
  watch(fd, connection, 0);
  connection.state = State::ended;
  if (dup3(dead_fd_, fd, O_CLOEXEC) < 0) shutdown(fd, SHUT_RDWR);
}

// Before a request, and after it ------------------------------------------------------------------

Connections::Look Connections::look(const Place& place) {
  if (!nameless_.empty()) name_new_ones();
  Look look;
  look.fd = find(place);
  if (look.fd < 0) {
    if (place.local_port <= 0) look.verdict = look_at_all_unix(place);
    look.is_kept = true;
    return look;
  }
  Connection& connection = connections_.at(look.fd);
  connection.long_turns = 0;
  look.peer = connection.peer;
  look.id = connection.id;
  look.is_kept = connection.state != State::fresh;
  look.verdict = look_at(look.fd, connection, place);
  const bool is_shared = connection.use == Use::http2;
  limit_silence(
      look.fd, connection,
      is_shared ? std::max(connection.silence_max, place.silence_max) : place.silence_max);
  if (!look.is_kept || connection.use == Use::http1) look.sent = sent_on(look.fd);
  look.at = mono_now();
  return look;
}

/// -1: one of those to Unix sockets; which one, libcurl does not say. The kernel gives one local
/// port to connections whose peers differ in their ports. libcurl 7.88 says the peer's port that it
/// has asked for, which a resolver may have changed. The socket of a connection that was ended is
/// closed, and a new one may have its ends.
int Connections::find(const Place& place) const {
  const auto opened = connections_.find(place.opened_fd);
  const bool is_new = opened != connections_.end() && opened->second.state == State::fresh;
  if (place.local_port <= 0) return is_new ? place.opened_fd : -1;
  const auto [first, last] =
      by_ends_.equal_range(ends_of(place.peer_ip, place.local_ip, place.local_port));
  const auto found = std::max_element(first, last, [&](const auto& one, const auto& other) {
    const auto rank = [&](int fd) {
      const Connection& connection = connections_.at(fd);
      return std::pair(connection.peer_port == place.peer_port, connection.state != State::ended);
    };
    return rank(one.second) < rank(other.second);
  });
  return found == last ? -1 : found->second;
}

Connections::Verdict Connections::look_at(int fd, Connection& connection, const Place& place) {
  if (connection.state == State::fresh) {
    connection.state = State::idle;
    connection.alive_at = mono_now();
    connection.tls = place.tls;
    return !place.may_speak_first && has_input(fd) ? Verdict::spoke_first : Verdict::quiet;
  }
  const bool is_over = connection.state == State::ended || connection.is_left;
  if (is_over || is_in_doubt(connection)) return Verdict::spoke;
  const bool is_http1 = connection.use == Use::http1 || !place.may_speak_first;
  if (!is_http1) return Verdict::quiet;
  if (!has_input(fd) && !have_unread_input(place.tls) && !have_unread_input(connection.tls)) {
    return Verdict::quiet;
  }
  end(fd, connection);
  return Verdict::spoke;
}

Connections::Verdict Connections::look_at_all_unix(const Place& place) {
  const ssl_st* const tls = place.tls.front();
  const bool is_http2 = tls != nullptr && has_agreed_on_http2(tls);
  Verdict verdict = !is_http2 && have_unread_input(place.tls) ? Verdict::spoke : Verdict::quiet;
  const auto [first, last] = by_ends_.equal_range(unix_ends);
  for (auto it = first; it != last; ++it) {
    Connection& connection = connections_.at(it->second);
    if (connection.state != State::idle || connection.use != Use::http1) continue;
    if (!has_input(it->second)) continue;
    end(it->second, connection);
    verdict = Verdict::spoke;
  }
  return verdict;
}

/// Null: it is closed, and another connection may have the number by now.
Connections::Connection* Connections::still_there(const Look& look) {
  const auto found = connections_.find(look.fd);
  return found == connections_.end() || found->second.id != look.id ? nullptr : &found->second;
}

void Connections::settled(const Look& look, Use use) {
  Connection* const connection = still_there(look);
  if (connection == nullptr || connection->state != State::idle) return;
  rest(look.fd, use);
  // Not in rest(): libcurl calls that also when it has freed them and not yet closed the socket.
  const bool is_idle = connection->state == State::idle && connection->use == Use::http1;
  if (is_idle && have_unread_input(connection->tls)) end(look.fd, *connection);
}

void Connections::leave(const Look& look) {
  if (Connection* const connection = still_there(look)) connection->is_left = true;
}

/// For a connection that was reset, the kernel forgets the data still in flight, and only the
/// length of the request shows whether there was any.
Connections::Received Connections::received(const Look& look, std::uint64_t request_bytes_min) {
  if (!look.sent) return Received::all;
  const Connection* const connection = still_there(look);
  if (connection == nullptr || connection->state == State::ended) return Received::cut;
  const std::optional<tcp_info> info = tcp_info_of(look.fd);
  if (!info) return Received::all;
  if (info->tcpi_bytes_acked <= *look.sent) return Received::nothing;
  if (info->tcpi_state == tcp_closed) {
    return info->tcpi_bytes_acked - *look.sent >= request_bytes_min ? Received::all : Received::cut;
  }
  return info->tcpi_unacked == 0 && info->tcpi_notsent_bytes == 0 ? Received::all : Received::some;
}

void Connections::answers(const Look& look) {
  if (Connection* const connection = still_there(look)) connection->alive_at = mono_now();
}

void Connections::doubt(const Look& look) {
  if (look.peer == 0) return;
  const MonoTime now = mono_now();
  for (auto& [fd, connection] : connections_) {
    const bool is_open = connection.state == State::idle || connection.state == State::busy;
    if (!is_open || connection.peer != look.peer) continue;
    if (connection.alive_at > look.at) continue;
    if (connection.state == State::idle) {
      end(fd, connection);
    } else {
      connection.doubted_at = now;
    }
  }
}

}  // namespace outrider::sidecar
