// What the commands say of a spool whose file, or whose file system, is not as it was.
#include "support/places.hpp"
#include "support/process.hpp"
#include "unit/cli/spool_fixture.hpp"

namespace outrider::sidecar {
namespace {

using testing::HasSubstr;
using testing::Not;

class SpoolPlace : public SpoolFixture {
 protected:
  /// The lines of these commands, on an ext4 that has the spool's files and that the kernel has
  /// made read-only because of an error. MNT stands for where it is. Empty: none can be had.
  std::string on_broken_disk(const std::vector<std::string>& commands) const {
    static constexpr const char* script = R"(
      cd "$1" && mkdir mnt && truncate -s 8M image && mkfs.ext4 -q image &&
      mount -o loop,errors=remount-ro image mnt && cp spool.db* mnt && rm -f mnt/spool.db-shm &&
      touch mnt/spool.db.lock && sync &&
      echo 1 >/sys/fs/ext4/$(basename $(findmnt -no SOURCE mnt))/trigger_fs_error || exit 77
      binary=$2; shift 2
      for words; do "$binary" $words 2>&1; done; exit 0)";
    std::vector<std::string> words = {"unshare", "-m", "sh",       "-c",
                                      script,    "sh", dir.path(), test::outrider_binary()};
    words.insert(words.end(), commands.begin(), commands.end());
    const test::Finished finished = test::run(std::move(words));
    std::filesystem::remove(dir.file("image"));
    std::filesystem::remove(dir.file("mnt"));
    return finished.status == 0 ? finished.out : "";
  }

  std::string write_config(const std::string& name, const std::string& spool_path) const {
    const std::string file = dir.file(name);
    std::ofstream(file) << "[ingest]\nendpoint = ipc://" << dir.file("o.sock")
                        << "\nconfirm_endpoint = ipc://" << dir.file("c.sock")
                        << "\n[spool]\npath = " << spool_path
                        << "\n[destination.a]\ntype = file\npath = " << dir.file("out") << "\n";
    return file;
  }

  std::string broken() const { return dir.file("mnt/spool.db"); }
};

TEST_F(SpoolPlace, WhatTheKernelMadeReadOnlyIsReadAsItIs) {
  spool("a", 1, 3);
  bury("b", {.number = 6});
  close();
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"spool info", "destination"},
      {"spool verify", "no problems found, 3 spooled events"},
      {"spool export", "{\"n\":3"},
      {"dead list", "orders.paid"},
  };
  for (const auto& [command, text] : cases) {
    const std::string out = on_broken_disk({command + " --spool " + broken()});
    if (out.empty()) GTEST_SKIP() << "no ext4 can be mounted here";
    EXPECT_THAT(out, HasSubstr(text)) << command;
  }
}

TEST_F(SpoolPlace, ALogThatNobodyMayReadThereIsToBeCopied) {
  spool("a", 1, 3);
  const std::string out = on_broken_disk({"spool info --spool " + broken()});
  if (out.empty()) GTEST_SKIP() << "no ext4 can be mounted here";
  EXPECT_THAT(out, HasSubstr("has a write-ahead log"));
  EXPECT_THAT(out, HasSubstr("copy both files to another folder"));
}

TEST_F(SpoolPlace, WhatWouldWriteSaysThatTheFileSystemIsReadOnly) {
  spool("a", 1, 3);
  bury("b", {.number = 6});
  close();
  // Nothing of this one is there yet.
  const std::string other = write_config("other.conf", dir.file("mnt/other.db"));
  const std::string config = write_config("o.conf", broken());
  for (const std::string& command :
       {"run --config " + config, "run --config " + other, "check --config " + config,
        "spool repair --spool " + broken(), "spool reset-schedule --schedule x --spool " + broken(),
        "spool drop --destination a --spool " + broken(), "dead drop --all --spool " + broken()}) {
    const std::string out = on_broken_disk({command});
    if (out.empty()) GTEST_SKIP() << "no ext4 can be mounted here";
    EXPECT_THAT(out, HasSubstr("Read-only file system")) << command;
    EXPECT_THAT(out, HasSubstr("mount it writable")) << command;
    EXPECT_THAT(out, Not(HasSubstr("a user other than"))) << command;
    EXPECT_THAT(out, Not(HasSubstr("run the command as the user"))) << command;
  }
}

TEST_F(SpoolPlace, AnEmptyFileIsSaidToBeEmpty) {
  spool("a", 1, 3);
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"spool", "info"},
                                             {"spool", "verify"},
                                             {"spool", "export"},
                                             {"dead", "list"},
                                             {"spool", "repair"},
                                             {"dead", "drop", "1"},
                                             {"spool", "drop", "--destination", "a"}}) {
    write_file("");
    ASSERT_GT(std::filesystem::file_size(wal_path(path)), 0U);
    const Outcome beside_log = outrider(words);
    EXPECT_EQ(beside_log.status, exit_failed);
    EXPECT_THAT(beside_log.err,
                HasSubstr("is empty, but its write-ahead log is not; keep the log"));
    EXPECT_GT(std::filesystem::file_size(wal_path(path)), 0U) << "nothing was taken away";
  }
  close();
  std::filesystem::remove(wal_path(path));
  write_file("");
  const Outcome alone = outrider({"spool", "info"});
  EXPECT_EQ(alone.status, exit_failed);
  EXPECT_THAT(alone.err, HasSubstr("is empty; a sidecar creates a new one there"));
}

TEST_F(SpoolPlace, NoneWaitsForTheWriterOfAPipeBesideIt) {
  spool("a", 1, 3);
  close();
  for (const std::string suffix : {"-wal", "-shm", "-journal"}) {
    ASSERT_EQ(mkfifo((path + suffix).c_str(), 0600), 0);
    for (const std::vector<std::string>& words :
         std::vector<std::vector<std::string>>{{"spool", "info"},
                                               {"spool", "verify"},
                                               {"spool", "export"},
                                               {"spool", "repair"},
                                               {"dead", "list"},
                                               {"dead", "drop", "--all"},
                                               {"spool", "drop", "--destination", "a"}}) {
      const Outcome outcome = outrider(words);
      EXPECT_EQ(outcome.status, exit_failed);
      EXPECT_THAT(outcome.err, HasSubstr(suffix + " is not a regular file")) << words[1];
    }
    std::filesystem::remove(path + suffix);
  }
}

}  // namespace
}  // namespace outrider::sidecar
