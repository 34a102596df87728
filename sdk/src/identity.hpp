// Identity: the sender of a client thread's frames: client id, host, process, library. Used by
// Shipper and SendWindow, with one each: the frames of one client id are numbered in one sequence.
// Each process has its own: a forked child makes new ones.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "proto/frame_writer.hpp"

namespace outrider::sdk {

/// An upper bound for the header of a frame.
inline constexpr std::size_t frame_head_bytes_max = 768;

struct Identity {
  std::array<std::uint8_t, 16> client_id{};  ///< random; zeros: the system has no random bytes
  std::string host;                          ///< empty where the system does not tell
  std::uint64_t pid = 0;

  /// False: the client id is not random.
  bool make();
  /// Points into this object.
  proto::FrameHeaderFields header(std::uint64_t sequence) const;
};

}  // namespace outrider::sdk
