#include "sidecar/fanout/own_context.hpp"

#include <algorithm>

namespace outrider::sidecar {

OwnContext::~OwnContext() {
  end(MonoTime{}, MonoTime{});
  ender_.wait_until(ends_by_);
}

void OwnContext::end(MonoTime now, MonoTime deadline) {
  if (!context_) return;
  ends_by_ = std::max(deadline, now + moment);
  // If no thread can be made to wait in, it is abandoned.
  ender_.run([context = context_.release()] { delete context; });
}

}  // namespace outrider::sidecar
