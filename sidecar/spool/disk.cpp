#include "sidecar/spool/disk.hpp"

#include <cerrno>
#include <cstdio>
#include <memory>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "sidecar/base/text.hpp"
#include "sidecar/net/socket_gate.hpp"
#include "sidecar/spool/database.hpp"

namespace outrider::sidecar {
namespace {

void sync_folder(const std::string& path) {
  const int fd = ::open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  ::fsync(fd);
  ::close(fd);
}

/// Open as long as it lives; below 0: it cannot be opened. Never waits for the writer of a pipe.
class File {
 public:
  File(const std::string& path, int flags)
      : fd_(::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600)) {}
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  operator int() const { return fd_; }  // NOLINT: implicit on purpose

 private:
  int fd_;
};

class SystemDisk final : public Disk {
 public:
  void prepare(const std::string& path) override {
    // Made by us and not by SQLite, so that it never has another mode. Its write-ahead log gets
    // the mode of the database.
    const File file(path, O_RDWR | O_CREAT);
    if (file < 0) throw SqliteError::system("cannot open " + path);
    struct stat status {};
    if (::fstat(file, &status) != 0 || !S_ISREG(status.st_mode)) {
      throw SqliteError::other(path + " is not a file");
    }
    if ((status.st_mode & 0777) != 0600 && ::fchmod(file, 0600) != 0) {
      throw SqliteError::system("cannot set the mode of " + path + " to 0600");
    }
    sync_folder(path);
  }

  void check_files_can_be_made(const std::string& path) override {
    std::vector<std::unique_ptr<File>> made;
    for (const std::string& name : {wal_path(path), shm_path(path)}) {
      if (look_at(name)) continue;
      // Without a name: somebody else may make the file itself just now.
      made.push_back(std::make_unique<File>(folder_of(path), O_RDWR | O_TMPFILE));
      if (*made.back() >= 0 || (errno != ENOSPC && errno != EDQUOT)) continue;
      throw SqliteError::system("cannot create " + name,
                                " (if `df` shows room, `df -i` shows that no inodes are left)");
    }
  }

  void lock(const std::string& path) override {
    const std::string name = lock_path(path);
    lock_.reset();
    lock_ = std::make_unique<File>(name, O_RDWR | O_CREAT);
    if (*lock_ < 0) {
      // Never made here: it would end up beside a volume that is not mounted yet.
      std::string hint;
      if (errno == ENOENT) {
        hint =
            "; create its folder, owned by the user that the sidecar runs as, and mount its volume "
            "first";
      } else if (errno == EROFS) {
        hint =
            "; mount it writable; if it was writable before, the kernel's log (dmesg) says why "
            "that changed";
      }
      throw SqliteError::system("cannot open " + name, hint);
    }
    SocketGate::keep_from_children(*lock_);
    if (::flock(*lock_, LOCK_EX | LOCK_NB) == 0) return;
    throw SqliteError::other(
        "it is in use by another sidecar; stop it, or give this one another [spool] path");
  }

  std::uint64_t free_bytes(const std::string& path) override {
    struct statvfs status {};
    if (::statvfs(folder_of(path).c_str(), &status) != 0) return UINT64_MAX;
    return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
  }

  std::uint64_t file_bytes_max() override {
    rlimit limit{};
    const bool is_known = ::getrlimit(RLIMIT_FSIZE, &limit) == 0;
    return is_known && limit.rlim_cur != RLIM_INFINITY ? limit.rlim_cur : UINT64_MAX;
  }

  bool take_reserve(const std::string& path, std::uint64_t bytes) override {
    const File file(reserve_path(path), O_RDWR | O_CREAT);
    if (file < 0) return false;
    struct stat before {};
    const bool has_some = ::fstat(file, &before) == 0 && before.st_size > 0;
    if (::posix_fallocate(file, 0, static_cast<off_t>(bytes)) == 0) return true;
    // A small one is better than none.
    const bool is_kept = has_some && ::ftruncate(file, before.st_size) == 0;
    if (!is_kept) ::unlink(reserve_path(path).c_str());
    return false;
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
    return FileMark{status.st_ino, static_cast<std::uint64_t>(status.st_size), status.st_dev,
                    status.st_ctim.tv_sec * 1'000'000'000 + status.st_ctim.tv_nsec,
                    status.st_nlink};
  }

  void write_again(const std::string& path) override {
    const File file(path, O_RDWR);
    if (file < 0) throw SqliteError::system("cannot open " + path);
    std::vector<char> bytes(std::size_t{256} << 10U);
    off_t at = 0;
    ssize_t got = 0;
    ssize_t put = 0;
    while (got == put && (got = ::pread(file, bytes.data(), bytes.size(), at)) > 0) {
      put = ::pwrite(file, bytes.data(), static_cast<std::size_t>(got), at);
      at += got;
    }
    if (got != 0 || ::fsync(file) != 0) throw SqliteError::system("cannot write " + path);
  }

  void rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0 && errno != ENOENT) {
      throw SqliteError::system("cannot rename " + from + " to " + to);
    }
    sync_folder(to);
  }

  void remove(const std::string& path) override { ::unlink(path.c_str()); }

  std::string read(const std::string& path, std::uint64_t offset, std::size_t bytes) override {
    const File file(path, O_RDONLY);
    if (file < 0) return {};
    std::string read(bytes, '\0');
    const ssize_t got = ::pread(file, read.data(), bytes, static_cast<off_t>(offset));
    if (got < 0) throw SqliteError::system("cannot read " + path);
    read.resize(static_cast<std::size_t>(got));
    return read;
  }

  void write_start(const std::string& path, const std::string& bytes) override {
    const File file(path, O_WRONLY);
    if (file < 0) throw SqliteError::system("cannot open " + path);
    if (::pwrite(file, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()) ||
        ::fsync(file) != 0) {
      throw SqliteError::system("cannot write " + path);
    }
  }

  void wait(Duration duration) override { std::this_thread::sleep_for(duration); }

 private:
  std::unique_ptr<File> lock_;
};

}  // namespace

std::unique_ptr<Disk> open_disk() {
  return std::make_unique<SystemDisk>();
}

bool is_same_file(const std::optional<FileMark>& a, const std::optional<FileMark>& b) {
  if (!a || !b) return a.has_value() == b.has_value();
  return a->id == b->id && a->device == b->device;
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

std::string shm_path(const std::string& path) {
  return path + "-shm";
}

}  // namespace outrider::sidecar
