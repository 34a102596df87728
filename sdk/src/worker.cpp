#include "sdk/src/worker.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <limits>
#include <mutex>
#include <utility>

#include <pthread.h>
#include <unistd.h>

namespace outrider::sdk {

long left_ms(SteadyTime deadline) {
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  return static_cast<long>(
      std::clamp<std::chrono::milliseconds::rep>(left.count(), 0, std::numeric_limits<int>::max()));
}

std::thread start_worker(std::function<void()> run) {
  std::thread worker;
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    worker = std::thread([run = std::move(run)] {
      pthread_setname_np(pthread_self(), "outrider");
      run();
    });
  } catch (...) {
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return worker;
}

bool are_threads_left() {
  // libzmq starts two; one more for whoever starts one at the same moment.
  std::array<std::thread, 3> threads;
  std::mutex gate;
  bool are_left = true;
  {
    // All of them at the same time.
    const std::lock_guard hold(gate);
    for (std::thread& thread : threads) {
      thread = start_worker([&gate] { const std::lock_guard pass(gate); });
      are_left &= thread.joinable();
    }
  }
  for (std::thread& thread : threads) {
    if (thread.joinable()) thread.join();
  }
  return are_left;
}

std::string host_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return {};
  return name.data();
}

}  // namespace outrider::sdk
