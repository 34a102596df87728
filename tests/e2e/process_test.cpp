// The sidecar's process in its world: a standard error that nobody reads, signals, systems without
// threads or room.

#include <filesystem>

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "e2e/e2e_fixture.hpp"
#include "support/places.hpp"
#include "support/tcp_peer.hpp"

namespace outrider::test {
namespace {

/// A sidecar whose standard error is a pipe of one page, which nobody reads until read_all().
class SilentSidecar {
 public:
  SilentSidecar(const TempDir& dir, const std::string& config) : endpoint_(dir.file("o.sock")) {
    write_file(dir.file("outrider.conf"), config);
    EXPECT_EQ(mkfifo(dir.file("err").c_str(), 0600), 0);
    reader_ = open(dir.file("err").c_str(), O_RDWR | O_CLOEXEC);
    fcntl(reader_, F_SETPIPE_SZ, 4096);
    process_ = std::make_unique<Process>(std::vector<std::string>{
        "/bin/sh", "-c", "exec \"$0\" \"$@\" 2>" + dir.file("err"), test::outrider_binary(), "run",
        "--config", dir.file("outrider.conf"), "--ingest.endpoint=ipc://" + endpoint_});
  }
  ~SilentSidecar() { close(reader_); }

  std::string endpoint() const { return "ipc://" + endpoint_; }
  bool is_listening() const { return std::filesystem::exists(endpoint_); }
  Process& process() { return *process_; }

  /// From now on there is no room for a byte.
  void fill() {
    fcntl(reader_, F_SETFL, O_NONBLOCK);
    while (::write(reader_, "x", 1) == 1) {
    }
  }

