// Faults of name resolution.

#include "e2e/fault_fixture.hpp"

namespace outrider::test {
namespace {

class NameFault : public FaultTest {
 protected:
  void SetUp() override {
#if defined(OUTRIDER_SANITIZED)
    GTEST_SKIP() << "the sanitizers' own library must be the first to be preloaded";
#endif
  }

  void start_with(const std::string& config, std::vector<std::string> environment) {
    sidecar_ = std::make_unique<Sidecar>(dir_, config, true, std::move(environment));
    client_ = std::make_unique<Client>(sidecar_->endpoint());
  }
};

TEST_F(NameFault, DisappearsAndReturns) {
  FaultReceiver receiver;
  receiver.script_requests({}, find_script("connection_close")->script);
  const std::string hosts = dir_.file("hosts");
  const std::string entry = "127.0.0.1 receiver.test\n";
  write_file(hosts, "127.0.0.1 other.test\n");
  start_with(audit(receiver.url("receiver.test")),
             {"LD_PRELOAD=libnss_wrapper.so", "NSS_WRAPPER_HOSTS=" + hosts});
  emit(1, 5);
  EXPECT_TRUE(sidecar_->process().wait_for_line("receiver.test", Process::Stream::err));
  EXPECT_TRUE(receiver.arrivals().empty());
  write_file(hosts, entry);
  wait_until_taken(receiver, 5);
  write_file(hosts, "127.0.0.1 other.test\n");
  emit(6, events);
  write_file(hosts, entry);
  expect_all_delivered("name unknown, then known, gone and back", receiver, Duplicates::none);
}

TEST_F(NameFault, AResolverThatHangsDoesNotHoldUpTheStop) {
  FaultReceiver receiver;
  start_with(audit(receiver.url("receiver.test")) + "[shutdown]\nlinger = 1s\n",
             {"LD_PRELOAD=" OUTRIDER_HANGING_RESOLVER});
  emit();
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(sidecar_->stop(), 3) << sidecar_->err();
  // A second for linger, a second at most to close; a second for a machine that is busy.
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 3s);
  const Tally tally = tally_of(receiver);
  EXPECT_EQ(tally.ledger.left, 20U);
  EXPECT_EQ(tally.received, 0U);
  write_table_line("a resolver that hangs, then SIGTERM", "left at the stop", tally);
}

}  // namespace
}  // namespace outrider::test
