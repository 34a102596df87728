// Receivers that say yes before they have read, and receivers that never stop sending. Neither may
// cost an event, nor anybody else's time.

#include "e2e/fault_fixture.hpp"

namespace outrider::test {
namespace {

// Early answers -----------------------------------------------------------------------------------

struct Early {
  std::string name;
  Step last;
  bool is_tls = false;
};

void PrintTo(const Early& early, std::ostream* out) {
  *out << early.name;
}

class FaultEarly : public FaultTest, public testing::WithParamInterface<Early> {
 protected:
  /// More than sockets hold.
  void emit_large() {
    const std::string padding(900'000, 'x');
    for (long n = 1; n <= events; ++n) {
      ASSERT_EQ(client_->emit_wait(10s, "orders.paid", {{"n", n}, {"padding", padding}}),
                Status::ok);
    }
  }

  std::string early_audit(const FaultReceiver& receiver, const Certificate* certificate) {
    return audit(receiver.url(),
                 "batch_bytes_max = 8MiB\nconcurrency_max = 1\n" +
                     (certificate == nullptr ? "" : "ca_file = " + certificate->cert_file));
  }
};

TEST_P(FaultEarly, AYesBeforeTheRequestWasReadDeliversNothing) {
  const Early& early = GetParam();
  const Certificate certificate = make_certificate(dir_.path());
  FaultReceiver::Options options;
  options.receive_buffer_bytes = 16 << 10;
  if (early.is_tls) options.tls = TlsOptions{certificate};
  FaultReceiver receiver(options);
  receiver.script_requests(
      std::vector<Script>(3, {read_bytes(1000), send_text(answer_text(200)), early.last}));
  start(early_audit(receiver, early.is_tls ? &certificate : nullptr));
  emit_large();
  expect_all_delivered("200 before the request was read, then " + early.name, receiver,
                       Duplicates::none);
}

INSTANTIATE_TEST_SUITE_P(Faults, FaultEarly,
                         testing::Values(Early{"Fin", close_connection()},
                                         Early{"Reset", reset_connection()},
                                         Early{"ResetOverTls", reset_connection(), true}),
                         [](const auto& test) { return test.param.name; });

using FaultEarlyTest = FaultEarly;

TEST_F(FaultEarlyTest, AYesThatIsFollowedByReadingIsAYes) {
  FaultReceiver receiver;
  receiver.script_requests({}, {read_bytes(1000), send_text(answer_text(200)), wait_for(20ms)});
  start(early_audit(receiver, nullptr));
  emit_large();
  expect_all_delivered("200 before the request was read, and then it is read", receiver,
                       Duplicates::none);
  EXPECT_EQ(sidecar_->err().find("request failed"), std::string::npos) << sidecar_->err();
}

// Floods ------------------------------------------------------------------------------------------

class FaultFlood : public FaultTest {
 protected:
  static std::string http2_frame(char type, char flags, std::uint8_t stream,
                                 const std::string& payload) {
    return std::string{0, 0, static_cast<char>(payload.size()), type, flags, 0,
                       0, 0, static_cast<char>(stream)} +
           payload;
  }

  /// `config` is for audit, whose receiver floods. The other destination's is healthy.
  void expect_harmless(const std::string& config) {
    FaultReceiver healthy;
    start(audit(config.substr(0, config.find('\n')), config.substr(config.find('\n') + 1)) +
          "[destination.healthy]\ntype = http\nurl = " + healthy.url() +
          "\n[shutdown]\nlinger = 1s\n");
    emit();
    EXPECT_TRUE(wait_until_taken(healthy));
    EXPECT_EQ(sidecar_->stop(), 3) << sidecar_->err();
    EXPECT_EQ(sidecar_->ledger("healthy").delivered, static_cast<std::uint64_t>(events));
    EXPECT_EQ(sidecar_->ledger("audit").delivered, 0U);
  }
};

TEST_F(FaultFlood, OfTlsRecordsBeforeTheHandshake) {
  FaultReceiver receiver;
  const std::string hello_request("\x16\x03\x03\x00\x04\x00\x00\x00\x00", 9);
  receiver.script_connections({}, {read_bytes(1), send_endlessly(hello_request)});
  expect_harmless("https://127.0.0.1:" + std::to_string(receiver.port()) + "/\n");
}

TEST_F(FaultFlood, OfAProxyThatRefusesWithoutAnEnd) {
  FaultReceiver proxy;
  proxy.script_requests(
      {}, {read_bytes(1), send_text("HTTP/1.1 407 No\r\nContent-Length: 99999999999\r\n\r\n"),
           send_endlessly("x")});
  expect_harmless("https://target.test/\nproxy = " + proxy.url());
}

TEST_F(FaultFlood, OfHttp2FramesThatMeanNothing) {
  const TlsOptions tls{.certificate = make_certificate(dir_.path()), .chooses_http2 = true};
  const std::string settings = http2_frame(4, 0, 0, "");
  const std::string ping_acknowledged = http2_frame(6, 1, 0, "12345678");
  const std::string window_update = http2_frame(8, 0, 0, {0, 0, 0, 1});
  for (const std::string& frame : {ping_acknowledged, window_update}) {
    FaultReceiver receiver({.tls = tls});
    receiver.script_requests({}, {read_body(0), send_text(settings), send_endlessly(frame)});
    expect_harmless(receiver.url() + "\nhttp_version = 2\nca_file = " + tls.certificate.cert_file);
  }
}

}  // namespace
}  // namespace outrider::test
