// Receivers that fail, restart and throttle; sidecars that are stopped, doubled and killed.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "e2e/e2e_fixture.hpp"
#include "e2e/servers.hpp"
#include "support/certificate.hpp"
#include "support/places.hpp"

namespace outrider::test {
namespace {

/// Emits until told to stop, in a thread of its own.
class Emitter {
 public:
  explicit Emitter(const std::string& endpoint)
      : client_(endpoint), thread_([this] {
          while (!is_stopped_) {
            if (client_.emit_wait(1s, "orders.paid", {{"n", count_ + 1}}) == Status::ok) ++count_;
            if (count_ % 20 == 0) std::this_thread::sleep_for(1ms);
          }
        }) {}

  long count() const { return count_; }

  /// Everything emitted has been handed over. Returns how many that are.
  long finish() {
    stop();
    EXPECT_TRUE(client_.flush(20s));
    return count_;
  }
  void stop() {
    is_stopped_ = true;
    if (thread_.joinable()) thread_.join();
  }
  ~Emitter() { stop(); }

 private:
  Client client_;
  std::atomic<bool> is_stopped_ = false;
  std::atomic<long> count_ = 0;
  std::thread thread_;
};

TEST(Failure, AReceiverThatIsKilledAndComesBackGetsEverything) {
  const TempDir dir;
  auto sink = std::make_unique<Sink>(dir);
  const std::string port = sink->port();
  const Certificate certificate = make_certificate(dir.path());
  sink = nullptr;
  const std::vector<std::string> tls = {"--cert", certificate.cert_file, "--key",
                                        certificate.key_file};
  sink = std::make_unique<Sink>(dir, tls, "sink", port);
  Sidecar sidecar(dir, "[destination.audit]\ntype = http\nurl = " + sink->url() +
                           "/\nca_file = " + certificate.cert_file +
                           "\nretry_initial = 20ms\nretry_max = 200ms\n" + roomy_queue);
  Emitter emitter(sidecar.endpoint());
  for (int kills = 0; kills < 3; ++kills) {
    const std::size_t before = sink->numbers().size();
    ASSERT_TRUE(eventually([&] { return sink->numbers().size() > before + 500; }));
    sink->process().signal(SIGKILL);
    ASSERT_TRUE(sink->process().wait());
    const long count = emitter.count();
    ASSERT_TRUE(eventually([&] { return emitter.count() > count + 200; }))
        << "the app does not notice";
    sink = std::make_unique<Sink>(dir, tls, "sink", port);
  }
  const long count = emitter.finish();
  EXPECT_EQ(sidecar.stop(), 0) << sidecar.err();
  EXPECT_EQ(distinct(sink->numbers()).size(), static_cast<std::size_t>(count))
      << "the output file goes on from sink to sink";
  EXPECT_EQ(sidecar.ledger("audit").delivered, static_cast<std::uint64_t>(count));
}

TEST(Failure, NginxOverTlsIsReloadedAndRestartedInMidStream) {
  const TempDir dir;
  Sink sink(dir, {"--plain"});
  Nginx nginx(dir, sink.url());
  Sidecar sidecar(dir, "[destination.audit]\ntype = http\nurl = " + nginx.url() +
                           "\nca_file = " + nginx.ca_file() +
                           "\nretry_initial = 20ms\nretry_max = 200ms\n" + roomy_queue);
  Emitter emitter(sidecar.endpoint());
  ASSERT_TRUE(eventually([&] { return sink.numbers().size() > 500; }))
      << sidecar.err() << nginx.error_log();
  nginx.reload();
  const std::size_t reloaded = sink.numbers().size();
  ASSERT_TRUE(eventually([&] { return sink.numbers().size() > reloaded + 500; }));
  nginx.stop();
  const long count = emitter.count();
  ASSERT_TRUE(eventually([&] { return emitter.count() > count + 200; }));
  nginx.start();
  const long total = emitter.finish();
  EXPECT_EQ(sidecar.stop(), 0) << sidecar.err();
  EXPECT_EQ(distinct(sink.numbers()).size(), static_cast<std::size_t>(total));
}

TEST(Failure, A503WithRetryAfterIsWaitedFor) {
  const TempDir dir;
  Sink sink(dir, {"--fail-first", "1", "--retry-after", "2"});
  Sidecar sidecar(dir, https_destination("audit", sink));
  Client client(sidecar.endpoint());
  const auto begin = std::chrono::steady_clock::now();
  emit_numbers(client, 1, 10);
  ASSERT_TRUE(eventually([&] { return sink.numbers().size() == 10; }));
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 2s);
  EXPECT_EQ(sidecar.stop(), 0);
  EXPECT_EQ(sorted(sink.numbers()), range(1, 10));
}

TEST(Failure, ARefusedBatchIsADeadLetterAndIsSaid) {
  const TempDir dir;
  Sink sink(dir, {"--status", "400"});
  Sidecar sidecar(dir, https_destination("audit", sink));
  Client client(sidecar.endpoint());
  emit_numbers(client, 1, 3);
  EXPECT_TRUE(client.flush(10s));
  EXPECT_EQ(sidecar.stop(), 3);
  EXPECT_EQ(sidecar.ledger("audit").dead, 3U);
  EXPECT_NE(sidecar.err().find("dead letters destination=audit reason=refused"), std::string::npos)
      << sidecar.err();
}

TEST(Failure, ACertificateThatIsNotTrustedHoldsTheEvents) {
  const TempDir dir;
  Sink sink(dir);
  Sidecar sidecar(dir, "[destination.audit]\ntype = http\nurl = " + sink.url() +
                           "/\n[shutdown]\nlinger = 1s\n");
  Client client(sidecar.endpoint());
  emit_numbers(client, 1, 3);
  EXPECT_TRUE(sidecar.process().wait_for_line("certificate", Process::Stream::err));
  EXPECT_EQ(sidecar.stop(), 3);
  EXPECT_EQ(sidecar.ledger("audit").left, 3U);
  EXPECT_TRUE(sink.numbers().empty());
}

TEST(Stop, SigtermUnderLoadDeliversWhatWasAcceptedAndTheLedgerAddsUp) {
  const TempDir dir;
  Sink sink(dir);
  Sidecar sidecar(dir, https_destination("audit", sink, roomy_queue));
  std::vector<std::unique_ptr<Emitter>> emitters;
  for (int i = 0; i < 3; ++i) emitters.push_back(std::make_unique<Emitter>(sidecar.endpoint()));
  ASSERT_TRUE(eventually([&] { return sink.numbers().size() > 2000; }));
  EXPECT_EQ(sidecar.stop(), 0) << sidecar.err();
  const LedgerRow row = sidecar.ledger("audit");
  EXPECT_EQ(row.accepted, row.delivered);
  EXPECT_EQ(sink.numbers().size(), row.delivered);
}

TEST(Stop, ADeadReceiverCostsTheLingerTimeAndTheLossIsSaid) {
  const TempDir dir;
  Sidecar sidecar(dir,
                  "[destination.audit]\ntype = http\nurl = http://127.0.0.1:1/\n"
                  "[shutdown]\nlinger = 1s\n");
  Client client(sidecar.endpoint());
  emit_numbers(client, 1, 10);
  EXPECT_TRUE(client.flush(10s));
  EXPECT_EQ(sidecar.stop(), 3);
  EXPECT_EQ(sidecar.ledger("audit").left, 10U);
}

TEST(Stop, NobodyWhoReadsItsReportCannotHoldUpTheEnd) {
  const TempDir dir;
  std::string config = "[shutdown]\nlinger = 200ms\n";
  for (int i = 0; i < 1000; ++i) {
    config += "[destination.d" + std::to_string(i) + "]\ntype = http\nurl = http://127.0.0.1:1/\n";
  }
  write_file(dir.file("outrider.conf"), config);
  // A pipe that is never read; the report is larger than it.
  ASSERT_EQ(mkfifo(dir.file("err").c_str(), 0600), 0);
  const int reader = open(dir.file("err").c_str(), O_RDWR);
  ASSERT_GE(reader, 0);
  const std::string endpoint = dir.file("o.sock");
  Process sidecar({"/bin/sh", "-c", "exec \"$0\" \"$@\" 2>" + dir.file("err"),
                   test::outrider_binary(), "run", "--config", dir.file("outrider.conf"),
                   "--ingest.endpoint=ipc://" + endpoint});
  Client client("ipc://" + endpoint);
  ASSERT_TRUE(eventually([&] {
    return client.emit("a.b", {{"n", 1}}) == Status::ok && client.flush(100ms);
  }));
  const auto begin = std::chrono::steady_clock::now();
  sidecar.signal(SIGTERM);
  EXPECT_TRUE(sidecar.wait(10s));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s)
      << "linger and a second, and a busy machine";
  close(reader);
}

