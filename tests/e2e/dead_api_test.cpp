// Many dead letters, over the admin interface of a running sidecar and by the commands that ask it.
#include <atomic>
#include <cstdlib>
#include <thread>

#include "e2e/admin_fixture.hpp"
#include "sidecar/spool/disk.hpp"
#include "sidecar/spool/store.hpp"
#include "support/numbered_record.hpp"
#include "support/small_disk.hpp"

namespace outrider::test {
namespace {

using Clock = std::chrono::steady_clock;

class DeadApi : public testing::Test {
 protected:
  /// Dead letters 1 to `last` of the destination audit, before there is a sidecar.
  void bury(long last) {
    sidecar::open_disk()->prepare(spool_);
    sidecar::Store store(sidecar::Database(spool_, sidecar::OpenMode::create));
    store.begin(false);
    for (long n = 1; n <= last; ++n) {
      sidecar::DeadLetter letter;
      letter.reason = sidecar::DeadReason::refused;
      letter.status = 400;
      letter.attempts = 1;
      letter.first_ns = letter.last_ns = sidecar::SystemClock().now().wall_ns();
      letter.answer = "canary-answer";
      letter.record = numbered_record({.number = static_cast<std::uint64_t>(n)});
      store.insert_dead(store.destination("audit"), letter);
    }
    store.commit();
  }

  void start(const std::string& url, const std::string& admin = "") {
    sidecar_.reset();
    sidecar_ = std::make_unique<Sidecar>(
        dir_,
        "[ingest]\nendpoint = ipc://" + dir_.file("o.sock") + "\nconfirm_endpoint = ipc://" +
            dir_.file("c.sock") + "\n[spool]\npath = " + spool_ +
            "\nfree_bytes_min = 0\ndead_events_max = 1000000\n[admin]\nlisten = unix://" + socket_ +
            "\n" + admin + "[shutdown]\nlinger = 1s\n[destination.audit]\n" +
            "type = http\nwhen_full = spool\nretry_initial = 50ms\nretry_max = 100ms\nurl = " +
            url + "\n");
  }
  void start_with_sink(const std::string& admin = "") {
    sink_ = std::make_unique<Sink>(dir_, std::vector<std::string>{"--plain"});
    start(sink_->url(), admin);
  }

  HttpReply ask(const std::string& request) const {
    HttpConnection connection(socket_);
    return connection.ask(request).value_or(HttpReply{});
  }
  HttpReply get(const std::string& target) const {
    return ask("GET " + target + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
  }
  static long number_of(const std::string& json, const std::string& name) {
    const std::size_t at = json.find("\"" + name + "\":");
    return at == std::string::npos ? -1 : std::atol(json.c_str() + at + name.size() + 3);  // NOLINT
  }
  bool wait_for_job(long id, const std::string& state) const {
    return eventually([&] {
      const std::string body = get("/v1/dead/jobs/" + std::to_string(id)).body;
      return body.find("\"state\":\"" + state + "\"") != std::string::npos;
    });
  }

  struct Pages {
    long letters = 0;
    std::vector<std::chrono::microseconds> times{};

    std::chrono::microseconds usual_time() {
      std::ranges::sort(times);
      std::printf("%zu pages: median %ld us, slowest %ld us\n", times.size(),
                  static_cast<long>(times[times.size() / 2].count()),
                  static_cast<long>(times.back().count()));
      return times[times.size() / 2];
    }
  };
  /// All of them, with a pause after each.
  Pages read_pages(const std::string& filter, std::chrono::milliseconds pause) const {
    HttpConnection connection(socket_);
    Pages pages;
    std::string before;
    for (bool is_last = false; !is_last;) {
      const auto begin = Clock::now();
      const auto reply = connection.ask("GET /v1/dead?limit=500" + filter + before +
                                        " HTTP/1.1\r\nHost: localhost\r\n\r\n");
      pages.times.push_back(
          std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begin));
      if (!reply) break;
      if (reply->status == 503) continue;
      const std::string& body = reply->body;
      for (std::size_t at = 0; (at = body.find("{\"id\":", at)) != std::string::npos; ++at) {
        ++pages.letters;
      }
      is_last = body.find("\"next\":null") != std::string::npos;
      before = "&before=" + std::to_string(number_of(body, "next"));
      std::this_thread::sleep_for(pause);
    }
    return pages;
  }

