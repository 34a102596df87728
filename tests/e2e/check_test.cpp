// `outrider check` and `outrider run` say the same of a configuration, and check changes nothing.
#include <filesystem>
#include <set>

#include <sys/stat.h>

#include "e2e/e2e_fixture.hpp"

namespace outrider::test {
namespace {

namespace fs = std::filesystem;

std::set<std::string> files_in(const std::string& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    names.insert(entry.path().string());
  }
  return names;
}

/// What `outrider check --config FILE` does.
Finished check(const std::string& file, const std::string& option = "--log.level=info") {
  return run({outrider_binary(), "check", "--config", file, option});
}

struct Case {
  std::string text;
  std::string error;
};

TEST(Check, SaysNoWhereRunSaysNo) {
  const TempDir dir;
  const std::string endpoint = "[ingest]\nendpoint = ipc://" + dir.file("o.sock") + "\n";
  const std::string out = "[destination.a]\ntype = stdout\n";
  fs::create_directory(dir.file("folder"));
  fs::create_directory(dir.file("full.db-wal"));
  write_file(dir.file("text"), "text");
  const std::vector<Case> cases = {
      {out + "[ingest]\nendpoint = ipc://" + dir.file("no/o.sock") + "\n", "its folder "},
      {out + "[ingest]\nendpoint = ipc://" + dir.file("text") + "\n", "is not a socket"},
      {out + "[ingest]\nendpoint = ipc://" + dir.file("text/o") + "\n", "is not a folder"},
      {out + "[ingest]\nendpoint = ipc://@name\n", "must name a file"},
      {out + "[ingest]\nendpoint = inproc://x\n", "reaches nobody"},
      {out + "[ingest]\nendpoint = tcp://192.0.2.1:5999\n", "not an address of this machine"},
      {out + "[ingest]\nendpoint = tcp://127.0.0.1:99999\n", "is not a port"},
      {endpoint + out + "[spool]\npath = " + dir.file("s.db") +
           "\n[destination.b]\ntype = stdout\n" +
           "[destination.c]\ntype = file\npath = " + dir.file("no/x") + "\n",
       "its folder "},
      {endpoint + "[destination.a]\ntype = file\npath = " + dir.file("folder") + "\n",
       "is a folder"},
      {endpoint + "confirm_endpoint = ipc://" + dir.file("c.sock") + "\n" + out +
           "[spool]\npath = " + dir.file("no/s.db") + "\n",
       "its folder "},
      {endpoint + "confirm_endpoint = ipc://" + dir.file("c.sock") + "\n" + out +
           "[spool]\npath = " + dir.file("folder") + "\n",
       "is not a regular file"},
      {endpoint + "confirm_endpoint = ipc://" + dir.file("c.sock") + "\n" + out +
           "[spool]\npath = " + dir.file("full.db") + "\n",
       "full.db-wal is not a regular file"},
      {endpoint + "confirm_endpoint = ipc://" + dir.file("c.sock") + "\n" + out +
           "[spool]\npath = " + dir.file(std::string(250, 's')) + "\n",
       "its name may have"},
      {endpoint + "[destination.a]\ntype = file\npath = /proc/nofile\n",
       "cannot create files in its folder /proc"},
      {endpoint + "[destination.a]\ntype = zmq\nbind = true\nurl = ipc://" + dir.file("o.sock") +
           "\n",
       "is also used by another setting"},
      {endpoint + "[destination.a]\ntype = zmq\nurl = tcp://*:5999\n",
       "is not an address to connect to"},
  };
  const std::string file = dir.file("a.conf");
  for (const Case& one : cases) {
    write_file(file, one.text);
    const std::set<std::string> before = files_in(dir.path());
    const Finished checked = check(file);
    EXPECT_EQ(files_in(dir.path()), before) << one.text;
    EXPECT_NE(checked.status, 0) << one.text;
    EXPECT_NE(checked.err.find(one.error), std::string::npos) << one.text << checked.err;
    const Finished started = run({outrider_binary(), "run", "--config", file});
    EXPECT_EQ(started.status, checked.status) << one.text << started.err;
    EXPECT_EQ(files_in(dir.path()), before) << one.text;
    EXPECT_EQ(check(file, "--elsewhere").status == 0, checked.status == 1) << one.text;
  }
}

TEST(Check, APipeIsTakenWhoeverReadsItAndWhenever) {
  const TempDir dir;
  const std::string pipe = dir.file("pipe");
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  const std::string config =
      "[destination.a]\ntype = file\npath = " + pipe + "\nretry_initial = 20ms\nretry_max = 20ms\n";
  write_file(dir.file("a.conf"),
             config + "[ingest]\nendpoint = ipc://" + dir.file("o.sock") + "\n");
  EXPECT_EQ(check(dir.file("a.conf")).status, 0);
  Sidecar early(dir, config);
  Client client(early.endpoint());
  emit_numbers(client, 1, 1);
  EXPECT_TRUE(early.process().wait_for_line("nobody reads this pipe", Process::Stream::err));
  {
    Process reader({"/bin/cat", pipe});
    EXPECT_TRUE(reader.wait_for_line("\"n\":1"));
    EXPECT_EQ(early.stop(), 0);
    EXPECT_EQ(reader.wait(30s), 0) << "the end of the sidecar is that of the pipe";
  }
  // Nor does a look at it end what somebody waits for.
  Process reader({"/bin/cat", pipe});
  EXPECT_EQ(check(dir.file("a.conf")).status, 0);
  Sidecar late(dir, config);
  emit_numbers(client, 2, 2);
  EXPECT_TRUE(reader.wait_for_line("\"n\":2"));
  EXPECT_EQ(late.stop(), 0);
}

/// As after an error of the disk. Nothing in it says to others that it is read-only.
TEST(Check, KnowsAFileSystemThatTheKernelHasMadeReadOnly) {
  const TempDir dir;
  const std::string mount = dir.file("mount");
  fs::create_directory(mount);
  const std::string set_up = "truncate -s 16M " + dir.file("image") + " && mkfs.ext4 -q " +
                             dir.file("image") + " && mount -o loop,errors=remount-ro " +
                             dir.file("image") + " " + mount + " && mount -o remount,abort " +
                             mount;
  const std::string ingest = "[ingest]\nendpoint = ipc://" + dir.file("o.sock") +
                             "\nconfirm_endpoint = ipc://" + dir.file("c.sock") + "\n";
  const std::string out = "[destination.a]\ntype = stdout\n";
  const std::vector<std::string> texts = {
      out + "[ingest]\nendpoint = ipc://" + mount + "/o.sock\n",
      ingest + out + "[spool]\nfree_bytes_min = 0\npath = " + mount + "/s.db\n",
      "[ingest]\nendpoint = ipc://" + dir.file("o.sock") +
          "\n[destination.a]\ntype = file\npath = " + mount + "/file\n"};
  for (const std::string& text : texts) {
    write_file(dir.file("a.conf"), text);
    // In a mount namespace of its own, so that nothing stays behind.
    const Finished ended =
        run({"/usr/bin/unshare", "-m", "/bin/sh", "-c",
             "{ " + set_up + "; } >&2 || exit 77; for command in check run; do " +
                 outrider_binary() + " $command --config " + dir.file("a.conf") +
                 " 2>&1; echo $command: $?; done; umount " + mount});
    if (ended.status != 0) GTEST_SKIP() << "only root has such a file system: " << ended.err;
    EXPECT_NE(ended.out.find("check: 1\n"), std::string::npos) << ended.out;
    EXPECT_NE(ended.out.find("run: 1\n"), std::string::npos) << ended.out;
    EXPECT_NE(ended.out.find("cannot create files in its folder"), std::string::npos) << ended.out;
  }
}

TEST(Check, SaysYesBesideTheSidecarThatRuns) {
  const TempDir dir;
  const std::string config =
      "[ingest]\nendpoint = ipc://" + dir.file("o.sock") + "\nconfirm_endpoint = ipc://" +
      dir.file("c.sock") + "\n[spool]\npath = " + dir.file("s.db") +
      "\nfree_bytes_min = 0\n[destination.a]\ntype = file\npath = " + dir.file("out") + "\n";
  Sidecar sidecar(dir, config);
  const Finished checked = check(dir.file("outrider.conf"));
  EXPECT_EQ(checked.status, 0) << checked.err;
  EXPECT_NE(checked.out.find("note: a sidecar is running with this configuration; 3 places that it "
                             "uses were not checked\n"),
            std::string::npos)
      << checked.out;
  // Nobody should stop a sidecar that is as it should be.
  EXPECT_EQ(checked.out.find("stop it"), std::string::npos) << checked.out;
  EXPECT_EQ(sidecar.stop(), 0);
}

TEST(Check, CountsTheDescriptorsThatRunTakes) {
  const TempDir dir;
  std::string text = "[ingest]\nendpoint = ipc://" + dir.file("o.sock") + "\n";
  for (int i = 0; i < 20; ++i) {
    const std::string name = "d" + std::to_string(i);
    text += "[destination." + name + "]\ntype = file\npath = " + dir.file(name) + "\n";
  }
  const std::string file = dir.file("a.conf");
  write_file(file, text);
  EXPECT_EQ(check(file).status, 0);
  for (const char* limit : {"12", "40"}) {
    for (const char* command : {"check", "run"}) {
      const Finished ended = run({"/bin/sh", "-c",
                                  std::string("ulimit -n ") + limit + "; exec " +
                                      outrider_binary() + " " + command + " --config " + file});
      EXPECT_EQ(ended.status, 1) << command << limit << ended.err;
      EXPECT_NE(ended.err.find("may open only"), std::string::npos) << ended.err;
      EXPECT_NE(ended.err.find("LimitNOFILE= in the unit, to "), std::string::npos) << ended.err;
    }
  }
}

// A sanitizer has address space without end.
#ifndef OUTRIDER_SANITIZED
TEST(Check, KnowsWhatTheLimitsOfTheProcessForbid) {
  const TempDir dir;
  const std::string file = dir.file("a.conf");
  write_file(file, "[ingest]\nendpoint = ipc://" + dir.file("o.sock") +
                       "\nconfirm_endpoint = ipc://" + dir.file("c.sock") +
                       "\n[spool]\nfree_bytes_min = 0\npath = " + dir.file("s.db") +
                       "\n[destination.a]\ntype = stdout\n");
  struct Limit {
    std::string set;
    std::string said;
  };
  // Threads: their stacks do not fit.
  for (const Limit& limit : {Limit{"ulimit -f 8", "may not write files larger than "},
                             Limit{"ulimit -s 4000000; ulimit -v 4500000", "no more threads"}}) {
    for (const std::string command : {"check", "run"}) {
      const Finished ended = run({"/bin/sh", "-c",
                                  limit.set + "; exec " + outrider_binary() + " " + command +
                                      " --config " + file + " 2>&1 | cat"});
      EXPECT_NE(ended.out.find(limit.said), std::string::npos) << command << ended.out;
    }
    EXPECT_EQ(run({"/bin/sh", "-c",
                   limit.set + "; exec " + outrider_binary() + " check --config " + file})
                  .status,
              1)
        << limit.set;
  }
  EXPECT_EQ(check(file).status, 0);
}

#endif

TEST(Check, APipeAsConfigurationIsRefusedAtOnce) {
  const TempDir dir;
  const std::string pipe = dir.file("pipe");
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  for (const char* command : {"check", "run"}) {
    const Finished ended = run({outrider_binary(), command, "--config", pipe});
    EXPECT_EQ(ended.status, 2) << command;
    EXPECT_NE(ended.err.find("is not a regular file"), std::string::npos) << ended.err;
  }
}

/// Whoever reads the log by machine reads the reason of a start that fails, too.
TEST(Check, WithAJsonLogRunSaysErrorsOfTheConfigurationInJson) {
  const TempDir dir;
  write_file(dir.file("outrider.conf"),
             "[log]\nformat = json\n[destination.a]\nurl = https://a.example/\ntimeot = 3s\n"
             "retry_max = soon\n");
  const Finished ran = run({outrider_binary(), "run", "--config", dir.file("outrider.conf")});
  EXPECT_EQ(ran.status, 2);
  std::istringstream lines(ran.err);
  int errors = 0;
  for (std::string line; std::getline(lines, line); ++errors) {
    EXPECT_TRUE(line.starts_with("{\"time\":\"") && line.ends_with("\"}")) << line;
    EXPECT_NE(line.find("\"level\":\"error\",\"message\":\"cannot start\""), std::string::npos)
        << line;
  }
  EXPECT_EQ(errors, 2) << ran.err;
}

}  // namespace
}  // namespace outrider::test
