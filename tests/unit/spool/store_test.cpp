#include "sidecar/spool/store.hpp"

#include <gtest/gtest.h>

#include "sidecar/base/random.hpp"
#include "unit/spool/spool_fixture.hpp"

namespace outrider::sidecar {
namespace {

using namespace std::chrono_literals;

class StoreTest : public ::testing::Test {
 protected:
  StoreTest() { reopen(); }
  void TearDown() override { test::check_totals(*store); }

  void reopen() {
    store.reset();
    store = std::make_unique<Store>(Database(spool_path, OpenMode::create, twin.vfs_name()));
    commit([&] { audit = store->destination("audit"); });
  }
  template <typename Action>
  void commit(const Action& action) {
    store->begin(true);
    action();
    store->commit();
    test::check_totals(*store);
  }
  BlockId insert(const Numbers64& numbers) {
    BlockId id = 0;
    commit([&] { id = store->insert_block(audit, block_of(numbers)); });
    return id;
  }
  test::StoredEvents stored() { return test::read_tables(store->database())["audit"]; }
  Numbers64 waiting() { return numbers_of(stored().waiting); }
  DeadLetter letter(std::uint64_t number) {
    return {0, DeadReason::refused, 400, 2, 1, clock.now().wall_ns(), "no", stored_record(number)};
  }

