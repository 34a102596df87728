#include "support/fault_receiver.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <system_error>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "support/fault_connection.hpp"

namespace outrider::test {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t listener_number = ~0ULL;
constexpr std::uint64_t wake_number = ~0ULL - 1;
constexpr int backlog = 1024;

int check(int result, const char* what) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), what);
  return result;
}

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return address;
}

int bound_socket(int port) {
  const int fd = check(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const sockaddr_in address = loopback(port);
  check(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), "bind");
  return fd;
}

int unix_socket(const std::string& path) {
  const int fd = check(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  unlink(path.c_str());
  check(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), "bind");
  return fd;
}

int port_of(int fd) {
  sockaddr_in address{};
  socklen_t bytes = sizeof address;
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &bytes);
  return ntohs(address.sin_port);
}

}  // namespace

FaultReceiver::FaultReceiver(Options options)
    : unix_path_(options.unix_path),
      capacity_(options.capacity),
      latency_(options.latency),
      keeps_arrivals_(options.keeps_arrivals),
      receive_buffer_bytes_(options.receive_buffer_bytes),
      holds_small_writes_(options.holds_small_writes) {
  std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without MSG_NOSIGNAL
  if (options.tls) tls_ = make_tls_context(*options.tls);
  if (unix_path_.empty()) {
    reservation_ = bound_socket(options.port);
    port_ = port_of(reservation_);
  }
  epoll_ = check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
  wake_ = check(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd");
  epoll_event event{.events = EPOLLIN, .data = {.u64 = wake_number}};
  epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event);
  open_listener();
  thread_ = std::thread([this] { run(); });
}

FaultReceiver::~FaultReceiver() {
  {
    const std::lock_guard lock(mutex_);
    is_stopped_ = true;
  }
  wake();
  thread_.join();
  close_listener();
  for (const int fd : {reservation_, wake_, epoll_}) close(fd);
}

std::string FaultReceiver::url(const std::string& host) const {
  if (!unix_path_.empty()) return "http://unix:" + unix_path_ + ":/events";
  const std::lock_guard lock(mutex_);
  return (tls_ ? "https://" : "http://") + host + ":" + std::to_string(port_) + "/events";
}

// Commands ----------------------------------------------------------------------------------------

Script FaultReceiver::Plan::next() {
  if (first.empty()) return then;
  Script script = std::move(first.front());
  first.pop_front();
  return script;
}

void FaultReceiver::script_requests(std::vector<Script> first, Script then) {
  const std::lock_guard lock(mutex_);
  requests_ = {{first.begin(), first.end()}, std::move(then)};
}

void FaultReceiver::script_connections(std::vector<Script> first, Script then) {
  const std::lock_guard lock(mutex_);
  connections_plan_ = {{first.begin(), first.end()}, std::move(then)};
}

void FaultReceiver::open_listener() {
  listener_ = unix_path_.empty() ? bound_socket(port_) : unix_socket(unix_path_);
  if (receive_buffer_bytes_ > 0) {
    setsockopt(listener_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes_,
               sizeof receive_buffer_bytes_);
  }
  check(::listen(listener_, backlog), "listen");
  epoll_event event{.events = EPOLLIN, .data = {.u64 = listener_number}};
  epoll_ctl(epoll_, EPOLL_CTL_ADD, listener_, &event);
}

void FaultReceiver::close_listener() {
  if (listener_ >= 0) close(listener_);
  for (const int fd : backlog_fillers_) close(fd);
  backlog_fillers_.clear();
  listener_ = -1;
}

void FaultReceiver::listen() {
  const std::lock_guard lock(mutex_);
  close_listener();
  open_listener();
}

void FaultReceiver::refuse() {
  end_connections();
  const std::lock_guard lock(mutex_);
  close_listener();
}

