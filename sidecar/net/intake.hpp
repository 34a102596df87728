// Intake: the data that one ZeroMQ socket has read and its owner has not yet received.
//
// Used by SocketGate, which adds what it lets libzmq read, and by the sockets' owners: ZmqListener
// and ZmqTransport. Thread: safe from any thread, except that take(), take_all() and settle()
// belong to its owner's.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "sidecar/base/clock.hpp"
#include "sidecar/net/zmtp_scanner.hpp"

namespace outrider::sidecar {

/// The limits of the messages that wait for a socket's owner.
enum class Bound : std::uint8_t {
  none,  ///< no message comes
  room,  ///< Intake::room_bytes(), until the owner receives them: it calls take()
  /// Intake::turn_bytes, until libzmq is called again: the owner calls take_all() after that. So
  /// libzmq returns, because no more can have arrived.
  turn,
};

/// The data that one socket has read. Shared with its connections.
class Intake {
 public:
  static constexpr std::uint64_t room_bytes_min = 64ULL << 20U;
  /// Some fifty subscriptions to long topics, or eight thousand to short ones.
  static constexpr std::uint64_t turn_bytes = 1ULL << 20U;
  /// An unfinished message that may continue has stalled if less than `progress_bytes_min` arrived
  /// in this time.
  static constexpr Duration stalled_max = std::chrono::seconds(1);
  static constexpr std::uint64_t progress_bytes_min = 1U << 20U;
  static constexpr Duration settle_period = std::chrono::milliseconds(100);

  explicit Intake(ScanLimits limits, Bound bound) : limits_(limits), bound_(bound) {}

  const ScanLimits& limits() const { return limits_; }
  /// For waiting messages, and the same again for incomplete ones: over all clients together.
  std::uint64_t room_bytes() const {
    return std::max(room_bytes_min, 2 * limits_.message_bytes_max);
  }

  /// The owner has received a part of this many bytes. (Messages over inproc were never counted.)
  void take(std::uint64_t part_bytes);
  /// libzmq has followed all that it had.
  void take_all();
  // An owner that calls take_all() comes and goes. While there is none there is no bound: no call
  // of libzmq's can take long, and a peer's end is heard of while a socket lingers.
  void attach() { owners_.fetch_add(1, std::memory_order_relaxed); }
  void detach() { owners_.fetch_sub(1, std::memory_order_relaxed); }
  /// The owner has found its socket empty: data that had arrived when it found that before, and is
  /// still counted, was dropped by libzmq together with its peer. To be called while anything
  /// waiting() is counted; does its work once a settle_period, by which time the I/O thread has
  /// passed on the data that it read.
  void settle();
  void settle_at(MonoTime now);

  /// `share`: of how many times room_bytes().
  bool has_room(std::uint64_t share) const;
  std::uint64_t waiting() const;
  // A PUB socket looks for the subscriptions of a connection that ends among those of all, so that
  // one that begins or ends is enough for a turn. If none ended, none should begin.
  void begin_connection();
  /// False: libzmq may not hear of it yet.
  bool end_connection();
  void add(std::uint64_t memory) { arrived_.fetch_add(memory, std::memory_order_relaxed); }

 private:
  ScanLimits limits_;
  Bound bound_;
  std::atomic<std::uint64_t> arrived_ = 0;
  std::atomic<std::uint64_t> taken_ = 0;
  std::atomic<std::uint32_t> owners_ = 0;
  std::uint64_t arrived_before_ = 0;
  MonoTime settled_at_{};
};

}  // namespace outrider::sidecar
