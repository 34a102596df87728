// The sidecar inside the application's process, with a spool.

#include <csignal>

#include <outrider/embedded.hpp>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "e2e/spool_fixture.hpp"
#include "support/zmtp_client.hpp"

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

TEST_F(EmbeddedSpool, ReloadsWhenTheApplicationSaysSo) {
  const std::string file = write_config(inproc_config());
  Embedded sidecar(file);
  EXPECT_EQ(sidecar.reload(), "nothing has changed\n");
  write_config(inproc_config() + "timeout = 7s\n");
  EXPECT_EQ(sidecar.reload(), "changed (new requests): destination.audit.timeout: 30s -> 7s\n");
  write_config(inproc_config() + "timeout = soon\n");
  EXPECT_THROW(sidecar.reload(), std::runtime_error);
  Client client(sidecar.client_options());
  deliver(client, 1);
  EXPECT_TRUE(client.flush(20s));
  EXPECT_EQ(client.close(1s), Status::ok);
  EXPECT_TRUE(sidecar.stop()) << sidecar.report();
  EXPECT_THROW(sidecar.reload(), std::runtime_error) << "it does not run any more";
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

TEST_F(EmbeddedSpool, HasNoAdminInterfaceUnlessItIsConfigured) {
  const std::string endpoint = "[ingest]\nendpoint = ipc://" + dir_.file("in.sock") + "\n";
  {
    const Embedded sidecar(write_config(inproc_config() + endpoint));
    EXPECT_FALSE(std::filesystem::exists(dir_.file("admin.sock")));
  }
  const std::string path = dir_.file("own.sock");
  const Embedded sidecar(
      write_config(inproc_config() + endpoint + "[admin]\nlisten = unix://" + path + "\n"));
  EXPECT_TRUE(std::filesystem::exists(path));
}

/// Whoever forks an application with a sidecar inside must not keep that sidecar's place.
TEST(EmbeddedFork, AChildKeepsNeitherLocksNorSocketsNorConnections) {
#if defined(OUTRIDER_SANITIZED)
  GTEST_SKIP() << "the sanitizers do not support a fork while other threads run";
#endif
  const TempDir dir;
  const std::string file = dir.file("embedded.conf");
  const std::string path = dir.file("e.sock");
  write_file(file, "[ingest]\nendpoint = ipc://" + path + "\n[spool]\npath = " + dir.file("s.db") +
                       "\nfree_bytes_min = 0\n[shutdown]\n" +
                       "linger = 10ms\n[destination.d]\ntype = http\nurl = https://127.0.0.1:9/\n");
  int to_host[2];
  int from_host[2];
  ASSERT_EQ(pipe(to_host) + pipe(from_host), 0);
  const pid_t host = fork();
  ASSERT_GE(host, 0);
  if (host == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const Embedded sidecar(file);
    char go = 1;
    if (write(from_host[1], &go, 1) != 1 || read(to_host[0], &go, 1) != 1) _exit(1);
    const pid_t child = fork();
    if (child == 0) {
      // It outlives its parent, but not the test.
      close(to_host[1]);
      while (read(to_host[0], &go, 1) > 0) {
      }
      _exit(0);
    }
    if (write(from_host[1], &child, sizeof child) < 0) _exit(1);
    for (;;) pause();
  }
  close(to_host[0]);
  char ready = 0;
  ASSERT_EQ(read(from_host[0], &ready, 1), 1);
  const ZmtpClient client(path);
  ASSERT_TRUE(client.greet());
  ASSERT_EQ(write(to_host[1], &ready, 1), 1);
  pid_t child = 0;
  ASSERT_EQ(read(from_host[0], &child, sizeof child), static_cast<ssize_t>(sizeof child));
  kill(host, SIGKILL);
  waitpid(host, nullptr, 0);
  EXPECT_EQ(kill(child, 0), 0) << "the child must still run";
  EXPECT_TRUE(client.wait_for_end()) << "a client does not see that the sidecar has died";
  EXPECT_NO_THROW(Embedded{file});
  close(to_host[1]);
  close(from_host[0]);
  close(from_host[1]);
}

}  // namespace
}  // namespace outrider::test
