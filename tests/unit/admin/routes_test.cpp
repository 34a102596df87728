// What the admin interface answers, and what it asks the loop for.
#include "sidecar/admin/routes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sidecar/admin/url_escapes.hpp"
#include "unit/admin/admin_fixture.hpp"

namespace outrider::test {
namespace {

using sidecar::ControlAction;
using sidecar::HttpAnswer;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class RoutesTest : public AdminFixture {};

TEST_F(RoutesTest, BeforeTheFirstSnapshotNothingIsKnown) {
  EXPECT_EQ(get("/healthz").status, 503U);
  EXPECT_EQ(get("/readyz").status, 503U);
  EXPECT_EQ(get("/metrics").status, 503U);
  EXPECT_EQ(get("/v1/stats").status, 503U);
  // What happened is known all the same.
  EXPECT_EQ(get("/v1/changes").status, 200U);
}

TEST_F(RoutesTest, ALoopThatAnswersIsHealthy) {
  publish();
  const HttpAnswer answer = get("/healthz");
  EXPECT_EQ(answer.status, 200U);
  EXPECT_EQ(*answer.body, "ok\n");
  EXPECT_EQ(answer.content_type, "text/plain; charset=utf-8");
}

TEST_F(RoutesTest, ALoopThatIsSilentForTwoSecondsIsNot) {
  publish();
  // Nobody has asked for an hour: that alone is no silence.
  clock_.advance(1h);
  EXPECT_EQ(get("/healthz").status, 200U);
  clock_.advance(2s);
  EXPECT_EQ(get("/healthz").status, 200U);
  clock_.advance(1ms);
  EXPECT_EQ(get("/healthz").status, 503U);
  EXPECT_EQ(get("/readyz").status, 503U);
  EXPECT_EQ(get("/metrics").status, 200U) << "the old numbers, with their age";
  EXPECT_THAT(*get("/v1/stats").body, HasSubstr("\"age_s\":3602.001,"));
  publish();
  EXPECT_EQ(get("/healthz").status, 200U);
}

TEST_F(RoutesTest, AnAnswerThatCameLateEndsTheSilence) {
  publish();
  clock_.advance(1min);
  EXPECT_EQ(get("/healthz").status, 200U);
  clock_.advance(100ms);
  publish();
  clock_.advance(1min);
  EXPECT_EQ(get("/healthz").status, 200U);
}

TEST_F(RoutesTest, AYoungSnapshotIsUsedAgain) {
  publish();
  clock_.advance(99ms);
  EXPECT_EQ(get("/v1/stats").status, 200U);
  EXPECT_FALSE(board_.is_asked());
  clock_.advance(1ms);
  EXPECT_EQ(get("/v1/stats").status, 200U);
  EXPECT_TRUE(board_.is_asked());
}

TEST_F(RoutesTest, NumbersAreExactAndTextIsPrintable) {
  publish();
  const std::string body = *get("/v1/destinations/audit").body;
  EXPECT_THAT(body, HasSubstr("\"accepted\":9007199254740993,"));
  EXPECT_THAT(body, HasSubstr("\"expired\":5,"));
  EXPECT_THAT(body, HasSubstr("\"open_for_s\":1.5,"));
  EXPECT_THAT(body, HasSubstr("\"until\":\"2026-01-31T12:01:00.000000000Z\""));
  EXPECT_THAT(body, HasSubstr("\"time_to_loss\":{\"left_s\":90.0,\"limit\":\"queue_bytes_max\"}"));
  EXPECT_THAT(body, HasSubstr("\"counts\":[0,0,4,0,0,0,0,0],\"sum_s\":0.08}"));
  EXPECT_THAT(body, HasSubstr(R"("last_failure":"503 \"busy\"\\x0a")"));
}

TEST_F(RoutesTest, TheWordsOfAReceiverAreShownOnlyIfTheConfigurationSaysSo) {
  const std::string message = "destination is down; its events wait until a probe succeeds";
  changes_.warn(message, {{"status", "503"}, {"answer", "canary-answer"}});
  struct Case {
    sidecar::Payloads payloads;
    std::string shown;
  };
  for (const Case& it : {Case{sidecar::Payloads::none, "null"},
                         Case{sidecar::Payloads::redacted, "\"[redacted, 13 bytes]\""},
                         Case{sidecar::Payloads::full, "\"canary-answer\""}}) {
    use({.payloads = it.payloads});
    publish();
    for (const std::string path : {"/v1/stats", "/v1/destinations", "/v1/destinations/audit"}) {
      EXPECT_THAT(*get(path).body, HasSubstr("\"last_answer\":" + it.shown)) << path;
    }
    EXPECT_THAT(*get("/v1/changes").body, HasSubstr("\"answer\":" + it.shown + "}"));
    for (const std::string path : {"/healthz", "/readyz", "/metrics"}) {
      EXPECT_THAT(*get(path).body, Not(HasSubstr("canary"))) << path;
    }
  }
}

TEST_F(RoutesTest, WhatIsGivenTwiceIsRefused) {
  publish();
  const HttpAnswer query = get("/v1/changes", {{"since", "1"}, {"since", "2"}});
  EXPECT_EQ(query.status, 400U);
  EXPECT_THAT(*query.body, HasSubstr(R"(the query gives \"since\" twice)"));
  EXPECT_EQ(get("/readyz", {{"destination", "a"}, {"destination", "a"}}).status, 400U);
  const HttpAnswer body = post("/v1/destinations/audit/pause", R"({"for_s": 1, "for_s": 60})");
  EXPECT_EQ(body.status, 400U);
  EXPECT_THAT(*body.body, HasSubstr(R"(the body gives \"for_s\" twice)"));
  EXPECT_EQ(post("/v1/log-level", R"({"level": "info", "level": "info"})").status, 400U);
  EXPECT_TRUE(posted_.empty());
}

TEST(UrlEscapes, AreDecodedOrRefused) {
  EXPECT_EQ(sidecar::decode_escapes("/v1/%67ood%2f%C3%a9", true), "/v1/good%2F\xc3\xa9");
  EXPECT_EQ(sidecar::decode_escapes("a%2Fb%25", false), "a/b%");
  for (const char* text : {"%", "%4", "%4g", "%g4", "%00", "a%-1", "%+1", "% 1", "%0x"}) {
    EXPECT_FALSE(sidecar::decode_escapes(text, true)) << text;
  }
}

TEST_F(RoutesTest, WhatIsUnknownIsNull) {
  sidecar::Snapshot snapshot = full_snapshot(clock_.now());
  snapshot.spool.reset();
  snapshot.destinations[0] = sidecar::DestinationSnapshot{};
  snapshot.destinations[0].name = "audit";
  publish(std::move(snapshot));
  const std::string body = *get("/v1/destinations/audit").body;
  for (const char* name : {"open_for_s", "paused_for_s", "pause", "last_failure", "last_answer",
                           "oldest_age_s", "time_to_loss"}) {
    EXPECT_THAT(body, HasSubstr("\"" + std::string(name) + "\":null")) << name;
  }
  EXPECT_THAT(*get("/v1/spool").body, HasSubstr("\"spool\":null"));
}

TEST_F(RoutesTest, WhatIsNotThere) {
  publish();
  for (const char* path :
       {"/", "/v1", "/v1/stats/", "/healthz/x", "/v1/destinations/", "/v1/destinations/none",
        "/v1/destinations/a/b", "/V1/stats", "/v1/destinations//pause", "/v1/reloads"}) {
    const HttpAnswer answer = get(path);
    EXPECT_EQ(answer.status, 404U) << path;
    EXPECT_THAT(*answer.body, HasSubstr("{\"error\":\"")) << path;
  }
  EXPECT_EQ(post("/v1/destinations/none/pause").status, 404U);
  EXPECT_EQ(post("/v1/destinations/none/resume").status, 404U);
}

TEST_F(RoutesTest, AMethodThatAPathDoesNotTake) {
  const auto allowed = [&](const std::string& method, const std::string& path) {
    const HttpAnswer answer = ask(
        {.method = method, .path = path, .arguments = {}, .headers = {}, .body = {}, .peer = {}});
    EXPECT_EQ(answer.status, 405U) << method << " " << path;
    return answer.headers;
  };
  const auto allow = [](const char* methods) {
    return ElementsAre(std::pair<std::string, std::string>("Allow", methods));
  };
  EXPECT_THAT(allowed("POST", "/healthz"), allow("GET, HEAD"));
  EXPECT_THAT(allowed("get", "/healthz"), allow("GET, HEAD"));
  EXPECT_THAT(allowed("OPTIONS", "/v1/stats"), allow("GET, HEAD"));
  EXPECT_THAT(allowed("GET", "/v1/drain"), allow("POST"));
}

TEST_F(RoutesTest, ChangesSinceANumber) {
  publish();
  EXPECT_EQ(get("/v1/changes", {{"since", "12"}}).status, 200U);
  const HttpAnswer answer = get("/v1/changes", {{"since", "-1"}});
  EXPECT_EQ(answer.status, 400U);
  EXPECT_THAT(*answer.body, HasSubstr("since: "));
}

TEST_F(RoutesTest, RequestsOfAnOperatorAreCarriedOutAndLogged) {
  publish();
  EXPECT_EQ(post("/v1/destinations/audit/pause", R"({"for_s": 1.5})").status, 200U);
  publish();
  EXPECT_EQ(post("/v1/destinations/audit/pause").status, 200U);
  publish();
  EXPECT_EQ(post("/v1/destinations/audit/resume", "{}").status, 200U);
  EXPECT_EQ(post("/v1/log-level", R"({"level": "debug"})").status, 200U);
  const HttpAnswer drained = post("/v1/drain");
  EXPECT_EQ(*drained.body, "{\"action\":\"drain\",\"target\":\"sidecar\",\"is_done\":true}\n");
  ASSERT_EQ(posted_.size(), 5U);
  EXPECT_EQ(posted_[0].action, ControlAction::pause);
  EXPECT_EQ(posted_[0].destination, "audit");
  EXPECT_EQ(posted_[0].duration, sidecar::Duration(1500ms));
  EXPECT_EQ(posted_[0].who, "unix uid=7 pid=8");
  EXPECT_EQ(posted_[1].duration, sidecar::Duration::zero());
  EXPECT_EQ(posted_[2].action, ControlAction::resume);
  EXPECT_EQ(posted_[3].level, sidecar::LogLevel::debug);
  EXPECT_EQ(posted_[4].action, ControlAction::drain);
  EXPECT_EQ(log_.count("an operator's request action="), 5);
  EXPECT_EQ(log_.count("action=pause target=audit who=unix uid=7 pid=8 result=done"), 2);
}

TEST_F(RoutesTest, WhatTheLoopRefusesIsAConflict) {
  publish();
  outcome_ = sidecar::Error{"the sidecar is stopping"};
  const HttpAnswer answer = post("/v1/destinations/audit/pause");
  EXPECT_EQ(answer.status, 409U);
  EXPECT_EQ(*answer.body, "{\"error\":\"the sidecar is stopping\"}\n");
  EXPECT_EQ(log_.count("result=the sidecar is stopping"), 1);
}

TEST_F(RoutesTest, ALoopThatHangsCarriesOutLater) {
  publish();
  loop_hangs_ = true;
  const HttpAnswer answer = post("/v1/destinations/audit/pause");
  EXPECT_EQ(answer.status, 202U);
  EXPECT_THAT(*answer.body, HasSubstr("\"is_done\":false"));
  EXPECT_EQ(log_.count("result=waits for the loop"), 1);
  EXPECT_EQ(control_.take().size(), 1U);
}

TEST_F(RoutesTest, AReadAfterAChangeShowsIt) {
  publish();
  EXPECT_EQ(post("/v1/destinations/audit/pause").status, 200U);
  EXPECT_FALSE(board_.is_asked());
  get("/v1/stats");
  EXPECT_TRUE(board_.is_asked()) << "the snapshot from before the change was used again";
}

TEST_F(RoutesTest, BodiesThatAreWrong) {
  publish();
  const auto error_of = [&](const std::string& path, const std::string& body) {
    const HttpAnswer answer = post(path, body);
    EXPECT_EQ(answer.status, 400U) << body;
    return *answer.body;
  };
  const std::string pause = "/v1/destinations/audit/pause";
  EXPECT_THAT(error_of(pause, "{"), HasSubstr("invalid JSON at byte 1"));
  EXPECT_THAT(error_of(pause, std::string(60'000, '[')), HasSubstr("invalid JSON"));
  EXPECT_THAT(error_of(pause, "[]"), HasSubstr("not a JSON object"));
  EXPECT_THAT(error_of(pause, R"({"for": 1})"), HasSubstr("unknown member \\\"for\\\""));
  for (const char* value : {"0", "-1", "1e300", "\"60\"", "null", "0.0001"}) {
    EXPECT_THAT(error_of(pause, "{\"for_s\": " + std::string(value) + "}"),
                HasSubstr("for_s is not a number of seconds from 0.001 to 31622400"))
        << value;
  }
  EXPECT_THAT(error_of("/v1/log-level", ""), HasSubstr("level is not one of debug, info"));
  EXPECT_THAT(error_of("/v1/log-level", R"({"level": "loud"})"), HasSubstr("level is not one of"));
  EXPECT_THAT(error_of("/v1/drain", R"({"now": true})"), HasSubstr("this request takes none"));
  EXPECT_THAT(posted_, IsEmpty());
}

TEST_F(RoutesTest, OnlyHealthAndMetricsAreOpen) {
  publish();
  use({.token = "0123456789abcdef"});
  for (const char* path : {"/healthz", "/readyz", "/metrics"}) {
    EXPECT_EQ(get(path).status, 200U) << path;
  }
  for (const char* path :
       {"/v1/stats", "/v1/destinations", "/v1/destinations/audit", "/v1/destinations/none",
        "/v1/clients", "/v1/schedules", "/v1/spool", "/v1/changes"}) {
    EXPECT_EQ(get(path).status, 401U) << path;
  }
  for (const char* path : {"/v1/destinations/audit/pause", "/v1/destinations/audit/resume",
                           "/v1/drain", "/v1/log-level"}) {
    EXPECT_EQ(post(path).status, 401U) << path;
  }
  EXPECT_THAT(posted_, IsEmpty());
}

TEST_F(RoutesTest, NothingChangesWhereItIsReadOnly) {
  publish();
  use({.is_read_only = true});
  EXPECT_EQ(get("/v1/stats").status, 200U);
  EXPECT_EQ(post("/v1/drain").status, 403U);
  EXPECT_THAT(posted_, IsEmpty());
}

TEST_F(RoutesTest, AReloadIsAnsweredWithItsOutcome) {
  const sidecar::HttpAnswer done = post("/v1/reload");
  EXPECT_EQ(done.status, 200U);
  EXPECT_NE(done.body->find("\"nothing has changed\""), std::string::npos) << *done.body;
  reload_outcome_ = {sidecar::ReloadResult::refused, {"one", "two"}, 2};
  const sidecar::HttpAnswer refused = post("/v1/reload");
  EXPECT_EQ(refused.status, 422U);
  EXPECT_NE(refused.body->find("\"lines\":[\"one\",\"two\"],\"error\":\"one\""), std::string::npos)
      << *refused.body;
  reload_outcome_.result = sidecar::ReloadResult::failed;
  EXPECT_EQ(post("/v1/reload").status, 409U);
  EXPECT_EQ(post("/v1/reload", "{\"now\":true}").status, 400U);
}

TEST_F(RoutesTest, AReloadThatLastsHasATicket) {
  loop_hangs_ = true;
  const sidecar::HttpAnswer pending = post("/v1/reload");
  EXPECT_EQ(pending.status, 202U);
  EXPECT_NE(pending.body->find("\"ticket\":1"), std::string::npos) << *pending.body;
  EXPECT_EQ(get("/v1/reload/1").status, 202U);
  loop_hangs_ = false;
  post("/v1/reload");
  EXPECT_EQ(get("/v1/reload/1").status, 200U);
  EXPECT_EQ(get("/v1/reload/x").status, 400U);
}

}  // namespace
}  // namespace outrider::test
