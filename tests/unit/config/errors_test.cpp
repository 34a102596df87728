// Every error of the configuration, with its exact line and its hint.
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "sidecar/config/checks.hpp"
#include "sidecar/config/endpoint.hpp"
#include "sidecar/config/options.hpp"
#include "support/certificate.hpp"
#include "unit/config/config_support.hpp"

namespace outrider::sidecar {
namespace {

using test::messages;

struct Case {
  std::string text;
  std::string error;  ///< "" stands for no error at all
};

std::string errors_of(const std::string& text, const std::vector<std::string>& arguments = {}) {
  return messages(load_config_text(text, "a.conf", arguments));
}

void expect_errors(const std::vector<Case>& cases) {
  for (const Case& one : cases) {
    EXPECT_EQ(errors_of(one.text), one.error.empty() ? "" : one.error + "\n") << one.text;
  }
}

const std::string http = "[destination.a]\nurl = https://h.example/e\n";
const std::string zmq = "[destination.a]\ntype = zmq\n";

TEST(ConfigErrors, Lines) {
  expect_errors({
      {http + "timeout\n", "a.conf:3: \"timeout\" is not a setting; write key = value"},
      {http + "= 5\n", "a.conf:3: \"=\" is not a setting; write key = value"},
      {"linger = 5s\n" + http,
       "a.conf:1: key \"linger\" is outside of a section; put it below a section line such as "
       "[ingest]"},
      {http + "[log\nlevel = warn\n",
       "a.conf:3: \"[log\" is not a section line; write [NAME] and nothing else"},
      {http + "[log]x]\n",
       "a.conf:3: \"[log]x]\" is not a section line; write [NAME] and nothing else"},
      {http + "[log] # x\n",
       "a.conf:3: \"[log] # x\" is not a section line; write [NAME] and nothing else"},
      {"", "a.conf:1: there is no [destination.NAME] section, so no events would be sent; add one"},
  });
}

TEST(ConfigErrors, TheRestOfABadLineMayBeSecretAndIsNotRepeated) {
  EXPECT_EQ(errors_of(http + "header Authorization: Bearer s3cret\n").find("s3cret"),
            std::string::npos);
  EXPECT_EQ(errors_of(http + "header = Bearer s3cret\n").find("s3cret"), std::string::npos);
  EXPECT_EQ(errors_of("[destination.a]\nurl = ftp://me:s3cret@h/\n").find("s3cret"),
            std::string::npos);
}

TEST(ConfigErrors, Sections) {
  expect_errors({
      {http + "[shutdwn]\n", "a.conf:3: unknown section [shutdwn]; did you mean \"shutdown\"?"},
      {http + "[colours]\n", "a.conf:3: unknown section [colours]"},
      {http + "[log.x]\n", "a.conf:3: unknown section [log.x]; did you mean \"log\"?"},
      {http + "[]\n", "a.conf:3: unknown section []"},
      {http + "[log]\n[log]\n",
       "a.conf:4: section [log] is defined twice; the first is at a.conf:3"},
      {http + http, "a.conf:3: destination \"a\" is defined twice; the first is at a.conf:1"},
      {http + "[destination]\n", "a.conf:3: a destination needs a name; write [destination.NAME]"},
      {http + "[destination.a.b]\n",
       "a.conf:3: \"a.b\" is not a destination name; use 1 to 64 of the characters A-Z a-z 0-9 _ "
       "-"},
      {http + "[spool]\npath = /x\n", ""},
      {http + "[admin]\n", ""},
  });
}

TEST(ConfigErrors, DestinationNamesHaveTheirLimit) {
  const std::string longest(destination_name_bytes_max, 'n');
  EXPECT_EQ(errors_of("[destination." + longest + "]\ntype = stdout\n"), "");
  EXPECT_NE(errors_of("[destination." + longest + "n]\ntype = stdout\n"), "");
}

TEST(ConfigErrors, DestinationsHaveTheirLimit) {
  std::string text;
  for (std::size_t i = 0; i < destinations_max; ++i) {
    text += "[destination.d" + std::to_string(i) + "]\ntype = stdout\n";
  }
  EXPECT_EQ(errors_of(text), "");
  EXPECT_EQ(errors_of(text + "[destination.more]\ntype = stdout\n"),
            "a.conf:1: there are 1025 destinations; at most 1024 are allowed\n");
}

TEST(ConfigErrors, Keys) {
  expect_errors({
      {http + "queue_byte_max = 1MiB\n",
       "a.conf:3: unknown key \"queue_byte_max\" in [destination.a]; did you mean "
       "\"queue_bytes_max\"?"},
      {http + "colour = red\n", "a.conf:3: unknown key \"colour\" in [destination.a]"},
      {http + "timeout = 5s\nmethod = PUT\ntimeout = 6s\n",
       "a.conf:5: \"timeout\" is set twice; the first is at a.conf:3"},
      {http + "path = /x\n", "a.conf:3: \"path\" does not apply to type http, only to type file"},
      {zmq + "url = tcp://h:1\nca_file = /x\n",
       "a.conf:4: \"ca_file\" does not apply to type zmq, only to type http"},
      {"[destination.a]\nurl = https://h/\ntype = stdout\n",
       "a.conf:2: \"url\" does not apply to type stdout, only to type http or zmq"},
      {http + "[ingest]\nconfirm_endpoint = ipc:///x\n",
       "a.conf:4: confirm_endpoint: requires a spool; set [spool] path"},
      {http + "when_full = spool\n",
       "a.conf:3: when_full: spool requires [spool] path; set it, or choose drop_newest or "
       "drop_oldest"},
      {http + "ordering = key\nspool_order = fresh_first\n[spool]\npath = s.db\n",
       "a.conf:4: spool_order: fresh_first conflicts with ordering = key; choose one of them"},
      {http + "spool_age_max = 1h\n",
       "a.conf:3: spool_age_max: requires a spool; set [spool] path"},
      {http + "[spool]\nsync = normal\n", "a.conf:4: sync: requires a spool; set [spool] path"},
      {http + "[ingest]\nendpoint = ipc:///x\nconfirm_endpoint = ipc:///x\n[spool]\npath = s.db\n",
       "a.conf:5: confirm_endpoint: \"ipc:///x\" is also an endpoint of [ingest]; choose a "
       "different one"},
      {"[destination.a]\ntype = nats\nurl = nats://h\n",
       "a.conf:2: type = nats is not supported by this version"},
  });
}

TEST(ConfigErrors, PolicySettingsThatDoNotGoTogether) {
  expect_errors({
      {http + "concurrency_min = 8\nconcurrency_max = 4\n",
       "a.conf:3: concurrency_min (8) exceeds concurrency_max (4); lower concurrency_min or raise "
       "concurrency_max"},
      {http + "body_bytes_max = 64KiB\n",
       "a.conf:3: batch_bytes_max (1MiB) exceeds body_bytes_max (64KiB); lower batch_bytes_max or "
       "raise body_bytes_max"},
      {http + "cloudevents_mode = binary\n",
       "a.conf:3: cloudevents_mode: applies only with format = cloudevents"},
      {http + "compression_level = 3\n",
       "a.conf:3: compression_level: applies only with compression = gzip or zstd"},
      {http + "proxy = http://p:3128\ndeny_private_addresses = true\n",
       "a.conf:4: deny_private_addresses: requires proxy = none, because the sidecar does not "
       "see which addresses a proxy connects to"},
      {http + "proxy = http://me:pass@p:3128\n",
       "a.conf:3: proxy: put the proxy's user and password into proxy_auth_file"},
      {http + "tls_server_name = a b\n",
       "a.conf:3: tls_server_name: \"a b\" is not a host name; write one as in "
       "collector.example"},
      {http + "cloudevents_source = /x\n",
       "a.conf:3: cloudevents_source: applies only with format = cloudevents"},
      {http + "status_actions = 409:ok, 500-599:retry, 503:dead\n",
       "a.conf:3: status_actions: \"500-599:retry\" and \"503:dead\" overlap; a status has one "
       "action"},
      {http + "status_actions = 409:never\n",
       "a.conf:3: status_actions: \"never\" is not one of ok | retry | split | hold | disable | "
       "dead"},
  });
}

TEST(ConfigErrors, Missing) {
  expect_errors({
      {"[log]\n[destination.a]\n", "a.conf:2: [destination.a] has no url; type http requires one"},
      {zmq, "a.conf:1: [destination.a] has no url; type zmq requires one"},
      {"[destination.a]\ntype = file\n",
       "a.conf:1: [destination.a] has no path; type file requires one"},
      {"[destination.a]\ntype = stdout\n", ""},
      {"[destination.a]\nurl =\n",
       "a.conf:2: url: the value is empty; write one, or remove the key"},
  });
}

TEST(ConfigErrors, Units) {
  expect_errors({
      {http + "timeout = 5\n",
       "a.conf:3: timeout: \"5\" is not a duration; write a whole number and ms, s, m or h, as in "
       "250ms or 5s"},
      {http + "queue_bytes_max = 1MB\n",
       "a.conf:3: queue_bytes_max: \"1MB\" is not a size; write a whole number of bytes, or one "
       "with KiB, MiB or GiB, as in 64KiB"},
      {http + "queue_events_max = many\n",
       "a.conf:3: queue_events_max: \"many\" is not a whole number"},
      {http + "[ingest]\nsocket_mode = 0888\n",
       "a.conf:4: socket_mode: \"0888\" is not a file mode; write octal digits from 0 to "
       "0777, as in 0660"},
      {http + "format = jsn\n",
       "a.conf:3: format: \"jsn\" is not one of json | ndjson | msgpack | cloudevents | payload; "
       "did you mean \"json\"?"},
      {"[destination.a]\ntype = htpp\n",
       "a.conf:2: type: \"htpp\" is not one of http | file | stdout | zmq; did you mean \"http\"?"},
      {http + "[log]\nlevel = loud\n",
       "a.conf:4: level: \"loud\" is not one of debug | info | warn | error"},
  });
}

TEST(ConfigErrors, Ranges) {
  expect_errors({
      {http + "concurrency_max = 0\n",
       "a.conf:3: concurrency_max: \"0\" is out of range; allowed: 1 to 256"},
      {http + "concurrency_max = 257\n",
       "a.conf:3: concurrency_max: \"257\" is out of range; allowed: 1 to 256"},
      {http + "concurrency_max = 256\n", ""},
      {http + "batch_events_max = 100001\n",
       "a.conf:3: batch_events_max: \"100001\" is out of range; allowed: 1 to 100000"},
      {http + "timeout = 0\n", "a.conf:3: timeout: \"0\" is out of range; allowed: 1ms to 1h"},
      // Less than the SDK sends would lose what is emitted, and nobody would be told.
      {http + "[ingest]\nframe_bytes_max = 64KiB\nevent_bytes_max = 16KiB\n",
       "a.conf:4: frame_bytes_max: \"64KiB\" is out of range; allowed: 256KiB to 1GiB"},
      {http + "batch_bytes_max = 2MiB\nqueue_bytes_max = 1MiB\n",
       "a.conf:3: batch_bytes_max (2MiB) exceeds queue_bytes_max (1MiB); lower batch_bytes_max or "
       "raise queue_bytes_max"},
      {http + "retry_max = 500ms\n",
       "a.conf:3: retry_initial (1s) exceeds retry_max (500ms); lower retry_initial or raise "
       "retry_max"},
      {"[ingest]\nevent_bytes_max = 8MiB\n" + http,
       "a.conf:2: event_bytes_max (8MiB) exceeds frame_bytes_max (4MiB); lower event_bytes_max or "
       "raise frame_bytes_max"},
      // What has an error of its own is not compared.
      {http + "retry_initial = 10m\nretry_max = 5 m\n",
       "a.conf:4: retry_max: \"5 m\" is not a duration; write a whole number and ms, s, m or h, as "
       "in 250ms or 5s"},
  });
}

TEST(ConfigErrors, AFieldHasOneStaticField) {
  expect_errors({
      {http + "static_field = data.b: y\nstatic_field = data.b.c: y\n", ""},
      {http + "static_field = data.b: y\nstatic_field = data.a: y\nstatic_field = data.b : z\n",
       "a.conf:5: static_field: \"data.b\" is given twice; the first is at a.conf:3"},
  });
}

TEST(ConfigErrors, Endpoints) {
  const std::string room(socket_path_bytes_max, 'p');
  expect_errors({
      {http + "[ingest]\nendpoint = ipc://" + room + "\n", ""},
      {http + "[ingest]\nendpoint = ipc://" + room + "p\n",
       "a.conf:4: endpoint: the path of \"ipc://" + room +
           "p\" has 108 bytes; a Unix socket's path has at most 107"},
      {http + "[ingest]\nendpoint = /run/x.sock\n",
       "a.conf:4: endpoint: \"/run/x.sock\" is not an endpoint; write ipc://PATH, tcp://HOST:PORT "
       "or inproc://NAME"},
      {http + "[ingest]\nendpoint = ipc:///x\nendpoint = tcp://*:5555\nendpoint = ipc:///x\n",
       "a.conf:6: endpoint \"ipc:///x\" is given twice; the first is at a.conf:4"},
      {zmq + "url = https://h/\n",
       "a.conf:3: url: \"https://h/\" is not an endpoint; write ipc://PATH, tcp://HOST:PORT or "
       "inproc://NAME"},
  });
}

TEST(ConfigErrors, Urls) {
  expect_errors({
      {"[destination.a]\nurl = collector.example\n",
       "a.conf:2: url: \"collector.example\" is not a URL to send to; write http:// or https://, a "
       "host and a path, as in https://collector.example/events"},
  });
  for (const char* good : {"http://h", "https://h/", "HTTPS://h:8443/a?b=c#d", "https://[::1]:1/",
                           "https://h/\xc3\xbc"}) {
    EXPECT_TRUE(check_http_url(good).ok()) << good;
  }
  for (const char* bad :
       {"", "https://", "https:///x", "https://:1/", "https://h:x/", "https://h:65536/",
        "https://h y/", "https://[::1/", "ftp://h/", "h/", "https://u@/", "https://u:p@h/x",
        "https://h:0/", "https://h/\n", "https://[::1]x/"}) {
    EXPECT_FALSE(check_http_url(bad).ok()) << bad;
  }
}

TEST(ConfigErrors, Topics) {
  const std::string rest =
      " is not a topic pattern; write tokens of [A-Za-z0-9_-] joined by dots, where * matches one "
      "token and a final > the rest, as in orders.* or exceptions.>";
  expect_errors({
      {http + "topics = orders.*, a..b\n", "a.conf:3: topics: \"a..b\"" + rest},
      {http + "exclude = >.x\n", "a.conf:3: exclude: \">.x\"" + rest},
      {http + "topics = ,\n",
       "a.conf:3: topics is empty; write patterns, or remove the key to receive all topics"},
      {http + "exclude =\n", ""},
  });
}

TEST(ConfigErrors, Headers) {
  expect_errors({
      {http + "header = X-Tenant\n",
       "a.conf:3: header: this is not a header; write Name: value, without control characters"},
      {http + "method = post\n",
       "a.conf:3: method: \"post\" is not an HTTP method; write capital letters, as in POST or "
       "PUT"},
  });
  EXPECT_TRUE(check_header("X-A: b").ok());
  EXPECT_TRUE(check_header("X-A:").ok());
  for (const char* bad : {"", ": v", "X A: v", "X\xc3\xbc: v", "X-A: v\r\nX-B: w", "X-A: \x7f"}) {
    EXPECT_FALSE(check_header(bad).ok()) << bad;
  }
}

TEST(ConfigErrors, Files) {
  const test::TempDir dir;
  const std::string token = dir.write("token", "  abc\n");
  const std::string empty = dir.write("empty", "\n");
  const std::string two = dir.write("two", "a:b\nc:d\n");
  const std::string pair = dir.write("pair", "user:pass:word\n");
  const std::string missing = dir.path() + "/missing";
  const test::Certificate one = test::make_certificate(dir.path(), "IP:127.0.0.1", "one");
  const test::Certificate other = test::make_certificate(dir.path(), "IP:127.0.0.1", "other");
  expect_errors({
      {http + "bearer_token_file = " + token + "\n", ""},
      {http + "basic_auth_file = " + pair + "\n", ""},
      {http + "ca_file = " + one.cert_file + "\ncert_file = " + one.cert_file +
           "\nkey_file = " + one.key_file + "\n",
       ""},
      {http + "cert_file = " + one.cert_file + "\nkey_file = " + other.key_file + "\n",
       "a.conf:3: cert_file: file \"" + other.key_file +
           "\" holds a key that is not the certificate's"},
      {http + "ca_file = " + token + "\n",
       "a.conf:3: ca_file: file \"" + token + "\" holds no certificate in PEM"},
      {http + "ca_file = " + token +
           "\n[destination.b]\ntype = http\nurl = https://b/\nca_file = " + token + "\n",
       "a.conf:3: ca_file: file \"" + token + "\" holds no certificate in PEM\n" +
           "a.conf:7: ca_file: file \"" + token + "\" holds no certificate in PEM"},
      {http + "ca_file = " + dir.path() + "\n",
       "a.conf:3: ca_file: file \"" + dir.path() + "\" is a directory"},
      {http + "bearer_token_file = " + two + "\n",
       "a.conf:3: bearer_token_file: file \"" + two +
           "\" must hold one line of text and nothing else"},
      {http + "bearer_token_file = " + empty + "\n",
       "a.conf:3: bearer_token_file: file \"" + empty + "\" is empty"},
      {http + "basic_auth_file = " + token + "\n",
       "a.conf:3: basic_auth_file: file \"" + token +
           "\" must hold one line of the form user:password"},
      {http + "key_file = " + one.key_file + "\n", "a.conf:3: key_file: requires cert_file"},
      {http + "proxy_auth_file = " + pair + "\n",
       "a.conf:3: proxy_auth_file: requires a proxy; set proxy"},
      {http + "bearer_token_file = " + token + "\nbasic_auth_file = " + pair + "\n",
       "a.conf:4: header \"authorization\" is set twice, by bearer_token_file and by "
       "basic_auth_file"},
      {http + "bearer_token_file = " + token + "\nheader = AUTHORIZATION: x\n",
       "a.conf:4: header \"authorization\" is set twice, by bearer_token_file and by header"},
      {http + "secret_header = X-Key: " + token + "\nheader = x-key: 1\n",
       "a.conf:4: header \"x-key\" is set twice, by secret_header and by header"},
  });
  for (const std::string key : {"ca_file", "cert_file", "bearer_token_file", "basic_auth_file"}) {
    EXPECT_EQ(errors_of(http + key + " = " + missing + "\n"),
              "a.conf:3: " + key + ": file \"" + missing +
                  "\" cannot be read: No such file or directory\n");
  }
}

TEST(ConfigErrors, Groups) {
  expect_errors({
      {http + "[ingest]\nsocket_group = no-such-group\n",
       "a.conf:4: socket_group: there is no group \"no-such-group\" on this machine"},
      {http + "[ingest]\nsocket_group = root\n", ""},
  });
}

TEST(ConfigErrors, AllAreFoundInOneGoInTheOrderOfTheFile) {
  EXPECT_EQ(errors_of(http + "timeout = x\nbogus = 1\n[log]\nlevel = y\n[ingest]\nendpoint = z\n"),
            "a.conf:3: timeout: \"x\" is not a duration; write a whole number and ms, s, m or h, "
            "as in 250ms or 5s\n"
            "a.conf:4: unknown key \"bogus\" in [destination.a]\n"
            "a.conf:6: level: \"y\" is not one of debug | info | warn | error\n"
            "a.conf:8: endpoint: \"z\" is not an endpoint; write ipc://PATH, tcp://HOST:PORT or "
            "inproc://NAME\n");
}

TEST(ConfigErrors, CommandLine) {
  EXPECT_EQ(errors_of(http, {"--destination.a.timeout=x"}),
            "command line: timeout: \"x\" is not a duration; write a whole number and ms, s, m or "
            "h, as in 250ms or 5s\n");
  EXPECT_EQ(
      errors_of(http, {"--destination.a.timeuot=5s"}),
      "command line: unknown key \"timeuot\" in [destination.a]; did you mean \"timeout\"?\n");
  EXPECT_EQ(errors_of(http, {"--shutdwn.linger=5s"}),
            "command line: unknown section [shutdwn]; did you mean \"shutdown\"?\n");
  EXPECT_EQ(
      errors_of("[destination.audit]\nurl = https://h/\n", {"--destination.audti.timeout=5s"}),
      "command line: there is no destination \"audti\" in a.conf; did you mean \"audit\"? (to "
      "create it, also give --destination.audti.type)\n");
  EXPECT_EQ(errors_of(http, {"--log.level"}),
            "command line: --log.level has no value; write it as --log.level=VALUE\n");
  EXPECT_EQ(errors_of(http, {"stray"}),
            "command line: \"stray\" is not a setting; write it as --SECTION.KEY=VALUE\n");
  EXPECT_EQ(errors_of(http, {"--verbose=1"}),
            "command line: \"--verbose\" is not a setting; write it as --SECTION.KEY=VALUE\n");
}

TEST(ConfigErrors, AValueOnTheCommandLineMayBeEmptyOrBeginWithDashes) {
  const std::string out = "[destination.a]\ntype = stdout\nexclude = a.b\n";
  const LoadedConfig empty = test::load(out, {"--destination.a.exclude="});
  EXPECT_TRUE(empty.config.destinations[0].exclude.empty());
  EXPECT_EQ(errors_of(out, {"--destination.a.cloudevents_source=--x", "--destination.a.format",
                            "cloudevents"}),
            "");
  EXPECT_EQ(errors_of(out, {"--log.level", "--log.format=text"}),
            "command line: --log.level has no value; write it as --log.level=VALUE\n");
}

TEST(ConfigErrors, TheFileItself) {
  const test::TempDir dir;
  const auto error_of = [](const std::string& path) { return messages(load_config(path)); };
  EXPECT_EQ(error_of(dir.path() + "/missing"), "the configuration: file \"" + dir.path() +
                                                   "/missing\" cannot be read: No such file or "
                                                   "directory\n");
  EXPECT_EQ(error_of(dir.path()),
            "the configuration: file \"" + dir.path() + "\" is a directory\n");
  const std::string large = dir.write("large", std::string(config_file_bytes_max + 1, '#'));
  EXPECT_EQ(error_of(large), "the configuration: file \"" + large + "\" is larger than 4MiB\n");
}

TEST(ConfigErrors, WhatIsNoRegularFileIsRefusedAtOnce) {
  const test::TempDir dir;
  const std::string pipe = dir.path() + "/pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  for (const std::string& path : {pipe, std::string("/dev/zero"), std::string("/dev/null")}) {
    EXPECT_EQ(messages(load_config(path)),
              "the configuration: file \"" + path + "\" is not a regular file\n");
    for (const std::string key :
         {"ca_file", "cert_file", "bearer_token_file", "basic_auth_file", "signing_secret_file"}) {
      EXPECT_EQ(errors_of(http + key + " = " + path + "\n"),
                "a.conf:3: " + key + ": file \"" + path + "\" is not a regular file\n");
    }
  }
}

TEST(ConfigErrors, ControlCharactersAreRefusedAndTheirValueIsNotShown) {
  for (const char c : {'\x01', '\x1b', '\x7f', '\t'}) {
    const std::string value = std::string("/tmp/s3cret") + c + "b";
    EXPECT_EQ(
        errors_of("[destination.a]\ntype = file\npath = " + value + "\n"),
        "a.conf:3: path: the value contains a control character; write one line of plain text\n");
  }
}

TEST(ConfigErrors, AZeroByteIsSaidOnceWithItsLine) {
  using namespace std::literals;
  const std::string error =
      ": the file contains a zero byte; save it as text in UTF-8, not in UTF-16\n";
  EXPECT_EQ(errors_of("[destination.a]\ntype = std\0out\ntype = \0\n"s), "a.conf:2" + error);
  EXPECT_EQ(errors_of("\xff\xfe[\0a\0]\0"s), "a.conf:1" + error);
  EXPECT_EQ(errors_of("[destination.a]\ntype = stdout\n# \0\n"s), "a.conf:3" + error);
}

TEST(ConfigErrors, ValuesHaveTheirLimits) {
  const auto repeated = [](const std::string& line, std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) text += line + std::to_string(i) + "\n";
    return text;
  };
  const std::string urls = repeated("url = https://h/", option_values_max);
  EXPECT_EQ(errors_of("[destination.a]\n" + urls), "");
  EXPECT_EQ(errors_of("[destination.a]\n" + urls + "url = https://h/\n"),
            "a.conf:1026: url: there are too many values; at most 1024 are allowed\n");
  std::string list = "a";
  for (std::size_t i = 1; i < option_values_max; ++i) list += ",a";
  EXPECT_EQ(errors_of(http + "topics = " + list + "\n"), "");
  EXPECT_NE(errors_of(http + "topics = " + list + ",a\n"), "");
  EXPECT_NE(errors_of(http + "cloudevents_source = " + std::string(value_bytes_max + 1, 'x')), "");
  const std::string path(path_bytes_max, 'x');
  EXPECT_EQ(errors_of("[destination.a]\ntype = file\npath = " + path + "\n"), "");
  EXPECT_NE(errors_of("[destination.a]\ntype = file\npath = x" + path + "\n")
                .find("a path has at most 4000"),
            std::string::npos);
  EXPECT_NE(errors_of(http + "header = X: " + std::string(9000, 'y')).find("9003 bytes"),
            std::string::npos);
}

TEST(ConfigErrors, TheFirstHundredAreShown) {
  std::string text = http;
  for (int i = 0; i < 100'000; ++i) text += "bogus_setting = 1\n";
  const LoadResult result = load_config_text(text, "a.conf");
  ASSERT_EQ(result.errors.size(), errors_max + 1);
  EXPECT_EQ(result.errors.back().message, "a.conf: 99900 more errors");
}

TEST(ConfigErrors, RandomBytesAreRefusedAndNeverRepeatedRaw) {
  std::string noise;
  std::uint32_t state = 1;
  for (int i = 0; i < 20'000; ++i) {
    state = state * 1664525U + 1013904223U;
    const char byte = static_cast<char>(state >> 24U);
    if (byte != 0) noise += byte;
  }
  const LoadResult result = load_config_text(noise, "a.conf");
  EXPECT_FALSE(result.ok());
  for (const Error& error : result.errors) {
    EXPECT_EQ(error.message.find('\0'), std::string::npos);
    EXPECT_EQ(error.message.find('\x1b'), std::string::npos);
  }
}

}  // namespace
}  // namespace outrider::sidecar
