#include "sidecar/fanout/own_context.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <zmq.h>

#include "sidecar/net/socket_gate.hpp"

namespace outrider::sidecar {

OwnContext::OwnContext() : context_(zmq_ctx_new()) {
  zmq_ctx_set(context_, ZMQ_THREAD_NAME_PREFIX, SocketGate::thread_name_prefix);
}

OwnContext::~OwnContext() {
  end(MonoTime{}, MonoTime{});
  ender_.wait_until(ends_by_);
}

void OwnContext::end(MonoTime now, MonoTime deadline) {
  if (context_ == nullptr) return;
  ends_by_ = std::max(deadline, now + moment);
  // Without a thread to wait in it is left behind.
  ender_.run([context = std::exchange(context_, nullptr)] {
    while (zmq_ctx_term(context) != 0 && zmq_errno() == EINTR) {
    }
  });
}

}  // namespace outrider::sidecar
