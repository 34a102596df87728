#include "sidecar/observe/reload_board.hpp"

#include <utility>

namespace outrider::sidecar {

std::uint64_t ReloadBoard::ask(std::string who) {
  std::uint64_t ticket = 0;
  {
    const std::lock_guard lock(mutex_);
    who_ = std::move(who);
    ticket = asked_.fetch_add(1, std::memory_order_relaxed) + 1;
  }
  wake_loop_();
  return ticket;
}

std::optional<ReloadOutcome> ReloadBoard::known(std::uint64_t ticket) const {
  return ticket <= answered_ ? std::optional(outcome_) : std::nullopt;
}

std::optional<ReloadOutcome> ReloadBoard::outcome(std::uint64_t ticket) const {
  const std::lock_guard lock(mutex_);
  return known(ticket);
}

std::optional<ReloadOutcome> ReloadBoard::wait_for(std::uint64_t ticket, Duration patience) const {
  std::unique_lock lock(mutex_);
  finished_.wait_for(lock, patience, [&] { return ticket <= answered_; });
  return known(ticket);
}

std::string ReloadBoard::begin() {
  const std::lock_guard lock(mutex_);
  begun_ = asked_.load(std::memory_order_relaxed);
  return who_;
}

void ReloadBoard::finish(ReloadOutcome outcome) {
  {
    const std::lock_guard lock(mutex_);
    if (answered_ == UINT64_MAX) return;  // closed
    answered_ = begun_;
    outcome_ = std::move(outcome);
  }
  finished_.notify_all();
}

void ReloadBoard::close(ReloadOutcome outcome) {
  begun_ = UINT64_MAX;
  finish(std::move(outcome));
}

std::string_view name_of(ReloadResult result) {
  switch (result) {
    case ReloadResult::applied:
      return "applied";
    case ReloadResult::refused:
      return "refused";
    case ReloadResult::failed:
      return "failed";
  }
  return {};
}

}  // namespace outrider::sidecar
