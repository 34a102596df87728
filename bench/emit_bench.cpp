// What emit() costs the application, in JSON lines {"name", "value", "unit"}, beside the raw
// ceiling from the same run: msgpack-c packing the same data into a reused buffer.
//
// A receiver in a child process drains an ipc socket. Latency is of single calls, less what
// reading the counter costs. Throughput is the wall time of bursts that fit in the buffer, so that
// it compares what the callers do to each other, not how many cores are left for the shipper; the
// sustained rate, with the shipper and the receiver on the same machine, stands beside it.
#include <algorithm>
#include <array>
#include <barrier>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <msgpack.hpp>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

#include "bench/reference_event.hpp"
#include "outrider/client.hpp"

namespace {

using Clock = std::chrono::steady_clock;

constexpr int latency_samples = 400'000;
constexpr int latency_pause_samples = 2'000;
constexpr std::uint32_t burst_events = 20'000;
constexpr int bursts = 80;
constexpr std::uint64_t burst_buffer_bytes = 128ULL << 20U;

void print(const char* name, double value, const char* unit) {
  std::printf("{\"name\": \"%s\", \"value\": %.4g, \"unit\": \"%s\"}\n", name, value, unit);
  std::fflush(stdout);
}

std::uint64_t ticks() {
#if defined(__x86_64__)
  unsigned processor;
  return __builtin_ia32_rdtscp(&processor);
#else
  return static_cast<std::uint64_t>(Clock::now().time_since_epoch().count());
#endif
}

double nanoseconds_per_tick() {
  const auto begin = Clock::now();
  const std::uint64_t begin_ticks = ticks();
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  const std::chrono::duration<double, std::nano> passed = Clock::now() - begin;
  return passed.count() / static_cast<double>(ticks() - begin_ticks);
}

double quantile(std::vector<std::uint64_t>& sorted, double part) {
  return static_cast<double>(
      sorted[static_cast<std::size_t>(part * static_cast<double>(sorted.size() - 1))]);
}

/// Prints p50 and p99 of single calls of `run(i)`.
template <typename Run>
void measure_latency(const std::string& name, double ns_per_tick, const Run& run) {
  std::vector<std::uint64_t> empty(10'000);
  for (auto& sample : empty) {
    const std::uint64_t begin = ticks();
    sample = ticks() - begin;
  }
  std::sort(empty.begin(), empty.end());
  const double overhead = quantile(empty, 0.5);

  std::vector<std::uint64_t> samples(latency_samples);
  for (int i = 0; i < latency_samples; ++i) {
    // Short pauses: an application emits between other work, and the shipper must keep up.
    if (i % latency_pause_samples == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    const std::uint64_t begin = ticks();
    run(static_cast<std::uint32_t>(i));
    samples[static_cast<std::size_t>(i)] = ticks() - begin;
  }
  std::sort(samples.begin(), samples.end());
  print((name + "_p50").c_str(), (quantile(samples, 0.5) - overhead) * ns_per_tick, "ns");
  print((name + "_p99").c_str(), (quantile(samples, 0.99) - overhead) * ns_per_tick, "ns");
}

outrider::Status emit_reference(outrider::Client& client, std::uint32_t order) {
  return client.emit(outrider::bench::reference_topic, [order](outrider::Writer& writer) {
    outrider::bench::pack_reference_data(writer.packer(), order);
  });
}

outrider::Status emit_fields(outrider::Client& client, std::uint32_t order) {
  return client.emit(
      outrider::bench::reference_topic,
      {{"order_id", std::uint64_t{order}},
       {"user_id", std::uint64_t{4'812'907}},
       {"amount", 49.99},
       {"currency", "EUR"},
       {"items", 3},
       {"host", "app-7.web.fra1.example.com"},
       {"duration_ms", 12.75},
       {"paid", true},
       {"tags", {{"region", "eu-central"}, {"tier", "premium"}, {"channel", "mobile-app-ios"}}}});
}

/// Events a second that `threads` threads emit together, as the best of several bursts: what else
/// runs on the machine only ever makes one slower.
double burst_rate(const std::string& endpoint, int threads) {
  outrider::Options options;
  options.endpoint = endpoint.c_str();
  options.buffer_bytes_max = burst_buffer_bytes;
  options.frame_delay_ms = 200;
  outrider::Client client(options);
  emit_reference(client, 0);
  client.flush(std::chrono::seconds(10));

  std::barrier start(threads + 1);
  std::barrier stop(threads + 1);
  std::vector<std::thread> emitters;
  // Each emitter's own begin and end: this thread may be late to see either.
  std::vector<std::pair<Clock::time_point, Clock::time_point>> spans(
      static_cast<std::size_t>(threads));
  for (std::size_t t = 0; t < spans.size(); ++t) {
    emitters.emplace_back([&, t] {
      for (int burst = 0; burst < bursts; ++burst) {
        start.arrive_and_wait();
        spans[t].first = Clock::now();
        for (std::uint32_t i = 0; i < burst_events; ++i) emit_reference(client, i);
        spans[t].second = Clock::now();
        stop.arrive_and_wait();
      }
    });
  }
  double best = 0;
  for (int burst = 0; burst < bursts; ++burst) {
    start.arrive_and_wait();
    stop.arrive_and_wait();
    auto [begin, end] = spans[0];
    for (const auto& [first, last] : spans) {
      begin = std::min(begin, first);
      end = std::max(end, last);
    }
    const std::chrono::duration<double> passed = end - begin;
    best = std::max(best, threads * static_cast<double>(burst_events) / passed.count());
    client.flush(std::chrono::seconds(30));
  }
  for (std::thread& emitter : emitters) emitter.join();
  return best;
}

/// Events a second that arrive at the socket when emit_wait never lets one drop.
double sustained_rate(const std::string& endpoint) {
  constexpr std::uint32_t events = 2'000'000;
  outrider::Client client(endpoint);
  emit_reference(client, 0);
  client.flush(std::chrono::seconds(10));
  const auto begin = Clock::now();
  for (std::uint32_t i = 0; i < events; ++i) {
    client.emit_wait(std::chrono::seconds(10), outrider::bench::reference_topic,
                     [i](outrider::Writer& writer) {
                       outrider::bench::pack_reference_data(writer.packer(), i);
                     });
  }
  client.flush(std::chrono::seconds(10));
  const std::chrono::duration<double> passed = Clock::now() - begin;
  return events / passed.count();
}

[[noreturn]] void drain(const std::string& endpoint) {
  void* context = zmq_ctx_new();
  void* pull = zmq_socket(context, ZMQ_PULL);
  if (zmq_bind(pull, endpoint.c_str()) != 0) _exit(1);
  zmq_msg_t frame;
  zmq_msg_init(&frame);
  while (zmq_msg_recv(&frame, pull, 0) >= 0) {
  }
  _exit(0);
}

}  // namespace

int main() {
  std::array<char, 32> folder{"/tmp/outrider-bench-XXXXXX"};
  if (mkdtemp(folder.data()) == nullptr) return 1;
  const std::string path = std::string(folder.data()) + "/bench.sock";
  const std::string endpoint = "ipc://" + path;
  const pid_t receiver = fork();
  if (receiver == 0) drain(endpoint);

  const double ns_per_tick = nanoseconds_per_tick();
  {
    msgpack::sbuffer buffer;
    measure_latency("emit_ceiling_pack_only", ns_per_tick, [&](std::uint32_t i) {
      buffer.clear();
      msgpack::packer<msgpack::sbuffer> packer(buffer);
      outrider::bench::pack_reference_data(packer, i);
    });
  }
  {
    outrider::Client client(endpoint);
    emit_reference(client, 0);
    client.flush(std::chrono::seconds(10));
    measure_latency("emit", ns_per_tick, [&](std::uint32_t i) { emit_reference(client, i); });
    measure_latency("emit_fields", ns_per_tick, [&](std::uint32_t i) { emit_fields(client, i); });
    const outrider_stats stats = client.stats();
    print("emit_dropped", static_cast<double>(stats.dropped[OUTRIDER_DROPPED_BUFFER_FULL]),
          "events");
  }
  const double one = burst_rate(endpoint, 1);
  const double two = burst_rate(endpoint, 2);
  print("emit_one_thread", one, "events/s");
  print("emit_two_threads", two, "events/s");
  print("emit_two_threads_ratio", two / one, "x");
  print("emit_sustained_one_thread", sustained_rate(endpoint), "events/s");

  kill(receiver, SIGKILL);
  waitpid(receiver, nullptr, 0);
  unlink(path.c_str());
  rmdir(folder.data());
  return 0;
}
