#include <cstring>

#include <gtest/gtest.h>

#include "outrider/outrider.h"
#include "unit/sdk/c_abi_c11.h"
#include "unit/sdk/receiver.hpp"

namespace outrider::test {
namespace {

TEST(CAbi, C11ProgramEmits) {
  ScratchFolder folder;
  Receiver receiver(folder.endpoint());
  EXPECT_EQ(emit_from_c(folder.endpoint().c_str()), 0);
  ASSERT_TRUE(receiver.receive(3));
  EXPECT_EQ(receiver.events[0].data, std::string("\x81\xa1\x61\x01"));
  EXPECT_EQ(receiver.events[1].key, "k");
  EXPECT_EQ(receiver.events[2].priority, proto::Priority::high);
}

TEST(CAbi, NullPointersAreRefused) {
  outrider_client* client = nullptr;
  outrider_stats stats;
  EXPECT_EQ(outrider_client_new(nullptr, nullptr), OUTRIDER_INVALID_ARGUMENT);
  EXPECT_EQ(outrider_options_init(nullptr, 100), OUTRIDER_INVALID_ARGUMENT);
  EXPECT_EQ(outrider_emit(nullptr, "t", 1, "\x01", 1), OUTRIDER_INVALID_ARGUMENT);
  EXPECT_EQ(outrider_flush(nullptr, 1), OUTRIDER_INVALID_ARGUMENT);
  EXPECT_EQ(outrider_close(nullptr, 1), OUTRIDER_INVALID_ARGUMENT);
  EXPECT_EQ(outrider_stats_read(nullptr, &stats, sizeof stats), OUTRIDER_INVALID_ARGUMENT);
  outrider_client_free(nullptr);

  ASSERT_EQ(outrider_client_new(nullptr, &client), OUTRIDER_OK);
  EXPECT_EQ(outrider_emit(client, nullptr, 1, "\x01", 1), OUTRIDER_BAD_TOPIC);
  EXPECT_EQ(outrider_emit(client, "t", 1, nullptr, 1), OUTRIDER_BAD_DATA);
  EXPECT_EQ(outrider_emit(client, "t", 1, "\x01", 0), OUTRIDER_BAD_DATA);
  EXPECT_EQ(outrider_emit_event(client, nullptr), OUTRIDER_INVALID_ARGUMENT);
  outrider_client_free(client);
}

TEST(CAbi, CallerWithAnOlderHeaderWorks) {
  // Only the fields up to buffer_bytes_max: what lies behind them is neither read nor written.
  outrider_options options;
  std::memset(&options, 0x55, sizeof options);
  const std::size_t older_bytes = offsetof(outrider_options, when_full);
  ASSERT_EQ(outrider_options_init(&options, older_bytes), OUTRIDER_OK);
  EXPECT_EQ(options.struct_bytes, older_bytes);
  EXPECT_EQ(options.when_full, 0x55555555U);
  outrider_client* client = nullptr;
  ASSERT_EQ(outrider_client_new(&options, &client), OUTRIDER_OK);

  outrider_stats stats;
  std::memset(&stats, 0x55, sizeof stats);
  EXPECT_EQ(outrider_stats_read(client, &stats, offsetof(outrider_stats, dropped)), OUTRIDER_OK);
  EXPECT_EQ(stats.emitted, 0U);
  EXPECT_EQ(stats.dropped[0], 0x5555555555555555U);
  outrider_client_free(client);
}

TEST(CAbi, StructsThatDoNotSayTheirSizeAreRefused) {
  outrider_client* client = nullptr;
  outrider_options options;
  ASSERT_EQ(outrider_options_init(&options, sizeof options), OUTRIDER_OK);
  for (const std::size_t bytes : {std::size_t{0}, sizeof options.struct_bytes, SIZE_MAX}) {
    options.struct_bytes = bytes;
    EXPECT_EQ(outrider_client_new(&options, &client), OUTRIDER_INVALID_ARGUMENT) << bytes;
    EXPECT_EQ(client, nullptr);
  }
  EXPECT_EQ(outrider_options_init(&options, SIZE_MAX), OUTRIDER_INVALID_ARGUMENT);

  ASSERT_EQ(outrider_client_new(nullptr, &client), OUTRIDER_OK);
  outrider_event event{};
  event.topic = "t";
  event.topic_bytes = 1;
  event.data = "\x01";
  event.data_bytes = 1;
  for (const std::size_t bytes : {std::size_t{0}, offsetof(outrider_event, data), SIZE_MAX}) {
    event.struct_bytes = bytes;
    EXPECT_EQ(outrider_emit_event(client, &event), OUTRIDER_INVALID_ARGUMENT) << bytes;
    EXPECT_EQ(outrider_emit_wait(client, &event, 0), OUTRIDER_INVALID_ARGUMENT) << bytes;
    EXPECT_EQ(outrider_deliver(client, &event, nullptr, nullptr), OUTRIDER_INVALID_ARGUMENT);
    EXPECT_EQ(outrider_deliver_wait(client, &event, 0), OUTRIDER_INVALID_ARGUMENT) << bytes;
  }
  outrider_stats stats;
  EXPECT_EQ(outrider_stats_read(client, &stats, SIZE_MAX), OUTRIDER_INVALID_ARGUMENT);
  ASSERT_EQ(outrider_stats_read(client, &stats, sizeof stats), OUTRIDER_OK);
  EXPECT_EQ(stats.emitted, 0U);
  outrider_client_free(client);
}

TEST(CAbi, EveryNumberHasAText) {
  for (int i = 0; i <= OUTRIDER_REFUSED; ++i) {
    EXPECT_STRNE(outrider_status_text(static_cast<outrider_status>(i)), "unknown status");
  }
  for (int i = 0; i < OUTRIDER_DROP_REASONS; ++i) {
    EXPECT_STRNE(outrider_drop_reason_text(static_cast<outrider_drop_reason>(i)), "unknown");
  }
  EXPECT_STREQ(outrider_status_text(static_cast<outrider_status>(15)), "unknown status");
}

}  // namespace
}  // namespace outrider::test
