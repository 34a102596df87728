#include "sidecar/app/probe.hpp"

#include <filesystem>
#include <fstream>
#include <memory>
#include <set>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "sidecar/app/host.hpp"
#include "sidecar/app/limit_probe.hpp"
#include "sidecar/schedule/recurrence.hpp"
#include "sidecar/spool/store.hpp"
#include "support/memory_log.hpp"
#include "support/small_disk.hpp"
#include "support/temp_dir.hpp"

namespace outrider::sidecar {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ProbeTest : public testing::Test {
 protected:
  static LoadedConfig load(const std::string& text) {
    LoadResult result = load_config_text(text, "a.conf");
    for (const Error& error : result.errors) ADD_FAILURE() << error.message;
    return std::move(result.loaded);
  }
  ProbeReport look(const std::string& text) const {
    const std::set<std::string> before = files();
    ProbeReport report = probe(load(text), "a.conf");
    EXPECT_EQ(files(), before) << "it must make nothing";
    return report;
  }
  std::vector<std::string> errors_of_file(const std::string& path) const {
    return look("[destination.a]\ntype = file\npath = " + path +
                "\n[ingest]\nendpoint = " + socket() + "\n")
        .errors;
  }
  std::vector<std::string> errors_of_spool(const std::string& path) const {
    return look("[destination.a]\ntype = stdout\n[ingest]\nendpoint = " + socket() +
                "\nconfirm_endpoint = ipc://" + dir_.file("c.sock") + "\n[spool]\npath = " + path +
                "\nfree_bytes_min = 0\n")
        .errors;
  }
  std::string with_endpoint(const std::string& endpoint) const {
    return "[destination.a]\ntype = stdout\n[ingest]\nendpoint = " + endpoint + "\n";
  }
  std::string socket() const { return "ipc://" + dir_.file("o.sock"); }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(dir_.file(name), std::ios::binary) << text;
  }
  std::set<std::string> files() const {
    std::set<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(dir_.path())) {
      names.insert(entry.path().string());
    }
    return names;
  }

  test::TempDir dir_;
};

TEST_F(ProbeTest, WhatCanBeOpenedIsNotMentioned) {
  const ProbeReport report =
      look("[destination.a]\ntype = file\npath = " + dir_.file("a.ndjson") +
           "\n[destination.b]\ntype = zmq\nbind = true\nurl = tcp://127.0.0.1:0\n"
           "[destination.c]\nurl = https://h.example/\n"
           "[ingest]\nendpoint = " +
           socket() + "\nendpoint = tcp://127.0.0.1:*\n" + "confirm_endpoint = ipc://" +
           dir_.file("c.sock") + "\n[spool]\nfree_bytes_min = 0\npath = " + dir_.file("spool.db") +
           "\n");
  EXPECT_THAT(report.errors, IsEmpty());
  EXPECT_THAT(report.in_use, IsEmpty());
  EXPECT_THAT(report.warnings, IsEmpty());
}

TEST_F(ProbeTest, FoldersMustBeThere) {
  const std::string missing = dir_.file("no");
  const ProbeReport report =
      look("[destination.a]\ntype = file\npath = " + missing + "/a\n[ingest]\nendpoint = ipc://" +
           missing + "/o\nconfirm_endpoint = ipc://" + missing + "/c\n[spool]\npath = " + missing +
           "/s.db\n");
  const std::string folder = "its folder " + missing + " does not exist; create it";
  EXPECT_THAT(report.errors, ElementsAre(HasSubstr("a.conf:5: endpoint: " + folder),
                                         HasSubstr("a.conf:6: confirm_endpoint: " + folder),
                                         HasSubstr("a.conf:8: path: " + folder),
                                         HasSubstr("a.conf:3: path: " + folder)));
}

TEST_F(ProbeTest, ADefaultIsLookedAtAsWhatIsWritten) {
  LoadedConfig loaded =
      load("[destination.a]\ntype = stdout\n[spool]\npath = " + dir_.file("s.db") +
           "\n[ingest]\nendpoint = " + socket() + "\n");
  loaded.config.ingest.confirm_endpoint = "ipc://" + dir_.file("no") + "/c";
  EXPECT_THAT(probe(loaded, "a.conf").errors,
              ElementsAre(HasSubstr("a.conf: [ingest] confirm_endpoint (not set): its folder ")));
}

