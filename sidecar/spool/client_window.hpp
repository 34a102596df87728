// ClientWindow: which of a client's last frames were taken, so that one that comes again is not
// taken twice.
//
// Used by Store, which keeps one a client on disk. Plain values. Limits: remembers the last
// proto::confirm_window_frames sequence numbers.
#pragma once

#include <array>
#include <cstdint>

#include "proto/bytes.hpp"
#include "proto/confirm.hpp"

namespace outrider::sidecar {

class ClientWindow {
 public:
  enum class Sequence : std::uint8_t { unseen, taken, forgotten };

  ClientWindow() = default;
  /// As it was written: highest() and bits().
  ClientWindow(std::uint64_t highest, proto::ByteView bits);

  Sequence look_up(std::uint64_t sequence) const;
  void take(std::uint64_t sequence);

  std::uint64_t highest() const { return highest_; }
  proto::ByteView bits() const { return bits_; }

 private:
  static constexpr std::uint64_t size = proto::confirm_window_frames;

  bool bit(std::uint64_t sequence) const;
  void set(std::uint64_t sequence, bool is_taken);

  std::uint64_t highest_ = 0;
  std::array<std::uint8_t, size / 8> bits_{};  ///< of a sequence: bit `sequence % size`
};

}  // namespace outrider::sidecar
