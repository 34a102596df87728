// Flips bits and empties pages of a spool, at rest and while it is used, by seeds: no start fails,
// no event is lost of which the bytes are what was written, what is lost is said, and after a
// repair nothing is wrong.
//
// OUTRIDER_DAMAGE_SEEDS says how many seeds, OUTRIDER_DAMAGE_FIRST the first of them. A run prints
// which it takes.

#include <cstdlib>
#include <iostream>
#include <numeric>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "sidecar/base/random.hpp"
#include "sidecar/inspect/spool_check.hpp"
#include "unit/spool/spool_fixture.hpp"

namespace outrider::sidecar {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t page_bytes = Store::page_bytes;

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): one thread
  return value == nullptr ? otherwise : std::strtoull(value, nullptr, 10);
}

class DamageTest : public SpoolFixture {
 protected:
  DamageTest() {
    settings.lanes = {"audit", "backup", "archive"};
    open();
    fill();
    agent.reset();
    content_ = twin.content(spool_path);
    note_pages();
    // Its destination is not configured any more.
    settings.lanes.pop_back();
    spool_settings_.bytes_max = 1U << 30U;
    spool_settings_.lanes = {{1U << 30U, 10'000h, false}, {1U << 30U, 10'000h, false}};
  }

  /// Events in every state, over several pages of each table; what rows go together.
  void fill() {
    std::uint64_t number = 0;
    const std::uint64_t now_ns = clock.now().wall_ns();
    for (std::uint64_t i = 0; i < 120; ++i) {
      const auto lane = static_cast<DestinationHandle>(i % 3);
      Numbers64 row;
      for (std::uint64_t left = i % 20 == 7 ? 100 : 1 + i % 6; left > 0; --left) {
        row.push_back(++number);
      }
      ask(spill(row, lane));
      rows_.push_back(row);
      Question more;
      more.spilled.push_back(add_bytes(more, lane, ++number, now_ns + 3'600'000'000'000 + i));
      rows_.push_back({number});
      more.dead.push_back(
          {lane, DeadReason::refused, 400, 1, now_ns, now_ns, "no", stored_record(++number)});
      rows_.push_back({number});
      dead_.insert(number);
      add_frame(more, static_cast<std::uint8_t>(i), 1, ++number);
      rows_.push_back({number});
      ask(std::move(more));
    }
    settle_some();
  }

  /// The first event of each fourth block.
  void settle_some() {
    Question read;
    read.reads.push_back({0, INT64_MIN, 1U << 20U});
    Question settle;
    const auto answer = ask(std::move(read));
    const std::vector<Block>& blocks = answer->lanes.at(0).read->blocks;
    for (std::size_t i = 0; i < blocks.size(); i += 4) {
      const test::StoredEvent event = test::stored_event(blocks[i].records);
      settle.settlements.push_back({blocks[i].id, 0, 1, event.bytes, blocks[i].events == 1, {0b1}});
      done_.insert(event.number);
    }
    ask(std::move(settle));
  }

  /// Of each event the pages that its row is in.
  void note_pages() {
    for (const Numbers64& row : rows_) {
      std::set<std::size_t> pages;
      for (const std::uint64_t number : row) {
        const Bytes record = stored_record(number);
        // The end of a record may be on the next page.
        for (const std::size_t from : {std::size_t{0}, record.size() / 2}) {
          const std::string half(
              record.begin() + static_cast<std::ptrdiff_t>(from),
              record.begin() +
                  static_cast<std::ptrdiff_t>(from == 0 ? record.size() / 2 : record.size()));
          for (std::size_t at = 0; (at = content_.find(half, at)) != std::string::npos; ++at) {
            pages.insert(at / page_bytes);
          }
        }
      }
      for (const std::uint64_t number : row) pages_[number] = pages;
    }
  }

  void begin() {
    clock = test::ManualClock();
    for (const std::string& path : twin.list()) twin.remove(path);
    twin.put(spool_path, content_);
    exchange.collect();
    log.lines.clear();
    seen_.clear();
    pages_.erase(pages_.lower_bound(first_new), pages_.end());
    next_ = first_new;
    lost_ = 0;
  }

