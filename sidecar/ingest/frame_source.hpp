// FrameSource: the source of emitted frames.
//
// Used by IngestAgent. Implementations: ZmqSource, and tests/support/fake_source.hpp.
// Thread: the sidecar's one thread; never blocks. Owns: its sockets.
#pragma once

#include <optional>

#include "proto/bytes.hpp"

namespace outrider::sidecar {

class FrameSource {
 public:
  virtual ~FrameSource() = default;

  /// The next frame that waits, or nothing. The view is valid until the next call.
  virtual std::optional<proto::ByteView> receive() = 0;

  /// Takes no new clients; frames on their way can still be received.
  virtual void stop_listening() = 0;

  /// Closes everything; frames not yet received are lost with it.
  virtual void close() = 0;
};

}  // namespace outrider::sidecar
