// The commands that talk to a running sidecar, in front of one that answers as the test says.

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "sidecar/arguments/exit_status.hpp"
#include "sidecar/cli/stats_text.hpp"
#include "support/fake_admin.hpp"
#include "support/places.hpp"
#include "support/process.hpp"
#include "support/temp_dir.hpp"

namespace outrider::sidecar {
namespace {

using namespace std::chrono_literals;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

/// One destination of each kind of trouble.
constexpr const char* stats_body = R"({
"taken_at":"2026-01-31T12:10:00.000000000Z","age_s":0.1,"boot_id":"b1","snapshot":{
 "number":7,"started_at":"2026-01-31T12:00:00.000000000Z","phase":"running","version":"1.2.3",
 "ingest":{"events":1000,"events_confirmed":40,"events_refused":2,"unrouted":0,"clients":3,
  "connections":4,"refused":{"bad_frame":0,"destination_full":2},"client_drops":{"buffer_full":5},
  "frames_missing":1},
 "destinations":[
  {"name":"audit","ledger":{"delivered":900,"dropped":{"expired":0,"sampled":9},"dead":{"gone":0},
    "queued":12,"in_flight":3,"spooled":0},"breaker":"closed","is_held":false,"is_disabled":false,
    "paused_for_s":null,"pause":null,"last_failure":null,"arrival_rate_per_s":12.25,
    "oldest_age_s":0.75,"time_to_loss":{"left_s":604800,"limit":"queue_events_max"}},
  {"name":"crm","ledger":{"delivered":0,"dropped":{"expired":7},"dead":{"gone":1},
    "queued":88,"in_flight":0,"spooled":500},"breaker":"open","open_for_s":125.0,"is_held":false,
    "is_disabled":false,"paused_for_s":null,"pause":null,"last_failure":"503","last_answer":"\u001b[2Jbusy",
    "arrival_rate_per_s":1,"oldest_age_s":7300,
    "time_to_loss":{"left_s":600,"limit":"spool_bytes_max"}},
  {"name":"mail","ledger":{"delivered":1,"dropped":{},"dead":{},"queued":5,"in_flight":0,
    "spooled":0},"breaker":"closed","pause":{"since":"2026-01-31T12:05:00.000000000Z",
    "until":"2026-01-31T12:30:00.000000000Z","who":"unix uid=0"},"time_to_loss":null}],
 "schedules":[{"name":"nightly","last":null,"next":"2026-02-01T00:00:00.000000000Z","runs":3,
  "missed":1,"late":0}],
 "spool":{"bytes":1048576,"bytes_max":1073741824,"disk_free_bytes":5368709120,"dead_events":1,
  "dead_bytes":512,"is_failing":false},
 "config":{"file":"/etc/outrider/outrider.conf","loaded_at":"2026-01-31T12:00:00.000000000Z"}}}
)";

constexpr const char* stats_golden =
    R"(ok: running since 2026-01-31T12:00:00Z, version 1.2.3, configuration /etc/outrider/outrider.conf of 2026-01-31T12:00:00Z
ingest: 1000 events accepted, 40 of them confirmed, 2 refused, 0 without a destination; 3 clients, 4 connections; refused: destination_full 2; lost by clients: buffer_full 5; frames that never came: 1
spool: 1.0 MiB of 1.0 GiB, 5.0 GiB free on its disk, 1 dead letter of 512 B

destination  state                              in/s  queued  in flight  spooled  delivered  dropped  dead  oldest  time to loss
audit        up                                 12.2  12      3          0        900        0        0     0.8s    > 7d
crm          down 2m5s                          1.0   88      0          500      0          7        1     2h1m    10m0s (spool_bytes_max)
mail         paused until 2026-01-31T12:30:00Z  -     5       0          0        1          -        -     -       -

crm: the last failure was 503: \x1b[2Jbusy

schedule  last run  next run              runs  missed  late
nightly   -         2026-02-01T00:00:00Z  3     1       0
)";

