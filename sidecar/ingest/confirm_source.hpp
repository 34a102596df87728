// ConfirmSource: the source of frames to be confirmed, and the way back for the answers.
//
// Used by ConfirmAgent and App. Implementations: ZmqConfirmSource, and
// tests/support/fake_confirm_source.hpp. Thread: the sidecar's one; never blocks. Owns: its
// sockets.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "proto/bytes.hpp"

namespace outrider::sidecar {

struct PeerFrame {
  std::string peer;       ///< whom to answer
  proto::ByteView frame;  ///< valid until the next call
};

class ConfirmSource {
 public:
  virtual ~ConfirmSource() = default;

  /// The next frame that waits, or nothing.
  virtual std::optional<PeerFrame> receive() = 0;

  /// One that cannot be sent, because its peer has gone, is forgotten: the peer will ask again.
  virtual void answer(std::string_view peer, std::string_view bytes) = 0;

  /// Takes no new clients.
  virtual void stop_listening() = 0;
  virtual void close() = 0;
};

}  // namespace outrider::sidecar
