// ZmqContext: a ZeroMQ context whose threads have the names by which the SocketGate knows them.
//
// Used by Host or Embedded, which have one for all sockets, because inproc endpoints reach only
// sockets of the same context; and by OwnContext. Thread: any. Owns: the context with its two
// threads; outlives its sockets, and its destructor waits until they have sent what they linger
// for. Fails with: get() is null, and no socket can be made.
#pragma once

namespace outrider::sidecar {

class ZmqContext {
 public:
  ZmqContext();
  ~ZmqContext();
  ZmqContext(const ZmqContext&) = delete;
  ZmqContext& operator=(const ZmqContext&) = delete;

  void* get() const { return context_; }

 private:
  void* const context_;
};

}  // namespace outrider::sidecar
