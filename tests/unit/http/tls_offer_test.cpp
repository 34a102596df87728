// Peers that know nothing but Diffie-Hellman over finite fields get no handshake.

#include "sidecar/http/tls_offer.hpp"

#include <csignal>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include <gmock/gmock.h>
#include <openssl/ssl.h>

#include "support/curl_fixture.hpp"
#include "support/http2_frames.hpp"
#include "support/socket_stream.hpp"
#include "support/tcp_peer.hpp"

namespace outrider::sidecar {
namespace {

using test::TcpPeer;
using testing::AllOf;
using testing::HasSubstr;

class TlsOfferTest : public test::CurlFixture {
 protected:
  TlsOfferTest() {
    std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without MSG_NOSIGNAL
    SSL_CTX_set_dh_auto(tls_.get(), 1);
  }

  /// Changes what the peer takes. The lock is for the peer's thread, which reads it.
  int offer(const std::function<long(SSL_CTX*)>& change) {
    const std::lock_guard lock(tls_mutex_);
    return static_cast<int>(change(tls_.get()));
  }
  int offer_groups(const char* groups) {
    return offer([&](SSL_CTX* tls) { return SSL_CTX_set1_groups_list(tls, groups); });
  }
  int offer_ciphers(const char* ciphers) {
    return offer([&](SSL_CTX* tls) { return SSL_CTX_set_cipher_list(tls, ciphers); });
  }
  void offer_versions(int min, int max) {
    offer([&](SSL_CTX* tls) { return SSL_CTX_set_min_proto_version(tls, min); });
    offer([&](SSL_CTX* tls) { return SSL_CTX_set_max_proto_version(tls, max); });
  }

  DestinationConfig to_peer() {
    DestinationConfig config = to("https://127.0.0.1:" + std::to_string(peer_.port()) + "/");
    config.ca_file = certificate_.cert_file;
    return config;
  }

  void take_only_dhe_of_tls12() {
    offer_versions(TLS1_2_VERSION, TLS1_2_VERSION);
    ASSERT_EQ(offer_ciphers("DHE-RSA-AES256-GCM-SHA384"), 1);
  }
  void take_only_ffdhe_of_tls13() {
    offer_versions(TLS1_3_VERSION, TLS1_3_VERSION);
    ASSERT_EQ(offer_groups("ffdhe2048"), 1);
  }

  void serve_one(int fd) {
    SSL* accepted = nullptr;
    offer([&](SSL_CTX* tls) { return (accepted = SSL_new(tls)) != nullptr; });
    const std::unique_ptr<SSL, decltype(&SSL_free)> ssl(accepted, SSL_free);
    SSL_set_fd(ssl.get(), fd);
    if (SSL_accept(ssl.get()) != 1) return;
    std::string text;
    while (!text.ends_with("[{}]")) {
      const std::string byte = test::http2::read_tls(ssl.get(), 1);
      if (byte.empty()) return;
      text += byte;
    }
    test::http2::write_tls(ssl.get(),
                           "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    SSL_shutdown(ssl.get());
  }

  const test::Certificate certificate_ =
      test::make_certificate(dir_.path(), "IP:127.0.0.1", "rsa", "rsa:2048");
  std::mutex tls_mutex_;
  const test::TlsContext tls_ = test::make_tls_context({.certificate = certificate_});
  TcpPeer peer_{[this](int fd) { serve_one(fd); }};
};

const std::string hint = "does it know only DHE, which is not offered";

TEST_F(TlsOfferTest, DheOfTls12IsRefused) {
  take_only_dhe_of_tls12();
  const Completion completion = send(to_peer());
  EXPECT_EQ(completion.status, 0);
  EXPECT_THAT(completion.detail, AllOf(HasSubstr("TLS handshake with"), HasSubstr(hint)));
}

TEST_F(TlsOfferTest, FfdheOfTls13IsRefused) {
  take_only_ffdhe_of_tls13();
  const Completion completion = send(to_peer());
  EXPECT_EQ(completion.status, 0);
  EXPECT_THAT(completion.detail, AllOf(HasSubstr("TLS handshake with"), HasSubstr(hint)));
}

TEST_F(TlsOfferTest, AProxyHasNoMore) {
  DestinationConfig config = to("http://127.0.0.1:9/");
  config.proxy = "https://127.0.0.1:" + std::to_string(peer_.port());
  take_only_ffdhe_of_tls13();
  EXPECT_THAT(send(config).detail, HasSubstr(hint));
  take_only_dhe_of_tls12();
  EXPECT_THAT(send(config).detail, HasSubstr(hint));
}

TEST_F(TlsOfferTest, ElsewiseTls12IsSpokenAsBefore) {
  offer_versions(TLS1_2_VERSION, TLS1_2_VERSION);
  for (const char* cipher :
       {"ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-CHACHA20-POLY1305", "AES256-GCM-SHA384"}) {
    ASSERT_EQ(offer_ciphers(cipher), 1);
    const Completion completion = send(to_peer());
    EXPECT_EQ(completion.status, 200) << cipher << " " << completion.detail;
  }
}

TEST_F(TlsOfferTest, EachEllipticGroupIsOffered) {
  for (const char* group : {"X25519", "P-256", "P-384", "P-521", "X448"}) {
    ASSERT_EQ(offer_groups(group), 1);
    const Completion completion = send(to_peer());
    EXPECT_EQ(completion.status, 200) << group << " " << completion.detail;
  }
}

/// Of OpenSSL's default, and its level of security stays.
TEST(TlsOffer, IsTheDefaultWithoutDhe) {
  using Context = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;
  const auto names = [](SSL_CTX* context) {
    std::vector<std::string> found;
    const auto* ciphers = SSL_CTX_get_ciphers(context);
    for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); ++i) {
      found.emplace_back(SSL_CIPHER_get_name(sk_SSL_CIPHER_value(ciphers, i)));
    }
    return found;
  };
  const Context usual(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  std::vector<std::string> expected = names(usual.get());
  std::erase_if(expected, [](const std::string& name) { return name.starts_with("DHE-"); });
  for (const std::string& list : {tls_ciphers(), tls_ciphers_of(1), tls_ciphers_of(12'345)}) {
    const Context ours(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
    ASSERT_EQ(SSL_CTX_set_cipher_list(ours.get(), list.c_str()), 1);
    EXPECT_EQ(names(ours.get()), expected) << list;
    EXPECT_EQ(SSL_CTX_get_security_level(ours.get()), SSL_CTX_get_security_level(usual.get()));
  }
  EXPECT_NE(tls_ciphers_of(1), tls_ciphers_of(2));
}

}  // namespace
}  // namespace outrider::sidecar
