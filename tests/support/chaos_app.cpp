// An application that is killed in the middle of its work: delivers events with ascending numbers
// and keeps two diaries, each number on a line of its own, which survive its end:
//
//     chaos_app ENDPOINT CONFIRM_ENDPOINT FIRST_NUMBER EVENTS_PER_SECOND ISSUED_FILE CONFIRMED_FILE
//
// `issued` is written before an event is delivered, `confirmed` after its confirmation. It goes on
// until its input ends; then it waits for what is unconfirmed and ends with 0 if nothing is left.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <string>
#include <thread>

#include <fcntl.h>
#include <outrider/client.hpp>
#include <unistd.h>

namespace {

using namespace std::chrono_literals;

/// Written with one call each, so that a line is there as a whole or not at all.
class Diary {
 public:
  explicit Diary(const char* path)
      : fd_(open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) {}

  bool note(long number) const {
    const std::string line = std::to_string(number) + "\n";
    return write(fd_, line.data(), line.size()) == static_cast<ssize_t>(line.size());
  }

 private:
  int fd_;
};

void deliver_until(const std::atomic<bool>& is_over, outrider::Client& client, long number,
                   long per_second, const Diary& issued, const Diary& confirmed) {
  const auto begin = std::chrono::steady_clock::now();
  for (long i = 0; !is_over; ++i, ++number) {
    std::this_thread::sleep_until(begin + i * 1'000'000us / per_second);
    issued.note(number);
    const auto confirm = [&confirmed, number](outrider::Status status) {
      if (status == outrider::Status::ok) confirmed.note(number);
    };
    char id[32];
    std::snprintf(id, sizeof id, "id-%012ld", number);
    // One in ten for later; and beside them those that nobody waits for.
    const auto delay = number % 10 == 3 ? 300ms : 0ms;
    while (client.deliver("orders.paid", {{"n", number}}, confirm, {.id = id, .delay = delay}) ==
               outrider::Status::full &&
           !is_over) {
      std::this_thread::sleep_for(1ms);
    }
    if (number % 10 == 7) client.emit("noise.made", {{"n", number}});
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 7) return 2;
  outrider::Options options;
  options.endpoint = argv[1];
  options.confirm_endpoint = argv[2];
  options.reconnect_initial_ms = 10;
  options.reconnect_max_ms = 100;
  const Diary issued(argv[5]);
  const Diary confirmed(argv[6]);
  outrider::Client client(options);
  std::atomic<bool> is_over = false;
  std::thread worker([&] {
    deliver_until(is_over, client, std::stol(argv[3]), std::stol(argv[4]), issued, confirmed);
  });
  char ignored;
  while (read(STDIN_FILENO, &ignored, 1) > 0) {
  }
  is_over = true;
  worker.join();
  return client.close(60s) == outrider::Status::ok ? 0 : 1;
}
