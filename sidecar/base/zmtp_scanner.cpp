#include "sidecar/base/zmtp_scanner.hpp"

#include <algorithm>
#include <string_view>
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

// How a subscription begins and ends: as a message, and as a command of ZMTP 3.1.
constexpr std::string_view subscribe_message{"\1", 1};
constexpr std::string_view cancel_message{"\0", 1};
constexpr std::string_view subscribe_command = "\11SUBSCRIBE";
constexpr std::string_view cancel_command = "\6CANCEL";
/// With which a topic that is too long can be told.
constexpr std::size_t head_bytes_max = subscribe_command.size() + subscription_bytes_max + 1;

}  // namespace

bool ZmtpScanner::scan(const std::uint8_t* data, std::size_t size) {
  const std::uint8_t* const end = data + size;
  while (data != end) {
    if (state_ == State::body) {
      const auto step = std::min(body_left_, static_cast<std::uint64_t>(end - data));
      if (limits_.subscriptions_max > 0 && head_.size() < head_bytes_max) {
        head_.append(reinterpret_cast<const char*>(data),
                     std::min<std::size_t>(step, head_bytes_max - head_.size()));
      }
      data += step;
      body_left_ -= step;
      message_bytes_ += step;
      if (body_left_ == 0 && !end_body()) return false;
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
  head_.clear();
  return body_left_ > 0 || end_body();
}

bool ZmtpScanner::end_body() {
  state_ = State::flags;
  if (!head_.empty() && !has_identity_ && !follow_subscription()) return false;
  // A command may come between the parts of a message and belongs to none; the identity, with which
  // the old protocol begins, is no message either.
  if ((flags_ & flag_command) != 0 || std::exchange(has_identity_, false)) {
    const std::uint64_t header_bytes = (flags_ & flag_long) != 0 ? 9 : 2;
    --parts_;
    message_size_ -= part_bytes_;
    message_bytes_ -= part_bytes_ + header_bytes;
    return true;
  }
  message_memory_ += memory_of_part(part_bytes_);
  if ((flags_ & flag_more) != 0) return true;
  ended_memory_ += std::exchange(message_memory_, 0);
  has_ended_any_ = true;
  parts_ = 0;
  message_size_ = 0;
  message_bytes_ = 0;
  return true;
}

bool ZmtpScanner::follow_subscription() {
  const bool is_command = (flags_ & flag_command) != 0;
  const std::string_view subscribe = is_command ? subscribe_command : subscribe_message;
  const std::string_view cancel = is_command ? cancel_command : cancel_message;
  if (head_.starts_with(cancel)) topics_.erase(head_.substr(cancel.size()));
  if (!head_.starts_with(subscribe)) return true;
  std::string topic = head_.substr(subscribe.size());
  is_oversubscribed_ = topic.size() > subscription_bytes_max ||
                       (topics_.size() >= limits_.subscriptions_max && !topics_.contains(topic));
  if (is_oversubscribed_) return false;
  topics_.insert(std::move(topic));
  return true;
}

std::uint64_t ZmtpScanner::take_ended_memory() {
  return std::exchange(ended_memory_, 0);
}

}  // namespace outrider::sidecar
