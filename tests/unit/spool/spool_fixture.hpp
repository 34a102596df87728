// A spool on the storage twin: the agent, and what a test needs to talk to it.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "sidecar/spool/spool.hpp"
#include "sidecar/spool/storage_agent.hpp"
#include "support/manual_clock.hpp"
#include "support/memory_log.hpp"
#include "support/numbered_record.hpp"
#include "support/spool_tables.hpp"
#include "support/twin_disk.hpp"

namespace outrider::sidecar {

inline constexpr const char* spool_path = "/spool/outrider.db";

/// A record as it is on disk.
inline Bytes stored_record(std::uint64_t number, std::size_t more_bytes = 0) {
  std::string topic = "orders.paid";
  topic.append(more_bytes, 'x');
  const auto bytes = test::numbered_record({.topic = topic, .number = number});
  Bytes stored(stored_record_bytes(read_record(bytes.data())));
  write_stored_record(read_record(bytes.data()), {}, stored.data());
  return stored;
}

/// Of the reserve that is there.
inline std::uint64_t reserve_bytes(test::StorageTwin& twin, const std::string& path) {
  return twin.exists(reserve_path(path)) ? twin.file_bytes(reserve_path(path)) : 0;
}

inline DeadLetter dead_letter(const Now& now) {
  return {0, DeadReason::refused, 400, 1, 1, now.wall_ns(), "", stored_record(5)};
}

inline Block block_of(const std::vector<std::uint64_t>& numbers) {
  Block block;
  for (const std::uint64_t number : numbers) {
    const Bytes record = stored_record(number);
    block.records.insert(block.records.end(), record.begin(), record.end());
    ++block.events;
  }
  return block;
}

inline std::vector<std::uint64_t> numbers_of(const std::vector<test::StoredEvent>& events) {
  std::vector<std::uint64_t> numbers;
  for (const auto& event : events) numbers.push_back(event.number);
  return numbers;
}

using Numbers64 = std::vector<std::uint64_t>;

class SpoolFixture : public ::testing::Test {
 protected:
  SpoolFixture() {
    settings.path = spool_path;
    settings.dead = {1000, 1U << 30U, std::chrono::hours(1000)};
    settings.lanes = {"audit", "backup"};
  }

  void open() {
    auto opened = try_open();
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    agent = std::move(opened.value());
  }
  Result<std::unique_ptr<StorageAgent>> try_open() {
    return StorageAgent::open(settings, std::make_unique<test::TwinDisk>(twin), exchange, log,
                              clock.now());
  }
  void crash(test::StorageCrash kind = test::StorageCrash::process) {
    twin.crash(kind);
    agent.reset();
    exchange.collect();
    twin.restart();
    twin.clear_faults();
  }

  /// Has the agent do the group, and returns its answer.
  std::unique_ptr<Reply> ask(std::unique_ptr<Question> group) {
    exchange.ask(std::move(group));
    agent->do_work(clock.now());
    auto answers = exchange.collect();
    EXPECT_EQ(answers.size(), 1U);
    return answers.empty() ? std::make_unique<Reply>() : std::move(answers.back());
  }
  std::unique_ptr<Reply> ask(Question group) {
    return ask(std::make_unique<Question>(std::move(group)));
  }

  static Entry add_bytes(Question& group, DestinationHandle lane, std::uint64_t number,
                         std::uint64_t due_ns = 0) {
    const Bytes record = stored_record(number);
    const Entry entry{lane, static_cast<std::uint32_t>(record.size()), group.bytes.size(), due_ns};
    group.bytes.insert(group.bytes.end(), record.begin(), record.end());
    return entry;
  }
  /// A frame of a client with one event.
  static void add_frame(Question& group, std::uint8_t client, std::uint64_t sequence,
                        std::uint64_t number, std::uint64_t due_ns = 0) {
    ConfirmedFrame frame;
    frame.client[0] = client;
    frame.sequence = sequence;
    frame.first_entry = group.confirmed.size();
    frame.entries = 1;
    group.confirmed.push_back(add_bytes(group, 0, number, due_ns));
    group.frames.push_back(std::move(frame));
  }
  static Question frame(std::uint64_t sequence, std::uint64_t number) {
    Question group;
    add_frame(group, 1, sequence, number);
    return group;
  }
  static Question spill(const Numbers64& numbers, DestinationHandle lane = 0) {
    Question group;
    for (const std::uint64_t number : numbers) {
      group.spilled.push_back(add_bytes(group, lane, number));
    }
    return group;
  }
  static Settlement whole(const Block& block) {
    return {block.id, block.lane, block.events, block.records.size(), true, {}};
  }

  std::map<std::string, test::StoredEvents> tables() {
    Database database(spool_path, OpenMode::read_write, twin.vfs_name());
    test::check_totals(database);
    return test::read_tables(database);
  }
  Numbers64 waiting(const std::string& lane = "audit") {
    return numbers_of(tables()[lane].waiting);
  }

  test::StorageTwin twin;
  test::ManualClock clock;
  test::MemoryLog log;
  Exchange exchange;
  StorageSettings settings;
  std::unique_ptr<StorageAgent> agent;
};

}  // namespace outrider::sidecar
