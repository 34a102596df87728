#include "sidecar/config/pem.hpp"

#include <cstdlib>
#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config_support.hpp"
#include "support/certificate.hpp"

namespace outrider::sidecar {
namespace {

using test::Certificate;
using testing::HasSubstr;

std::string text_of(const std::string& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

std::string message(const Status& status) {
  return status.ok() ? "" : status.error().message;
}

class Pem : public testing::Test {
 protected:
  test::TempDir dir_;
  const Certificate one_ = test::make_certificate(dir_.path(), "IP:127.0.0.1", "one");
  const Certificate two_ = test::make_certificate(dir_.path(), "IP:127.0.0.1", "two");
};

TEST_F(Pem, AcceptsWhatCanBeUsed) {
  EXPECT_EQ(message(check_ca_file(one_.cert_file)), "");
  EXPECT_EQ(message(check_cert_file(one_.cert_file)), "");
  EXPECT_EQ(message(check_key_file(one_.key_file)), "");
  EXPECT_EQ(message(check_key_pair_files(one_.cert_file, one_.key_file)), "");
  const std::string bundle =
      "# a comment\n" + text_of(one_.cert_file) + text_of(two_.cert_file) + "more text\n";
  EXPECT_EQ(message(check_certificates(bundle)), "");
  const std::string both = dir_.write("both", text_of(one_.key_file) + text_of(one_.cert_file));
  EXPECT_EQ(message(check_cert_file(both)), "");
  EXPECT_EQ(message(check_key_pair_files(both, "")), "");
}

TEST_F(Pem, RefusesWhatIsNoCertificate) {
  const std::string none = dir_.write("none", "hidden");
  EXPECT_EQ(message(check_ca_file(none)), "file \"" + none + "\" holds no certificate in PEM");
  EXPECT_THAT(message(check_cert_file(one_.key_file)), HasSubstr("holds no certificate"));
  std::string damaged = text_of(two_.cert_file);
  damaged[damaged.size() / 2] = '!';
  EXPECT_EQ(message(check_certificates(text_of(one_.cert_file) + damaged)),
            "holds a damaged certificate, number 2");
  const std::string cut = text_of(one_.cert_file).substr(0, 200);
  EXPECT_THAT(message(check_certificates(cut)), HasSubstr("damaged certificate, number 1"));
  EXPECT_THAT(message(check_ca_file(dir_.path() + "/missing")), HasSubstr("No such file"));
  EXPECT_THAT(message(check_ca_file(dir_.path())), HasSubstr("is a directory"));
}

TEST_F(Pem, RefusesWhatIsNoKeyOrTheKeyOfAnother) {
  EXPECT_THAT(message(check_key_file(one_.cert_file)), HasSubstr("holds no private key"));
  EXPECT_EQ(message(check_key_pair_files(one_.cert_file, two_.key_file)),
            "file \"" + two_.key_file + "\" holds a key that is not the certificate's");
  EXPECT_THAT(message(check_key_pair_files(one_.cert_file, "")), HasSubstr("no private key"));
  const std::string locked = dir_.path() + "/locked";
  const std::string lock = "openssl pkey -aes128 -passout pass:hidden -in " + one_.key_file +
                           " -out " + locked + " 2>/dev/null";
  ASSERT_EQ(std::system(lock.c_str()), 0);
  EXPECT_THAT(message(check_key_file(locked)), HasSubstr("a key with a passphrase"));
}

/// OpenSSL would refuse it at each connection.
TEST_F(Pem, RefusesWhatIsTooWeakForTls) {
  const Certificate weak = test::make_certificate(dir_.path(), "IP:127.0.0.1", "weak", "rsa:1024");
  const std::string why =
      "holds a certificate, number 1, that TLS does not take: its key is too short";
  EXPECT_EQ(message(check_cert_file(weak.cert_file)), "file \"" + weak.cert_file + "\" " + why);
  EXPECT_EQ(message(check_key_pair(text_of(weak.cert_file), text_of(weak.key_file))), why);
  EXPECT_EQ(message(check_certificates(text_of(weak.cert_file))), "") << "it can be parsed";
  const std::string chain = text_of(one_.cert_file) + text_of(weak.cert_file);
  EXPECT_THAT(message(check_client_certificates(chain)), HasSubstr("number 2, that TLS"));
  EXPECT_EQ(message(check_ca_file(weak.cert_file)),
            "file \"" + weak.cert_file +
                "\" holds no certificate that TLS takes: the key of each is too short");
  EXPECT_EQ(message(check_ca_file(dir_.write("bundle", chain))), "") << "one of them is good";
}

TEST_F(Pem, AcceptsEachKindOfKeyThatTlsTakes) {
  for (const char* kind : {"rsa:2048", "rsa-pss -pkeyopt rsa_keygen_bits:2048", "ed25519",
                           "ec -pkeyopt ec_paramgen_curve:secp521r1"}) {
    const Certificate made = test::make_certificate(dir_.path(), "IP:127.0.0.1", "kind", kind);
    EXPECT_EQ(message(check_ca_file(made.cert_file)), "") << kind;
    EXPECT_EQ(message(check_key_pair_files(made.cert_file, made.key_file)), "") << kind;
  }
}

}  // namespace
}  // namespace outrider::sidecar
