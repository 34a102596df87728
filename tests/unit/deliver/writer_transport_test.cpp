#include "sidecar/deliver/writer_transport.hpp"

#include <filesystem>
#include <fstream>
#include <sstream>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/temp_dir.hpp"

namespace outrider::sidecar {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;

class WriterTransportTest : public testing::Test {
 protected:
  WriterTransportTest() {
    if (pipe2(pipe_, O_CLOEXEC) != 0) ADD_FAILURE() << "no pipe";
  }
  ~WriterTransportTest() override {
    transport_.reset();
    close(pipe_[0]);
    close(pipe_[1]);
  }

  void open_file(const std::string& path) {
    DestinationConfig config;
    config.path = path;
    Result<std::unique_ptr<Transport>> made = make_file_transport(config, reactor_);
    ASSERT_TRUE(made.ok()) << made.error().message;
    transport_ = std::move(made.value());
  }

  void open_descriptor(int fd, BodyFormat format = BodyFormat::json) {
    DestinationConfig config;
    config.format = format;
    transport_ = std::move(make_stdout_transport(config, reactor_, fd).value());
  }
  void open_pipe() { open_descriptor(pipe_[1]); }

  void start(AttemptId id, std::string_view body) {
    Attempt attempt;
    attempt.id = id;
    attempt.body = body;
    transport_->start(attempt, {});
  }

  /// The next completion; sleeps on the reactor alone.
  Completion finish_one() {
    std::vector<Completion> done;
    const MonoTime deadline = clock_.now().mono + seconds(30);
    while (clock_.now().mono < deadline) {
      transport_->collect(clock_.now(), done);
      if (!done.empty()) return done.front();
      reactor_.wait(deadline - clock_.now().mono);
    }
    ADD_FAILURE() << "the attempt does not complete";
    return {};
  }

  Completion send(std::string_view body) {
    start(1, body);
    return finish_one();
  }

  static std::string content(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }

