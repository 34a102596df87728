// [admin]: addresses, and what each requires.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "sidecar/config/admin_address.hpp"
#include "support/certificate.hpp"
#include "unit/config/config_support.hpp"

namespace outrider::sidecar {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Kind = AdminAddress::Kind;

const std::string out = "[destination.a]\ntype = stdout\n";

std::string errors_of(const std::string& admin) {
  return test::messages(load_config_text(out + "[admin]\n" + admin, "a.conf"));
}

TEST(AdminAddress, IsAPathOrAnAddressWithAPort) {
  const auto socket = parse_admin_address("unix:///run/x/a.sock");
  ASSERT_TRUE(socket.ok());
  EXPECT_EQ(socket.value().kind, Kind::unix_socket);
  EXPECT_EQ(socket.value().path, "/run/x/a.sock");
  EXPECT_EQ(parse_admin_address("none").value().kind, Kind::none);
  for (const char* text : {"tcp://127.0.0.1:9464", "tcp://[::1]:9464", "tcp://*:1",
                           "tcp://10.0.0.1:0", "unix:///run/x/a.sock"}) {
    const auto address = parse_admin_address(text);
    ASSERT_TRUE(address.ok()) << text;
    EXPECT_EQ(address.value().text(), text);
  }
  EXPECT_EQ(parse_admin_address("tcp://localhost:5").value().text(), "tcp://127.0.0.1:5");
  for (const char* text :
       {"", "/run/a.sock", "unix://", "unix://@a", "http://127.0.0.1:1", "tcp://127.0.0.1",
        "tcp://admin.example:1", "tcp://eth0:1", "tcp://127.0.0.1:65536", "ipc:///run/a.sock"}) {
    EXPECT_FALSE(parse_admin_address(text).ok()) << text;
  }
}

TEST(AdminAddress, IsByDefaultBesideTheFirstIpcEndpoint) {
  const auto address = [](const std::string& ingest) {
    return admin_address(test::load(out + "[ingest]\n" + ingest).config).text();
  };
  EXPECT_EQ(address(""), "unix:///run/outrider/admin.sock");
  EXPECT_EQ(address("endpoint = tcp://127.0.0.1:5\nendpoint = ipc:///srv/o.sock\n"
                    "endpoint = ipc:///run/o.sock\n"),
            "unix:///srv/admin.sock");
  EXPECT_EQ(address("endpoint = tcp://127.0.0.1:5\n"), "none");
  EXPECT_EQ(address("endpoint = ipc:///srv/o.sock\n[admin]\nlisten = none\n"), "none");
}

TEST(AdminConfig, WhatOthersReachNeedsATokenAndTls) {
  const test::TempDir dir;
  const std::string token = "token_file = " + dir.write("token", "0123456789abcdef\n") + "\n";
  const test::Certificate pair = test::make_certificate(dir.path());
  const std::string tls = "cert_file = " + pair.cert_file + "\nkey_file = " + pair.key_file + "\n";
  const std::string local = "listen = tcp://127.0.0.1:1\n";
  const std::string far = "listen = tcp://10.0.0.1:1\n";
  EXPECT_THAT(errors_of(local),
              HasSubstr("a.conf:4: listen: tcp requires a token; set token_file"));
  EXPECT_EQ(errors_of(local + token), "");
  EXPECT_EQ(errors_of(local + token + tls), "");
  EXPECT_THAT(errors_of(far + token),
              HasSubstr("listen: other machines can reach tcp://10.0.0.1:1"));
  EXPECT_THAT(errors_of("listen = tcp://*:1\n" + token), HasSubstr("requires TLS"));
  EXPECT_EQ(errors_of(far + token + tls), "");
  EXPECT_THAT(errors_of(far + tls), HasSubstr("requires a token"));
  EXPECT_THAT(errors_of(tls), HasSubstr("cert_file: applies only with listen = tcp"));
  EXPECT_THAT(errors_of(local + token + "key_file = " + pair.key_file + "\n"),
              HasSubstr("key_file: requires cert_file"));
}

TEST(AdminConfig, ATokenIsNotGuessed) {
  const test::TempDir dir;
  const std::string errors =
      errors_of("token_file = " + dir.write("token", "0123456789abcde\n") + "\n");
  EXPECT_THAT(errors, HasSubstr("holds a token that is too short"));
  EXPECT_EQ(errors.find("0123456789abcde"), std::string::npos);
}

TEST(AdminConfig, WhatIsProbablyNotMeant) {
  const test::TempDir dir;
  const std::string token = dir.write("token", "0123456789abcdef\n");
  ASSERT_EQ(chmod(token.c_str(), 0644), 0);
  const auto warnings = [](const std::string& admin) {
    return test::load(out + "[admin]\n" + admin).warnings;
  };
  EXPECT_THAT(warnings("token_file = " + token + "\n"),
              ElementsAre(HasSubstr("a.conf:4: token_file: file ")));
  ASSERT_EQ(chmod(token.c_str(), 0600), 0);
  EXPECT_THAT(warnings("token_file = " + token + "\n"), IsEmpty());
  EXPECT_THAT(warnings("socket_mode = 0666\n"),
              ElementsAre(HasSubstr("every user of this machine can stop the sidecar")));
  EXPECT_THAT(warnings("socket_mode = 0660\n"), IsEmpty());
  EXPECT_THAT(
      warnings("listen = tcp://127.0.0.1:1\nsocket_mode = 0660\ntoken_file = " + token + "\n"),
      ElementsAre(HasSubstr("socket_mode: has no effect")));
}

}  // namespace
}  // namespace outrider::sidecar
