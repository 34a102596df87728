// LaneOrder: random histories against a model that keeps each event by itself.
//
// The disk fails, scheduled events cannot be read, dead letters are put back, the store is replaced
// by one that lacks some of what was there; and a history ends with all that is left being
// delivered, or with a stop, which puts back what was taken and gives up in the end.

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <utility>

#include <gtest/gtest.h>

#include "sidecar/base/random.hpp"
#include "unit/spool/lane_blocks.hpp"

namespace outrider::sidecar {
namespace {

using Place = LaneOrder::Place;
using NumberSet = std::set<std::uint64_t>;

/// The disk, the group that grows and the one that is written, and every event by itself.
class Model {
 public:
  explicit Model(std::uint64_t seed)
      : random_(seed), is_fresh_first_(random_.chance(0.3)), order_({}, is_fresh_first_) {}

  void run() {
    const bool is_stopped = random_.chance(0.4);
    for (int i = 0; i < 400 && !failed(); ++i) {
      act();
      check();
    }
    if (failed()) return;
    if (is_stopped) {
      stop();
    } else {
      deliver_all();
    }
  }

 private:
  enum class State : std::uint8_t { confirming, scheduled, storing, on_disk, taken, gone };
  struct Stored {
    Block block;
    Numbers64 numbers;
    std::set<std::uint32_t> settled;
  };
  struct Taken {
    std::uint64_t number;
    RecordOrigin origin;
  };
  /// What a stop puts back: some of it stands on disk already, and some nowhere else.
  struct Front {
    Numbers64 numbers;
    std::uint64_t unsaved = 0;
  };
  struct Group {
    Numbers64 spilled;
    Numbers64 later;
    Numbers64 confirmed;
    std::vector<Settlement> settlements;
    std::vector<Front> front;
    std::optional<ReadRequest> read;
  };
  /// An answer on its way, and what it makes of whom.
  struct Answer {
    LaneAnswer answer;
    std::vector<std::pair<std::uint64_t, State>> states;
    bool ends_question = false;
    bool is_store_new = false;
    bool is_anew = false;  ///< it says what there is of all; then:
    NumberSet there;
    NumberSet scheduled;
  };

  static bool failed() { return ::testing::Test::HasFailure(); }

  void act() {
    switch (random_.below(12)) {
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
      case 9:
        return random_.chance(0.3) ? return_dead() : hand_over();
      case 10:
        return random_.chance(0.1) ? replace_store() : write();
      default:
        return start_read();
    }
  }

  void spill(Place place, State state, Numbers64& to) {
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
    if (std::exchange(must_look_anew_, false)) {
      gathered_.read = order_.begin_anew(0);
      looked_at_ = told_of_;
    }
    asked_ = std::exchange(gathered_, {});
    is_asking_ = true;
    is_written_ = false;
  }

  // The storage thread ----------------------------------------------------------------------------

  /// It does a group, or cannot.
  void write() {
    if (!is_asking_ || std::exchange(is_written_, true)) return;
    Answer& told = answers_.emplace_back();
    told.ends_question = true;
    if (!is_disk_well_ && random_.chance(0.2)) return fail(told);
    for (const Settlement& settlement : asked_.settlements) settle_on_disk(settlement);
    for (const Front& front : asked_.front) {
      Stored& stored = put(--first_block_, front.numbers);
      told.answer.front += amount_of(stored.block);
    }
    scheduled_.insert(scheduled_.end(), asked_.later.begin(), asked_.later.end());
    // Blocks of either kind, in any order.
    const bool is_spilled_first = random_.chance(0.5);
    if (is_spilled_first) store(told, asked_.spilled, false);
    for (const std::uint64_t number : asked_.confirmed) {
      told.answer.confirmed += {1, bytes_of(number)};
    }
    store(told, asked_.confirmed, random_.chance(0.8));
    if (!is_spilled_first) store(told, asked_.spilled, false);
    if (!asked_.read) return;
    if (asked_.read->is_anew) {
      look_anew(told, *asked_.read);
    } else {
      read(told.answer, *asked_.read);
    }
  }

  /// Nothing is taken in; what else was asked for is asked for again.
  void fail(Answer& told) {
    for (const std::uint64_t number : asked_.spilled) lose(told, told.answer.unstored, number);
    for (const std::uint64_t number : asked_.later) lose(told, told.answer.unscheduled, number);
    for (const std::uint64_t number : asked_.confirmed) {
      lose(told, told.answer.unconfirmed, number);
    }
    gathered_.settlements.insert(gathered_.settlements.begin(), asked_.settlements.begin(),
                                 asked_.settlements.end());
    gathered_.front.insert(gathered_.front.begin(), asked_.front.begin(), asked_.front.end());
    if (!asked_.read) return;
    told.answer.read.emplace();
    told.answer.read->has_failed = true;
  }

