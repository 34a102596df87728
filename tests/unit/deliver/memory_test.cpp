// What a destination holds beside the bytes of its events. A program of its own, because it counts
// what operator new has given out.
#include <atomic>
#include <cstdlib>
#include <new>

#include <malloc.h>

#include "unit/deliver/destination_fixture.hpp"

namespace {
std::atomic<std::size_t> live_bytes = 0;

void give_back(void* memory) noexcept {
  live_bytes -= malloc_usable_size(memory);
  std::free(memory);
}
}  // namespace

// Not inlined: gcc would see free() meet operator new in one place and warn.
[[gnu::noinline]] void* operator new(std::size_t size) {
  void* memory = std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  live_bytes += malloc_usable_size(memory);
  return memory;
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  give_back(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
  give_back(memory);
}

namespace outrider::sidecar {
namespace {

using namespace std::chrono_literals;

class MemoryTest : public DestinationFixture {
 protected:
  /// Of the destination alone: what the transport remembers is the test's.
  std::ptrdiff_t held() const {
    EXPECT_TRUE(transport->started.empty());
    return static_cast<std::ptrdiff_t>(live_bytes) - static_cast<std::ptrdiff_t>(before_);
  }
  void forget_started() {
    transport->started.clear();
    transport->started.shrink_to_fit();
  }
  /// What is held from here on counts.
  void begin() { before_ = live_bytes; }

 private:
  std::size_t before_ = 0;
};

TEST_F(MemoryTest, AKeyOnItsWayCostsLittleBesideItself) {
  constexpr std::int64_t events = 5000;
  config.ordering = Ordering::key;
  config.batch_events_max = static_cast<std::uint64_t>(events);
  config.batch_bytes_max = 16 << 20;
  config.concurrency_max = 1;
  build();
  begin();
  std::ptrdiff_t record_bytes = 0;
  for (std::int64_t i = 0; i < events; ++i) {
    const std::string key = "k" + std::to_string(i);
    const auto record =
        test::numbered_record({.number = static_cast<std::uint64_t>(i), .key = key});
    record_bytes += static_cast<std::ptrdiff_t>(record.size());
    destination->accept(record, clock.now());
  }
  turn();
  while (!transport->open.empty()) transport->fail(), destination->do_work(clock.now());
  ASSERT_EQ(ledger().queued, static_cast<std::uint64_t>(events));
  forget_started();
  EXPECT_LT(held(), record_bytes + events * 200 + (1 << 20));
  drain();
}

TEST_F(MemoryTest, ABatchThatWaitsHoldsItsRecordsAndNothingElse) {
  constexpr std::int64_t events = 5 * 700;
  config.batch_events_max = 700;
  config.concurrency_min = config.concurrency_max = 5;
  config.breaker_failures = 0;
  build();
  // Once before, so that queue and encoder have found their size.
  accept(1, static_cast<std::uint64_t>(events));
  turn();
  drain();
  forget_started();
  begin();
  accept(1, static_cast<std::uint64_t>(events));
  const auto record_bytes = events * std::ssize(test::numbered_record({.number = 900}));
  turn();
  ASSERT_EQ(transport->open.size(), 5U);
  while (!transport->open.empty()) transport->fail();
  destination->do_work(clock.now());
  ASSERT_EQ(ledger().queued, static_cast<std::uint64_t>(events));
  forget_started();
  EXPECT_LT(held(), record_bytes + record_bytes / 10);
  drain();
}

TEST_F(MemoryTest, OneLargeEventLeavesNothingBehindTheNext) {
  constexpr std::uint32_t bytes = 8U << 20U;
  build();
  begin();
  {
    proto::EventView event;
    const std::string data = std::string("\xdb\x00\x80\x00\x00", 5) + std::string(bytes, 'x');
    const std::vector<std::uint8_t> id(16, 1);
    event.topic = "orders.paid";
    event.data = proto::as_bytes(data);
    const RecordContext context{id, {}, clock.now()};
    std::vector<std::uint8_t> record(record_bytes(event, context));
    write_record(event, context, record.data());
    destination->accept(record, clock.now());
  }
  turn();
  transport->answer(200);
  turn();
  accept(1, 1);
  turn();
  transport->answer(200);
  turn();
  ASSERT_EQ(ledger().delivered, 2U);
  forget_started();
  EXPECT_LT(held(), 1 << 20);
}

}  // namespace
}  // namespace outrider::sidecar
