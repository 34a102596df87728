// ZmtpScanner: follows the bytes that one ZeroMQ client sends, so that its memory is bounded.
//
// Used by SocketGate. libzmq counts neither the parts of a message nor their bytes together; the
// scanner does, from the framing alone: greeting, then frames of flags, size and body. It reads
// headers and skips bodies, so that its cost does not grow with the data. libzmq does not count the
// subscriptions of a PUB socket's subscriber either, for which it holds a tree with a node for each
// byte: there the scanner keeps the active topics.
//
// It reads the handshake and commands completely. libzmq keeps the content of a handshake as long
// as the connection lives; it accepts an identity of the kind that it makes up itself for other
// peers, which ends the process; and it passes subscriptions to sockets that have none. The scanner
// ends a connection before libzmq would, so that every message that it counts reaches the socket.
//
// Thread: that of its connection. Owns: the topics. Limits: see ScanLimits; peers speak ZMTP 2 or
// 3, as ZeroMQ 3 and later do, without a security mechanism.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>

namespace outrider::sidecar {

/// The data that the peers of a socket may send.
struct ScanLimits {
  std::uint64_t message_bytes_max;       ///< all its parts
  std::uint32_t message_parts_max = 16;  ///< 0: peers send no messages
  /// Different topics that a peer is subscribed to at a time; 0: the socket takes no subscriptions.
  std::uint32_t subscriptions_max = 0;
  /// Socket types that a peer can have, as in "REQ DEALER"; empty: any. A literal.
  const char* peer_types = "";
  /// Socket types that send messages and subscriptions; empty: all do.
  const char* sender_types = "";
};

/// With it a peer says who it is. The kinds of socket and an identity take some 300 bytes.
inline constexpr std::size_t handshake_bytes_max = 4096;
/// The longest in use is a subscription.
inline constexpr std::size_t command_bytes_max = 512;

/// A longer one matches nothing, since no topic is longer.
inline constexpr std::size_t subscription_bytes_max = 255;

/// The memory that a waiting part of this many bytes may hold. libzmq copies tiny ones; others may
/// keep alive the buffer that they were read into.
constexpr std::uint64_t memory_of_part(std::uint64_t bytes) {
  constexpr std::uint64_t tiny_max = 33;
  constexpr std::uint64_t tiny_memory = 128;
  constexpr std::uint64_t buffer_memory = 18 << 10U;
  return bytes <= tiny_max ? tiny_memory : bytes + buffer_memory;
}

class ZmtpScanner {
 public:
  /// The reason for which a connection was ended.
  enum class Fault : std::uint8_t {
    http,            ///< a request of it
    tls,             ///< a client's first words in it
    not_zeromq,      ///< anything else that is no handshake of ZMTP 2 or 3
    other_socket,    ///< a socket of a type that does not belong there
    beyond_limits,   ///< a message or a command that no such client sends
    oversubscribed,  ///< too many or too long subscriptions
  };
  static constexpr std::size_t faults = 6;

  explicit ZmtpScanner(ScanLimits limits) : limits_(limits) {}

  /// Scans the bytes that were just read. False: this is not a ZeroMQ peer, or it breaks a limit.
  bool scan(const std::uint8_t* data, std::size_t size);

  /// Memory of the messages and subscriptions that have ended since the last call.
  std::uint64_t take_ended_memory();
  /// Bytes that have come of a message which has not ended.
  std::uint64_t unfinished_bytes() const { return is_ready_ ? message_bytes_ : 0; }
  /// This many bytes complete nothing but the part, or its header, that has begun.
  std::uint64_t bytes_to_go() const;
  /// The handshake has been made.
  bool is_ready() const { return is_ready_; }
  /// It has greeted but not yet completed its handshake. A peer that leaves now rejected our socket
  /// type.
  bool is_in_handshake() const { return !is_ready_ && state_ != State::greeting; }
  /// After scan() has returned false.
  Fault fault() const {
    return fault_.value_or(is_ready_ ? Fault::beyond_limits : Fault::not_zeromq);
  }
  /// Of the other_socket: its name in ZeroMQ, or "unknown". Lives for ever.
  const char* other_type() const { return other_type_; }

 private:
  enum class State : std::uint8_t { greeting, flags, size, body };

  bool greet(std::uint8_t byte);
  bool begin_body();
  bool end_body();
  bool end_aside();
  bool is_aside() const;
  bool follow_ready_command();
  bool follow_subscription();

  ScanLimits limits_;
  State state_ = State::greeting;
  std::uint8_t at_ = 0;  ///< within the greeting or the size
  std::uint8_t greeting_bytes_ = 0;
  std::uint8_t size_bytes_ = 0;
  std::uint8_t flags_ = 0;
  bool is_old_ = false;  ///< speaks ZMTP 2
  bool is_ready_ = false;
  std::optional<Fault> fault_;
  const char* other_type_ = "unknown";
  std::uint32_t parts_ = 0;
  std::uint64_t part_bytes_ = 0;
  std::uint64_t body_left_ = 0;
  std::uint64_t message_bytes_ = 0;   ///< come so far, frame headers included
  std::uint64_t message_size_ = 0;    ///< announced so far
  std::uint64_t message_memory_ = 0;  ///< of its parts that have ended
  std::uint64_t ended_memory_ = 0;
  std::size_t head_bytes_ = 0;  ///< of the part that are looked at
  std::string head_;
  std::unordered_set<std::string> topics_;
};

}  // namespace outrider::sidecar