class AdminCommands : public testing::Test {
 protected:
  std::string address() const { return "unix://" + dir_.file("a.sock"); }
  test::Finished outrider(std::vector<std::string> words) const {
    words.insert(words.begin(), test::outrider_binary());
    return test::run(std::move(words));
  }
  test::Finished ask(std::vector<std::string> words) const {
    words.insert(words.end(), {"--admin", address()});
    return outrider(std::move(words));
  }
  void expect_asked(const std::string& method, const std::string& target,
                    const std::string& body) const {
    ASSERT_FALSE(admin_.received().empty());
    const auto request = admin_.received().back();
    EXPECT_EQ(request.method + " " + request.target, method + " " + target);
    EXPECT_EQ(request.body, body);
    if (method == "POST") {
      EXPECT_EQ(request.content_type, "application/json");
    }
  }

  test::TempDir dir_;
  test::FakeAdmin admin_{dir_.file("a.sock")};
};

TEST_F(AdminCommands, StatsIsATextForPeople) {
  admin_.answer(200, stats_body);
  const auto stats = ask({"stats"});
  EXPECT_EQ(stats.status, exit_done) << stats.err;
  EXPECT_EQ(stats.out, stats_golden);
  expect_asked("GET", "/v1/stats", "");
}

TEST_F(AdminCommands, StatsPassesTheJsonOn) {
  admin_.answer(200, stats_body);
  EXPECT_EQ(ask({"stats", "--json"}).out, stats_body);
}

TEST_F(AdminCommands, StatsShowsNothingOfWhatIsMissing) {
  admin_.answer(200, R"({"age_s":12.5,"snapshot":{"destinations":[{"name":"a"}]}})");
  const auto stats = ask({"stats"});
  EXPECT_EQ(stats.status, exit_done) << stats.err;
  EXPECT_THAT(stats.out, StartsWith("SILENT: the loop does not answer; these figures are 12s old"));
  EXPECT_THAT(stats.out, HasSubstr("ingest: - events accepted"));
  EXPECT_THAT(stats.out,
              EndsWith("a            -      -     -       -          -        -          "
                       "-        -     -       -\n"));
}

TEST_F(AdminCommands, StatsWatchesWithRates) {
  admin_.answer(200, stats_body);
  test::Process watch({test::outrider_binary(), "stats", "--watch", "1", "--admin", address()});
  ASSERT_TRUE(watch.wait_for_line("out/s")) << watch.text(test::Process::Stream::err);
  std::string more = stats_body;
  more.replace(more.find("\"delivered\":900"), 15, "\"delivered\":1900");
  admin_.answer(200, more);
  const auto line = watch.wait_for_line("1900");
  ASSERT_TRUE(line);
  EXPECT_THAT(*line, Not(HasSubstr("  -  "))) << "the rate is known";
  // A sidecar that restarts is waited for.
  admin_.answer(503, R"({"error":"the sidecar starts"})");
  EXPECT_TRUE(watch.wait_for_line("the sidecar starts (status 503)"));
  admin_.answer(200, stats_body);
  EXPECT_TRUE(watch.wait_for_line("ok: running"));
}

TEST_F(AdminCommands, WatchingEndsWellWhenNobodyReadsAnyMore) {
  admin_.answer(200, stats_body);
  for (const std::string form : {"", "--json"}) {
    const auto piped = test::run({"/bin/bash", "-c",
                                  "\"$0\" stats --watch 1 " + form + " --admin " + address() +
                                      " | head -n 1 >/dev/null; echo ${PIPESTATUS[0]}",
                                  test::outrider_binary()});
    EXPECT_EQ(piped.out, "0\n");
    EXPECT_EQ(piped.err, "");
  }
}

TEST_F(AdminCommands, HealthIsAnExitStatus) {
  admin_.answer(200, "ok\n");
  const auto good = ask({"health"});
  EXPECT_EQ(good.status, exit_done);
  EXPECT_EQ(good.out, "ok\n");
  expect_asked("GET", "/healthz", "");
  EXPECT_EQ(ask({"health", "--ready", "--destination", "a b"}).status, exit_done);
  expect_asked("GET", "/readyz?destination=a%20b", "");

  admin_.answer(503, "stopping\n");
  const auto bad = ask({"health", "--ready"});
  EXPECT_EQ(bad.status, exit_failed);
  EXPECT_EQ(bad.out, "");
  EXPECT_EQ(bad.err, "outrider health: stopping\n");
  expect_asked("GET", "/readyz", "");
}

