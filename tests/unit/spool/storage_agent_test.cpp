#include "sidecar/spool/storage_agent.hpp"

#include <gtest/gtest.h>

#include "unit/spool/spool_fixture.hpp"

namespace outrider::sidecar {
namespace {

using namespace std::chrono_literals;
using test::StorageOperation;

class StorageAgentTest : public SpoolFixture {
 protected:
  StorageAgentTest() { open(); }
};

TEST_F(StorageAgentTest, OneGroupIsOneSyncedCommit) {
  ask(frame(1, 1));
  const std::uint64_t syncs = twin.count(StorageOperation::sync);
  Question group = spill({10, 11});
  for (std::uint8_t client = 2; client < 50; ++client) add_frame(group, client, 1, client);
  const auto answer = ask(std::move(group));
  EXPECT_EQ(twin.count(StorageOperation::sync), syncs + 1);
  for (const FrameAnswer& frame : answer->frames) {
    EXPECT_EQ(frame.status, proto::Refusal::none);
    EXPECT_TRUE(frame.is_new);
  }
  const LaneAnswer& lane = answer->lanes.at(0);
  ASSERT_EQ(lane.stored.size(), 1U);
  EXPECT_EQ(lane.stored[0].events, 48U);
  EXPECT_EQ(lane.left.events, 2U) << "what was spilled is not sent back";
  EXPECT_EQ(waiting().size(), 51U);
}

TEST_F(StorageAgentTest, AnswersAFrameAgainAndTakesItOnce) {
  Question group = frame(1, 1);
  add_frame(group, 1, 1, 1);
  auto answer = ask(std::move(group));
  EXPECT_TRUE(answer->frames[0].is_new);
  EXPECT_FALSE(answer->frames[1].is_new);
  EXPECT_EQ(answer->frames[1].status, proto::Refusal::none);
  crash();
  open();
  answer = ask(frame(1, 1));
  EXPECT_FALSE(answer->frames[0].is_new);
  EXPECT_EQ(answer->frames[0].status, proto::Refusal::none);
  EXPECT_EQ(waiting(), (Numbers64{1}));
  ask(frame(proto::confirm_window_frames + 1, 2));
  EXPECT_EQ(ask(frame(1, 1))->frames[0].status, proto::Refusal::frame_sequence_old);
}

TEST_F(StorageAgentTest, ReleasesWhatIsDueByTheWallClock) {
  Question group;
  add_frame(group, 1, 1, 7, clock.now().wall_ns() + 10'000'000'000);
  EXPECT_TRUE(ask(std::move(group))->lanes.empty());
  agent->do_work(clock.now());
  EXPECT_LE(agent->next_deadline(), clock.now().mono + 1s);
  clock.advance(9s);
  EXPECT_EQ(agent->do_work(clock.now()), 0);
  clock.jump_wall(1s);
  EXPECT_EQ(agent->do_work(clock.now()), 1);
  const auto answers = exchange.collect();
  ASSERT_EQ(answers.size(), 1U);
  const LaneAnswer& lane = answers[0]->lanes.at(0);
  EXPECT_EQ(lane.released.events, 1U);
  EXPECT_EQ(lane.stored.at(0).records, stored_record(7));
  EXPECT_EQ(waiting(), (Numbers64{7}));
}

TEST_F(StorageAgentTest, AnIdleAgentSleepsAlsoWhenItHasKeptHouse) {
  agent->do_work(clock.now());
  for (int i = 0; i < 3; ++i) {
    clock.advance(11min);
    EXPECT_LE(agent->next_deadline(), clock.now().mono);
    agent->do_work(clock.now());
    EXPECT_GT(agent->next_deadline(), clock.now().mono);
  }
}

TEST_F(StorageAgentTest, DeadLettersGoIntoTheirTableWithTheirSettlement) {
  const Block block = ask(frame(1, 5))->lanes.at(0).stored.at(0);
  Question group;
  group.settlements.push_back(whole(block));
  group.dead.push_back(
      {0, DeadReason::attempts, 503, 4, 1, clock.now().wall_ns(), "busy", stored_record(5)});
  ask(std::move(group));
  crash(test::StorageCrash::power);
  open();
  EXPECT_TRUE(waiting().empty());
  EXPECT_EQ(numbers_of(tables()["audit"].dead), (Numbers64{5}));
  EXPECT_EQ(tables()["audit"].dead_reasons, std::vector<std::string>{"attempts"});
}

TEST_F(StorageAgentTest, TellsOfWhatAnInspectionCommandHasPutBack) {
  Question group;
  group.dead.push_back(
      {0, DeadReason::refused, 400, 1, 1, clock.now().wall_ns(), "", stored_record(5)});
  ask(std::move(group));
  {
    Store other(Database(spool_path, OpenMode::read_write, twin.vfs_name()));
    other.begin(true);
    other.put_back_dead(other.database().number("SELECT id FROM dead"), clock.now());
    other.commit();
  }
  Question look;
  look.wants_look = true;
  const auto answer = ask(std::move(look));
  EXPECT_EQ(answer->lanes.at(0).returned.events, 1U);
  Question again;
  again.wants_look = true;
  EXPECT_TRUE(ask(std::move(again))->lanes.empty());
  EXPECT_EQ(waiting(), (Numbers64{5}));
}

TEST_F(StorageAgentTest, TellsOfWhatWasPutBackAlsoWhenOnlyOthersAreDue) {
  settings.lanes = {"audit", "gone"};
  crash();
  open();
  Question group;
  group.spilled.push_back(add_bytes(group, 1, 1, clock.now().wall_ns() + 1'000'000'000));
  group.dead.push_back(
      {0, DeadReason::refused, 400, 1, 1, clock.now().wall_ns(), "", stored_record(5)});
  ask(std::move(group));
  settings.lanes = {"audit"};
  crash();
  open();
  agent->do_work(clock.now());
  {
    Store other(Database(spool_path, OpenMode::read_write, twin.vfs_name()));
    other.begin(true);
    other.put_back_dead(other.database().number("SELECT id FROM dead"), clock.now());
    other.commit();
  }
  clock.advance(2s);
  agent->do_work(clock.now());
  const auto answers = exchange.collect();
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0]->lanes.at(0).returned.events, 1U);
}

}  // namespace
}  // namespace outrider::sidecar