TEST(Stop, ASecondSignalEndsAtOnce) {
  const TempDir dir;
  Sidecar sidecar(dir,
                  "[destination.audit]\ntype = http\nurl = http://127.0.0.1:1/\n"
                  "[shutdown]\nlinger = 10m\n");
  Client client(sidecar.endpoint());
  emit_numbers(client, 1, 10);
  EXPECT_TRUE(client.flush(10s));
  sidecar.process().signal(SIGINT);
  ASSERT_TRUE(sidecar.process().wait_for_line("stopping", Process::Stream::err));
  // Again and again: what comes within 200 ms of the first counts as the same.
  std::optional<int> status;
  EXPECT_TRUE(eventually([&] {
    sidecar.process().signal(SIGTERM);
    status = sidecar.process().wait(100ms);
    return status.has_value();
  }));
  EXPECT_EQ(status, 3);
}

TEST(Start, ASecondSidecarOnTheSameEndpointIsRefusedAndTheFirstGoesOn) {
  const TempDir dir;
  Sink sink(dir);
  Sidecar first(dir, https_destination("audit", sink));
  Sidecar second(dir, https_destination("audit", sink), false);
  EXPECT_EQ(second.process().wait(), 1);
  EXPECT_NE(second.err().find("another sidecar"), std::string::npos) << second.err();
  Client client(first.endpoint());
  emit_numbers(client, 1, 10);
  EXPECT_TRUE(client.flush(10s));
  EXPECT_EQ(first.stop(), 0);
  EXPECT_EQ(sorted(sink.numbers()), range(1, 10));
}

