// FaultTest: what every row of the fault matrix does around its fault.
//
// A row emits numbered events to the real sidecar, whose one destination `audit` sends them to a
// FaultReceiver, lets the fault happen and end, stops the sidecar, and then compares the ledger
// with what the receiver really took. Each row appends one line to the file that
// OUTRIDER_FAULT_TABLE names; `./dev faults` prints them.
#pragma once

#include <cstdlib>

#include "e2e/e2e_fixture.hpp"
#include "support/fault_receiver.hpp"

namespace outrider::test {

/// Whether the receiver may have got an event twice.
enum class Duplicates {
  none,     ///< every failed attempt was known to have failed
  allowed,  ///< the outcome of some attempt was unknown
};

/// What the sidecar says of the events at its end, and how often they arrived.
struct Tally {
  LedgerRow ledger;
  std::size_t received = 0;  ///< in requests that came whole and were not refused
  std::size_t distinct = 0;
};

inline std::vector<std::string> values_of(const std::string& text, const std::string& before,
                                          const std::string& ends) {
  std::vector<std::string> values;
  for (std::size_t at = 0; (at = text.find(before, at)) != std::string::npos;) {
    at += before.size();
    values.push_back(text.substr(at, text.find_first_of(ends, at) - at));
  }
  return values;
}

inline void write_table_line(const std::string& fault, const std::string& ends_as,
                             const Tally& tally) {
  const char* file = std::getenv("OUTRIDER_FAULT_TABLE");
  if (file == nullptr || testing::Test::HasFailure()) return;
  const LedgerRow& row = tally.ledger;
  std::ofstream(file, std::ios::app)
      << "| " << fault << " | " << ends_as << " | " << row.accepted << " | " << row.delivered
      << " | " << row.dead << " | " << row.dropped + row.left << " | " << tally.received << " | "
      << tally.distinct << " | " << tally.received - tally.distinct << " |\n";
}

class FaultTest : public testing::Test {
 protected:
  static constexpr long events = 20;

  /// Short only where a fault is to run into them: a busy machine is no fault.
  struct Timeouts {
    std::string request = "20s";
    std::string connect = "20s";
  };

  /// `audit` sends to `url`, in batches of ten, and is quick to try again.
  static std::string audit(const std::string& url, const std::string& more = {},
                           const Timeouts& timeouts = {"20s", "20s"}) {
    return "[destination.audit]\ntype = http\nurl = " + url + "\ntimeout = " + timeouts.request +
           "\nconnect_timeout = " + timeouts.connect +
           "\nretry_initial = 20ms\nretry_max = 100ms\nbatch_events_max = 10\n" + more + "\n";
  }

  void start(const std::string& config, std::vector<std::string> environment = {}) {
    sidecar_ = std::make_unique<Sidecar>(dir_, config, true, std::move(environment));
    client_ = std::make_unique<Client>(sidecar_->endpoint());
  }

  void emit(long first = 1, long last = events) {
    emit_numbers(*client_, first, last);
    EXPECT_TRUE(client_->flush(10s));
  }

  /// The numbers in the requests that the receiver took, in their order.
  static std::vector<long> taken(const FaultReceiver& receiver) {
    std::vector<long> numbers;
    for (const Arrival& arrival : receiver.arrivals()) {
      if (!arrival.is_taken()) continue;
      for (const std::string& value : values_of(arrival.body, "\"n\":", ",}")) {
        numbers.push_back(std::stol(value));
      }
    }
    return numbers;
  }

  static bool has_taken(const FaultReceiver& receiver, long last = events) {
    return distinct(taken(receiver)).size() == static_cast<std::size_t>(last);
  }

  bool wait_until_taken(const FaultReceiver& receiver, long last = events) {
    const bool has_all = eventually([&] { return has_taken(receiver, last); });
    EXPECT_TRUE(has_all) << sidecar_->err();
    return has_all;
  }

  /// Something went wrong at the destination, and the sidecar said so.
  void wait_until_it_fails() {
    EXPECT_TRUE(sidecar_->process().wait_for_line("destination=audit", Process::Stream::err))
        << sidecar_->err();
  }

  /// Stops the sidecar and compares: all delivered, each event under one id, and once unless
  /// `duplicates` says otherwise.
  void expect_all_delivered(const std::string& fault, const FaultReceiver& receiver,
                            Duplicates duplicates) {
    wait_until_taken(receiver);
    EXPECT_EQ(sidecar_->stop(), 0) << sidecar_->err();
    const Tally tally = tally_of(receiver);
    EXPECT_EQ(tally.ledger.delivered, static_cast<std::uint64_t>(events));
    EXPECT_EQ(tally.distinct, static_cast<std::size_t>(events));
    if (duplicates == Duplicates::none) {
      EXPECT_EQ(tally.received, tally.distinct);
    }
    expect_one_id_each(receiver);
    write_table_line(fault, "delivered", tally);
  }

  /// Stops the sidecar and compares: none taken, all of them dead letters.
  void expect_all_dead(const std::string& fault, const FaultReceiver& receiver) {
    EXPECT_TRUE(sidecar_->process().wait_for_line("dead", Process::Stream::err));
    EXPECT_EQ(sidecar_->stop(), 3) << sidecar_->err();
    const Tally tally = tally_of(receiver);
    EXPECT_EQ(tally.ledger.dead, static_cast<std::uint64_t>(events));
    EXPECT_EQ(tally.received, 0U);
    write_table_line(fault, "dead", tally);
  }

  Tally tally_of(const FaultReceiver& receiver) const {
    const std::vector<long> numbers = taken(receiver);
    return {sidecar_->ledger("audit"), numbers.size(), distinct(numbers).size()};
  }

  /// Whatever an event went through, it kept its id; and a repeated request had its own again.
  static void expect_one_id_each(const FaultReceiver& receiver) {
    std::map<std::string, std::string> id_of_number;
    std::map<std::string, std::string> body_of_key;
    for (const Arrival& arrival : receiver.arrivals()) {
      if (!arrival.is_complete) continue;
      const auto ids = values_of(arrival.body, "\"id\":\"", "\"");
      const auto numbers = values_of(arrival.body, "\"n\":", ",}");
      ASSERT_EQ(ids.size(), numbers.size()) << arrival.body;
      for (std::size_t i = 0; i < ids.size(); ++i) {
        EXPECT_EQ(id_of_number.emplace(numbers[i], ids[i]).first->second, ids[i]);
      }
      const std::string key = arrival.header("Idempotency-Key");
      EXPECT_FALSE(key.empty());
      EXPECT_EQ(body_of_key.emplace(key, arrival.body).first->second, arrival.body);
    }
  }

  TempDir dir_;
  std::unique_ptr<Sidecar> sidecar_;
  std::unique_ptr<Client> client_;
};

}  // namespace outrider::test
