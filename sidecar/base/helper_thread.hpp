// HelperThread: a thread for short jobs that may block for ever, such as checking a file on a
// network file system.
//
// Used by FileThreads for credential files, by MemoryMark for its file, and by OwnContext to close
// a context that may never close. run() waits for the job for `wait_max` at most, and only if no
// earlier job is still running: so the caller gets a quick result at once, and a job that hangs
// costs it wait_max only once. A job owns everything that it touches, because it may outlive its
// caller. Thread: the functions belong to one thread. Owns: the thread, made for the first job; a
// thread that is stuck in a job is abandoned. If no thread can be made, no job runs. Limits: none
// on the number of jobs; its user gives one for each thing that it checks.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <thread>

namespace outrider::sidecar {

class HelperThread {
 public:
  using Job = std::function<void()>;
  static constexpr std::chrono::milliseconds default_wait_max{10};

  /// `name` is shown in lists of threads: 15 bytes at most.
  explicit HelperThread(const char* name = "files",
                        std::chrono::milliseconds wait_max = default_wait_max);
  ~HelperThread();
  HelperThread(const HelperThread&) = delete;
  HelperThread& operator=(const HelperThread&) = delete;

  /// False: there can be no thread, and the job is gone.
  bool run(Job job);
  /// Waits for the jobs; false: they are not done in time.
  bool wait_until(std::chrono::steady_clock::time_point deadline);
  bool wait_for(std::chrono::milliseconds wait_max);

 private:
  struct State;
  const std::shared_ptr<State> state_;
  const std::chrono::milliseconds wait_max_;
  std::thread thread_;
};

}  // namespace outrider::sidecar
