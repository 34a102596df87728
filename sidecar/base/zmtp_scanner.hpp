// ZmtpScanner: follows the bytes that one ZeroMQ client sends, so that its messages can be bounded.
//
// Used by SocketGate. libzmq counts neither the parts of a message nor their bytes together; the
// scanner does, from the framing alone: greeting, then frames of flags, size and body. It reads
// headers and passes over bodies, so that its cost does not grow with what is sent. Nor does libzmq
// count what a subscriber of a PUB socket subscribes to, of which it holds a tree with a node for
// each byte: there the scanner keeps the topics that are live.
//
// Thread: that of its connection. Owns: the topics. Limits: see ScanLimits; peers speak ZMTP 2 or
// 3, as ZeroMQ 3 and later do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_set>

namespace outrider::sidecar {

struct ScanLimits {
  std::uint64_t message_bytes_max;  ///< all its parts
  std::uint32_t message_parts_max = 16;
  /// Different topics that a peer is subscribed to at a time; 0: the socket takes no subscriptions.
  std::uint32_t subscriptions_max = 0;
};

/// A longer one matches nothing, since no topic is longer.
inline constexpr std::size_t subscription_bytes_max = 255;

/// What a part of so many bytes can hold in memory while it waits. libzmq copies tiny ones; others
/// may keep alive the buffer that they were read into.
constexpr std::uint64_t memory_of_part(std::uint64_t bytes) {
  constexpr std::uint64_t tiny_max = 33;
  constexpr std::uint64_t tiny_memory = 128;
  constexpr std::uint64_t buffer_memory = 18 << 10U;
  return bytes <= tiny_max ? tiny_memory : bytes + buffer_memory;
}

class ZmtpScanner {
 public:
  explicit ZmtpScanner(ScanLimits limits) : limits_(limits) {}

  /// Passes over what was just read. False: this is no ZeroMQ peer, or a message breaks a limit.
  bool scan(const std::uint8_t* data, std::size_t size);

  /// Memory of the messages that have ended since the last call.
  std::uint64_t take_ended_memory();
  /// Bytes that have come of a message which has not ended.
  std::uint64_t unfinished_bytes() const { return message_bytes_; }
  bool has_ended_any() const { return has_ended_any_; }
  /// The limit that was broken is that of subscriptions.
  bool is_oversubscribed() const { return is_oversubscribed_; }

 private:
  enum class State : std::uint8_t { greeting, flags, size, body };

  bool greet(std::uint8_t byte);
  bool begin_body();
  bool end_body();
  bool follow_subscription();

  ScanLimits limits_;
  State state_ = State::greeting;
  std::uint8_t at_ = 0;  ///< within the greeting or the size
  std::uint8_t greeting_bytes_ = 0;
  std::uint8_t size_bytes_ = 0;
  std::uint8_t flags_ = 0;
  bool has_identity_ = false;
  bool has_ended_any_ = false;
  bool is_oversubscribed_ = false;
  std::uint32_t parts_ = 0;
  std::uint64_t part_bytes_ = 0;
  std::uint64_t body_left_ = 0;
  std::uint64_t message_bytes_ = 0;   ///< come so far, frame headers included
  std::uint64_t message_size_ = 0;    ///< announced so far
  std::uint64_t message_memory_ = 0;  ///< of its parts that have ended
  std::uint64_t ended_memory_ = 0;
  std::string head_;  ///< of the part, where subscriptions come
  std::unordered_set<std::string> topics_;
};

}  // namespace outrider::sidecar
