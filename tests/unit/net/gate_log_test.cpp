#include "sidecar/net/gate_log.hpp"

#include <string>

#include <gtest/gtest.h>

#include "support/memory_log.hpp"

namespace outrider::sidecar {
namespace {

class GateLogTest : public testing::Test {
 protected:
  ~GateLogTest() override { counts_ = {}; }

  void tick(int ticks) {
    for (; ticks > 0; --ticks) gate_log_.tick();
  }

  static SocketGate::Counts counts_;
  Reactor reactor_;
  test::MemoryLog log_;
  GateLog gate_log_{reactor_, log_, [] { return counts_; }};
};

SocketGate::Counts GateLogTest::counts_;

TEST_F(GateLogTest, SaysNothingOfWhatWasBefore) {
  counts_ = {.refused = 7, .http = 7};
  GateLog later(reactor_, log_, [] { return counts_; });
  later.tick();
  EXPECT_TRUE(log_.lines.empty());
}

TEST_F(GateLogTest, SaysRefusalsAtOnceAndThenOnceAMinuteWithTheNumberSince) {
  // Each second one more, for three minutes.
  for (int i = 0; i < 3 * GateLog::quiet_ticks; ++i) {
    ++counts_.refused;
    tick(1);
  }
  ASSERT_EQ(log_.lines.size(), 3U);
  EXPECT_EQ(log_.count("error new clients are refused"), 3);
  EXPECT_EQ(log_.count(" connections=1 "), 1);
  EXPECT_EQ(log_.count(" connections=60 "), 2);
}

TEST_F(GateLogTest, SaysInvalidTrafficAtOnceAndThenOnceAMinuteWithALineForEachKind) {
  for (int i = 0; i < 3 * GateLog::quiet_ticks; ++i) {
    ++counts_.http;
    ++counts_.tls;
    ++counts_.left;
    ++counts_.made_cut_off;
    tick(1);
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

TEST_F(GateLogTest, InvalidTrafficDoesNotHoldBackARefusalNorTheOtherWayRound) {
  ++counts_.http;
  tick(1);
  ++counts_.refused;
  tick(1);
  EXPECT_EQ(log_.lines.size(), 2U);
}

TEST_F(GateLogTest, BlamesClientsOnlyWhereTheyHoldAQuarterOfTheirDescriptors) {
  const auto for_clients = static_cast<std::uint64_t>(SocketGate::descriptors_for_clients_max());
  counts_ = {.open = for_clients / 4, .refused = 1};
  tick(1);
  EXPECT_EQ(log_.count("clients are not the cause"), 1);
  counts_ = {.open = for_clients / 4 + 1, .refused = 2};
  tick(GateLog::quiet_ticks);
  EXPECT_EQ(log_.count("look for clients that connect too often"), 1);
}

}  // namespace
}  // namespace outrider::sidecar
