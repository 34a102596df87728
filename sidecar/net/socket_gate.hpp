// SocketGate: bounds the connections and the memory that libzmq uses for clients and peers.
//
// libzmq 4.3.4 accepts connections until no descriptor is left, and then ends the process (on ipc);
// its high-water mark counts messages, and neither their bytes nor their parts. It has no option
// for either. A PUB socket processes subscriptions on its owner's thread, and does not return while
// more arrive. So the gate is a layer between libzmq and the kernel: it defines accept4(),
// connect(), recv(), epoll_ctl(), epoll_wait() and close(), which the dynamic linker then gives to
// every library of the program. They are the plain system calls, except for watched listening
// sockets, for connections accepted on them, and for those that our I/O threads make:
//
//   - A connection that would leave fewer than a quarter of the process's descriptors is closed at
//     once. That quarter belongs to deliveries, spool and log. Descriptors that reserve() was asked
//     for are added to it.
//   - A peer that breaks ScanLimits, or does not speak ZeroMQ, is disconnected, and libzmq gets
//     nothing of that read.
//   - While waiting messages exceed the room of the Intake, no new message is read: clients wait in
//     the kernel. A message that has begun is read to its end and not a byte further.
//   - Incomplete messages have the same room again, each socket its own. Once half of it is used,
//     only some of them continue, the largest first, and another one whenever the kernel holds no
//     more of the last; the others wait. Those that stall meanwhile are cut off together, until a
//     quarter of the room is in use, because their end may never arrive. New messages may begin
//     until all of the room is used, so that small ones get through.
//   - The data of a peer that has sent and disconnected is read to its end. libzmq drops the
//     remaining data in the kernel if it learns of the disconnect while the socket's high-water
//     mark keeps it from reading; so the gate delays the news until it reads again.
//   - A forked child gives up its copies of all these sockets and of other registered descriptors,
//     but of no other socket of an embedding host.
//
// Used by AdminServer (its reserve), ZmqSocket and ZmqTransport (watched sockets), ZmqContext (the
// names of threads), EndpointGuard and Disk (descriptors that a child gives up), CurlMulti (the
// limit) and GateLog.
// Thread: watch and Intake are safe from any thread; connections belong to the I/O thread that
// accepted or made them, so that nothing is locked when bytes are read. A context must have one I/O
// thread, which is libzmq's default. If this library is part of a shared object, the program's own
// functions of these names win, and the gate has no effect.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "sidecar/net/intake.hpp"

namespace outrider::sidecar {

class SocketGate {
 public:
  struct Counts {
    std::uint64_t open = 0;            ///< connections, just now
    std::uint64_t refused = 0;         ///< connections, for want of descriptors
    std::uint64_t cut_off = 0;         ///< connections, because of their data
    std::uint64_t oversubscribed = 0;  ///< connections, for too many or too long subscriptions
    std::uint64_t stalled = 0;         ///< connections that held memory and stopped sending
    std::uint64_t left = 0;            ///< connections that their peers ended in the handshake
    std::uint64_t made_cut_off =
        0;  ///< connections that our threads made, because of the peer's data
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

  /// The same for each connection that a context makes whose threads have names that begin with
  /// thread_name_prefix, as ZMQ_THREAD_NAME_PREFIX sets it. Of this process, from now on.
  static void watch_connects(std::shared_ptr<Intake> intake);
  static constexpr int thread_name_prefix = 0;

  /// A forked child gives up its copy of this descriptor, with which a lock would outlive us; until
  /// it is closed.
  static void keep_from_children(int fd);

  /// Since the process began.
  static Counts counts();
  /// The process's limit now; INT_MAX: none.
  static int descriptors_max();
  /// So many more than the quarter are not for connections; a negative number gives them back.
  static void reserve(int descriptors);
  /// Connections get descriptors below this number.
  static int descriptors_for_clients_max();
};

}  // namespace outrider::sidecar
