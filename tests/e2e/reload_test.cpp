// Reloads of the real program: by signal, by command, wrong ones, and in the middle of things.

#include <filesystem>
#include <thread>

#include "e2e/e2e_fixture.hpp"
#include "support/fault_receiver.hpp"

namespace outrider::test {
namespace {

class ReloadTest : public ::testing::Test {
 protected:
  void start(const std::string& config) { sidecar_.emplace(dir_, config); }
  void write_config(const std::string& config) const {
    write_file(dir_.file("outrider.conf"), config);
  }
  Finished reload() const {
    return run({outrider_binary(), "reload", "--admin", "unix://" + dir_.file("admin.sock")});
  }
  std::string stats() const {
    return run({outrider_binary(), "stats", "--json", "--admin",
                "unix://" + dir_.file("admin.sock")})
        .out;
  }
  std::string file_destination(const std::string& name, const std::string& more = "") const {
    return "[destination." + name +
           "]\ntype = file\nformat = ndjson\npath = " + dir_.file(name + ".ndjson") + "\n" + more +
           "\n";
  }
  std::string spool() const {
    return "[spool]\npath = " + dir_.file("spool.db") + "\nfree_bytes_min = 0\n[ingest]\n" +
           "confirm_endpoint = ipc://" + dir_.file("c.sock") + "\n";
  }
  std::vector<long> numbers(const std::string& name) const {
    std::vector<long> found;
    const std::string text = read_file(dir_.file(name + ".ndjson"));
    for (std::size_t at = 0; (at = text.find("\"n\":", at)) != std::string::npos; at += 4) {
      found.push_back(std::atol(text.c_str() + at + 4));  // NOLINT(cert-err34-c)
    }
    return found;
  }
  TempDir dir_;
  std::optional<Sidecar> sidecar_;
};

TEST_F(ReloadTest, SighupUnderLoadLosesAndDoublesNothing) {
  constexpr std::size_t sent_max = 500'000;
  std::size_t sent = 0;
  const Sink sink(dir_);
  start(https_destination("audit", sink, roomy_queue));
  std::jthread reloads([&](const std::stop_token& stop) {
    for (int i = 0; !stop.stop_requested(); ++i) {
      write_config(https_destination("audit", sink,
                                     roomy_queue + "timeout = " + std::to_string(10 + i % 5) +
                                         "s\nbatch_events_max = " + std::to_string(50 + i % 7)));
      sidecar_->process().signal(SIGHUP);
      std::this_thread::sleep_for(20ms);
    }
  });
  {
    Client sender(sidecar_->endpoint());
    // The load goes on until a reload has ended beside it.
    const auto is_reloaded = [&] { return sidecar_->err().find("by=SIGHUP") != std::string::npos; };
    for (; sent < 30'000 || (!is_reloaded() && sent < sent_max); sent += 10'000) {
      emit_numbers(sender, sent + 1, sent + 10'000);
      ASSERT_TRUE(eventually([&] { return sink.numbers().size() >= sent; }));
    }
  }
  EXPECT_TRUE(eventually([&] { return sink.numbers().size() >= sent; }));
  reloads.request_stop();
  reloads.join();
  EXPECT_EQ(sidecar_->stop(), 0) << sidecar_->err();
  EXPECT_EQ(sorted(sink.numbers()), range(1, sent));
  EXPECT_NE(sidecar_->err().find("by=SIGHUP"), std::string::npos);
}

TEST_F(ReloadTest, ADestinationIsAddedAndRemoved) {
  start(file_destination("one"));
  Client sender(sidecar_->endpoint());
  emit_numbers(sender, 1, 10);
  EXPECT_TRUE(eventually([&] { return numbers("one").size() == 10; }));
  write_config(file_destination("one") + file_destination("two"));
  const Finished added = reload();
  EXPECT_EQ(added.status, 0) << added.err;
  EXPECT_EQ(added.out, "added: destination.two\n");
  emit_numbers(sender, 11, 20);
  EXPECT_TRUE(eventually([&] { return numbers("two").size() == 10; }));
  write_config(file_destination("two"));
  EXPECT_EQ(reload().out, "removed: destination.one\n");
  emit_numbers(sender, 21, 30);
  EXPECT_TRUE(eventually([&] { return numbers("two").size() == 20; }));
  EXPECT_TRUE(
      sidecar_->process().wait_for_line("a removed destination has left", Process::Stream::err));
  EXPECT_NE(stats().find("\"is_removed\":true"), std::string::npos);
  EXPECT_EQ(sidecar_->stop(), 0) << sidecar_->err();
  EXPECT_EQ(numbers("one"), range(1, 20));
  EXPECT_EQ(numbers("two"), range(11, 30));
  EXPECT_EQ(sidecar_->ledger("one").delivered, 20U);
}

TEST_F(ReloadTest, AnErrorInTheFileChangesNothing) {
  start(file_destination("one"));
  write_config(file_destination("one", "nonsense = 1\nbatch_delay = never\n"));
  const Finished wrong = reload();
  EXPECT_EQ(wrong.status, 2);
  EXPECT_NE(wrong.err.find("nonsense"), std::string::npos) << wrong.err;
  EXPECT_NE(wrong.err.find("batch_delay"), std::string::npos) << "all errors: " << wrong.err;
  EXPECT_NE(stats().find("\"is_last_reload_good\":false"), std::string::npos) << stats();
  write_config(file_destination("one"));
  EXPECT_EQ(reload().status, 0);
  EXPECT_NE(stats().find("\"is_last_reload_good\":true"), std::string::npos);
  EXPECT_EQ(sidecar_->stop(), 0);
}

TEST_F(ReloadTest, ItTakesNothingWithWhichAStartWouldFail) {
  start(file_destination("one"));
  write_config(file_destination("one") +
               "[destination.two]\ntype = file\npath = " + dir_.file("outrider.conf") + "\n");
  const Finished refused = reload();
  EXPECT_EQ(refused.status, 2);
  EXPECT_NE(refused.err.find("is also used by another setting"), std::string::npos) << refused.err;
  write_config(file_destination("one") + file_destination("two"));
  EXPECT_EQ(reload().status, 0);
  EXPECT_EQ(sidecar_->stop(), 0);
}

TEST_F(ReloadTest, AChangeThatNeedsARestartIsRefusedAndNamed) {
  start(file_destination("one"));
  write_config(file_destination("one") + file_destination("two") + "[log]\nformat = json\n");
  const Finished refused = reload();
  EXPECT_EQ(refused.status, 2);
  EXPECT_NE(refused.err.find("log.format has changed from \"text\" to \"json\", which requires a "
                             "restart"),
            std::string::npos)
      << refused.err;
  EXPECT_EQ(stats().find("\"name\":\"two\""), std::string::npos);
  EXPECT_EQ(sidecar_->stop(), 0);
}

TEST_F(ReloadTest, WithoutASidecarTheStatusIsOne) {
  EXPECT_EQ(reload().status, 1);
}

TEST_F(ReloadTest, SettingsOfTheCommandLineStay) {
  const std::string file = dir_.file("outrider.conf");
  write_config(file_destination("one") + "[shutdown]\nlinger = 3s\n");
  Process process({outrider_binary(), "run", "--config", file, "--ingest.endpoint",
                   "ipc://" + dir_.file("o.sock"), "--shutdown.linger=4s"});
  ASSERT_TRUE(process.wait_for_line(" ready ", Process::Stream::err));
  write_config(file_destination("one") + "[shutdown]\nlinger = 5s\n[log]\nlevel = debug\n");
  const Finished done = reload();
  EXPECT_EQ(done.status, 0) << done.err;
  EXPECT_EQ(done.out, "changed (live): log.level: info -> debug\n");
}

/// Its receiver refuses the old token. The file is swapped as Kubernetes does it.
TEST_F(ReloadTest, AHeldDestinationIsProbedWithinASecondAfterItsTokenChanged) {
  FaultReceiver receiver;
  const auto by_token = [](const Arrival& arrival) {
    return answer(arrival.header("Authorization") == "Bearer new" ? 200 : 401);
  };
  receiver.script_requests({}, {read_all(), choose(by_token)});
  for (const char* version : {"old", "new"}) {
    std::filesystem::create_directory(dir_.file(version));
    write_file(dir_.file(version) + "/token", std::string(version) + "\n");
  }
  std::filesystem::create_directory_symlink("old", dir_.file("..data"));
  std::filesystem::create_symlink("..data/token", dir_.file("token"));
  start("[destination.audit]\ntype = http\nurl = " + receiver.url() +
        "\nbearer_token_file = " + dir_.file("token") + "\nretry_initial = 1h\nretry_max = 1h\n");
  Client sender(sidecar_->endpoint());
  emit_numbers(sender, 1, 10);
  ASSERT_TRUE(sidecar_->process().wait_for_line("refuses our credentials", Process::Stream::err))
      << sidecar_->err();
  std::filesystem::create_directory_symlink("new", dir_.file("..next"));
  std::filesystem::rename(dir_.file("..next"), dir_.file("..data"));
  const std::size_t before = receiver.arrivals().size();
  const auto begin = std::chrono::steady_clock::now();
  sidecar_->process().signal(SIGHUP);
  EXPECT_TRUE(eventually([&] { return receiver.arrivals().size() > before; }));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 1s);
  EXPECT_EQ(sidecar_->stop(), 0) << sidecar_->err();
  EXPECT_EQ(sidecar_->ledger("audit").delivered, 10U);
}

TEST_F(ReloadTest, AStopDuringAReloadWins) {
  start(file_destination("one"));
  write_config(file_destination("one") + file_destination("two"));
  for (int i = 0; i < 20; ++i) sidecar_->process().signal(SIGHUP);
  sidecar_->process().signal(SIGTERM);
  EXPECT_EQ(sidecar_->process().wait(10s), 0) << sidecar_->err();
  EXPECT_FALSE(std::filesystem::exists(dir_.file("admin.sock.lock")));
  EXPECT_FALSE(std::filesystem::exists(dir_.file("admin.sock")));
}

TEST_F(ReloadTest, EventsOnDiskWaitForTheirDestinationToComeBack) {
  const std::string broken =
      "[destination.audit]\ntype = http\nurl = http://127.0.0.1:1/\n"
      "on_remove = spool\nwhen_full = spool\nqueue_events_max = 10\n"
      "batch_events_max = 5\nretry_initial = 100ms\nretry_max = 100ms\n";
  start(spool() + file_destination("one") + broken);
  Client sender(sidecar_->endpoint());
  emit_numbers(sender, 1, 100);
  EXPECT_TRUE(eventually([&] { return numbers("one").size() == 100; }));
  write_config(spool() + file_destination("one"));
  EXPECT_EQ(reload().status, 0);
  ASSERT_TRUE(
      sidecar_->process().wait_for_line("a removed destination has left", Process::Stream::err))
      << sidecar_->err();
  const Sink sink(dir_);
  write_config(spool() + file_destination("one") + https_destination("audit", sink));
  const Finished back = reload();
  EXPECT_EQ(back.status, 0) << back.err;
  EXPECT_TRUE(eventually([&] { return sink.numbers().size() == 100; })) << sidecar_->err();
  EXPECT_EQ(sidecar_->stop(), 0) << sidecar_->err();
  EXPECT_EQ(sorted(sink.numbers()), range(1, 100));
  EXPECT_EQ(sidecar_->ledger("audit").accepted, 100U);
}

}  // namespace
}  // namespace outrider::test
