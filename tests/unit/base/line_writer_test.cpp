#include "sidecar/base/line_writer.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <sstream>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sidecar/base/journal.hpp"
#include "sidecar/base/stderr_log.hpp"
#include "support/temp_dir.hpp"

namespace outrider::sidecar {
namespace {

using std::chrono::steady_clock;

std::string say(std::uint64_t lines, int error = 0) {
  return "dropped " + std::to_string(lines) + (error == 0 ? "" : " " + std::to_string(error)) +
         "\n";
}

class LineWriterTest : public testing::Test {
 protected:
  LineWriterTest() {
    EXPECT_EQ(pipe2(fds_, O_CLOEXEC), 0);
    fcntl(fds_[1], F_SETPIPE_SZ, 4096);
    std::signal(SIGPIPE, SIG_IGN);
  }
  ~LineWriterTest() override {
    for (const int fd : fds_) {
      if (fd >= 0) close(fd);
    }
  }

  static steady_clock::time_point in(std::chrono::milliseconds time) {
    return steady_clock::now() + time;
  }

  /// Reads until `last` has come.
  std::string read_until(const std::string& last) {
    std::string text;
    pollfd ready = {fds_[0], POLLIN, 0};
    while (text.find(last) == std::string::npos && poll(&ready, 1, 20'000) == 1) {
      char block[4096];
      const ssize_t got = read(fds_[0], block, sizeof block);
      if (got <= 0) break;
      text.append(block, static_cast<std::size_t>(got));
    }
    return text;
  }

  int fds_[2] = {-1, -1};
};

TEST_F(LineWriterTest, WritesLinesInTheirOrder) {
  LineWriter writer(fds_[1], say);
  writer.add("one\n");
  writer.add("two\n");
  EXPECT_TRUE(writer.wait_until_written(in(std::chrono::seconds(20))));
  EXPECT_EQ(read_until("two\n"), "one\ntwo\n");
}

TEST_F(LineWriterTest, WhatIsDroppedIsSaidThoughNoLineFollows) {
  LineWriter writer(fds_[1], say);
  const std::string large = std::string(LineWriter::waiting_bytes_max - 1, 'x') + "\n";
  writer.add(large);
  pollfd ready = {fds_[0], POLLIN, 0};
  ASSERT_EQ(poll(&ready, 1, 20'000), 1) << "it is being written, and nothing waits behind it";
  writer.add("one\n");
  writer.add("two\n");
  EXPECT_EQ(read_until(say(2)), large + say(2));
  EXPECT_EQ(writer.lines_dropped(), 2U);
  EXPECT_TRUE(writer.wait_until_written(in(std::chrono::seconds(20))));
}

TEST_F(LineWriterTest, WhatNobodyReadsIsDroppedAndSaidWhereItIsMissing) {
  LineWriter writer(fds_[1], say);
  const std::string line = std::string(999, 'x') + "\n";
  constexpr std::uint64_t lines = 2000;
  for (std::uint64_t i = 0; i < lines; ++i) writer.add(line);
  EXPECT_FALSE(writer.wait_until_written(in(std::chrono::milliseconds(0))));
  // Each line is there, or is counted where it is missing; in how many pieces, the threads decide.
  std::uint64_t kept = 0;
  std::uint64_t dropped = 0;
  std::string text;
  while (kept + dropped < lines) {
    const std::string more = read_until("\n");
    ASSERT_FALSE(more.empty());
    text += more;
    for (std::size_t end = 0; (end = text.find('\n')) != std::string::npos;) {
      const std::string one = text.substr(0, end + 1);
      text.erase(0, end + 1);
      if (one == line) {
        ++kept;
      } else {
        ASSERT_TRUE(one.starts_with("dropped ")) << one;
        dropped += std::stoull(one.substr(8));
      }
    }
  }
  EXPECT_EQ(kept + dropped, lines);
  EXPECT_GT(dropped, 0U);
  EXPECT_EQ(writer.lines_dropped(), dropped);
  writer.add("after\n");
  EXPECT_EQ(read_until("after\n"), "after\n");
}

TEST_F(LineWriterTest, LastWordsAreTakenWhenItIsFullAndNobodyHoldsUpTheEnd) {
  const std::string line = std::string(999, 'x') + "\n";
  LineWriter writer(fds_[1], say);
  for (int i = 0; i < 2000; ++i) writer.add(line);
  writer.add_last("the report\n");
  EXPECT_FALSE(writer.wait_until_written(in(std::chrono::milliseconds(0))));
  EXPECT_NE(read_until("the report\n").find("the report\n"), std::string::npos);
}

TEST_F(LineWriterTest, TheDestructorLeavesAThreadThatIsStuckBehind) {
  const std::string line = std::string(99'999, 'x') + "\n";
  { LineWriter(fds_[1], say).add(line); }
  SUCCEED() << "it has returned though nobody reads";
  fds_[1] = -1;  // the thread keeps it, as it does at the end of a process
}

TEST_F(LineWriterTest, AReaderThatHasGoneAndAFullDiskEndNothing) {
  close(fds_[0]);
  LineWriter to_nobody(fds_[1], say);
  to_nobody.add("one\n");
  EXPECT_TRUE(to_nobody.wait_until_written(in(std::chrono::seconds(20))));
  const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  {
    LineWriter to_full(full, say);
    to_full.add("one\n");
    EXPECT_TRUE(to_full.wait_until_written(in(std::chrono::seconds(20))));
  }
  close(full);
  fds_[0] = -1;
}

TEST_F(LineWriterTest, WhatCouldNotBeWrittenIsSaidWithItsCause) {
  const test::TempDir dir;
  std::signal(SIGXFSZ, SIG_IGN);
  const int file = open(dir.file("log").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit none{0, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &none), 0);
  {
    LineWriter writer(file, say);
    writer.add("one\n");
    EXPECT_TRUE(writer.wait_until_written(in(std::chrono::seconds(20))));
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
    writer.add("two\n");
    EXPECT_TRUE(writer.wait_until_written(in(std::chrono::seconds(20))));
    EXPECT_EQ(writer.lines_dropped(), 1U);
  }
  close(file);
  std::stringstream text;
  text << std::ifstream(dir.file("log")).rdbuf();
  EXPECT_EQ(text.str(), "two\ndropped 1 " + std::to_string(EFBIG) + "\n");
}

TEST_F(LineWriterTest, ADescriptorThatSomebodyMadeNonBlockingLosesNothing) {
  fcntl(fds_[1], F_SETFL, O_NONBLOCK);
  LineWriter writer(fds_[1], say);
  const std::string line = std::string(99'999, 'x') + "\n";
  writer.add(line);
  writer.add("end\n");
  EXPECT_EQ(read_until("end\n"), line + "end\n");
  EXPECT_NE(fcntl(fds_[1], F_GETFL) & O_NONBLOCK, 0) << "the flags are left alone";
}

TEST_F(LineWriterTest, TheJournalsStreamIsKnownByDeviceAndInode) {
  struct stat status {};
  ASSERT_EQ(fstat(fds_[1], &status), 0);
  const std::string stream = std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino);
  EXPECT_TRUE(is_journal(fds_[1], stream.c_str()));
  EXPECT_FALSE(is_journal(fds_[1], (stream + "1").c_str()));
  EXPECT_FALSE(is_journal(fds_[1], nullptr));
  setenv("JOURNAL_STREAM", stream.c_str(), 1);
  StderrLog log(LogLevel::info, LogFormat::text, fds_[1]);
  unsetenv("JOURNAL_STREAM");
  log.debug("nothing");
  log.error("bad", {{"text",
                     "a\xc2\x9b"
                     "b\xff"}});
  const std::string text = read_until("\n");
  EXPECT_EQ(text.substr(0, 3), "<3>");
  EXPECT_NE(text.find("error bad text=a\\u009bb\\xff\n"), std::string::npos) << text;
  log.write_report(LogLevel::info, "one\n  two\n");
  EXPECT_EQ(read_until("two\n"), "<6>one\n<6>  two\n");
}

TEST_F(LineWriterTest, AReportIsJsonWhereTheLogIs) {
  StderrLog log(LogLevel::error, LogFormat::json, fds_[1]);
  log.write_report(LogLevel::info, "one\n\n  \"two\"\n");
  const std::string text = read_until("two");
  EXPECT_NE(text.find("\"level\":\"info\",\"message\":\"one\"}\n{\"time\""), std::string::npos)
      << text;
  EXPECT_NE(text.find("\"message\":\"  \\\"two"), std::string::npos) << text;
}

TEST_F(LineWriterTest, TheLevelOfALogCanChange) {
  StderrLog log(LogLevel::warn, LogFormat::text, fds_[1]);
  log.info("one");
  log.set_level(LogLevel::info);
  log.info("two");
  log.set_level(LogLevel::error);
  log.warn("three");
  log.error("four");
  const std::string text = read_until("four\n");
  EXPECT_EQ(text.find("one"), std::string::npos);
  EXPECT_NE(text.find("two"), std::string::npos);
  EXPECT_EQ(text.find("three"), std::string::npos);
}

TEST(Journal, PrintableLinesKeepTheirEnds) {
  EXPECT_EQ(printable_lines("a\xc2\x9b;m\n\n\xe2\x80\xaeX\n"), "a\\u009b;m\n\n\\u202eX\n");
  EXPECT_EQ(printable_lines("no end"), "no end");
  EXPECT_EQ(printable_lines(""), "");
}

}  // namespace
}  // namespace outrider::sidecar
