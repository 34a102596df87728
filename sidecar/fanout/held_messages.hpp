// HeldMessages: sends events over a ZeroMQ socket, and knows how many of them libzmq still holds.
//
// libzmq takes a message and reports nothing more about it. But it gives the memory back: when a
// connection has the message in its buffer (8 KiB, and then the kernel's), when nobody subscribes
// to it, or when it is discarded together with a connection or a socket.
//
// Used by ZmqTransport. Thread: the sidecar's one; libzmq gives memory back in any. Owns: the
// count, which lives until the last message is freed, even if this object is destroyed earlier.
// Fails with: Taken::no; zmq_errno() gives the reason.
#pragma once

#include <cstdint>
#include <string_view>

namespace outrider::sidecar {

enum class Taken : std::uint8_t {
  yes,
  by_nobody,  ///< given back at once: nobody subscribes to it, or its worker has just gone
  no,
};

class HeldMessages {
 public:
  HeldMessages();
  ~HeldMessages();
  HeldMessages(const HeldMessages&) = delete;
  HeldMessages& operator=(const HeldMessages&) = delete;

  /// One message of two parts. Never waits.
  Taken send(void* socket, std::string_view topic, std::string_view event);

  /// Messages that libzmq has taken and not given back; one that several peers get counts once.
  std::uint64_t count() const;

 private:
  struct Count;
  Count* count_;
};

}  // namespace outrider::sidecar
