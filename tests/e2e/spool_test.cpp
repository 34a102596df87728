// What is in memory only, and what is on disk, when a sidecar ends.

#include <cstring>
#include <filesystem>

#include "e2e/spool_fixture.hpp"

namespace outrider::test {
namespace {

class SpoolEnd : public SpoolTest {
 protected:
  /// Events that the sidecar says it has in memory only.
  std::uint64_t in_memory() const {
    std::uint64_t events = 0;
    const std::string bytes = read_file(spool_.path() + ".memory");
    if (bytes.size() == sizeof events) std::memcpy(&events, bytes.data(), sizeof events);
    return events > 0 ? events - 1 : 0;  // one more stands there, see MemoryMark
  }
};

TEST_F(SpoolEnd, TheNextRunSaysHowManyEventsACrashHasCost) {
  FaultReceiver receiver;
  receiver.refuse();
  {
    Sidecar sidecar(dir_, config(receiver.url()));
    Client client(client_options());
    for (long number = 1; number <= 70; ++number) emit(client, number);
    deliver(client, 71, 100);
    ASSERT_TRUE(client.flush(10s));
    ASSERT_TRUE(eventually([&] { return in_memory() == 70 && confirmed_.size() == 30; }));
    sidecar.process().signal(SIGKILL);
    ASSERT_TRUE(sidecar.process().wait());
  }
  receiver.listen();
  Sidecar sidecar(dir_, config(receiver.url()));
  EXPECT_NE(sidecar.err().find("the last run ended without a shutdown"), std::string::npos)
      << sidecar.err();
  wait_until_received(receiver, confirmed_.all());
  sidecar.stop();
  EXPECT_NE(
      sidecar.err().find(
          "unknown: 70 events were only in memory when the last run ended without a shutdown"),
      std::string::npos)
      << sidecar.err();
  EXPECT_EQ(sidecar.ledger("audit").delivered, 30U);
}

TEST_F(SpoolEnd, AMappedFileThatIsEmptiedEndsItWithALastLine) {
  FaultReceiver receiver;
  {
    Sidecar sidecar(dir_, config(receiver.url()));
    Client client(client_options());
    deliver(client, 1, 10);
    ASSERT_TRUE(eventually([&] { return confirmed_.size() == 10; }));
    std::filesystem::resize_file(spool_.path() + "-shm", 0);
    deliver(client, 11, 20);
    EXPECT_EQ(sidecar.process().wait(), 4);
    EXPECT_NE(sidecar.err().find("the process ended unexpectedly"), std::string::npos);
    EXPECT_NE(sidecar.err().find("a mapped file was emptied"), std::string::npos);
  }
  Sidecar sidecar(dir_, config(receiver.url()));
  wait_until_received(receiver, confirmed_.all());
  EXPECT_EQ(sidecar.stop(), 0);
}

TEST_F(SpoolEnd, WhatAStopLeavesIsSentByTheNextRunAndNothingIsSaidToBeLost) {
  FaultReceiver receiver;
  receiver.refuse();
  {
    Sidecar sidecar(dir_, config(receiver.url(), "", "100ms"));
    Client client(client_options());
    for (long number = 1; number <= 500; ++number) emit(client, number);
    ASSERT_TRUE(client.flush(10s));
    EXPECT_EQ(sidecar.stop(), 0) << sidecar.err();
    EXPECT_EQ(sidecar.ledger("audit").spooled, 500U);
  }
  receiver.listen();
  Sidecar sidecar(dir_, config(receiver.url()));
  EXPECT_EQ(sidecar.err().find("ended without a shutdown"), std::string::npos) << sidecar.err();
  wait_until_received(receiver, issued_.all());
  EXPECT_EQ(sidecar.stop(), 0);
  EXPECT_EQ(received_by(receiver).size(), 500U);
  spool_.expect_empty_and_sound();
}

}  // namespace
}  // namespace outrider::test
