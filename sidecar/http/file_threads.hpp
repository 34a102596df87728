// FileThreads: threads that check and read files, so that one that hangs delays no other.
//
// Used by CurlDriver for the files of credentials. A job goes to an idle thread; one is made if
// there is none. Usually there is only one thread, and run() waits for its job for `wait_max`. It
// does not wait for a job on another thread, because then something hangs or is slow. A job owns
// everything that it touches, because it may outlive its caller. Thread: the functions belong to
// one thread. Owns: the threads, which stay; one that is stuck is abandoned. Limits: threads_max; a
// user has one job at a time, and so holds one thread.
#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "sidecar/base/helper_thread.hpp"

namespace outrider::sidecar {

class FileThreads {
 public:
  using Job = HelperThread::Job;
  static constexpr std::size_t threads_max = 64;

  explicit FileThreads(std::chrono::milliseconds wait_max) : wait_max_(wait_max) {}

  /// False: there is no thread for it, and the job is gone. It may be given again.
  bool run(Job job);

 private:
  const std::chrono::milliseconds wait_max_;
  std::vector<std::unique_ptr<HelperThread>> threads_;
};

}  // namespace outrider::sidecar
