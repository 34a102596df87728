// A sidecar that keeps a spool, and the oracle of what must become of the events: numbers issued,
// numbers confirmed, numbers received, dead letters.
//
// Event n has the id "id-" and n with twelve digits, so that it is recognized wherever it turns up:
// in a request, in a block of the spool, among the dead letters.
#pragma once

#include <cstdio>
#include <mutex>

#include "e2e/fault_fixture.hpp"
#include "support/sqlite_query.hpp"

namespace outrider::test {

inline std::string event_id(long number) {
  char text[32];
  std::snprintf(text, sizeof text, "id-%012ld", number);
  return text;
}

/// All that have their id somewhere in these bytes, as often as it is there.
inline std::vector<long> numbers_in(std::string_view bytes) {
  constexpr std::size_t id_bytes = sizeof "id-000000000000" - 1;
  std::vector<long> numbers;
  for (std::size_t at = 0; (at = bytes.find("id-", at)) != std::string::npos; at += 3) {
    const std::string digits(bytes.substr(at + 3, id_bytes - 3));
    if (digits.size() == id_bytes - 3 &&
        digits.find_first_not_of("0123456789") == std::string::npos) {
      numbers.push_back(std::stol(digits));
    }
  }
  return numbers;
}

/// In requests that came whole and were not refused, in their order. Each has the id it was given.
inline std::vector<long> received_by(const FaultReceiver& receiver) {
  std::vector<long> numbers;
  for (const Arrival& arrival : receiver.arrivals()) {
    if (!arrival.is_taken()) continue;
    const auto more = numbers_in(arrival.body);
    numbers.insert(numbers.end(), more.begin(), more.end());
    const auto datas = values_of(arrival.body, "\"n\":", ",}");
    EXPECT_TRUE(std::ranges::equal(more, datas, {}, event_id, [](const std::string& number) {
      return event_id(std::stol(number));
    })) << arrival.body;
  }
  return numbers;
}

inline std::set<long> repeated(const std::vector<long>& numbers) {
  std::set<long> once;
  std::set<long> again;
  for (const long number : numbers) {
    if (!once.insert(number).second) again.insert(number);
  }
  return again;
}

/// What is in `all` and in none of the others.
inline std::set<long> without(std::set<long> all, const std::vector<std::set<long>>& others) {
  for (const std::set<long>& other : others) {
    std::erase_if(all, [&other](long number) { return other.contains(number); });
  }
  return all;
}

/// Numbers that one thread notes and another one reads.
class NumberSet {
 public:
  void insert(long number) {
    const std::lock_guard guard(mutex_);
    numbers_.insert(number);
  }
  std::set<long> all() const {
    const std::lock_guard guard(mutex_);
    return numbers_;
  }
  std::size_t size() const {
    const std::lock_guard guard(mutex_);
    return numbers_.size();
  }

 private:
  mutable std::mutex mutex_;
  std::set<long> numbers_;
};

/// A spool's file. Reading it does not disturb a running sidecar; what a killed one has left is
/// read from a copy, for opening it would mend it.
class SpoolFile {
 public:
  explicit SpoolFile(std::string path) : path_(std::move(path)) {}

  const std::string& path() const { return path_; }

  std::vector<long> numbers(const std::string& table, const std::string& column) const {
    std::vector<long> found;
    for (const std::string& bytes : query(path_, "SELECT " + column + " FROM " + table)) {
      const auto more = numbers_in(bytes);
      found.insert(found.end(), more.begin(), more.end());
    }
    return found;
  }
  /// Those that are not known to be done, and perhaps a few of their neighbours.
  std::set<long> kept() const {
    std::vector<long> found = numbers("block", "records");
    const std::vector<long> scheduled = numbers("scheduled", "record");
    found.insert(found.end(), scheduled.begin(), scheduled.end());
    return distinct(found);
  }
  std::vector<long> dead() const { return numbers("dead", "event"); }
  std::set<long> damaged() const { return distinct(numbers("damaged", "data")); }

