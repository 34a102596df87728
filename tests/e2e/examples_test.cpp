// Every shipped example does what it says.

#include "e2e/e2e_fixture.hpp"
#include "e2e/readme.hpp"
#include "support/places.hpp"

namespace outrider::test {
namespace {

std::string example(const std::string& name) {
  return test::outrider_binary().substr(0, test::outrider_binary().rfind('/')) + "/examples/" +
         name;
}

TEST(Examples, TheTenLinesOfAnAppDeliverTheirEvent) {
  const TempDir dir;
  Sink sink(dir);
  Sidecar sidecar(dir, https_destination("audit", sink));
  EXPECT_EQ(run({example("hello"), sidecar.endpoint()}).status, 0);
  EXPECT_EQ(sidecar.stop(), 0);
  EXPECT_NE(sink.output().find("\"user_id\":42"), std::string::npos) << sink.output();
}

TEST(Examples, TheSafeLinesOfAnAppKnowThatTheirEventIsOnDisk) {
  const TempDir dir;
  Sink sink(dir);
  const std::string confirm_endpoint = "ipc://" + dir.file("c.sock");
  Sidecar sidecar(dir, "[ingest]\nconfirm_endpoint = " + confirm_endpoint +
                           "\n[spool]\npath = " + dir.file("spool.db") + "\nfree_bytes_min = 0\n" +
                           https_destination("audit", sink));
  const Finished app = run({example("deliver"), confirm_endpoint});
  EXPECT_EQ(app.status, 0) << app.out << app.err;
  EXPECT_EQ(sidecar.stop(), 0);
  EXPECT_NE(sink.output().find("\"invoice\":7"), std::string::npos) << sink.output();
}

bool has(Sink& sink, const std::string& text) {
  return sink.output().find(text) != std::string::npos;
}

Finished python(std::vector<std::string> words) {
  words.insert(words.begin(), "/usr/bin/python3");
  return run(words);
}

TEST(Examples, TheClientWithoutAnSdkSendsMoreThanZeroMqHolds) {
  const TempDir dir;
  Sink sink(dir);
  Sidecar sidecar(dir, https_destination("audit", sink));
  const Finished sent = python({source_path("examples/emit.py"), sidecar.endpoint(), "3000"});
  EXPECT_EQ(sent.status, 0) << sent.err;
  EXPECT_TRUE(eventually([&] { return has(sink, "\"number\":2999"); }));
  EXPECT_EQ(sidecar.stop(), 0) << sidecar.err();
  EXPECT_EQ(sidecar.ledger("audit").delivered, 3000U);
}

TEST(Examples, TheClientWithoutAnSdkSaysInALineWhatIsWrong) {
  const TempDir dir;
  const std::string none = "ipc://" + dir.file("none.sock");
  struct Mistake {
    std::vector<std::string> words;
    int status;
    std::string said;
  };
  const std::vector<Mistake> mistakes = {
      {{}, 2, "usage: emit.py ENDPOINT"},
      {{none, "1", "1", "1"}, 2, "usage: emit.py ENDPOINT"},
      {{none, "{\"n\":1}"}, 2, "COUNT must be a number"},
      {{none, "-1"}, 2, "COUNT must be a number"},
      {{none, "1", "5s"}, 2, "WAIT_MS must be a number"},
      {{none, "1", "9999999999"}, 2, "WAIT_MS must be a number"},
      {{"/run/outrider.sock"}, 2, "cannot send to '/run/outrider.sock'"},
      {{"http://127.0.0.1:1"}, 2, "cannot send to"},
      {{"inproc://x"}, 2, "cannot reach a sidecar"},
      {{"ipc://" + dir.file(std::string(120, 'x'))}, 2, "cannot send to"},
      {{none, "3", "50"}, 1, "3 of 3 events not sent: no sidecar listens at " + none},
  };
  for (const Mistake& mistake : mistakes) {
    std::vector<std::string> words = {source_path("examples/emit.py")};
    words.insert(words.end(), mistake.words.begin(), mistake.words.end());
    const Finished ended = python(words);
    EXPECT_EQ(ended.status, mistake.status) << mistake.said << ended.err;
    EXPECT_TRUE(ended.err.starts_with("emit.py: ")) << ended.err;
    EXPECT_NE(ended.err.find(mistake.said), std::string::npos) << ended.err;
    EXPECT_EQ(std::ranges::count(ended.err, '\n'), 1) << ended.err;
  }
}

TEST(Examples, TheLineInTheSpecificationSendsAnEvent) {
  const TempDir dir;
  Sink sink(dir);
  Sidecar sidecar(dir, https_destination("audit", sink));
  const std::string before = R"(
import sys, time, msgpack, zmq
context = zmq.Context()
push = context.socket(zmq.PUSH)
push.connect(sys.argv[1])
push.poll(20000, zmq.POLLOUT)
)";
  // Without the end of its context a process may leave before ZeroMQ has sent.
  const std::string after = "\npush.close()\ncontext.term()\n";
  const std::string line = block_of("proto/README.md", "python", "push.send");
  const Finished sent = python({"-c", before + line + after, sidecar.endpoint()});
  EXPECT_EQ(sent.status, 0) << sent.err;
  EXPECT_TRUE(eventually([&] { return has(sink, "49.99"); }));
  EXPECT_EQ(sidecar.stop(), 0);
}

/// If it blocked, the program would not end.
TEST(Examples, TheLineInTheSpecificationFailsWhereNobodyReadsAndDoesNotBlock) {
  const TempDir dir;
  const std::string before = R"(
import sys, time, msgpack, zmq
context = zmq.Context()
pull = context.socket(zmq.PULL)
pull.rcvhwm = 1
pull.bind(sys.argv[1])
push = context.socket(zmq.PUSH)
push.sndhwm = 1
push.linger = 0
push.connect(sys.argv[1])
push.poll(20000, zmq.POLLOUT)
try:
    for _ in range(100000):
        )";
  const std::string after = R"(
except zmq.Again:
    sys.exit(0)
sys.exit("more and more waits")
)";
  const std::string line = block_of("proto/README.md", "python", "push.send");
  const Finished sent = python({"-c", before + line + after, "ipc://" + dir.file("o.sock")});
  EXPECT_EQ(sent.status, 0) << sent.err;
}

