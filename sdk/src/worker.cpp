#include "sdk/src/worker.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

namespace outrider::sdk {

long left_ms(SteadyTime deadline) {
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  return std::max<long>(0, static_cast<long>(left.count()));
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

std::string host_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return {};
  return name.data();
}

}  // namespace outrider::sdk
