// Faults as nginx and Caddy make them, with a receiver behind that counts.

#include "e2e/fault_fixture.hpp"
#include "e2e/servers.hpp"

namespace outrider::test {
namespace {

class ServerFault : public FaultTest {
 protected:
  template <typename Server>
  static std::string through(const Server& server, const std::string& more = {}) {
    return audit(server.url(), "ca_file = " + server.ca_file() + "\n" + more);
  }

  template <typename Server>
  void expect_exact_over_a_restart(const std::string& fault, Server& server,
                                   const FaultReceiver& receiver) {
    start(through(server));
    emit(1, 5);
    wait_until_taken(receiver, 5);
    server.reload();
    emit(6, 10);
    wait_until_taken(receiver, 10);
    server.stop();
    emit(11, events);
    wait_until_it_fails();
    server.start();
    expect_all_delivered(fault, receiver, Duplicates::none);
  }
};

TEST_F(ServerFault, NginxReloadedAndRestarted) {
  FaultReceiver receiver;
  Nginx nginx(dir_, receiver.url());
  expect_exact_over_a_restart("nginx reloaded, then down and up again", nginx, receiver);
}

TEST_F(ServerFault, CaddyReloadedAndRestarted) {
  FaultReceiver receiver;
  Caddy caddy(dir_, receiver.port());
  expect_exact_over_a_restart("Caddy reloaded, then down and up again", caddy, receiver);
}

TEST_F(ServerFault, NginxRefusesLargeBodies) {
  FaultReceiver receiver;
  const Nginx nginx(dir_, receiver.url(), "client_max_body_size 500;");
  start(through(nginx));
  emit(1, 6);
  ASSERT_EQ(client_->emit_wait(10s, "orders.paid", {{"n", 7}, {"text", std::string(1000, 'x')}}),
            Status::ok);
  emit(8, events);
  wait_until_taken(receiver, events - 1);
  EXPECT_EQ(sidecar_->stop(), 3) << sidecar_->err();
  const Tally tally = tally_of(receiver);
  EXPECT_EQ(tally.ledger.delivered, 19U);
  EXPECT_EQ(tally.ledger.dead, 1U);
  EXPECT_EQ(tally.received, 19U);
  EXPECT_EQ(distinct(taken(receiver)).count(7), 0U);
  write_table_line("nginx: 413 by client_max_body_size", "split, 7 is dead", tally);
}

TEST_F(ServerFault, NginxHasLostItsUpstream) {
  FaultReceiver receiver;
  const Nginx nginx(dir_, receiver.url());
  receiver.refuse();
  start(through(nginx));
  emit();
  EXPECT_TRUE(sidecar_->process().wait_for_line("502", Process::Stream::err));
  receiver.listen();
  expect_all_delivered("nginx: 502 from a dead upstream, then alive", receiver, Duplicates::none);
}

TEST_F(ServerFault, NginxLimitsTheRate) {
  FaultReceiver receiver;
  const Nginx nginx(dir_, receiver.url(), "limit_req zone=requests;",
                    "limit_req_zone $binary_remote_addr zone=requests:1m rate=20r/s;");
  start(through(nginx, "batch_delay = 0ms"));
  for (long n = 1; n <= events; ++n) emit(n, n);
  wait_until_taken(receiver);
  EXPECT_NE(nginx.error_log().find("limiting requests"), std::string::npos);
  expect_all_delivered("nginx: 503 by its rate limit", receiver, Duplicates::none);
}

}  // namespace
}  // namespace outrider::test
