#include "sidecar/fanout/held_messages.hpp"

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <zmq.h>

namespace outrider::sidecar {
namespace {

/// The message whose memory libzmq has given back in this thread.
thread_local const void* given_back = nullptr;

}  // namespace

/// Whoever is the last to let go of it deletes it.
struct HeldMessages::Count {
  std::atomic<std::uint64_t> holders = 1;  ///< the owner, and each message

  void let_go() {
    if (holders.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

  static void give_back(void* bytes, void* count) {
    given_back = bytes;
    std::free(bytes);
    static_cast<Count*>(count)->let_go();
  }
};

HeldMessages::HeldMessages() : count_(new Count) {}
HeldMessages::~HeldMessages() {
  count_->let_go();
}

std::uint64_t HeldMessages::count() const {
  return count_->holders.load(std::memory_order_acquire) - 1;
}

Taken HeldMessages::send(void* socket, std::string_view topic, std::string_view event) {
  void* const bytes = std::malloc(event.size() + 1);  // never null for want of bytes
  if (bytes == nullptr) {
    errno = ENOMEM;
    return Taken::no;
  }
  std::memcpy(bytes, event.data(), event.size());
  zmq_msg_t message;
  count_->holders.fetch_add(1, std::memory_order_relaxed);
  if (zmq_msg_init_data(&message, bytes, event.size(), Count::give_back, count_) != 0) {
    Count::give_back(bytes, count_);
    return Taken::no;
  }
  given_back = nullptr;
  // libzmq decides on the first part whether it takes the message; the rest always follows.
  if (zmq_send(socket, topic.data(), topic.size(), ZMQ_DONTWAIT | ZMQ_SNDMORE) >= 0 &&
      zmq_msg_send(&message, socket, ZMQ_DONTWAIT) >= 0) {
    return given_back == bytes ? Taken::by_nobody : Taken::yes;
  }
  const int error = errno;
  zmq_msg_close(&message);
  errno = error;
  return Taken::no;
}

}  // namespace outrider::sidecar