TEST_F(ProbeTest, WhatStandsAtTheSocketsPath) {
  write("o.sock", "mine");
  EXPECT_THAT(look(with_endpoint(socket())).errors, ElementsAre(HasSubstr("is not a socket")));
  fs::remove(dir_.file("o.sock"));
  fs::create_symlink(dir_.file("elsewhere"), dir_.file("o.sock"));
  EXPECT_THAT(look(with_endpoint(socket())).errors, ElementsAre(HasSubstr("is not a socket")));
  fs::remove(dir_.file("o.sock"));
  ASSERT_EQ(mkfifo(dir_.file("o.sock.lock").c_str(), 0600), 0);
  EXPECT_THAT(look(with_endpoint(socket())).errors, ElementsAre(HasSubstr("not a regular file")));
  fs::remove(dir_.file("o.sock.lock"));
  fs::create_directory(dir_.file("o.sock.lock"));
  EXPECT_THAT(look(with_endpoint(socket())).errors, ElementsAre(HasSubstr("not a regular file")));
}

TEST_F(ProbeTest, ASidecarThatRunsIsNoErrorOfItsConfiguration) {
  const std::string text = with_endpoint(socket()) + "endpoint = tcp://127.0.0.1:0\n";
  test::MemoryLog log;
  const auto host = Host::open(load(text).config, log);
  ASSERT_TRUE(host.ok());
  const ProbeReport report = look(text);
  EXPECT_THAT(report.errors, IsEmpty());
  EXPECT_THAT(report.in_use, ElementsAre(HasSubstr("another sidecar listens on")));
}

TEST_F(ProbeTest, APortThatSomebodyElseHas) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t bytes = sizeof address;
  ASSERT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&address), bytes), 0);
  ASSERT_EQ(listen(fd, 1), 0);
  ASSERT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &bytes), 0);
  const std::string port = std::to_string(ntohs(address.sin_port));
  EXPECT_THAT(look(with_endpoint("tcp://127.0.0.1:" + port)).errors,
              ElementsAre(HasSubstr("port " + port + " of 127.0.0.1 is in use")));
  close(fd);
  EXPECT_THAT(look(with_endpoint("tcp://127.0.0.1:" + port)).errors, IsEmpty());
}

TEST_F(ProbeTest, AddressesThatAreNotOurs) {
  EXPECT_THAT(look(with_endpoint("tcp://192.0.2.1:5999")).errors,
              ElementsAre(HasSubstr("192.0.2.1 is not an address of this machine")));
  EXPECT_THAT(look(with_endpoint("tcp://localhost:5999")).errors,
              ElementsAre(HasSubstr("neither an address nor a network interface")));
  EXPECT_THAT(look(with_endpoint("inproc://x")).errors, ElementsAre(HasSubstr("reaches nobody")));
}

TEST_F(ProbeTest, NoDestinationWritesToAFileThatTheConfigurationReads) {
  const std::string secret = dir_.file("secret");
  std::ofstream(secret) << "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n";
  const std::string reader =
      with_endpoint(socket()) + "[destination.h]\nurl = https://a.example/\n";
  const std::string writer = "[destination.f]\ntype = file\npath = " + dir_.path() + "/./secret\n";
  for (const std::string key :
       {"bearer_token_file = ", "signing_secret_file = ", "secret_header = X-Key: "}) {
    const std::string text = reader + key + secret + "\n";
    EXPECT_THAT(look(text + writer).errors,
                testing::Contains(HasSubstr("is also used by another setting (a.conf:")))
        << key;
    EXPECT_THAT(look(text).errors, testing::Not(testing::Contains(HasSubstr("is used by"))));
  }
  const std::string two = reader + "bearer_token_file = " + secret + "\n[destination.i]\n" +
                          "url = https://b.example/\nbearer_token_file = " + secret + "\n";
  EXPECT_THAT(look(two).errors, IsEmpty()) << "two may read it";
}

