#include "sidecar/sink/certificate.hpp"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "support/process.hpp"
#include "support/temp_dir.hpp"

namespace outrider::sidecar {
namespace {

using testing::HasSubstr;

TEST(Certificate, NamesTheLoopbackAndVerifiesAgainstItself) {
  const test::TempDir dir;
  const auto certificate = Certificate::make_self_signed();
  ASSERT_TRUE(certificate.ok()) << certificate.error().message;
  const std::string file = dir.file("cert.pem");
  ASSERT_TRUE(certificate.value().write(file).ok());

  for (const auto& [option, name] : {std::pair{"-verify_hostname", "localhost"},
                                     {"-verify_ip", "127.0.0.1"},
                                     {"-verify_ip", "::1"}}) {
    const auto verified =
        test::run({"openssl", "verify", "-x509_strict", "-CAfile", file, option, name, file});
    EXPECT_EQ(verified.status, 0) << option << " " << name << ": " << verified.err;
  }
  const auto elsewhere =
      test::run({"openssl", "verify", "-CAfile", file, "-verify_hostname", "example.com", file});
  EXPECT_NE(elsewhere.status, 0);
  EXPECT_THAT(test::run({"openssl", "x509", "-in", file, "-noout", "-text"}).out,
              HasSubstr("NIST CURVE: P-256"));
}

TEST(Certificate, NoTwoAreTheSame) {
  const test::TempDir dir;
  const auto make_serial = [&dir] {
    const std::string file = dir.file("cert.pem");
    EXPECT_TRUE(Certificate::make_self_signed().value().write(file).ok());
    return test::run({"openssl", "x509", "-in", file, "-noout", "-serial"}).out;
  };
  EXPECT_NE(make_serial(), make_serial());
}

TEST(Certificate, ReadsFilesAndSaysWhatIsWrongWithThem) {
  const test::TempDir dir;
  const std::string cert = dir.file("cert.pem");
  const std::string key = dir.file("key.pem");
  ASSERT_EQ(
      test::run({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                 "-nodes", "-subj", "/CN=localhost", "-keyout", key, "-out", cert})
          .status,
      0);
  EXPECT_TRUE(Certificate::read(cert, key).ok());

  EXPECT_THAT(Certificate::read(dir.file("none.pem"), key).error().message,
              HasSubstr("No such file"));
  EXPECT_THAT(Certificate::read(key, key).error().message, HasSubstr("cannot read a certificate"));
  ASSERT_EQ(mkfifo(dir.file("pipe").c_str(), 0600), 0);
  EXPECT_THAT(Certificate::read(dir.file("pipe"), key).error().message,
              HasSubstr("is not a regular file"));
  const std::string other = dir.file("other.pem");
  ASSERT_TRUE(Certificate::make_self_signed().value().write(other).ok());
  EXPECT_THAT(Certificate::read(other, key).error().message, HasSubstr("is not the key of"));
  EXPECT_THAT(
      Certificate::make_self_signed().value().write(dir.file("no/cert.pem")).error().message,
      HasSubstr("No such file"));
}

}  // namespace
}  // namespace outrider::sidecar
