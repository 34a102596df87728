#include "sidecar/config/http_url.hpp"

#include <gmock/gmock.h>

#include "config_support.hpp"
#include "sidecar/config/checks.hpp"

namespace outrider::sidecar {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::string single = "[destination.a]\nformat = payload\n";
const std::string many = "[destination.a]\n";

std::string problems(const std::string& text) {
  return test::messages(load_config_text(text, "a.conf", {}));
}

TEST(HttpUrl, HasParts) {
  const HttpUrl url = parse_http_url("HTTPS://Host.example:8443/a?b=c#d").value();
  EXPECT_TRUE(url.is_tls);
  EXPECT_EQ(url.host, "Host.example");
  EXPECT_EQ(url.port, 8443);
  EXPECT_EQ(url.target, "/a?b=c");
  EXPECT_EQ(url.authority(), "Host.example:8443");
  EXPECT_EQ(url.peer(), "Host.example:8443");
  EXPECT_EQ(parse_http_url("http://h?x").value().target, "/?x");
  EXPECT_EQ(parse_http_url("http://[::1]/").value().peer(), "[::1]:80");
  EXPECT_EQ(parse_http_url("https://h:443").value().authority(), "h");
  EXPECT_TRUE(url.has_same_origin(parse_http_url("https://host.EXAMPLE:8443/").value()));
  EXPECT_FALSE(url.has_same_origin(parse_http_url("https://host.example/").value()));
  EXPECT_FALSE(url.has_same_origin(parse_http_url("http://host.example:8443/").value()));
}

TEST(HttpUrl, MayBeAUnixSocket) {
  const HttpUrl url = parse_http_url("http://unix:/run/app.sock:/in?a=b").value();
  EXPECT_EQ(url.unix_path, "/run/app.sock");
  EXPECT_EQ(url.target, "/in?a=b");
  EXPECT_EQ(url.authority(), "localhost");
  EXPECT_EQ(url.peer(), "unix:/run/app.sock");
  EXPECT_EQ(parse_http_url("http://unix:/run/app.sock").value().target, "/");
  EXPECT_TRUE(parse_http_url("https://unix:/run/app.sock:/").value().is_tls);
  EXPECT_EQ(parse_http_url("http://unix:8080/").value().unix_path, "");
  const std::string long_path(108, 'x');
  EXPECT_THAT(parse_http_url("http://unix:/" + long_path + ":/").error().message,
              HasSubstr("at most 107"));
  EXPECT_FALSE(is_plain_http_elsewhere("http://unix:/run/app.sock:/"));
}

TEST(HttpUrl, HasNoPort0AndNoPassword) {
  EXPECT_FALSE(parse_http_url("http://h:0/").ok());
  EXPECT_FALSE(parse_http_url("http://h:/").ok());
  const std::string error = parse_http_url("https://me:s3cret@h/").error().message;
  EXPECT_THAT(error, HasSubstr("basic_auth_file"));
  EXPECT_THAT(error, Not(HasSubstr("s3cret")));
}

TEST(HttpUrl, MayHoldFieldsBehindTheAuthority) {
  EXPECT_EQ(problems(single + "url = https://h/{topic}/{data.user.id|no one}?k={key}\n"), "");
  EXPECT_EQ(problems(single + "url = http://unix:/run/a.sock:/{topic}\n"), "");
  EXPECT_THAT(problems(single + "url = https://h/{nonsense}\n"), HasSubstr("nonsense"));
  EXPECT_THAT(problems(single + "url = https://{topic}/\n"), HasSubstr("in its host or port"));
  EXPECT_NE(problems(single + "url = https://h/a b\n"), "");
}

TEST(HttpTemplates, NeedOneEventARequest) {
  const std::string url = "url = https://h/\n";
  const std::string binary = "format = cloudevents\ncloudevents_mode = binary\n";
  for (const auto& [key, line] : std::initializer_list<std::pair<std::string, std::string>>{
           {"url", "url = https://h/{topic}\n"},
           {"method", url + "method = {key|POST}\n"},
           {"header", url + "header = X-Topic: {topic}\n"}}) {
    EXPECT_THAT(problems(many + line), HasSubstr(key + ": it holds {fields} of an event")) << line;
    EXPECT_THAT(problems(many + "format = cloudevents\n" + line), HasSubstr(key + ": it holds"));
    EXPECT_EQ(problems(many + binary + line), "") << line;
    EXPECT_EQ(problems(single + line), "") << line;
  }
  EXPECT_EQ(problems(many + url + "header = X-Json: {{\"a\":1}}\n"), "");
}

TEST(HttpHeaders, ThatWouldBreakTheRequestCannotBeSet) {
  for (const char* name : {"Content-Length", "transfer-encoding", "Connection", "Expect", "TE",
                           "Content-Encoding", "Idempotency-Key", "Webhook-Signature"}) {
    EXPECT_THAT(check_header(std::string(name) + ": x").error().message, HasSubstr("cannot be set"))
        << name;
  }
  for (const char* good : {"Host: inner", "Content-Type: text/plain", "X-Topic: {topic}", "X-A:"}) {
    EXPECT_TRUE(check_header(good).ok()) << good;
  }
  const std::string error = check_header("X-Api-Key: {s3cret").error().message;
  EXPECT_THAT(error, HasSubstr("X-Api-Key"));
  EXPECT_THAT(error, Not(HasSubstr("s3cret")));
}

TEST(HttpGuard, ForbidsUnixSockets) {
  EXPECT_THAT(problems(many + "url = http://unix:/run/a.sock:/\ndeny_private_addresses = true\n"),
              HasSubstr("a Unix socket is on this machine, which deny_private_addresses forbids"));
}

}  // namespace
}  // namespace outrider::sidecar
