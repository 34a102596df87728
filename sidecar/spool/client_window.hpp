// ClientWindow: which of a client's last frames were taken, so that a repeated frame is not taken
// twice; and which events were left out of frames taken in part, so that a repeated frame gets the
// same answer.
//
// Used by Store, which keeps one for each client on disk. Plain values. Limits: remembers the last
// proto::confirm_window_frames sequence numbers, and left_out_bytes_max of events left out; the
// oldest of these go first, and the taken frames before them count as forgotten.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <vector>

#include "proto/bytes.hpp"
#include "proto/confirm.hpp"

namespace outrider::sidecar {

class ClientWindow {
 public:
  enum class Sequence : std::uint8_t { unseen, taken, forgotten };

  static constexpr std::size_t left_out_bytes_max = 16U << 10U;
  /// Where the time of the first frame lies in bytes(), big-endian, so that bytes sort by it.
  static constexpr std::size_t first_seen_offset = proto::confirm_window_frames / 8;

  ClientWindow() = default;
  /// A client that is new.
  explicit ClientWindow(std::uint64_t first_seen_ns) : first_seen_ns_(first_seen_ns) {}
  /// As it was written: highest() and bytes().
  ClientWindow(std::uint64_t highest, proto::ByteView bytes);

  Sequence look_up(std::uint64_t sequence) const;
  /// `left_out`: the events that were not taken with it, a bit an event.
  void take(std::uint64_t sequence, std::vector<std::uint8_t> left_out = {});
  /// Of a frame that was taken; empty: it was taken whole.
  proto::ByteView left_out(std::uint64_t sequence) const;

  std::uint64_t highest() const { return highest_; }
  std::vector<std::uint8_t> bytes() const;

 private:
  static constexpr std::uint64_t size = proto::confirm_window_frames;

  bool bit(std::uint64_t sequence) const;
  void set(std::uint64_t sequence, bool is_taken);
  void forget_left_out();

  std::uint64_t highest_ = 0;
  std::array<std::uint8_t, size / 8> bits_{};  ///< of a sequence: bit `sequence % size`
  std::uint64_t first_seen_ns_ = 0;
  std::uint64_t known_from_ = 0;  ///< before it, the left-out events of taken frames are unknown
  std::map<std::uint64_t, std::vector<std::uint8_t>> left_out_;  ///< by sequence
  std::size_t left_out_bytes_ = 0;                               ///< as written
};

/// The events of an answer that may be sent again, a bit an event.
std::vector<std::uint8_t> left_out_of(const std::vector<proto::RefusedEvent>& refused);

/// Makes the answer to a repeated frame: events that break a rule do so each time, but the events
/// left out the first time are those in `left_out`.
void put_left_out(proto::ByteView left_out, std::vector<proto::RefusedEvent>& refused);

}  // namespace outrider::sidecar