  test::StorageTwin twin;
  test::ManualClock clock;
  std::unique_ptr<Store> store;
  DestinationId audit = 0;
};

TEST_F(StoreTest, GivesBlocksBackInTheirOrderFromTheCursorOn) {
  const BlockId first = insert({1, 2});
  const BlockId second = insert({3});
  const ReadBlocks all = store->read(audit, {0, INT64_MIN, 1U << 20U});
  ASSERT_EQ(all.blocks.size(), 2U);
  EXPECT_EQ(all.blocks[0].id, first);
  EXPECT_EQ(all.blocks[1].id, second);
  EXPECT_TRUE(all.is_end);
  const ReadBlocks rest = store->read(audit, {0, first, 1U << 20U});
  ASSERT_EQ(rest.blocks.size(), 1U);
  EXPECT_EQ(rest.blocks[0].records, block_of({3}).records);
  const ReadBlocks part = store->read(audit, {0, INT64_MIN, 1});
  EXPECT_EQ(part.blocks.size(), 1U);
  EXPECT_FALSE(part.is_end);
}

TEST_F(StoreTest, SettlesABlockInParts) {
  const BlockId id = insert({1, 2, 3});
  const std::uint64_t bytes = stored_record(1).size();
  commit([&] { store->settle(audit, {id, 0, 1, bytes, false, {0b010}}); });
  EXPECT_EQ(waiting(), (Numbers64{1, 3}));
  commit([&] { store->settle(audit, {id, 0, 1, bytes, false, {0b110}}); });
  EXPECT_EQ(waiting(), (Numbers64{1}));
  EXPECT_EQ(store->read(audit, {0, INT64_MIN, 1U << 20U}).blocks[0].settled, Bytes{0b110});
  commit([&] { store->settle(audit, {id, 0, 1, bytes, true, {}}); });
  EXPECT_TRUE(waiting().empty());
  commit([&] { store->settle(audit, {id, 0, 1, bytes, true, {}}); });
  commit([&] { store->settle(audit, {id, 0, 1, bytes, false, {0b1}}); });
}

TEST_F(StoreTest, PutsFrontBlocksBeforeAllOthersInTheirOrder) {
  insert({9});
  for (const std::uint64_t first : {5U, 1U}) {
    Block one = block_of({first, first + 1});
    Block two = block_of({first + 2});
    commit([&] { store->insert_front(audit, {&one, &two}, clock.now()); });
  }
  EXPECT_EQ(waiting(), (Numbers64{1, 2, 3, 5, 6, 7, 9}));
}

TEST_F(StoreTest, SetsADamagedBlockAsideAndCountsWhatWasNotSettled) {
  const BlockId id = insert({1, 2, 3});
  insert({4});
  commit([&] { store->settle(audit, {id, 0, 1, stored_record(1).size(), false, {0b001}}); });
  store->database().execute("UPDATE block SET crc=crc+1 WHERE id=" + std::to_string(id));
  const ReadBlocks read = store->read(audit, {0, INT64_MIN, 1U << 20U});
  EXPECT_EQ(read.damaged, std::vector<BlockId>{id});
  EXPECT_EQ(read.blocks.size(), 1U);
  commit([&] { EXPECT_EQ(store->quarantine(audit, id, clock.now()).events, 2U); });
  store->begin(true);
  EXPECT_THROW(store->quarantine(audit, id, clock.now()), SqliteError) << "it would come for ever";
  store->roll_back();
  EXPECT_EQ(waiting(), (Numbers64{4}));
  EXPECT_EQ(store->database().number("SELECT count(*) FROM damaged"), 1);
}

TEST_F(StoreTest, ReleasesWhatIsDueOldestFirstAndNothingElse) {
  const std::uint64_t now_ns = clock.now().wall_ns();
  commit([&] {
    for (const std::uint64_t number : {3U, 1U, 2U, 5U}) {
      store->insert_scheduled(audit, now_ns - 10 + number, stored_record(number));
    }
    store->insert_scheduled(audit, now_ns + 1, stored_record(6));
    store->insert_scheduled(audit, UINT64_MAX, stored_record(7));
  });
  EXPECT_EQ(store->next_due_ns(), now_ns - 9);
  store->database().execute("UPDATE scheduled SET crc=crc+1 WHERE due_ns=" +
                            std::to_string(now_ns - 7));
  std::vector<DueEvent> due;
  commit([&] { due = store->take_due(clock.now(), 2, 1U << 20U); });
  ASSERT_EQ(due.size(), 2U);
  EXPECT_EQ(due[0].record, stored_record(1));
  EXPECT_EQ(due[1].record, stored_record(2));
  commit([&] { due = store->take_due(clock.now(), 100, 1U << 20U); });
  ASSERT_EQ(due.size(), 2U);
  EXPECT_TRUE(due[0].record.empty()) << "damaged";
  EXPECT_EQ(due[1].record, stored_record(5));
  EXPECT_EQ(numbers_of(stored().scheduled), (Numbers64{6, 7}));
  commit([&] { EXPECT_TRUE(store->take_due(clock.now(), 100, 1U << 20U).empty()); });
}

TEST_F(StoreTest, KeepsDeadLettersWithinTheirLimits) {
  const auto bury = [&](std::uint64_t first, std::uint64_t last) {
    commit([&] {
      for (std::uint64_t i = first; i <= last; ++i) store->insert_dead(audit, letter(i));
    });
  };
  const auto trim = [&](const DeadLimits& limits) {
    std::uint64_t removed = 0;
    commit([&] { removed = store->trim_dead(limits, clock.now()).removed; });
    return removed;
  };
  bury(1, 5);
  EXPECT_EQ(trim({5, 1U << 20U, 1h}), 0U);
  EXPECT_EQ(trim({3, 1U << 20U, 1h}), 2U);
  EXPECT_EQ(numbers_of(stored().dead), (Numbers64{3, 4, 5}));
  EXPECT_EQ(trim({100, 2 * (stored_record(1).size() + 2), 1h}), 1U);
  clock.advance(2h);
  bury(6, 6);
  EXPECT_EQ(trim({100, 1U << 20U, 1h}), 2U);
  EXPECT_EQ(numbers_of(stored().dead), (Numbers64{6}));
  EXPECT_EQ(stored().dead_reasons, std::vector<std::string>{"refused"});
}

TEST_F(StoreTest, ADeadLetterThatIsPutBackIsToldOnce) {
  commit([&] {
    store->insert_dead(audit, letter(1));
    store->insert_dead(audit, letter(2));
  });
  const std::int64_t id = store->database().number("SELECT min(id) FROM dead");
  commit([&] { store->put_back_dead(id, clock.now()); });
  commit([&] { store->put_back_dead(id, clock.now()); });
  EXPECT_EQ(waiting(), (Numbers64{1}));
  EXPECT_EQ(numbers_of(stored().dead), (Numbers64{2}));
  const auto returned = store->take_returned();
  ASSERT_EQ(returned.size(), 1U);
  EXPECT_EQ(returned[0].first, audit);
  EXPECT_EQ(returned[0].second.events, 1U);
  EXPECT_EQ(returned[0].second.bytes, stored_record(1).size());
  EXPECT_TRUE(store->take_returned().empty());
  commit([&] { store->remove_dead(store->database().number("SELECT min(id) FROM dead")); });
  EXPECT_TRUE(stored().dead.empty());
}

TEST_F(StoreTest, AFrameIsTakenOnceAlsoAfterAStart) {
  ConfirmedFrame frame;
  frame.sequence = 7;
  const auto take = [&] {
    bool is_new = false;
    commit([&] { is_new = store->take_frame(frame, clock.now()).is_new; });
    return is_new;
  };
  EXPECT_TRUE(take());
  EXPECT_FALSE(take());
  reopen();
  EXPECT_FALSE(take());
  frame.sequence = 8;
  store->begin(true);
  EXPECT_TRUE(store->take_frame(frame, clock.now()).is_new);
  store->insert_block(audit, block_of({1}));
  store->roll_back();
  EXPECT_TRUE(waiting().empty());
  EXPECT_TRUE(take()) << "it was rolled back";
}

TEST_F(StoreTest, ForgetsTheClientsThatWereSilentForLongest) {
  commit([&] {
    store->database().execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<" +
        std::to_string(Store::clients_max) +
        ") INSERT INTO client SELECT randomblob(16), 1, x'02', " +
        std::to_string(clock.now().wall_ns()) + "+i FROM n");
    store->database().execute("UPDATE counters SET clients=" + std::to_string(Store::clients_max));
  });
  reopen();
  clock.advance(2 * Store::client_silence_min);
  ConfirmedFrame frame;
  frame.sequence = 1;
  commit([&] { store->take_frame(frame, clock.now()); });
  EXPECT_EQ(store->database().number("SELECT count(*) FROM client"),
            Store::clients_max - Store::clients_max / 16 + 1);
}

TEST_F(StoreTest, NoClientIsForgottenBecauseOfAWrongCounter) {
  ConfirmedFrame frame;
  frame.sequence = 1;
  commit([&] { store->take_frame(frame, clock.now()); });
  store->database().execute("UPDATE counters SET clients=" + std::to_string(Store::clients_max));
  clock.advance(2 * Store::client_silence_min);
  ConfirmedFrame other = frame;
  other.client[0] = 1;
  commit([&] { store->take_frame(other, clock.now()); });
  EXPECT_EQ(store->database().number("SELECT count(*) FROM client"), 2);
  EXPECT_EQ(store->database().number("SELECT clients FROM counters"), 2);
}

TEST_F(StoreTest, AFloodOfNewClientsMakesNobodyForgottenWhoWasThereBefore) {
  ConfirmedFrame old;
  old.sequence = 1;
  commit([&] { store->take_frame(old, clock.now()); });
  // As many as there may be, all of them later, and heard more often.
  commit([&] {
    store->database().execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<" +
        std::to_string(Store::clients_max - 1) +
        ") INSERT INTO client SELECT randomblob(16), 1, x'" + std::string(1024, '0') +
        "7000000000000000', " + std::to_string(clock.now().wall_ns()) + "+i FROM n");
    store->database().execute("UPDATE counters SET clients=" + std::to_string(Store::clients_max));
  });
  reopen();
  bool is_new = true;
  commit([&] {
    for (std::uint32_t i = 0; i < 4 * Store::clients_pruned_min; ++i) {
      clock.advance(std::chrono::milliseconds(1));
      ConfirmedFrame stranger;
      stranger.sequence = 1;
      stranger.client = {1, static_cast<std::uint8_t>(i), static_cast<std::uint8_t>(i >> 8U)};
      store->take_frame(stranger, clock.now());
    }
    is_new = store->take_frame(old, clock.now()).is_new;
  });
  EXPECT_FALSE(is_new);
  EXPECT_LE(store->database().number("SELECT count(*) FROM client"), Store::clients_max);
}

