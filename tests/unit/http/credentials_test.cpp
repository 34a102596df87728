#include "sidecar/http/credentials.hpp"

#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/certificate.hpp"
#include "support/manual_clock.hpp"
#include "support/memory_log.hpp"
#include "support/temp_dir.hpp"

namespace outrider::sidecar {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

std::string text_of(const std::string& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

class CredentialsTest : public testing::Test {
 protected:
  CredentialsTest() { config_.name = "web"; }

  /// A new file in the place of the old one, so that the change is seen within one clock tick.
  std::string write(const std::string& name, const std::string& text) {
    std::ofstream(dir_.file("new")) << text;
    std::filesystem::rename(dir_.file("new"), dir_.file(name));
    return dir_.file(name);
  }

  void open() {
    Result<std::unique_ptr<CredentialStore>> opened =
        CredentialStore::open(config_, trust_stores_, helper_, log_);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    store_ = std::move(opened.value());
    last_ = store_->current(clock_.now());
  }

  std::string refusal() {
    const Result<std::unique_ptr<CredentialStore>> opened =
        CredentialStore::open(config_, trust_stores_, helper_, log_);
    return opened.ok() ? "" : opened.error().message;
  }

  /// Whether there is another snapshot after `later`.
  bool changes(Duration later = seconds(1)) {
    clock_.advance(later);
    std::shared_ptr<const Credentials> now = store_->current(clock_.now());
    std::swap(now, last_);
    return now != last_;
  }

  test::TempDir dir_;
  test::ManualClock clock_;
  test::MemoryLog log_;
  const std::shared_ptr<TrustStores> trust_stores_ = std::make_shared<TrustStores>();
  CredentialStore::Helper helper_ = [](const std::function<void()>& job) {
    job();
    return true;
  };
  DestinationConfig config_;
  std::unique_ptr<CredentialStore> store_;
  std::shared_ptr<const Credentials> last_;
};

TEST_F(CredentialsTest, HoldsAllThatTheConfigurationNames) {
  const test::Certificate certificate = test::make_certificate(dir_.path());
  config_.ca_file = config_.cert_file = certificate.cert_file;
  config_.key_file = certificate.key_file;
  config_.bearer_token_file = write("token", "s3cret\n");
  config_.proxy_auth_file = write("proxy", "me:pass\n");
  config_.secret_headers = {"X-Api-Key: " + write("key", "k3y\n")};
  config_.signing_secret_files = {write("one", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n"),
                                  write("two", "AAAAAAAAAAAAAAAAAAAAAA\nAAAAAAAAAAAAAAAAAAAAAA==")};
  open();
  ASSERT_NE(last_->trust, nullptr);
  EXPECT_EQ(last_->trust->pem(), text_of(certificate.cert_file));
  EXPECT_EQ(last_->cert_pem, text_of(certificate.cert_file));
  EXPECT_EQ(last_->key_pem, text_of(certificate.key_file));
  EXPECT_THAT(last_->headers, ElementsAre("Authorization: Bearer s3cret", "X-Api-Key: k3y"));
  EXPECT_EQ(last_->user_and_password, "");
  EXPECT_EQ(last_->proxy_user_and_password, "me:pass");
  EXPECT_EQ(last_->signing_keys.size(), 3U);
}

TEST_F(CredentialsTest, TheKeyMayStandInTheCertificatesFile) {
  const test::Certificate certificate = test::make_certificate(dir_.path());
  config_.cert_file = write("both", text_of(certificate.cert_file) + text_of(certificate.key_file));
  config_.basic_auth_file = write("basic", "me:pass");
  open();
  EXPECT_EQ(last_->key_pem, text_of(config_.cert_file));
  EXPECT_EQ(last_->user_and_password, "me:pass");
}

TEST_F(CredentialsTest, OpenNamesTheOptionAndTheFile) {
  const test::Certificate one = test::make_certificate(dir_.path(), "IP:127.0.0.1", "one");
  const test::Certificate two = test::make_certificate(dir_.path(), "IP:127.0.0.1", "two");
  const std::string bad = write("two_lines", "s3cret\ns3cret");
  const auto in_quotes = [](const std::string& file) { return "file \"" + file + "\""; };
  const std::pair<std::function<void()>, std::string> cases[] = {
      {[&] { config_.ca_file = bad; }, "ca_file: " + in_quotes(bad) + " holds no cert"},
      {[&] { config_.cert_file = bad; }, "cert_file: " + in_quotes(bad) + " holds no cert"},
      {[&] { config_.cert_file = one.cert_file; },
       "cert_file: " + in_quotes(one.cert_file) + " holds no private key"},
      {[&] {
         config_.cert_file = one.cert_file;
         config_.key_file = two.key_file;
       },
       "key_file: " + in_quotes(two.key_file) + " holds a key that is not the certificate's"},
      {[&] { config_.key_file = one.key_file; }, "key_file needs the cert_file"},
      {[&] { config_.bearer_token_file = bad; },
       "bearer_token_file: " + in_quotes(bad) + " must hold one line"},
      {[&] { config_.basic_auth_file = "env:NO_SUCH_VARIABLE"; },
       "basic_auth_file: environment variable \"NO_SUCH_VARIABLE\" is not set"},
      {[&] { config_.bearer_token_file = config_.basic_auth_file = bad; },
       "bearer_token_file and basic_auth_file exclude each other"},
      {[&] { config_.proxy_auth_file = bad; }, "proxy_auth_file: " + in_quotes(bad)},
      {[&] { config_.secret_headers = {"X-Api-Key: " + bad}; },
       "secret_header X-Api-Key: " + in_quotes(bad) + " must hold one line"},
      {[&] { config_.signing_secret_files = {bad}; },
       "signing_secret_file: " + in_quotes(bad) + ", secret 1"},
  };
  for (const auto& [set, error] : cases) {
    config_ = {};
    set();
    EXPECT_THAT(refusal(), HasSubstr(error));
    EXPECT_THAT(refusal(), Not(HasSubstr("s3cret")));
  }
}

TEST_F(CredentialsTest, LooksOnceASecondAndReadsOnlyWhatChanged) {
  config_.bearer_token_file = write("token", "one");
  open();
  EXPECT_FALSE(changes());
  write("token", "two");
  EXPECT_FALSE(changes(milliseconds(999)));
  EXPECT_TRUE(changes(milliseconds(1)));
  EXPECT_THAT(last_->headers, ElementsAre("Authorization: Bearer two"));
  EXPECT_FALSE(changes());
  EXPECT_THAT(log_.lines, ElementsAre("info credentials re-read destination=web left_out=0"));
}

TEST_F(CredentialsTest, AWallClockThatJumpsChangesNothing) {
  config_.bearer_token_file = write("token", "one");
  open();
  clock_.jump_wall(-std::chrono::hours(1));
  write("token", "two");
  EXPECT_TRUE(changes());
}

TEST_F(CredentialsTest, SeesAChangeInPlace) {
  config_.bearer_token_file = write("token", "one");
  open();
  std::ofstream(dir_.file("token")) << "longer";
  EXPECT_TRUE(changes());
  EXPECT_THAT(last_->headers, ElementsAre("Authorization: Bearer longer"));
}

TEST_F(CredentialsTest, FollowsALinkThatIsExchanged) {
  namespace fs = std::filesystem;
  fs::create_directory(dir_.file("v1"));
  fs::create_directory(dir_.file("v2"));
  write("v1/token", "one");
  write("v2/token", "two");
  fs::create_directory_symlink("v1", dir_.file("data"));
  fs::create_symlink("data/token", dir_.file("token"));
  config_.bearer_token_file = dir_.file("token");
  open();
  EXPECT_FALSE(changes());
  fs::create_directory_symlink("v2", dir_.file("data.new"));
  fs::rename(dir_.file("data.new"), dir_.file("data"));
  EXPECT_TRUE(changes());
  EXPECT_THAT(last_->headers, ElementsAre("Authorization: Bearer two"));
}

TEST_F(CredentialsTest, KeepsTheOldOnesWhenTheNewAreBrokenAndSaysSoOnce) {
  config_.bearer_token_file = write("token", "one");
  open();
  write("token", "hidden\nhidden");
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(changes());
  EXPECT_THAT(last_->headers, ElementsAre("Authorization: Bearer one"));
  EXPECT_THAT(
      log_.lines,
      ElementsAre("error changed credentials cannot be used; the old ones stay in use "
                  "destination=web left_out=0 because=bearer_token_file: file \"" +
                  config_.bearer_token_file + "\" must hold one line of text and nothing else"));
  std::filesystem::remove(dir_.file("token"));
  for (int i = 0; i < 15; ++i) EXPECT_FALSE(changes());
  EXPECT_EQ(log_.count("No such file"), 1);
  write("token", "two");
  EXPECT_TRUE(changes());
  EXPECT_EQ(log_.lines.size(), 3U);
  EXPECT_EQ(log_.lines.back(), "info credentials re-read destination=web left_out=0");
}

TEST_F(CredentialsTest, FilesThatKeepChangingMakeOneLineOfAKindIn10Seconds) {
  config_.bearer_token_file = write("token", "one");
  open();
  for (int i = 0; i < 40; ++i) {
    write("token", i % 2 == 0 ? "hidden\nhidden" : "good" + std::to_string(i));
    EXPECT_EQ(changes(milliseconds(1000)), i % 2 == 1);
  }
  EXPECT_EQ(log_.count("cannot be used"), 4) << "40 seconds";
  EXPECT_EQ(log_.count("re-read"), 4);
  const auto told = [&] {
    std::size_t changes_told = 0;
    for (const std::string& line : log_.lines) {
      changes_told += 1 + std::stoul(line.substr(line.find("left_out=") + 9));
    }
    return changes_told;
  };
  EXPECT_LT(told(), 40U);
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(changes());
  EXPECT_EQ(told(), 40U) << "each change is in a line in the end";
  EXPECT_THAT(log_.lines.back(), HasSubstr("re-read")) << "the newest state is told";
}

TEST_F(CredentialsTest, ANewCertificateWaitsForItsKey) {
  const test::Certificate one = test::make_certificate(dir_.path(), "IP:127.0.0.1", "one");
  const test::Certificate two = test::make_certificate(dir_.path(), "IP:127.0.0.1", "two");
  config_.cert_file = write("cert", text_of(one.cert_file));
  config_.key_file = write("key", text_of(one.key_file));
  open();
  write("cert", text_of(two.cert_file));
  EXPECT_FALSE(changes());
  EXPECT_EQ(log_.count("error "), 1);
  write("key", text_of(two.key_file));
  EXPECT_TRUE(changes());
  EXPECT_EQ(last_->cert_pem, text_of(two.cert_file));
  EXPECT_EQ(last_->key_pem, text_of(two.key_file));
  EXPECT_EQ(log_.count("PRIVATE"), 0);
}

/// They can be parsed, and each connection would fail with them.
TEST_F(CredentialsTest, WhatIsTooWeakForTlsDoesNotReplaceWhatIsGood) {
  const test::Certificate good = test::make_certificate(dir_.path(), "IP:127.0.0.1", "good");
  const test::Certificate weak =
      test::make_certificate(dir_.path(), "IP:127.0.0.1", "weak", "rsa:1024");
  config_.ca_file = write("ca", text_of(good.cert_file));
  const std::string both = text_of(good.cert_file) + text_of(good.key_file);
  config_.cert_file = write("both", both);
  open();
  write("both", text_of(weak.cert_file) + text_of(weak.key_file));
  EXPECT_FALSE(changes());
  EXPECT_EQ(log_.count("that TLS does not take: its key is too short"), 1);
  EXPECT_EQ(last_->cert_pem, both);
  write("both", both);
  EXPECT_TRUE(changes(seconds(11)));
  write("ca", text_of(weak.cert_file));
  EXPECT_FALSE(changes(seconds(11)));
  EXPECT_EQ(log_.count("holds no certificate that TLS takes"), 1);
  EXPECT_EQ(last_->trust->pem(), text_of(good.cert_file));
}

TEST_F(CredentialsTest, ASnapshotInUseOutlivesTheNextOne) {
  config_.bearer_token_file = write("token", "one");
  open();
  const std::shared_ptr<const Credentials> in_use = last_;
  write("token", "two");
  EXPECT_TRUE(changes());
  store_.reset();
  EXPECT_THAT(in_use->headers, ElementsAre("Authorization: Bearer one"));
}

TEST_F(CredentialsTest, AFileSystemThatDoesNotAnswerIsNotWaitedFor) {
  config_.bearer_token_file = write("token", "old\n");
  std::vector<std::function<void()>> looks;
  helper_ = [&](std::function<void()> job) {
    looks.push_back(std::move(job));
    return true;
  };
  open();
  write("token", "new\n");
  for (int i = 0; i < 30; ++i) EXPECT_FALSE(changes());
  EXPECT_EQ(looks.size(), 1U) << "one at a time";
  EXPECT_EQ(log_.count("cannot be checked"), 1);
  looks[0]();
  // The look began before the change, or after it; by the next one it is seen.
  if (!changes(Duration::zero())) {
    changes();
    ASSERT_EQ(looks.size(), 2U);
    looks[1]();
    EXPECT_TRUE(changes(Duration::zero()));
  }
  EXPECT_THAT(last_->headers, ElementsAre("Authorization: Bearer new"));
}

TEST_F(CredentialsTest, ALookThatNobodyCanTakeIsAskedForAgain) {
  config_.bearer_token_file = write("token", "old\n");
  bool is_there = true;
  helper_ = [&](const std::function<void()>& job) {
    if (is_there) job();
    return is_there;
  };
  open();
  is_there = false;
  write("token", "new\n");
  for (int i = 0; i < 30; ++i) EXPECT_FALSE(changes());
  EXPECT_EQ(log_.count("cannot be checked"), 1);
  is_there = true;
  EXPECT_TRUE(changes());
  EXPECT_THAT(last_->headers, ElementsAre("Authorization: Bearer new"));
}

TEST_F(CredentialsTest, ALookThatComesBackAfterTheStoreHasGoneHurtsNobody) {
  config_.bearer_token_file = write("token", "old\n");
  std::vector<std::function<void()>> looks;
  helper_ = [&](std::function<void()> job) {
    looks.push_back(std::move(job));
    return true;
  };
  open();
  ASSERT_EQ(looks.size(), 1U);
  store_.reset();
  looks[0]();
}

}  // namespace
}  // namespace outrider::sidecar
