#include "sidecar/spool/client_window.hpp"

#include <algorithm>
#include <utility>

#include "proto/refusal.hpp"

namespace outrider::sidecar {
namespace {

constexpr std::size_t number_bytes = 8;
constexpr std::size_t length_bytes = 2;
constexpr std::size_t entry_head_bytes = number_bytes + length_bytes;

void append(std::vector<std::uint8_t>& out, std::uint64_t number, std::size_t bytes) {
  for (std::size_t left = bytes; left > 0; --left) {
    out.push_back(static_cast<std::uint8_t>(number >> (8 * (left - 1))));
  }
}

/// The next number, or 0 if the bytes end before it.
std::uint64_t cut_number(proto::ByteView& bytes, std::size_t length) {
  if (bytes.size() < length) bytes = {};
  const proto::ByteView number = bytes.first(std::min(length, bytes.size()));
  bytes = bytes.subspan(number.size());
  return proto::big_endian(proto::as_text(number));
}

}  // namespace

ClientWindow::ClientWindow(std::uint64_t highest, proto::ByteView bytes) : highest_(highest) {
  const std::size_t bits = std::min(bytes.size(), bits_.size());
  std::copy_n(bytes.begin(), bits, bits_.begin());
  bytes = bytes.subspan(bits);
  first_seen_ns_ = cut_number(bytes, number_bytes);
  known_from_ = cut_number(bytes, number_bytes);
  while (bytes.size() >= entry_head_bytes) {
    const std::uint64_t sequence = cut_number(bytes, number_bytes);
    std::size_t length = cut_number(bytes, length_bytes);
    length = std::min(length, bytes.size());
    left_out_[sequence].assign(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length));
    left_out_bytes_ += entry_head_bytes + length;
    bytes = bytes.subspan(length);
  }
}

std::vector<std::uint8_t> ClientWindow::bytes() const {
  std::vector<std::uint8_t> out(bits_.begin(), bits_.end());
  append(out, first_seen_ns_, number_bytes);
  append(out, known_from_, number_bytes);
  for (const auto& [sequence, events] : left_out_) {
    append(out, sequence, number_bytes);
    append(out, events.size(), length_bytes);
    out.insert(out.end(), events.begin(), events.end());
  }
  return out;
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
  if (!bit(sequence)) return Sequence::unseen;
  return sequence < known_from_ ? Sequence::forgotten : Sequence::taken;
}

void ClientWindow::take(std::uint64_t sequence, std::vector<std::uint8_t> left_out) {
  if (sequence > highest_) {
    const std::uint64_t skipped = std::min(sequence - highest_ - 1, size);
    for (std::uint64_t i = 1; i <= skipped; ++i) set(sequence - i, false);
    highest_ = sequence;
  }
  set(sequence, true);
  if (!left_out.empty()) {
    left_out_bytes_ += entry_head_bytes + left_out.size();
    left_out_.insert_or_assign(sequence, std::move(left_out));
  }
  forget_left_out();
}

/// Events beyond the limit, and those of frames that are forgotten anyway.
void ClientWindow::forget_left_out() {
  while (!left_out_.empty()) {
    const auto& [sequence, events] = *left_out_.begin();
    const bool is_too_much = left_out_bytes_ > left_out_bytes_max;
    if (!is_too_much && highest_ - sequence < size) return;
    if (is_too_much) known_from_ = std::max(known_from_, sequence + 1);
    left_out_bytes_ -= entry_head_bytes + events.size();
    left_out_.erase(left_out_.begin());
  }
}

proto::ByteView ClientWindow::left_out(std::uint64_t sequence) const {
  const auto found = left_out_.find(sequence);
  return found == left_out_.end() ? proto::ByteView{} : proto::ByteView(found->second);
}

std::vector<std::uint8_t> left_out_of(const std::vector<proto::RefusedEvent>& refused) {
  std::vector<std::uint8_t> bits;
  for (const proto::RefusedEvent& event : refused) {
    if (!proto::is_for_later(event.refusal)) continue;
    if (bits.size() <= event.index / 8) bits.resize(event.index / 8 + 1);
    bits[event.index / 8] |= static_cast<std::uint8_t>(1U << (event.index % 8));
  }
  return bits;
}

void put_left_out(proto::ByteView left_out, std::vector<proto::RefusedEvent>& refused) {
  constexpr auto refusal = static_cast<std::uint32_t>(proto::Refusal::destination_full);
  std::erase_if(refused, [](const auto& event) { return proto::is_for_later(event.refusal); });
  for (std::uint32_t index = 0; index < left_out.size() * 8; ++index) {
    if ((left_out[index / 8] >> (index % 8) & 1U) != 0) refused.push_back({index, refusal});
  }
  std::ranges::sort(refused, {}, &proto::RefusedEvent::index);
}

}  // namespace outrider::sidecar
