// From emit() to the receiver, through the real sidecar: the time until the handler of an HTTPS
// server in this process has the whole request. One event is on its way at a time, with a pause
// between, so that nothing is gathered and everything was asleep.
//
//     latency_bench ENDPOINT CERT_FILE
//
// writes the server's certificate, says "listening on URL", and waits for a sidecar at ENDPOINT
// that delivers there. Then it prints JSON lines {"name", "value", "unit"}.
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "bench/figures.hpp"
#include "bench/reference_event.hpp"
#include "outrider/client.hpp"
#include "sidecar/sink/certificate.hpp"
#include "sidecar/sink/sink_server.hpp"

namespace outrider::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint32_t warm_up_events = 20;
constexpr std::uint32_t samples_max = 500;
constexpr std::chrono::milliseconds pause{20};
constexpr std::chrono::seconds arrival_wait_max{20};

/// Hands the arrival of an event from the server's thread to the emitting one.
class Arrivals {
 public:
  void note(const std::string& body) {
    const Clock::time_point now = Clock::now();
    constexpr std::string_view field = "\"order_id\":";
    const std::size_t at = body.find(field);
    if (at == std::string::npos) return;
    const std::lock_guard lock(mutex_);
    order_ = std::strtoul(body.c_str() + at + field.size(), nullptr, 10);
    at_ = now;
    changed_.notify_one();
  }

  Clock::time_point wait_for(std::uint32_t order) {
    std::unique_lock lock(mutex_);
    if (changed_.wait_for(lock, arrival_wait_max, [&] { return order_ == order; })) return at_;
    std::fprintf(stderr, "latency_bench: event %u did not arrive\n", order);
    std::_Exit(1);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t order_ = 0;
  Clock::time_point at_;
};

int run(const char* endpoint, const char* cert_file) {
  auto certificate = sidecar::Certificate::make_self_signed();
  if (!certificate.ok() || !certificate.value().write(cert_file).ok()) return 1;
  Arrivals arrivals;
  auto server = sidecar::SinkServer::listen("127.0.0.1", 0, &certificate.value(),
                                            [&](const sidecar::SinkRequest& request) {
                                              arrivals.note(request.body);
                                              return sidecar::SinkAnswer{};
                                            });
  if (!server.ok()) return 1;
  server.value()->start();
  std::printf("listening on https://127.0.0.1:%d\n", server.value()->port());
  std::fflush(stdout);

  Client client{std::string(endpoint)};
  std::vector<double> samples_ms;
  for (std::uint32_t order = 1; order <= warm_up_events + samples_max; ++order) {
    std::this_thread::sleep_for(pause);
    const Clock::time_point emitted = Clock::now();
    client.emit(reference_topic,
                [order](Writer& writer) { pack_reference_data(writer.packer(), order); });
    const std::chrono::duration<double, std::milli> took = arrivals.wait_for(order) - emitted;
    if (order > warm_up_events) samples_ms.push_back(took.count());
  }
  print_figure("latency_p50", quantile(samples_ms, 0.5), "ms");
  print_figure("latency_p99", quantile(samples_ms, 0.99), "ms");
  print_figure("latency_max", quantile(samples_ms, 1), "ms");
  std::fflush(stdout);
  std::_Exit(0);  // the server's connections hold their threads until the sidecar closes them
}

}  // namespace
}  // namespace outrider::bench

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: latency_bench ENDPOINT CERT_FILE\n");
    return 2;
  }
  return outrider::bench::run(argv[1], argv[2]);
}
