// The application of `./dev demo`: a few threads of a shop that tell the world what happens.
//
//     demo_app ENDPOINT EVENTS_PER_THREAD

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include <outrider/client.hpp>

namespace {

using Clock = std::chrono::steady_clock;

void checkout(outrider::Client& client, int thread, int events) {
  static constexpr const char* currencies[] = {"EUR", "USD", "GBP"};
  for (int i = 0; i < events; ++i) {
    switch (i % 10) {
      case 7:
        client.emit("exceptions.payment",
                    {{"class", "Payment::Declined"}, {"message", "card expired"}, {"user_id", i}});
        break;
      case 8:
      case 9:
        client.emit("metrics.request",
                    {{"path", "/cart"}, {"status", 200}, {"duration_ms", 3.5 + i % 40}});
        break;
      default:
        client.emit("orders.paid", {{"order_id", thread * 1'000'000 + i},
                                    {"amount", 49.99 + i % 100},
                                    {"currency", currencies[i % 3]},
                                    {"tags", {{"region", "eu"}, {"coupon", i % 4 == 0}}}});
    }
    // A busy shop: bursts, about 1,250 events a second from each thread.
    if (i % 125 == 124) std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: demo_app ENDPOINT EVENTS_PER_THREAD\n");
    return 2;
  }
  constexpr int thread_count = 4;
  const int events = std::atoi(argv[2]);  // NOLINT(cert-err34-c): 0 is a fine answer to nonsense
  outrider::Client client{std::string(argv[1])};

  const auto begin = Clock::now();
  std::vector<std::thread> threads;
  for (int i = 0; i < thread_count; ++i) {
    threads.emplace_back([&client, i, events] { checkout(client, i, events); });
  }
  for (std::thread& thread : threads) thread.join();
  const auto emitted = Clock::now();
  const bool is_flushed = client.flush(std::chrono::seconds(5));

  const auto ms = [](auto duration) {
    return static_cast<long long>(
        std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
  };
  const outrider_stats stats = client.stats();
  std::uint64_t dropped = 0;
  for (const std::uint64_t count : stats.dropped) dropped += count;
  std::printf("app: %llu events from %d threads in %lld ms, %llu dropped, handed over %s\n",
              static_cast<unsigned long long>(stats.emitted), thread_count, ms(emitted - begin),
              static_cast<unsigned long long>(dropped), is_flushed ? "completely" : "in part");
  return is_flushed && dropped == 0 ? 0 : 1;
}
