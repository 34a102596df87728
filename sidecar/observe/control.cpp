#include "sidecar/observe/control.hpp"

#include <utility>

namespace outrider::sidecar {

std::future<Status> ControlQueue::post(ControlRequest request) {
  Pending pending{std::move(request), {}};
  std::future<Status> answer = pending.answer.get_future();
  {
    const std::lock_guard lock(mutex_);
    if (is_closed_ || pending_.size() == requests_max) {
      pending.answer.set_value(
          Error{is_closed_ ? "the sidecar has stopped" : "too many requests wait; try again"});
      return answer;
    }
    pending_.push_back(std::move(pending));
    has_requests_.store(true, std::memory_order_relaxed);
  }
  wake_loop_();
  return answer;
}

std::vector<ControlQueue::Pending> ControlQueue::take() {
  const std::lock_guard lock(mutex_);
  has_requests_.store(false, std::memory_order_relaxed);
  return std::exchange(pending_, {});
}

void ControlQueue::close() {
  std::vector<Pending> left;
  {
    const std::lock_guard lock(mutex_);
    is_closed_ = true;
    left = std::exchange(pending_, {});
  }
  for (Pending& pending : left) pending.answer.set_value(Error{"the sidecar has stopped"});
}

}  // namespace outrider::sidecar
