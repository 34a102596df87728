// Who may use the admin interface.
#include "sidecar/admin/access.hpp"

#include <gtest/gtest.h>

namespace outrider::sidecar {
namespace {

const std::string token = "0123456789abcdef";

HttpRequest request(HttpRequest::Pairs headers) {
  HttpRequest head;
  head.headers = std::move(headers);
  return head;
}

unsigned status_for_stranger(HttpRequest::Pairs headers, const AccessRules& rules = {}) {
  const auto refusal = refuse_stranger(request(std::move(headers)), rules);
  return refusal ? refusal->status : 200;
}

TEST(Access, SecretsAreTheSameOrNot) {
  EXPECT_TRUE(is_same_secret(token, token));
  EXPECT_FALSE(is_same_secret("", token));
  EXPECT_FALSE(is_same_secret("", ""));
  EXPECT_FALSE(is_same_secret(token.substr(1), token));
  EXPECT_FALSE(is_same_secret(token + token, token));
  for (std::size_t i = 0; i < token.size(); ++i) {
    std::string other = token;
    other[i] ^= 1;
    EXPECT_FALSE(is_same_secret(other, token)) << i;
  }
}

TEST(Access, AHostIsAnAddress) {
  for (const char* host :
       {"localhost", "LocalHost:8080", "127.0.0.1", "10.1.2.3:9464", "[::1]", "[::1]:9464"}) {
    EXPECT_TRUE(is_address(host)) << host;
  }
  for (const char* host :
       {"", ":80", "evil.example", "evil.example:9464", "localhost.evil.example",
        "127.0.0.1.evil.example", "[]", "[x]:1", "127.1.evil", "::1", "localhost:evil",
        "localhost:", "127.0.0.1:80x", "[::1]:evil", "localhost:123456"}) {
    EXPECT_FALSE(is_address(host)) << host;
  }
}

TEST(Access, ABrowserIsKeptOut) {
  EXPECT_EQ(status_for_stranger({{"host", "localhost"}}), 200U);
  EXPECT_EQ(status_for_stranger({}), 403U);
  EXPECT_EQ(status_for_stranger({{"host", "evil.example:8080"}}), 403U);
  EXPECT_EQ(status_for_stranger({{"host", "localhost"}, {"origin", "http://evil.example"}}), 403U);
  EXPECT_EQ(status_for_stranger({{"host", "localhost"}, {"origin", "null"}}), 403U);
  EXPECT_EQ(status_for_stranger({{"host", "localhost:1"}, {"origin", "http://localhost:2"}}), 403U);
  EXPECT_EQ(status_for_stranger({{"host", "localhost:1"}, {"origin", "http://LOCALHOST:1"}}), 200U);
}

TEST(Access, APortIsANumber) {
  EXPECT_EQ(status_for_stranger({{"host", "localhost:evil"}}), 400U);
  EXPECT_EQ(status_for_stranger({{"host", "admin.example:evil"}}, {.has_tls = true}), 400U);
}

TEST(Access, OverTlsAHostMayBeAName) {
  const AccessRules rules{.token = token, .has_tls = true};
  EXPECT_EQ(
      status_for_stranger({{"host", "admin.example"}, {"authorization", "Bearer " + token}}, rules),
      200U);
}

TEST(Access, TheTokenIsAskedFor) {
  const AccessRules rules{.token = token};
  const auto with = [&](const std::string& authorization) {
    return status_for_stranger({{"host", "127.0.0.1"}, {"authorization", authorization}}, rules);
  };
  EXPECT_EQ(with("Bearer " + token), 200U);
  EXPECT_EQ(with("bearer  " + token), 200U);
  for (const std::string& wrong :
       {std::string(), std::string("Bearer"), std::string("Bearer "), token, "Basic " + token,
        "Bearer " + token + "x", "Bearer " + token.substr(1)}) {
    EXPECT_EQ(with(wrong), 401U) << wrong;
  }
  const auto refusal = refuse_stranger(request({{"host", "127.0.0.1"}}), rules);
  ASSERT_TRUE(refusal);
  ASSERT_EQ(refusal->headers.size(), 1U);
  EXPECT_EQ(refusal->headers[0].first, "WWW-Authenticate");
  EXPECT_EQ(refusal->body->find(token), std::string::npos);
}

TEST(Access, AChangeIsWhatAFormCannotSend) {
  const auto status = [](const std::string& type, bool is_read_only = false) {
    const auto refusal =
        refuse_change(request({{"content-type", type}}), {.is_read_only = is_read_only});
    return refusal ? refusal->status : 200;
  };
  EXPECT_EQ(status("application/json"), 200U);
  EXPECT_EQ(status("Application/JSON; charset=utf-8"), 200U);
  for (const char* type : {"", "text/plain", "application/x-www-form-urlencoded",
                           "text/plain; application/json", "application/jsonx"}) {
    EXPECT_EQ(status(type), 415U) << type;
  }
  EXPECT_EQ(status("application/json", true), 403U);
}

}  // namespace
}  // namespace outrider::sidecar