  void start() {
    open();
    ledgers_ = {};
    spool_ = std::make_unique<Spool>(spool_settings_, agent->state().lanes, exchange, log);
    for (DestinationHandle i = 0; i < 2; ++i) spool_->lane(i).attach(ledgers_[i]);
  }
  void turn() {
    spool_->hand_over(clock.now());
    agent->do_work(clock.now());
    spool_->do_work(clock.now());
    clock.advance(300ms);
  }
  /// Delivers what comes, one lane all of it and the other the half.
  void deliver(int turns) {
    for (int i = 0; i < turns; ++i) {
      for (DestinationHandle index = 0; index < 2; ++index) {
        Lane& lane = spool_->lane(index);
        while (lane.has_next() && (index == 0 || i % 2 == 0)) {
          const proto::ByteView stored = lane.next();
          std::vector<std::uint8_t> bytes(restored_record_bytes(stored));
          restore_record(stored, lane.next_origin(), clock.now(), bytes.data());
          const RecordView record = read_record(bytes.data());
          seen_.insert(test::number_in(record.data));
          lane.take_next();
          lane.settle(record);
        }
        lane.read_ahead();
      }
      // What comes after the damage is lost only if that is said.
      const auto bytes = test::numbered_record({.number = next_});
      if (spool_->lane(1).append(read_record(bytes.data()), clock.now())) {
        ++ledgers_[1].accepted;
        ++next_;
      }
      turn();
    }
  }
  void end() {
    for (const Ledger& ledger : ledgers_) lost_ += ledger.dropped_total();
    spool_.reset();
    agent.reset();
    exchange.collect();
  }

  /// Returns which page that is.
  std::size_t damage_file(Random& random) {
    constexpr std::uint64_t root_pages = 16;
    const std::uint64_t pages = content_.size() / page_bytes;
    const std::size_t page = random.below(random.chance(0.4) ? root_pages : pages);
    what_ += ", page " + std::to_string(page + 1);
    if (random.chance(0.2)) {
      twin.overwrite(spool_path, page * page_bytes, std::string(page_bytes, '\0'));
      what_ += " empty";
      return page;
    }
    const std::size_t at = page * page_bytes + random.below(random.chance(0.3) ? 120 : page_bytes);
    twin.flip_bit(spool_path, at, static_cast<unsigned>(random.below(8)));
    what_ += " byte " + std::to_string(at % page_bytes);
    return page;
  }