  /// Until a line with `part` has come, or nothing comes for a long time.
  bool read_until(const std::string& part) {
    pollfd ready = {reader_, POLLIN, 0};
    while (poll(&ready, 1, 20'000) == 1) {
      char block[4096];
      const ssize_t got = read(reader_, block, sizeof block);
      if (got <= 0) return false;
      text_.append(block, static_cast<std::size_t>(got));
      if (text_.find(part) != std::string::npos) return true;
    }
    return false;
  }
  const std::string& text() const { return text_; }

 private:
  std::string endpoint_;
  int reader_ = -1;
  std::string text_;
  std::unique_ptr<Process> process_;
};

TEST(ProcessLog, NobodyWhoReadsItHoldsUpNothingAndWhatIsDroppedIsSaid) {
  const TempDir dir;
  Sink sink(dir);
  // At the level debug, and with names of 200 bytes: a page of lines is soon full.
  std::string config = "[shutdown]\nlinger = 100ms\n[log]\nlevel = debug\n" +
                       https_destination("healthy", sink, "topics = orders.>\n");
  for (int i = 0; i < 40; ++i) {
    config += "[destination.refusing" + std::to_string(i) +
              "]\ntype = http\nurl = http://127.0.0.1:1/" + std::string(200, 'x') +
              "\nretry_initial = 10ms\nretry_max = 20ms\n";
  }
  SilentSidecar sidecar(dir, config);
  Client client(sidecar.endpoint());
  long sent = 0;
  ASSERT_TRUE(eventually([&] {
    return client.emit("orders.paid", {{"n", ++sent}}) == Status::ok && client.flush(100ms);
  }));
  for (int round = 0; round < 8; ++round) {
    emit_numbers(client, sent + 1, sent + 20);
    sent += 20;
    EXPECT_TRUE(client.flush(20s));
    EXPECT_TRUE(eventually([&] { return std::ssize(sink.numbers()) >= sent; })) << round;
  }
  sidecar.process().signal(SIGTERM);
  EXPECT_TRUE(sidecar.read_until("every accepted event is accounted for")) << sidecar.text();
  EXPECT_EQ(sidecar.process().wait(), 3) << "the refusing ones have lost theirs";
}

#ifndef OUTRIDER_SANITIZED  // there a crash is the sanitizer's
TEST(ProcessLog, NobodyWhoReadsItHoldsUpAProcessThatEndsInTheMiddle) {
  for (const int signal : {SIGABRT, SIGBUS, SIGSEGV}) {
    const TempDir dir;
    SilentSidecar sidecar(dir, "[destination.d]\ntype = file\npath = " + dir.file("events") + "\n");
    ASSERT_TRUE(eventually([&] { return sidecar.is_listening(); }));
    sidecar.fill();
    sidecar.process().signal(signal);
    EXPECT_EQ(sidecar.process().wait(), 4) << signal;
  }
}

TEST(ProcessLog, ACrashHasALineAndAStatusOfItsOwn) {
  const std::pair<int, const char*> crashes[] = {
      {SIGSEGV, "SIGSEGV"}, {SIGILL, "SIGILL"}, {SIGFPE, "SIGFPE"},
      {SIGTRAP, "SIGTRAP"}, {SIGSYS, "SIGSYS"}, {SIGABRT, "abort()"},
  };
  for (const auto& [signal, name] : crashes) {
    const TempDir dir;
    Sidecar sidecar(dir, "[destination.d]\ntype = file\npath = " + dir.file("events") + "\n");
    sidecar.process().signal(signal);
    EXPECT_EQ(sidecar.process().wait(), 4) << name;
    EXPECT_NE(sidecar.err().find("the process ended unexpectedly"), std::string::npos) << name;
    EXPECT_NE(sidecar.err().find(name), std::string::npos) << sidecar.err();
  }
}
#endif

/// Its standard error is a stream of the journal, as systemd says it.
Process under_the_journal(const TempDir& dir, const std::string& config) {
  write_file(dir.file("outrider.conf"), config);
  return Process({"/bin/sh", "-c",
                  "JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2) exec \"$0\" \"$@\"",
                  test::outrider_binary(), "run", "--config", dir.file("outrider.conf"),
                  "--ingest.endpoint=ipc://" + dir.file("o.sock")});
}

TEST(ProcessLog, InTheJournalEachLineHasItsPriority) {
  const TempDir dir;
  const auto expect_lines = [](Process& process, const std::string& priorities) {
    std::istringstream lines(process.text(Process::Stream::err));
    for (std::string line; std::getline(lines, line);) {
      EXPECT_TRUE(line.size() > 3 && line[0] == '<' && line[2] == '>' &&
                  priorities.find(line[1]) != std::string::npos)
          << line;
    }
  };
  Process mistaken = under_the_journal(dir, "[destination.d]\ntype = htp\nbogus = 1\n");
  EXPECT_EQ(mistaken.wait(), 2);
  EXPECT_NE(mistaken.text(Process::Stream::err).find("bogus"), std::string::npos);
  expect_lines(mistaken, "3");
  Process process =
      under_the_journal(dir, "[destination.d]\ntype = file\npath = " + dir.file("events") + "\n");
  ASSERT_TRUE(process.wait_for_line("ready", Process::Stream::err));
  process.signal(SIGTERM);
  EXPECT_EQ(process.wait(), 0);
  EXPECT_NE(process.text(Process::Stream::err).find("<6>  every accepted"), std::string::npos)
      << process.text(Process::Stream::err);
  expect_lines(process, "46");
}

TEST(ProcessSignals, WhatIsNoWishToStopIsSaidAndIgnored) {
  const TempDir dir;
  Sink sink(dir);
  Sidecar sidecar(dir, https_destination("audit", sink));
  for (const int signal : {SIGHUP, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGPIPE, SIGXFSZ,
                           SIGXCPU, SIGTTOU, SIGTTIN, SIGIO, SIGPWR, SIGRTMIN + 1}) {
    sidecar.process().signal(signal);
  }
  EXPECT_TRUE(sidecar.process().wait_for_line("SIGHUP", Process::Stream::err)) << sidecar.err();
  Client client(sidecar.endpoint());
  emit_numbers(client, 1, 10);
  EXPECT_TRUE(client.flush(10s));
  EXPECT_EQ(sidecar.stop(), 0) << sidecar.err();
  EXPECT_EQ(sidecar.ledger("audit").delivered, 10U);
}

TEST(ProcessSignals, SigquitStopsInOrder) {
  const TempDir dir;
  Sink sink(dir);
  Sidecar sidecar(dir, https_destination("audit", sink));
  Client client(sidecar.endpoint());
  emit_numbers(client, 1, 10);
  EXPECT_TRUE(client.flush(10s));
  sidecar.process().signal(SIGQUIT);
  EXPECT_EQ(sidecar.process().wait(), 0) << sidecar.err();
  EXPECT_EQ(sidecar.ledger("audit").delivered, 10U);
}

/// As a paused container or a frozen machine does.
TEST(ProcessSignals, APauseThatOutlastsAStopIsNoStopThatHangs) {
  const TempDir dir;
  TcpPeer receiver(TcpPeer::read_all);
  Sidecar sidecar(dir, "[shutdown]\nlinger = 500ms\n[destination.out]\nurl = " + receiver.url());
  Client client(sidecar.endpoint());
  emit_numbers(client, 1, 10);
  EXPECT_TRUE(client.flush(10s));
  sidecar.process().signal(SIGTERM);
  ASSERT_TRUE(sidecar.process().wait_for_line("stopping", Process::Stream::err));
  sidecar.process().signal(SIGSTOP);
  // Beyond the linger time and a second in which the process may close.
  std::this_thread::sleep_for(3s);
  sidecar.process().signal(SIGCONT);
  EXPECT_EQ(sidecar.process().wait(), 3) << sidecar.err();
  EXPECT_EQ(sidecar.err().find("hangs"), std::string::npos) << sidecar.err();
  EXPECT_EQ(sidecar.ledger("out").accepted, 10U) << sidecar.err();
}

TEST(ProcessSignals, WhatComesBeforeItIsReadyStopsItInOrderToo) {
  const TempDir dir;
  // The shell signals itself while signals are blocked, so that they wait for the sidecar.
  write_file(dir.file("outrider.conf"), "[destination.out]\ntype = stdout\n");
  const Finished ended =
      run({"/usr/bin/python3", "-c",
           "import os,signal,sys\n"
           "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGHUP])\n"
           "os.kill(os.getpid(), signal.SIGTERM)\nos.kill(os.getpid(), signal.SIGHUP)\n"
           "os.execv(sys.argv[1], sys.argv[1:])\n",
           test::outrider_binary(), "run", "--config", dir.file("outrider.conf"),
           "--ingest.endpoint=ipc://" + dir.file("o.sock")});
  EXPECT_EQ(ended.status, 0) << ended.err;
  EXPECT_NE(ended.err.find("\nledger\n"), std::string::npos) << ended.err;
}

TEST(ProcessSignals, AStartThatHangsIsEndedByThem) {
  const TempDir dir;
  write_file(dir.file("outrider.conf"), "[ingest]\nendpoint = ipc://" + dir.file("o.sock") +
                                            "\nconfirm_endpoint = ipc://" + dir.file("c.sock") +
                                            "\n[destination.out]\ntype = stdout\n[spool]\npath = " +
                                            dir.file("spool.db") + "\n");
  const std::vector<std::string> words = {test::outrider_binary(), "run", "--config",
                                          dir.file("outrider.conf")};
  {
    Process maker(words);
    ASSERT_TRUE(maker.wait_for_line("ready", Process::Stream::err));
    maker.signal(SIGTERM);
    ASSERT_EQ(maker.wait(), 0);
  }
  // Whoever has locked the database holds up the start, for 5 s.
  sqlite3* foreigner = nullptr;
  ASSERT_EQ(sqlite3_open(dir.file("spool.db").c_str(), &foreigner), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(foreigner, "BEGIN EXCLUSIVE", nullptr, nullptr, nullptr), SQLITE_OK);
  Process process(words);
  ASSERT_TRUE(process.wait_for_line("listening", Process::Stream::err));
  EXPECT_TRUE(eventually([&] {
    process.signal(SIGTERM);
    return process.wait_for_line("a second stop signal", Process::Stream::err, 50ms).has_value();
  })) << process.text(Process::Stream::err);
  EXPECT_EQ(process.wait(), 1) << process.text(Process::Stream::err);
  sqlite3_close(foreigner);
}

/// Whoever has set it wants the keys of a browser; and nobody may read the pipe.
TEST(ProcessEnvironment, NoKeysOfTlsSessionsAreWritten) {
  const TempDir dir;
  const std::string keys = dir.file("keys");
  ASSERT_EQ(mkfifo(keys.c_str(), 0600), 0);
  Sink sink(dir);
  Sidecar sidecar(dir, https_destination("audit", sink), true, {"SSLKEYLOGFILE=" + keys});
  Client client(sidecar.endpoint());
  emit_numbers(client, 1, 10);
  EXPECT_TRUE(client.flush(10s));
  EXPECT_EQ(sidecar.stop(), 0) << sidecar.err();
  EXPECT_NE(sidecar.err().find("SSLKEYLOGFILE in the environment is ignored"), std::string::npos);
  EXPECT_EQ(sidecar.ledger("audit").delivered, 10U);
}

TEST(ProcessThreads, WithTooFewItSaysWhatIsMissing) {
  const TempDir dir;
  write_file(dir.file("outrider.conf"),
             "[destination.out]\ntype = stdout\n[spool]\npath = " + dir.file("spool.db") + "\n");
  ASSERT_EQ(chmod(dir.path().c_str(), 0777), 0);
  // The limit is none for root: it becomes somebody who runs nothing else.
  const std::string start =
      "import os,resource,sys\nn = int(sys.argv[1])\n"
      "resource.setrlimit(resource.RLIMIT_NPROC, (n, n))\n"
      "if os.getuid() == 0: os.setuid(100000 + os.getpid())\nos.execv(sys.argv[2], sys.argv[2:])\n";
  for (const int threads : {1, 2, 3, 5, 8}) {
    const Finished ended = run(
        {"/usr/bin/python3", "-c", start, std::to_string(threads), test::outrider_binary(), "run",
         "--config", dir.file("outrider.conf"), "--ingest.endpoint=ipc://" + dir.file("o.sock"),
         "--ingest.confirm_endpoint=ipc://" + dir.file("c.sock")});
    if (ended.status == 127 || ended.err.find("Permission") != std::string::npos) {
      GTEST_SKIP() << "the binary's folder is not everybody's";
    }
    EXPECT_EQ(ended.status, 1) << threads << "\n" << ended.err;
    EXPECT_NE(ended.err.find("cannot start"), std::string::npos) << ended.err;
    EXPECT_NE(ended.err.find("TasksMax="), std::string::npos) << ended.err;
  }
}

/// The words for it: root becomes somebody else, and others stay who they are.
std::vector<std::string> as_another_user(std::vector<std::string> words) {
  words.insert(words.begin(),
               {"/usr/bin/python3", "-c",
                "import os,sys\nif os.getuid() == 0:\n os.setgroups([])\n os.setgid(54321)\n"
                " os.setuid(54321)\nos.execv(sys.argv[1], sys.argv[1:])\n"});
  return words;
}

bool may_everybody_run_it() {
  return run(as_another_user({outrider_binary(), "--version"})).status == 0;
}

/// Whose /proc says that its memory is: root's where nobody else may read it or dump it.
uid_t owner_of_memory(const Process& process) {
  struct stat memory {};
  EXPECT_EQ(stat(("/proc/" + std::to_string(process.pid()) + "/mem").c_str(), &memory), 0);
  return memory.st_uid;
}

TEST(ProcessUsers, NobodyButRootReadsTheMemoryWithItsSecrets) {
  if (!may_everybody_run_it()) GTEST_SKIP() << "the binary's folder is not everybody's";
  const TempDir dir;
  write_file(dir.file("outrider.conf"), "[destination.out]\ntype = stdout\n");
  ASSERT_EQ(chmod(dir.path().c_str(), 0777), 0);
  Process other(as_another_user({"/bin/sh", "-c", "echo runs; read line"}));
  ASSERT_TRUE(other.wait_for_line("runs"));
  ASSERT_NE(owner_of_memory(other), 0U) << "then this test can see nothing";
  Process sidecar(as_another_user({outrider_binary(), "run", "--config", dir.file("outrider.conf"),
                                   "--ingest.endpoint=ipc://" + dir.file("o.sock")}));
  ASSERT_TRUE(sidecar.wait_for_line(" ready ", Process::Stream::err))
      << sidecar.text(Process::Stream::err);
  EXPECT_EQ(owner_of_memory(sidecar), 0U);
  sidecar.signal(SIGTERM);
  EXPECT_EQ(sidecar.wait(), 0);
}

TEST(ProcessUsers, EmitSaysAtOnceThatItMayNotConnect) {
  if (!may_everybody_run_it()) GTEST_SKIP() << "the binary's folder is not everybody's";
  const TempDir dir;
  Sidecar sidecar(dir, "[ingest]\nsocket_mode = 0600\n[destination.out]\ntype = stdout\n");
  ASSERT_EQ(chmod(dir.path().c_str(), 0755), 0);
  if (geteuid() != 0) {
    ASSERT_EQ(chmod(dir.file("o.sock").c_str(), 0), 0);
  }
  // The timeout is longer than the test may take.
  const Finished ended = run(as_another_user({outrider_binary(), "emit", "--endpoint",
                                              sidecar.endpoint(), "--timeout", "1h", "a.b", "1"}));
  EXPECT_EQ(ended.status, 1);
  EXPECT_NE(ended.err.find("permission denied; ingest.socket_group and ingest.socket_mode decide"),
            std::string::npos)
      << ended.err;
  EXPECT_EQ(sidecar.stop(), 0) << sidecar.err();
}

// A sanitizer's shadow is no address space that a limit could bound.
#ifndef OUTRIDER_SANITIZED

/// Sends more than fits until the sidecar is gone.
void fill(const std::string& endpoint) {
  run({"/bin/sh", "-c",
       "yes '{\"topic\":\"a.b\",\"data\":\"" + std::string(4000, 'y') +
           "\"}' | head -n 60000 | \"$0\" emit --stdin --timeout 1s --endpoint " + endpoint,
       outrider_binary()},
      {}, 60s);
}

TEST(ProcessMemory, WithoutItTheLastLineSaysSo) {
  for (const std::string format : {"text", "json"}) {
    const TempDir dir;
    write_file(dir.file("outrider.conf"),
               "[log]\nformat = " + format + "\n[ingest]\nendpoint = ipc://" + dir.file("o.sock") +
                   "\n[destination.down]\nurl = http://127.0.0.1:9/\nqueue_bytes_max = 1GiB\n");
    const std::vector<std::string> tight = {"/bin/sh", "-c", "ulimit -v 150000; exec \"$0\" \"$@\"",
                                            outrider_binary()};
    std::vector<std::string> words = tight;
    words.insert(words.end(), {"check", "--config", dir.file("outrider.conf")});
    const Finished checked = run(words);
    EXPECT_EQ(checked.status, 0) << checked.err;
    EXPECT_NE(checked.out.find("ulimit -v allows only 146MiB of memory"), std::string::npos)
        << checked.out;

    words = tight;
    words.insert(words.end(), {"run", "--config", dir.file("outrider.conf")});
    Process sidecar(words);
    ASSERT_TRUE(sidecar.wait_for_line("ready", Process::Stream::err));
    fill("ipc://" + dir.file("o.sock"));
    EXPECT_EQ(sidecar.wait(), 4);
    const std::string said = sidecar.text(Process::Stream::err);
    const std::string last = said.substr(said.rfind('\n', said.size() - 2) + 1);
    EXPECT_NE(last.find(format == "json" ? "\"level\":\"error\",\"message\":\"the process ended"
                                         : "Z error the process ended"),
              std::string::npos)
        << said;
    // Whoever asks last for memory: our code, or libzmq, which aborts.
    EXPECT_TRUE(said.find("out of memory") != std::string::npos ||
                said.find("OUT OF MEMORY") != std::string::npos)
        << said;
  }
}

#endif

}  // namespace
}  // namespace outrider::test
