// Dead letters over the admin interface: lists, retries, drops and their jobs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/small_disk.hpp"
#include "unit/admin/dead_fixture.hpp"

namespace outrider::test {
namespace {

using sidecar::DeadJobState;
using sidecar::HttpAnswer;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class DeadRoutes : public DeadFixture {
 protected:
  /// Disks are slow at times: as a client does it.
  HttpAnswer get_patiently(const std::string& path, const sidecar::HttpRequest::Pairs& arguments) {
    HttpAnswer answer;
    for (int tries = 0; tries < 100; ++tries) {
      answer = get(path, arguments);
      if (answer.status != 503) break;
    }
    return answer;
  }
  std::vector<int> listed(const sidecar::HttpRequest::Pairs& arguments) {
    const HttpAnswer answer = get_patiently("/v1/dead", arguments);
    EXPECT_EQ(answer.status, 200U) << *answer.body;
    const auto page = json_of(answer);
    std::vector<int> ids;
    for (const auto& letter : page["letters"].GetArray()) ids.push_back(letter["id"].GetInt());
    return ids;
  }
  /// The job that a retry or a drop becomes, as it ends.
  sidecar::DeadJob change(const std::string& action, const std::string& body) {
    const HttpAnswer answer = post("/v1/dead/" + action, body);
    const auto job = json_of(answer);
    EXPECT_TRUE(job.HasMember("id")) << *answer.body;
    return job.HasMember("id") ? wait_for_job(job["id"].GetUint64()) : sidecar::DeadJob{};
  }
};

TEST_F(DeadRoutes, AreListedNewestFirstAPageAtATime) {
  bury("a", 1, 3);
  bury("b", 4, 5, 422);
  EXPECT_THAT(listed({}), ElementsAre(5, 4, 3, 2, 1));
  EXPECT_THAT(listed({{"limit", "2"}}), ElementsAre(5, 4));
  EXPECT_THAT(listed({{"limit", "2"}, {"before", "4"}}), ElementsAre(3, 2));
  EXPECT_THAT(listed({{"destination", "a"}, {"lowest_id", "2"}}), ElementsAre(3, 2));
  EXPECT_THAT(listed({{"status", "422"}}), ElementsAre(5, 4));
  EXPECT_THAT(listed({{"topic", "users.*"}}), ElementsAre());
  const std::uint64_t now_ns = clock_.now().wall_ns();
  EXPECT_THAT(listed({{"last_from_ns", std::to_string(now_ns + 2)},
                      {"last_before_ns", std::to_string(now_ns + 4)}}),
              ElementsAre(3, 2));
  clock_.advance(1h);
  EXPECT_THAT(listed({{"older_than", "2h"}}), ElementsAre());
  EXPECT_THAT(listed({{"newer_than", "2h"}, {"limit", "1"}}), ElementsAre(5));
  const std::string counted = *get_patiently("/v1/dead", {{"limit", "2"}, {"count", "yes"}}).body;
  EXPECT_THAT(counted, HasSubstr(R"({"total":5,"next":4,"letters":[)"));
  EXPECT_THAT(*get_patiently("/v1/dead", {}).body, HasSubstr(R"({"total":null,"next":null,)"));
}

TEST_F(DeadRoutes, AWrongFilterIsNoOtherFilter) {
  bury("a", 1, 1);
  for (const auto& [name, value] : sidecar::HttpRequest::Pairs{{"limit", "0"},
                                                               {"limit", "501"},
                                                               {"before", "x"},
                                                               {"count", "maybe"},
                                                               {"statsu", "400"},
                                                               {"status", "4000"},
                                                               {"reason", "refusd"},
                                                               {"topic", "a..b"},
                                                               {"older_than", "soon"}}) {
    const HttpAnswer answer = get("/v1/dead", {{name, value}});
    EXPECT_EQ(answer.status, 400U) << name;
    EXPECT_THAT(*answer.body, HasSubstr(name));
  }
  const HttpAnswer unknown = get_patiently("/v1/dead", {{"destination", "c"}});
  EXPECT_EQ(unknown.status, 404U);
  EXPECT_THAT(*unknown.body, HasSubstr("it has a"));
  for (const char* body :
       {"", "{}", "[]", R"({"filter":{}})", R"({"filter":{},"highest_id":1})",
        R"({"filter":{},"expected":1})", R"({"filter":{},"ids":[1]})", R"({"ids":[]})",
        R"({"ids":["1"]})", R"({"ids":[1],"kee":"x"})", R"({"ids":[1],"key":""})",
        R"({"ids":[1],"ids":[1]})", R"({"filter":{"statsu":1},"highest_id":1,"expected":1})",
        R"({"filter":{"status":[]},"highest_id":1,"expected":1})",
        R"({"filter":{"status":1,"status":2},"highest_id":1,"expected":1})"}) {
    EXPECT_EQ(post("/v1/dead/drop", body).status, 400U) << body;
  }
  EXPECT_EQ(count("dead"), 1);
}

TEST_F(DeadRoutes, ALetterIsShownAsFarAsTheConfigurationSays) {
  bury("a", 7, 7);
  struct Case {
    sidecar::Payloads payloads;
    std::string answer;
    std::string event;
  };
  for (const Case& it :
       {Case{sidecar::Payloads::none, "null", "null"},
        Case{sidecar::Payloads::redacted, "\"[redacted, 13 bytes]\"", "\"[redacted, "},
        Case{sidecar::Payloads::full, "\"canary-answer\"",
             R"({"id":"00000000-0000-0000-0000-000000000007",)"}}) {
    use({.payloads = it.payloads});
    const std::string body = *get_patiently("/v1/dead/1", {}).body;
    EXPECT_THAT(body, HasSubstr("\"answer\":" + it.answer + ","));
    EXPECT_THAT(body, HasSubstr("\"event\":" + it.event));
    EXPECT_EQ(body.find("{\"n\":7}") != std::string::npos, it.payloads == sidecar::Payloads::full);
    EXPECT_THAT(*get_patiently("/v1/dead", {}).body, Not(HasSubstr("canary")));
    EXPECT_THAT(*get("/v1/dead/jobs").body, Not(HasSubstr("canary")));
  }
  EXPECT_EQ(get_patiently("/v1/dead/2", {}).status, 404U);
  EXPECT_EQ(get("/v1/dead/x").status, 400U);
}

TEST_F(DeadRoutes, ARetryByFilterPutsBackAllOfThemAndSaysWho) {
  bury("a", 1, 600);
  bury("b", 601, 602);
  const auto job = change(
      "retry", R"({"filter":{"destination":"a"},"highest_id":600,"expected":600,"key":"k"})");
  EXPECT_EQ(job.state, DeadJobState::done) << job.error;
  EXPECT_EQ(job.changed, 600U);
  EXPECT_EQ(count("dead"), 2);
  EXPECT_EQ(store_->database().number("SELECT sum(events) FROM block"), 600);
  EXPECT_EQ(log_.count("an operator's request for dead letters action=retry target=destination=a "
                       "highest_id=600 count=600 who=unix uid=7 pid=8 result=done job=1"),
            1);
}

TEST_F(DeadRoutes, ACountThatDiffersChangesNothing) {
  bury("a", 1, 5);
  const std::string body = R"({"filter":{},"highest_id":4,"expected":5})";
  const auto job = change("drop", body);
  EXPECT_EQ(job.state, DeadJobState::refused);
  EXPECT_EQ(job.counted, 4U);
  EXPECT_THAT(job.error, HasSubstr("there are 4 dead letters of these and not 5"));
  EXPECT_EQ(count("dead"), 5);
  EXPECT_EQ(change("drop", R"({"filter":{},"highest_id":4,"expected":4})").changed, 4U);
  EXPECT_EQ(count("dead"), 1) << "the one that came later";
}

TEST_F(DeadRoutes, TheSameKeyIsTheSameJob) {
  bury("a", 1, 3);
  const std::string body = R"({"filter":{},"highest_id":3,"expected":3,"key":"once"})";
  EXPECT_EQ(change("retry", body).id, 1U);
  const HttpAnswer again = post("/v1/dead/retry", body);
  EXPECT_EQ(again.status, 200U);
  EXPECT_THAT(*again.body, HasSubstr(R"({"id":1,"action":"retry",)"));
  EXPECT_THAT(*again.body, HasSubstr(R"("changed":3,)"));
  EXPECT_EQ(jobs_->jobs().size(), 1U);
  const HttpAnswer other = post("/v1/dead/drop", body);
  EXPECT_EQ(other.status, 422U);
  EXPECT_THAT(*other.body, HasSubstr("use a new key"));
  EXPECT_EQ(change("retry", R"({"filter":{},"highest_id":3,"expected":3})").state,
            DeadJobState::refused);
}

TEST_F(DeadRoutes, OfTwoRetriesOfOneLetterOneIsRefused) {
  bury("a", 1, 1);
  const auto first = change("retry", R"({"ids":[1]})");
  const auto second = change("retry", R"({"ids":[1,1]})");
  EXPECT_EQ(first.state, DeadJobState::done);
  EXPECT_EQ(second.state, DeadJobState::refused);
  EXPECT_EQ(post("/v1/dead/retry", R"({"ids":[1]})").status, 409U);
  EXPECT_EQ(store_->database().number("SELECT sum(events) FROM block"), 1);
}

TEST_F(DeadRoutes, AJobWaitsForItsDestinationAndCanBeCancelled) {
  spool("a", sidecar::DeadJobs::lane_events_max + 1);
  bury("a", 1, 1000);
  const HttpAnswer asked =
      post("/v1/dead/retry", R"({"filter":{},"highest_id":1000,"expected":1000})");
  EXPECT_EQ(asked.status, 202U);
  EXPECT_EQ(wait_for_job(1, true).state, DeadJobState::paced);
  const std::string log =
      "an operator's request for dead letters action=retry target="
      "highest_id=1000 count=256 who=unix uid=7 pid=8 result=";
  EXPECT_EQ(log_.count(log + "begun"), 1);
  EXPECT_EQ(count("dead"), 1000 - 256) << "the first go at once";
  // Others do not wait with it.
  EXPECT_EQ(change("drop", R"({"ids":[1000]})").state, DeadJobState::done);
  EXPECT_THAT(listed({{"limit", "1"}}), ElementsAre(999));
  // The destination takes what it has.
  store_->begin(false);
  store_->database().execute("UPDATE destination SET events=0, bytes=0");
  store_->commit();
  const auto done = wait_for_job(1);
  EXPECT_EQ(done.state, DeadJobState::done) << done.error;
  EXPECT_EQ(done.changed, 999U);

  spool("a", sidecar::DeadJobs::lane_events_max + 1);
  bury("a", 1, 1000);
  const auto highest = std::to_string(store_->database().number("SELECT max(id) FROM dead"));
  const HttpAnswer more =
      post("/v1/dead/retry", R"({"filter":{},"highest_id":)" + highest + R"(,"expected":1000})");
  const std::uint64_t id = json_of(more)["id"].GetUint64();
  EXPECT_EQ(wait_for_job(id, true).state, DeadJobState::paced);
  const std::string cancel = "/v1/dead/jobs/" + std::to_string(id) + "/cancel";
  EXPECT_LE(post(cancel).status, 202U);
  EXPECT_EQ(wait_for_job(id).state, DeadJobState::cancelled);
  EXPECT_EQ(count("dead"), 1000 - 256);
  EXPECT_EQ(post(cancel).status, 422U);
  EXPECT_EQ(post("/v1/dead/jobs/99/cancel").status, 404U);
  EXPECT_EQ(get("/v1/dead/jobs/99").status, 404U);
}

TEST_F(DeadRoutes, RetriedLettersLeaveRoomOnDisk) {
  spool("a", 1);
  store_->begin(false);
  store_->database().execute("UPDATE destination SET bytes=" + std::to_string(lane_bytes_));
  store_->commit();
  bury("a", 1, 1);
  EXPECT_EQ(post("/v1/dead/retry", R"({"ids":[1]})").status, 202U);
  EXPECT_EQ(wait_for_job(1, true).state, DeadJobState::paced);
  EXPECT_EQ(count("dead"), 1);
}

TEST_F(DeadRoutes, MoreJobsThanThatAreRefused) {
  spool("a", 1);
  store_->begin(false);
  store_->database().execute("UPDATE destination SET bytes=" + std::to_string(lane_bytes_));
  store_->commit();
  bury("a", 1, 20);
  const auto retry = [&](std::size_t id) {
    return post("/v1/dead/retry", "{\"ids\":[" + std::to_string(id) + "]}").status;
  };
  std::size_t id = 1;
  for (; id <= sidecar::DeadJobs::jobs_active_max; ++id) EXPECT_EQ(retry(id), 202U);
  EXPECT_EQ(retry(id), 429U);
  EXPECT_LE(post("/v1/dead/jobs/1/cancel").status, 202U);
  wait_for_job(1);
  EXPECT_EQ(retry(id), 202U);
}

TEST_F(DeadRoutes, OnlyTheLastJobsAreRemembered) {
  bury("a", 1, 1);
  for (std::size_t i = 0; i <= sidecar::DeadJobs::jobs_known_max; ++i) {
    change("drop", R"({"ids":[9]})");
  }
  EXPECT_EQ(jobs_->jobs().size(), sidecar::DeadJobs::jobs_known_max);
  EXPECT_FALSE(jobs_->job(1));
}

TEST_F(DeadRoutes, WhatMayNotBeDoneSaysWhatToSet) {
  bury("a", 1, 1);
  use({.is_read_only = true});
  const HttpAnswer refused = post("/v1/dead/drop", R"({"ids":[1]})");
  EXPECT_EQ(refused.status, 403U);
  EXPECT_THAT(*refused.body, HasSubstr("[admin] read_only"));
  dead_ = nullptr;
  use({});
  for (const char* path : {"/v1/dead", "/v1/dead/1", "/v1/dead/jobs", "/v1/dead/jobs/1"}) {
    EXPECT_EQ(get(path).status, 404U);
    EXPECT_THAT(*get(path).body, HasSubstr("set [spool] path"));
  }
  EXPECT_EQ(post("/v1/dead/drop", R"({"ids":[1]})").status, 404U);
  EXPECT_EQ(post("/v1/dead/jobs/1/cancel").status, 404U);
  EXPECT_EQ(count("dead"), 1);
}

TEST_F(DeadRoutes, WhileTheSpoolIsRepairedJobsWaitAndNothingIsRead) {
  bury("a", 1, 3);
  gate_->shut();
  const HttpAnswer list = get("/v1/dead");
  EXPECT_EQ(list.status, 503U);
  EXPECT_THAT(*list.body, HasSubstr("opens or repairs its spool"));
  EXPECT_EQ(get("/v1/dead/1").status, 503U);
  EXPECT_EQ(post("/v1/dead/drop", R"({"ids":[1]})").status, 202U);
  EXPECT_EQ(count("dead"), 3);
  gate_->open();
  EXPECT_EQ(wait_for_job(1).state, DeadJobState::done);
  EXPECT_EQ(count("dead"), 2);
}

TEST_F(DeadRoutes, AFullDiskFailsTheJobAndChangesNothing) {
  SmallDisk disk(dir_.file("disk"), 16U << 20U);
  if (!disk.is_small()) GTEST_SKIP() << "takes root to have a disk of its own";
  const std::string path = dir_.file("disk") + "/spool.db";
  sidecar::open_disk()->prepare(path);
  store_ = std::make_unique<sidecar::Store>(sidecar::Database(path, sidecar::OpenMode::create));
  bury("a", 1, 1000);
  store_.reset();
  sidecar::DeadJobs jobs(settings(path), log_);
  dead_ = &jobs;
  use({});
  const auto retry = [&] {
    const auto job =
        json_of(post("/v1/dead/retry", R"({"filter":{},"highest_id":1000,"expected":1000})"));
    sidecar::DeadJob shown;
    while (!shown.has_ended()) shown = jobs.wait_for(job["id"].GetUint64(), 1s).value();
    return shown;
  };
  disk.fill(0);
  const auto failed = retry();
  EXPECT_EQ(failed.state, DeadJobState::failed);
  EXPECT_THAT(failed.error, HasSubstr("full"));
  EXPECT_EQ(failed.changed, 0U);
  disk.drain();
  const auto done = retry();
  EXPECT_EQ(done.state, DeadJobState::done) << done.error;
  EXPECT_EQ(done.changed, 1000U);
  store_ = std::make_unique<sidecar::Store>(sidecar::Database(path, sidecar::OpenMode::create));
  EXPECT_EQ(count("dead"), 0);
  EXPECT_EQ(count("block"), 1000);
  store_.reset();
}

TEST_F(DeadRoutes, ASpoolThatIsNotThereIsSaidSo) {
  store_.reset();
  std::filesystem::remove(path_);
  const HttpAnswer list = get("/v1/dead");
  EXPECT_EQ(list.status, 503U);
  EXPECT_THAT(*list.body, HasSubstr("no spool at"));
  const auto job = change("drop", R"({"ids":[1]})");
  EXPECT_EQ(job.state, DeadJobState::failed);
  EXPECT_THAT(job.error, HasSubstr("no spool at"));
}

}  // namespace
}  // namespace outrider::test
