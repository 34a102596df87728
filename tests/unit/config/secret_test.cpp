#include "sidecar/config/secret.hpp"

#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "config_support.hpp"
#include "sidecar/config/signing_secret.hpp"

namespace outrider::sidecar {
namespace {

using test::TempDir;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

/// A variable of the environment, unset again at the end.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    setenv(name, value.c_str(), 1);
  }
  ~Variable() { unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
};

std::string error_of(const std::string& source) {
  const Result<std::string> secret = read_secret(source);
  return secret.ok() ? "" : secret.error().message;
}

TEST(Secret, ComesFromAFileTrimmed) {
  const TempDir dir;
  EXPECT_EQ(read_secret(dir.write("token", "  s3 cret \r\n")).value(), "s3 cret");
  EXPECT_EQ(read_secret(dir.write("marked",
                                  "\xef\xbb\xbf"
                                  "s3cret\n"))
                .value(),
            "s3cret");
  EXPECT_EQ(read_user_and_password(dir.write("pair", "\xef\xbb\xbfme:pass")).value(), "me:pass");
  EXPECT_EQ(read_secret_lines(dir.write("lines", "\xef\xbb\xbfone\ntwo\n")).value().at(0), "one");
  EXPECT_FALSE(read_secret(dir.write("nothing", "\xef\xbb\xbf\n")).ok());
}

TEST(Secret, ComesFromTheCredentialsOfSystemd) {
  const TempDir dir;
  dir.write("token", "s3cret\n");
  EXPECT_THAT(error_of("credential:token"), HasSubstr("CREDENTIALS_DIRECTORY is not set"));
  const Variable variable("CREDENTIALS_DIRECTORY", dir.path());
  EXPECT_EQ(read_secret("credential:token").value(), "s3cret");
  EXPECT_EQ(file_of_source("credential:token"), dir.path() + "/token");
  for (const std::string name : {"..", "../token", "a/b"}) {
    EXPECT_THAT(error_of("credential:" + name), HasSubstr("is not a name")) << name;
  }
  EXPECT_EQ(error_of("credential:"), "credential: has no name; write credential:NAME");
}

TEST(Secret, ComesFromTheEnvironmentAsItIsAtTheCall) {
  EXPECT_EQ(error_of("env:OUTRIDER_TEST_TOKEN"),
            "environment variable \"OUTRIDER_TEST_TOKEN\" is not set");
  const Variable variable("OUTRIDER_TEST_TOKEN", "one");
  EXPECT_EQ(read_secret("env:OUTRIDER_TEST_TOKEN").value(), "one");
  setenv("OUTRIDER_TEST_TOKEN", "two", 1);
  EXPECT_EQ(read_secret("env:OUTRIDER_TEST_TOKEN").value(), "two");
  EXPECT_EQ(file_of_source("env:OUTRIDER_TEST_TOKEN"), "");
  EXPECT_EQ(error_of("env:"), "env: has no name; write env:NAME");
}

TEST(Secret, RefusesOtherShapesWithoutShowingThem) {
  const TempDir dir;
  const Variable variable("OUTRIDER_TEST_TOKEN", "hid\tden");
  const std::pair<std::string, std::string> cases[] = {
      {dir.write("empty", " \n"), "is empty"},
      {dir.write("lines", "hidden\nhidden\n"), "must hold one line of text"},
      {dir.write("zero", std::string("hid\0den", 7)), "must hold one line of text"},
      {dir.write("large", std::string(secret_bytes_max + 1, 'h')), "is larger than 64KiB"},
      {"env:OUTRIDER_TEST_TOKEN", "must hold one line of text"},
      {dir.path(), "is a directory"},
      {dir.path() + "/missing", "cannot be read: No such file"},
      {"/dev/null", "is not a regular file"},
  };
  for (const auto& [source, error] : cases) {
    EXPECT_THAT(error_of(source), HasSubstr(error)) << source;
    EXPECT_THAT(error_of(source), Not(HasSubstr("hid"))) << source;
    EXPECT_FALSE(check_secret_source(source).ok()) << source;
  }
}

TEST(Secret, DoesNotWaitForAPipe) {
  const TempDir dir;
  const std::string path = dir.path() + "/pipe";
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_THAT(error_of(path), HasSubstr("is not a regular file"));
}

TEST(Secret, IsNotShownWhenItStandsInThePlaceOfItsSource) {
  EXPECT_THAT(error_of("s3cret"), Not(HasSubstr("s3cret")));
  EXPECT_THAT(error_of("whsec_s3/cret"), Not(HasSubstr("s3/cret")));
  EXPECT_THAT(error_of("s3cret"), HasSubstr("write its full path"));
  EXPECT_THAT(check_secret_header("X-Api-Key: s3cret").error().message, Not(HasSubstr("s3cret")));
}

TEST(Secret, MayBeOneOfSeveralLines) {
  const TempDir dir;
  EXPECT_THAT(read_secret_lines(dir.write("keys", "new\r\n\n old \n")).value(),
              ElementsAre("new", "old"));
  EXPECT_THAT(read_secret_lines(dir.write("empty", "\n\n")).error().message, HasSubstr("is empty"));
  EXPECT_THAT(read_secret_lines(dir.write("control", "a\nb\x01\n")).error().message,
              HasSubstr("lines of text"));
}

TEST(Secret, IsAUserAndAPassword) {
  const TempDir dir;
  EXPECT_EQ(read_user_and_password(dir.write("pair", "me:pa:ss\n")).value(), "me:pa:ss");
  const Status status = check_basic_auth_source(dir.write("word", "hidden\n"));
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(status.error().message, HasSubstr("must hold one line of the form user:password"));
  EXPECT_THAT(status.error().message, Not(HasSubstr("hidden")));
}

TEST(Secret, IsTheValueOfAHeader) {
  const TempDir dir;
  const std::string file = dir.write("key", "s3cret\n");
  EXPECT_TRUE(check_secret_header("X-Api-Key: " + file).ok());
  const auto parts = split_secret_header("X-Api-Key : env:KEY ");
  EXPECT_EQ(parts.value().first, "X-Api-Key");
  EXPECT_EQ(parts.value().second, "env:KEY");
  for (const std::string& line :
       {std::string("X-Api-Key"), std::string("X-Api-Key:"), ": " + file, "X Api: " + file}) {
    EXPECT_THAT(check_secret_header(line).error().message, HasSubstr("Name: SOURCE")) << line;
  }
}

// The secret and the key pair of the specification's own examples, and RFC 8032's first test.
constexpr const char* hmac_secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
constexpr const char* seed = "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
constexpr const char* seed_and_public =
    "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2DXWpgBgrEKt9VL/tPJZAc6DuFy89qmIyWvAhpo9wdRGg==";

TEST(SigningSecret, IsAnHmacKeyWithOrWithoutItsPrefix) {
  const Result<SigningSecret> secret = parse_signing_secret(hmac_secret);
  ASSERT_TRUE(secret.ok()) << secret.error().message;
  EXPECT_EQ(secret.value().kind, SigningSecret::Kind::hmac);
  EXPECT_EQ(secret.value().bytes.size(), 24U);
  EXPECT_EQ(parse_signing_secret("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").value().bytes,
            secret.value().bytes);
  EXPECT_EQ(parse_signing_secret("whsec_AAECAwQFBgcICQoLDA0ODw").value().bytes,
            parse_signing_secret("whsec_AAECAwQFBgcICQoLDA0ODw==").value().bytes);
}

TEST(SigningSecret, IsAnEd25519SeedWithOrWithoutItsPublicKey) {
  const Result<SigningSecret> secret = parse_signing_secret(seed);
  ASSERT_TRUE(secret.ok()) << secret.error().message;
  EXPECT_EQ(secret.value().kind, SigningSecret::Kind::ed25519);
  EXPECT_EQ(secret.value().bytes.size(), 32U);
  EXPECT_EQ(parse_signing_secret(seed_and_public).value().bytes, secret.value().bytes);
}

TEST(SigningSecret, RefusesOtherTextWithoutShowingIt) {
  std::string other_public(seed_and_public);
  other_public[60] = 'Q';
  const std::pair<std::string, std::string> cases[] = {
      {"whsec_c2hvcnQ=", "16 to 512 bytes, this one has 5"},
      {"c2hvcnQ=",
       "it has no prefix, so it was read as base64 for whsec_; an HMAC secret (whsec_) has 16"},
      {"MfKQ9r8G plain", "it has no prefix and is not base64; write a signing secret"},
      {"whsec_", "16 to 512 bytes, this one has 0"},
      {"whsec_" + std::string(684, 'A'), "16 to 512 bytes, this one has 513"},
      {"whsec_" + std::string(5000, 'A'), "whsec_BASE64"},
      {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw!", "whsec_BASE64"},
      {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwA", "whsec_BASE64"},
      {"whsk_whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_BASE64"},
      {"whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "32 or 64 bytes, this one has 24"},
      {other_public, "do not belong together"},
      {"whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", "public key"},
  };
  for (const auto& [text, error] : cases) {
    const Result<SigningSecret> secret = parse_signing_secret(text);
    ASSERT_FALSE(secret.ok()) << text;
    EXPECT_THAT(secret.error().message, HasSubstr(error)) << text;
    EXPECT_THAT(secret.error().message, Not(HasSubstr("MfKQ9r8G"))) << text;
  }
}

TEST(SigningSecret, SeveralStandInOneSourceTheNewestFirst) {
  const TempDir dir;
  const std::string file = dir.write("keys", std::string(seed) + "\n" + hmac_secret + "\n");
  EXPECT_TRUE(check_signing_source(file).ok());
  const auto secrets = read_signing_secrets(file);
  ASSERT_EQ(secrets.value().size(), 2U);
  EXPECT_EQ(secrets.value()[0].kind, SigningSecret::Kind::ed25519);
  EXPECT_EQ(secrets.value()[1].kind, SigningSecret::Kind::hmac);
  const std::string bad = dir.write("bad", std::string(hmac_secret) + "\nhidden!\n");
  EXPECT_THAT(check_signing_source(bad).error().message,
              HasSubstr("file \"" + bad + "\", secret 2: it has no prefix and is not base64"));
}

}  // namespace
}  // namespace outrider::sidecar
