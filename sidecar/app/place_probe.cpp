#include "sidecar/app/place_probe.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <filesystem>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <system_error>

#include <fcntl.h>
#include <grp.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "sidecar/base/text.hpp"
#include "sidecar/base/units.hpp"
#include "sidecar/inspect/spool_access.hpp"
#include "sidecar/spool/disk.hpp"

namespace outrider::sidecar {
namespace {

namespace fs = std::filesystem;
using Kind = Finding::Kind;

/// Of a file system that does not take anything.
constexpr const char* read_only_cure =
    "; mount it writable, or choose another path; if it was writable before, the kernel's log "
    "(dmesg) says why that changed";

std::string reason(int error) {
  return std::generic_category().message(error);
}

std::string this_user() {
  return "uid " + std::to_string(geteuid());
}

bool may(const std::string& path, int access) {
  return faccessat(AT_FDCWD, path.c_str(), access, AT_EACCESS) == 0;
}

/// Opens a file or device that is there as the sidecar does, and lets go of it; 0 or an errno.
/// O_CREAT is part of the question: in a sticky folder the kernel refuses it for other people's
/// files.
int try_to_open(const std::string& path, int flags) {
  const int fd = open(path.c_str(), flags | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);
  if (fd < 0) return errno;
  close(fd);
  return 0;
}

/// Of the kernel's own file systems, in which no files can be made, whatever access() returns for
/// root.
bool is_of_the_kernel(const std::string& folder) {
  constexpr long kernels[] = {PROC_SUPER_MAGIC,    SYSFS_MAGIC,        CGROUP_SUPER_MAGIC,
                              CGROUP2_SUPER_MAGIC, DEBUGFS_MAGIC,      TRACEFS_MAGIC,
                              SECURITYFS_MAGIC,    DEVPTS_SUPER_MAGIC, SELINUX_MAGIC};
  struct statfs status {};
  if (statfs(folder.c_str(), &status) != 0) return false;
  return std::find(std::begin(kernels), std::end(kernels), static_cast<long>(status.f_type)) !=
         std::end(kernels);
}

/// Whether the file system can be written at all: one that the kernel has made read-only after an
/// error is not always marked as such. Tested with a nameless file, which disappears when it is
/// closed; not every file system supports these. 0 or an errno.
int try_to_make_in(const std::string& folder) {
  const int fd = open(folder.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
  const int error = fd < 0 ? errno : 0;
  if (fd >= 0) close(fd);
  return error == EROFS || error == EIO ? error : 0;
}

/// Nothing if this many files can be made in it.
std::optional<Finding> folder_trouble(const std::string& folder, std::uint64_t new_files,
                                      const std::string& hint) {
  struct stat status {};
  if (stat(folder.c_str(), &status) != 0) {
    const std::string what =
        errno == ENOENT ? "does not exist" : "cannot be used: " + reason(errno);
    return Finding{Kind::error, "its folder " + folder + " " + what + "; " + hint};
  }
  if (!S_ISDIR(status.st_mode)) return Finding{Kind::error, folder + " is not a folder"};
  if (!may(folder, W_OK | X_OK)) {
    return Finding{Kind::error, "cannot create files in its folder " + folder + ": " +
                                    reason(errno) + "; let " + this_user() +
                                    " write there, or choose another path"};
  }
  if (is_of_the_kernel(folder)) {
    return Finding{Kind::error, "cannot create files in its folder " + folder +
                                    ", which belongs to the kernel; choose another path"};
  }
  if (const int error = try_to_make_in(folder); error != 0) {
    return Finding{Kind::error, "cannot create files in its folder " + folder + ": " +
                                    reason(error) + read_only_cure};
  }
  struct statvfs room {};
  const bool has_room =
      statvfs(folder.c_str(), &room) != 0 || room.f_files == 0 || room.f_favail >= new_files;
  if (has_room) return std::nullopt;
  return Finding{Kind::error, "cannot create files in its folder " + folder +
                                  ": its file system has room for " +
                                  std::to_string(room.f_favail) + " more files, and " +
                                  std::to_string(new_files) +
                                  " are needed (df -i); remove some, or choose another path"};
}

/// How many of these are not there yet.
std::uint64_t count_missing(std::initializer_list<std::string> paths) {
  return static_cast<std::uint64_t>(
      std::count_if(paths.begin(), paths.end(), [](const std::string& path) {
        struct stat status {};
        return lstat(path.c_str(), &status) != 0;
      }));
}

void warn_of_open_folder(const std::string& folder, const std::string& what, Findings& findings) {
  struct stat status {};
  if (stat(folder.c_str(), &status) != 0) return;
  const bool is_open = (status.st_mode & S_IWOTH) != 0 && (status.st_mode & S_ISVTX) == 0;
  if (!is_open) return;
  findings.push_back({Kind::warning, "every user of this machine can replace the " + what +
                                         ", because its folder " + folder +
                                         " is writable for everyone; chmod o-w"});
}

/// The file PATH.lock, which is made and locked beside it.
std::optional<Finding> lock_trouble(const std::string& path) {
  const std::string name = lock_path(path);
  struct stat status {};
  if (lstat(name.c_str(), &status) != 0) {
    if (errno == ENOENT) return std::nullopt;
    return Finding{Kind::error, "cannot examine " + name + ": " + reason(errno)};
  }
  if (!S_ISREG(status.st_mode)) {
    return Finding{Kind::error, name + " is not a regular file: remove it, or choose another path"};
  }
  const int error = try_to_open(name, O_RDWR | O_NOFOLLOW);
  if (error == 0) return std::nullopt;
  if (error == EROFS) {
    return Finding{Kind::error, "cannot open " + name + ": " + reason(error) + read_only_cure};
  }
  return Finding{Kind::error,
                 "cannot open " + name + ": " + reason(error) +
                     "; it belongs to a user other than " + this_user() +
                     ": stop that user's sidecar if it is running, otherwise remove the file"};
}

/// 0 if somebody accepts connections there, else the errno that connect() gave.
int connect_to(const std::string& path) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), std::min(path.size(), sizeof address.sun_path - 1));
  const int error =
      connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? 0 : errno;
  close(fd);
  return error;
}