TEST_F(AdminCommands, ChangesAreLinesOfTheLog) {
  admin_.answer(200, R"({"changes":[
    {"number":41,"at":"2026-01-31T12:00:00.5Z","level":"warn","kind":"breaker",
     "message":"destination is down","fields":{"destination":"audit","answer":"503 \u001bbusy"}},
    {"number":42,"at":"2026-01-31T12:01:00.5Z","level":"info","kind":"life","message":"stopping",
     "fields":{}}]})");
  const auto changes = ask({"changes", "--since", "41"});
  EXPECT_EQ(changes.status, exit_done) << changes.err;
  EXPECT_EQ(changes.out,
            "number  time                  level  kind     change\n"
            "41      2026-01-31T12:00:00Z  warn   breaker  destination is down destination=audit "
            "answer=\"503 \\x1bbusy\"\n"
            "42      2026-01-31T12:01:00Z  info   life     stopping\n");
  expect_asked("GET", "/v1/changes?since=41", "");
  admin_.answer(200, R"({"changes":[]})");
  EXPECT_EQ(ask({"changes"}).out, "nothing has changed\n");
  EXPECT_EQ(ask({"changes", "--json"}).out, R"({"changes":[]})");
}

TEST_F(AdminCommands, ChangesOfTheSidecarAreRequests) {
  admin_.answer(200, R"({"action":"pause","target":"audit","is_done":true})");
  const auto pause = ask({"pause", "audit", "--for", "90s"});
  EXPECT_EQ(pause.status, exit_done) << pause.err;
  EXPECT_EQ(pause.out, "destination audit is paused for 90s; its events wait\n");
  expect_asked("POST", "/v1/destinations/audit/pause", R"({"for_s":90.000})");
  EXPECT_EQ(
      ask({"pause", "a/b"}).out,
      "destination a/b is paused until `outrider resume a/b` or a restart; its events wait\n");
  expect_asked("POST", "/v1/destinations/a%2Fb/pause", "{}");
  EXPECT_EQ(ask({"resume", "audit"}).out, "destination audit is not paused\n");
  expect_asked("POST", "/v1/destinations/audit/resume", "{}");
  EXPECT_EQ(ask({"drain"}).out, "the sidecar stops: it delivers what it holds, and ends\n");
  expect_asked("POST", "/v1/drain", "{}");
  EXPECT_EQ(ask({"log-level", "debug"}).out, "the log level is debug until the sidecar ends\n");
  expect_asked("POST", "/v1/log-level", R"({"level":"debug"})");
}

TEST_F(AdminCommands, TheSidecarsWordsAreTheError) {
  admin_.answer(404, R"({"error":"there is no destination \"audti\"\u001b"})");
  const auto pause = ask({"pause", "audti"});
  EXPECT_EQ(pause.status, exit_failed);
  EXPECT_EQ(pause.out, "");
  EXPECT_EQ(pause.err, "outrider pause: there is no destination \"audti\"\\x1b (status 404)\n");
  admin_.answer(502, "<html>");
  EXPECT_EQ(ask({"stats"}).err, "outrider stats: the sidecar gave no reason (status 502)\n");
  admin_.answer(200, "<html>");
  EXPECT_EQ(ask({"stats"}).err,
            "outrider stats: the answer is not a sidecar's; does something else listen there?\n");
}

TEST_F(AdminCommands, WhatIsNotCarriedOutIsNotDone) {
  admin_.answer(202, R"({"action":"pause","target":"audit","is_done":false})");
  const auto pause = ask({"pause", "audit"});
  EXPECT_EQ(pause.status, exit_failed);
  EXPECT_EQ(pause.out, "");
  EXPECT_THAT(pause.err, HasSubstr("has not carried it out yet"));
}

TEST_F(AdminCommands, TheTokenIsSent) {
  admin_.answer(200, stats_body);
  const std::string file = dir_.file("token");
  std::ofstream(file) << "0123456789abcdef\n";
  EXPECT_EQ(ask({"stats", "--token-file", file}).status, exit_done);
  EXPECT_EQ(admin_.received().back().authorization, "Bearer 0123456789abcdef");
}

