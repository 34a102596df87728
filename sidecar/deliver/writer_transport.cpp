#include "sidecar/deliver/writer_transport.hpp"

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <deque>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sidecar/base/last_line.hpp"

namespace outrider::sidecar {

namespace {

constexpr mode_t file_mode = 0640;

std::string reason(int error) {
  return std::generic_category().message(error);
}

bool has_lines(const DestinationConfig& config) {
  return config.format != BodyFormat::msgpack;
}

/// Where the bodies go. Thread: the writer's own, after it has been made.
class WriteTarget {
 public:
  /// `has_lines`: its bodies are lines of text.
  static WriteTarget file(std::string path, bool has_lines) {
    return WriteTarget(std::move(path), has_lines, -1);
  }
  static WriteTarget descriptor(int fd) { return WriteTarget("", false, fd); }
  WriteTarget(WriteTarget&& other) noexcept
      : path_(std::move(other.path_)),
        has_lines_(other.has_lines_),
        is_unread_pipe_(other.is_unread_pipe_),
        fd_(std::exchange(other.fd_, -1)) {}
  WriteTarget& operator=(WriteTarget&&) = delete;
  ~WriteTarget() { close_file(); }

  /// Empty if the file is open now, otherwise the error.
  std::string open_file();
  /// It could not be opened, but only temporarily: it is a pipe without a reader.
  bool is_unread_pipe() const { return is_unread_pipe_; }

  /// Empty if all of it is written, otherwise the error.
  std::string write(std::string_view body);

 private:
  WriteTarget(std::string path, bool has_lines, int fd)
      : path_(std::move(path)), has_lines_(has_lines), fd_(fd) {}
  bool is_file() const { return !path_.empty(); }
  bool is_rotated() const;
  void close_file();
  int write_all(std::string_view body, std::size_t& written) const;
  bool take_back(const struct stat& before, std::size_t written) const;

  std::string path_;
  bool has_lines_;
  bool is_unread_pipe_ = false;
  int fd_;
};

std::string WriteTarget::open_file() {
  // Non-blocking in case it is a pipe without a reader.
  fd_ = open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
             file_mode);
  const int error = fd_ < 0 ? errno : 0;
  struct stat found {};
  is_unread_pipe_ = error == ENXIO && stat(path_.c_str(), &found) == 0 && S_ISFIFO(found.st_mode);
  if (is_unread_pipe_) return "cannot open " + path_ + ": nobody reads this pipe";
  if (error != 0) return "cannot open " + path_ + ": " + reason(error);
  if (has_lines_) end_last_line(fd_);
  return "";
}

void WriteTarget::close_file() {
  if (is_file() && fd_ >= 0) close(std::exchange(fd_, -1));
}

bool WriteTarget::is_rotated() const {
  struct stat at_path {};
  struct stat opened {};
  return stat(path_.c_str(), &at_path) != 0 || fstat(fd_, &opened) != 0 ||
         at_path.st_dev != opened.st_dev || at_path.st_ino != opened.st_ino;
}

int WriteTarget::write_all(std::string_view body, std::size_t& written) const {
  while (written < body.size()) {
    const ssize_t count = ::write(fd_, body.data() + written, body.size() - written);
    if (count >= 0) {
      written += static_cast<std::size_t>(count);
    } else if (errno == EAGAIN) {
      pollfd ready{fd_, POLLOUT, 0};
      poll(&ready, 1, -1);
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

bool WriteTarget::take_back(const struct stat& before, std::size_t written) const {
  struct stat after {};
  // Another writer may have appended after us: its bytes must stay.
  return S_ISREG(before.st_mode) && fstat(fd_, &after) == 0 &&
         after.st_size == before.st_size + static_cast<off_t>(written) &&
         ftruncate(fd_, before.st_size) == 0 && lseek(fd_, 0, SEEK_END) >= 0;
}

std::string WriteTarget::write(std::string_view body) {
  if (is_file() && fd_ >= 0 && is_rotated()) close_file();
  if (is_file() && fd_ < 0) {
    if (std::string error = open_file(); !error.empty()) return error;
  }
  struct stat before {};
  fstat(fd_, &before);
  std::size_t written = 0;
  const int error = write_all(body, written);
  if (error == 0) return "";
  std::string detail =
      "cannot write to " + (is_file() ? path_ : "standard output") + ": " + reason(error);
  if (written > 0 && !take_back(before, written)) {
    detail += "; " + std::to_string(written) + " of " + std::to_string(body.size()) +
              " bytes were written";
  }
  close_file();
  return detail;
}

/// The state that the transport and its thread share; lives as long as either of them.
class Writer {
 public:
  explicit Writer(WriteTarget target)
      : target_(std::move(target)), event_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  ~Writer() { ::close(event_fd_); }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  int event_fd() const { return event_fd_; }

  void add(AttemptId id, std::string body);
  void cancel(AttemptId id);
  void collect(std::vector<Completion>& completions);

  /// True if the thread will end at once, false if it hangs in a write.
  bool stop();

  /// The thread's body.
  void run();

 private:
  struct Job {
    AttemptId id = 0;
    std::string body;
  };

  WriteTarget target_;
  const int event_fd_;
  std::mutex mutex_;  ///< guards all below
  std::condition_variable changed_;
  std::deque<Job> jobs_;
  std::vector<Completion> completions_;
  AttemptId running_ = 0;
  bool is_running_ = false;
  bool is_running_cancelled_ = false;
  bool is_stopping_ = false;
};

void Writer::add(AttemptId id, std::string body) {
  const std::lock_guard lock(mutex_);
  jobs_.push_back({id, std::move(body)});
  changed_.notify_one();
}

void Writer::cancel(AttemptId id) {
  const std::lock_guard lock(mutex_);
  std::erase_if(jobs_, [id](const Job& job) { return job.id == id; });
  std::erase_if(completions_, [id](const Completion& c) { return c.id == id; });
  if (is_running_ && running_ == id) is_running_cancelled_ = true;
}

void Writer::collect(std::vector<Completion>& completions) {
  const std::lock_guard lock(mutex_);
  std::move(completions_.begin(), completions_.end(), std::back_inserter(completions));
  completions_.clear();
}

bool Writer::stop() {
  const std::lock_guard lock(mutex_);
  is_stopping_ = true;
  jobs_.clear();
  changed_.notify_one();
  return !is_running_;
}

void Writer::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return is_stopping_ || !jobs_.empty(); });
    if (is_stopping_) return;
    const Job job = std::move(jobs_.front());
    jobs_.pop_front();
    running_ = job.id;
    is_running_ = true;
    is_running_cancelled_ = false;
    lock.unlock();

    Completion completion;
    completion.id = job.id;
    completion.detail = target_.write(job.body);
    completion.result = completion.detail.empty() ? AttemptResult::sent : AttemptResult::failed;

    lock.lock();
    is_running_ = false;
    if (is_running_cancelled_) continue;
    completions_.push_back(std::move(completion));
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t told = ::write(event_fd_, &one, sizeof one);
  }
}