  void lose(Answer& told, Amount& amount, std::uint64_t number) {
    amount += {1, bytes_of(number)};
    told.states.emplace_back(number, State::gone);
    ++lost_;
  }

  Stored& put(BlockId id, const Numbers64& numbers) {
    Stored& stored = disk_[id];
    stored.block = block_at(id, numbers);
    stored.numbers = numbers;
    numbers_of_[id] = numbers;
    return stored;
  }

  void store(Answer& told, const Numbers64& numbers, bool is_wanted) {
    if (numbers.empty()) return;
    const Stored& stored = put(++last_block_, numbers);
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
    Numbers64 numbers;
    for (std::size_t i = 0; i < due; ++i) {
      if (random_.chance(0.1)) {
        lose(told, told.answer.unreleased, scheduled_[i]);
        continue;
      }
      numbers.push_back(scheduled_[i]);
      told.answer.released += {1, bytes_of(scheduled_[i])};
    }
    scheduled_.erase(scheduled_.begin(), scheduled_.begin() + static_cast<std::ptrdiff_t>(due));
    store(told, numbers, random_.chance(0.8));
  }

  /// Dead letters, by a person's hand.
  void return_dead() {
    Answer& told = answers_.emplace_back();
    Numbers64 returned;
    for (auto left = 1 + random_.below(3); left > 0; --left) {
      returned.push_back(++last_number_);
      told.states.emplace_back(last_number_, State::on_disk);
    }
    told.answer.returned = amount_of(put(++last_block_, returned).block);
  }

  void settle_on_disk(const Settlement& settlement) {
    const auto found = disk_.find(settlement.block);
    if (found == disk_.end()) {
      EXPECT_GT(store_, 0) << "settled what was never there";
      return;
    }
    Stored& stored = found->second;
    if (settlement.is_whole) {
      EXPECT_EQ(stored.numbers.size() - stored.settled.size(), settlement.events);
      disk_.erase(found);
      return;
    }
    add_settled(stored, settlement.settled);
  }

  static void add_settled(Stored& stored, const Bytes& settled) {
    for (std::uint32_t i = 0; i < stored.numbers.size(); ++i) {
      if (has_bit(settled, i)) stored.settled.insert(i);
    }
    if (!settled.empty()) stored.block.settled = settled;
  }

  void read(LaneAnswer& answer, const ReadRequest& request) {
    ReadAnswer& read = answer.read.emplace();
    auto next = disk_.upper_bound(request.after);
    for (auto left = 1 + random_.below(4); left > 0 && next != disk_.end(); --left, ++next) {
      read.blocks.push_back(next->second.block);
    }
    read.is_end = next == disk_.end();
  }

  /// It is damaged, and the one in its place lacks some.
  void replace_store() {
    ++store_;
    is_known_ = false;
    std::erase_if(disk_, [this](const auto&) { return random_.chance(0.3); });
    std::erase_if(scheduled_, [this](std::uint64_t) { return random_.chance(0.3); });
    answers_.emplace_back().is_store_new = true;
  }

  void look_anew(Answer& told, const ReadRequest& request) {
    ReadAnswer& read = told.answer.read.emplace();
    read.has_failed = !is_disk_well_ && random_.chance(0.2);
    if (read.has_failed) return;
    for (const Block& held : request.held) {
      if (!disk_.contains(held.id) && held.records.empty()) {
        read.gone.push_back(held.id);
        continue;
      }
      if (!disk_.contains(held.id)) put(held.id, Numbers64(numbers_of_.at(held.id)));
      add_settled(disk_.at(held.id), held.settled);
    }
    told.is_anew = true;
    told.there = unsettled_on_disk();
    told.scheduled = {scheduled_.begin(), scheduled_.end()};
    read.totals.emplace();
    for (const std::uint64_t number : told.there) {
      ++read.totals->events;
      read.totals->bytes += bytes_of(number);
    }
    for (const std::uint64_t number : scheduled_) {
      ++read.totals->scheduled_events;
      read.totals->scheduled_bytes += bytes_of(number);
    }
  }

  NumberSet unsettled_on_disk() const {
    NumberSet numbers;
    for (const auto& [id, stored] : disk_) {
      for (std::uint32_t i = 0; i < stored.numbers.size(); ++i) {
        if (!stored.settled.contains(i)) numbers.insert(stored.numbers[i]);
      }
    }
    return numbers;
  }

