// The application and the sidecar are killed under load, in random order, while the receiver has
// its moods, the disk fills and drains, and the sidecar starts with a clock that is hours or days
// off; and the sidecar is restarted in peace, again and again. Every confirmed event arrives.
//
// Only root can mount a small disk; for others the disk has room, and a line says so.
// OUTRIDER_CHAOS_SECONDS (10) says for how long, OUTRIDER_CHAOS_SEED (1) in what order. A run
// prints both, and at its end, whether it failed or not, the table of what became of the events.
// All of its waits have one deadline, well before ctest's limit.

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <random>

#include "e2e/spool_fixture.hpp"
#include "support/small_disk.hpp"

namespace outrider::test {
namespace {

long number_from_environment(const char* name, long otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::stol(text);
}

std::set<long> numbers_in_diary(const std::string& path) {
  std::ifstream file(path);
  std::set<long> numbers;
  for (std::string line; std::getline(file, line);) numbers.insert(std::stol(line));
  return numbers;
}

class Chaos : public SpoolTest {
 protected:
  static constexpr long events_per_second = 2000;
  static constexpr long numbers_per_life = 1'000'000;
  static constexpr std::uint64_t disk_bytes = 96U << 20U;
  static constexpr long free_bytes_min = 4L << 20U;
  /// From the one to the other is less than the age at which events on disk die.
  static constexpr long clock_off_max_h = 72;

  Chaos() : SpoolTest("disk/spool.db") {}

  void start_sidecar() {
    // A process that died on a full disk may have left no reserve: then it finds no room at all.
    if (!std::filesystem::exists(spool_.path() + ".reserve")) disk_.drain();
    std::vector<std::string> environment;
    if (clock_off_h_ != 0) {
      // With the address sanitizer, which wants to be the first library, too.
      environment = {"LD_PRELOAD=" OUTRIDER_WRONG_CLOCK,
                     "OUTRIDER_WRONG_CLOCK_S=" + std::to_string(clock_off_h_ * 3600),
                     "ASAN_OPTIONS=verify_asan_link_order=0"};
    }
    // Short timeouts: a receiver that hangs must not take the whole time.
    sidecar_ = std::make_unique<Sidecar>(
        dir_,
        config(receiver_.url(),
               "topics = orders.>\ntimeout = 300ms\nconnect_timeout = 300ms\n"
               "queue_events_max = 500\n") +
            "[destination.noise]\ntype = stdout\ntopics = noise.>\nwhen_full = spool\n",
        true, std::move(environment));
  }

  void kill_sidecar() {
    sidecar_->process().signal(SIGKILL);
    ASSERT_EQ(sidecar_->process().wait(), 128 + SIGKILL) << sidecar_->err();
    ++sidecar_kills_;
    fills_ += values_of(sidecar_->err(), "disk has too little room", "\n").size();
  }

  /// Each life of the sidecar has the wall clock that it has.
  void set_clock() {
    clock_off_h_ = random(2) == 0 ? 0 : random(2 * clock_off_max_h + 1) - clock_off_max_h;
    if (clock_off_h_ != 0) ++wrong_clocks_;
  }

  /// How long a wait may take that is to take `longest` at most.
  std::chrono::milliseconds time_left(std::chrono::milliseconds longest) const {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        run_end_ - std::chrono::steady_clock::now());
    return std::clamp<std::chrono::milliseconds>(left, 0ms, longest);
  }

  bool wait_until_more_is_confirmed() const {
    const auto bytes = [this] {
      std::error_code none;
      const auto size = std::filesystem::file_size(confirmed_file_, none);
      return none ? 0 : size;
    };
    const auto before = bytes();
    return eventually([&] { return bytes() > before; }, time_left(30s));
  }

  /// Nothing leaves and nothing fits, until that is said; and then it does.
  void fill_and_drain() {
    if (!disk_.is_small()) {
      std::cout << "only root can mount a small disk: this one has room\n";
      return;
    }
    receiver_.refuse();
    // Also what the sidecar had kept in reserve.
    EXPECT_TRUE(eventually(
        [this] {
          disk_.fill(0);
          return sidecar_->err().find("disk has too little room") != std::string::npos;
        },
        time_left(30s)))
        << sidecar_->err();
    disk_.drain();
    EXPECT_TRUE(wait_until_more_is_confirmed()) << sidecar_->err();
    be_well();
  }