TEST_F(AdminCommands, TheConfigurationSaysWhereTheSidecarIs) {
  admin_.answer(200, stats_body);
  const std::string token = dir_.file("token");
  std::ofstream(token) << "0123456789abcdef\n";
  const std::string config = dir_.file("o.conf");
  std::ofstream(config) << "[ingest]\nendpoint = ipc://" << dir_.file("o.sock")
                        << "\n[admin]\nlisten = " << address() << "\ntoken_file = " << token
                        << "\n[destination.a]\ntype = stdout\n";
  const auto stats = outrider({"stats", "--config", config});
  EXPECT_EQ(stats.status, exit_done) << stats.err;
  EXPECT_EQ(admin_.received().back().authorization, "Bearer 0123456789abcdef");

  std::ofstream(config) << "[admin]\nlistn = none\n";
  const auto wrong = outrider({"stats", "--config", config});
  EXPECT_EQ(wrong.status, exit_usage);
  EXPECT_THAT(wrong.err, HasSubstr("did you mean \"listen\"?"));
  EXPECT_THAT(wrong.err, HasSubstr("give --admin ADDRESS"));
  EXPECT_EQ(outrider({"stats", "--config", config, "--admin", address()}).status, exit_usage)
      << "it may hold the token";
}

TEST_F(AdminCommands, NoSidecarIsOneLineThatSaysHowToStartOne) {
  const std::string missing = "unix://" + dir_.file("missing.sock");
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"stats"},
                                             {"health"},
                                             {"changes"},
                                             {"pause", "a"},
                                             {"resume", "a"},
                                             {"drain"},
                                             {"log-level", "info"}}) {
    std::vector<std::string> all = words;
    all.insert(all.end(), {"--admin", missing});
    const auto result = outrider(all);
    EXPECT_EQ(result.status, exit_failed);
    EXPECT_EQ(result.out, "");
    EXPECT_EQ(result.err, "outrider " + words[0] + ": no sidecar answers at " + missing +
                              " (No such file or directory); start one with `outrider run "
                              "--config FILE` or `systemctl start outrider`, or say where it is "
                              "with --admin or --config\n");
  }
}

TEST_F(AdminCommands, HealthDoesNotWaitForASidecarThatHangs) {
  const std::string path = dir_.file("hung.sock");
  sockaddr_un where{};
  where.sun_family = AF_UNIX;
  path.copy(where.sun_path, sizeof where.sun_path - 1);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&where), sizeof where), 0);
  ASSERT_EQ(::listen(fd, 1), 0);
  const auto begin = std::chrono::steady_clock::now();
  const auto health = outrider({"health", "--admin", "unix://" + path});
  EXPECT_EQ(health.status, exit_failed);
  EXPECT_THAT(health.err, HasSubstr("does not answer in time"));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
  ::close(fd);
}

TEST_F(AdminCommands, WrongUsageIsOneLine) {
  struct Case {
    std::vector<std::string> words;
    std::string message;
  };
  const std::vector<Case> cases = {
      {{"stats", "5"}, "outrider stats: SECONDS goes with --watch"},
      {{"stats", "--watch", "0"}, "\"0\" is not a number of seconds from 1 to 3600"},
      {{"stats", "--wach"}, "did you mean --watch?"},
      {{"stats", "--admin", "here"}, "is not an address of the admin interface"},
      {{"stats", "--admin", "none"}, "there is no admin interface"},
      {{"stats", "--token-file", "/missing/token"}, "/missing/token"},
      {{"health", "--destination", "a"}, "--destination goes with --ready"},
      {{"changes", "--since", "x"}, "--since"},
      {{"pause"}, "give DESTINATION"},
      {{"pause", "a", "b"}, "unexpected argument \"b\""},
      {{"pause", "a", "--for", "5"}, "--for"},
      {{"pause", "a", "--for", "0"}, "a pause of 0 is none"},
      {{"resume"}, "give DESTINATION"},
      {{"drain", "now"}, "unexpected argument \"now\""},
      {{"log-level"}, "give one of debug, info, warn and error"},
      {{"log-level", "loud"}, "\"loud\" is none of debug, info, warn and error"},
  };
  for (const Case& wrong : cases) {
    const auto result = outrider(wrong.words);
    EXPECT_EQ(result.status, exit_usage) << wrong.message;
    EXPECT_THAT(result.err, HasSubstr(wrong.message));
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  }
  EXPECT_TRUE(admin_.received().empty());
}

