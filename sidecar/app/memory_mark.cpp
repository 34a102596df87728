#include "sidecar/app/memory_mark.hpp"

#include <atomic>
#include <cerrno>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace outrider::sidecar {

/// The state that the mark and its thread share; lives as long as either of them.
struct MemoryMark::File {
  const std::string path;
  int fd = -1;
  const Write write;
  std::atomic<std::uint64_t> events = 0;
  std::atomic<bool> is_asked = false;  ///< the thread is to write, and has not begun
  std::atomic<int> error = 0;

  File(std::string where, Write write_now) : path(std::move(where)), write(write_now) { open(); }
  ~File() {
    if (fd >= 0) ::close(fd);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  void open() {
    if (fd >= 0) ::close(fd);
    // Non-blocking for the case that it is a pipe.
    fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (fd < 0) error = errno;
  }

  /// Somebody may have removed it, or put another one in its place.
  bool has_name() const {
    struct stat ours {};
    struct stat named {};
    return ::fstat(fd, &ours) == 0 && ::lstat(path.c_str(), &named) == 0 &&
           ours.st_ino == named.st_ino && ours.st_dev == named.st_dev;
  }

  /// Nothing in a file that is new.
  std::uint64_t read() const {
    std::uint64_t value = 0;
    return ::pread(fd, &value, sizeof value, 0) == sizeof value && value > 0 ? value - 1 : 0;
  }

  void store() {
    // Before the number is read: a number that is set after that is written again.
    is_asked = false;
    // One more than there are: the file of a mark that was never set holds zeroes.
    const std::uint64_t value = events + 1;
    if (!has_name()) open();
    if (fd < 0) return;
    const ssize_t written = write(fd, &value, sizeof value, 0);
    if (written != sizeof value) error = written < 0 ? errno : EIO;
  }
};

MemoryMark::MemoryMark(const std::string& path, Log& log) : MemoryMark(path, log, ::pwrite) {}

MemoryMark::MemoryMark(const std::string& path, Log& log, Write write)
    : path_(path + ".memory"),
      log_(log),
      file_(std::make_shared<File>(path_, write)),
      thread_("mark", std::chrono::milliseconds(0)) {
  if (file_->error == 0) {
    left_by_last_run_ = file_->read();
    // Also takes the room that it needs.
    file_->store();
  }
  if (const int error = file_->error; error != 0) give_up(error);
}

MemoryMark::~MemoryMark() {
  if (next_deadline() != never) hand_over(may_write_at_);
  thread_.wait_for(end_wait);
}

void MemoryMark::hand_over(MonoTime now) {
  if (const int error = file_->error; error != 0) return give_up(error);
  may_write_at_ = now + period;
  handed_over_ = events_;
  file_->events = events_;
  if (file_->is_asked.exchange(true)) return;
  if (!thread_.run([file = file_] { file->store(); })) give_up(EAGAIN);
}

void MemoryMark::give_up(int error) {
  file_.reset();
  log_.warn("cannot record how many events a crash would lose, until the next start",
            {{"file", path_}, {"because", std::generic_category().message(error)}});
}

}  // namespace outrider::sidecar