TEST(Examples, TheEmbeddedSidecarDeliversFromInsideTheProcess) {
  const TempDir dir;
  Sink sink(dir);
  write_file(dir.file("outrider.conf"), https_destination("audit", sink));
  const Finished app = run({example("embedded"), dir.file("outrider.conf")});
  EXPECT_EQ(app.status, 0) << app.err;
  EXPECT_NE(app.err.find("every accepted event is accounted for"), std::string::npos) << app.err;
  EXPECT_NE(sink.output().find("\"user_id\":42"), std::string::npos) << sink.output();
}

TEST(Examples, TheEmbeddedSidecarSaysWhatIsWrongWithItsConfiguration) {
  const TempDir dir;
  write_file(dir.file("outrider.conf"), "[destination.a]\ntype = htp\n");
  const Finished app = run({example("embedded"), dir.file("outrider.conf")});
  EXPECT_EQ(app.status, 2);
  EXPECT_NE(app.err.find("outrider.conf:2"), std::string::npos) << app.err;
}

/// The lines that README.md shows are in the text, in that order, whatever figures they have.
void expect_as_in_readme(const std::string& text) {
  const std::vector<std::string> printed = lines_of(text);
  auto next = printed.begin();
  for (const std::string& shown : lines_of(block_of("README.md", "text", "app: "))) {
    if (shown == "...") continue;
    next = std::find_if(next, printed.end(), [&](const std::string& line) {
      return without_figures(line) == without_figures(shown);
    });
    ASSERT_NE(next, printed.end()) << shown << "\nis not in\n" << text;
    ++next;
  }
}

TEST(Examples, TheDemonstrationEndsWithABalancedLedgerAndLeavesNothingBehind) {
  const TempDir dir;
  const std::string build =
      test::outrider_binary().substr(0, test::outrider_binary().rfind("/bin/"));
  Process demo({test::source_path("examples/demo.sh"), build},
               {.environment = {"TMPDIR=" + dir.path()}});
  EXPECT_EQ(demo.wait(100s), 0) << demo.text() << demo.text(Process::Stream::err);
  EXPECT_NE(demo.text().find("every accepted event is accounted for"), std::string::npos);
  EXPECT_NE(demo.text().find("events=20000 ids=20000 duplicates=0"), std::string::npos)
      << demo.text();
  expect_as_in_readme(demo.text());
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
}

}  // namespace
}  // namespace outrider::test
