// What people do to a spool with `outrider dead` and `outrider spool`, beside a running sidecar and
// without one.

#include <unistd.h>

#include "e2e/e2e_fixture.hpp"
#include "support/places.hpp"

namespace outrider::test {
namespace {

class DeadLetters : public testing::Test {
 protected:
  /// The receiver refuses the first `dead` requests, of one event each.
  void start(const std::string& dead) {
    sink_ = std::make_unique<Sink>(
        dir_, std::vector<std::string>{"--plain", "--fail-first", dead, "--fail-status", "400"});
    start_sidecar();
  }

  void start_sidecar(const std::string& url = {}) {
    sidecar_ = std::make_unique<Sidecar>(
        dir_,
        "[ingest]\nconfirm_endpoint = ipc://" + dir_.file("c.sock") +
            "\n[spool]\npath = " + spool_ +
            "\nfree_bytes_min = 0\n[shutdown]\nlinger = 1s\n[destination.audit]\n"
            "type = http\nbatch_events_max = 1\nwhen_full = spool\nretry_initial = 50ms\nurl = " +
            (url.empty() ? sink_->url() : url) + "\n");
  }

  Client client() const {
    Options options;
    options.endpoint = sidecar_->endpoint().c_str();
    return Client(options);
  }

  Finished outrider(std::vector<std::string> words) const {
    words.insert(words.begin(), test::outrider_binary());
    words.insert(words.end(), {"--spool", spool_});
    return run(std::move(words));
  }

  std::size_t count(const std::vector<std::string>& words) const {
    const Finished result = outrider(words);
    EXPECT_EQ(result.status, 0) << result.err;
    return static_cast<std::size_t>(std::ranges::count(result.out, '\n'));
  }
  std::size_t dead() const { return count({"dead", "list", "--json"}); }

  /// The ids in lines of JSON events, sorted.
  static std::set<std::string> ids(const std::string& lines) {
    std::set<std::string> found;
    const std::string key = "{\"id\":\"";
    for (std::size_t at = 0; (at = lines.find(key, at)) != std::string::npos; ++at) {
      found.insert(lines.substr(at + key.size(), 36));
    }
    return found;
  }

