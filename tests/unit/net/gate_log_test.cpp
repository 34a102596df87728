#include "sidecar/net/gate_log.hpp"

#include <string>

#include <gtest/gtest.h>

#include "support/manual_clock.hpp"
#include "support/memory_log.hpp"

namespace outrider::sidecar {
namespace {

class GateLogTest : public testing::Test {
 protected:
  ~GateLogTest() override { counts_ = {}; }

  /// A turn of the loop at the next deadline.
  void look(GateLog& gate_log) {
    clock_.advance(GateLog::look_interval);
    gate_log.look(clock_.now());
  }
  void look() { look(gate_log_); }

  static constexpr int looks_a_line = GateLog::line_interval / GateLog::look_interval;

  static SocketGate::Counts counts_;
  test::ManualClock clock_;
  test::MemoryLog log_;
  GateLog gate_log_{log_, [] { return counts_; }};
};

SocketGate::Counts GateLogTest::counts_;

TEST_F(GateLogTest, SaysNothingOfWhatWasBefore) {
  counts_ = {.refused = 7, .http = 7};
  GateLog later(log_, [] { return counts_; });
  look(later);
  EXPECT_TRUE(log_.lines.empty());
}

TEST_F(GateLogTest, SaysRefusalsAtOnceAndThenOnceAMinuteWithTheNumberSince) {
  // Each second one more, for three minutes.
  for (int i = 0; i < 3 * looks_a_line; ++i) {
    ++counts_.refused;
    look();
  }
  ASSERT_EQ(log_.lines.size(), 3U);
  EXPECT_EQ(log_.count("error new clients are refused"), 3);
  EXPECT_EQ(log_.count(" connections=1 "), 1);
  EXPECT_EQ(log_.count(" connections=60 "), 2);
}

TEST_F(GateLogTest, SaysInvalidTrafficAtOnceAndThenOnceAMinuteWithALineForEachKind) {
  for (int i = 0; i < 3 * looks_a_line; ++i) {
    ++counts_.http;
    ++counts_.tls;
    ++counts_.left;
    ++counts_.made_cut_off;
    look();
  }
  ASSERT_EQ(log_.lines.size(), 3U * 4);
  for (const std::string name : {"http_requests", "tls", "connections"}) {
    EXPECT_GE(log_.count(" " + name + "=1 "), 1) << name;
    EXPECT_GE(log_.count(" " + name + "=60 "), 2) << name;
  }
  EXPECT_EQ(log_.count("closed client connections"), 3 * 2);
  EXPECT_EQ(log_.count("clients disconnected"), 3);
  EXPECT_EQ(log_.count("closed fan-out connections"), 3);
}

TEST_F(GateLogTest, LooksOnceASecond) {
  look();
  EXPECT_EQ(gate_log_.next_deadline(), clock_.now().mono + GateLog::look_interval);
  ++counts_.refused;
  gate_log_.look(clock_.now());
  EXPECT_TRUE(log_.lines.empty());
  look();
  EXPECT_EQ(log_.lines.size(), 1U);
}

TEST_F(GateLogTest, InvalidTrafficDoesNotHoldBackARefusalNorTheOtherWayRound) {
  ++counts_.http;
  look();
  ++counts_.refused;
  look();
  EXPECT_EQ(log_.lines.size(), 2U);
}

TEST_F(GateLogTest, BlamesClientsOnlyWhereTheyHoldAQuarterOfTheirDescriptors) {
  const auto for_clients = static_cast<std::uint64_t>(SocketGate::descriptors_for_clients_max());
  counts_ = {.open = for_clients / 4, .refused = 1};
  look();
  EXPECT_EQ(log_.count("clients are not the cause"), 1);
  counts_ = {.open = for_clients / 4 + 1, .refused = 2};
  for (int i = 0; i < looks_a_line; ++i) look();
  EXPECT_EQ(log_.count("look for clients that connect too often"), 1);
}

}  // namespace
}  // namespace outrider::sidecar
