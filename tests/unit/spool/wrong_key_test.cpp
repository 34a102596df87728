// One bit of what no row's checksum covers: its key, and the counters. Nothing is removed or sent
// because of it that should not be, and nothing is done over and over.
#include <set>

#include "sidecar/inspect/inspection.hpp"
#include "sidecar/inspect/spool_check.hpp"
#include "sidecar/spool/table_walk.hpp"
#include "unit/spool/spool_fixture.hpp"

namespace outrider::sidecar {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t events = 72;
constexpr std::uint64_t hour_ns = 3'600'000'000'000;

class WrongKeyTest : public SpoolFixture {
 protected:
  Database database() { return {spool_path, OpenMode::read_write, twin.vfs_name()}; }

  static std::string big_endian(std::uint64_t number) {
    std::string bytes;
    for (int shift = 56; shift >= 0; shift -= 8) bytes += static_cast<char>(number >> shift);
    return bytes;
  }

  /// Leaves events on disk that are due in an hour, a nanosecond apart.
  void fill() {
    open();
    due_ns_ = clock.now().wall_ns() + hour_ns;
    for (std::uint64_t i = 0; i < events; ++i) {
      Question group;
      add_frame(group, 1, i + 1, i, due_ns_ + i);
      ask(std::move(group));
    }
    agent.reset();
    exchange.collect();
    content_ = twin.content(spool_path);
  }
  void damage_date(std::uint64_t event, unsigned bit) {
    const std::string key = big_endian(due_ns_ + event);
    const std::size_t at = content_.find(key);
    ASSERT_NE(at, std::string::npos);
    twin.put(spool_path, content_);
    twin.flip_bit(spool_path, at + bit / 8, 7 - bit % 8);
  }
  void bury(std::uint64_t letters) {
    open();
    Question group;
    for (std::uint64_t i = 0; i < letters; ++i) group.dead.push_back(dead_letter(clock.now()));
    ask(std::move(group));
    agent.reset();
    exchange.collect();
  }
  std::size_t letters() { return tables()["audit"].dead.size(); }