  const TempDir dir_;
  const std::string spool_ = dir_.file("spool.db");
  std::unique_ptr<Sink> sink_;
  std::unique_ptr<Sidecar> sidecar_;
};

TEST_F(DeadLetters, RetryBesideARunningSidecarDeliversThemOnceWithTheSameIds) {
  start("3");
  Client sender = client();
  emit_numbers(sender, 1, 3);
  ASSERT_TRUE(eventually([&] { return dead() == 3; }));
  const auto issued = ids(outrider({"spool", "export", "--state", "dead"}).out);
  ASSERT_EQ(issued.size(), 3U);

  EXPECT_EQ(outrider({"dead", "retry", "--all", "--dry-run"}).status, 0);
  EXPECT_EQ(outrider({"dead", "drop", "--reason", "refused", "--dry-run"}).status, 0);
  EXPECT_EQ(dead(), 3U);

  EXPECT_EQ(outrider({"dead", "retry", "--status", "400"}).out, "put back 3 dead letters\n");
  ASSERT_TRUE(eventually([&] { return sink_->numbers().size() >= 3; }));
  // Behind them, and nothing again.
  emit_numbers(sender, 4, 4);
  ASSERT_TRUE(eventually([&] { return sink_->numbers().size() >= 4; }));
  EXPECT_EQ(sorted(sink_->numbers()), range(1, 4));
  EXPECT_TRUE(std::ranges::includes(ids(sink_->output()), issued));
  EXPECT_EQ(dead(), 0U);
  EXPECT_EQ(outrider({"spool", "verify"}).status, 0);

  sidecar_->stop();
  EXPECT_EQ(sorted(sink_->numbers()), range(1, 4));
  const Finished left = outrider({"spool", "export"});
  EXPECT_EQ(left.out, "");
  EXPECT_EQ(outrider({"spool", "verify"}).status, 0);
}

TEST_F(DeadLetters, ARunningSidecarTakesItsLockAgainAndHearsOfWhatIsPutBack) {
  start("2");
  Client sender = client();
  emit_numbers(sender, 1, 2);
  ASSERT_TRUE(eventually([&] { return dead() == 2; }));
  // Quiet, it is told by the system alone.
  ASSERT_EQ(unlink((spool_ + ".lock").c_str()), 0);
  ASSERT_TRUE(eventually([&] { return access((spool_ + ".lock").c_str(), F_OK) == 0; }));
  EXPECT_EQ(outrider({"dead", "retry", "--all"}).out, "put back 2 dead letters\n");
  EXPECT_TRUE(eventually([&] { return sink_->numbers().size() >= 2; }));
  EXPECT_EQ(sorted(sink_->numbers()), range(1, 2));
}

TEST_F(DeadLetters, WhatIsPutBackWithoutASidecarIsSentByTheNext) {
  start("3");
  Client sender = client();
  emit_numbers(sender, 1, 3);
  ASSERT_TRUE(eventually([&] { return dead() == 3; }));
  sidecar_->stop();

  EXPECT_EQ(outrider({"dead", "drop", "--limit", "1"}).out, "dropped 1 dead letter\n");
  // Three requests at once may be refused in any order, so which one was dropped is not known.
  const auto kept = ids(outrider({"spool", "export"}).out);
  EXPECT_EQ(kept.size(), 2U);
  EXPECT_EQ(outrider({"dead", "retry", "--all"}).out, "put back 2 dead letters\n");
  EXPECT_EQ(outrider({"spool", "verify"}).status, 0);

  start_sidecar();
  ASSERT_TRUE(eventually([&] { return sink_->numbers().size() >= 2; }));
  sidecar_->stop();
  EXPECT_EQ(ids(sink_->output()), kept);
  EXPECT_EQ(sink_->numbers().size(), 2U);
  EXPECT_EQ(outrider({"spool", "export"}).out, "");
}

TEST_F(DeadLetters, ARunningSidecarsSpoolIsReadAtOneMoment) {
  start_sidecar("http://127.0.0.1:1/");
  constexpr int events = 400;
  Process emit({test::outrider_binary(), "emit", "--confirm", "--confirm-endpoint",
                "ipc://" + dir_.file("c.sock"), "--stdin"});
  std::size_t last = 0;
  for (int n = 1; n <= events; ++n) {
    emit.write("{\"topic\":\"orders.paid\",\"data\":{\"n\":" + std::to_string(n) + "}}\n");
    if (n % 50 != 0) continue;
    const Finished verified = outrider({"spool", "verify"});
    EXPECT_EQ(verified.status, 0) << verified.out << verified.err;
    const std::size_t now = count({"spool", "export", "--state", "spooled"});
    EXPECT_GE(now, last);
    last = now;
  }
  emit.close_input();
  EXPECT_EQ(emit.wait(), 0);
  EXPECT_EQ(count({"spool", "export", "--state", "spooled"}), events);
  EXPECT_NE(outrider({"spool", "info"}).out.find("in use by a sidecar"), std::string::npos);
  EXPECT_EQ(outrider({"spool", "drop", "--destination", "audit"}).status, 1);

  sidecar_->process().signal(SIGKILL);
  sidecar_->process().wait();
  EXPECT_EQ(outrider({"spool", "verify"}).status, 0);
  EXPECT_EQ(count({"spool", "export"}), events);
  EXPECT_EQ(outrider({"spool", "drop", "--destination", "audit"}).status, 0);
  EXPECT_EQ(count({"spool", "export"}), 0U);
}

/// Runs the command as a user who may do nothing here.
TEST_F(DeadLetters, WhoMayNotReadIsToldSo) {
  if (geteuid() != 0) GTEST_SKIP() << "takes root to become somebody else";
  start("0");
  sidecar_->stop();
  const Finished refused =
      run({"setpriv", "--reuid", "65534", "--clear-groups", "--no-new-privs",
           test::outrider_binary(), "dead", "retry", "--all", "--spool", spool_});
  if (refused.status == 127) GTEST_SKIP() << "there is no setpriv";
  EXPECT_EQ(refused.status, 1);
  EXPECT_NE(refused.err.find("as the user that the sidecar runs as"), std::string::npos)
      << refused.err;
}

}  // namespace
}  // namespace outrider::test
