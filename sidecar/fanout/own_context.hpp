// OwnContext: a ZmqContext that is not shared, for a socket whose peers have names.
//
// libzmq looks up names in its I/O thread, each time it connects, for as long as the name service
// takes: in a shared context all other sockets would wait too. So this one is not shared. A context
// ends only when its threads do; so it is abandoned if a name service hangs.
//
// Used by ZmqTransport. Thread: the sidecar's one; the destructor waits, at the stop. Owns: the
// context with its two threads, and a third to end it. Fails with: get() is null.
#pragma once

#include <memory>

#include "sidecar/base/clock.hpp"
#include "sidecar/base/helper_thread.hpp"
#include "sidecar/net/zmq_context.hpp"

namespace outrider::sidecar {

class OwnContext {
 public:
  /// The time that a context takes to end when nothing delays it, on a busy machine.
  static constexpr Duration moment = std::chrono::milliseconds(200);

  OwnContext() = default;
  /// Waits for the end.
  ~OwnContext();
  OwnContext(const OwnContext&) = delete;
  OwnContext& operator=(const OwnContext&) = delete;

  void* get() const { return context_ ? context_->get() : nullptr; }

  /// Its sockets are closed: begins its end, which takes as long as they linger. A context that has
  /// not ended by `deadline`, or shortly from now if that is later, ends by itself, or never.
  void end(MonoTime now, MonoTime deadline);

 private:
  std::unique_ptr<ZmqContext> context_ = std::make_unique<ZmqContext>();
  MonoTime ends_by_{};
  HelperThread ender_{"zmq-end"};
};

}  // namespace outrider::sidecar