  static Finished outrider(std::vector<std::string> words, const std::vector<std::string>& where) {
    words.insert(words.begin(), test::outrider_binary());
    words.insert(words.end(), where.begin(), where.end());
    return run(std::move(words));
  }
  std::vector<std::string> at_sidecar() const { return {"--admin", "unix://" + socket_}; }
  std::vector<std::string> at_file() const { return {"--spool", spool_}; }
  std::vector<std::string> at_config() const { return {"--config", dir_.file("outrider.conf")}; }

  /// Dead letters and spooled events, from outside.
  std::pair<long, long> kept() const {
    const std::string info = outrider({"spool", "info", "--json"}, at_file()).out;
    const std::string list = outrider({"dead", "list", "--json"}, at_file()).out;
    return {std::ranges::count(list, '\n'), number_of(info, "spooled_events")};
  }
  long dead() const { return kept().first; }
  bool wait_until_received(long last) const {
    return eventually([&] { return static_cast<long>(sink_->numbers().size()) >= last; }, 60s);
  }

  const TempDir dir_;
  std::string spool_ = dir_.file("spool.db");
  const std::string socket_ = dir_.file("admin.sock");
  std::unique_ptr<Sink> sink_;
  std::unique_ptr<Sidecar> sidecar_;
};

std::string all_up_to(long last, long expected, const std::string& key = "") {
  return "{\"filter\":{\"reason\":\"refused\"},\"highest_id\":" + std::to_string(last) +
         ",\"expected\":" + std::to_string(expected) +
         (key.empty() ? "" : ",\"key\":\"" + key + "\"") + "}";
}

TEST_F(DeadApi, TheCommandsSayTheSameFromTheSidecarAndFromTheFile) {
  bury(1200);
  start("http://127.0.0.1:1/", "payloads = full\n");
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"dead", "list"},
           {"dead", "list", "--json", "--limit", "7"},
           {"dead", "list", "--destination", "audit", "--status", "400"},
           {"dead", "list", "--destination", "nobody"},
           {"dead", "show", "7"},
           {"dead", "show", "9999"},
           {"dead", "retry", "--limit", "3", "--dry-run"},
           {"dead", "drop", "3", "9999"}}) {
    const Finished asked = outrider(words, at_sidecar());
    const Finished read = outrider(words, at_file());
    EXPECT_EQ(asked.out, read.out) << words[1];
    EXPECT_EQ(asked.err, read.err) << words[1];
    EXPECT_EQ(asked.status, read.status) << words[1];
  }
  EXPECT_EQ(outrider({"dead", "drop", "--limit", "700"}, at_sidecar()).out,
            "dropped 700 dead letters\n");
  EXPECT_EQ(outrider({"dead", "drop", "2", "1"}, at_config()).out, "dropped 2 dead letters\n");
  EXPECT_EQ(dead(), 498);
  EXPECT_NE(sidecar_->err().find("action=drop"), std::string::npos) << "not by the sidecar";
  EXPECT_EQ(std::ranges::count(outrider({"dead", "jobs"}, at_sidecar()).out, '\n'), 3);
}

TEST_F(DeadApi, TheCommandsSayHowToStartASidecarOrReadTheFile) {
  bury(3);
  const Finished nobody = outrider({"dead", "list"}, at_sidecar());
  EXPECT_EQ(nobody.status, 1);
  EXPECT_NE(nobody.err.find("start one with `outrider run"), std::string::npos) << nobody.err;
  EXPECT_NE(outrider({"dead", "jobs"}, at_sidecar()).err.find("start one"), std::string::npos);
  start("http://127.0.0.1:1/", "read_only = true\n");
  const Finished refused = outrider({"dead", "drop", "--all"}, at_config());
  EXPECT_EQ(refused.status, 1);
  EXPECT_NE(refused.err.find("[admin] read_only is set"), std::string::npos) << refused.err;
  const Finished shown = outrider({"dead", "show", "1"}, at_config());
  EXPECT_EQ(shown.status, 0);
  EXPECT_NE(shown.out.find("[redacted, 13 bytes]"), std::string::npos) << shown.out;
  EXPECT_NE(shown.err.find("[admin] payloads"), std::string::npos) << shown.err;
  EXPECT_EQ(shown.out.find("canary"), std::string::npos);
  sidecar_->stop();
  EXPECT_EQ(outrider({"dead", "drop", "1"}, at_config()).out, "dropped 1 dead letter\n");
  EXPECT_EQ(dead(), 2);
}

