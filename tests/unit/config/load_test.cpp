#include "sidecar/config/load.hpp"

#include <gtest/gtest.h>

#include "support/certificate.hpp"
#include "unit/config/config_support.hpp"

namespace outrider::sidecar {
namespace {

using namespace std::chrono_literals;
using test::load;

const std::string http = "[destination.a]\nurl = https://h.example/e\n";

TEST(ConfigLoad, WhatIsNotGivenIsTheStructsDefault) {
  const LoadedConfig loaded = load(http);
  const Config& config = loaded.config;
  EXPECT_EQ(config.ingest.endpoints,
            (std::vector<std::string>{"ipc:///run/outrider/outrider.sock"}));
  EXPECT_EQ(config.ingest.frame_bytes_max, IngestConfig{}.frame_bytes_max);
  EXPECT_EQ(config.ingest.socket_mode, 0660U);
  EXPECT_EQ(config.shutdown_linger, 10s);
  EXPECT_EQ(config.log_level, LogLevel::info);
  ASSERT_EQ(config.destinations.size(), 1U);
  const DestinationConfig& destination = config.destinations[0];
  EXPECT_EQ(destination.name, "a");
  EXPECT_EQ(destination.type, DestinationType::http);
  EXPECT_EQ(destination.topics, (std::vector<std::string>{">"}));
  EXPECT_EQ(destination.batch_delay, DestinationConfig{}.batch_delay);
  EXPECT_EQ(destination.retry_age_max, 24h);
  EXPECT_TRUE(loaded.warnings.empty());
}

TEST(ConfigLoad, SaysWhatWasRead) {
  EXPECT_EQ(load_config_text("", "a.conf").loaded.config.source.file, "a.conf");
  // As sha256sum prints it.
  EXPECT_EQ(load_config_text("abc", "a.conf").loaded.config.source.hash,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(ConfigLoad, EverySettingOfAllTypes) {
  const Config config = load(R"([ingest]
endpoint = ipc:///tmp/one
endpoint = tcp://127.0.0.1:0
frame_bytes_max = 8MiB
event_bytes_max = 64KiB
socket_mode = 0600
socket_group = root

[destination.web]
type = http
topics = orders.*, exceptions.>
exclude = orders.test
url = http://127.0.0.1:8080/in
method = PUT
header = X-Tenant: a
header = X-Tenant: b
format = ndjson
batch_events_max = 10
batch_bytes_max = 64KiB
batch_delay = 0
queue_events_max = 1000
queue_bytes_max = 2MiB
when_full = drop_oldest
concurrency_max = 2
timeout = 1500ms
connect_timeout = 250ms
retry_initial = 100ms
retry_max = 1m
retry_age_max = 2h
retry_attempts_max = 5

[destination.disk]
path = /var/log/events
type = file

[destination.fan]
type = zmq
url = ipc:///tmp/fan
url = tcp://*:7777
socket = push
bind = true
send_events_max = 5
format = msgpack

[shutdown]
linger = 1m
[log]
level = debug
format = json
)")
                            .config;
  EXPECT_EQ(config.ingest.endpoints,
            (std::vector<std::string>{"ipc:///tmp/one", "tcp://127.0.0.1:0"}));
  EXPECT_EQ(config.ingest.frame_bytes_max, 8U << 20U);
  EXPECT_EQ(config.ingest.event_bytes_max, 64U << 10U);
  EXPECT_EQ(config.ingest.socket_mode, 0600U);
  EXPECT_EQ(config.ingest.socket_group, "root");
  ASSERT_EQ(config.destinations.size(), 3U);
  const DestinationConfig& web = config.destinations[0];
  EXPECT_EQ(web.topics, (std::vector<std::string>{"orders.*", "exceptions.>"}));
  EXPECT_EQ(web.exclude, (std::vector<std::string>{"orders.test"}));
  EXPECT_EQ(web.urls, (std::vector<std::string>{"http://127.0.0.1:8080/in"}));
  EXPECT_EQ(web.method, "PUT");
  EXPECT_EQ(web.headers, (std::vector<std::string>{"X-Tenant: a", "X-Tenant: b"}));
  EXPECT_EQ(web.format, BodyFormat::ndjson);
  EXPECT_EQ(web.batch_events_max, 10U);
  EXPECT_EQ(web.batch_bytes_max, 64U << 10U);
  EXPECT_EQ(web.batch_delay, 0s);
  EXPECT_EQ(web.queue_events_max, 1000U);
  EXPECT_EQ(web.queue_bytes_max, 2U << 20U);
  EXPECT_EQ(web.when_full, WhenFull::drop_oldest);
  EXPECT_EQ(web.concurrency_max, 2U);
  EXPECT_EQ(web.timeout, 1500ms);
  EXPECT_EQ(web.connect_timeout, 250ms);
  EXPECT_EQ(web.retry_initial, 100ms);
  EXPECT_EQ(web.retry_max, 1min);
  EXPECT_EQ(web.retry_age_max, 2h);
  EXPECT_EQ(web.retry_attempts_max, 5U);
  EXPECT_EQ(config.destinations[1].type, DestinationType::file);
  EXPECT_EQ(config.destinations[1].path, "/var/log/events");
  const DestinationConfig& fan = config.destinations[2];
  EXPECT_EQ(fan.urls, (std::vector<std::string>{"ipc:///tmp/fan", "tcp://*:7777"}));
  EXPECT_EQ(fan.zmq_pattern, ZmqPattern::push);
  EXPECT_TRUE(fan.zmq_bind);
  EXPECT_EQ(fan.zmq_send_events_max, 5U);
  EXPECT_EQ(fan.format, BodyFormat::msgpack);
  EXPECT_EQ(config.shutdown_linger, 1min);
  EXPECT_EQ(config.log_level, LogLevel::debug);
  EXPECT_EQ(config.log_format, LogFormat::json);
}

TEST(ConfigLoad, OddValuesSurviveUnharmed) {
  for (const std::string value :
       {"X-A: a # b ; c = d", "X-A: \"quoted\" and 'single'", "X-A: #", "X-A: ;", "X-A: a==",
        "X-A: gr\xc3\xbc\xc3\x9f \xe4\xbd\xa0\xe5\xa5\xbd", "X-A: $HOME ${{HOME}} %d \\n",
        "X-A: [section]", "X-A: tab\xc2\xa0nbsp", "X-A: latin1 \xe9"}) {
    EXPECT_EQ(load(http + "header = " + value + "\n").config.destinations[0].headers,
              (std::vector<std::string>{value}));
    EXPECT_EQ(load(http, {"--destination.a.header=" + value}).config.destinations[0].headers,
              (std::vector<std::string>{value}));
    EXPECT_EQ(load(http, {"--destination.a.header", value}).config.destinations[0].headers,
              (std::vector<std::string>{value}));
  }
  const std::string url = "https://h.example/x?a=b&c=d;e#f";
  EXPECT_EQ(load("[destination.a]\nurl=" + url).config.destinations[0].urls,
            (std::vector<std::string>{url}));
}

TEST(ConfigLoad, LineEndsBlanksCommentsAndAByteOrderMark) {
  const LoadedConfig loaded = load(
      "\xef\xbb\xbf# comment\r\n; comment\r\n  # comment = 1\r\n\r\n[ destination.a ]\r\n"
      "\turl\t=\thttps://h.example/e \t\r\n\r\n[log]\r\nlevel=warn");
  EXPECT_EQ(loaded.config.destinations[0].urls, (std::vector<std::string>{"https://h.example/e"}));
  EXPECT_EQ(loaded.config.log_level, LogLevel::warn);
  EXPECT_EQ(loaded.origins.at("log.level")[0].line, 9U);
}

TEST(ConfigLoad, TheCommandLineGoesBeforeTheFile) {
  const LoadedConfig loaded =
      load("[ingest]\nendpoint = ipc:///a\nendpoint = ipc:///b\n" + http + "timeout = 1s\n",
           {"--shutdown.linger", "5s", "--ingest.endpoint=ipc:///c", "--destination.a.timeout=2s",
            "--destination.new.type=stdout", "--destination.new.topics", "x.>"});
  EXPECT_EQ(loaded.config.ingest.endpoints, (std::vector<std::string>{"ipc:///c"}));
  EXPECT_EQ(loaded.config.shutdown_linger, 5s);
  ASSERT_EQ(loaded.config.destinations.size(), 2U);
  EXPECT_EQ(loaded.config.destinations[0].timeout, 2s);
  EXPECT_EQ(loaded.config.destinations[1].name, "new");
  EXPECT_EQ(loaded.config.destinations[1].topics, (std::vector<std::string>{"x.>"}));
}

TEST(ConfigLoad, ARepeatableKeyMayBeRepeatedOnTheCommandLine) {
  EXPECT_EQ(load(http, {"--ingest.endpoint=ipc:///c", "--ingest.endpoint", "ipc:///d"})
                .config.ingest.endpoints,
            (std::vector<std::string>{"ipc:///c", "ipc:///d"}));
}

TEST(ConfigLoad, RemembersWhereEachSettingStands) {
  const LoadedConfig loaded =
      load(http + "header = A: 1\nheader = B: 2\n", {"--destination.a.timeout=2s"});
  EXPECT_EQ(loaded.origins.at("destination.a.url")[0].text(), "a.conf:2");
  EXPECT_EQ(loaded.origins.at("destination.a.header")[1].text(), "a.conf:4");
  EXPECT_EQ(loaded.origins.at("destination.a.timeout")[0].text(), "command line");
  EXPECT_FALSE(loaded.origins.contains("destination.a.method"));
}

using Warnings = std::vector<std::string>;

Warnings warnings(const std::string& text) {
  return load(text).warnings;
}

TEST(ConfigLoad, Warnings) {
  EXPECT_EQ(warnings("[destination.a]\nurl = http://h.example/\n"),
            (Warnings{"a.conf:2: url: \"http://h.example/\" is plain http to another machine; "
                      "anyone on the network path can read the events"}));
  EXPECT_EQ(warnings("[destination.a]\nurl = http://localhost:80/\n"), Warnings{});
  EXPECT_EQ(warnings("[destination.a]\nurl = http://127.0.0.1/\n"), Warnings{});
  EXPECT_EQ(warnings("[destination.a]\nurl = http://[::1]:80/\n"), Warnings{});
  EXPECT_EQ(warnings(http + "header = A: 1 # one\n"),
            (Warnings{"a.conf:3: header: \" #\" and the text after it are part of the value; put "
                      "the comment on a separate line"}));
  EXPECT_EQ(warnings(http + "topics = a.b, a.*.c\nexclude = x, a.>\n"),
            (Warnings{"a.conf:4: exclude covers all topics of \"a\"; it never receives an event"}));
  EXPECT_EQ(warnings(http + "topics = a.>\nexclude = a.*\n"), Warnings{});
  EXPECT_EQ(warnings(http + "topics = a\nexclude = a.>\n"), Warnings{});
  EXPECT_EQ(warnings(http + "topics = *\nexclude = a\n"), Warnings{});
  EXPECT_EQ(warnings(http + "queue_bytes_max = 64KiB\nbatch_bytes_max = 64KiB\n"),
            (Warnings{"a.conf:3: queue_bytes_max (64KiB) is less than ingest.event_bytes_max "
                      "(1MiB); events of a size in between are dropped"}));
}

TEST(ConfigLoad, WarnsOfSecretsThatStandInTheFile) {
  EXPECT_EQ(warnings(http + "header = X-Api-Key: s3cret\nheader = X-Tenant: open\n"),
            (Warnings{"a.conf:3: header: \"x-api-key\" looks like a secret; put the value into "
                      "secret_header"}));
  EXPECT_EQ(warnings(http + "format = payload\nheader = X-Key: {key}\n"), Warnings{});
  EXPECT_EQ(
      warnings("[destination.a]\nurl = https://h.example/?a=b&sas_signature=s3cret\n"),
      (Warnings{
          "a.conf:2: url: \"https://h.example/?a=b&sas_signature=***\" has a secret in its query, "
          "which logs and proxies record; use secret_header if the receiver supports it"}));
  for (const char* query :
       {"?Token=s", "?key=s", "?a&secret=s", "?password=s#f", "?x=%20&sig_key=s"}) {
    EXPECT_EQ(warnings(std::string("[destination.a]\nurl = https://h/") + query + "\n").size(), 1U)
        << query;
  }
  for (const char* query : {"?a=token", "?token", "?token=", "/token=s"}) {
    EXPECT_EQ(warnings(std::string("[destination.a]\nurl = https://h/") + query + "\n"), Warnings{})
        << query;
  }
}

TEST(ConfigLoad, WarnsOfSettingsWithoutEffect) {
  const test::TempDir dir;
  const test::Certificate own = test::make_certificate(dir.path());
  EXPECT_EQ(
      warnings(http + "timeout = 2s\nconnect_timeout = 3s\n"),
      (Warnings{
          "a.conf:4: connect_timeout: 3s exceeds timeout (2s), which ends the request first"}));
  EXPECT_EQ(warnings(http + "timeout = 2s\n"), Warnings{}) << "the default is not meant";
  EXPECT_EQ(warnings(http + "queue_events_max = 100\n"),
            (Warnings{"a.conf:3: batch_events_max (500) exceeds queue_events_max (100); a batch "
                      "can never have that many events"}));
  EXPECT_EQ(warnings(http + "queue_events_max = 100\nformat = payload\n"), Warnings{});
  const std::string plain = "[destination.a]\nurl = http://unix:/run/a.sock\n";
  const std::string tls = "ca_file = " + own.cert_file + "\ncert_file = " + own.cert_file +
                          "\nkey_file = " + own.key_file +
                          "\ntls_version_min = 1.3\ntls_server_name = h\n";
  EXPECT_EQ(warnings(plain + tls),
            (Warnings{"a.conf:3: ca_file: has no effect: no url is https",
                      "a.conf:4: cert_file: has no effect: no url is https",
                      "a.conf:6: tls_version_min: has no effect: no url is https",
                      "a.conf:7: tls_server_name: has no effect: no url is https"}));
  EXPECT_EQ(warnings(plain + "url = https://h/\n" + tls), Warnings{});
  EXPECT_EQ(warnings(plain + "redirects_max = 1\n" + tls), Warnings{});
  EXPECT_EQ(warnings(plain + "proxy = environment\n"),
            (Warnings{"a.conf:3: proxy: \"http://unix:/run/a.sock\" is a Unix socket; the proxy is "
                      "not used for it"}));
}

}  // namespace
}  // namespace outrider::sidecar