  // What it says ----------------------------------------------------------------------------------

  void collect() {
    while (!answers_.empty() && (is_disk_well_ || random_.chance(0.7))) {
      Answer told = std::move(answers_.front());
      answers_.pop_front();
      if (told.ends_question) is_asking_ = false;
      for (const auto& [number, state] : told.states) {
        if (state == State::gone) {
          states_.erase(number);
        } else {
          states_[number] = state;
        }
      }
      const bool has_failed = told.answer.read && told.answer.read->has_failed;
      must_look_anew_ = must_look_anew_ || (has_failed && asked_.read->is_anew);
      if (told.is_anew) {
        for (const std::uint64_t number : gathered_.later) {
          told.answer.scheduling += {1, bytes_of(number)};
        }
      }
      const bool was_known = is_known_;
      const auto surprise = order_.take(std::move(told.answer));
      missing_ += static_cast<std::int64_t>(surprise.missing - surprise.found);
      if (was_known) {
        EXPECT_EQ(surprise.found + surprise.missing, 0U);
      }
      // Of one that was replaced since it was asked nothing is known yet.
      if (told.is_anew && looked_at_ == store_) resolve(told);
      if (told.is_store_new) {
        order_.distrust();
        ++told_of_;
        must_look_anew_ = true;
      }
    }
  }