  std::uint64_t due_ns_ = 0;
  std::string content_;
};

TEST_F(WrongKeyTest, AScheduledEventWithAWrongDateIsSentOnceAndOnTime) {
  fill();
  for (const std::uint64_t event : {0U, 1U, 35U, 53U, 67U, 70U, 71U}) {
    for (unsigned bit = 1; bit < 64; bit += 3) {
      SCOPED_TRACE("event " + std::to_string(event) + ", bit " + std::to_string(bit));
      damage_date(event, bit);
      clock = test::ManualClock();
      log.lines.clear();
      open();
      for (int i = 0; i < 5; ++i) agent->do_work(clock.now());
      EXPECT_TRUE(waiting().empty()) << "it is early";
      clock.advance(2h);
      for (int i = 0; i < 5; ++i) agent->do_work(clock.now());
      const Numbers64 sent = waiting();
      EXPECT_EQ(sent.size(), events);
      EXPECT_EQ(std::set<std::uint64_t>(sent.begin(), sent.end()).size(), events);
      EXPECT_TRUE(tables()["audit"].scheduled.empty());
      agent.reset();
      exchange.collect();
      for (const std::string& path : twin.list()) twin.remove(path);
      if (HasFailure()) return;
    }
  }
}

TEST_F(WrongKeyTest, AWrongDateIsFoundByACheckAndHidesFewRows) {
  fill();
  for (std::uint64_t event = 0; event < events; ++event) {
    for (const unsigned bit : {1U, 3U, 57U}) {
      SCOPED_TRACE("event " + std::to_string(event) + ", bit " + std::to_string(bit));
      damage_date(event, bit);
      std::multiset<std::int64_t> ids;
      Database spool = database();
      const auto stretches = walk_table(spool, {"scheduled", "due_ns", "id"}, "id", [&](auto& row) {
        ids.insert(row.number(2));
        return true;
      });
      const std::set<std::int64_t> different(ids.begin(), ids.end());
      EXPECT_EQ(ids.size(), different.size());
      // A search may be led past some rows; a copy finds these in the pages.
      EXPECT_GE(ids.size(), stretches == 0 ? events : events / 2);
      EXPECT_FALSE(check_spool(spool).problems.empty());
    }
  }
}

TEST_F(WrongKeyTest, ADropRemovesAllOrSaysThatItCannot) {
  fill();
  int refused = 0;
  for (std::uint64_t event = 0; event < events; ++event) {
    for (const unsigned bit : {1U, 3U}) {
      damage_date(event, bit);
      Store store(database());
      try {
        remove_destination(store, "audit");
        EXPECT_EQ(store.database().number("SELECT count(*) FROM scheduled"), 0);
      } catch (const SqliteError& error) {
        EXPECT_EQ(error.trouble(), StorageTrouble::damaged);
        store.roll_back();
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 0);
}

TEST_F(WrongKeyTest, AScheduledEventOfAnOlderSpoolHasNoChecksumOfItsDate) {
  fill();
  {
    Database spool = database();
    spool.execute("UPDATE scheduled SET crc=crc & 0xffffffff");
    EXPECT_TRUE(check_spool(spool).problems.empty());
  }
  open();
  clock.advance(2h);
  for (int i = 0; i < 5; ++i) agent->do_work(clock.now());
  EXPECT_EQ(waiting().size(), events);
  EXPECT_EQ(log.count("damaged"), 0);
}

TEST_F(WrongKeyTest, ADeadLetterWithAWrongNumberIsNotRemovedForEver) {
  bury(10);
  const std::int64_t first = database().number("SELECT min(id) FROM dead");
  const std::string bytes = twin.content(spool_path);
  std::size_t flips = 0;
  // The number stands before the row's head.
  for (std::size_t at = 1; at + 12 < bytes.size(); ++at) {
    const bool is_row = bytes[at] == static_cast<char>(first) && bytes[at + 1] >= 12 &&
                        bytes[at + 1] < 16 && bytes[at + 2] == 0;
    if (!is_row) continue;
    twin.flip_bit(spool_path, at, 6);
    ++flips;
  }
  ASSERT_EQ(flips, 1U);
  settings.dead.events_max = 5;
  open();
  agent->do_work(clock.now());
  agent->do_work(clock.now());
  EXPECT_EQ(log.count("the spool is damaged"), 1);
  clock.advance(11min);
  agent->do_work(clock.now());
  EXPECT_EQ(letters(), 5U);
  exchange.collect();
  const auto answer = ask(frame(1, 1));
  EXPECT_FALSE(answer->has_failed);
}

TEST_F(WrongKeyTest, AWrongCounterOfDeadLettersRemovesNone) {
  for (const char* column : {"dead_events", "dead_bytes"}) {
    bury(10);
    const std::size_t before = letters();
    database().execute(std::string("UPDATE counters SET ") + column + "=" + column + "+(1<<40)");
    log.lines.clear();
    open();
    agent->do_work(clock.now());
    EXPECT_EQ(letters(), before) << column;
    EXPECT_EQ(log.count("totals or indexes did not match"), 1);
    agent.reset();
  }
}

TEST_F(WrongKeyTest, AStartWithAWrongClockRemovesNoDeadLetter) {
  bury(10);
  settings.dead.age_max = 30 * 24h;
  clock.jump_wall(60 * 24h);
  open();
  for (int i = 0; i < 6; ++i) {
    agent->do_work(clock.now());
    clock.advance(9min);
  }
  EXPECT_EQ(letters(), 10U);
  // It is set right, and wrong again.
  clock.jump_wall(-60 * 24h);
  for (int i = 0; i < 30; ++i) {
    agent->do_work(clock.now());
    clock.advance(9min);
  }
  clock.jump_wall(60 * 24h);
  agent->do_work(clock.now());
  clock.advance(11min);
  agent->do_work(clock.now());
  EXPECT_EQ(letters(), 10U);
  clock.advance(1h);
  agent->do_work(clock.now());
  EXPECT_EQ(letters(), 0U) << "so old they are";
}

}  // namespace
}  // namespace outrider::sidecar
