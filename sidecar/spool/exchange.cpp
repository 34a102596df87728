#include "sidecar/spool/exchange.hpp"

#include <utility>

namespace outrider::sidecar {

void Exchange::ask(std::unique_ptr<Question> question) {
  {
    const std::lock_guard guard(mutex_);
    asked_ = std::move(question);
  }
  wake_storage();
}

void Exchange::put_back(std::unique_ptr<Question> question) {
  const std::lock_guard guard(mutex_);
  asked_ = std::move(question);
  ++put_backs_;
}

std::uint64_t Exchange::put_backs() const {
  const std::lock_guard guard(mutex_);
  return put_backs_;
}

std::vector<std::unique_ptr<Reply>> Exchange::collect() {
  const std::lock_guard guard(mutex_);
  return std::exchange(answers_, {});
}

std::unique_ptr<Question> Exchange::take() {
  const std::lock_guard guard(mutex_);
  return std::move(asked_);
}

void Exchange::answer(std::unique_ptr<Reply> answer) {
  {
    const std::lock_guard guard(mutex_);
    answers_.push_back(std::move(answer));
  }
  wake_sidecar();
}

std::size_t Exchange::uncollected() const {
  const std::lock_guard guard(mutex_);
  return answers_.size();
}

std::optional<SpoolSnapshot> Exchange::numbers() const {
  const std::lock_guard guard(mutex_);
  std::optional<SpoolSnapshot> numbers = numbers_;
  if (numbers) numbers->transaction_time = transaction_time_;
  return numbers;
}

void Exchange::note_numbers(const SpoolSnapshot& numbers) {
  const std::lock_guard guard(mutex_);
  numbers_ = numbers;
}

void Exchange::note_transaction(Duration time) {
  const std::lock_guard guard(mutex_);
  transaction_time_.add(time);
}

}  // namespace outrider::sidecar
