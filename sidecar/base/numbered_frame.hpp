// NumberedFrame: a frame with its client's number, for which the client waits for an answer.
//
// Made by ConfirmAgent, kept by the spool until its answer is known. A plain value.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "proto/confirm.hpp"
#include "proto/frame_reader.hpp"

namespace outrider::sidecar {

struct NumberedFrame {
  std::string peer;  ///< to whom the answer goes
  std::array<std::uint8_t, proto::client_id_bytes> client{};
  std::uint64_t sequence = 0;
  std::vector<proto::RefusedEvent> refused;  ///< its events that were not taken
};

}  // namespace outrider::sidecar
