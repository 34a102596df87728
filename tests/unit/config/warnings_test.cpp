// What is allowed but probably not meant.
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "sidecar/config/secret_files.hpp"
#include "sidecar/config/topic_cover.hpp"
#include "unit/config/config_support.hpp"

namespace outrider::sidecar {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::string out = "[destination.a]\ntype = stdout\n";

std::vector<std::string> warnings_of(const std::string& text) {
  return test::load(text).warnings;
}

TEST(ConfigWarnings, WhoCanReachAnEndpoint) {
  EXPECT_THAT(
      warnings_of(out + "[ingest]\nendpoint = tcp://0.0.0.0:5555\nendpoint = ipc:///x\n"),
      ElementsAre(HasSubstr("a.conf:4: endpoint: \"tcp://0.0.0.0:5555\" can be reached from "
                            "other machines")));
  EXPECT_THAT(warnings_of(out + "[ingest]\nendpoint = tcp://127.0.0.1:5555\n"), IsEmpty());
  EXPECT_THAT(warnings_of(out + "[spool]\npath = x\n[ingest]\nconfirm_endpoint = tcp://*:5\n"),
              ElementsAre(HasSubstr("a.conf:6: confirm_endpoint: ")));
  EXPECT_THAT(warnings_of("[destination.a]\ntype = zmq\nbind = true\nurl = tcp://*:5\n"),
              ElementsAre(HasSubstr("a.conf:4: url: \"tcp://*:5\" can be reached")));
  EXPECT_THAT(warnings_of("[destination.a]\ntype = zmq\nurl = tcp://collector:5\n"),
              ElementsAre(HasSubstr("nothing is encrypted")));
  EXPECT_THAT(warnings_of("[destination.a]\ntype = zmq\nurl = tcp://localhost:5\n"), IsEmpty());
}

TEST(ConfigWarnings, AZmqDestinationTakesConfirmedEvents) {
  const std::string fan = "[destination.a]\ntype = zmq\nurl = ipc:///x\n";
  EXPECT_THAT(warnings_of(fan + "[spool]\npath = x\n"),
              ElementsAre(HasSubstr("a.conf:2: type: zmq acknowledges nothing")));
  EXPECT_THAT(warnings_of(fan), IsEmpty());
}

TEST(ConfigWarnings, WhoCanWriteToTheSocket) {
  const auto of_mode = [](const std::string& mode) {
    return warnings_of(out + "[ingest]\nsocket_mode = " + mode + "\n");
  };
  for (const char* open : {"0666", "0662", "0777"}) {
    EXPECT_THAT(of_mode(open), ElementsAre(HasSubstr("every user of this machine"))) << open;
  }
  for (const char* closed : {"0600", "0", "0640"}) {
    EXPECT_THAT(of_mode(closed), ElementsAre(HasSubstr("cannot connect"))) << closed;
  }
  EXPECT_THAT(of_mode("0660"), IsEmpty());
  EXPECT_THAT(warnings_of(out + "[ingest]\nendpoint = tcp://127.0.0.1:5\nconfirm_endpoint = "
                                "tcp://127.0.0.1:6\nsocket_mode = 0666\n[spool]\npath = x\n"),
              ElementsAre(HasSubstr("has no effect: no endpoint is ipc")));
}

TEST(ConfigWarnings, AnExcludeThatLeavesNothing) {
  const auto of = [](const std::string& topics, const std::string& exclude) {
    return warnings_of(out + "topics = " + topics + "\nexclude = " + exclude + "\n");
  };
  for (const auto& [topics, exclude] :
       {std::pair{">", ">"}, std::pair{"a.b", "a.*"}, std::pair{"orders.>", "orders.*, orders.*.>"},
        std::pair{">", "*, *.>"}, std::pair{"a, b.c", "a, b.>"}}) {
    EXPECT_THAT(of(topics, exclude), ElementsAre(HasSubstr("it never receives an event")))
        << topics << " - " << exclude;
  }
  for (const auto& [topics, exclude] : {std::pair{">", "a.>"}, std::pair{"orders.>", "orders.*"},
                                        std::pair{"a, b", "a"}, std::pair{">", "*.>"}}) {
    EXPECT_THAT(of(topics, exclude), IsEmpty()) << topics << " - " << exclude;
  }
}

TEST(TopicCover, IsExactOverSeveralPatterns) {
  EXPECT_TRUE(covers({"a.*.c", "a.b.*", "a.>"}, "a.*.*"));
  EXPECT_FALSE(covers({"a.*.c", "a.b.*"}, "a.*.*"));
  EXPECT_TRUE(covers({"*.b", "a.*"}, "a.b"));
  EXPECT_FALSE(covers({"*.b", "a.*"}, "*.*"));
  EXPECT_TRUE(covers({"*", "*.*", "*.*.>"}, ">"));
  EXPECT_FALSE(covers({"*", "*.*", "*.*.*.>"}, ">"));
  EXPECT_FALSE(covers({}, "a"));
  EXPECT_FALSE(covers({"a"}, "a.b"));
  EXPECT_FALSE(covers({"a.b"}, "a"));
  EXPECT_FALSE(covers({"a.>"}, "a"));
}

TEST(ConfigWarnings, LimitsThatMeanNothing) {
  const std::string spool = "[spool]\npath = x\n";
  EXPECT_THAT(warnings_of(out + "spool_bytes_max = 2GiB\n" + spool + "bytes_max = 1GiB\n"),
              ElementsAre(HasSubstr("a.conf:3: spool_bytes_max: 2GiB exceeds bytes_max")));
  EXPECT_THAT(
      warnings_of(out + spool + "dead_events_max = 0\n"),
      ElementsAre(HasSubstr("a.conf:5: dead_events_max: with 0, no dead letters are kept")));
  EXPECT_THAT(warnings_of(out + spool + "bytes_max = 100MiB\n"), IsEmpty());
}

TEST(TopicCover, EndsInTime) {
  std::vector<std::string> patterns;
  std::string all = "*";
  for (int i = 0; i < 60; ++i) all += ".*";
  patterns.push_back(all);
  for (char c = 'a'; c <= 'z'; ++c) {
    std::string pattern(1, c);
    for (int i = 0; i < 60; ++i) pattern += "." + std::string(1, c);
    patterns.push_back(pattern);
  }
  EXPECT_FALSE(covers(patterns, ">"));
}

TEST(ConfigWarnings, FilesWithSecretsThatOthersCanRead) {
  const test::TempDir dir;
  const std::string token = dir.write("token", "s3cret");
  const std::string http = "[destination.a]\nurl = https://h/\n";
  const auto of = [&](mode_t mode) {
    chmod(token.c_str(), mode);
    return warnings_of(http + "bearer_token_file = " + token + "\nsecret_header = X-K: " + token +
                       "\n");
  };
  EXPECT_THAT(of(0600), IsEmpty());
  EXPECT_THAT(of(0640), IsEmpty());
  EXPECT_THAT(of(0644), ElementsAre(HasSubstr("a.conf:3: bearer_token_file: file \"" + token +
                                              "\" can be read by every user"),
                                    HasSubstr("a.conf:4: secret_header: ")));
  chmod(token.c_str(), 0600);
  chmod(dir.path().c_str(), 0777);
  EXPECT_THAT(exposure_of(token), HasSubstr("can be replaced"));
  chmod(dir.path().c_str(), 0700);
  EXPECT_THAT(of(0660), ElementsAre(HasSubstr("can be changed by users other"),
                                    HasSubstr("can be changed by users other")));
}

TEST(ConfigWarnings, WhatAShellWouldDo) {
  const auto of = [](const std::string& path) {
    return warnings_of("[destination.a]\ntype = file\npath = " + path + "\n");
  };
  EXPECT_THAT(of("~/x"), ElementsAre(HasSubstr("a.conf:3: path: ~ and $ are not expanded")));
  EXPECT_THAT(of("$HOME/x"), ElementsAre(HasSubstr("not expanded")));
  EXPECT_THAT(of("/x/${NAME}"), ElementsAre(HasSubstr("not expanded")));
  EXPECT_THAT(of("\"/x y\""), ElementsAre(HasSubstr("the quotes are part of the value")));
  EXPECT_THAT(of("/x ; y"),
              ElementsAre(HasSubstr("\" ;\" and the text after it are part of the value")));
  EXPECT_THAT(of("/x y"), IsEmpty());
  EXPECT_THAT(warnings_of(out + "static_field = data.cost: $5\n"), IsEmpty());
}

TEST(ConfigWarnings, AFileOfMsgpackDoesNotSurviveAHalfWrite) {
  const std::string file = "[destination.a]\ntype = file\npath = /x\n";
  EXPECT_THAT(warnings_of(file + "format = msgpack\n"),
              ElementsAre(HasSubstr("a.conf:4: format: msgpack has no line ends")));
  EXPECT_THAT(warnings_of(file + "format = ndjson\n"), IsEmpty());
  EXPECT_THAT(warnings_of("[destination.a]\nurl = https://h/\nformat = msgpack\n"), IsEmpty());
}

TEST(ConfigWarnings, AConnectTimeoutThatIsNeverReached) {
  EXPECT_THAT(warnings_of("[destination.a]\nurl = https://h/\nconnect_timeout = 5s\ntimeout = "
                          "2s\n"),
              ElementsAre(HasSubstr("a.conf:3: connect_timeout: 5s exceeds timeout (2s)")));
}

}  // namespace
}  // namespace outrider::sidecar
