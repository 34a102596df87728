// Faults of name resolution.

#include <zmq.h>

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

  /// Each time seconds newer than before: libnss_wrapper reads the file again only then.
  void write_hosts(const std::string& text) {
    write_file(hosts_ + ".new", text);
    hosts_time_ += 10s;
    std::filesystem::last_write_time(hosts_ + ".new", hosts_time_);
    std::filesystem::rename(hosts_ + ".new", hosts_);
  }

  const std::string hosts_ = dir_.file("hosts");
  std::filesystem::file_time_type hosts_time_ = std::filesystem::file_time_type::clock::now();
};

TEST_F(NameFault, DisappearsAndReturns) {
  FaultReceiver receiver;
  receiver.script_requests({}, find_script("connection_close")->script);
  const std::string entry = "127.0.0.1 receiver.test\n";
  write_hosts("127.0.0.1 other.test\n");
  start(audit(receiver.url("receiver.test")),
        {"LD_PRELOAD=libnss_wrapper.so", "NSS_WRAPPER_HOSTS=" + hosts_});
  emit(1, 5);
  EXPECT_TRUE(sidecar_->process().wait_for_line("receiver.test", Process::Stream::err));
  EXPECT_TRUE(receiver.arrivals().empty());
  write_hosts(entry);
  wait_until_taken(receiver, 5);
  write_hosts("127.0.0.1 other.test\n");
  emit(6, events);
  write_hosts(entry);
  expect_all_delivered("name unknown, then known, gone and back", receiver, Duplicates::none);
}

TEST_F(NameFault, AResolverThatHangsDoesNotHoldUpTheStop) {
  FaultReceiver receiver;
  start(audit(receiver.url("receiver.test")) + "[shutdown]\nlinger = 1s\n",
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

TEST_F(NameFault, AZmqPeerWhoseNameAppearsIsFound) {
  void* const context = zmq_ctx_new();
  void* const pull = zmq_socket(context, ZMQ_PULL);
  const int timeout_ms = 20'000;
  zmq_setsockopt(pull, ZMQ_RCVTIMEO, &timeout_ms, sizeof timeout_ms);
  ASSERT_EQ(zmq_bind(pull, "tcp://127.0.0.1:*"), 0);
  char bound[100] = "";
  std::size_t bytes = sizeof bound;
  zmq_getsockopt(pull, ZMQ_LAST_ENDPOINT, bound, &bytes);
  const std::string port = std::string(bound).substr(std::string(bound).rfind(':'));
  write_hosts("127.0.0.1 other.test\n");
  start("[destination.fan]\ntype = zmq\nsocket = push\nurl = tcp://receiver.test" + port + "\n",
        {"LD_PRELOAD=libnss_wrapper.so", "NSS_WRAPPER_HOSTS=" + hosts_});
  emit();
  // libzmq asks for IPv6, and libnss_wrapper maps no address to it.
  write_hosts("::ffff:127.0.0.1 receiver.test\n");
  char part[1000];
  for (long i = 0; i < 2 * events; ++i) {
    EXPECT_GT(zmq_recv(pull, part, sizeof part, 0), 0) << "topic and event, part " << i;
  }
  zmq_close(pull);
  zmq_ctx_term(context);
  EXPECT_EQ(sidecar_->stop(), 0) << sidecar_->err();
  EXPECT_EQ(sidecar_->ledger("fan").delivered, 20U);
}

TEST_F(NameFault, AResolverThatHangsHoldsUpItsZmqDestinationAlone) {
  for (const std::string pattern : {"push", "pub"}) {
    SCOPED_TRACE(pattern);
    FaultReceiver receiver;
    start(audit(receiver.url()) + "[destination.fan]\ntype = zmq\nsocket = " + pattern +
              "\nurl = tcp://receiver.test:5555\n[shutdown]\nlinger = 1s\n",
          {"LD_PRELOAD=" OUTRIDER_HANGING_RESOLVER});
    emit();
    wait_until_taken(receiver);
    const auto begin = std::chrono::steady_clock::now();
    // A PUB without subscribers is done with its events.
    EXPECT_EQ(sidecar_->stop(), pattern == "push" ? 3 : 0) << sidecar_->err();
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 3s);
    const Tally tally = tally_of(receiver);
    EXPECT_EQ(tally.ledger.delivered, 20U);
    EXPECT_EQ(sidecar_->ledger("fan").left, pattern == "push" ? 20U : 0U);
    write_table_line("a resolver that hangs, of a zmq destination beside (" + pattern + ")",
                     "delivered", tally);
  }
}

TEST_F(NameFault, AStopWithNothingToSendDoesNotWaitForAResolverThatHangs) {
  start(
      "[destination.fan]\ntype = zmq\nsocket = push\nurl = tcp://receiver.test:5555\n"
      "[shutdown]\nlinger = 1m\n",
      {"LD_PRELOAD=" OUTRIDER_HANGING_RESOLVER});
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(sidecar_->stop(), 0) << sidecar_->err();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
}

}  // namespace
}  // namespace outrider::test
