// The application and the sidecar are killed under load, in random order, while the receiver has
// its moods; and the sidecar is restarted in peace, again and again. Every confirmed event arrives.
//
// OUTRIDER_CHAOS_SECONDS (10) says for how long, OUTRIDER_CHAOS_SEED (1) in what order. A run
// prints both. The waits behind the load are shorter than ctest's limit, so that a failure says
// what it saw.

#include <cstdlib>
#include <iostream>
#include <random>

#include "e2e/spool_fixture.hpp"

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

  void start_sidecar() {
    // Short timeouts: a receiver that hangs must not take the whole time.
    sidecar_ = std::make_unique<Sidecar>(
        dir_, config(receiver_.url(),
                     "topics = orders.>\ntimeout = 300ms\nconnect_timeout = 300ms\n"
                     "queue_events_max = 500\n") +
                  "[destination.noise]\ntype = stdout\ntopics = noise.>\nwhen_full = spool\n");
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

  void print_table(const std::set<long>& issued, const std::set<long>& confirmed,
                   const std::vector<long>& received, const std::set<long>& lost) const {
    std::cout << "| issued | confirmed | received | duplicates | dead letters | lost | "
                 "kills of the app | kills of the sidecar |\n"
                 "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n| "
              << issued.size() << " | " << confirmed.size() << " | " << distinct(received).size()
              << " | " << received.size() - distinct(received).size() << " | "
              << spool_.dead().size() << " | " << lost.size() << " | " << app_kills_ << " | "
              << sidecar_kills_ << " |\n";
  }

  const long seed_ = number_from_environment("OUTRIDER_CHAOS_SEED", 1);
  std::mt19937_64 random_{static_cast<std::uint64_t>(seed_)};
  FaultReceiver receiver_;
  const std::string issued_file_ = dir_.file("issued");
  const std::string confirmed_file_ = dir_.file("confirmed");
  std::unique_ptr<Sidecar> sidecar_;
  std::unique_ptr<Process> app_;
  long lives_ = 0;
  long app_kills_ = 0;
  long sidecar_kills_ = 0;
};

TEST_F(Chaos, KillsOfTheAppAndOfTheSidecarUnderLoadLoseNothingThatWasConfirmed) {
  const std::chrono::seconds time(number_from_environment("OUTRIDER_CHAOS_SECONDS", 10));
  std::cout << "seed " << seed_ << ", " << time.count() << " s\n";
  start_sidecar();
  start_app();
  const auto end = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < end && !HasFailure()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20 + random(600)));
    switch (random(4)) {
      case 0:
        app_->signal(SIGKILL);
        ASSERT_EQ(app_->wait(), 128 + SIGKILL);
        ++app_kills_;
        start_app();
        break;
      case 1:
        sidecar_->process().signal(SIGKILL);
        ASSERT_EQ(sidecar_->process().wait(), 128 + SIGKILL) << sidecar_->err();
        ++sidecar_kills_;
        std::this_thread::sleep_for(std::chrono::milliseconds(random(100)));
        start_sidecar();
        break;
      default:
        change_mood();
    }
  }
  be_well();
  app_->close_input();
  EXPECT_EQ(app_->wait(60s), 0) << "something was not confirmed\n" << sidecar_->err();
  EXPECT_TRUE(eventually([&] { return spool_.rows() == 0; }, 60s)) << sidecar_->err();
  const int status = sidecar_->stop();
  EXPECT_EQ(status, 0) << sidecar_->err();

  const std::set<long> issued = numbers_in_diary(issued_file_);
  const std::set<long> confirmed = numbers_in_diary(confirmed_file_);
  const std::vector<long> received = received_by(receiver_);
  const std::set<long> lost = without(confirmed, {distinct(received), distinct(spool_.dead())});
  print_table(issued, confirmed, received, lost);
  EXPECT_EQ(lost, std::set<long>{});
  EXPECT_EQ(without(distinct(received), {issued}), std::set<long>{});
  EXPECT_GT(confirmed.size(), 0U);
  spool_.expect_empty_and_sound();
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
