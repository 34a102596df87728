#include "sidecar/net/zmq_context.hpp"

#include <cerrno>

#include <zmq.h>

#include "sidecar/net/socket_gate.hpp"

namespace outrider::sidecar {

ZmqContext::ZmqContext() : context_(zmq_ctx_new()) {
  zmq_ctx_set(context_, ZMQ_THREAD_NAME_PREFIX, SocketGate::thread_name_prefix);
}

ZmqContext::~ZmqContext() {
  while (zmq_ctx_term(context_) != 0 && zmq_errno() == EINTR) {
  }
}

}  // namespace outrider::sidecar