TEST_F(ProbeTest, OnePortOrPathForTwo) {
  EXPECT_THAT(look("[destination.a]\ntype = zmq\nbind = true\nurl = tcp://0.0.0.0:5999\n[ingest]\n"
                   "endpoint = tcp://127.0.0.1:5999\n")
                  .errors,
              ElementsAre(HasSubstr("a.conf:4: url: port 5999 is used by another endpoint")));
  const std::string shared = dir_.file("x");
  EXPECT_THAT(look("[destination.a]\ntype = file\npath = " + shared +
                   ".lock\n[ingest]\nendpoint = "
                   "ipc://" +
                   shared + "\n")
                  .errors,
              ElementsAre(HasSubstr("is also used by another setting (a.conf:5: endpoint)")));
  EXPECT_THAT(look(with_endpoint(socket()) + "[destination.b]\ntype = file\npath = " + shared +
                   "\n[destination.c]\ntype = file\npath = " + dir_.path() + "/./x\n")
                  .warnings,
              ElementsAre(HasSubstr("another destination (a.conf:7: path)")));
}

TEST_F(ProbeTest, AddressesThatExcludeEachOther) {
  const auto errors = [&](const std::string& one, const std::string& other) {
    return look(with_endpoint("tcp://" + one + ":5998") + "endpoint = tcp://" + other + ":5998\n")
        .errors;
  };
  EXPECT_THAT(errors("127.0.0.1", "127.0.0.2"), IsEmpty());
  EXPECT_THAT(errors("*", "127.0.0.1"), ElementsAre(HasSubstr("used by another endpoint")));
  EXPECT_THAT(errors("127.0.0.1", "0.0.0.0"), ElementsAre(HasSubstr("used by another endpoint")));
  for (const std::string mapped : {"[::ffff:127.0.0.1]", "[::ffff:0.0.0.0]"}) {
    EXPECT_THAT(errors(mapped, "127.0.0.1"), ElementsAre(HasSubstr("used by another endpoint")));
  }
  EXPECT_THAT(errors("[::ffff:127.0.0.1]", "127.0.0.2"), IsEmpty());
}

TEST_F(ProbeTest, WhatCannotBeAppendedTo) {
  EXPECT_THAT(errors_of_file(dir_.path()), ElementsAre(HasSubstr("is a folder")));
  EXPECT_THAT(errors_of_file(dir_.path() + "/new/"), ElementsAre(HasSubstr("is a folder")));
  write("file", "");
  EXPECT_THAT(errors_of_file(dir_.file("file")), IsEmpty());
  EXPECT_THAT(errors_of_file(dir_.file("file/x")), ElementsAre(HasSubstr("Not a directory")));
  fs::create_symlink(dir_.file("no/target"), dir_.file("link"));
  EXPECT_THAT(errors_of_file(dir_.file("link")),
              ElementsAre(HasSubstr("its folder " + dir_.file("no"))));
  EXPECT_THAT(errors_of_file("/dev/null"), IsEmpty());
}

TEST_F(ProbeTest, NothingIsMadeInTheKernelsFolders) {
  const ProbeReport report = look(
      "[destination.a]\ntype = file\npath = /proc/nofile\n"
      "[destination.b]\ntype = file\npath = /sys/kernel/nofile\n"
      "[ingest]\nendpoint = ipc:///proc/o.sock\nconfirm_endpoint = " +
      socket() + "\n[spool]\nfree_bytes_min = 0\npath = /proc/s.db\n");
  const std::string said = ": cannot create files in its folder ";
  EXPECT_THAT(report.errors,
              ElementsAre(HasSubstr("endpoint" + said), HasSubstr("path" + said + "/proc"),
                          HasSubstr("path" + said + "/proc"), HasSubstr("path" + said + "/sys")));
}

