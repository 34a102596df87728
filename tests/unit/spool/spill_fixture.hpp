// A Destination with a lane of a spool on the storage twin, and a transport whose answers the test
// decides.
#pragma once

#include <memory>
#include <string>

#include "sidecar/deliver/destination.hpp"
#include "sidecar/encode/encoder.hpp"
#include "support/fake_transport.hpp"
#include "unit/spool/spool_fixture.hpp"

namespace outrider::sidecar {

class SpillFixture : public SpoolFixture {
 protected:
  SpillFixture() {
    config.name = "audit";
    config.format = BodyFormat::ndjson;
    config.when_full = WhenFull::spool;
    config.queue_events_max = 4;
    config.batch_events_max = 2;
    config.concurrency_max = 1;
    settings.lanes = {"audit"};
  }
  void TearDown() override { EXPECT_TRUE(destination->ledger().is_balanced()); }

  void start() {
    destination.reset();
    agent.reset();
    open();
    SpoolSettings spool_settings;
    spool_settings.bytes_max = 1U << 30U;
    spool_settings.lanes = {{config.spool_bytes_max, config.spool_age_max, false}};
    spool = std::make_unique<Spool>(spool_settings, agent->state().lanes, exchange, log);
    auto owned = std::make_unique<test::FakeTransport>();
    transport = owned.get();
    destination = std::make_unique<Destination>(config, make_encoder({.format = "ndjson"}),
                                                std::move(owned), &spool->lane(0), log, 1);
  }
  void accept(std::uint64_t first, std::uint64_t last, std::string_view key = "",
              proto::Priority priority = proto::Priority::normal) {
    for (std::uint64_t i = first; i <= last; ++i) {
      destination->accept(test::numbered_record({.number = i, .key = key, .priority = priority}),
                          clock.now());
    }
  }
  void turn() {
    for (int i = 0; i < 20; ++i) {
      spool->do_work(clock.now());
      destination->do_work(clock.now());
      spool->hand_over(clock.now());
      agent->do_work(clock.now());
      EXPECT_TRUE(destination->ledger().is_balanced());
    }
  }
  void answer_all() {
    for (int i = 0; i < 100; ++i) {
      turn();
      if (transport->open.empty()) return;
      transport->answer(200);
    }
  }
  std::string sent() const {
    std::string numbers;
    for (const auto& attempt : transport->started) {
      for (std::size_t at = 0; (at = attempt.body.find("\"n\":", at)) != std::string::npos; ++at) {
        numbers += std::to_string(std::stoi(attempt.body.substr(at + 4))) + " ";
      }
    }
    return numbers;
  }
  /// At the end: what is left goes to disk.
  void stop() {
    destination->begin_stop(clock.now());
    destination->abandon(clock.now());
    turn_spool();
  }
  void turn_spool() {
    for (int i = 0; i < 5; ++i) {
      spool->hand_over(clock.now());
      agent->do_work(clock.now());
      spool->do_work(clock.now());
    }
  }
  const Ledger& ledger() const { return destination->ledger(); }

  DestinationConfig config;
  std::unique_ptr<Spool> spool;
  test::FakeTransport* transport = nullptr;
  std::unique_ptr<Destination> destination;
};

}  // namespace outrider::sidecar
