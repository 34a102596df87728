// A Destination with a false clock and a transport whose answers the test decides.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "sidecar/base/time_left.hpp"
#include "sidecar/deliver/destination.hpp"
#include "support/fake_transport.hpp"
#include "support/manual_clock.hpp"
#include "support/memory_log.hpp"
#include "support/numbered_record.hpp"

namespace outrider::sidecar {

class DestinationFixture : public ::testing::Test {
 protected:
  DestinationFixture() {
    config.name = "audit";
    config.format = BodyFormat::ndjson;
    config.concurrency_max = 2;
    config.batch_events_max = 3;
    config.retry_initial = std::chrono::seconds(1);
    config.retry_max = std::chrono::minutes(5);
  }

  void TearDown() override {
    if (destination) {
      EXPECT_TRUE(destination->ledger().is_balanced());
    }
  }

  void build() { build(make_encoder({.format = "ndjson"})); }
  void build(std::unique_ptr<Encoder> encoder) {
    auto owned = std::make_unique<test::FakeTransport>();
    transport = owned.get();
    destination = std::make_unique<Destination>(config, std::move(encoder), std::move(owned),
                                                nullptr, log, 1);
  }
  void accept(std::uint64_t first, std::uint64_t last, std::uint64_t ttl_ms = 0) {
    for (std::uint64_t i = first; i <= last; ++i) {
      destination->accept(test::numbered_record({.number = i,
                                                 .time_ns = clock.now().wall_ns(),
                                                 .ttl_ms = ttl_ms,
                                                 .arrived = clock.now()}),
                          clock.now());
    }
  }
  void turn() {
    while (destination->do_work(clock.now()) > 0) {
      EXPECT_TRUE(destination->ledger().is_balanced());
    }
  }
  /// Advances to the next deadline; that is how the run loop sleeps.
  void sleep_until_due() {
    const MonoTime deadline = destination->next_deadline();
    ASSERT_NE(deadline, never);
    clock.advance(time_left(deadline, clock.now().mono));
    turn();
  }
  /// The numbers of the events in a body.
  static std::vector<int> numbers(const std::string& body) {
    std::vector<int> found;
    for (std::size_t at = 0; (at = body.find("\"n\":", at)) != std::string::npos; at += 4) {
      found.push_back(std::stoi(body.substr(at + 4)));
    }
    return found;
  }
  /// An event with a key.
  void accept_keyed(std::string_view key, std::uint64_t number) {
    destination->accept(test::numbered_record({.number = number, .key = key}), clock.now());
  }
  void accept_with(proto::Priority priority, std::uint64_t number) {
    destination->accept(test::numbered_record({.number = number, .priority = priority}),
                        clock.now());
  }
  /// Waits until nothing is left, answering everything with 200.
  void drain() {
    for (int i = 0; i < 1000 && !destination->is_drained(); ++i) {
      if (transport->open.empty()) sleep_until_due();
      while (!transport->open.empty()) transport->answer(200), turn();
    }
  }
  std::vector<int> sent(std::size_t attempt) const {
    return numbers(transport->started.at(attempt).body);
  }
  const Ledger& ledger() const { return destination->ledger(); }

  DestinationConfig config;
  test::ManualClock clock;
  test::MemoryLog log;
  test::FakeTransport* transport = nullptr;
  std::unique_ptr<Destination> destination;
};

/// Of destination_test.cpp and failures_test.cpp.
class DestinationTest : public DestinationFixture {};

using Numbers = std::vector<int>;

}  // namespace outrider::sidecar
