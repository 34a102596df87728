#include "sidecar/spool/exchange.hpp"

#include <utility>

namespace outrider::sidecar {

void Exchange::ask(std::unique_ptr<Group> group) {
  {
    const std::lock_guard guard(mutex_);
    asked_ = std::move(group);
  }
  wake_storage();
}

std::vector<std::unique_ptr<Group>> Exchange::collect() {
  const std::lock_guard guard(mutex_);
  return std::exchange(answers_, {});
}

std::unique_ptr<Group> Exchange::take() {
  const std::lock_guard guard(mutex_);
  return std::move(asked_);
}

void Exchange::answer(std::unique_ptr<Group> group) {
  {
    const std::lock_guard guard(mutex_);
    answers_.push_back(std::move(group));
  }
  wake_sidecar();
}

std::size_t Exchange::uncollected() const {
  const std::lock_guard guard(mutex_);
  return answers_.size();
}

}  // namespace outrider::sidecar
