// What the start says about a write-ahead log that was damaged after the sidecar was killed.

#include "sidecar/spool/log_check.hpp"

#include <algorithm>
#include <functional>
#include <utility>

#include <gtest/gtest.h>

#include "unit/spool/spool_fixture.hpp"

namespace outrider::sidecar {
namespace {

constexpr std::size_t head_bytes = 32;
constexpr std::size_t frame_bytes = 24 + Store::page_bytes;

class LogCheckTest : public SpoolFixture {
 protected:
  LogCheckTest() {
    open();
    for (std::uint64_t number = 1; number <= 20; ++number) {
      ask(frame(number, number));
      all_.push_back(number);
    }
    crash();
    log_bytes_ = twin.content(log_path_);
    database_bytes_ = twin.content(spool_path);
  }

  /// What is left of the events.
  std::size_t start_with(const std::string& content) {
    agent.reset();
    for (const std::string& path : twin.list()) twin.remove(path);
    twin.put(spool_path, database_bytes_);
    twin.put(log_path_, content);
    log.lines.clear();
    open();
    return waiting().size();
  }

  std::size_t start_with(const std::function<void(std::string&)>& damage) {
    std::string content = log_bytes_;
    damage(content);
    return start_with(content);
  }

  int damaged() const { return log.count("write-ahead log is damaged"); }
  int unknown() const { return log.count("transactions=unknown"); }

  const std::string log_path_ = wal_path(spool_path);
  std::string log_bytes_;
  std::string database_bytes_;
  Numbers64 all_;
};

TEST_F(LogCheckTest, ALogThatEndsIsNotDamaged) {
  EXPECT_EQ(start_with(log_bytes_), all_.size());
  EXPECT_EQ(damaged(), 0);
  EXPECT_LT(start_with(log_bytes_.substr(0, log_bytes_.size() / 2)), all_.size());
  EXPECT_EQ(damaged(), 0);
  EXPECT_EQ(start_with(std::string(100'000, '\0')), 0U);
  EXPECT_EQ(damaged(), 0) << "nothing was written to it";
}

TEST_F(LogCheckTest, WhatADamagedLogCostsIsSaid) {
  // In its head, in that of a frame, in a page.
  for (const std::size_t at : {std::size_t{3}, std::size_t{17}, head_bytes + 17, 6 * frame_bytes}) {
    EXPECT_LT(start_with([at](std::string& bytes) { bytes[at] ^= 1; }), all_.size()) << at;
    EXPECT_EQ(damaged(), 1) << at;
    EXPECT_EQ(unknown(), 0) << at;
  }
}

TEST_F(LogCheckTest, AHeadAndFirstFrameThatAreDamagedTogetherAreSaid) {
  const auto swap_pages = [](std::string& bytes, std::ptrdiff_t at) {
    std::swap_ranges(bytes.begin(), bytes.begin() + 4096, bytes.begin() + at);
  };
  const std::vector<std::function<void(std::string&)>> damages = {
      [](std::string& bytes) { bytes.replace(0, 32, 32, '\0'); },
      [](std::string& bytes) { bytes.replace(0, 512, 512, '\0'); },
      [](std::string& bytes) { bytes.replace(0, 4096, 4096, '\0'); },
      [](std::string& bytes) { bytes.replace(0, 4096, 4096, 'x'); },
      [&](std::string& bytes) { swap_pages(bytes, 4096); },
      [&](std::string& bytes) { swap_pages(bytes, 40'960); },
  };
  for (std::size_t i = 0; i < damages.size(); ++i) {
    EXPECT_LT(start_with(damages[i]), all_.size()) << i;
    EXPECT_EQ(damaged(), 1) << i;
    EXPECT_EQ(unknown(), 0) << i;
  }
}

TEST_F(LogCheckTest, ADamagedLogWithoutASoundFrameIsSaidToo) {
  std::string one_frame = log_bytes_.substr(0, head_bytes + frame_bytes);
  one_frame.replace(0, 512, 512, '\0');
  start_with(one_frame);
  EXPECT_EQ(damaged(), 1);
  EXPECT_EQ(unknown(), 1);
}

// An older log leaves its frames in the file, with other salts.
TEST_F(LogCheckTest, TheFramesOfAnOlderLogAreNotCounted) {
  open();
  ASSERT_EQ(waiting().size(), all_.size());
  {
    Database database(spool_path, OpenMode::read_write, twin.vfs_name());
    database.number("SELECT count(*) FROM block");
    database.checkpoint();
  }
  // These begin the log again.
  for (std::uint64_t number = 21; number <= 23; ++number) ask(frame(number, number));
  const std::string database_bytes = twin.content(spool_path);
  std::string content = twin.content(log_path_);
  crash();
  database_bytes_ = database_bytes;
  EXPECT_EQ(start_with(content), 23U);
  EXPECT_EQ(damaged(), 0);
  content.replace(0, 512, 512, '\0');
  EXPECT_EQ(start_with(content), 20U);
  EXPECT_EQ(damaged(), 1);
  EXPECT_EQ(unknown(), 0);
  for (int transactions = 4; transactions < 30; ++transactions) {
    EXPECT_EQ(log.count(" transactions=" + std::to_string(transactions)), 0);
  }
}

}  // namespace
}  // namespace outrider::sidecar
