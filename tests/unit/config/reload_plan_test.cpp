// What a reload would change, for each row of the option table.

#include "sidecar/config/reload_plan.hpp"

#include <algorithm>
#include <cstdlib>
#include <map>

#include <gtest/gtest.h>

#include "sidecar/config/load.hpp"

namespace outrider::sidecar {
namespace {

using Lines = std::vector<std::string>;

/// A value that is not the default, by the kind of the option.
std::string other_value(const Option& option) {
  static const std::map<std::string, std::string> values = {
      {"duration", "7s"},
      {"size", "3MiB"},
      {"count", "7"},
      {"percentage", "7%"},
      {"octal mode", "0640"},
      {"endpoint", "ipc:///tmp/other.sock"},
      {"path", "/tmp/other"},
      {"source", "env:OUTRIDER_TEST_SECRET"},
      {"group", "root"},
      {"patterns", "other.>"},
      {"field paths", "data.other"},
      {"PATH: NAME", "data.a: b"},
      {"PATH: VALUE", "data.a: b"},
      {"HTTP method", "PUT"},
      {"Name: value", "X-Other: b"},
      {"Name: SOURCE", "X-Other: env:OUTRIDER_TEST_SECRET"},
      {"host name", "other.example"},
      {"none | environment | URL", "environment"},
      {"cron expression", "@daily"},
      {"time zone", "Europe/Berlin"},
      {"topic", "a.b"},
      {"JSON", "{}"},
      {"key", "k"},
      {"address", "none"},
      {"URI reference", "/other"},
      {"URL", "https://other.example/"},
      {"actions", "409:ok"},
      {"rates", "7/s"},
  };
  if (const auto found = values.find(option.value.kind); found != values.end()) {
    return found->second;
  }
  // The last of several words, or the first if that is the default.
  const std::string& kind = option.value.kind;
  const auto before = option.value.format({Config{}, {}, {}});
  std::string word = kind.substr(kind.rfind(' ') + 1);
  if (!before.empty() && word == before.front()) word = kind.substr(0, kind.find(' '));
  return word;
}

template <typename Section>
Section named(const char* name) {
  Section section;
  section.name = name;
  return section;
}

class ReloadPlanTest : public ::testing::Test {
 protected:
  ReloadPlanTest() {
    setenv("OUTRIDER_TEST_SECRET", "user:0123456789abcdef", 1);  // NOLINT(concurrency-mt-unsafe)
    running_.destinations.push_back(named<DestinationConfig>("audit"));
    running_.schedules.push_back(named<ScheduleConfig>("nightly"));
    wanted_ = running_;
  }
  ReloadPlan plan() const { return plan_reload(running_, wanted_); }