/// The existing file at the path.
std::optional<Finding> socket_trouble(const std::string& path) {
  struct stat found {};
  if (lstat(path.c_str(), &found) != 0) {
    if (errno == ENOENT) return std::nullopt;
    return Finding{Kind::error, "cannot examine " + path + ": " + reason(errno)};
  }
  if (!S_ISSOCK(found.st_mode)) {
    return Finding{Kind::error,
                   path + " exists and is not a socket: remove it, or choose another endpoint"};
  }
  const int error = connect_to(path);
  if (error == 0 || error == EAGAIN) {
    return Finding{Kind::in_use,
                   "another process listens on " + path + ": stop it, or choose another endpoint"};
  }
  if (error != ECONNREFUSED && error != ENOENT) {
    return Finding{Kind::error, "cannot tell whether a process listens on " + path + ": " +
                                    reason(error) + "; it belongs to uid " +
                                    std::to_string(found.st_uid) + ", but this process runs as " +
                                    this_user()};
  }
  struct stat folder {};
  const uid_t self = geteuid();
  if (self != 0 && self != found.st_uid && stat(folder_of(path).c_str(), &folder) == 0 &&
      (folder.st_mode & S_ISVTX) != 0 && folder.st_uid != self) {
    return Finding{Kind::error, "cannot remove the stale socket " + path + " of uid " +
                                    std::to_string(found.st_uid) +
                                    ", because its folder is sticky: remove it"};
  }
  return std::nullopt;
}

std::optional<gid_t> find_gid(const std::string& name) {
  constexpr std::size_t entry_bytes_max = 16U << 20U;
  std::vector<char> buffer(16U << 10U);
  group entry{};
  group* found = nullptr;
  while (getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) == ERANGE &&
         buffer.size() < entry_bytes_max) {
    buffer.resize(buffer.size() * 2);
  }
  if (found == nullptr) return std::nullopt;
  return found->gr_gid;
}

std::optional<Finding> group_trouble(const std::string& name) {
  const std::optional<gid_t> gid = find_gid(name);
  if (!gid) return Finding{Kind::error, "there is no group \"" + name + "\" on this machine"};
  if (geteuid() == 0 || *gid == getegid()) return std::nullopt;
  std::vector<gid_t> groups(static_cast<std::size_t>(std::max(getgroups(0, nullptr), 0)));
  const int count = getgroups(static_cast<int>(groups.size()), groups.data());
  groups.resize(static_cast<std::size_t>(std::max(count, 0)));
  if (std::find(groups.begin(), groups.end(), *gid) != groups.end()) return std::nullopt;
  return Finding{Kind::error, this_user() + " is not in the group \"" + name +
                                  "\" and cannot give the socket to it; add it to the group "
                                  "(usermod -aG, or SupplementaryGroups= in the unit)"};
}

template <typename... Troubles>
Findings first_of(Troubles... troubles) {
  Findings findings;
  const auto take = [&findings](auto look) {
    if (!findings.empty()) return;
    if (std::optional<Finding> found = look()) findings.push_back(std::move(*found));
  };
  (take(troubles), ...);
  return findings;
}

/// Where a link leads to that leads nowhere yet.
std::string link_target(std::string path) {
  constexpr int links_max = 40;
  for (int i = 0; i < links_max; ++i) {
    std::error_code error;
    const fs::path target = fs::read_symlink(path, error);
    if (error) break;
    path = (fs::path(path).parent_path() / target).string();
  }
  return path;
}

