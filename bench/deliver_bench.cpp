// deliver() through the real sidecar with a spool: how many events are confirmed in a second from
// two threads, and how long one takes alone, beside one fsync of the same disk.
//
//     deliver_bench CONFIRM_ENDPOINT FOLDER [EVENTS]
//
// FOLDER is on the spool's disk. Prints JSON lines {"name", "value", "unit"}.
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "bench/figures.hpp"
#include "bench/reference_event.hpp"
#include "outrider/client.hpp"

namespace outrider::bench {
namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;

constexpr int threads = 2;
constexpr std::uint32_t samples_max = 1000;
constexpr std::size_t page_bytes = 4096;
constexpr std::size_t file_pages = 256;

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "deliver_bench: %s\n", what);
  std::_Exit(1);
}

/// One page written and synced, in a file that has its size already, as SQLite's log has.
double fsync_ms(const std::string& folder) {
  const std::string path = folder + "/fsync";
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) fail("cannot open a file to sync");
  std::array<char, page_bytes> page{};
  for (std::size_t i = 0; i < file_pages; ++i) {
    if (::write(fd, page.data(), page.size()) < 0) fail("cannot write");
  }
  ::fsync(fd);
  std::vector<double> samples_ms;
  for (std::uint32_t i = 0; i < samples_max; ++i) {
    page[0] = static_cast<char>(i);
    if (::pwrite(fd, page.data(), page.size(), static_cast<off_t>(i % file_pages * page_bytes)) < 0)
      fail("cannot write");
    const Clock::time_point begin = Clock::now();
    ::fsync(fd);
    samples_ms.push_back(Milliseconds(Clock::now() - begin).count());
  }
  ::close(fd);
  ::unlink(path.c_str());
  return quantile(samples_ms, 0.5);
}

void measure_latency(Client& client) {
  std::vector<double> samples_ms;
  for (std::uint32_t i = 0; i < samples_max; ++i) {
    const Clock::time_point begin = Clock::now();
    const Status status =
        client.deliver_wait(std::chrono::seconds(10), reference_topic,
                            [i](Writer& writer) { pack_reference_data(writer.packer(), i); });
    if (status != Status::ok) fail("an event was not confirmed");
    samples_ms.push_back(Milliseconds(Clock::now() - begin).count());
  }
  print_figure("confirm_p50", quantile(samples_ms, 0.5), "ms");
  print_figure("confirm_p99", quantile(samples_ms, 0.99), "ms");
}

void measure_throughput(Client& client, std::uint64_t events) {
  std::atomic<std::uint64_t> confirmed = 0;
  const auto deliver = [&](std::uint64_t count) {
    for (std::uint64_t i = 0; i < count;) {
      const Status status = client.deliver(
          reference_topic,
          [i](Writer& writer) {
            pack_reference_data(writer.packer(), static_cast<std::uint32_t>(i));
          },
          [&confirmed](Status result) {
            if (result != Status::ok) fail("an event was not confirmed");
            confirmed.fetch_add(1, std::memory_order_relaxed);
          });
      if (status == Status::ok) {
        ++i;
      } else if (status == Status::full) {
        std::this_thread::sleep_for(std::chrono::microseconds(200));
      } else {
        fail("an event was not taken");
      }
    }
  };
  const Clock::time_point begin = Clock::now();
  std::vector<std::thread> callers;
  for (int i = 0; i < threads; ++i) callers.emplace_back(deliver, events / threads);
  for (std::thread& caller : callers) caller.join();
  if (!client.flush(std::chrono::seconds(60)) || confirmed != events) fail("not all confirmed");
  const std::chrono::duration<double> took = Clock::now() - begin;
  print_figure("confirmed_per_s", static_cast<double>(events) / took.count(), "/s");
}

int run(const std::string& endpoint, const std::string& folder, std::uint64_t events) {
  Options options;
  options.confirm_endpoint = endpoint.c_str();
  Client client(options);
  print_figure("fsync_p50", fsync_ms(folder), "ms");
  measure_latency(client);
  measure_throughput(client, events);
  return 0;
}

}  // namespace
}  // namespace outrider::bench

int main(int argc, char** argv) {
  if (argc != 3 && argc != 4) {
    std::fprintf(stderr, "usage: deliver_bench CONFIRM_ENDPOINT FOLDER [EVENTS]\n");
    return 2;
  }
  return outrider::bench::run(argv[1], argv[2],
                              argc == 4 ? std::strtoull(argv[3], nullptr, 10) : 1'000'000);
}
