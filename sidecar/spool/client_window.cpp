#include "sidecar/spool/client_window.hpp"

#include <algorithm>

namespace outrider::sidecar {

ClientWindow::ClientWindow(std::uint64_t highest, proto::ByteView bits) : highest_(highest) {
  std::copy_n(bits.begin(), std::min(bits.size(), bits_.size()), bits_.begin());
}

bool ClientWindow::bit(std::uint64_t sequence) const {
  return (bits_[sequence % size / 8] >> (sequence % 8) & 1U) != 0;
}

void ClientWindow::set(std::uint64_t sequence, bool is_taken) {
  std::uint8_t& byte = bits_[sequence % size / 8];
  const auto mask = static_cast<std::uint8_t>(1U << (sequence % 8));
  byte = static_cast<std::uint8_t>(is_taken ? byte | mask : byte & ~mask);
}

ClientWindow::Sequence ClientWindow::look_up(std::uint64_t sequence) const {
  if (sequence > highest_) return Sequence::unseen;
  if (highest_ - sequence >= size) return Sequence::forgotten;
  return bit(sequence) ? Sequence::taken : Sequence::unseen;
}

void ClientWindow::take(std::uint64_t sequence) {
  if (sequence > highest_) {
    const std::uint64_t skipped = std::min(sequence - highest_ - 1, size);
    for (std::uint64_t i = 1; i <= skipped; ++i) set(sequence - i, false);
    highest_ = sequence;
  }
  set(sequence, true);
}

}  // namespace outrider::sidecar
