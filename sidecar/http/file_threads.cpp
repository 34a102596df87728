#include "sidecar/http/file_threads.hpp"

#include <utility>

namespace outrider::sidecar {

bool FileThreads::run(Job job) {
  constexpr std::chrono::milliseconds no_time{0};
  for (const auto& thread : threads_) {
    const bool is_idle = thread->wait_for(no_time);
    if (is_idle) return thread->run(std::move(job));
  }
  if (threads_.size() == threads_max) return false;
  const auto wait_max = threads_.empty() ? wait_max_ : no_time;
  threads_.push_back(std::make_unique<HelperThread>("files", wait_max));
  return threads_.back()->run(std::move(job));
}

}  // namespace outrider::sidecar
