// SocketGate: how many connections, and how much memory, libzmq may take for the world.
//
// libzmq 4.3.4 accepts connections until no descriptor is left, and then ends the process (on ipc);
// its high-water mark counts messages, and neither their bytes nor their parts. It has no option
// for either. So the gate stands between libzmq and the kernel: it defines accept4(), recv(),
// epoll_ctl(), epoll_wait() and close(), which the dynamic linker then gives to every library of
// the program. They are the plain system calls, but for listening sockets that are watched here and
// for connections accepted there:
//
//   - A connection that would leave fewer than a quarter of the process's descriptors is closed at
//     once. That quarter belongs to deliveries, spool and log.
//   - Whatever breaks ScanLimits, or is not ZeroMQ, ends its connection, and libzmq gets nothing of
//     what was read with it.
//   - While messages that wait hold more than Intake::room_bytes(), nothing new is read: clients
//     wait in the kernel.
//   - Messages that have not come whole have the same room once more, each socket its own. From a
//     half of it on, of those only some go on, the largest first, and one more whenever the kernel
//     holds nothing more of the last; the others wait. Those that stall meanwhile are cut off
//     together, until a quarter is left, for their end may never come. New messages begin until all
//     of the room is used, so that small ones come through.
//   - A peer that has sent and gone is read to its end. libzmq drops what the kernel holds of it if
//     it hears of the end while the socket's high-water mark keeps it from reading; so it does not
//     hear of it until it reads again.
//   - A forked child gives up its copies of all these sockets, and of what else is registered; no
//     other socket of an embedding host.
//
// Used by EndpointGuard and Disk (descriptors that a child gives up), ZmqListener and ZmqTransport.
// Thread: watch and Intake are safe from any thread; connections belong to the I/O thread
// that accepted them, so that nothing is locked when bytes are read. A ZeroMQ context must have one
// I/O thread, which is libzmq's default. Where this library is part of a shared object, the
// program's own functions of these names win, and the gate is open.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>

#include "sidecar/base/clock.hpp"
#include "sidecar/base/zmtp_scanner.hpp"

namespace outrider::sidecar {

/// What one socket has taken in. Shared with the connections of its listeners.
class Intake {
 public:
  static constexpr std::uint64_t room_bytes_min = 64ULL << 20U;
  /// An unfinished message that may go on has stalled if less than `progress_bytes_min` came in
  /// this time.
  static constexpr Duration stalled_max = std::chrono::seconds(1);
  static constexpr std::uint64_t progress_bytes_min = 1U << 20U;
  static constexpr Duration settle_period = std::chrono::milliseconds(100);

  explicit Intake(ScanLimits limits, bool is_bounded) : limits_(limits), is_bounded_(is_bounded) {}

  const ScanLimits& limits() const { return limits_; }
  /// For what waits, and once more for what has not come whole: over all clients together.
  std::uint64_t room_bytes() const {
    return std::max(room_bytes_min, 2 * limits_.message_bytes_max);
  }

  /// The owner has received a part of so many bytes. (What came over inproc was never counted.)
  void take(std::uint64_t part_bytes);
  /// The owner has found its socket empty: what had come when it found that before, and is still
  /// counted, was dropped by libzmq together with its peer. To be called while anything waiting()
  /// is counted; does its work once a settle_period, by which the I/O thread has passed on what it
  /// has read.
  void settle();
  void settle_at(MonoTime now);

  /// `share`: of how many times the room.
  bool has_room(std::uint64_t share) const {
    return !is_bounded_ || waiting() < share * room_bytes();
  }
  std::uint64_t waiting() const;
  void add(std::uint64_t memory) { arrived_.fetch_add(memory, std::memory_order_relaxed); }

 private:
  ScanLimits limits_;
  bool is_bounded_;  ///< its owner calls take()
  std::atomic<std::uint64_t> arrived_ = 0;
  std::atomic<std::uint64_t> taken_ = 0;
  std::uint64_t arrived_before_ = 0;
  MonoTime settled_at_{};
};

class SocketGate {
 public:
  struct Counts {
    std::uint64_t open = 0;            ///< connections, just now
    std::uint64_t refused = 0;         ///< connections, for want of descriptors
    std::uint64_t cut_off = 0;         ///< connections, for what they sent
    std::uint64_t oversubscribed = 0;  ///< connections, for too many or too long subscriptions
    std::uint64_t stalled = 0;         ///< connections that held memory and sent no more
    std::uint64_t left = 0;            ///< connections that their peers ended in the handshake
    // Of those that were cut off, as in ZmtpScanner::Fault.
    std::uint64_t http = 0;
    std::uint64_t tls = 0;
    std::uint64_t not_zeromq = 0;
    std::uint64_t other_socket = 0;
    std::uint64_t beyond_limits = 0;
    const char* other_type = "";   ///< of the last other_socket
    const char* taken_types = "";  ///< where it connected, as in ScanLimits::peer_types
  };

  /// From now on, until this listening socket is closed.
  static void watch(int listener_fd, std::shared_ptr<Intake> intake);
  /// The same for the listening socket that libzmq has made for `tcp://address:port`.
  static void watch_endpoint(std::string_view endpoint, const std::shared_ptr<Intake>& intake);

  /// A forked child gives up its copy of this descriptor, with which a lock would outlive us; until
  /// it is closed.
  static void keep_from_children(int fd);

  /// Since the process began.
  static Counts counts();
  /// The process's limit now; INT_MAX: none.
  static int descriptors_max();
  /// Connections get descriptors below this number.
  static int descriptors_for_clients_max();
};

}  // namespace outrider::sidecar