// The bundle for a bug report ---------------------------------------------------------------------

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST_F(AdminCommands, SupportWritesAFileWithoutSecrets) {
  admin_.answer(200, R"({"detail":"token=canary1","url":"https://u:canary2@host:1/canary3",
    "destinations":[{"last_failure":"503","last_answer":"canary8"}],
    "changes":[{"fields":{"status":"503","answer":"{\"card\": \"canary9\"}"}}]})");
  const std::string config = dir_.file("o.conf");
  std::ofstream(config) << "[ingest]\nendpoint = ipc://" << dir_.file("o.sock")
                        << "\n[destination.a]\ntype = http\n"
                        << "url = https://hooks.example/canary4?k=canary5\n"
                        << "header = x-key: canary6\n";
  const std::string file = dir_.file("support.txt");
  const auto support = ask({"support", file, "--config", config});
  EXPECT_EQ(support.status, exit_done) << support.err;
  EXPECT_THAT(support.out, StartsWith(file + ": versions, configuration"));
  const std::string text = text_of(file);
  for (const char* part :
       {"==== version\n\noutrider ", "==== configuration\n\n", "https://hooks.example/[redacted]",
        "==== stats\n\nstatus 200\n", "\"last_failure\":\"503\"", "https://host:1/[redacted]",
        "==== changes\n", "==== process\n\npid ", "Max open files", "==== systemd\n"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
  EXPECT_THAT(text, Not(HasSubstr("canary")));
  struct stat found {};
  ASSERT_EQ(::stat(file.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777U, 0600U);

  const auto again = ask({"support", file});
  EXPECT_EQ(again.status, exit_failed);
  EXPECT_THAT(again.err, HasSubstr("cannot write " + file + ": File exists"));
}

TEST_F(AdminCommands, SupportTakesNothingThatItCannotRead) {
  for (const std::string& body : {std::string("last_answer: canary"), std::string("[\"canary\""),
                                  std::string(100'000, '[') + std::string(100'000, ']')}) {
    admin_.answer(200, body);
    const std::string file = dir_.file("support.txt");
    std::filesystem::remove(file);
    EXPECT_EQ(ask({"support", file}).status, exit_failed);
    EXPECT_THAT(text_of(file), HasSubstr("==== stats\n\nnot known: the answer is not a sidecar's"));
  }
}

TEST_F(AdminCommands, SupportIsOfUseWithoutASidecar) {
  const std::string file = dir_.file("support.txt");
  const auto support =
      outrider({"support", file, "--admin", "unix://" + dir_.file("missing.sock")});
  EXPECT_EQ(support.status, exit_failed);
  EXPECT_EQ(support.err, "outrider support: some parts are missing; the file says why\n");
  EXPECT_THAT(text_of(file), HasSubstr("not known: no sidecar answers at unix://"));
  EXPECT_THAT(text_of(file), HasSubstr("==== version\n\noutrider "));
}

// The text ----------------------------------------------------------------------------------------

TEST(StatsText, RatesNeedTwoSnapshotsOfOneRun) {
  const MonoTime begin(1000s);
  const StatsMark before{"b1", begin, 100, {{"a", 10}, {"gone", 5}, {"less", 9}}};
  StatsMark now{"b1", begin + 2s, 150, {{"a", 30}, {"new", 7}, {"less", 8}}};
  const StatsRates rates = rates_between(before, now);
  EXPECT_EQ(rates.accepted, 25.0);
  EXPECT_EQ(rates.delivered, (std::map<std::string, double>{{"a", 10.0}}));
  now.taken_at = begin;
  EXPECT_FALSE(rates_between(before, now).accepted) << "one snapshot, read twice";
  now.taken_at = begin + 2s;
  now.boot_id = "b2";
  EXPECT_TRUE(rates_between(before, now).delivered.empty()) << "a restart";
}

TEST(StatsText, ColoursAreThereOnlyIfAskedFor) {
  const std::vector<StatsLine> lines = {
      {"a", {}}, {"b", Severity::warning}, {"c", Severity::alarm}};
  EXPECT_EQ(render(lines, false), "a\nb\nc\n");
  EXPECT_EQ(render(lines, true), "a\n\x1b[33mb\x1b[0m\n\x1b[31mc\x1b[0m\n");
}

TEST(StatsText, DurationsHaveTwoUnitsAtMost) {
  EXPECT_EQ(rough_duration(0.04), "0.0s");
  EXPECT_EQ(rough_duration(1.5), "1.5s");
  EXPECT_EQ(rough_duration(59.9), "59s");
  EXPECT_EQ(rough_duration(125), "2m5s");
  EXPECT_EQ(rough_duration(11'400), "3h10m");
  EXPECT_EQ(rough_duration(187'200), "2d4h");
}

}  // namespace
}  // namespace outrider::sidecar