TEST_F(ProbeTest, TwoNamesOfOneFile) {
  write("one", "");
  fs::create_hard_link(dir_.file("one"), dir_.file("two"));
  const std::string one = "[destination.a]\ntype = file\npath = " + dir_.file("one") + "\n";
  const ProbeReport mixed = look(one + "[destination.b]\ntype = file\npath = " + dir_.file("two") +
                                 "\n[ingest]\nendpoint = " + socket() + "\n");
  EXPECT_THAT(mixed.warnings, ElementsAre(HasSubstr("their events will be mixed")));
  EXPECT_THAT(mixed.errors, IsEmpty());
  const ProbeReport spool = look(
      one + "[ingest]\nendpoint = " + socket() + "\nconfirm_endpoint = ipc://" +
      dir_.file("c.sock") + "\n[spool]\nfree_bytes_min = 0\npath = " + dir_.file("two") + "\n");
  EXPECT_THAT(spool.errors, ElementsAre(HasSubstr("has more than one name (hard links)"),
                                        HasSubstr("is also used by another setting")));
}

TEST_F(ProbeTest, APipeIsLookedAtAndNotOpened) {
  ASSERT_EQ(mkfifo(dir_.file("pipe").c_str(), 0600), 0);
  const ProbeReport report = look("[destination.a]\ntype = file\npath = " + dir_.file("pipe") +
                                  "\n[ingest]\nendpoint = " + socket() + "\n");
  EXPECT_THAT(report.errors, IsEmpty());
  EXPECT_THAT(report.warnings, ElementsAre(HasSubstr("is a pipe: events wait while nobody reads")));
}

TEST_F(ProbeTest, APipeThatAnotherUserHasPutThereIsRefused) {
  fs::create_directory(dir_.file("tmp"));
  const std::string pipe = dir_.file("tmp/pipe");
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  if (chmod(dir_.file("tmp").c_str(), 01777) != 0 || chown(pipe.c_str(), 4711, 4711) != 0) {
    GTEST_SKIP() << "only root can give it away";
  }
  fs::create_symlink(pipe, dir_.file("link"));
  for (const std::string& path : {pipe, dir_.file("link")}) {
    EXPECT_THAT(errors_of_file(path), ElementsAre(HasSubstr("is a pipe of uid 4711")));
  }
}

TEST_F(ProbeTest, ADeviceThatIsNotThere) {
  const std::string device = dir_.file("device");
  // Numbers for experiments, which belong to no driver.
  if (mknod(device.c_str(), S_IFCHR | 0600, makedev(240, 77)) != 0) {
    GTEST_SKIP() << "only root can make one";
  }
  EXPECT_THAT(errors_of_file(device), ElementsAre(HasSubstr("cannot open " + device)));
}

TEST_F(ProbeTest, AFileSystemWithoutRoomForFiles) {
  // Itself and one more.
  const test::SmallDisk disk(dir_.file("disk"), 1U << 20U, 2);
  if (!disk.is_small()) GTEST_SKIP() << "only root can have one";
  const std::string socket = "ipc://" + dir_.file("disk/o.sock");
  EXPECT_THAT(errors_of_file(dir_.file("disk/one")), IsEmpty());
  EXPECT_THAT(look(with_endpoint(socket)).errors,
              ElementsAre(HasSubstr("has room for 1 more files, and 2 are needed")));
  write("disk/o.sock.lock", "");
  EXPECT_THAT(errors_of_file(dir_.file("disk/one")), ElementsAre(HasSubstr("has room for 0 more")));
  EXPECT_THAT(look(with_endpoint(socket)).errors, ElementsAre(HasSubstr("and 1 are needed")));
}

TEST_F(ProbeTest, WhatASpoolCannotBe) {
  const auto look_at = [&](const std::string& name) {
    return look("[destination.a]\ntype = stdout\n[ingest]\nendpoint = " + socket() +
                "\nconfirm_endpoint = ipc://" + dir_.file("c.sock") +
                "\n[spool]\npath = " + dir_.file(name) + "\nfree_bytes_min = 0\n");
  };
  write("text", std::string(200, 'x'));
  EXPECT_THAT(look_at("text").warnings, ElementsAre(HasSubstr("is damaged or not a spool")));
  const auto make = [&](const std::string& name, const char* sql) {
    Database(dir_.file(name), OpenMode::create).execute(sql);
  };
  make("begun", "PRAGMA user_version=1");
  EXPECT_THAT(look_at("begun").errors, IsEmpty());
  make("other", "CREATE TABLE t(x)");
  EXPECT_THAT(look_at("other").errors, ElementsAre(HasSubstr("a database of another program")));
  make("newer", "CREATE TABLE t(x); PRAGMA application_id=0x4f757472; PRAGMA user_version=99");
  EXPECT_THAT(look_at("newer").errors, ElementsAre(HasSubstr("has version 99")));
  fs::create_directory(dir_.file("folder"));
  EXPECT_THAT(look_at("folder").errors, ElementsAre(HasSubstr("is not a regular file")));
  write("empty", "");
  EXPECT_THAT(look_at("empty").errors, IsEmpty());
}

