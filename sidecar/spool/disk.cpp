#include "sidecar/spool/disk.hpp"

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "sidecar/base/socket_gate.hpp"

namespace outrider::sidecar {
namespace {

namespace fs = std::filesystem;

std::string reason() {
  return std::generic_category().message(errno);
}

std::string folder_of(const std::string& path) {
  const std::string folder = fs::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

void sync_folder(const std::string& path) {
  const int fd = ::open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  ::fsync(fd);
  ::close(fd);
}

class SystemDisk final : public Disk {
 public:
  ~SystemDisk() override {
    if (lock_fd_ >= 0) ::close(lock_fd_);
  }

  Status prepare(const std::string& path) override {
    // Made by us and not by SQLite, so that it never has another mode. Its write-ahead log gets
    // the mode of the database.
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return Error{"cannot open the spool " + path + ": " + reason()};
    struct stat status {};
    const bool is_file = ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
    const bool is_ours = is_file && ((status.st_mode & 0777) == 0600 || ::fchmod(fd, 0600) == 0);
    ::close(fd);
    if (!is_file) return Error{"the spool " + path + " is not a file"};
    if (!is_ours) return Error{"cannot give the spool " + path + " the mode 0600: " + reason()};
    sync_folder(path);
    return Nothing{};
  }

  Status lock(const std::string& path) override {
    const std::string name = lock_path(path);
    if (lock_fd_ >= 0) ::close(lock_fd_);
    lock_fd_ = ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (lock_fd_ < 0) {
      // Never made here: it would end up beside a volume that is not mounted yet.
      std::string hint;
      if (errno == ENOENT) {
        hint =
            "; make its folder, owned by the user that the sidecar runs as, and mount its "
            "volume first";
      } else if (errno == EROFS) {
        hint = "; mount it writable; if it was, the kernel's log (dmesg) says why it no longer is";
      }
      return Error{"cannot open " + name + ": " + reason() + hint};
    }
    SocketGate::keep_from_children(lock_fd_);
    if (::flock(lock_fd_, LOCK_EX | LOCK_NB) == 0) return Nothing{};
    return Error{"the spool " + path + " is in use by another sidecar; stop it, or give this one " +
                 "another [spool] path"};
  }

  std::uint64_t free_bytes(const std::string& path) override {
    struct statvfs status {};
    if (::statvfs(folder_of(path).c_str(), &status) != 0) return UINT64_MAX;
    return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
  }

  bool take_reserve(const std::string& path, std::uint64_t bytes) override {
    const int fd =
        ::open(reserve_path(path).c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return false;
    struct stat before {};
    const bool has_some = ::fstat(fd, &before) == 0 && before.st_size > 0;
    const bool is_taken = ::posix_fallocate(fd, 0, static_cast<off_t>(bytes)) == 0;
    // A small one is better than none.
    const bool is_kept = is_taken || (has_some && ::ftruncate(fd, before.st_size) == 0);
    ::close(fd);
    if (!is_kept) ::unlink(reserve_path(path).c_str());
    return is_taken;
  }

  bool give_back_reserve(const std::string& path, std::uint64_t bytes) override {
    const std::string name = reserve_path(path);
    const auto there = look_at(name);
    if (!there || there->bytes <= bytes) return ::unlink(name.c_str()) == 0;
    return ::truncate(name.c_str(), static_cast<off_t>(there->bytes - bytes)) == 0;
  }

  std::optional<FileMark> look_at(const std::string& path) override {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) return std::nullopt;
    return FileMark{status.st_ino, static_cast<std::uint64_t>(status.st_size)};
  }

  Status write_again(const std::string& path) override {
    const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return Error{"cannot open " + path + ": " + reason()};
    std::vector<char> bytes(std::size_t{256} << 10U);
    off_t at = 0;
    ssize_t got = 0;
    ssize_t put = 0;
    while (got == put && (got = ::pread(fd, bytes.data(), bytes.size(), at)) > 0) {
      put = ::pwrite(fd, bytes.data(), static_cast<std::size_t>(got), at);
      at += got;
    }
    const bool is_done = got == 0 && ::fsync(fd) == 0;
    const std::string because = reason();
    ::close(fd);
    if (!is_done) return Error{"cannot write " + path + ": " + because};
    return Nothing{};
  }

  Status rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0 && errno != ENOENT) {
      return Error{"cannot rename " + from + " to " + to + ": " + reason()};
    }
    sync_folder(to);
    return Nothing{};
  }

  void remove(const std::string& path) override { ::unlink(path.c_str()); }

  std::string read(const std::string& path, std::uint64_t offset, std::size_t bytes) override {
    std::string read(bytes, '\0');
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return {};
    const ssize_t got = ::pread(fd, read.data(), bytes, static_cast<off_t>(offset));
    ::close(fd);
    read.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return read;
  }

  Status write_start(const std::string& path, const std::string& bytes) override {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return Error{"cannot open " + path + ": " + reason()};
    const bool is_done =
        ::pwrite(fd, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()) &&
        ::fsync(fd) == 0;
    const std::string because = reason();
    ::close(fd);
    if (!is_done) return Error{"cannot write " + path + ": " + because};
    return Nothing{};
  }

 private:
  int lock_fd_ = -1;
};

}  // namespace

std::unique_ptr<Disk> open_disk() {
  return std::make_unique<SystemDisk>();
}

std::string lock_path(const std::string& path) {
  return path + ".lock";
}

std::string reserve_path(const std::string& path) {
  return path + ".reserve";
}

std::string wal_path(const std::string& path) {
  return path + "-wal";
}

}  // namespace outrider::sidecar