void FaultReceiver::ignore() {
  end_connections();
  const std::lock_guard lock(mutex_);
  close_listener();
  listener_ = bound_socket(port_);
  check(::listen(listener_, 0), "listen");
  const sockaddr_in address = loopback(port_);
  for (int i = 0; i < 4; ++i) {
    const int fd = check(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
    connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    backlog_fillers_.push_back(fd);
  }
}

void FaultReceiver::end_connections() {
  const std::lock_guard lock(mutex_);
  for (auto& [number, connection] : connections_) end(*connection, Fate::cut);
  connections_.clear();
}

void FaultReceiver::use_tls(const TlsOptions& options) {
  TlsContext context = make_tls_context(options);
  const std::lock_guard lock(mutex_);
  tls_ = std::move(context);
}

void FaultReceiver::set_capacity(std::size_t capacity) {
  {
    const std::lock_guard lock(mutex_);
    capacity_ = capacity;
    give_places();
  }
  wake();
}

void FaultReceiver::set_latency(std::chrono::milliseconds latency) {
  const std::lock_guard lock(mutex_);
  latency_ = latency;
}

std::vector<Arrival> FaultReceiver::arrivals() const {
  const std::lock_guard lock(mutex_);
  std::vector<Arrival> copies;
  for (const auto& arrival : arrivals_) copies.push_back(*arrival);
  return copies;
}

FaultReceiver::Counts FaultReceiver::counts() const {
  const std::lock_guard lock(mutex_);
  Counts counts = counts_;
  counts.waiting = waiting_.size();
  return counts;
}

// The loop ----------------------------------------------------------------------------------------

void FaultReceiver::wake() const {
  eventfd_write(wake_, 1);
}

void FaultReceiver::run() {
  std::array<epoll_event, 256> events{};
  std::unique_lock lock(mutex_);
  while (!is_stopped_) {
    timespec timeout{};
    if (!timers_.empty()) {
      const auto left = std::max(timers_.begin()->first - Clock::now(), Clock::duration::zero());
      timeout.tv_sec = left / std::chrono::seconds(1);
      timeout.tv_nsec = (left % std::chrono::seconds(1)).count();
    }
    const bool has_timer = !timers_.empty();
    lock.unlock();
    const int ready = epoll_pwait2(epoll_, events.data(), static_cast<int>(events.size()),
                                   has_timer ? &timeout : nullptr, nullptr);
    lock.lock();
    for (int i = 0; i < ready; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      on_ready(event.data.u64, event.events);
    }
    run_timers();
  }
  for (auto& [number, connection] : connections_) end(*connection, Fate::cut);
  connections_.clear();
}

void FaultReceiver::run_timers() {
  const TimePoint now = Clock::now();
  while (!timers_.empty() && timers_.begin()->first <= now) {
    const Timer timer = timers_.begin()->second;
    timers_.erase(timers_.begin());
    if (timer.ends_work) {
      --counts_.in_service;
      give_places();
    }
    const auto found = connections_.find(timer.connection);
    if (found == connections_.end()) continue;
    found->second->pause = Connection::Pause::over;
    advance(*found->second);
  }
}

void FaultReceiver::on_ready(std::uint64_t number, std::uint32_t events) {
  if (number == listener_number) return accept_all();
  if (number == wake_number) {
    eventfd_t ignored = 0;
    eventfd_read(wake_, &ignored);
    return;
  }
  const auto found = connections_.find(number);
  if (found == connections_.end()) return;
  Connection& connection = *found->second;
  if ((events & EPOLLIN) != 0 && !read_input(connection)) {
    end(connection, Fate::abandoned);
    connections_.erase(found);
  } else if ((events & (EPOLLERR | EPOLLHUP)) != 0) {
    end(connection, Fate::abandoned);
    connections_.erase(found);
  } else {
    advance(connection);
  }
}

void FaultReceiver::accept_all() {
  for (;;) {
    sockaddr_in peer{};
    socklen_t bytes = sizeof peer;
    const int fd = accept4(listener_, reinterpret_cast<sockaddr*>(&peer), &bytes,
                           SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    const int at_once = holds_small_writes_ ? 0 : 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof at_once);
    ++counts_.connections;
    auto made = std::make_unique<Connection>(++connections_made_, fd);
    Connection& connection = *made;
    connection.peer_port = ntohs(peer.sin_port);
    connection.script = connections_plan_.next();
    epoll_event event{.events = 0, .data = {.u64 = connection.number}};
    epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
    connections_.emplace(connection.number, std::move(made));
    advance(connection);
  }
}

/// False if the connection is over. A script that asks for some bytes leaves the others, however
/// fast they come; and the first ones choose the script.
bool FaultReceiver::read_input(Connection& connection) {
  std::size_t bytes_max = input_bytes_max;
  if (connection.is_served && !connection.arrival) bytes_max = 1;
  if (connection.at < connection.script.size()) {
    const Step& step = connection.script[connection.at];
    if (step.kind == Step::Kind::read_bytes) bytes_max = step.bytes;
  }
  SocketStream::Result result = SocketStream::Result::done;
  while (result == SocketStream::Result::done && connection.in.size() < bytes_max) {
    result = connection.stream.read(connection.in);
  }
  return result == SocketStream::Result::again ||
         (result == SocketStream::Result::done && connection.in.size() < input_bytes_max);
}

/// Below TLS only what the script asks for is read.
void FaultReceiver::watch(Connection& connection) {
  const bool wants_input =
      connection.is_served || (connection.at < connection.script.size() &&
                               connection.script[connection.at].kind == Step::Kind::read_bytes);
  const std::uint32_t events =
      (wants_input ? EPOLLIN : 0U) | (connection.is_blocked ? EPOLLOUT : 0U);
  if (connection.watched == events) return;
  connection.watched = events;
  epoll_event event{.events = events, .data = {.u64 = connection.number}};
  epoll_ctl(epoll_, EPOLL_CTL_MOD, connection.stream.fd(), &event);
}

}  // namespace outrider::test