/// A file that SQLite would open, in its present state.
std::optional<Finding> sqlite_file_trouble(const std::string& path) {
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return std::nullopt;
    return Finding{Kind::error, "cannot examine " + path + ": " + reason(errno)};
  }
  if (!S_ISREG(status.st_mode)) return Finding{Kind::error, path + " is not a regular file"};
  if (status.st_nlink > 1) {
    return Finding{Kind::error,
                   path +
                       " has more than one name (hard links), and another sidecar may use it under "
                       "another one; remove the other names, or make a file of its own: cp -p " +
                       path + " " + path + ".copy && mv " + path + ".copy " + path};
  }
  const bool is_ours = geteuid() == 0 || geteuid() == status.st_uid;
  const int error = try_to_open(path, O_RDWR | O_NOFOLLOW);
  if (error == 0 && (is_ours || (status.st_mode & 0777) == 0600)) return std::nullopt;
  if (error != 0 && (is_ours || error != EACCES)) {
    const std::string cure =
        error == EROFS   ? read_only_cure
        : error == EPERM ? "; `lsattr` shows if it is immutable, and `chattr -i -a` changes that"
                         : "";
    return Finding{Kind::error, "cannot open " + path + ": " + reason(error) + cure};
  }
  return Finding{Kind::error, path + " belongs to uid " + std::to_string(status.st_uid) +
                                  ", but this process runs as " + this_user() +
                                  "; change its owner"};
}

/// The longest names are those of a spool that is damaged: it is copied, and set aside.
std::optional<Finding> name_trouble(const std::string& path) {
  constexpr std::size_t copy_bytes = std::string_view(".partial-journal").size();
  constexpr std::size_t aside_bytes = std::string_view(".damaged-1234567890-10-wal").size();
  // SQLite's limit is for the path without links.
  constexpr std::size_t path_bytes_max = 512 - copy_bytes;
  const long name_max = pathconf(folder_of(path).c_str(), _PC_NAME_MAX);
  const std::size_t name_bytes_max =
      static_cast<std::size_t>(std::max<long>(name_max < 0 ? NAME_MAX : name_max, aside_bytes)) -
      aside_bytes;
  std::string what;
  if (fs::path(path).filename().string().size() > name_bytes_max) {
    what = "its name may have " + std::to_string(name_bytes_max);
  } else if (plain_path(path).size() > path_bytes_max) {
    what = "the path may have " + std::to_string(path_bytes_max);
  }
  if (what.empty()) return std::nullopt;
  return Finding{Kind::error, path + " is too long: " + what +
                                  " bytes at most, because the files next to a spool have longer "
                                  "names; choose another path"};
}

/// The database and the files beside it. SQLite reads it frozen, and makes no files.
std::optional<Finding> database_trouble(const std::string& path) {
  constexpr std::string_view suffixes[] = {"-journal", "-wal", "-shm", ""};
  for (const std::string_view suffix : suffixes) {
    auto found = sqlite_file_trouble(path + std::string(suffix));
    if (found) return found;
  }
  if (count_missing({path}) == 1) return std::nullopt;
  bool is_damaged = false;
  const Status kind = check_first_page(path, is_damaged);
  if (!kind.ok()) return Finding{Kind::error, path + ": " + kind.error().message};
  if (!is_damaged) return std::nullopt;
  return Finding{
      Kind::warning,
      path + " is damaged or not a spool; the sidecar sets it aside and creates a new one"};
}

/// An existing spool needs less room: its events leave.
bool is_made_yet(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 && status.st_size > 0;
}

std::optional<Finding> room_trouble(const SpoolConfig& spool) {
  constexpr std::uint64_t new_bytes = 128U << 10U;
  constexpr std::uint64_t new_files = 6;
  struct statvfs status {};
  if (statvfs(folder_of(spool.path).c_str(), &status) != 0) return std::nullopt;
  const std::uint64_t free = static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
  const bool has_files = status.f_files == 0 || status.f_favail >= new_files;
  if (!is_made_yet(spool.path) && (free < new_bytes || !has_files)) {
    return Finding{Kind::error, "there is no room for a spool: " + format_size(free) + " and " +
                                    std::to_string(status.f_favail) + " files are free; make room"};
  }
  // A start gives back the reserve, which is a file too.
  const std::uint64_t opened_files = count_missing({wal_path(spool.path), shm_path(spool.path)});
  const std::uint64_t reserves = 1 - count_missing({reserve_path(spool.path)});
  if (status.f_files != 0 && status.f_favail + reserves < opened_files) {
    return Finding{Kind::error, "the spool cannot be opened: its file system has room for " +
                                    std::to_string(status.f_favail) + " more files, and " +
                                    std::to_string(opened_files) +
                                    " are needed (df -i); remove some"};
  }
  if (free >= spool.free_bytes_min) return std::nullopt;
  return Finding{Kind::warning, "the spool will store nothing, because less than free_bytes_min (" +
                                    format_size(spool.free_bytes_min) + ") is free: " +
                                    format_size(free >> 20U << 20U) + "; make room"};
}