  long events() const {
    return query_number(path_, "SELECT sum(events + scheduled_events) FROM destination");
  }
  long rows() const {
    return query_number(path_,
                        "SELECT (SELECT count(*) FROM block) + (SELECT count(*) FROM settled) + "
                        "(SELECT count(*) FROM scheduled)");
  }

  SpoolFile copy() const {
    for (const char* suffix : {"", "-wal"}) {
      std::filesystem::remove(path_ + ".copy" + suffix);
      if (!std::filesystem::exists(path_ + suffix)) continue;
      std::filesystem::copy_file(path_ + suffix, path_ + ".copy" + suffix);
    }
    return SpoolFile(path_ + ".copy");
  }

  void expect_empty_and_sound() const {
    EXPECT_EQ(rows(), 0);
    EXPECT_EQ(events(), 0);
    EXPECT_EQ(query_number(path_, "SELECT sum(bytes + scheduled_bytes) FROM destination"), 0);
    EXPECT_EQ(query(path_, "PRAGMA integrity_check"), std::vector<std::string>{"ok"});
  }

 private:
  std::string path_;
};

class SpoolTest : public testing::Test {
 protected:
  /// `spool`: its file, in the test's own folder.
  explicit SpoolTest(const std::string& spool = "spool.db") : spool_(dir_.file(spool)) {}

  /// One destination, `audit`, with a spool behind it; quick to try again, and soon tired of it.
  std::string config(const std::string& url, const std::string& destination = {},
                     const std::string& linger = "10s") const {
    return "[ingest]\nconfirm_endpoint = " + confirm_endpoint_ +
           "\n[spool]\npath = " + spool_.path() + "\nfree_bytes_min = " + free_bytes_min_ +
           "\n[shutdown]\nlinger = " + linger + "\n" +
           "[destination.audit]\ntype = http\nurl = " + url +
           "\nwhen_full = spool\nretry_initial = 20ms\nretry_max = 100ms\nbatch_events_max = 10\n" +
           destination + "\n";
  }

  Options client_options() const {
    Options options;
    options.endpoint = endpoint_.c_str();
    options.confirm_endpoint = confirm_endpoint_.c_str();
    options.reconnect_initial_ms = 10;
    options.reconnect_max_ms = 50;
    return options;
  }

  /// Delivers event `number` and notes when it is confirmed.
  void deliver(Client& client, long number, const Attributes& more = {},
               const std::string& filler = {}) {
    const std::string id = event_id(number);
    Attributes attributes = more;
    attributes.id = id;
    issued_.insert(number);
    const auto confirm = [this, number](Status status) {
      if (status == Status::ok) confirmed_.insert(number);
    };
    ASSERT_EQ(
        client.deliver("orders.paid", {{"n", number}, {"filler", filler}}, confirm, attributes),
        Status::ok);
  }
  void deliver(Client& client, long first, long last) {
    for (long number = first; number <= last; ++number) deliver(client, number);
  }

  void emit(Client& client, long number) {
    const std::string id = event_id(number);
    issued_.insert(number);
    ASSERT_EQ(client.emit("orders.paid", {{"n", number}}, {.id = id}), Status::ok);
  }

  bool wait_until_received(const FaultReceiver& receiver, const std::set<long>& numbers) {
    const bool is_there =
        eventually([&] { return without(numbers, {distinct(received_by(receiver))}).empty(); });
    EXPECT_TRUE(is_there) << "missing: "
                          << testing::PrintToString(
                                 without(numbers, {distinct(received_by(receiver))}));
    return is_there;
  }

  const TempDir dir_;
  const std::string endpoint_ = "ipc://" + dir_.file("o.sock");
  const std::string confirm_endpoint_ = "ipc://" + dir_.file("c.sock");
  const SpoolFile spool_;
  std::string free_bytes_min_ = "0";
  NumberSet issued_;
  NumberSet confirmed_;
};

}  // namespace outrider::test
