// Events from clients through the real sidecar to real receivers.

#include <sys/wait.h>
#include <zmq.h>

#include "e2e/e2e_fixture.hpp"
#include "support/fault_receiver.hpp"
#include "support/frames.hpp"
#include "support/places.hpp"
#include "support/zmtp_client.hpp"

namespace outrider::test {
namespace {

TEST(Delivery, EventsArriveOverHttpsCompleteAndOnce) {
  const TempDir dir;
  Sink sink(dir);
  Sidecar sidecar(dir, https_destination("audit", sink));
  Client client(sidecar.endpoint());
  emit_numbers(client, 1, 5000);
  EXPECT_TRUE(client.flush(10s));
  EXPECT_EQ(sidecar.stop(), 0) << sidecar.err();
  EXPECT_EQ(sorted(sink.numbers()), range(1, 5000));
  EXPECT_EQ(sidecar.ledger("audit").delivered, 5000U);
}

TEST(Delivery, EveryTypeOfDestinationGetsItsTopicsAndASickOneHurtsNobody) {
  const TempDir dir;
  Sink json(dir, {}, "json");
  Sink msgpack(dir, {}, "msgpack");
  const std::string pub = "ipc://" + dir.file("pub.sock");
  Sidecar sidecar(
      dir, https_destination("json", json, "topics = orders.>") +
               https_destination("msgpack", msgpack, "format = msgpack\nexclude = orders.open") +
               "[destination.file]\ntype = file\npath = " + dir.file("events.ndjson") +
               "\n[destination.out]\ntype = stdout\n[destination.fan]\ntype = zmq\nsocket = push\n"
               "url = " +
               pub +
               "\n[destination.sick]\ntype = http\nurl = http://127.0.0.1:1/\n"
               "queue_events_max = 10\n[shutdown]\nlinger = 3s\n");
  void* context = zmq_ctx_new();
  void* pull = zmq_socket(context, ZMQ_PULL);
  const int timeout_ms = 20'000;
  zmq_setsockopt(pull, ZMQ_RCVTIMEO, &timeout_ms, sizeof timeout_ms);
  ASSERT_EQ(zmq_bind(pull, pub.c_str()), 0);

  Client client(sidecar.endpoint());
  emit_numbers(client, 1, 100, "orders.paid");
  emit_numbers(client, 101, 150, "orders.open");
  emit_numbers(client, 151, 200, "users.new");
  EXPECT_TRUE(client.flush(10s));

  long pulled = 0;
  char buffer[1000];
  for (int i = 0; i < 200; ++i) {
    ASSERT_GT(zmq_recv(pull, buffer, sizeof buffer, 0), 0) << "after " << pulled;
    const int size = zmq_recv(pull, buffer, sizeof buffer, 0);
    ASSERT_GT(size, 0);
    EXPECT_EQ(std::string(buffer, static_cast<std::size_t>(size)).front(), '{');
    ++pulled;
  }
  zmq_close(pull);
  zmq_ctx_term(context);

  EXPECT_EQ(sidecar.stop(), 3) << "the sick one's events are lost";
  EXPECT_EQ(sorted(json.numbers()), range(1, 150));
  EXPECT_EQ(distinct(msgpack.numbers()).size(), 150U);
  for (const char* name : {"file", "out", "fan"}) {
    EXPECT_EQ(sidecar.ledger(name).delivered, 200U) << name;
  }
  const LedgerRow sick = sidecar.ledger("sick");
  EXPECT_EQ(sick.accepted, 200U);
  EXPECT_EQ(sick.dropped, 190U);
  EXPECT_EQ(sick.left, 10U);
  const std::string file = read_file(dir.file("events.ndjson"));
  EXPECT_EQ(std::ranges::count(file, '\n'), 200);
  const std::string out = sidecar.process().text();
  EXPECT_EQ(std::ranges::count(out, '\n'), 200);
}

TEST(Delivery, APythonClientWithoutAnSdkIsUnderstood) {
  const TempDir dir;
  Sink sink(dir);
  Sidecar sidecar(dir, https_destination("audit", sink));
  const Finished client =
      run({"/usr/bin/python3", test::source_path("examples/emit.py"), sidecar.endpoint(), "250"});
  EXPECT_EQ(client.status, 0) << client.err;
  EXPECT_TRUE(
      eventually([&] { return sink.output().find("\"number\":249") != std::string::npos; }));
  EXPECT_EQ(sidecar.stop(), 0);
  EXPECT_EQ(sidecar.ledger("audit").delivered, 250U);
}

TEST(Delivery, APythonClientWithoutAnSdkNeverBlocksAndSaysWhatIsNotSent) {
  const TempDir dir;
  const Finished client = run({"/usr/bin/python3", test::source_path("examples/emit.py"),
                               "ipc://" + dir.file("none.sock"), "2000", "100"});
  EXPECT_EQ(client.status, 1);
  EXPECT_NE(client.err.find("2000 of 2000 events not sent"), std::string::npos) << client.err;
}

TEST(Delivery, TheShellCommandSendsOneEventAndLinesOfJson) {
  const TempDir dir;
  Sink sink(dir);
  Sidecar sidecar(dir, https_destination("audit", sink));
  EXPECT_EQ(run({test::outrider_binary(), "emit", "--endpoint", sidecar.endpoint(), "orders.paid",
                 "{\"n\": 1}"})
                .status,
            0);
  const Finished lines = run(
      {test::outrider_binary(), "emit", "--endpoint", sidecar.endpoint(), "--stdin"},
      "{\"topic\":\"a.b\",\"data\":{\"n\":2}}\nnot json\n{\"topic\":\"a\",\"data\":{\"n\":3}}\n");
  EXPECT_EQ(lines.status, 1) << "one line was bad";
  EXPECT_NE(lines.err.find("2"), std::string::npos) << lines.err;
  EXPECT_EQ(sidecar.stop(), 0);
  EXPECT_EQ(sorted(sink.numbers()), range(1, 3));
}

/// The command looks whether a sidecar listens before it sends; the sidecar takes no offence.
TEST(Delivery, TheShellCommandIsNoClientThatDoesNotFit) {
  const TempDir dir;
  Sidecar sidecar(dir, "[destination.log]\ntype = file\npath = " + dir.file("out") + "\n");
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(
        run({test::outrider_binary(), "emit", "--endpoint", sidecar.endpoint(), "a.b", "1"}).status,
        0);
  }
  // Both kinds of misfits are warned of together.
  const test::ZmtpClient misfit(sidecar.endpoint().substr(std::string("ipc://").size()));
  ASSERT_TRUE(misfit.write_all("GET / HTTP/1.1\r\n\r\n"));
  ASSERT_TRUE(sidecar.process().wait_for_line("http_requests=1", Process::Stream::err));
  EXPECT_EQ(sidecar.stop(), 0);
  EXPECT_EQ(sidecar.err().find("connections="), std::string::npos) << sidecar.err();
}

TEST(Delivery, BadFramesAndForeignBytesCostNoGoodEvent) {
  const TempDir dir;
  Sink sink(dir);
  Sidecar sidecar(dir, https_destination("audit", sink, "topics = good.>") +
                           "[ingest]\nframe_bytes_max = 256KiB\nevent_bytes_max = 32KiB\n");
  void* context = zmq_ctx_new();
  void* push = zmq_socket(context, ZMQ_PUSH);
  ASSERT_EQ(zmq_connect(push, sidecar.endpoint().c_str()), 0);
  const auto send = [&](const std::string& frame) {
    ASSERT_EQ(zmq_send(push, frame.data(), frame.size(), 0), static_cast<int>(frame.size()));
  };
  const auto good = [](std::uint64_t n) {
    return frame_bytes({event_bytes("good.one", 0, numbered_data(n))});
  };
  const std::string deep(100, '\x91');
  for (std::uint64_t n = 1; n <= 50; ++n) {
    send(good(n));
    send(good(n).substr(0, good(n).size() - 3));                     // truncated
    send(std::string("\x93\x02\x80\x90", 4));                        // a later version
    send(std::string("\xc1", 1));                                    // malformed
    send("");                                                        // empty
    send(std::string(300'000, '\xc0'));                              // too large
    send(frame_bytes({event_bytes("good.one", 0, deep + '\xc0')}));  // too deep
    send(frame_bytes({event_bytes("good.one", 0, numbered_data(n + 50)),
                      event_bytes("bad topic", 0, numbered_data(0))}));  // one bad of two
  }
  // Somebody who does not speak ZeroMQ at all.
  run({"/usr/bin/python3", "-c",
       "import socket,sys\ns=socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n"
       "s.sendall(b'GET / HTTP/1.1\\r\\n\\r\\n'*100)\n",
       dir.file("o.sock")});
  EXPECT_TRUE(eventually([&] { return sink.numbers().size() >= 100; }));
  zmq_close(push);
  zmq_ctx_term(context);
  EXPECT_EQ(sidecar.stop(), 0);
  EXPECT_EQ(sorted(sink.numbers()), range(1, 100));
  const std::string report = sidecar.err();
  EXPECT_NE(report.find("refused: 300 frames, 50 events"), std::string::npos) << report;
  for (const char* reason : {"frame_too_large 50", "frame_truncated 100", "frame_malformed 50",
                             "frame_too_deep 50", "frame_version 50", "event_topic 50"}) {
    EXPECT_NE(report.find(reason), std::string::npos) << reason << " in\n" << report;
  }
}

TEST(Delivery, HardValuesAreValidJsonAtTheReceiver) {
  const TempDir dir;
  Sink sink(dir);
  Sidecar sidecar(dir, https_destination("audit", sink));
  Client client(sidecar.endpoint());
  const std::string binary("\x00\xff", 2);
  client.emit("hard.values", {{"n", 1},
                              {"nan", std::numeric_limits<double>::quiet_NaN()},
                              {"inf", std::numeric_limits<double>::infinity()},
                              {"whole", 49.0},
                              {"huge", 18446744073709551616.0},
                              {"max", std::numeric_limits<std::uint64_t>::max()},
                              {"min", std::numeric_limits<std::int64_t>::min()},
                              {"text", "quote \" backslash \\ newline \n bad utf-8 \xff end"},
                              {"bytes", std::vector<char>(binary.begin(), binary.end())}});
  EXPECT_TRUE(client.flush(10s));
  EXPECT_EQ(sidecar.stop(), 0);
  const Finished parsed =
      run({"/usr/bin/python3", "-c",
           "import json,sys\n"
           "d=json.loads(sys.stdin.read(), parse_constant=lambda c: 1/0)['data']\n"
           "assert d['max'] == 2**64-1 and d['min'] == -2**63, d\n"
           "assert type(d['whole']) is float and d['whole'] == 49, d\n"
           "assert d['huge'] == 2.0**64, d\n"
           "assert d['nan'] is None and d['inf'] is None, d\n"
           "assert '\\ufffd' in d['text'], d\n"},
          sink.output());
  EXPECT_EQ(parsed.status, 0) << parsed.err << sink.output();
}

/// Both sides of a fork go on emitting; `end` ends the child.
void emit_over_a_fork(void (*end)()) {
#if defined(OUTRIDER_SANITIZED)
  GTEST_SKIP() << "the sanitizers do not support a fork while other threads run";
#endif
  const TempDir dir;
  Sink sink(dir);
  // The emitter never pauses: the queue must hold what the receiver is too slow for.
  Sidecar sidecar(
      dir, https_destination("audit", sink, "queue_events_max = 10000000\nqueue_bytes_max = 2GiB"));
  Client client(sidecar.endpoint());
  std::atomic<bool> is_stopped = false;
  std::atomic<long> background = 100'000;
  std::thread emitter([&] {
    while (!is_stopped) emit_numbers(client, background + 1, background + 1), ++background;
  });
  emit_numbers(client, 1, 500);
  std::vector<pid_t> children;
  for (long i = 0; i < 3; ++i) {
    const pid_t pid = fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {
      const long first = 1'000 * (i + 1);
      for (long n = first; n < first + 500; ++n) client.emit_wait(10s, "orders.paid", {{"n", n}});
      if (!client.flush(20s)) _exit(9);
      end();
    }
    children.push_back(pid);
    emit_numbers(client, 501 + 100 * i, 600 + 100 * i);
  }
  for (const pid_t pid : children) {
    int status = 0;
    ASSERT_TRUE(eventually([&] { return waitpid(pid, &status, WNOHANG) == pid; }));
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  }
  is_stopped = true;
  emitter.join();
  EXPECT_TRUE(client.flush(20s));
  EXPECT_EQ(sidecar.stop(), 0) << sidecar.err();

  std::vector<long> expected = range(1, 800);
  for (long i = 1; i <= 3; ++i) {
    for (long n = 0; n < 500; ++n) expected.push_back(1'000 * i + n);
  }
  for (long n = 100'001; n <= background; ++n) expected.push_back(n);
  std::map<long, int> surplus;  // how often too often; negative: too rarely
  for (const long n : sink.numbers()) ++surplus[n];
  for (const long n : expected) --surplus[n];
  std::erase_if(surplus, [](const auto& entry) { return entry.second == 0; });
  EXPECT_TRUE(surplus.empty()) << surplus.size() << " are not there exactly once, the first is "
                               << surplus.begin()->first << " with " << surplus.begin()->second
                               << " too many; the last is " << surplus.rbegin()->first;
}

TEST(Fork, ParentAndChildrenEmitUnderLoadAndTheChildUnderscoreExits) {
  emit_over_a_fork([] { _exit(0); });
}

TEST(Fork, ParentAndChildrenEmitUnderLoadAndTheChildExits) {
  // Not exit(0): that would run the destructors of the test's own statics as well.
  emit_over_a_fork([] { quick_exit(0); });
}

TEST(Delivery, HangingRequestsOfOneDestinationCostAnotherNoConnection) {
  const TempDir dir;
  FaultReceiver hanging;
  hanging.script_requests({}, find_script("never_answers")->script);
  FaultReceiver live;
  const auto destination = [](const std::string& name, const FaultReceiver& receiver) {
    return "[destination." + name + "]\ntype = http\ntopics = " + name +
           "\nformat = payload\nurl = " + receiver.url() + "\n";
  };
  Sidecar sidecar(dir, destination("hanging", hanging) +
                           "concurrency_min = 256\nconcurrency_max = 256\n" +
                           destination("live", live) + "[shutdown]\nlinger = 100ms\n");
  Client client(sidecar.endpoint());
  emit_numbers(client, 1, 256, "hanging");
  ASSERT_TRUE(eventually([&] { return hanging.counts().requests == 256; }));
  for (long n = 1; n <= 50; ++n) {
    emit_numbers(client, n, n, "live");
    ASSERT_TRUE(
        eventually([&] { return live.counts().answered == static_cast<std::uint64_t>(n); }));
  }
  EXPECT_LE(live.counts().connections, 4U) << "they are kept alive";
  sidecar.stop();
}

}  // namespace
}  // namespace outrider::test
