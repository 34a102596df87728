// Random destinations for the simulations, and how many seeds there are to be.
#pragma once

#include <array>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>

#include <gtest/gtest.h>
#include <sys/time.h>
#include <unistd.h>

#include "sidecar/base/random.hpp"
#include "sidecar/config/destination_config.hpp"

namespace outrider::test {

inline sidecar::DestinationConfig random_destination(sidecar::Random& random, std::uint64_t i) {
  sidecar::DestinationConfig destination;
  destination.name = "d" + std::to_string(i);
  destination.format = sidecar::BodyFormat::ndjson;
  destination.when_full =
      random.chance(0.5) ? sidecar::WhenFull::drop_newest : sidecar::WhenFull::drop_oldest;
  destination.queue_events_max = 1 + random.below(300);
  destination.queue_bytes_max = 1000 + random.below(30'000);
  destination.batch_events_max = 1 + random.below(50);
  destination.batch_bytes_max = 100 + random.below(10'000);
  destination.batch_delay = std::chrono::milliseconds(random.below(300));
  destination.concurrency_max = 1 + random.below(8);
  destination.ordering = random.chance(0.4) ? sidecar::Ordering::key : sidecar::Ordering::none;
  destination.breaker_failures = random.below(8);
  destination.breaker_failure_rate = random.chance(0.5) ? 0.5 : 0;
  destination.retry_share_max = random.chance(0.5) ? 0.2 : 1;
  if (random.chance(0.2)) destination.sample_rate = 0.5;
  if (random.chance(0.2)) destination.body_bytes_max = 120;
  if (random.chance(0.2)) {
    destination.rate_max.events_per_s = 1 + static_cast<double>(random.below(200));
    destination.rate_max.requests_per_s = 1 + static_cast<double>(random.below(20));
  }
  if (random.chance(0.3)) destination.status_actions = {{409, 409, sidecar::Outcome::delivered}};
  if (random.chance(0.2)) {
    destination.status_actions.push_back({400, 400, sidecar::Outcome::split});
    destination.status_actions.push_back({404, 404, sidecar::Outcome::hold});
    destination.status_actions.push_back({422, 422, sidecar::Outcome::retry});
  }
  if (random.chance(0.2)) destination.retry_age_max = std::chrono::seconds(random.below(20));
  if (random.chance(0.2)) destination.rate_max.bytes_per_s = 1000;
  destination.retry_initial = std::chrono::milliseconds(1 + random.below(500));
  destination.retry_max = destination.retry_initial * 16;
  destination.retry_attempts_max = random.below(4) == 0 ? 1 + random.below(5) : 0;
  // What answers nothing, and what has several urls.
  if (random.chance(0.1)) {
    destination.type = sidecar::DestinationType::file;
  } else if (random.chance(0.5)) {
    for (std::uint64_t left = 1 + random.below(4); left > 0; --left) {
      destination.urls.push_back("https://receiver-" + std::to_string(left) + ".example/in");
    }
  }
  if (random.chance(0.3)) destination.topics = {"orders.>"};
  if (random.chance(0.2)) destination.exclude = {"orders.paid"};
  return destination;
}

inline std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): one thread
  return value == nullptr ? otherwise : std::strtoull(value, nullptr, 10);
}

/// The words for a seed that has not ended in time, by one of two clocks. A simulation never waits.
/// So a seed that takes cpu_s_max of this process's own CPU time runs in circles, however loaded
/// the machine is. A seed that blocks in a system call takes no CPU time. So there is a limit by
/// the wall clock too, below ctest's own, which would not name the seed. By hand, with
/// OUTRIDER_SIM_SEEDS or OUTRIDER_SIM_SEED, there is more time. `hang_place` names the call that
/// the simulation made last.
inline std::array<char, 80> hang_text;
inline std::atomic<const char*> hang_place{"the simulation"};
inline constexpr unsigned cpu_s_max = 60;
inline constexpr unsigned wall_s_max = 100;
inline constexpr unsigned wall_s_max_by_hand = 3600;
inline void end_hang(int /*signal*/) {
  const char* const seed = hang_text.data();
  for (const char* text : {seed, ", in ", hang_place.load(), "\n"}) {
    [[maybe_unused]] const auto said = ::write(2, text, std::strlen(text));
  }
  std::_Exit(1);
}
inline void end_after(unsigned cpu_s) {
  const itimerval timer{.it_interval = {}, .it_value = {.tv_sec = cpu_s, .tv_usec = 0}};
  setitimer(ITIMER_PROF, &timer, nullptr);
}

/// Runs `run(seed)` for the seeds 1 to `seeds`, a tenth of them under a sanitizer, which is ten
/// times as slow; prints which. OUTRIDER_SIM_SEEDS and OUTRIDER_SIM_FIRST give others,
/// OUTRIDER_SIM_SEED one alone. Stops at the first that fails or hangs, and says which it was.
template <typename Run>
void for_each_seed(std::uint64_t seeds, Run&& run) {
#ifdef OUTRIDER_SANITIZED
  seeds = (seeds + 9) / 10;
#endif
  const std::uint64_t only = from_environment("OUTRIDER_SIM_SEED", 0);
  const std::uint64_t by_hand = only != 0 ? 1 : from_environment("OUTRIDER_SIM_SEEDS", 0);
  const std::uint64_t first = only != 0 ? only : from_environment("OUTRIDER_SIM_FIRST", 1);
  const std::uint64_t count = by_hand != 0 ? by_hand : seeds;
  std::cout << "seeds " << first << " to " << first + count - 1 << std::endl;
  std::signal(SIGPROF, end_hang);
  std::signal(SIGALRM, end_hang);
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    std::snprintf(hang_text.data(), hang_text.size(), "not done in time: OUTRIDER_SIM_SEED=%llu",
                  static_cast<unsigned long long>(seed));
    alarm(by_hand != 0 ? wall_s_max_by_hand : wall_s_max);
    end_after(cpu_s_max);
    run(seed);
    end_after(0);
    alarm(0);
    ASSERT_FALSE(testing::Test::HasFailure()) << "run it again with OUTRIDER_SIM_SEED=" << seed;
  }
}

}  // namespace outrider::test
