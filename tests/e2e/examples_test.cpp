// Every shipped example does what it says.

#include "e2e/e2e_fixture.hpp"
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

TEST(Examples, TheLinesOfTheReadmeWorkAsTheyStand) {
  const TempDir dir;
  Sink sink(dir);
  Sidecar sidecar(dir, https_destination("audit", sink));
  const Finished ended = python({"-c", R"(
import re, sys, time, msgpack, zmq
lines = re.search("```python\n(.*?)```", open(sys.argv[1]).read(), re.S).group(1)
exec(lines.replace("ipc:///run/outrider/outrider.sock", sys.argv[2]))
)",
                                 source_path("README.md"), sidecar.endpoint()});
  EXPECT_EQ(ended.status, 0) << ended.err;
  EXPECT_TRUE(eventually([&] { return has(sink, "49.99"); }));
  EXPECT_EQ(sidecar.stop(), 0);
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
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
}

}  // namespace
}  // namespace outrider::test
