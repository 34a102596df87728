// LaneOrder: single moves. Random histories stand in lane_history_test.cpp.

#include "sidecar/spool/lane_order.hpp"

#include <utility>

#include <gtest/gtest.h>

#include "unit/spool/lane_blocks.hpp"

namespace outrider::sidecar {
namespace {

using Place = LaneOrder::Place;

LaneAnswer stored(std::vector<Block> blocks) {
  LaneAnswer answer;
  for (const Block& block : blocks) answer.confirmed += amount_of(block);
  answer.stored = std::move(blocks);
  return answer;
}

LaneAnswer read(std::vector<Block> blocks, bool is_end = true) {
  LaneAnswer answer;
  answer.read.emplace();
  answer.read->blocks = std::move(blocks);
  answer.read->is_end = is_end;
  return answer;
}

void confirm(LaneOrder& order, const Numbers64& numbers) {
  for (const std::uint64_t number : numbers) {
    order.add(Place::confirming, bytes_of(number));
  }
}

Numbers64 take_all(LaneOrder& order) {
  Numbers64 numbers;
  while (order.has_next()) {
    const proto::ByteView next = order.next();
    numbers.push_back(test::stored_event(next).number);
    const RecordOrigin origin = order.next_origin();
    const std::size_t bytes = next.size();
    order.take_next();
    order.settle(origin, bytes);
  }
  return numbers;
}

TEST(LaneOrder, WhatIsStoredComesAtOnceIfNothingIsUnread) {
  LaneOrder order({}, false);
  confirm(order, {1, 2});
  EXPECT_EQ(order.spooled(), 0U) << "nobody has been told that it is taken";
  order.take(stored({block_at(1, {1, 2})}));
  EXPECT_EQ(order.at(Place::arrived).events, 2U);
  EXPECT_EQ(take_all(order), (Numbers64{1, 2}));
  EXPECT_EQ(order.bytes(), 0U);
}

TEST(LaneOrder, WhatIsStoredWaitsBehindWhatTheSameGroupLeft) {
  LaneOrder order({}, false);
  const Block first = block_at(1, {1});
  order.add(Place::storing, first.records.size());
  confirm(order, {2});
  LaneAnswer answer = stored({block_at(2, {2})});
  answer.left = amount_of(first);
  order.take(std::move(answer));
  EXPECT_FALSE(order.has_next());
  ASSERT_TRUE(order.begin_read(0));
  order.take(read({first, block_at(2, {2})}));
  EXPECT_EQ(take_all(order), (Numbers64{1, 2}));
}

TEST(LaneOrder, AReadSawWhatItsGroupStored) {
  const Block first = block_at(1, {1});
  LaneOrder order({1, first.records.size(), 0, 0}, false);
  confirm(order, {2});
  ASSERT_TRUE(order.begin_read(0));
  LaneAnswer answer = stored({block_at(2, {2})});
  answer.read.emplace();
  answer.read->blocks = {first, block_at(2, {2})};
  answer.read->is_end = true;
  const auto surprise = order.take(std::move(answer));
  EXPECT_EQ(surprise.missing + surprise.found, 0U);
  EXPECT_EQ(take_all(order), (Numbers64{1, 2}));
}

TEST(LaneOrder, WhatOvertookIsNotReadAgain) {
  const Block first = block_at(1, {1});
  LaneOrder order({1, first.records.size(), 0, 0}, true);
  confirm(order, {2});
  order.take(stored({block_at(2, {2})}));
  EXPECT_EQ(take_all(order), (Numbers64{2}));
  ASSERT_TRUE(order.begin_read(0));
  order.take(read({first, block_at(2, {2})}));
  EXPECT_EQ(take_all(order), (Numbers64{1}));
  EXPECT_EQ(order.bytes(), 0U);
}

/// A reading is cut short by a look back. Blocks that it would have stepped over, because their
/// events were held, have been passed over meanwhile.
TEST(LaneOrder, WhatIsPassedOverBeforeTheReadingComesToItIsReadByTheNext) {
  const std::vector<Block> blocks = {block_at(1, {1}), block_at(2, {2}), block_at(3, {3})};
  Amount all;
  for (const Block& block : blocks) all += amount_of(block);
  LaneOrder order({all.events, all.bytes, 0, 0}, false);
  const auto take_and_pass = [&](const Numbers64& numbers) {
    for (const std::uint64_t number : numbers) {
      ASSERT_TRUE(order.has_next());
      EXPECT_EQ(test::stored_event(order.next()).number, number);
      order.take_next();
    }
    for (const std::uint64_t number : numbers) {
      ASSERT_TRUE(order.pass_over({static_cast<BlockId>(number), 0}, bytes_of(number)));
    }
  };
  ASSERT_TRUE(order.begin_read(0));
  order.take(read(blocks));
  for (int i = 0; i < 3; ++i) order.take_next();
  ASSERT_TRUE(order.pass_over({1, 0}, bytes_of(1)));
  order.look_back();  // 2 and 3 are held
  for (const std::uint64_t number : {2U, 3U}) {
    ASSERT_TRUE(order.pass_over({static_cast<BlockId>(number), 0}, bytes_of(number)));
  }
  ASSERT_TRUE(order.begin_read(0));
  order.take(read({blocks[0]}, false));
  take_and_pass({1});
  order.look_back();
  const auto request = order.begin_read(0);
  ASSERT_TRUE(request);
  EXPECT_FALSE(request->is_anew);
  const auto surprise = order.take(read(blocks));
  EXPECT_EQ(surprise.missing + surprise.found, 0U);
  EXPECT_EQ(take_all(order), (Numbers64{1, 2, 3}));
  EXPECT_FALSE(order.begin_read(0)) << "nothing is in doubt";
}

TEST(LaneOrder, WhatIsDamagedGivesItsBytesBackAtOnce) {
  LaneOrder order({5, 5000, 0, 0}, false);
  ASSERT_TRUE(order.begin_read(0));
  LaneAnswer answer;
  answer.read.emplace();
  answer.read->damaged = {2, 1500};
  EXPECT_EQ(order.take(std::move(answer)).missing, 2U);
  EXPECT_EQ(order.bytes(), 3500U);
}

TEST(LaneOrder, WhatIsNotOnDiskGivesItsBytesBack) {
  const Block first = block_at(1, {1});
  LaneOrder order({5, 5000, 0, 0}, false);
  ASSERT_TRUE(order.begin_read(0));
  EXPECT_EQ(order.take(read({first})).missing, 0U) << "before all was looked at anew";
  const auto again = order.begin_read(0);
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->is_doubted);
  EXPECT_EQ(again->after, INT64_MIN);
  EXPECT_EQ(order.take(read({first})).missing, 4U);
  EXPECT_EQ(order.bytes(), first.records.size());
  EXPECT_FALSE(order.begin_read(0));
  EXPECT_EQ(take_all(order), (Numbers64{1}));
}

TEST(LaneOrder, WhatWasPassedOverIsFoundWhenAllIsLookedAtAnew) {
  const Block first = block_at(1, {1});
  const Block second = block_at(2, {2, 3});
  const Block third = block_at(3, {4});
  const std::uint64_t bytes = first.records.size() + second.records.size() + third.records.size();
  LaneOrder order({4, bytes, 0, 0}, false);
  ASSERT_TRUE(order.begin_read(0));
  order.take(read({first, third}));
  order.take_next();
  ASSERT_TRUE(order.begin_read(0));
  order.take(read({first, second}, false));
  const auto rest = order.begin_read(0);
  ASSERT_TRUE(rest);
  EXPECT_FALSE(rest->is_doubted);
  EXPECT_EQ(rest->after, 2);
  const auto surprise = order.take(read({third}));
  EXPECT_EQ(surprise.missing + surprise.found, 0U);
  EXPECT_FALSE(order.begin_read(0));
  EXPECT_EQ(take_all(order), (Numbers64{4, 2, 3}));
}

TEST(LaneOrder, WhatNobodyKnewOfIsFound) {
  LaneOrder order({1, 50, 0, 0}, false);
  ASSERT_TRUE(order.begin_read(0));
  EXPECT_EQ(order.take(read({block_at(1, {1, 2, 3})}, false)).found, 2U);
  EXPECT_EQ(order.spooled(), 3U);
  const auto again = order.begin_read(0);
  ASSERT_TRUE(again) << "there may be more";
  EXPECT_TRUE(again->is_doubted);
  EXPECT_EQ(order.take(read({block_at(1, {1, 2, 3})})).found, 0U);
  EXPECT_EQ(take_all(order), (Numbers64{1, 2, 3}));
  EXPECT_EQ(order.bytes(), 0U);
}

// A frame was refused because its transaction failed, and is on disk after all.
TEST(LaneOrder, ScheduledEventsThatNobodyKnewOfAreFoundWhenTheyAreDue) {
  LaneOrder order({0, 0, 1, bytes_of(1)}, false);
  const Block due = block_at(1, {1, 2, 3});
  LaneAnswer answer;
  answer.released = amount_of(due);
  answer.stored = {due};
  EXPECT_EQ(order.take(std::move(answer)).found, 2U);
  EXPECT_EQ(order.at(Place::scheduled).events, 0U);
  EXPECT_EQ(take_all(order), (Numbers64{1, 2, 3}));

  LaneAnswer unreadable;
  unreadable.unreleased = {2, 0};
  EXPECT_EQ(order.take(std::move(unreadable)).found, 2U);
}

TEST(LaneOrder, ReadsOnceAtATimeAndNeverOnceItIsClosed) {
  LaneOrder order({5, 500, 0, 0}, false);
  EXPECT_TRUE(order.begin_read(0));
  EXPECT_FALSE(order.begin_read(0));
  LaneAnswer failed = read({});
  failed.read->has_failed = true;
  EXPECT_EQ(order.take(std::move(failed)).missing, 0U);
  EXPECT_TRUE(order.begin_read(0));
  order.take(read({}, false));
  order.leave({});
  EXPECT_FALSE(order.begin_read(0));
  EXPECT_EQ(order.spooled(), 5U);
}

TEST(LaneOrder, OnlyWhatIsNowhereElseIsLostIfItIsNotPutBackInTime) {
  LaneOrder order({}, false);
  order.put_back({3, 300}, 2);
  order.put_back({4, 400}, 1);
  LaneAnswer answer;
  answer.front = {3, 300};
  order.take(std::move(answer));
  EXPECT_EQ(order.give_up(), 1U);
  EXPECT_EQ(order.spooled(), 6U);
  EXPECT_EQ(order.give_up(), 0U);
}

TEST(LaneOrder, WhatAStopHasLeftIsNotHeldWhenTheStoreIsAnotherOne) {
  LaneOrder order({}, false);
  const Block first = block_at(1, {1, 2});
  const Block second = block_at(2, {3, 4});
  confirm(order, {1, 2, 3, 4});
  order.take(stored({first, second}));
  order.take_next();
  order.take_next();
  order.leave(amount_of(first));
  order.distrust();
  EXPECT_EQ(order.begin_anew(0).held.size(), 2U);
  LaneAnswer answer;
  answer.read.emplace();
  answer.read->totals = StoredTotals{second.events, second.records.size(), 0, 0};
  answer.read->gone = {1};
  EXPECT_EQ(order.take(std::move(answer)).missing, 2U);
  EXPECT_EQ(order.spooled(), 2U);
  EXPECT_EQ(order.bytes(), second.records.size());
}

}  // namespace
}  // namespace outrider::sidecar
