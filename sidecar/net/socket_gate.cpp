#include "sidecar/net/socket_gate.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <ctime>
#include <functional>
#include <mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sidecar/net/listening_sockets.hpp"
#include "sidecar/net/read_budget.hpp"

namespace outrider::sidecar {
namespace {

/// One in this many descriptors is not for clients.
constexpr int reserve_share = 4;
constexpr std::size_t any_size = SIZE_MAX;
/// How long an I/O thread rests that may read nothing, so that it does not spin.
constexpr Duration rest = std::chrono::milliseconds(1);

int close_now(int fd) {
  return static_cast<int>(syscall(SYS_close, fd));
}

/// The kernel holds something that was not read.
bool has_come(int fd) {
  int bytes = 0;
  return ioctl(fd, FIONREAD, &bytes) == 0 && bytes > 0;
}

int accept_now(int fd, sockaddr* address, socklen_t* bytes, int flags) {
  return static_cast<int>(syscall(SYS_accept4, fd, address, bytes, flags));
}

// Watched sockets ---------------------------------------------------------------------------------

struct Registry {
  std::mutex mutex;
  std::vector<std::pair<int, std::shared_ptr<Intake>>> listeners;
  std::unordered_set<int> connections;  ///< accepted there, or made by our threads
  std::shared_ptr<Intake> of_connects;  ///< of those that our threads make
  std::vector<int> kept;                ///< from children
  int spare_fd = open(
      "/dev/null",
      O_RDWR |
          O_CLOEXEC);  ///< given up for a moment, to accept and close when nothing else is left
};

std::atomic<int> reserved = 0;  ///< descriptors, besides the quarter
std::atomic<std::uint64_t> refused = 0;
std::atomic<std::uint64_t> open_now = 0;
std::atomic<std::uint64_t> stalled = 0;
std::atomic<std::uint64_t> left_early = 0;
std::atomic<std::uint64_t> made_cut_off = 0;
/// Connections that were ended because of their data, by ZmtpScanner::Fault.
std::array<std::atomic<std::uint64_t>, ZmtpScanner::faults> faults{};
std::atomic<const char*> other_type = "";
std::atomic<const char*> taken_types = "";

std::atomic<Registry*> existing = nullptr;

void register_fork_handlers();

/// Never destroyed: libzmq's threads may outlive main().
Registry& registry() {
  static Registry* const made = [] {
    auto* const fresh = new Registry;  // NOLINT(cppcoreguidelines-owning-memory)
    register_fork_handlers();
    existing.store(fresh);
    return fresh;
  }();
  return *made;
}

void forget(int closed_fd) {
  Registry* const all = existing.load();
  if (all == nullptr) return;
  const std::lock_guard guard(all->mutex);
  std::erase_if(all->listeners, [=](const auto& one) { return one.first == closed_fd; });
  std::erase(all->kept, closed_fd);
  all->connections.erase(closed_fd);
}

std::shared_ptr<Intake> find_intake(int listener_fd) {
  Registry* const all = existing.load();
  if (all == nullptr) return nullptr;
  const std::lock_guard guard(all->mutex);
  for (const auto& [fd, intake] : all->listeners) {
    if (fd == listener_fd) return intake;
  }
  return nullptr;
}

/// For connections that this thread makes, if it is one of libzmq's I/O threads and ours. A name
/// has 15 bytes.
std::shared_ptr<Intake> find_intake_of_connects() {
  Registry* const all = existing.load();
  if (all == nullptr) return nullptr;
  static const std::string ours = std::to_string(SocketGate::thread_name_prefix) + "/ZMQbg/IO/";
  std::array<char, 16> name{};
  if (pthread_getname_np(pthread_self(), name.data(), name.size()) != 0 ||
      !std::string_view(name.data()).starts_with(ours)) {
    return nullptr;
  }
  const std::lock_guard guard(all->mutex);
  return all->of_connects;
}

// A forked child ----------------------------------------------------------------------------------

/// The number stays in use, so that a later close in the child closes nothing else.
void give_up(int fd, int null_fd) {
  if (fd >= 0 && null_fd >= 0) dup3(null_fd, fd, O_CLOEXEC);
}

void lock_before_fork() {
  registry().mutex.lock();
}

void unlock_in_parent() {
  registry().mutex.unlock();
}

/// Connections too: while a child holds them, a client does not see that the sidecar has died.
void give_up_in_child() {
  Registry& all = registry();
  for (const auto& [listener, intake] : all.listeners) give_up(listener, all.spare_fd);
  for (const int fd : all.connections) give_up(fd, all.spare_fd);
  for (const int fd : all.kept) give_up(fd, all.spare_fd);
  all.listeners.clear();
  all.connections.clear();
  all.kept.clear();
  all.mutex.unlock();
}

void register_fork_handlers() {
  pthread_atfork(lock_before_fork, unlock_in_parent, give_up_in_child);
}

// Connections -------------------------------------------------------------------------------------

/// The bytes that one socket's connections have sent of incomplete messages.
struct Unfinished {
  std::uint64_t bytes = 0;
  std::vector<int> going_on;  ///< though there is much of it; in the order in which they were let
  MonoTime look_at{};         ///< for those that have stalled
  MonoTime let_at{};          ///< another one of them continues
};

struct Connection {
  ZmtpScanner scanner;
  std::shared_ptr<Intake> intake;
  Unfinished* unfinished;
  bool is_made;  ///< and not accepted
  bool is_cut = false;
  bool is_out_of_epoll = false;  ///< libzmq waits for nothing of it
  bool goes_on = false;
  std::uint64_t bytes_before = 0;
  MonoTime stalled_at{};  ///< unless it continues
};

/// The connections of an I/O thread of libzmq.
class Connections {
 public:
  ~Connections();