  /// In the write-ahead log; the same.
  std::size_t damage_log(Random& random) {
    constexpr std::size_t head_bytes = 32;
    constexpr std::size_t frame_head_bytes = 24;
    constexpr std::size_t frame_bytes = frame_head_bytes + page_bytes;
    const std::string log_path = std::string(spool_path) + "-wal";
    const std::string frames = twin.content(log_path);
    if (frames.size() < head_bytes + frame_bytes) return damage_file(random);
    const std::size_t frame = random.below((frames.size() - head_bytes) / frame_bytes);
    const std::size_t at = head_bytes + frame * frame_bytes;
    std::size_t page = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      page = page << 8U | static_cast<std::uint8_t>(frames[at + i]);
    }
    const std::size_t byte = random.below(page_bytes);
    twin.flip_bit(log_path, at + frame_head_bytes + byte, static_cast<unsigned>(random.below(8)));
    what_ += ", page " + std::to_string(page) + " in the log, byte " + std::to_string(byte);
    return page - 1;
  }

  /// What is still there, when it was repaired.
  void look() {
    test::TwinDisk disk(twin);
    const auto repair = repair_spool(spool_path, disk, clock.now());
    ASSERT_TRUE(repair.ok()) << what_ << ": " << repair.error().message;
    for (const SpoolProblem& problem : repair.value().after.problems) {
      ADD_FAILURE() << what_ << ": after the repair " << problem.what;
    }
    is_said_ = lost_ > 0 || !repair.value().before.problems.empty() || log.count("error ") > 0;
    Database database(spool_path, OpenMode::read_write, twin.vfs_name());
    test::check_totals(database);
    for (const auto& [name, events] : test::read_tables(database)) {
      for (const auto* list : {&events.waiting, &events.scheduled, &events.dead}) {
        for (const test::StoredEvent& event : *list) seen_.insert(event.number);
      }
    }
  }

  void check(std::size_t damaged_page) {
    std::uint64_t missing = 0;
    for (std::uint64_t number = first_new; number < next_; ++number) pages_[number];
    // Dead letters have no checksum: one that is another one now is not noticed.
    bool is_dead_only = true;
    for (const auto& [number, pages] : pages_) {
      if (seen_.contains(number) || done_.contains(number)) continue;
      ++missing;
      is_dead_only = is_dead_only && dead_.contains(number);
      const bool is_own = pages.contains(damaged_page) || number >= first_new;
      EXPECT_TRUE(is_own) << what_ << ": event " << number << " is lost";
    }
    EXPECT_TRUE(missing == 0 || is_said_ || is_dead_only)
        << what_ << ": " << missing << " are lost without a word";
    if (!HasFailure()) return;
    for (const std::string& line : log.lines) std::cout << line << "\n";
  }

  static constexpr std::uint64_t first_new = 1U << 20U;
  std::string what_;
  std::uint64_t next_ = first_new;
  std::string content_;
  std::vector<Numbers64> rows_;
  std::set<std::uint64_t> done_;
  std::set<std::uint64_t> dead_;
  std::map<std::uint64_t, std::set<std::size_t>> pages_;
  std::set<std::uint64_t> seen_;
  std::uint64_t lost_ = 0;
  bool is_said_ = false;
  SpoolSettings spool_settings_;
  std::unique_ptr<Spool> spool_;
  std::array<Ledger, 2> ledgers_;
};

TEST_F(DamageTest, NothingIsLostButWhatTheDamageLiesIn) {
  const std::uint64_t first = from_environment("OUTRIDER_DAMAGE_FIRST", 1);
#ifdef OUTRIDER_SANITIZED
  constexpr std::uint64_t seeds_by_default = 10;
#else
  constexpr std::uint64_t seeds_by_default = 100;
#endif
  const std::uint64_t seeds = from_environment("OUTRIDER_DAMAGE_SEEDS", seeds_by_default);
  const bool goes_on = from_environment("OUTRIDER_DAMAGE_GO_ON", 0) != 0;
  std::cout << "seeds " << first << " to " << first + seeds - 1 << std::endl;
  std::vector<std::uint64_t> all(seeds);
  std::iota(all.begin(), all.end(), first);
  // Two that make text of bytes.
  if (first == 1) all.insert(all.end(), {23211, 24408});
  for (const std::uint64_t seed : all) {
    Random random(seed);
    begin();
    const bool is_used = random.chance(0.4);
    if (is_used) {
      start();
      deliver(static_cast<int>(random.below(4)));
    }
    what_ = "seed " + std::to_string(seed);
    const std::size_t page =
        is_used && random.chance(0.4) ? damage_log(random) : damage_file(random);
    if (!is_used && random.chance(0.5)) start();
    if (spool_) {
      deliver(8);
      clock.advance(2h);
      deliver(8);
      end();
    }
    look();
    check(page);
    if (HasFailure() && !goes_on) return;
  }
}

// The first byte of a page says of which kind it is; its rows are whole none the less.
TEST_F(DamageTest, APageOfAWrongKindLosesNothing) {
  for (std::size_t page = 1; page < content_.size() / page_bytes; ++page) {
    const char kind = content_[page * page_bytes];
    if (kind != 0x0d && kind != 0x0a && kind != 0x02) continue;
    for (unsigned bit = 0; bit < 8; ++bit) {
      begin();
      what_ = "page " + std::to_string(page + 1) + ", bit " + std::to_string(bit);
      twin.flip_bit(spool_path, page * page_bytes, bit);
      look();
      check(SIZE_MAX);
      if (HasFailure()) return;
    }
  }
}

}  // namespace
}  // namespace outrider::sidecar
