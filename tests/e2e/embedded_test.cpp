// The sidecar inside the application's process, with a spool.

#include <outrider/embedded.hpp>

#include "e2e/spool_fixture.hpp"

namespace outrider::test {
namespace {

class EmbeddedSpool : public SpoolTest {
 protected:
  std::string write_config(const std::string& text) const {
    write_file(dir_.file("embedded.conf"), text);
    return dir_.file("embedded.conf");
  }
  std::string inproc_config() const {
    return "[spool]\npath = " + spool_.path() +
           "\nfree_bytes_min = 0\n[shutdown]\nlinger = 100ms\n[destination.audit]\ntype = http\n" +
           "url = " + receiver_.url() + "\nwhen_full = spool\nretry_initial = 20ms\n";
  }
  FaultReceiver receiver_;
};

TEST_F(EmbeddedSpool, ConfirmsAndKeepsForTheNextRun) {
  receiver_.refuse();
  const std::string file = write_config(inproc_config());
  {
    Embedded sidecar(file);
    Client client(sidecar.client_options());
    deliver(client, 1, 100);
    EXPECT_TRUE(client.flush(20s));
    EXPECT_EQ(confirmed_.size(), 100U);
    EXPECT_EQ(client.close(1s), Status::ok);
    EXPECT_TRUE(sidecar.stop()) << sidecar.report();
  }
  EXPECT_EQ(spool_.events(), 100);
  receiver_.listen();
  {
    Embedded sidecar(file);
    EXPECT_TRUE(wait_until_received(receiver_, confirmed_.all()));
    EXPECT_TRUE(eventually([&] { return spool_.rows() == 0; }));
    EXPECT_TRUE(sidecar.stop()) << sidecar.report();
  }
  EXPECT_EQ(sorted(received_by(receiver_)), range(1, 100));
  spool_.expect_empty_and_sound();
}

TEST_F(EmbeddedSpool, ServesOtherProcessesWhereTheConfigurationSaysSo) {
  Embedded sidecar(write_config(config(receiver_.url())));
  Client inside(sidecar.client_options());
  Client outside(client_options());
  deliver(inside, 1);
  deliver(outside, 2);
  EXPECT_TRUE(inside.flush(20s));
  EXPECT_TRUE(outside.flush(20s));
  EXPECT_EQ(confirmed_.all(), (std::set<long>{1, 2}));
  EXPECT_EQ(inside.close(1s), Status::ok);
}

TEST_F(EmbeddedSpool, ConfirmsNothingWithoutASpool) {
  Embedded sidecar(write_config("[destination.audit]\ntype = http\nurl = " + receiver_.url()));
  Client client(sidecar.client_options());
  EXPECT_EQ(client.deliver_wait(50ms, "orders.paid", {{"n", 1}}), Status::timeout);
  EXPECT_EQ(client.close(10ms), Status::timeout);
}

}  // namespace
}  // namespace outrider::test
