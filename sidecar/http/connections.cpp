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

/// All connections to Unix sockets have one key; no other has it.
constexpr std::uint64_t unix_key = 1;

std::uint64_t key_of(std::string_view peer_ip, int local_port) {
  std::uint64_t hash = mixed(0, static_cast<std::uint64_t>(local_port));
  for (const char letter : peer_ip) hash = mixed(hash, static_cast<unsigned char>(letter));
  return hash | 2U;
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

/// At once: what a peer's kernel holds back until then comes before the next request is written.
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
  return key_of(ip_of(address).data(), port_of(address));
}

Connections::Connections(Reactor& reactor, OnReady on_ready)
    : reactor_(reactor), on_ready_(std::move(on_ready)) {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) != 0) {
    throw std::system_error(errno, std::generic_category(), "cannot make a pair of sockets");
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

void Connections::opened(int fd) {
  connections_[fd] = {};
  nameless_.push_back(fd);
}

int Connections::close(int fd) {
  if (const auto found = connections_.find(fd); found != connections_.end()) {
    watch(fd, found->second, 0);
    forget_key(fd, found->second.key);
    connections_.erase(found);
  }
  return ::close(fd);
}

void Connections::forget_key(int fd, std::uint64_t key) {
  if (key == 0) {
    std::erase(nameless_, fd);
    return;
  }
  const auto [first, last] = by_key_.equal_range(key);
  const auto found = std::find_if(first, last, [fd](const auto& it) { return it.second == fd; });
  if (found != last) by_key_.erase(found);
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
    connection.key = connection.peer == 0
                         ? unix_key
                         : key_of(ip_of(*peer_address).data(), port_of(*local_address));
    by_key_.emplace(connection.key, fd);
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
    if (place.local_port <= 0) look.verdict = look_at_all_unix();
    look.is_kept = true;
    return look;
  }
  Connection& connection = connections_.at(look.fd);
  connection.long_turns = 0;
  look.peer = connection.peer;
  look.key = connection.key;
  look.is_kept = connection.state != State::fresh;
  look.verdict = look_at(look.fd, connection, place);
  if (!look.is_kept || connection.use == Use::http1) look.sent = sent_on(look.fd);
  look.at = mono_now();
  return look;
}

/// -1: one of those to Unix sockets; which one, libcurl does not say.
int Connections::find(const Place& place) const {
  const auto opened = connections_.find(place.opened_fd);
  const bool is_new = opened != connections_.end() && opened->second.state == State::fresh;
  if (place.local_port <= 0) return is_new ? place.opened_fd : -1;
  const auto found = by_key_.find(key_of(place.peer_ip, place.local_port));
  return found == by_key_.end() ? -1 : found->second;
}

Connections::Verdict Connections::look_at(int fd, Connection& connection, const Place& place) {
  if (connection.state == State::fresh) {
    connection.state = State::idle;
    connection.alive_at = mono_now();
    return !place.may_speak_first && has_input(fd) ? Verdict::spoke_first : Verdict::quiet;
  }
  const bool is_over = connection.state == State::ended || connection.is_left;
  if (is_over || is_in_doubt(connection)) return Verdict::spoke;
  const bool is_http1 = connection.use == Use::http1 || !place.may_speak_first;
  if (!is_http1 || !has_input(fd)) return Verdict::quiet;
  end(fd, connection);
  return Verdict::spoke;
}

Connections::Verdict Connections::look_at_all_unix() {
  Verdict verdict = Verdict::quiet;
  const auto [first, last] = by_key_.equal_range(unix_key);
  for (auto it = first; it != last; ++it) {
    Connection& connection = connections_.at(it->second);
    if (connection.state != State::idle || connection.use != Use::http1) continue;
    if (!has_input(it->second)) continue;
    end(it->second, connection);
    verdict = Verdict::spoke;
  }
  return verdict;
}

void Connections::settled(const Look& look, Use use) {
  const auto found = connections_.find(look.fd);
  // Another connection may have the number by now.
  if (found == connections_.end() || found->second.key != look.key) return;
  if (found->second.state == State::idle) rest(look.fd, use);
}

void Connections::leave(const Look& look) {
  const auto found = connections_.find(look.fd);
  if (found == connections_.end() || found->second.key != look.key) return;
  found->second.is_left = true;
}

/// The kernel forgets with a connection that was reset what is still on its way, and then only the
/// length of the request says whether that was anything.
Connections::Received Connections::received(const Look& look,
                                            std::uint64_t request_bytes_min) const {
  if (!look.sent) return Received::all;
  const auto found = connections_.find(look.fd);
  if (found == connections_.end() || found->second.key != look.key) return Received::cut;
  if (found->second.state == State::ended) return Received::cut;
  const std::optional<tcp_info> info = tcp_info_of(look.fd);
  if (!info) return Received::all;
  if (info->tcpi_bytes_acked <= *look.sent) return Received::nothing;
  if (info->tcpi_state == tcp_closed) {
    return info->tcpi_bytes_acked - *look.sent >= request_bytes_min ? Received::all : Received::cut;
  }
  return info->tcpi_unacked == 0 && info->tcpi_notsent_bytes == 0 ? Received::all : Received::some;
}

void Connections::answers(const Look& look) {
  const auto found = connections_.find(look.fd);
  if (found == connections_.end() || found->second.key != look.key) return;
  found->second.alive_at = mono_now();
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