  /// What stands on disk since another clock's time fails with an answer: only then could it be too
  /// old.
  void go_through_wrong_clocks() {
    receiver_.script_requests({}, answer(503));
    std::set<std::string> days;
    for (const long hours : {-clock_off_max_h, clock_off_max_h, 0L}) {
      clock_off_h_ = hours;
      kill_sidecar();
      start_sidecar();
      EXPECT_TRUE(wait_until_more_is_confirmed()) << sidecar_->err();
      EXPECT_TRUE(
          sidecar_->process().wait_for_line("status=503", Process::Stream::err, time_left(20s)))
          << sidecar_->err();
      EXPECT_TRUE(days.insert(sidecar_->err().substr(0, sizeof "2026-01-31" - 1)).second);
      if (HasFailure()) return;
    }
    wrong_clocks_ += 2;
    be_well();
  }

  void start_app() {
    app_ = std::make_unique<Process>(
        std::vector<std::string>{OUTRIDER_CHAOS_APP, endpoint_, confirm_endpoint_,
                                 std::to_string(++lives_ * numbers_per_life),
                                 std::to_string(events_per_second), issued_file_, confirmed_file_});
  }

  void change_mood() {
    receiver_.listen();
    switch (random(7)) {
      case 0:
        return receiver_.refuse();
      case 1:
        return receiver_.ignore();
      case 2:
        return receiver_.script_requests({}, answer(503));
      case 3:
        return receiver_.script_requests({}, {read_all(), hang()});
      case 4:
        return receiver_.script_requests({}, {read_all(), reset_connection()});
      case 5:
        return receiver_.script_requests(
            {}, {read_all(), wait_for(50ms), send_text("HTTP/1.1 2"), close_connection()});
      default:
        return receiver_.script_requests({}, answer());
    }
  }

  void be_well() {
    receiver_.listen();
    receiver_.script_requests({}, answer());
    receiver_.end_connections();
  }

  long random(long below) { return std::uniform_int_distribution<long>(0, below - 1)(random_); }

  /// Kills, fills and moods as chance has it.
  void live_by_chance() {
    const auto end = std::chrono::steady_clock::now() + time_;
    while (std::chrono::steady_clock::now() < end && !HasFailure()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20 + random(600)));
      switch (random(5)) {
        case 0:
          app_->signal(SIGKILL);
          ASSERT_EQ(app_->wait(), 128 + SIGKILL);
          ++app_kills_;
          start_app();
          break;
        case 1:
          kill_sidecar();
          std::this_thread::sleep_for(std::chrono::milliseconds(random(100)));
          set_clock();
          start_sidecar();
          break;
        case 2:
          if (disk_.is_filled()) {
            disk_.drain();
          } else {
            disk_.fill(static_cast<std::uint64_t>(random(2) * random(2 * free_bytes_min)));
          }
          break;
        default:
          change_mood();
      }
    }
  }

  /// All is confirmed, all is delivered.
  void come_to_rest() {
    be_well();
    disk_.drain();
    // By a clock that is behind, events with a date would wait for days.
    clock_off_h_ = 0;
    kill_sidecar();
    start_sidecar();
    app_->close_input();
    EXPECT_EQ(app_->wait(time_left(60s)), 0) << "something was not confirmed\n" << sidecar_->err();
    EXPECT_TRUE(eventually([&] { return spool_.rows() == 0; }, time_left(60s))) << sidecar_->err();
    const int status = sidecar_->stop();
    EXPECT_EQ(status, 0) << sidecar_->err();
  }

  /// After a failure neither has come to its end. What the spool still has is not lost.
  void end_at_once() {
    app_->signal(SIGKILL);
    app_->wait();
    sidecar_->process().signal(SIGKILL);
    sidecar_->process().wait();
    disk_.drain();
  }

  void count_up() {
    const std::set<long> issued = numbers_in_diary(issued_file_);
    const std::set<long> confirmed = numbers_in_diary(confirmed_file_);
    const std::vector<long> received = received_by(receiver_);
    const std::set<long> lost =
        without(confirmed, {distinct(received), distinct(spool_.dead()), spool_.kept()});
    print_table(issued, confirmed, received, lost);
    EXPECT_EQ(spool_.dead(), std::vector<long>{}) << "a wrong clock ages nothing";
    EXPECT_EQ(lost, std::set<long>{});
    EXPECT_EQ(without(distinct(received), {issued}), std::set<long>{});
    EXPECT_GT(confirmed.size(), 0U);
  }

  void print_table(const std::set<long>& issued, const std::set<long>& confirmed,
                   const std::vector<long>& received, const std::set<long>& lost) const {
    std::cout << "| issued | confirmed | received | duplicates | dead letters | lost | "
                 "kills of the app | kills of the sidecar | starts with a wrong clock | "
                 "times the disk was full |\n"
                 "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n| "
              << issued.size() << " | " << confirmed.size() << " | " << distinct(received).size()
              << " | " << received.size() - distinct(received).size() << " | "
              << spool_.dead().size() << " | " << lost.size() << " | " << app_kills_ << " | "
              << sidecar_kills_ << " | " << wrong_clocks_ << " | " << fills_ << " |\n";
  }

  const std::chrono::seconds time_{number_from_environment("OUTRIDER_CHAOS_SECONDS", 10)};
  const std::chrono::steady_clock::time_point run_end_ =
      std::chrono::steady_clock::now() + time_ + 180s;
  const long seed_ = number_from_environment("OUTRIDER_CHAOS_SEED", 1);
  std::mt19937_64 random_{static_cast<std::uint64_t>(seed_)};
  SmallDisk disk_{dir_.file("disk"), disk_bytes};
  FaultReceiver receiver_;
  const std::string issued_file_ = dir_.file("issued");
  const std::string confirmed_file_ = dir_.file("confirmed");
  std::unique_ptr<Sidecar> sidecar_;
  std::unique_ptr<Process> app_;
  long lives_ = 0;
  long app_kills_ = 0;
  long sidecar_kills_ = 0;
  long clock_off_h_ = 0;
  long wrong_clocks_ = 0;
  std::size_t fills_ = 0;
};

