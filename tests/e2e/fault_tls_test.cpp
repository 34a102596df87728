// Faults of TLS: whatever is wrong with it, the events are held, and sent once it is right.

#include "e2e/fault_fixture.hpp"

namespace outrider::test {
namespace {

class TlsFault : public FaultTest {
 protected:
  TlsOptions good() { return {make_certificate(dir_.path())}; }

  /// Trusts both certificates, so that only what is wrong with the bad one counts.
  std::string trusting(const FaultReceiver& receiver, const Certificate& good,
                       const Certificate& also) {
    write_file(dir_.file("ca.pem"), read_file(good.cert_file) + read_file(also.cert_file));
    return audit(receiver.url(), "ca_file = " + dir_.file("ca.pem"));
  }

  void expect_held_until_good(const std::string& fault, const Certificate& bad, bool is_trusted) {
    const TlsOptions right = good();
    FaultReceiver receiver({.tls = TlsOptions{bad}});
    start(trusting(receiver, right.certificate, is_trusted ? bad : right.certificate));
    emit();
    EXPECT_TRUE(sidecar_->process().wait_for_line("certificate", Process::Stream::err));
    EXPECT_TRUE(receiver.arrivals().empty());
    receiver.use_tls(right);
    expect_all_delivered(fault, receiver, Duplicates::none);
  }
};

TEST_F(TlsFault, SelfSignedCertificate) {
  expect_held_until_good("self-signed certificate, then the right one",
                         make_certificate(dir_.path(), "IP:127.0.0.1", "other"), false);
}

TEST_F(TlsFault, ExpiredCertificate) {
  expect_held_until_good("expired certificate, then the right one",
                         make_expired_certificate(dir_.path()), true);
}

TEST_F(TlsFault, CertificateOfAnotherHost) {
  expect_held_until_good("certificate of another host, then the right one",
                         make_certificate(dir_.path(), "DNS:elsewhere.test", "other"), true);
}

TEST_F(TlsFault, CertificateSwappedWhileRunning) {
  const TlsOptions right = good();
  FaultReceiver receiver({.tls = right});
  start(audit(receiver.url(), "ca_file = " + right.certificate.cert_file));
  emit(1, 10);
  wait_until_taken(receiver, 10);
  receiver.use_tls({make_certificate(dir_.path(), "IP:127.0.0.1", "other")});
  receiver.end_connections();
  emit(11, 20);
  EXPECT_TRUE(sidecar_->process().wait_for_line("certificate", Process::Stream::err));
  EXPECT_TRUE(has_taken(receiver, 10));
  receiver.use_tls(right);
  expect_all_delivered("good certificate, then a bad one, then the good one", receiver,
                       Duplicates::none);
}

TEST_F(TlsFault, GarbageInsteadOfAHandshake) {
  const TlsOptions right = good();
  FaultReceiver receiver({.tls = right});
  receiver.script_connections(std::vector<Script>(
      2, Script{read_bytes(1), send_text("220 this is not TLS\r\n"), close_connection()}));
  start(audit(receiver.url(), "ca_file = " + right.certificate.cert_file));
  emit();
  expect_all_delivered("garbage instead of a TLS handshake, then TLS", receiver, Duplicates::none);
}

TEST_F(TlsFault, HandshakeThatNeverGoesOn) {
  const TlsOptions right = good();
  FaultReceiver receiver({.tls = right});
  receiver.script_connections({{hang()}, {hang()}});
  start(audit(receiver.url(), "ca_file = " + right.certificate.cert_file));
  emit();
  expect_all_delivered("TLS handshake that is never answered, then TLS", receiver,
                       Duplicates::none);
}

TEST_F(TlsFault, VersionTooLow) {
  constexpr int tls_1_1 = 0x0302;
  const TlsOptions right = good();
  FaultReceiver receiver({.tls = TlsOptions{right.certificate, tls_1_1}});
  start(audit(receiver.url(), "ca_file = " + right.certificate.cert_file));
  emit();
  wait_until_it_fails();
  EXPECT_TRUE(receiver.arrivals().empty());
  receiver.use_tls(right);
  expect_all_delivered("TLS 1.1 at most, then TLS 1.3", receiver, Duplicates::none);
}

}  // namespace
}  // namespace outrider::test
