// Process: a child process under a test's control.
//
// Used by process-level and end-to-end tests. What the child writes is read all the time by a
// thread of the Process, so that the child never blocks on a full pipe. Every wait has a deadline
// and says by its result whether it was met. The child dies with the test: it is killed by the
// destructor, or by the kernel when the thread that started it ends.
// Thread: the public functions belong to one thread.
#pragma once

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace outrider::test {

/// Long enough for a loaded machine under a sanitizer; nothing waits longer than it must.
inline constexpr std::chrono::milliseconds process_wait_default{20'000};

class Process {
 public:
  enum class Stream { out, err };

  struct Options {
    std::vector<std::string> environment{};  ///< "NAME=value", on top of the test's own
    std::string directory{};                 ///< where it runs; empty: where the test does
  };

  /// Starts `words[0]`, looked up in PATH, with the others as its arguments. A program that cannot
  /// be run exits with 127, as in a shell.
  explicit Process(std::vector<std::string> words) : Process(std::move(words), Options{}) {}
  Process(std::vector<std::string> words, Options options) {
    std::signal(SIGPIPE, SIG_IGN);  // write() says it when the child is gone
    Pipe in = make_pipe();
    Pipe out = make_pipe();
    Pipe err = make_pipe();
    stop_ = make_pipe();
    Pipe start = make_pipe();
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    pid_ = fork();
    if (pid_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
    if (pid_ == 0) become(argv, options, in.read_fd, out.write_fd, err.write_fd);
    pid_fd_ = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
    for (const int fd : {in.read_fd, out.write_fd, err.write_fd, start.write_fd}) close(fd);
    // Until the child runs its program it has copies of all our sockets.
    char ignored;
    while (read(start.read_fd, &ignored, 1) < 0 && errno == EINTR) {
    }
    close(start.read_fd);
    input_fd_ = in.write_fd;
    streams_[0].fd = out.read_fd;
    streams_[1].fd = err.read_fd;
    reader_ = std::thread([this] { read_streams(); });
  }

  ~Process() {
    if (!status_) {
      signal(SIGKILL);
      wait();
    }
    close_input();
    close(stop_.write_fd);
    reader_.join();
    for (const int fd : {stop_.read_fd, pid_fd_, streams_[0].fd, streams_[1].fd}) close(fd);
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }

  /// False if the child does not read any more. Blocks as long as the child lets the pipe fill up.
  bool write(std::string_view text) {
    while (!text.empty()) {
      const ssize_t written = ::write(input_fd_, text.data(), text.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return false;
      text.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
  }

  /// The child reads the end of its input.
  void close_input() {
    if (input_fd_ >= 0) close(std::exchange(input_fd_, -1));
  }

  /// The next line that contains `part`, without its newline. Lines before it are passed over and
  /// not looked at again. Nothing if the stream ends or the time is up.
  std::optional<std::string> wait_for_line(
      std::string_view part, Stream stream = Stream::out,
      std::chrono::milliseconds timeout = process_wait_default) {
    std::unique_lock lock(mutex_);
    StreamState& from = streams_[static_cast<int>(stream)];
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    bool is_late = false;
    for (;;) {
      while (std::optional<std::string> line = next_line(from)) {
        if (line->find(part) != std::string::npos) return line;
      }
      if (from.ended || is_late) return std::nullopt;
      is_late = changed_.wait_until(lock, deadline) == std::cv_status::timeout;
    }
  }

  /// All that was written so far; after wait(), all that was ever written.
  std::string text(Stream stream = Stream::out) const {
    const std::lock_guard lock(mutex_);
    return streams_[static_cast<int>(stream)].text;
  }

  void signal(int number) const {
    if (!status_) kill(pid_, number);
  }

  /// The exit status as a shell gives it: 128 + N for a child that signal N has ended. Nothing if
  /// the child still runs when the time is up.
  std::optional<int> wait(std::chrono::milliseconds timeout = process_wait_default) {
    if (status_) return status_;
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    pollfd ended{pid_fd_, POLLIN, 0};
    int ready = 0;
    do {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
          deadline - std::chrono::steady_clock::now());
      ready = poll(&ended, 1, left.count() > 0 ? static_cast<int>(left.count()) : 0);
    } while (ready < 0 && errno == EINTR);
    if (ready <= 0) return std::nullopt;
    int raw = 0;
    waitpid(pid_, &raw, 0);
    status_ = WIFSIGNALED(raw) ? 128 + WTERMSIG(raw) : WEXITSTATUS(raw);
    // Its last words; a grandchild may hold the pipes open for longer.
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(2),
                      [this] { return streams_[0].ended && streams_[1].ended; });
    return status_;
  }

 private:
  struct Pipe {
    int read_fd = -1;
    int write_fd = -1;
  };

  struct StreamState {
    int fd = -1;
    std::string text;
    std::size_t line_begin = 0;
    bool ended = false;
  };

  static Pipe make_pipe() {
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0) {
      throw std::system_error(errno, std::generic_category(), "pipe2");
    }
    return {fds[0], fds[1]};
  }

  [[noreturn]] static void become(const std::vector<char*>& argv, const Options& options, int in,
                                  int out, int err) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(in, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    std::signal(SIGPIPE, SIG_DFL);
    for (const std::string& variable : options.environment) {
      putenv(const_cast<char*>(variable.c_str()));
    }
    if (options.directory.empty() || chdir(options.directory.c_str()) == 0) {
      execvp(argv[0], argv.data());
    }
    _exit(127);
  }

  static std::optional<std::string> next_line(StreamState& from) {
    const std::size_t end = from.text.find('\n', from.line_begin);
    if (end == std::string::npos) return std::nullopt;
    std::string line = from.text.substr(from.line_begin, end - from.line_begin);
    from.line_begin = end + 1;
    return line;
  }

  void read_streams() {
    for (;;) {
      pollfd fds[] = {{streams_[0].ended ? -1 : streams_[0].fd, POLLIN, 0},
                      {streams_[1].ended ? -1 : streams_[1].fd, POLLIN, 0},
                      {stop_.read_fd, 0, 0}};
      if (poll(fds, 3, -1) < 0) continue;
      for (int i = 0; i < 2; ++i) {
        if (fds[i].revents != 0) read_some(streams_[i]);
      }
      if (fds[2].revents != 0 || (streams_[0].ended && streams_[1].ended)) return;
    }
  }

  void read_some(StreamState& stream) {
    char buffer[65536];
    const ssize_t size = read(stream.fd, buffer, sizeof(buffer));
    if (size < 0 && errno == EINTR) return;
    const std::lock_guard lock(mutex_);
    if (size <= 0) {
      stream.ended = true;
    } else {
      stream.text.append(buffer, static_cast<std::size_t>(size));
    }
    changed_.notify_all();
  }

  pid_t pid_ = -1;
  int pid_fd_ = -1;
  int input_fd_ = -1;
  Pipe stop_;
  std::optional<int> status_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  StreamState streams_[2];
  std::thread reader_;
};

struct Finished {
  int status;  ///< -1: still running when the time was up, and killed
  std::string out;
  std::string err;
};

/// Runs a program to its end.
inline Finished run(std::vector<std::string> words, std::string_view input = {},
                    std::chrono::milliseconds timeout = process_wait_default) {
  Process process(std::move(words));
  process.write(input);
  process.close_input();
  const std::optional<int> status = process.wait(timeout);
  return {status.value_or(-1), process.text(Process::Stream::out),
          process.text(Process::Stream::err)};
}

}  // namespace outrider::test