TEST_F(StoreTest, ADatabaseOfAnotherProgramIsLeftAlone) {
  Database other("/spool/other.db", OpenMode::create, twin.vfs_name());
  other.execute("CREATE TABLE t(a)");
  try {
    Store over_other(std::move(other));
    FAIL() << "it was taken for a spool";
  } catch (const SqliteError& error) {
    EXPECT_EQ(error.trouble(), StorageTrouble::failing) << "it must not be set aside";
  }
}

TEST_F(StoreTest, TheTotalsAreAlwaysThoseOfWhatThereIs) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    Random random(seed);
    std::uint64_t number = 0;
    std::map<BlockId, std::pair<std::uint32_t, Bytes>> open;
    for (int step = 0; step < 60; ++step) {
      store->begin(random.chance(0.5));
      for (std::uint64_t left = random.below(4); left > 0; --left) {
        const std::uint64_t kind = random.below(5);
        if (kind == 0) {
          const BlockId id = store->insert_block(audit, block_of({++number % 200, 201, 202}));
          open[id] = {3, Bytes(1)};
        } else if (kind == 1) {
          store->insert_scheduled(audit, clock.now().wall_ns() + random.below(100),
                                  stored_record(number));
        } else if (kind == 2) {
          clock.advance(30ns);
          store->take_due(clock.now(), 1 + random.below(3), 1U << 20U);
        } else if (kind == 3) {
          store->insert_dead(audit, letter(number));
          store->trim_dead({10, 1U << 20U, 1h}, clock.now());
        } else if (!open.empty()) {
          auto& [id, rest] = *open.begin();
          const auto bit = static_cast<std::uint8_t>(1U << (3 - rest.first));
          rest.second[0] |= bit;
          store->settle(audit, {id, 0, 1, stored_record(1).size(), --rest.first == 0, rest.second});
          if (rest.first == 0) open.erase(open.begin());
        }
      }
      store->commit();
      test::check_totals(*store);
      if (HasFailure()) return;
    }
  }
}

}  // namespace
}  // namespace outrider::sidecar