  /// What is neither there nor held has gone with the store that was replaced.
  void resolve(const Answer& told) {
    is_known_ = true;
    missing_ -= static_cast<std::int64_t>(std::erase_if(states_, [&](const auto& event) {
      const auto [number, state] = event;
      const bool is_gone = (state == State::on_disk && !told.there.contains(number)) ||
                           (state == State::scheduled && !told.scheduled.contains(number) &&
                            std::ranges::find(gathered_.later, number) == gathered_.later.end());
      if (is_gone) ++lost_;
      return is_gone;
    }));
    EXPECT_EQ(missing_, 0) << "events are counted as lost that are not, or the other way round";
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
    EXPECT_EQ(numbers_of_.at(origin.block).at(origin.index), number);
    const auto place = std::pair(std::int64_t{origin.block}, std::uint32_t{origin.index});
    if (!is_fresh_first_) {
      EXPECT_LT(newest_taken_, place) << "out of order";
    }
    newest_taken_ = place;
    states_[number] = State::taken;
    taken_.push_back({number, origin});
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

  // The end ---------------------------------------------------------------------------------------

  void deliver_all() {
    is_disk_well_ = true;
    for (int i = 0; i < 200 && !failed(); ++i) {
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
    EXPECT_TRUE(is_known_);
    EXPECT_EQ(order_.spooled(), 0U);
    EXPECT_EQ(order_.bytes(), 0U);
    EXPECT_TRUE(disk_.empty());
    EXPECT_EQ(settled_.size() + lost_, last_number_ - withdrawn_) << "each event came, once";
  }

  void stop() {
    withdraw();
    for (auto left = random_.below(20); left > 0 && order_.has_next(); --left) take();
    do {
      put_back_some();
    } while (!taken_.empty());
    for (auto left = random_.below(6); left > 0 && !failed(); --left) {
      hand_over();
      if (random_.chance(0.7)) write();
      if (random_.chance(0.3)) release();
      if (random_.chance(0.7)) collect();
    }
    give_up();
    // A store that was replaced at the last moment is known of by the next run.
    if (!is_known_) return;
    std::uint64_t left = 0;
    for (const std::uint64_t number : unsettled_on_disk()) {
      // That it is settled did not come to the disk in time.
      if (!settled_.contains(number)) ++left;
    }
    EXPECT_LE(order_.spooled(), left);
    if (!is_guess_) {
      EXPECT_EQ(order_.spooled(), left);
    }
    EXPECT_EQ(order_.at(Place::scheduled).events, scheduled_.size());
  }

  /// As Lane does it: they stay where they are, or all of them go to the front.
  void put_back_some() {
    const auto count = static_cast<std::ptrdiff_t>(random_.below(taken_.size() + 1));
    const std::vector<Taken> part(taken_.begin(), taken_.begin() + count);
    taken_.erase(taken_.begin(), taken_.begin() + count);
    Front front;
    // Those that never were on disk.
    for (auto left = random_.chance(0.5) ? 0 : random_.below(4); left > 0; --left) {
      front.numbers.push_back(++last_number_);
      ++front.unsaved;
    }
    Amount amount;
    for (const std::uint64_t number : front.numbers) amount += {1, bytes_of(number)};
    for (const Taken& event : part) {
      if (!order_.is_on_disk(event.origin)) ++front.unsaved;
      amount += {1, bytes_of(event.number)};
      front.numbers.push_back(event.number);
      states_.erase(event.number);
    }
    if (front.unsaved == 0) {
      for (const std::uint64_t number : front.numbers) states_[number] = State::on_disk;
      order_.leave(amount);
      return;
    }
    is_guess_ = is_guess_ || !is_known_;
    for (const Taken& event : part) order_.settle(event.origin, bytes_of(event.number));
    order_.put_back(amount, front.unsaved);
    gathered_.front.push_back(std::move(front));
  }

  /// As Spool does it: time is up.
  void give_up() {
    if (is_asking_ && !std::exchange(is_written_, true)) {
      Answer& undone = answers_.emplace_back();
      undone.ends_question = true;
      fail(undone);
    }
    while (!answers_.empty()) collect();
    LaneAnswer unasked;
    for (const std::uint64_t number : gathered_.spilled) unasked.unstored += {1, bytes_of(number)};
    for (const std::uint64_t number : gathered_.later) {
      unasked.unscheduled += {1, bytes_of(number)};
    }
    order_.take(std::move(unasked));
    std::uint64_t unsaved = 0;
    for (const Front& front : gathered_.front) unsaved += front.unsaved;
    EXPECT_EQ(order_.give_up(), unsaved);
  }

  void check() const {
    std::map<State, Amount> amounts;
    std::uint64_t bytes = 0;
    for (const auto& [number, state] : states_) {
      amounts[state] += {1, bytes_of(number)};
      bytes += bytes_of(number);
    }
    EXPECT_EQ(order_.at(Place::confirming).events, amounts[State::confirming].events);
    EXPECT_EQ(order_.at(Place::storing).events, amounts[State::storing].events);
    EXPECT_EQ(order_.at(Place::taken).events, amounts[State::taken].events);
    EXPECT_EQ(order_.at(Place::taken).bytes, amounts[State::taken].bytes);
    EXPECT_EQ(order_.has_next(), order_.at(Place::arrived).events > 0);
    // Of a store that was replaced nothing is known until it was looked at anew.
    if (!is_known_) return;
    std::uint64_t adrift = 0;
    for (const Taken& event : taken_) {
      if (disk_.contains(event.origin.block)) continue;
      bytes -= bytes_of(event.number);
      ++adrift;
    }
    EXPECT_EQ(order_.adrift(), adrift);
    EXPECT_EQ(order_.at(Place::scheduled).events, amounts[State::scheduled].events);
    EXPECT_EQ(order_.at(Place::unread).events + order_.at(Place::arrived).events,
              amounts[State::on_disk].events);
    EXPECT_EQ(order_.bytes(), bytes);
  }

  Random random_;
  bool is_fresh_first_;
  LaneOrder order_;
  bool is_disk_well_ = false;

  std::uint64_t last_number_ = 0;
  std::uint64_t withdrawn_ = 0;
  std::uint64_t lost_ = 0;
  std::map<std::uint64_t, State> states_;
  NumberSet settled_;
  std::vector<Taken> taken_;
  std::pair<std::int64_t, std::uint32_t> newest_taken_{INT64_MIN, 0};

  Numbers64 frame_;
  Group gathered_;
  Group asked_;
  bool is_asking_ = false;
  bool is_written_ = false;  ///< the group that was asked for, and its answer is on its way
  std::deque<Answer> answers_;

  std::map<BlockId, Stored> disk_;
  std::map<BlockId, Numbers64> numbers_of_;  ///< of all blocks there ever were
  BlockId last_block_ = 0;
  BlockId first_block_ = 0;
  Numbers64 scheduled_;
  int store_ = 0;         ///< how often it was replaced
  int told_of_ = 0;       ///< the same, as it is told
  int looked_at_ = 0;     ///< the same, when the order asked for all anew
  bool is_known_ = true;  ///< and looked at anew since
  bool must_look_anew_ = false;
  bool is_guess_ = false;     ///< what stands nowhere else of what a stop puts back
  std::int64_t missing_ = 0;  ///< events of which the order says so, and that are not lost yet
};

TEST(LaneHistory, RandomHistoriesAgreeWithAModel) {
  for (std::uint64_t seed = 1; seed <= 400 && !HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    Model(seed).run();
  }
}

}  // namespace
}  // namespace outrider::sidecar
