// SmallDisk: a folder on a file system of its own, which a test can fill.
//
// Used by the kill campaign and ProbeTest. Only root can have one: it is mounted where nobody but
// this thread and the processes it starts can see it, so that it goes with them. For anybody else
// it is an ordinary folder, and is_small() says so. Thread: the one that made it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <system_error>

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace outrider::test {

class SmallDisk {
 public:
  /// `files`: how many it can hold, its own folder among them; 0: no matter.
  SmallDisk(std::string path, std::uint64_t bytes, std::uint64_t files = 0)
      : path_(std::move(path)) {
    std::filesystem::create_directory(path_);
    const std::string size = "mode=0700,size=" + std::to_string(bytes) +
                             (files > 0 ? ",nr_inodes=" + std::to_string(files) : "");
    is_small_ = unshare(CLONE_NEWNS) == 0 &&
                mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                mount("tmpfs", path_.c_str(), "tmpfs", 0, size.c_str()) == 0;
  }
  ~SmallDisk() {
    if (is_small_) umount2(path_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  bool is_small() const { return is_small_; }
  bool is_filled() const { return is_filled_; }

  /// No more than so many bytes are free from now on. Not for an ordinary folder.
  void fill(std::uint64_t left) {
    struct statvfs disk {};
    if (!is_small_ || statvfs(path_.c_str(), &disk) != 0) return;
    is_filled_ = true;
    const int fd = open(ballast().c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    const auto begin = lseek(fd, 0, SEEK_END);
    // The sidecar may take some of it meanwhile: then there is no room for so much.
    for (std::uint64_t bytes = disk.f_bavail * disk.f_frsize; bytes > left;
         bytes -= disk.f_frsize) {
      if (posix_fallocate(fd, begin, static_cast<off_t>(bytes - left)) == 0) break;
    }
    close(fd);
  }
  void drain() {
    is_filled_ = false;
    std::error_code ignored;
    std::filesystem::remove(ballast(), ignored);
  }

 private:
  std::string ballast() const { return path_ + "/ballast"; }

  std::string path_;
  bool is_small_ = false;
  bool is_filled_ = false;
};

}  // namespace outrider::test
