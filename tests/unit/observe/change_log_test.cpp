#include "sidecar/observe/change_log.hpp"

#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/manual_clock.hpp"
#include "support/memory_log.hpp"
#include "support/places.hpp"

namespace outrider::sidecar {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

constexpr const char* down = "destination is down; its events wait until a probe succeeds";

class ChangeLogTest : public testing::Test {
 protected:
  test::MemoryLog lines_;
  test::ManualClock clock_;
  ChangeLog log_{lines_, clock_};
};

TEST_F(ChangeLogTest, RemembersTransitionsAndPassesAllLinesOn) {
  log_.info("listening", {{"endpoint", "ipc:///a"}});
  log_.warn(down, {{"destination", "audit"}, {"status", "503"}});
  clock_.advance(std::chrono::seconds(2));
  log_.info("destination recovered", {{"destination", "audit"}});
  EXPECT_THAT(lines_.lines, SizeIs(3));

  const std::vector<Change> changes = log_.since(0);
  ASSERT_THAT(changes, SizeIs(2));
  EXPECT_EQ(changes[0].number, 1U);
  EXPECT_EQ(changes[0].level, LogLevel::warn);
  EXPECT_EQ(changes[0].kind, "breaker");
  EXPECT_EQ(changes[0].message, down);
  EXPECT_THAT(changes[0].fields, ElementsAre(Pair("destination", "audit"), Pair("status", "503")));
  EXPECT_EQ(changes[1].at - changes[0].at, std::chrono::seconds(2));
  EXPECT_THAT(log_.since(2), SizeIs(1));
  EXPECT_THAT(log_.since(3), IsEmpty());
}

TEST_F(ChangeLogTest, ForgetsTheOldest) {
  for (int i = 0; i < 300; ++i) log_.info("destination recovered");
  const std::vector<Change> changes = log_.since(0);
  ASSERT_THAT(changes, SizeIs(ChangeLog::changes_max));
  EXPECT_EQ(changes.front().number, 300 - ChangeLog::changes_max + 1);
  EXPECT_EQ(changes.back().number, 300U);
}

TEST_F(ChangeLogTest, StaysBelowItsBytes) {
  const std::string value(10'000, 'x');
  for (int i = 0; i < 300; ++i) {
    log_.info("destination recovered", {{"a", value}, {"b", value}, {"c", value}});
  }
  const std::vector<Change> changes = log_.since(0);
  ASSERT_FALSE(changes.empty());
  EXPECT_EQ(changes.back().number, 300U);
  std::size_t bytes = 0;
  for (const Change& change : changes) {
    bytes += change.message.size();
    for (const auto& [name, text] : change.fields) {
      EXPECT_LE(text.size(), ChangeLog::value_bytes_max);
      bytes += text.size();
    }
  }
  EXPECT_LE(bytes, ChangeLog::bytes_max);
  EXPECT_GE(bytes, ChangeLog::bytes_max / 2) << "it forgets no more than it must";
}

TEST_F(ChangeLogTest, TakesLinesOfSeveralThreads) {
  // Each log behind it is safe from any thread; the test's is not.
  class NoLog final : public Log {
    void write(LogLevel, std::string_view, LogFields) override {}
  } none;
  ChangeLog log(none, clock_);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int line = 0; line < 100; ++line) {
        log.info("destination recovered");
        log.since(0);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(log.since(0).back().number, 400U);
}

/// All string literals of the sidecar, each whole even where it is written in parts.
std::string sources() {
  std::string text;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(test::source_path("sidecar"))) {
    if (entry.path().extension() != ".cpp" || entry.path().filename() == "change_log.cpp") continue;
    std::ifstream file(entry.path());
    std::stringstream content;
    content << file.rdbuf();
    text += content.str();
  }
  return std::regex_replace(text, std::regex("\"\\s*\n\\s*\""), "");
}

TEST(ChangeLogTable, KnowsEachMessageAsItIsWritten) {
  const std::string text = sources();
  for (const std::string_view message : ChangeLog::messages()) {
    EXPECT_NE(text.find('"' + std::string(message) + '"'), std::string::npos)
        << "nobody writes \"" << message << "\" any more; correct the table of change_log.cpp";
  }
}

TEST(ChangeLogTable, HasNoMessageTwice) {
  std::vector<std::string_view> messages = ChangeLog::messages();
  std::ranges::sort(messages);
  EXPECT_EQ(std::ranges::adjacent_find(messages), messages.end());
}

}  // namespace
}  // namespace outrider::sidecar