TEST_F(Chaos, KillsOfTheAppAndOfTheSidecarUnderLoadLoseNothingThatWasConfirmed) {
  std::cout << "seed " << seed_ << ", " << time_.count() << " s\n";
  free_bytes_min_ = std::to_string(free_bytes_min);
  start_sidecar();
  start_app();
  // Each of these once for certain, before chance takes over.
  if (!HasFailure()) fill_and_drain();
  if (!HasFailure()) go_through_wrong_clocks();
  if (!HasFailure()) live_by_chance();
  if (!HasFailure()) come_to_rest();
  const bool is_at_rest = !HasFailure();
  if (!is_at_rest) end_at_once();
  count_up();
  if (is_at_rest) spool_.expect_empty_and_sound();
}

TEST_F(Chaos, TenRestartsWithTheDestinationDownKeepTheCount) {
  receiver_.refuse();
  Client client(client_options());
  long next = 1;
  for (long life = 1; life <= 10; ++life) {
    Sidecar sidecar(dir_, config(receiver_.url(), "queue_events_max = 25\n", "200ms"));
    for (long i = 0; i < 20; ++i) deliver(client, next++);
    for (long i = 0; i < 40; ++i) emit(client, next++);
    ASSERT_TRUE(client.flush(20s)) << sidecar.err();
    for (long i = 0; i < 10; ++i) deliver(client, next++);
    ASSERT_TRUE(client.flush(20s)) << sidecar.err();
    ASSERT_EQ(sidecar.stop(), 0) << sidecar.err();
    ASSERT_EQ(spool_.events(), 70 * life) << sidecar.err();
    EXPECT_EQ(sidecar.ledger("audit").spooled, static_cast<std::uint64_t>(70 * life));
  }
  EXPECT_EQ(spool_.kept(), issued_.all());
  receiver_.listen();
  Sidecar sidecar(dir_, config(receiver_.url()));
  EXPECT_TRUE(wait_until_received(receiver_, issued_.all()));
  EXPECT_EQ(sidecar.stop(), 0) << sidecar.err();
  EXPECT_EQ(sorted(received_by(receiver_)), range(1, 700)) << "exactly once";
  spool_.expect_empty_and_sound();
}

}  // namespace
}  // namespace outrider::test