  /// More than a pipe holds.
  const std::string large_ = std::string(1U << 20U, 'x');
  test::TempDir dir_;
  const std::string path_ = dir_.file("events.log");
  int pipe_[2] = {-1, -1};
  SystemClock clock_;
  Reactor reactor_;
  std::unique_ptr<Transport> transport_;
};

TEST_F(WriterTransportTest, HalfALineThatAKilledProcessLeftSpoilsOnlyItself) {
  std::ofstream(path_) << "{\"n\":1}\n{\"n\":";
  open_file(path_);
  EXPECT_EQ(send("{\"n\":2}\n").result, AttemptResult::sent);
  EXPECT_EQ(send("{\"n\":3}\n").result, AttemptResult::sent);
  EXPECT_EQ(content(path_), "{\"n\":1}\n{\"n\":\n{\"n\":2}\n{\"n\":3}\n");
  // Also when the file is opened again, after a rotation.
  std::filesystem::remove(path_);
  std::ofstream(path_) << "half";
  EXPECT_EQ(send("{\"n\":4}\n").result, AttemptResult::sent);
  EXPECT_EQ(content(path_), "half\n{\"n\":4}\n");
}

TEST_F(WriterTransportTest, HalfALineAtTheEndOfAFileForStandardOutputToo) {
  struct Case {
    std::string before;
    int flags;
    BodyFormat format;
    std::string after;
  };
  for (const Case& one : {Case{"half", O_APPEND, BodyFormat::json, "half\n{}\n"},
                          Case{"whole\n", O_APPEND, BodyFormat::json, "whole\n{}\n"},
                          Case{"half", O_APPEND, BodyFormat::msgpack, "half{}\n"},
                          Case{"written over", 0, BodyFormat::json, "{}\ntten over"}}) {
    std::ofstream(path_) << one.before;
    const int fd = ::open(path_.c_str(), O_WRONLY | O_CLOEXEC | one.flags);
    open_descriptor(fd, one.format);
    EXPECT_EQ(send("{}\n").result, AttemptResult::sent);
    EXPECT_EQ(content(path_), one.after);
    transport_.reset();
    close(fd);
  }
}

TEST_F(WriterTransportTest, AWholeLastLineIsLeftAsItIs) {
  std::ofstream(path_) << "{\"n\":1}\n";
  open_file(path_);
  EXPECT_EQ(send("{\"n\":2}\n").result, AttemptResult::sent);
  EXPECT_EQ(content(path_), "{\"n\":1}\n{\"n\":2}\n");
}

TEST_F(WriterTransportTest, AppendsBodiesByteForByte) {
  std::ofstream(path_) << "old\n";
  open_file(path_);
  EXPECT_EQ(send("{}\n{}\n").result, AttemptResult::sent);
  EXPECT_EQ(send("\x81\xa1n\x01").result, AttemptResult::sent);
  EXPECT_EQ(content(path_), "old\n{}\n{}\n\x81\xa1n\x01") << "msgpack knows no newlines";
}

TEST_F(WriterTransportTest, CreatesTheFileForItsGroupOnly) {
  const mode_t before = umask(0);
  open_file(path_);
  umask(before);
  struct stat found {};
  ASSERT_EQ(stat(path_.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 07777U, 0640U);
}

TEST_F(WriterTransportTest, FollowsARotation) {
  open_file(path_);
  send("one");
  std::filesystem::rename(path_, path_ + ".1");
  send("two");
  std::filesystem::remove(path_);
  send("three");
  EXPECT_EQ(content(path_ + ".1"), "one");
  EXPECT_EQ(content(path_), "three");
}

TEST_F(WriterTransportTest, ReportsAFullDiskAndGoesOn) {
  open_file("/dev/full");
  const Completion completion = send("{}");
  EXPECT_EQ(completion.result, AttemptResult::failed);
  EXPECT_EQ(completion.detail, "cannot write to /dev/full: No space left on device");
  EXPECT_EQ(send("{}").result, AttemptResult::failed);
}

TEST_F(WriterTransportTest, CutsAHalfWrittenBodyOffAgain) {
  std::ofstream(path_) << std::string(2999, 'a') << '\n';
  open_file(path_);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit tight{4096, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &tight);
  const Completion completion = send(std::string(3000, 'b'));
  setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_EQ(completion.result, AttemptResult::failed);
  EXPECT_THAT(completion.detail, HasSubstr("File too large"));
  EXPECT_THAT(completion.detail, Not(HasSubstr("were written")));
  EXPECT_EQ(std::filesystem::file_size(path_), 3000U);
  EXPECT_EQ(send("c").result, AttemptResult::sent);
  EXPECT_EQ(content(path_), std::string(2999, 'a') + "\nc");
}

TEST_F(WriterTransportTest, RefusesAFileThatCannotBe) {
  DestinationConfig config;
  config.path = dir_.file("missing/events.log");
  EXPECT_EQ(make_file_transport(config, reactor_).error().message,
            "cannot open " + config.path + ": No such file or directory");
}

TEST_F(WriterTransportTest, RecoversWhenThePathComesBack) {
  const std::string directory = dir_.file("d");
  std::filesystem::create_directory(directory);
  open_file(directory + "/f");
  std::filesystem::remove_all(directory);
  EXPECT_THAT(send("one").detail, HasSubstr("cannot open " + directory));
  std::filesystem::create_directory(directory);
  EXPECT_EQ(send("two").result, AttemptResult::sent);
  EXPECT_EQ(content(directory + "/f"), "two");
}

TEST_F(WriterTransportTest, APipeThatNobodyReadsIsTriedAgain) {
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  open_file(path_);
  EXPECT_EQ(send("one\n").detail, "cannot open " + path_ + ": nobody reads this pipe");
  const int reader = open(path_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  EXPECT_EQ(send("two\n").result, AttemptResult::sent);
  char text[8] = {};
  EXPECT_EQ(read(reader, text, sizeof text), 4);
  EXPECT_STREQ(text, "two\n");
  close(reader);
  EXPECT_THAT(send("three\n").detail, HasSubstr("Broken pipe"));
  EXPECT_THAT(send("three\n").detail, HasSubstr("nobody reads this pipe"));
}

TEST_F(WriterTransportTest, NeverBlocksTheCallerOnAStoppedPipe) {
  open_pipe();
  start(1, large_);
  start(2, "second");
  std::vector<Completion> done;
  transport_->collect(clock_.now(), done);
  EXPECT_TRUE(done.empty());
  // The reader goes on: everything comes out, in order.
  std::string read_back(large_.size() + 6, '\0');
  for (std::size_t at = 0; at < read_back.size();) {
    const ssize_t count = read(pipe_[0], read_back.data() + at, read_back.size() - at);
    ASSERT_GT(count, 0);
    at += static_cast<std::size_t>(count);
  }
  EXPECT_EQ(read_back, large_ + "second");
  EXPECT_EQ(finish_one().result, AttemptResult::sent);
}

TEST_F(WriterTransportTest, CancelsWithoutWaiting) {
  open_pipe();
  start(1, large_);
  start(2, "second");
  char byte = 0;
  ASSERT_EQ(read(pipe_[0], &byte, 1), 1);  // so the first is being written
  transport_->cancel(2);
  transport_->cancel(1);
  close(std::exchange(pipe_[0], -1));
  start(3, "third");
  const Completion completion = finish_one();
  EXPECT_EQ(completion.id, 3U);
  EXPECT_EQ(completion.detail, "cannot write to standard output: Broken pipe");
}

TEST_F(WriterTransportTest, SaysHowMuchAPipeHasTaken) {
  open_pipe();
  start(1, large_);
  char byte = 0;
  ASSERT_EQ(read(pipe_[0], &byte, 1), 1);
  close(std::exchange(pipe_[0], -1));
  EXPECT_THAT(finish_one().detail, HasSubstr("of 1048576 bytes were written"));
}

TEST_F(WriterTransportTest, EndsThoughAWriteHangs) {
  open_pipe();
  start(1, large_);
  char byte = 0;
  ASSERT_EQ(read(pipe_[0], &byte, 1), 1);
  transport_.reset();
  // Lets the thread go, before the pipe is closed under it.
  std::string rest(large_.size() - 1, '\0');
  for (std::size_t at = 0; at < rest.size();) {
    const ssize_t count = read(pipe_[0], rest.data() + at, rest.size() - at);
    ASSERT_GT(count, 0);
    at += static_cast<std::size_t>(count);
  }
}

}  // namespace
}  // namespace outrider::sidecar