  Config running_;
  Config wanted_;
};

TEST_F(ReloadPlanTest, TheSameConfigurationChangesNothing) {
  EXPECT_TRUE(plan().is_empty());
  EXPECT_EQ(describe(plan()), (Lines{"nothing has changed"}));
}

/// A row that this test has no value for fails it: whoever adds an option decides about its reload.
TEST_F(ReloadPlanTest, EachRowIsFoundAndMarked) {
  for (const Option& option : options()) {
    SCOPED_TRACE(std::string(option.section) + "." + std::string(option.key));
    wanted_ = running_;
    DestinationConfig& destination = wanted_.destinations[0];
    ScheduleConfig& schedule = wanted_.schedules[0];
    if (option.key == "cert_file") {
      destination.cert_file = wanted_.admin.cert_file = "/tmp/other.pem";
      if (option.section == "admin") destination.cert_file.clear();
      if (option.section != "admin") wanted_.admin.cert_file.clear();
    } else if (option.key == "key_file") {
      (option.section == "admin" ? wanted_.admin.key_file : destination.key_file) = "/tmp/k.pem";
    } else if (option.key == "signing_secret_file") {
      destination.signing_secret_files = {"/tmp/signing"};
    } else {
      const Status parsed =
          option.value.parse({wanted_, destination, schedule}, other_value(option), true);
      ASSERT_TRUE(parsed.ok()) << parsed.error().message;
    }
    const ReloadPlan found = plan();
    ASSERT_EQ(found.settings.size(), 1U);
    EXPECT_EQ(found.settings[0].key, option.key);
    EXPECT_EQ(found.settings[0].reload, option.reload);
    EXPECT_FALSE(name_of(option.reload).empty());
    EXPECT_EQ(found.refusals().size(), option.reload == Reload::restart ? 1U : 0U);
    EXPECT_EQ(found.changed.size(), option.section == "destination" ? 1U : 0U);
    EXPECT_EQ(found.schedules_changed.size(), option.section == "schedule" ? 1U : 0U);
    if (option.section == "destination" && option.group == "HTTP and TLS") {
      EXPECT_TRUE(found.changed[0].has_other_transport);
    }
    if (option.group == "Body" && option.reload != Reload::restart) {
      EXPECT_TRUE(found.changed[0].has_other_encoder);
      EXPECT_FALSE(found.changed[0].has_other_transport);
    }
    if (option.section == "destination" && option.reload == Reload::live &&
        option.key != "sample") {
      EXPECT_FALSE(found.changed[0].has_other_encoder || found.changed[0].has_other_transport);
    }
  }
}

TEST_F(ReloadPlanTest, WhatCannotChangeIsNamedWithBothValues) {
  wanted_.spool.path = "/var/lib/outrider/other.db";
  wanted_.shutdown_linger = std::chrono::seconds(3);
  EXPECT_EQ(plan().refusals(),
            (Lines{"spool.path has changed from \"\" to \"/var/lib/outrider/other.db\", which "
                   "requires a restart"}));
}

TEST_F(ReloadPlanTest, AZmqSocketIsNotReplaced) {
  running_.destinations[0].type = DestinationType::zmq;
  wanted_ = running_;
  wanted_.destinations[0].urls = {"tcp://127.0.0.1:1"};
  EXPECT_EQ(plan().refusals().size(), 1U);
  wanted_ = running_;
  wanted_.destinations[0].retry_max = std::chrono::seconds(1);
  EXPECT_TRUE(plan().refusals().empty());
  EXPECT_FALSE(plan().changed.at(0).has_other_transport);
}

TEST_F(ReloadPlanTest, NamesWhatComesAndGoes) {
  running_.destinations.push_back(named<DestinationConfig>("old"));
  wanted_.destinations.push_back(named<DestinationConfig>("new"));
  wanted_.destinations.back().topics = {"a"};
  wanted_.schedules = {named<ScheduleConfig>("weekly")};
  const ReloadPlan found = plan();
  EXPECT_EQ(found.added, (Lines{"new"}));
  EXPECT_EQ(found.removed, (Lines{"old"}));
  EXPECT_EQ(found.schedules_added, (Lines{"weekly"}));
  EXPECT_EQ(found.schedules_removed, (Lines{"nightly"}));
  EXPECT_TRUE(found.renamed.empty());
  EXPECT_EQ(describe(found), (Lines{"added: destination.new", "removed: destination.old",
                                    "added: schedule.weekly", "removed: schedule.nightly"}));
}

TEST_F(ReloadPlanTest, ARenameIsSaidToBeARemovalAndAnAddition) {
  wanted_.destinations[0].name = "archive";
  EXPECT_EQ(
      describe(plan()),
      (Lines{"added: destination.archive", "removed: destination.audit",
             "renamed, which is a removal and an addition: destination audit is now archive"}));
}

TEST_F(ReloadPlanTest, ListsAreComparedByTheirItems) {
  running_.destinations[0].headers = {"A: 1, B: 2"};
  wanted_.destinations[0].headers = {"A: 1", "B: 2"};
  EXPECT_EQ(plan().changed.size(), 1U);
}

TEST_F(ReloadPlanTest, NoSecretIsShown) {
  wanted_.destinations[0].urls = {"https://user:secret@other.example/"};
  wanted_.destinations[0].headers = {"X-Api-Key: secret"};
  for (const std::string& line : describe(plan())) {
    EXPECT_EQ(line.find("secret"), std::string::npos) << line;
  }
}

}  // namespace
}  // namespace outrider::sidecar
