#include "sidecar/base/thread_probe.hpp"

#include <atomic>
#include <chrono>
#include <system_error>
#include <thread>
#include <vector>

#include <sys/stat.h>

namespace outrider::sidecar {
namespace {

constexpr int settle_ms_max = 100;

}  // namespace

std::size_t threads_now() {
  constexpr nlink_t links_of_empty = 2;
  struct stat tasks {};
  return stat("/proc/self/task", &tasks) == 0 ? tasks.st_nlink - links_of_empty : 0;
}

Error no_threads(const char* reason) {
  return {std::string("the system allows no more threads (") + reason +
          "): raise TasksMax= of the unit, pids.max of the cgroup, `ulimit -u` or `ulimit -v`"};
}

Status probe_threads(std::size_t count) {
  const std::size_t before = threads_now();
  std::atomic<bool> is_over = false;
  std::vector<std::thread> threads;
  Status status = Nothing{};
  try {
    while (threads.size() < count) threads.emplace_back([&] { is_over.wait(false); });
  } catch (const std::system_error& error) {
    status = no_threads(error.code().message().c_str());
  } catch (const std::bad_alloc&) {
    status = no_threads("out of memory");
  }
  is_over = true;
  is_over.notify_all();
  for (std::thread& thread : threads) thread.join();
  // A thread that has been joined still counts for a moment.
  for (int i = 0; i < settle_ms_max && threads_now() > before; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return status;
}

}  // namespace outrider::sidecar