TEST(Start, TheSocketOfAKilledSidecarIsCleanedUpAndClientsComeBack) {
  const TempDir dir;
  Sink sink(dir);
  auto sidecar = std::make_unique<Sidecar>(dir, https_destination("audit", sink));
  Client client(sidecar->endpoint());
  emit_numbers(client, 1, 10);
  ASSERT_TRUE(eventually([&] { return sink.numbers().size() == 10; }));
  sidecar->process().signal(SIGKILL);
  ASSERT_TRUE(sidecar->process().wait());
  emit_numbers(client, 11, 20);
  sidecar = std::make_unique<Sidecar>(dir, https_destination("audit", sink));
  ASSERT_TRUE(eventually([&] { return sink.numbers().size() == 20; }))
      << "what was emitted in between is sent to the next one";
  EXPECT_EQ(sidecar->stop(), 0);
  EXPECT_EQ(sorted(sink.numbers()), range(1, 20));
}

TEST(Start, AWrongConfigurationIsStatusTwoWithFileAndLine) {
  const TempDir dir;
  Sidecar sidecar(dir, "[destination.audit]\ntype = http\nurl = https://h/\ntimeot = 5s\n", false);
  EXPECT_EQ(sidecar.process().wait(), 2);
  EXPECT_NE(sidecar.err().find("outrider.conf:4: "), std::string::npos) << sidecar.err();
  EXPECT_NE(sidecar.err().find("timeout"), std::string::npos) << sidecar.err();
}

TEST(Start, TellsSystemdWhenItIsReadyAndWhenItStops) {
  const TempDir dir;
  Sink sink(dir);
  const std::string listen =
      "import socket,sys\ns=socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
      "s.bind(sys.argv[1])\nprint('bound', flush=True)\n"
      "while True:\n  print(s.recv(100).decode(), flush=True)\n";
  Process systemd({"/usr/bin/python3", "-c", listen, dir.file("notify")});
  ASSERT_TRUE(systemd.wait_for_line("bound"));
  write_file(dir.file("outrider.conf"), https_destination("audit", sink));
  Process sidecar({test::outrider_binary(), "run", "--config", dir.file("outrider.conf"),
                   "--ingest.endpoint=ipc://" + dir.file("o.sock")},
                  {.environment = {"NOTIFY_SOCKET=" + dir.file("notify")}});
  EXPECT_TRUE(systemd.wait_for_line("READY=1"));
  sidecar.signal(SIGTERM);
  EXPECT_TRUE(systemd.wait_for_line("STOPPING=1"));
  EXPECT_EQ(sidecar.wait(), 0);
}

}  // namespace
}  // namespace outrider::test