/// A thread that takes no signals: those of the process belong to its main thread, and SIGPIPE and
/// SIGXFSZ become the errors EPIPE and EFBIG.
std::thread start_thread(std::shared_ptr<Writer> writer) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread([writer = std::move(writer)] { writer->run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

class WriterTransport final : public Transport {
 public:
  WriterTransport(WriteTarget target, Reactor& reactor)
      : writer_(std::make_shared<Writer>(std::move(target))),
        reactor_(reactor),
        thread_(start_thread(writer_)) {
    reactor_.set(writer_->event_fd(), EPOLLIN, [fd = writer_->event_fd()](std::uint32_t) {
      std::uint64_t count = 0;
      [[maybe_unused]] const ssize_t taken = read(fd, &count, sizeof count);
    });
  }

  ~WriterTransport() override {
    reactor_.remove(writer_->event_fd());
    if (writer_->stop()) {
      thread_.join();
    } else {
      thread_.detach();
    }
  }

  void start(const Attempt& attempt, const Now& /*now*/) override {
    writer_->add(attempt.id, std::string(attempt.body));
  }
  void cancel(AttemptId id) override { writer_->cancel(id); }
  void collect(const Now& /*now*/, std::vector<Completion>& completions) override {
    writer_->collect(completions);
  }
  void close(MonoTime /*deadline*/) override {}

 private:
  std::shared_ptr<Writer> writer_;
  Reactor& reactor_;
  std::thread thread_;
};

}  // namespace

Result<FinishTransport> prepare_file_transport(const DestinationConfig& config, Reactor& reactor) {
  auto target = std::make_shared<WriteTarget>(WriteTarget::file(config.path, has_lines(config)));
  const std::string error = target->open_file();
  // Whoever reads the pipe may come later, as a receiver may; each attempt opens it again.
  if (!error.empty() && !target->is_unread_pipe()) return Error{error};
  return FinishTransport([target, &reactor](const BodyKind&) {
    return Result<std::unique_ptr<Transport>>(
        std::make_unique<WriterTransport>(std::move(*target), reactor));
  });
}

Result<FinishTransport> prepare_stdout_transport(const DestinationConfig& config, Reactor& reactor,
                                                 int fd) {
  if (has_lines(config)) end_last_line(fd);
  return FinishTransport([fd, &reactor](const BodyKind&) {
    return Result<std::unique_ptr<Transport>>(
        std::make_unique<WriterTransport>(WriteTarget::descriptor(fd), reactor));
  });
}

Result<std::unique_ptr<Transport>> make_file_transport(const DestinationConfig& config,
                                                       Reactor& reactor) {
  auto prepared = prepare_file_transport(config, reactor);
  if (!prepared.ok()) return prepared.error();
  return prepared.value()({});
}

Result<std::unique_ptr<Transport>> make_stdout_transport(const DestinationConfig& config,
                                                         Reactor& reactor, int fd) {
  return prepare_stdout_transport(config, reactor, fd).value()({});
}

}  // namespace outrider::sidecar
