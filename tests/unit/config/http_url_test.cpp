#include "sidecar/config/http_url.hpp"

#include <gmock/gmock.h>

#include "config_support.hpp"
#include "sidecar/config/checks.hpp"
#include "sidecar/config/messages.hpp"

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

TEST(HttpUrl, SaysWhichFaultItIs) {
  const std::string port = "has a port that is not a number from 1 to 65535";
  const std::string relative =
      "has a relative path of a Unix socket; write the full path, as in "
      "http://unix:/run/collector.sock:/events";
  const std::pair<const char*, std::string> cases[] = {
      {"https://h:0/", port},
      {"https://h:65536/", port},
      {"https://h:x/", port},
      {"https://h:", port},
      {"https:///x", "has no host; write one, as in https://collector.example/events"},
      {"https://:1/", "has no host; write one, as in https://collector.example/events"},
      {"https://h/a b", "contains a space; write %20 for it"},
      {"https://[::1/", "has a [ without its ]; write an IPv6 address as in https://[::1]:8443/"},
      {"https://[]/", "has no address between [ and ]"},
      {"https://[::1]x/",
       "has text after its ] that is not a port; write a port as in https://[::1]:8443/"},
      {"https://::1/", "has more than one colon; write an IPv6 address as in https://[::1]:8443/"},
      {"http://unix:run/a.sock:/", relative},
      {"http://unix:./a.sock", relative},
      {"http://unix:", relative},
  };
  for (const auto& [url, fault] : cases) {
    EXPECT_EQ(problems(many + "url = " + url + "\n"),
              "a.conf:2: url: \"" + std::string(url) + "\" " + fault + "\n");
  }
  EXPECT_EQ(parse_http_url("https://h/\t").error().message,
            "\"https://h/\\x09\" contains a control character");
  for (const char* url : {"https://{h}/?token=s3cret", "https://h:x/?token=s3cret",
                          "https://h/{nonsense}?token=s3cret"}) {
    EXPECT_THAT(problems(single + "url = " + url + "\n"), Not(HasSubstr("s3cret"))) << url;
    EXPECT_NE(problems(single + "url = " + url + "\n"), "") << url;
  }
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
    EXPECT_THAT(problems(many + line), HasSubstr(key + ": contains {fields} of an event")) << line;
    EXPECT_THAT(problems(many + "format = cloudevents\n" + line), HasSubstr(key + ": contains"));
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

TEST(HttpGuard, ForbidsAddressesThatAreNotPublic) {
  const std::string guarded = many + "deny_private_addresses = true\nurl = ";
  EXPECT_EQ(problems(guarded + "https://10.1.2.3/e\n"),
            "a.conf:3: url: deny_private_addresses forbids 10.1.2.3 (private network)\n");
  for (const char* host : {"127.0.0.1:8080", "127.1", "2130706433", "[::1]", "[fd00::1]:1",
                           "[::ffff:10.0.0.1]", "169.254.169.254"}) {
    EXPECT_THAT(problems(guarded + "https://" + host + "/\n"),
                HasSubstr("url: deny_private_addresses forbids "))
        << host;
    EXPECT_EQ(problems(many + "url = https://" + host + "/\n"), "") << host;
  }
  for (const char* host : {"8.8.8.8", "[2606:4700::1111]:443", "h.example", "10.example"}) {
    EXPECT_EQ(problems(guarded + "https://" + host + "/\n"), "") << host;
  }
}

TEST(HttpGuard, ForbidsUnixSockets) {
  EXPECT_THAT(problems(many + "url = http://unix:/run/a.sock:/\ndeny_private_addresses = true\n"),
              HasSubstr("url: deny_private_addresses forbids Unix sockets"));
}

TEST(HttpUrl, HasAHostThatCanBeFound) {
  const std::string foreign =
      "has a host with letters outside ASCII; write its ASCII form, which begins with xn--";
  const std::string none = "has a host that is neither a name nor an address";
  const std::pair<std::string, std::string> cases[] = {
      {"https://b\xc3\xbc"
       "cher.example/",
       foreign},
      {"https://\xe4\xbe\x8b\xe3\x81\x88.example:8443/", foreign},
      {"https://a_b..example/", none},
      {"https://.example/", none},
      {"https://a%62c.example/", none},
      {"https://a\"b/", none},
      {"https://a,b/", none},
      {"https://a\\b/", none},
      {"https://" + std::string(254, 'a') + "/", none},
      {"https://[::g]/", "has no IPv6 address between its [ and ]"},
      {"https://[1.2.3.4]/", "has no IPv6 address between its [ and ]"},
  };
  for (const auto& [url, fault] : cases) {
    EXPECT_THAT(problems(many + "url = " + url + "\n"), HasSubstr(fault)) << url;
    EXPECT_FALSE(check_proxy(url).ok()) << url;
  }
  for (const char* url : {"https://xn--bcher-kva.example/", "https://h./", "https://a_b-c.example/",
                          "https://[fe80::1%25eth0]/", "https://[::ffff:1.2.3.4]:1/"}) {
    EXPECT_EQ(problems(many + "url = " + url + "\n"), "") << url;
  }
}

TEST(HttpUrl, ThisMachineIsToldByItsAddress) {
  for (const char* host :
       {"localhost", "LOCALHOST.", "app.localhost", "127.0.0.1", "127.1", "0x7f.1", "0177.0.0.1",
        "2130706433", "127.255.255.254", "[::1]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]", "0.0.0.0", "[::]"}) {
    EXPECT_FALSE(is_plain_http_elsewhere("http://" + std::string(host) + "/")) << host;
  }
  for (const char* host :
       {"127.evil.example", "127.0.0.1.evil.example", "localhost.evil", "notlocalhost", "128.1",
        "xlocalhost", "127.0.0.1.", "1270000001.example", "0x7f.evil", "[::2]", "[2002:7f00:1::]",
        "[64:ff9b::7f00:1]", "[::ffff:128.0.0.1]", "10.0.0.1"}) {
    EXPECT_TRUE(is_plain_http_elsewhere("http://" + std::string(host) + "/")) << host;
  }
}

TEST(HttpUrl, ShowsNoValueOfItsQueryThatMayBeASecret) {
  const std::pair<const char*, const char*> cases[] = {
      {"https://h/a?sig=s3cret", "https://h/a?sig=***"},
      {"https://h/a?code=1234&pwd=s3cret&x=s3cret", "https://h/a?code=***&pwd=***&x=***"},
      {"https://h/?s3cret", "https://h/?***"},
      {"https://h/?a=b=s3cret;c=s3cret", "https://h/?a=***"},
      {"https://h/?pin=1&n=1", "https://h/?pin=***&n=1"},
      {"https://h/?api-version=2024-01-01&Format=ndjson&refresh",
       "https://h/?api-version=2024-01-01&Format=ndjson&refresh"},
      {"https://h/?k={data.key}&l={key|s3cret}&m=s3cret{key}",
       "https://h/?k={data.key}&l=***&m=***"},
      {"https://h/#s3cret", "https://h/#***"},
      {"https://h?s3cret#s3cret", "https://h?***#***"},
      {"https://me:s3cret@h/?", "https://***@h/?"},
      {"https://h/a;token=s3cret;v=1/b;key={key}/x=y?",
       "https://h/a;token=***;v=1/b;key={key}/x=y?"},
      {"https://h/api_key=s3cret/x", "https://h/api_key=***/x"},
      {"/only/a/path?s3cret&&a=", "/only/a/path?***&&a="},
  };
  for (const auto& [url, shown] : cases) EXPECT_EQ(url_without_secrets(url), shown);
  EXPECT_THAT(secrets_of_url("https://h/a;token=path1/b=2?sig=one%2B&format=json&x={key}&two22#f"),
              testing::ElementsAre("path1", "one%2B", "two22"));
  for (const char* name : {"sig", "X-Sig", "code", "authCode", "pwd", "user_pass", "PIN", "sas",
                           "jwt", "apikey", "session-id", "X-Auth"}) {
    EXPECT_TRUE(sounds_secret(name)) << name;
  }
  for (const char* name :
       {"signal", "encoding", "zipcodes", "pinned", "ping", "passage", "a", ""}) {
    EXPECT_FALSE(sounds_secret(name)) << name;
  }
}

TEST(HttpUrl, NoErrorOrWarningShowsASecretOfIt) {
  for (const char* settings :
       {"url = http://h/?sig=s3cret\n", "url = https://h:x/?sig=s3cret\n",
        "url = https://h/?sig=s3cret{nonsense}\n", "url = https://h/{?x=s3cret\n",
        "url = https://h/?x=s3cret\nurl = https://h/?x=s3cret\n",
        "url = https://h/\nproxy = ftp://p/?x=s3cret\n",
        "url = https://h/\ncloudevents_source = https://h/?x=s3cret a\n",
        "url = http://unix:/run/a.sock:/?x=s3cret\ndeny_private_addresses = true\n",
        "url = http://unix:/run/a.sock:/?x=s3cret\nproxy = environment\n"}) {
    const LoadResult loaded = load_config_text(single + settings, "a.conf", {});
    EXPECT_THAT(test::messages(loaded), Not(HasSubstr("s3cret"))) << settings;
    for (const std::string& warning : loaded.loaded.warnings) {
      EXPECT_THAT(warning, Not(HasSubstr("s3cret"))) << settings;
    }
  }
}

TEST(HttpTemplates, CheckSaysWhatARedactionDoesToThem) {
  const LoadResult loaded = load_config_text(
      single +
          "url = https://h/{data.pin}\nheader = X-A: {data.open}\nheader = X-B: {data.pin}\n"
          "redact = data.pin\n",
      "a.conf", {});
  EXPECT_EQ(test::messages(loaded), "");
  EXPECT_THAT(
      loaded.loaded.warnings,
      testing::ElementsAre(
          "a.conf:3: url: {data.pin} is redacted, so each request contains [redacted] there",
          "a.conf:5: header: {data.pin} is redacted, so each request contains [redacted] there"));
}

TEST(CloudEventsSource, IsAUriReference) {
  for (const char* good :
       {"/outrider", "shop", "https://shop.example/a?b=c#d", "urn:uuid:1", "mailto:a@b.example",
        "https://[::1]:80/x", "//[::1]/x", "../a:b", "./1a:b", "%20", "?a", "#b", "a/b:c"}) {
    EXPECT_TRUE(check_uri_reference(good).ok()) << good;
  }
  for (const char* bad : {"", "a b", "\xc3\xa9", "a\x01", "<a>", "%2", "%zz", "1a:b", ":a", "a_b:c",
                          "a#b#c", "a[1]", "{a}", "a|b", "\"a\"", "a\\b"}) {
    EXPECT_FALSE(check_uri_reference(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace outrider::sidecar
