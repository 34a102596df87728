#include "sidecar/base/zmtp_scanner.hpp"

#include <algorithm>
#include <utility>

namespace outrider::sidecar {

namespace {

// RFC 23 and 15 of ZeroMQ: ten bytes of signature, the version, and what belongs to it.
constexpr std::uint8_t signature_first = 0xFF;
constexpr std::uint8_t signature_last_at = 9;
constexpr std::uint8_t version_at = 10;
constexpr std::uint8_t greeting_bytes_v2 = 12;
constexpr std::uint8_t greeting_bytes_v3 = 64;

constexpr std::uint8_t flag_more = 1;
constexpr std::uint8_t flag_long = 2;
constexpr std::uint8_t flag_command = 4;

}  // namespace

bool ZmtpScanner::scan(const std::uint8_t* data, std::size_t size) {
  const std::uint8_t* const end = data + size;
  while (data != end) {
    if (state_ == State::body) {
      const auto step = std::min(body_left_, static_cast<std::uint64_t>(end - data));
      data += step;
      body_left_ -= step;
      message_bytes_ += step;
      if (body_left_ == 0) end_body();
      continue;
    }
    const std::uint8_t byte = *data++;
    if (state_ == State::greeting) {
      if (!greet(byte)) return false;
      continue;
    }
    ++message_bytes_;
    if (state_ == State::flags) {
      flags_ = byte;
      size_bytes_ = (flags_ & flag_long) != 0 ? 8 : 1;
      part_bytes_ = 0;
      state_ = State::size;
      continue;
    }
    part_bytes_ = part_bytes_ << 8U | byte;
    if (--size_bytes_ == 0 && !begin_body()) return false;
  }
  return true;
}

bool ZmtpScanner::greet(std::uint8_t byte) {
  if (at_ == 0 && byte != signature_first) return false;
  if (at_ == signature_last_at && (byte & 1U) == 0) return false;
  if (at_ == version_at) {
    if (byte == 0) return false;
    has_identity_ = byte < 3;
    greeting_bytes_ = has_identity_ ? greeting_bytes_v2 : greeting_bytes_v3;
  }
  if (++at_ == greeting_bytes_) state_ = State::flags;
  return true;
}

bool ZmtpScanner::begin_body() {
  if (part_bytes_ > limits_.message_bytes_max) return false;
  message_size_ += part_bytes_;
  if (message_size_ > limits_.message_bytes_max || ++parts_ > limits_.message_parts_max) {
    return false;
  }
  body_left_ = part_bytes_;
  state_ = State::body;
  if (body_left_ == 0) end_body();
  return true;
}

void ZmtpScanner::end_body() {
  state_ = State::flags;
  // A command may come between the parts of a message and belongs to none; the identity, with which
  // the old protocol begins, is no message either.
  if ((flags_ & flag_command) != 0 || std::exchange(has_identity_, false)) {
    const std::uint64_t header_bytes = (flags_ & flag_long) != 0 ? 9 : 2;
    --parts_;
    message_size_ -= part_bytes_;
    message_bytes_ -= part_bytes_ + header_bytes;
    return;
  }
  message_memory_ += memory_of_part(part_bytes_);
  if ((flags_ & flag_more) != 0) return;
  ended_memory_ += std::exchange(message_memory_, 0);
  has_ended_any_ = true;
  parts_ = 0;
  message_size_ = 0;
  message_bytes_ = 0;
}

std::uint64_t ZmtpScanner::take_ended_memory() {
  return std::exchange(ended_memory_, 0);
}

}  // namespace outrider::sidecar
