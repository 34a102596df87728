// HelperThread: a thread for short jobs that may block for ever, as a look at a file of a network
// file system may.
//
// Used by FileThreads for credential files, by MemoryMark for its file, and by OwnContext to end
// what may never end. run() waits for the job for `wait_max` at most, and only if no job before it
// is still running: so what is quick is there at once, and what hangs costs the caller wait_max,
// once. A job owns all that it touches, for it may outlive its caller. Thread: the functions belong
// to one thread. Owns: the thread, made for the first job; one that is stuck in a job is left
// behind. Without a thread (none can be made) no job runs. Limits: as many jobs as are given; its
// user gives one for each thing that it looks at.
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