/// It is not opened: a reader that waits for a writer would see that as the end of its input.
Finding pipe_finding(const std::string& path, const struct stat& pipe) {
  if (!may(path, W_OK)) return {Kind::error, "cannot open " + path + ": " + reason(errno)};
  struct stat folder {};
  const bool is_trap = stat(folder_of(plain_path(path)).c_str(), &folder) == 0 &&
                       (folder.st_mode & S_ISVTX) != 0 && (folder.st_mode & S_IWOTH) != 0 &&
                       pipe.st_uid != folder.st_uid && pipe.st_uid != geteuid();
  if (is_trap) {
    // As the kernel says too, where fs.protected_fifos is set.
    return {Kind::error,
            path + " is a pipe of uid " + std::to_string(pipe.st_uid) +
                " in a folder that is writable for everyone, but this process runs as " +
                this_user() + "; create it in another folder"};
  }
  return {Kind::warning, path +
                             " is a pipe: events wait while nobody reads it, and events that its "
                             "reader leaves in it are lost"};
}

}  // namespace

std::string file_identity(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0 || S_ISDIR(status.st_mode)) return plain_path(path);
  return std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino);
}

std::string plain_path(const std::string& path) {
  std::error_code error;
  const fs::path plain = fs::weakly_canonical(fs::absolute(link_target(path)), error);
  return error ? path : plain.string();
}

Findings probe_socket(const std::string& path, const std::string& group) {
  const std::string folder = folder_of(path);
  Findings findings = first_of(
      [&] {
        return folder_trouble(folder, count_missing({path, lock_path(path)}),
                              "create it, owned by the user that the sidecar runs as (in a systemd "
                              "unit: RuntimeDirectory=), or choose another path");
      },
      [&] { return lock_trouble(path); },
      [&]() -> std::optional<Finding> {
        if (!is_in_use(path)) return std::nullopt;
        return Finding{Kind::in_use, "another sidecar listens on " + path +
                                         ": stop it, or choose another endpoint"};
      },
      [&] { return socket_trouble(path); },
      [&] { return group.empty() ? std::nullopt : group_trouble(group); });
  warn_of_open_folder(folder, "socket", findings);
  return findings;
}

Findings probe_file(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) {
    if (errno != ENOENT) return {{Kind::error, "cannot open " + path + ": " + reason(errno)}};
    const std::string target = link_target(path);
    if (target.ends_with('/')) return {{Kind::error, path + " is a folder; write a file's path"}};
    const auto trouble = folder_trouble(
        folder_of(target), 1,
        "create it, writable for the user that the sidecar runs as, or choose another path");
    return trouble ? Findings{*trouble} : Findings{};
  }
  if (S_ISDIR(status.st_mode)) return {{Kind::error, path + " is a folder; write a file's path"}};
  if (S_ISFIFO(status.st_mode)) return {pipe_finding(path, status)};
  const int error = try_to_open(path, O_WRONLY | O_APPEND);
  if (error == 0) return {};
  return {{Kind::error, "cannot open " + path + ": " + reason(error)}};
}

Findings probe_standard_output(int fd) {
  const int flags = fcntl(fd, F_GETFL);
  if (flags >= 0 && (flags & O_ACCMODE) != O_RDONLY) return {};
  return {{Kind::error,
           "standard output is closed, or open only for reading; connect it to something that "
           "takes the events, or choose another type"}};
}

Findings probe_spool(const SpoolConfig& spool) {
  const std::string folder = folder_of(spool.path);
  Findings findings = first_of(
      [&] {
        // room_trouble() checks how many files it needs.
        return folder_trouble(folder, 0,
                              "create it, owned by the user that the sidecar runs as (in a systemd "
                              "unit: StateDirectory=), and mount its volume first");
      },
      [&] { return name_trouble(spool.path); }, [&] { return lock_trouble(spool.path); },
      [&]() -> std::optional<Finding> {
        if (!is_in_use(spool.path)) return std::nullopt;
        return Finding{Kind::in_use, "the spool " + spool.path + " is in use by another sidecar; " +
                                         "stop it, or give this one another [spool] path"};
      },
      [&] { return database_trouble(spool.path); }, [&] { return room_trouble(spool); });
  warn_of_open_folder(folder, "spool", findings);
  return findings;
}

}  // namespace outrider::sidecar
