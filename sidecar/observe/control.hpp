// ControlQueue: what other threads ask the loop to do.
//
// Used by the admin server, which posts, and by App, which carries out between two turns of its
// parts. Each request is answered exactly once; what is still queued when the loop ends is answered
// with an error.
// Thread: safe from any thread. Limits: requests_max wait at a time; one more is refused.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <future>
#include <mutex>
#include <string>
#include <vector>

#include "sidecar/base/clock.hpp"
#include "sidecar/base/log.hpp"
#include "sidecar/base/result.hpp"

namespace outrider::sidecar {

enum class ControlAction : std::uint8_t {
  pause,      ///< a destination sends nothing new, for `duration`; 0: until resume
  resume,     ///< a destination sends again
  log_level,  ///< of the whole process
  drain,      ///< a stop begins, as by SIGTERM
};

struct ControlRequest {
  ControlAction action{};
  std::string destination{};  ///< pause, resume
  Duration duration{};        ///< pause
  LogLevel level{};           ///< log_level
  std::string who{};          ///< for the log and for those who look at it
};

class ControlQueue {
 public:
  static constexpr std::size_t requests_max = 64;

  explicit ControlQueue(std::function<void()> wake_loop) : wake_loop_(std::move(wake_loop)) {}
  ~ControlQueue() { close(); }

  /// The answer comes within the loop's next turn.
  std::future<Status> post(ControlRequest request);

  // For the loop ----------------------------------------------------------------------------------

  struct Pending {
    ControlRequest request;
    std::promise<Status> answer;
  };
  bool is_empty() const { return !has_requests_.load(std::memory_order_relaxed); }
  std::vector<Pending> take();
  /// Nothing is carried out any more.
  void close();

 private:
  std::function<void()> wake_loop_;
  std::atomic<bool> has_requests_ = false;
  std::mutex mutex_;
  std::vector<Pending> pending_;
  bool is_closed_ = false;
};

}  // namespace outrider::sidecar