  void open(int fd, std::shared_ptr<Intake> intake, bool is_made) {
    forget(fd);
    Unfinished* const unfinished = &by_intake_[intake.get()];
    const ScanLimits limits = intake->limits();
    by_fd_.emplace(fd, Connection{ZmtpScanner(limits), std::move(intake), unfinished, is_made});
    open_now.fetch_add(1, std::memory_order_relaxed);
  }
  Connection* find(int fd) {
    const auto found = by_fd_.find(fd);
    return found == by_fd_.end() ? nullptr : &found->second;
  }
  void forget(int fd);
  std::size_t may_read(int fd, const Connection& connection);
  bool note(int fd, Connection& connection, const std::uint8_t* data, std::size_t size);
  void rest_a_moment();

 private:
  void lose_place(int fd, Connection& connection);
  void let_one_go_on(Unfinished& all, MonoTime now);
  void give_up_stalled(Unfinished& all, std::uint64_t enough_bytes, MonoTime now);
  void let_all_go_on(Unfinished& all);

  std::unordered_map<int, Connection> by_fd_;
  std::unordered_map<const Intake*, Unfinished> by_intake_;
  MonoTime rested_at_{};
};

/// A plain pointer, for recv() looks at it in every thread.
thread_local Connections* connections_here = nullptr;

Connections::~Connections() {
  connections_here = nullptr;
  open_now.fetch_sub(by_fd_.size(), std::memory_order_relaxed);
}

Connections& connections_of_this_thread() {
  thread_local const std::unique_ptr<Connections> owned = std::make_unique<Connections>();
  connections_here = owned.get();
  return *owned;  // NOLINT(clang-analyzer-cplusplus.NewDelete): it lives as long as the thread
}

void Connections::forget(int fd) {
  const auto found = by_fd_.find(fd);
  if (found == by_fd_.end()) return;
  Unfinished& all = *found->second.unfinished;
  all.bytes -= found->second.scanner.unfinished_bytes();
  lose_place(fd, found->second);
  by_fd_.erase(found);
  open_now.fetch_sub(1, std::memory_order_relaxed);
}

void Connections::lose_place(int fd, Connection& connection) {
  if (std::exchange(connection.goes_on, false)) std::erase(connection.unfinished->going_on, fd);
}

bool Connections::note(int fd, Connection& connection, const std::uint8_t* data, std::size_t size) {
  ZmtpScanner& scanner = connection.scanner;
  connection.unfinished->bytes -= scanner.unfinished_bytes();
  const bool was_ready = scanner.is_ready();
  const bool is_good = scanner.scan(data, size);
  connection.unfinished->bytes += scanner.unfinished_bytes();
  if (const std::uint64_t memory = scanner.take_ended_memory(); memory > 0) {
    lose_place(fd, connection);
    // libzmq gets nothing of bad data.
    if (is_good) connection.intake->add(memory);
  }
  if (is_good && !was_ready && scanner.is_ready()) connection.intake->begin_connection();
  return is_good;
}

/// Of all unfinished messages the largest, since its end frees the most.
void Connections::let_one_go_on(Unfinished& all, MonoTime now) {
  std::uint64_t most = 0;
  int largest = -1;
  for (const auto& [fd, connection] : by_fd_) {
    const std::uint64_t bytes = connection.scanner.unfinished_bytes();
    const bool can_go_on = connection.unfinished == &all && !connection.is_cut &&
                           !connection.goes_on && !connection.is_out_of_epoll;
    if (!can_go_on || bytes <= most) continue;
    most = bytes;
    largest = fd;
  }
  if (largest < 0) {
    all.let_at = now + 10 * rest;
    return;
  }
  Connection& connection = by_fd_.at(largest);
  connection.goes_on = true;
  connection.bytes_before = most;
  connection.stalled_at = now + Intake::stalled_max;
  all.going_on.push_back(largest);
}

/// All of them together, the largest first, until the limit is met.
void Connections::give_up_stalled(Unfinished& all, std::uint64_t enough_bytes, MonoTime now) {
  // One that libzmq does not read has not stalled: it waits for us.
  std::erase_if(all.going_on, [this](int fd) {
    Connection& connection = by_fd_.at(fd);
    connection.goes_on = !connection.is_out_of_epoll;
    return !connection.goes_on;
  });
  std::vector<std::pair<std::uint64_t, int>> stalled_fds;
  for (const int fd : all.going_on) {
    Connection& connection = by_fd_.at(fd);
    if (now < connection.stalled_at) continue;
    const std::uint64_t bytes = connection.scanner.unfinished_bytes();
    const std::uint64_t before = std::exchange(connection.bytes_before, bytes);
    connection.stalled_at = now + Intake::stalled_max;
    if (bytes < before + Intake::progress_bytes_min) stalled_fds.emplace_back(bytes, fd);
  }
  std::ranges::sort(stalled_fds, std::greater<>());
  std::uint64_t left = all.bytes;
  for (const auto& [bytes, fd] : stalled_fds) {
    if (left <= enough_bytes) break;
    left -= bytes;
    stalled.fetch_add(1, std::memory_order_relaxed);
    by_fd_.at(fd).is_cut = true;
    shutdown(fd, SHUT_RDWR);
  }
}

void Connections::let_all_go_on(Unfinished& all) {
  for (const int fd : all.going_on) by_fd_.at(fd).goes_on = false;
  all.going_on.clear();
}

/// How many bytes.
std::size_t Connections::may_read(int fd, const Connection& connection) {
  if (connection.is_cut) return any_size;
  const std::uint64_t own = connection.scanner.unfinished_bytes();
  const std::uint64_t room = connection.intake->room_bytes();
  Unfinished& all = *connection.unfinished;
  const bool is_much = all.bytes >= room / 2;
  if (is_much) {
    const MonoTime now = std::chrono::steady_clock::now();
    if (now >= all.look_at) {
      all.look_at = now + 10 * rest;
      give_up_stalled(all, room / 4, now);
    }
    const bool is_last_done = all.going_on.empty() || !has_come(all.going_on.back());
    if (is_last_done && now >= all.let_at) let_one_go_on(all, now);
  } else if (!all.going_on.empty()) {
    let_all_go_on(all);
  }
  if (own > 0) {
    const bool goes_on = !is_much || (connection.goes_on &&
                                      (all.bytes < room / 4 * 3 || fd == all.going_on.front()));
    if (!goes_on) return 0;
    return connection.intake->has_room(1) ? any_size : connection.scanner.bytes_to_go();
  }
  // A new client says who it is in any case; otherwise it would be cut off for saying nothing.
  const std::uint64_t share = connection.scanner.is_ready() ? 1 : 2;
  return all.bytes < share * room && connection.intake->has_room(share) ? any_size : 0;
}

void Connections::rest_a_moment() {
  const MonoTime now = std::chrono::steady_clock::now();
  if (now - rested_at_ < rest) return;
  const timespec pause{0, std::chrono::nanoseconds(rest).count()};
  nanosleep(&pause, nullptr);
  rested_at_ = now + rest;
}

// Accepting ---------------------------------------------------------------------------------------

/// No descriptor is left, not even for deliveries: still takes the connection out of the queue,
/// because it would make libzmq's thread spin, or end the process. False: even that fails, because
/// the limit is lower than the number that was open before.
bool refuse_with_spare(int listener_fd) {
  Registry& all = registry();
  const std::lock_guard guard(all.mutex);
  if (all.spare_fd >= 0) close_now(all.spare_fd);
  const int fd = accept_now(listener_fd, nullptr, nullptr, SOCK_CLOEXEC);
  const bool is_stuck = fd < 0 && (errno == EMFILE || errno == ENFILE);
  if (fd >= 0) close_now(fd);
  all.spare_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
  return !is_stuck;
}

/// It belongs to this thread.
void open_connection(int fd, std::shared_ptr<Intake> intake, bool is_made) {
  Registry& all = registry();
  {
    const std::lock_guard guard(all.mutex);
    all.connections.insert(fd);
  }
  connections_of_this_thread().open(fd, std::move(intake), is_made);
}

int accept_watched(int listener_fd, sockaddr* address, socklen_t* bytes, int flags,
                   std::shared_ptr<Intake> intake) {
  // A connection that stays in the queue counts once.
  thread_local bool was_stuck = false;
  const int fd = accept_now(listener_fd, address, bytes, flags);
  if (fd < 0 && errno != EMFILE && errno != ENFILE) return -1;
  // Linux gives the lowest number that is free: if it is high, few are left below the limit.
  if (fd >= 0 && fd < SocketGate::descriptors_for_clients_max()) {
    open_connection(fd, std::move(intake), /*is_made=*/false);
    was_stuck = false;
    return fd;
  }
  bool is_stuck = false;
  if (fd >= 0) {
    close_now(fd);
  } else {
    is_stuck = !refuse_with_spare(listener_fd);
  }
  if (is_stuck) connections_of_this_thread().rest_a_moment();
  if (!std::exchange(was_stuck, is_stuck)) refused.fetch_add(1, std::memory_order_relaxed);
  errno = ECONNABORTED;
  return -1;
}

/// To be called after a recv() that gave nothing.
void note_end(const Connection& connection, ssize_t got) {
  const bool is_end = got == 0 || errno == ECONNRESET;
  if (!is_end || connection.is_cut || connection.is_made) return;
  if (!connection.scanner.is_in_handshake()) return;
  // The peers of a fan-out send no events, so none of theirs can be lost.
  const ScanLimits& limits = connection.intake->limits();
  if (limits.message_parts_max == 0 || limits.subscriptions_max > 0) return;
  left_early.fetch_add(1, std::memory_order_relaxed);
}

void count_fault(const Connection& connection) {
  if (connection.is_made) {
    made_cut_off.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  const ZmtpScanner::Fault fault = connection.scanner.fault();
  if (fault == ZmtpScanner::Fault::other_socket) {
    other_type.store(connection.scanner.other_type(), std::memory_order_relaxed);
    taken_types.store(connection.intake->limits().peer_types, std::memory_order_relaxed);
  }
  faults[static_cast<std::size_t>(fault)].fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

// SocketGate --------------------------------------------------------------------------------------

void SocketGate::watch(int listener_fd, std::shared_ptr<Intake> intake) {
  Registry& all = registry();
  const std::lock_guard guard(all.mutex);
  all.listeners.emplace_back(listener_fd, std::move(intake));
}

void SocketGate::watch_endpoint(std::string_view endpoint, const std::shared_ptr<Intake>& intake) {
  if (!endpoint.starts_with("tcp://")) return;
  for (const int fd : listening_sockets(endpoint)) watch(fd, intake);
}

void SocketGate::watch_connects(std::shared_ptr<Intake> intake) {
  Registry& all = registry();
  const std::lock_guard guard(all.mutex);
  all.of_connects = std::move(intake);
}

void SocketGate::keep_from_children(int fd) {
  Registry& all = registry();
  const std::lock_guard guard(all.mutex);
  all.kept.push_back(fd);
}

SocketGate::Counts SocketGate::counts() {
  using Fault = ZmtpScanner::Fault;
  const auto value = [](const auto& it) { return it.load(std::memory_order_relaxed); };
  const auto ended_for = [&](Fault fault) {
    return value(faults[static_cast<std::size_t>(fault)]);
  };
  Counts counts{.open = value(open_now),
                .refused = value(refused),
                .oversubscribed = ended_for(Fault::oversubscribed),
                .stalled = value(stalled),
                .left = value(left_early),
                .made_cut_off = value(made_cut_off),
                .http = ended_for(Fault::http),
                .tls = ended_for(Fault::tls),
                .not_zeromq = ended_for(Fault::not_zeromq),
                .other_socket = ended_for(Fault::other_socket),
                .beyond_limits = ended_for(Fault::beyond_limits),
                .other_type = value(other_type),
                .taken_types = value(taken_types)};
  counts.cut_off =
      counts.http + counts.tls + counts.not_zeromq + counts.other_socket + counts.beyond_limits;
  return counts;
}

int SocketGate::descriptors_max() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return INT_MAX;
  return static_cast<int>(std::min<rlim_t>(limit.rlim_cur, INT_MAX));
}

void SocketGate::reserve(int descriptors) {
  reserved.fetch_add(descriptors, std::memory_order_relaxed);
}

int SocketGate::descriptors_for_clients_max() {
  const int open_max = descriptors_max();
  return open_max - open_max / reserve_share - reserved.load(std::memory_order_relaxed);
}

}  // namespace outrider::sidecar

// The calls, for the whole program ----------------------------------------------------------------

namespace gate = outrider::sidecar;

extern "C" {

[[gnu::visibility("default"), gnu::used]] int accept4(int fd, sockaddr* address, socklen_t* bytes,
                                                      int flags) {
  std::shared_ptr<gate::Intake> intake = gate::find_intake(fd);
  if (intake) return gate::accept_watched(fd, address, bytes, flags, std::move(intake));
  const int accepted = gate::accept_now(fd, address, bytes, flags);
  if (gate::connections_here != nullptr) gate::connections_here->forget(accepted);
  return accepted;
}

[[gnu::visibility("default"), gnu::used]] int connect(int fd, const sockaddr* address,
                                                      socklen_t bytes) {
  if (std::shared_ptr<gate::Intake> intake = gate::find_intake_of_connects()) {
    gate::open_connection(fd, std::move(intake), /*is_made=*/true);
  } else if (gate::connections_here != nullptr) {
    gate::connections_here->forget(fd);
  }
  return static_cast<int>(syscall(SYS_connect, fd, address, bytes));
}

[[gnu::visibility("default"), gnu::used]] ssize_t recv(int fd, void* data, size_t size, int flags) {
  gate::Connections* const connections = gate::connections_here;
  gate::Connection* const connection = connections == nullptr ? nullptr : connections->find(fd);
  if (connection == nullptr) return gate::ReadBudget::recv(fd, data, size, flags);
  size = std::min(size, connections->may_read(fd, *connection));
  if (size == 0) {
    connections->rest_a_moment();
    errno = EAGAIN;
    return -1;
  }
  const ssize_t got =
      connection->is_cut ? 0 : syscall(SYS_recvfrom, fd, data, size, flags, nullptr, nullptr);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return got;
  if (got > 0) {
    if (connections->note(fd, *connection, static_cast<const std::uint8_t*>(data), got)) return got;
    gate::count_fault(*connection);
  } else {
    gate::note_end(*connection, got);
  }
  connection->is_cut = true;
  if (!connection->scanner.is_ready() || connection->intake->end_connection()) return 0;
  connections->rest_a_moment();
  errno = EAGAIN;
  return -1;
}

[[gnu::visibility("default"), gnu::used]] int epoll_ctl(int epoll, int operation, int fd,
                                                        epoll_event* event) noexcept {
  gate::Connections* const connections = gate::connections_here;
  gate::Connection* const connection = connections == nullptr ? nullptr : connections->find(fd);
  if (connection != nullptr) {
    // A descriptor without events still tells of the end of its peer.
    const bool was_out = std::exchange(connection->is_out_of_epoll,
                                       operation == EPOLL_CTL_MOD && event->events == 0);
    if (was_out && (connection->is_out_of_epoll || operation == EPOLL_CTL_DEL)) return 0;
    if (connection->is_out_of_epoll) operation = EPOLL_CTL_DEL;
    if (was_out) operation = EPOLL_CTL_ADD;
  }
  return static_cast<int>(syscall(SYS_epoll_ctl, epoll, operation, fd, event));
}

[[gnu::visibility("default"), gnu::used]] int epoll_wait(int epoll, epoll_event* events, int max,
                                                         int timeout_ms) {
  const auto count =
      static_cast<int>(syscall(SYS_epoll_pwait, epoll, events, max, timeout_ms, nullptr, 0));
  if (gate::connections_here == nullptr) return count;
  // libzmq would read twice, and take a read after a full queue for an error.
  for (int i = 0; i < count; ++i) {
    if ((events[i].events & EPOLLIN) != 0) events[i].events &= ~(EPOLLHUP | EPOLLERR);
  }
  return count;
}

[[gnu::visibility("default"), gnu::used]] int close(int fd) {
  if (gate::connections_here != nullptr) gate::connections_here->forget(fd);
  gate::forget(fd);
  return gate::close_now(fd);
}

}  // extern "C"
