#include "sidecar/net/zmtp_scanner.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>

namespace outrider::sidecar {

namespace {

// RFC 23 and 15 of ZeroMQ: ten bytes of signature, the version, and its fields.
constexpr std::uint8_t signature_first = 0xFF;
constexpr std::uint8_t signature_last_at = 9;
constexpr std::uint8_t version_at = 10;
constexpr std::uint8_t greeting_bytes_v2 = 12;
constexpr std::uint8_t greeting_bytes_v3 = 64;
constexpr std::uint8_t mechanism_at = 12;
constexpr std::string_view mechanism{"NULL\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20};

constexpr std::uint8_t flag_more = 1;
constexpr std::uint8_t flag_long = 2;
constexpr std::uint8_t flag_command = 4;

constexpr std::string_view ready_command = "\5READY";
constexpr std::string_view ping_command = "\4PING";
/// A ping's time to live. libzmq takes it to be there.
constexpr std::size_t ping_rest_min = 2;
// How a subscription begins and ends: as a message, and as a command of ZMTP 3.1.
constexpr std::string_view subscribe_message{"\1", 1};
constexpr std::string_view cancel_message{"\0", 1};
constexpr std::string_view subscribe_command = "\11SUBSCRIBE";
constexpr std::string_view cancel_command = "\6CANCEL";
/// Enough to recognise a topic that is too long.
constexpr std::size_t head_bytes_max = subscribe_command.size() + subscription_bytes_max + 1;
static_assert(head_bytes_max <= command_bytes_max);

constexpr std::size_t identity_bytes_max = 255;

/// Those that begin with a zero are libzmq's, which counts them up.
bool is_fit_identity(std::string_view identity) {
  return identity.size() <= identity_bytes_max && !identity.starts_with('\0');
}

/// One of the words of `types`, or anything if there are none.
bool is_type_of(std::string_view types, std::string_view type) {
  if (types.empty()) return true;
  while (!types.empty()) {
    const std::size_t end = std::min(types.find(' '), types.size());
    if (types.substr(0, end) == type) return true;
    types.remove_prefix(std::min(end + 1, types.size()));
  }
  return false;
}

constexpr std::array socket_types = {"PAIR",   "PUB",  "SUB",  "REQ",  "REP",  "DEALER",
                                     "ROUTER", "PULL", "PUSH", "XPUB", "XSUB", "STREAM"};

/// Typical first bytes of a program that does not speak ZeroMQ.
ZmtpScanner::Fault fault_of(std::string_view text) {
  constexpr std::string_view methods[] = {"GET ",    "POST ",    "PUT ",     "HEAD ", "PATCH ",
                                          "DELETE ", "OPTIONS ", "CONNECT ", "PRI * "};
  constexpr std::string_view tls_hello = "\x16\x03";
  const auto begins = [text](std::string_view with) { return text.starts_with(with); };
  if (std::any_of(std::begin(methods), std::end(methods), begins)) return ZmtpScanner::Fault::http;
  return begins(tls_hello) ? ZmtpScanner::Fault::tls : ZmtpScanner::Fault::not_zeromq;
}

/// Takes `bytes` from the front of `text`, or nothing of one that is shorter.
std::optional<std::string_view> take(std::string_view& text, std::size_t bytes) {
  if (text.size() < bytes) return std::nullopt;
  const std::string_view taken = text.substr(0, bytes);
  text.remove_prefix(bytes);
  return taken;
}

/// The text whose size is encoded in this many bytes at the front of `text`.
std::optional<std::string_view> take_sized(std::string_view& text, std::size_t size_bytes) {
  const auto digits = take(text, size_bytes);
  if (!digits) return std::nullopt;
  std::size_t size = 0;
  for (const char digit : *digits) size = size << 8U | static_cast<std::uint8_t>(digit);
  return take(text, size);
}

}  // namespace

bool ZmtpScanner::scan(const std::uint8_t* data, std::size_t size) {
  const std::uint8_t* const end = data + size;
  while (data != end) {
    if (state_ == State::body) {
      const auto step = std::min(body_left_, static_cast<std::uint64_t>(end - data));
      if (head_.size() < head_bytes_) {
        head_.append(reinterpret_cast<const char*>(data),
                     std::min<std::size_t>(step, head_bytes_ - head_.size()));
      }
      data += step;
      body_left_ -= step;
      message_bytes_ += step;
      if (body_left_ == 0 && !end_body()) return false;
      continue;
    }
    const std::uint8_t byte = *data++;
    if (state_ == State::greeting) {
      if (greet(byte)) continue;
      if (at_ == 0) {
        fault_ = fault_of(
            {reinterpret_cast<const char*>(data - 1), static_cast<std::size_t>(end - data + 1)});
      }
      return false;
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
    // 2 has never been in use; libzmq takes it for a later one.
    is_old_ = byte == 1;
    greeting_bytes_ = is_old_ ? greeting_bytes_v2 : greeting_bytes_v3;
  }
  if (!is_old_ && at_ >= mechanism_at && at_ < mechanism_at + mechanism.size() &&
      byte != static_cast<std::uint8_t>(mechanism[at_ - mechanism_at])) {
    return false;
  }
  if (++at_ == greeting_bytes_) state_ = State::flags;
  return true;
}

/// A command may come between the parts of a message and belongs to none; nor is the first frame
/// of a connection a message.
bool ZmtpScanner::is_aside() const {
  return (flags_ & flag_command) != 0 || !is_ready_;
}

bool ZmtpScanner::begin_body() {
  if (is_aside()) {
    const std::size_t bytes_max = is_ready_ ? command_bytes_max : handshake_bytes_max;
    if ((flags_ & flag_more) != 0 || part_bytes_ > bytes_max) return false;
    head_bytes_ = part_bytes_;
  } else {
    if (part_bytes_ > limits_.message_bytes_max) return false;
    message_size_ += part_bytes_;
    if (message_size_ > limits_.message_bytes_max || ++parts_ > limits_.message_parts_max) {
      return false;
    }
    head_bytes_ = limits_.subscriptions_max > 0 ? head_bytes_max : 0;
  }
  body_left_ = part_bytes_;
  state_ = State::body;
  head_.clear();
  return body_left_ > 0 || end_body();
}

bool ZmtpScanner::end_body() {
  state_ = State::flags;
  if (is_aside()) return end_aside();
  if (!head_.empty() && !follow_subscription()) return false;
  message_memory_ += memory_of_part(part_bytes_);
  if ((flags_ & flag_more) != 0) return true;
  ended_memory_ += std::exchange(message_memory_, 0);
  parts_ = 0;
  message_size_ = 0;
  message_bytes_ = 0;
  return true;
}

bool ZmtpScanner::end_aside() {
  const std::uint64_t header_bytes = (flags_ & flag_long) != 0 ? 9 : 2;
  message_bytes_ -= part_bytes_ + header_bytes;
  if (!is_ready_) {
    const bool is_command = (flags_ & flag_command) != 0;
    is_ready_ =
        is_old_ ? !is_command && is_fit_identity(head_) : is_command && follow_ready_command();
    head_ = {};
    return is_ready_;
  }
  std::string_view rest = head_;
  if (!take_sized(rest, 1)) return false;
  if (head_.starts_with(ping_command) && rest.size() < ping_rest_min) return false;
  if (!head_.starts_with(subscribe_command) && !head_.starts_with(cancel_command)) return true;
  ended_memory_ += memory_of_part(part_bytes_);
  return limits_.subscriptions_max > 0 && follow_subscription();
}

/// The rules of libzmq for it, and ours for the identity.
bool ZmtpScanner::follow_ready_command() {
  if (!head_.starts_with(ready_command)) return false;
  std::string_view rest = std::string_view(head_).substr(ready_command.size());
  while (!rest.empty()) {
    const auto name = take_sized(rest, 1);
    const auto value = name ? take_sized(rest, 4) : std::nullopt;
    if (!value || (*name == "Identity" && !is_fit_identity(*value))) return false;
    if (*name != "Socket-Type") continue;
    if (!is_type_of(limits_.peer_types, *value)) {
      fault_ = Fault::other_socket;
      const auto* const type = std::find(socket_types.begin(), socket_types.end(), *value);
      if (type != socket_types.end()) other_type_ = *type;
      return false;
    }
    if (!is_type_of(limits_.sender_types, *value)) {
      limits_.message_bytes_max = 0;
      limits_.message_parts_max = 0;
      limits_.subscriptions_max = 0;
    }
  }
  return true;
}

bool ZmtpScanner::follow_subscription() {
  const bool is_command = (flags_ & flag_command) != 0;
  const std::string_view subscribe = is_command ? subscribe_command : subscribe_message;
  const std::string_view cancel = is_command ? cancel_command : cancel_message;
  if (head_.starts_with(cancel)) topics_.erase(head_.substr(cancel.size()));
  if (!head_.starts_with(subscribe)) return true;
  std::string topic = head_.substr(subscribe.size());
  if (topic.size() > subscription_bytes_max ||
      (topics_.size() >= limits_.subscriptions_max && !topics_.contains(topic))) {
    fault_ = Fault::oversubscribed;
    return false;
  }
  topics_.insert(std::move(topic));
  return true;
}

std::uint64_t ZmtpScanner::bytes_to_go() const {
  if (state_ == State::body) return body_left_;
  return state_ == State::size ? size_bytes_ : 1;
}

std::uint64_t ZmtpScanner::take_ended_memory() {
  return std::exchange(ended_memory_, 0);
}

}  // namespace outrider::sidecar