TEST_F(DeadApi, ARetryByFilterIsCountedFirstAndDoneOnce) {
  bury(2000);
  start_with_sink();
  const HttpReply wrong = ask(post("/v1/dead/retry", all_up_to(2000, 1999)));
  EXPECT_EQ(wrong.status, 409) << wrong.body;
  EXPECT_EQ(number_of(wrong.body, "counted"), 2000);
  EXPECT_EQ(dead(), 2000);
  const HttpReply asked = ask(post("/v1/dead/retry", all_up_to(2000, 2000, "once")));
  const long id = number_of(asked.body, "id");
  EXPECT_TRUE(asked.status == 202 || asked.status == 200) << asked.body;
  EXPECT_EQ(number_of(ask(post("/v1/dead/retry", all_up_to(2000, 2000, "once"))).body, "id"), id);
  EXPECT_TRUE(wait_for_job(id, "done"));
  EXPECT_EQ(number_of(ask(post("/v1/dead/retry", all_up_to(2000, 2000, "once"))).body, "id"), id);
  ASSERT_TRUE(wait_until_received(2000));
  sidecar_->stop();
  EXPECT_EQ(sorted(sink_->numbers()), range(1, 2000));
}

TEST_F(DeadApi, OfTwoRetriesOfOneLetterAtOnceOneIsRefused) {
  bury(20);
  start_with_sink();
  for (long id = 1; id <= 20; ++id) {
    const std::string request = post("/v1/dead/retry", "{\"ids\":[" + std::to_string(id) + "]}");
    HttpReply other;
    std::thread at_once([&] { other = ask(request); });
    const HttpReply one = ask(request);
    at_once.join();
    std::set<std::string> states;
    for (const HttpReply& reply : {one, other}) {
      const std::string job = "/v1/dead/jobs/" + std::to_string(number_of(reply.body, "id"));
      EXPECT_TRUE(eventually([&] {
        return number_of(get(job).body, "ended_at") != -1 &&
               get(job).body.find("\"ended_at\":null") == std::string::npos;
      }));
      states.insert(get(job).body.find("\"state\":\"done\"") != std::string::npos ? "done"
                                                                                  : "refused");
      // A slow disk is no reason to fail: then the job says it.
      EXPECT_TRUE(reply.status == 200 || reply.status == 409 || reply.status == 202);
    }
    EXPECT_EQ(states.size(), 2U) << one.body << other.body;
  }
  ASSERT_TRUE(wait_until_received(20));
  sidecar_->stop();
  EXPECT_EQ(sorted(sink_->numbers()), range(1, 20));
}

