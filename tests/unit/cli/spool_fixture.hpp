// A spool made with Store in a directory of the test's own, and the commands run on it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sidecar/arguments/exit_status.hpp"
#include "sidecar/cli/commands.hpp"
#include "sidecar/spool/disk.hpp"
#include "sidecar/spool/store.hpp"
#include "support/manual_clock.hpp"
#include "support/numbered_record.hpp"
#include "support/temp_dir.hpp"

namespace outrider::sidecar {

class SpoolFixture : public ::testing::Test {
 protected:
  struct Outcome {
    int status;
    std::string out;
    std::string err;
  };

  SpoolFixture() {
    open_disk()->prepare(path);
    open();
  }

  void open() { store = std::make_unique<Store>(Database(path, OpenMode::create)); }
  /// As a sidecar leaves it that has ended: everything is in one file.
  void close() { store.reset(); }

  template <typename Action>
  void transact(const Action& action) {
    store->begin(false);
    action();
    store->commit();
  }

  BlockId spool(const std::string& destination, std::uint64_t first, std::uint64_t last,
                std::string_view topic = "orders.paid") {
    Block block;
    block.created_ns = now.wall_ns();
    for (std::uint64_t n = first; n <= last; ++n) {
      const Bytes record = test::numbered_record({.topic = topic, .number = n});
      block.records.insert(block.records.end(), record.begin(), record.end());
      ++block.events;
    }
    BlockId id = 0;
    transact([&] { id = store->insert_block(store->destination(destination), block); });
    return id;
  }

  void schedule(const std::string& destination, std::uint64_t number, Duration in) {
    transact([&] {
      store->insert_scheduled(store->destination(destination),
                              (now.wall + in).time_since_epoch() / std::chrono::nanoseconds(1),
                              test::numbered_record({.number = number}));
    });
  }

  struct Letter {
    std::uint64_t number = 1;
    std::string_view topic = "orders.paid";
    DeadReason reason = DeadReason::refused;
    int status = 400;
    std::string answer = "no";
    Duration age{};
  };
  void bury(const std::string& destination, const Letter& letter) {
    transact([&] {
      DeadLetter dead;
      dead.reason = letter.reason;
      dead.status = letter.status;
      dead.attempts = 2;
      dead.last_ns = static_cast<std::uint64_t>(
          (SystemClock().now().wall - letter.age).time_since_epoch().count());
      dead.first_ns = dead.last_ns - 1'000'000'000;
      dead.answer = letter.answer;
      dead.record = test::numbered_record({.topic = letter.topic, .number = letter.number});
      store->insert_dead(store->destination(destination), dead);
    });
  }

  /// `outrider WORDS --spool PATH`
  Outcome outrider(std::vector<std::string> words) {
    words.insert(words.end(), {"--spool", path});
    return run(words);
  }
  /// `outrider WORDS --config FILE`, where destination a is the only one.
  Outcome outrider_with_config(std::vector<std::string> words) {
    const std::string config = dir.file("o.conf");
    std::ofstream(config) << "[spool]\npath = " << path << "\n[destination.a]\ntype = stdout\n";
    words.insert(words.end(), {"--config", config});
    return run(words);
  }
  static Outcome run(const std::vector<std::string>& words) {
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const int status = run_command_line(words);
    return {status, testing::internal::GetCapturedStdout(), testing::internal::GetCapturedStderr()};
  }

  std::int64_t number(const std::string& sql) { return store->database().number(sql); }

  std::string read_file() const {
    std::ifstream file(path, std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
  void write_file(const std::string& text) const { std::ofstream(path, std::ios::binary) << text; }
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(dir.path())) {
      names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  const test::TempDir dir;
  const std::string path = dir.file("spool.db");
  const Now now = test::ManualClock().now();
  std::unique_ptr<Store> store;
};

/// The "n" of each line, in their order.
inline std::vector<int> numbers_of(const std::string& lines) {
  std::vector<int> numbers;
  for (std::size_t at = 0; (at = lines.find("{\"n\":", at)) != std::string::npos; ++at) {
    numbers.push_back(std::stoi(lines.substr(at + 5)));
  }
  return numbers;
}

}  // namespace outrider::sidecar
