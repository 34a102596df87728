// LaneOrder: single moves, and random histories against a model that keeps each event by itself.

#include "sidecar/spool/lane_order.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <utility>

#include <gtest/gtest.h>

#include "sidecar/base/random.hpp"
#include "unit/spool/spool_fixture.hpp"

namespace outrider::sidecar {
namespace {

using Place = LaneOrder::Place;

/// Of several sizes.
std::size_t bytes_of(std::uint64_t number) {
  static const std::size_t bytes = stored_record(0).size();
  return bytes + number % 7;
}

Block block_at(BlockId id, const std::vector<std::uint64_t>& numbers) {
  Block block;
  block.id = id;
  for (const std::uint64_t number : numbers) {
    const Bytes record = stored_record(number, number % 7);
    block.records.insert(block.records.end(), record.begin(), record.end());
    ++block.events;
  }
  return block;
}

Amount amount_of(const Block& block) {
  return {block.events, block.records.size()};
}

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

/// The disk, the group that grows and the one that is written, and every event by itself.
class Model {
 public:
  explicit Model(std::uint64_t seed)
      : random_(seed), is_fresh_first_(random_.chance(0.3)), order_({}, is_fresh_first_) {}

  void run() {
    for (int i = 0; i < 400 && !::testing::Test::HasFailure(); ++i) {
      act();
      check();
    }
    is_disk_well_ = true;
    for (int i = 0; i < 200 && !::testing::Test::HasFailure(); ++i) {
      while (order_.has_next()) take();
      while (!taken_.empty()) settle();
      withdraw();
      start_read();
      hand_over();
      write();
      release();
      collect();
      check();
    }
    EXPECT_EQ(order_.spooled(), 0U);
    EXPECT_EQ(order_.bytes(), 0U);
    EXPECT_TRUE(disk_.empty());
    EXPECT_EQ(settled_.size() + lost_, last_number_ - withdrawn_) << "each event came, once";
  }

 private:
  enum class State : std::uint8_t { confirming, scheduled, storing, on_disk, taken, gone };
  struct Stored {
    Block block;
    std::vector<std::uint64_t> numbers;
    std::set<std::uint32_t> settled;
  };
  struct Group {
    std::vector<std::uint64_t> spilled;
    std::vector<std::uint64_t> later;
    std::vector<std::uint64_t> confirmed;
    std::vector<Settlement> settlements;
    std::optional<ReadRequest> read;
  };
  /// An answer on its way, and what it makes of whom.
  struct Answer {
    LaneAnswer answer;
    std::vector<std::pair<std::uint64_t, State>> states;
  };

  void act() {
    switch (random_.below(10)) {
      case 0:
        return spill(Place::storing, State::storing, gathered_.spilled);
      case 1:
        return spill(Place::scheduled, State::scheduled, gathered_.later);
      case 2:
        return spill(Place::confirming, State::confirming, frame_);
      case 3:
        return random_.chance(0.2) ? withdraw() : end_frame();
      case 4:
        return hand_over();
      case 5:
        return random_.chance(0.7) ? write() : release();
      case 6:
        return collect();
      case 7:
        for (auto left = random_.below(8); left > 0 && order_.has_next(); --left) take();
        return;
      case 8:
        for (auto left = random_.below(8); left > 0 && !taken_.empty(); --left) settle();
        return;
      default:
        return start_read();
    }
  }

  void spill(Place place, State state, std::vector<std::uint64_t>& to) {
    for (auto left = random_.below(5); left > 0; --left) {
      to.push_back(++last_number_);
      states_[last_number_] = state;
      order_.add(place, bytes_of(last_number_));
    }
  }

  void end_frame() {
    gathered_.confirmed.insert(gathered_.confirmed.end(), frame_.begin(), frame_.end());
    frame_.clear();
  }

