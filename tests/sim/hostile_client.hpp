// A client that sends what it should not, for the simulations. No event of its is ever taken, so
// that all which others send must add up as if it were not there.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "proto/confirm.hpp"
#include "proto/frame_reader.hpp"
#include "sidecar/base/random.hpp"
#include "support/frames.hpp"

namespace outrider::test {

struct HostileFrame {
  std::string bytes;
  std::uint64_t refused_events = 0;  ///< if it comes where nothing is to be confirmed
};

class HostileClient {
 public:
  explicit HostileClient(std::uint64_t seed) : random_(seed) {}

  HostileFrame next() {
    switch (random_.below(6)) {
      case 0:
        return junk(random_.chance(0.1) ? 15'000 : random_.below(300));
      case 1:
        return {frame_bytes({}, header())};
      case 2:
        return cut();
      case 3:
        return counts_beyond_the_end();
      case 4:
        return deep();
      default:
        return odd_events();
    }
  }

 private:
  /// A new client each time, or the one of last time, with numbers and drops that mean nothing.
  proto::FrameHeaderFields header() {
    if (random_.chance(0.8)) {
      for (std::uint8_t& byte : id_) byte = static_cast<std::uint8_t>(random_.next());
    }
    drops_.clear();
    for (std::uint64_t left = random_.below(60); left > 0; --left) {
      const std::string name(1 + random_.below(100), static_cast<char>(random_.next()));
      drops_[name] = random_.next();
    }
    proto::FrameHeaderFields fields;
    fields.client_id = id_;
    fields.sequence = random_.chance(0.5) ? random_.next() : 1 + random_.below(5);
    fields.drops = &drops_;
    return fields;
  }

  /// Bytes that are no events, as many as they are.
  HostileFrame junk(std::uint64_t events) {
    const bool is_tiny = random_.chance(0.5);
    const std::string event = is_tiny ? std::string(1, '\0') : "\xa4text";
    // Events have five bytes: a frame of many that have one is refused as a whole.
    const bool is_whole = is_tiny && events - events / 5 > proto::refused_events_max;
    return {frame_bytes(std::vector<std::string>(events, event), header()), is_whole ? 0 : events};
  }

  HostileFrame cut() {
    std::string frame = junk(1 + random_.below(50)).bytes;
    frame.resize(random_.below(frame.size()));
    return {frame};
  }

  HostileFrame counts_beyond_the_end() {
    static constexpr std::array heads = {"\xdd", "\xdf", "\xdb", "\xc6"};
    return {"\x93\x01\x80" + std::string(heads[random_.below(heads.size())]) + "\xff\xff\xff\xff"};
  }

  HostileFrame deep() {
    return {frame_bytes(
        {event_bytes("a", 0, std::string(random_.below(2000) + 40, '\x91') + '\xc0')}, header())};
  }

  HostileFrame odd_events() {
    std::vector<std::string> events;
    for (std::uint64_t left = 1 + random_.below(30); left > 0; --left) {
      const std::string data = numbered_data(0);
      switch (random_.below(4)) {
        case 0:
          events.push_back(event_bytes(std::string(random_.below(256), '\xff'), 0, data));
          break;
        case 1:
          events.push_back(event_bytes("a", 0, "\xda\x0b\xb8" + std::string(3000, 'x')));
          break;
        case 2:
          events.push_back(event_bytes("a", 0, data, "\x81\xa3pri\xff"));
          break;
        default:
          events.push_back(std::string("\x93\xa1") + "a" +
                           std::string("\xcb\0\0\0\0\0\0\0\0\xc0", 10));
      }
    }
    const std::uint64_t count = events.size();
    return {frame_bytes(events, header()), count};
  }

  sidecar::Random random_;
  std::array<std::uint8_t, proto::client_id_bytes> id_{};
  std::map<std::string, std::uint64_t, std::less<>> drops_;
};

}  // namespace outrider::test