TEST_F(DeadApi, ARetryWaitsForADestinationThatIsDownUntilItIsCancelled) {
  bury(10'000);
  start("http://127.0.0.1:1/");
  const Finished retried = outrider({"dead", "retry", "--all"}, at_sidecar());
  EXPECT_EQ(retried.status, 0) << retried.err;
  EXPECT_NE(retried.err.find("job 1 goes on in the sidecar"), std::string::npos) << retried.err;
  EXPECT_NE(outrider({"dead", "jobs"}, at_sidecar()).out.find("paced"), std::string::npos);
  EXPECT_EQ(outrider({"dead", "cancel", "1"}, at_sidecar()).status, 0);
  EXPECT_TRUE(wait_for_job(1, "cancelled"));
  const long left = dead();
  EXPECT_GT(left, 0);
  EXPECT_EQ(number_of(get("/v1/dead/jobs/1").body, "changed"), 10'000 - left);
  EXPECT_NE(sidecar_->err().find("result=cancelled"), std::string::npos);
  sidecar_->stop();
  start_with_sink();
  ASSERT_TRUE(wait_until_received(10'000 - left));
  EXPECT_EQ(outrider({"dead", "retry", "--all"}, at_sidecar()).out,
            "put back " + std::to_string(left) + " dead letters\n");
  ASSERT_TRUE(wait_until_received(10'000));
  sidecar_->stop();
  EXPECT_EQ(sorted(sink_->numbers()), range(1, 10'000));
}

TEST_F(DeadApi, ARestartInTheMiddleOfAJobLosesAndDoublesNothing) {
  bury(10'000);
  start("http://127.0.0.1:1/");
  ask(post("/v1/dead/retry", all_up_to(10'000, 10'000, "k")));
  ASSERT_TRUE(eventually([&] { return number_of(get("/v1/dead/jobs/1").body, "changed") > 500; }));
  sidecar_->process().signal(SIGKILL);
  sidecar_->process().wait();
  start_with_sink();
  const long left = dead();
  EXPECT_GT(left, 0);
  EXPECT_LT(left, 10'000);
  // Nobody remembers the key: the count says that it is not the same any more.
  EXPECT_EQ(ask(post("/v1/dead/retry", all_up_to(10'000, 10'000, "k"))).status, 409);
  ask(post("/v1/dead/retry", all_up_to(10'000, left)));
  ASSERT_TRUE(wait_until_received(10'000));
  EXPECT_EQ(dead(), 0);
  sidecar_->stop();
  EXPECT_EQ(sorted(sink_->numbers()), range(1, 10'000));
}

TEST_F(DeadApi, RetriedLettersKeepTheRateOfTheirDestination) {
  bury(200);
  sink_ = std::make_unique<Sink>(dir_, std::vector<std::string>{"--plain"});
  start(sink_->url() + "\nrate_max = 50 events/s\nbatch_events_max = 10");
  const auto begin = Clock::now();
  EXPECT_EQ(outrider({"dead", "retry", "--all"}, at_sidecar()).out, "put back 200 dead letters\n");
  ASSERT_TRUE(wait_until_received(200));
  EXPECT_GE(Clock::now() - begin, 2s);
  sidecar_->stop();
  EXPECT_EQ(sorted(sink_->numbers()), range(1, 200));
}

TEST_F(DeadApi, AHundredThousandAreListedInTimeAndTheLogShrinksMeanwhile) {
  constexpr long letters = 100'000;
  bury(letters);
  start("http://127.0.0.1:1/");
  std::atomic<bool> is_done = false;
  Pages all;
  Pages none;
  std::thread reader([&] {
    all = read_pages("", 20ms);
    none = read_pages("&topic=users.new", 0ms);
    is_done = true;
  });
  // More than the log is to hold, several times.
  Options options;
  options.endpoint = sidecar_->endpoint().c_str();
  Client client(options);
  const std::string filler(16U << 10U, 'x');
  long emitted = 0;
  std::uintmax_t longest = 0;
  for (; !is_done || emitted < 4000; ++emitted) {
    if (emitted >= 8000) {
      std::this_thread::sleep_for(10ms);
      continue;
    }
    ASSERT_EQ(client.emit_wait(10s, "orders.paid", {{"n", emitted}, {"filler", filler}}),
              Status::ok);
    longest = std::max(longest, std::filesystem::file_size(spool_ + "-wal"));
  }
  reader.join();
  EXPECT_EQ(all.letters, letters);
  EXPECT_EQ(none.letters, 0);
  EXPECT_LE(all.usual_time(), 100ms);
  EXPECT_LE(none.usual_time(), 100ms);
  std::printf("longest log %ju KiB\n", longest >> 10U);
  EXPECT_LE(longest, 48U << 20U) << "a reader has kept the log from shrinking";
}

TEST_F(DeadApi, AFullDiskLosesNothing) {
  if (geteuid() != 0) GTEST_SKIP() << "takes root to have a disk of its own";
  SmallDisk disk(dir_.file("disk"), 128U << 20U);
  if (!disk.is_small()) GTEST_SKIP() << "no disk of its own";
  spool_ = dir_.file("disk") + "/spool.db";
  bury(20'000);
  start("http://127.0.0.1:1/");
  disk.fill(0);
  ask(post("/v1/dead/retry", all_up_to(20'000, 20'000)));
  ASSERT_TRUE(eventually([&] {
    const std::string body = get("/v1/dead/jobs/1").body;
    return body.find("\"paced\"") != std::string::npos ||
           body.find("\"failed\"") != std::string::npos;
  }));
  const HttpReply job = get("/v1/dead/jobs/1");
  sidecar_->process().signal(SIGKILL);
  sidecar_->process().wait();
  disk.drain();
  start_with_sink();
  EXPECT_EQ(number_of(job.body, "changed"), 20'000 - dead());
  EXPECT_EQ(outrider({"dead", "retry", "--all"}, at_sidecar()).status, 0);
  ASSERT_TRUE(wait_until_received(20'000));
  EXPECT_EQ(sorted(sink_->numbers()), range(1, 20'000));
}

}  // namespace
}  // namespace outrider::test