TEST_F(ProbeTest, WhatStandsBesideTheSpool) {
  for (const std::string name : {"s.db-wal", "s.db-shm", "s.db-journal"}) {
    fs::create_directory(dir_.file(name));
    EXPECT_THAT(errors_of_spool(dir_.file("s.db")),
                ElementsAre(HasSubstr(dir_.file(name) + " is not a regular file")));
    fs::remove(dir_.file(name));
    ASSERT_EQ(mkfifo(dir_.file(name).c_str(), 0600), 0);
    EXPECT_THAT(errors_of_spool(dir_.file("s.db")),
                ElementsAre(HasSubstr(dir_.file(name) + " is not a regular file")));
    fs::remove(dir_.file(name));
  }
}

TEST_F(ProbeTest, ASpoolThatCannotBeOpenedIsRefusedWithTheSystemsReason) {
  // linux/fs.h cannot be included beside sys/mount.h.
  constexpr unsigned long set_flags_request = _IOW('f', 2, long);
  constexpr int immutable = 0x10;
  write("s.db", "");
  const auto set_flags = [&](int flags) {
    const int fd = open(dir_.file("s.db").c_str(), O_RDONLY | O_CLOEXEC);
    const bool is_set = ioctl(fd, set_flags_request, &flags) == 0;
    close(fd);
    return is_set;
  };
  if (!set_flags(immutable)) GTEST_SKIP() << "only root can do it, on some file systems";
  const std::vector<std::string> errors = errors_of_spool(dir_.file("s.db"));
  ASSERT_TRUE(set_flags(0));
  EXPECT_THAT(
      errors,
      ElementsAre(AllOf(HasSubstr("cannot open " + dir_.file("s.db") + ": Operation not permitted"),
                        HasSubstr("chattr -i"))));
}

TEST_F(ProbeTest, ASpoolWithASecondNameIsRefused) {
  write("s.db", "");
  fs::create_hard_link(dir_.file("s.db"), dir_.file("second.db"));
  EXPECT_THAT(errors_of_spool(dir_.file("s.db")),
              ElementsAre(HasSubstr("has more than one name (hard links)")));
}

TEST_F(ProbeTest, APathThatIsTooLongForTheFilesBesideIt) {
  EXPECT_THAT(errors_of_spool(dir_.file(std::string(229, 's'))), IsEmpty());
  EXPECT_THAT(errors_of_spool(dir_.file(std::string(230, 's'))),
              ElementsAre(HasSubstr("its name may have 229 bytes at most")));
  const std::string folder = dir_.file(std::string(200, 'f')) + "/" + std::string(200, 'f');
  fs::create_directories(folder);
  const std::string longest = folder + "/" + std::string(496 - folder.size() - 1, 's');
  EXPECT_THAT(errors_of_spool(longest), IsEmpty());
  EXPECT_THAT(errors_of_spool(longest + 's'),
              ElementsAre(HasSubstr("the path may have 496 bytes at most")));
}

TEST_F(ProbeTest, ASpoolWithoutRoomStoresNothing) {
  const ProbeReport report =
      look("[destination.a]\ntype = stdout\n[ingest]\nendpoint = " + socket() +
           "\nconfirm_endpoint = ipc://" + dir_.file("c.sock") +
           "\n[spool]\npath = " + dir_.file("s.db") + "\nfree_bytes_min = 1024GiB\n");
  EXPECT_THAT(report.errors, IsEmpty());
  EXPECT_THAT(report.warnings, ElementsAre(HasSubstr("the spool will store nothing")));
}