  void withdraw() {
    for (const std::uint64_t number : frame_) {
      order_.withdraw(bytes_of(number));
      states_.erase(number);
      ++withdrawn_;
    }
    frame_.clear();
  }

  void hand_over() {
    if (is_asking_) return;
    order_.take_settlements(0, gathered_.settlements);
    asked_ = std::exchange(gathered_, {});
    is_asking_ = true;
  }

  /// The storage thread does a group, or cannot.
  void write() {
    if (!is_asking_) return;
    is_asking_ = false;
    Answer& told = answers_.emplace_back();
    if (!is_disk_well_ && random_.chance(0.2)) return fail(told);
    for (const Settlement& settlement : asked_.settlements) settle_on_disk(settlement);
    scheduled_.insert(scheduled_.end(), asked_.later.begin(), asked_.later.end());
    // Blocks of either kind, in any order.
    const bool is_spilled_first = random_.chance(0.5);
    if (is_spilled_first) store(told, asked_.spilled, false);
    for (const std::uint64_t number : asked_.confirmed) {
      told.answer.confirmed += {1, bytes_of(number)};
    }
    store(told, asked_.confirmed, random_.chance(0.8));
    if (!is_spilled_first) store(told, asked_.spilled, false);
    if (asked_.read) read(told.answer, *asked_.read);
  }

  void fail(Answer& told) {
    for (const std::uint64_t number : asked_.spilled) lose(told, told.answer.unstored, number);
    for (const std::uint64_t number : asked_.later) lose(told, told.answer.unscheduled, number);
    for (const std::uint64_t number : asked_.confirmed) {
      lose(told, told.answer.unconfirmed, number);
    }
    gathered_.settlements.insert(gathered_.settlements.begin(), asked_.settlements.begin(),
                                 asked_.settlements.end());
    if (!asked_.read) return;
    told.answer.read.emplace();
    told.answer.read->has_failed = true;
  }

  void lose(Answer& told, Amount& amount, std::uint64_t number) {
    amount += {1, bytes_of(number)};
    told.states.emplace_back(number, State::gone);
    ++lost_;
  }

  void store(Answer& told, const std::vector<std::uint64_t>& numbers, bool is_wanted) {
    if (numbers.empty()) return;
    Stored& stored = disk_[++last_block_];
    stored.block = block_at(last_block_, numbers);
    stored.numbers = numbers;
    for (const std::uint64_t number : numbers) told.states.emplace_back(number, State::on_disk);
    if (is_wanted) {
      told.answer.stored.push_back(stored.block);
    } else {
      told.answer.left += amount_of(stored.block);
    }
  }

  void release() {
    const std::size_t due = std::min<std::size_t>(scheduled_.size(), random_.below(5));
    if (due == 0) return;
    Answer& told = answers_.emplace_back();
    const std::vector<std::uint64_t> numbers(scheduled_.begin(),
                                             scheduled_.begin() + static_cast<std::ptrdiff_t>(due));
    scheduled_.erase(scheduled_.begin(), scheduled_.begin() + static_cast<std::ptrdiff_t>(due));
    for (const std::uint64_t number : numbers) {
      told.answer.released += {1, bytes_of(number)};
    }
    store(told, numbers, random_.chance(0.8));
  }

  void settle_on_disk(const Settlement& settlement) {
    Stored& stored = disk_.at(settlement.block);
    if (settlement.is_whole) {
      EXPECT_EQ(stored.numbers.size() - stored.settled.size(), settlement.events);
      disk_.erase(settlement.block);
      return;
    }
    for (std::uint32_t i = 0; i < stored.numbers.size(); ++i) {
      if (has_bit(settlement.settled, i)) stored.settled.insert(i);
    }
    stored.block.settled = settlement.settled;
  }

  void read(LaneAnswer& answer, const ReadRequest& request) {
    ReadAnswer& read = answer.read.emplace();
    auto next = disk_.upper_bound(request.after);
    for (auto left = 1 + random_.below(4); left > 0 && next != disk_.end(); --left, ++next) {
      read.blocks.push_back(next->second.block);
    }
    read.is_end = next == disk_.end();
  }

