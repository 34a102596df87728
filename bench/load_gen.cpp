// Load for a sidecar: reference events from the SDK, in bursts, at a given rate. Nothing is
// dropped: what does not fit in the buffer waits. Ends when the last frame is handed over.
//
//     load_gen ENDPOINT EVENTS EVENTS_PER_SECOND [TOPIC]
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>

#include "bench/reference_event.hpp"
#include "outrider/client.hpp"

namespace {

/// Several batches long, so that the sidecar has full ones to send.
constexpr std::uint64_t burst_events_max = 5'000;
/// Slow loads come evenly.
constexpr double bursts_per_s_min = 10;

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4 && argc != 5) {
    std::fprintf(stderr, "usage: load_gen ENDPOINT EVENTS EVENTS_PER_SECOND [TOPIC]\n");
    return 2;
  }
  const std::uint64_t events = std::strtoull(argv[2], nullptr, 10);
  const double events_per_s = std::strtod(argv[3], nullptr);
  const std::uint64_t burst_events = std::clamp<std::uint64_t>(
      static_cast<std::uint64_t>(events_per_s / bursts_per_s_min), 1, burst_events_max);
  const std::chrono::duration<double> burst_time(static_cast<double>(burst_events) / events_per_s);
  const std::string_view topic = argc == 5 ? argv[4] : outrider::bench::reference_topic;
  outrider::Client client{std::string(argv[1])};
  const auto begin = std::chrono::steady_clock::now();
  std::uint64_t taken = 0;
  for (std::uint64_t burst = 0; burst * burst_events < events; ++burst) {
    std::this_thread::sleep_until(begin + static_cast<double>(burst) * burst_time);
    const std::uint64_t end = std::min(events, (burst + 1) * burst_events);
    for (std::uint64_t i = burst * burst_events; i < end; ++i) {
      const outrider::Status status =
          client.emit_wait(std::chrono::seconds(10), topic, [i](outrider::Writer& writer) {
            outrider::bench::pack_reference_data(writer.packer(), static_cast<std::uint32_t>(i));
          });
      taken += status == outrider::Status::ok ? 1 : 0;
    }
  }
  if (client.flush(std::chrono::seconds(30)) && taken == events) return 0;
  std::fprintf(stderr, "load_gen: only %llu of %llu events were taken, or they were not sent\n",
               static_cast<unsigned long long>(taken), static_cast<unsigned long long>(events));
  return 1;
}