TEST_F(ProbeTest, MoreMemoryThanThereIs) {
  EXPECT_THAT(look("[destination.a]\ntype = stdout\nqueue_bytes_max = 1024GiB\n[ingest]\n"
                   "endpoint = " +
                   socket() + "\n")
                  .warnings,
              ElementsAre(HasSubstr("the queues may take 1024GiB together")));
}

TEST_F(ProbeTest, LessMemoryThanTheQueuesAndClientsMayTake) {
  const Config config =
      load("[destination.a]\ntype = stdout\nqueue_bytes_max = 64MiB\n[ingest]\nendpoint = " +
           socket() + "\n")
          .config;
  constexpr std::uint64_t mib = 1U << 20U;
  EXPECT_THAT(probe_memory(config, {228 * mib, "ulimit -v allows", "it"}), IsEmpty());
  const Findings found = probe_memory(config, {227 * mib, "ulimit -v allows", "it"});
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].kind, Finding::Kind::warning);
  EXPECT_THAT(found[0].text, HasSubstr("about 228MiB, but ulimit -v allows only 227MiB of memory"));
  EXPECT_THAT(found[0].text, HasSubstr(", or raise it"));
}

TEST_F(ProbeTest, ACgroupHasTheLimitOfAllAboveIt) {
  fs::create_directories(dir_.file("a/b"));
  fs::create_directories(dir_.file("memory/a/b"));
  const std::string v2 = "0::/a/b\n";
  EXPECT_EQ(cgroup_memory_limit(v2, dir_.path()).bytes, 0U);
  write("a/b/memory.max", "max\n");
  write("a/memory.max", "300000000\n");
  EXPECT_EQ(cgroup_memory_limit(v2, dir_.path()).bytes, 300'000'000U);
  write("memory.max", "200000000\n");  // as in a container
  EXPECT_EQ(cgroup_memory_limit(v2, dir_.path()).bytes, 200'000'000U);
  EXPECT_EQ(cgroup_memory_limit(v2, dir_.path()).owner, dir_.file("memory.max") + " allows");
  const std::string v1 = "9:name=systemd:/x\n4:cpu,memory:/a/b\n0::/\n";
  write("memory/a/b/memory.limit_in_bytes", "9223372036854771712\n");
  write("memory/a/memory.limit_in_bytes", "100000000\n");
  EXPECT_EQ(cgroup_memory_limit(v1, dir_.path()).bytes, 100'000'000U);
  for (const char* nonsense : {"", "x", "::", "1:memory:", "\n\n"}) {
    EXPECT_EQ(cgroup_memory_limit(nonsense, dir_.file("none")).bytes, 0U) << nonsense;
  }
}

TEST_F(ProbeTest, FoldersThatAreOpenToAll) {
  chmod(dir_.path().c_str(), 0777);
  EXPECT_THAT(look(with_endpoint(socket())).warnings,
              ElementsAre(HasSubstr("every user of this machine can replace the socket")));
  chmod(dir_.path().c_str(), 01777);
  EXPECT_THAT(look(with_endpoint(socket())).warnings, IsEmpty());
}

TEST_F(ProbeTest, ScheduleThatAWrongClockHasPutOffIsNamed) {
  const Config config =
      load("[destination.a]\ntype = stdout\n[spool]\npath = " + dir_.file("s.db") +
           "\n[schedule.tick]\ncron = 0 * * * *\ntopic = t\n")
          .config;
  Now now;
  now.wall = WallTime(std::chrono::hours(24 * 365 * 50));
  EXPECT_THAT(schedules_ahead(config, now), IsEmpty());
  {
    Store store(Database(dir_.file("s.db"), OpenMode::create));
    store.begin(true);
    store.mark({Recurrence::mark_of(config.schedules[0]), now.wall_ns() + 86'400'000'000'000});
    store.commit();
  }
  EXPECT_THAT(schedules_ahead(config, now),
              ElementsAre(HasSubstr("schedule tick had its last run ahead of the clock")));
  now.wall += std::chrono::hours(24);
  EXPECT_THAT(schedules_ahead(config, now), IsEmpty());
}

}  // namespace
}  // namespace outrider::sidecar