  void collect() {
    while (!answers_.empty() && (is_disk_well_ || random_.chance(0.7))) {
      for (const auto& [number, state] : answers_.front().states) {
        if (state == State::gone) {
          states_.erase(number);
        } else {
          states_[number] = state;
        }
      }
      const auto surprise = order_.take(std::move(answers_.front().answer));
      EXPECT_EQ(surprise.found + surprise.missing, 0U);
      answers_.pop_front();
    }
  }

  void start_read() {
    if (gathered_.read) return;
    gathered_.read = order_.begin_read(0);
  }

  void take() {
    const proto::ByteView next = order_.next();
    const std::uint64_t number = test::stored_event(next).number;
    const RecordOrigin origin = order_.next_origin();
    EXPECT_EQ(states_.at(number), State::on_disk) << number << " was taken before";
    EXPECT_EQ(disk_.at(origin.block).numbers.at(origin.index), number);
    const auto place = std::pair(std::int64_t{origin.block}, std::uint32_t{origin.index});
    if (!is_fresh_first_) {
      EXPECT_LT(newest_taken_, place) << "out of order";
    }
    newest_taken_ = place;
    states_[number] = State::taken;
    taken_.emplace_back(number, origin);
    order_.take_next();
  }

  void settle() {
    const std::size_t which = random_.below(taken_.size());
    const auto [number, origin] = taken_[which];
    taken_.erase(taken_.begin() + static_cast<std::ptrdiff_t>(which));
    order_.settle(origin, bytes_of(number));
    states_.erase(number);
    EXPECT_TRUE(settled_.insert(number).second);
  }

  void check() const {
    std::map<State, Amount> amounts;
    std::uint64_t bytes = 0;
    for (const auto& [number, state] : states_) {
      amounts[state] += {1, bytes_of(number)};
      bytes += bytes_of(number);
    }
    EXPECT_EQ(order_.at(Place::confirming).events, amounts[State::confirming].events);
    EXPECT_EQ(order_.at(Place::scheduled).events, amounts[State::scheduled].events);
    EXPECT_EQ(order_.at(Place::storing).events, amounts[State::storing].events);
    EXPECT_EQ(order_.at(Place::unread).events + order_.at(Place::arrived).events,
              amounts[State::on_disk].events);
    EXPECT_EQ(order_.at(Place::taken).events, amounts[State::taken].events);
    EXPECT_EQ(order_.at(Place::taken).bytes, amounts[State::taken].bytes);
    EXPECT_EQ(order_.bytes(), bytes);
    EXPECT_EQ(order_.has_next(), order_.at(Place::arrived).events > 0);
  }

  Random random_;
  bool is_fresh_first_;
  LaneOrder order_;
  bool is_disk_well_ = false;

  std::uint64_t last_number_ = 0;
  std::uint64_t withdrawn_ = 0;
  std::uint64_t lost_ = 0;
  std::map<std::uint64_t, State> states_;
  std::set<std::uint64_t> settled_;
  std::vector<std::pair<std::uint64_t, RecordOrigin>> taken_;
  std::pair<std::int64_t, std::uint32_t> newest_taken_{INT64_MIN, 0};

  std::vector<std::uint64_t> frame_;
  Group gathered_;
  Group asked_;
  bool is_asking_ = false;
  std::deque<Answer> answers_;

  std::map<BlockId, Stored> disk_;
  BlockId last_block_ = 0;
  std::vector<std::uint64_t> scheduled_;
};

TEST(LaneOrder, RandomHistoriesAgreeWithAModel) {
  for (std::uint64_t seed = 1; seed <= 200 && !HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    Model(seed).run();
  }
}

}  // namespace
}  // namespace outrider::sidecar
