#include "sidecar/net/endpoint_guard.hpp"

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <grp.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "sidecar/net/socket_gate.hpp"

namespace outrider::sidecar {

namespace {

/// The last of the bytes is a zero.
constexpr std::size_t path_bytes_max = sizeof(sockaddr_un::sun_path) - 1;

std::string reason(int error) {
  return std::generic_category().message(error);
}

Error in_use(const std::string& path) {
  return {"another sidecar listens on " + path + ": stop it, or choose another endpoint"};
}

bool same_file(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

/// 0 if somebody accepts connections there, else the errno that connect() gave.
int probe(const std::string& path) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  const sockaddr_un address = address_of(path);
  const int error =
      connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? 0 : errno;
  ::close(fd);
  return error;
}

Result<gid_t> find_group(const std::string& name) {
  // A group's entry lists its members, and may be long.
  constexpr std::size_t entry_bytes_max = std::size_t{16} << 20U;
  std::vector<char> buffer(16 * 1024);
  group entry{};
  group* found = nullptr;
  int error = 0;
  while ((error = getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found)) != 0) {
    if (error == EINTR) continue;
    if (error != ERANGE || buffer.size() >= entry_bytes_max) {
      return Error{"socket_group: the group \"" + name + "\" cannot be read: " + reason(error)};
    }
    buffer.resize(buffer.size() * 2);
  }
  if (found == nullptr) {
    return Error{"socket_group: there is no group \"" + name + "\" on this machine"};
  }
  return found->gr_gid;
}

}  // namespace

Result<EndpointGuard> EndpointGuard::claim(const std::string& path, std::uint32_t mode,
                                           const std::string& group) {
  if (path.empty() || path.front() == '@' || path.front() == '*') {
    return Error{"ipc endpoint \"" + path + "\" must be the path of a file"};
  }
  if (path.size() > path_bytes_max) {
    return Error{"the socket path " + path + " has " + std::to_string(path.size()) +
                 " bytes, and Unix sockets take at most " + std::to_string(path_bytes_max)};
  }
  std::optional<gid_t> gid;
  if (!group.empty()) {
    Result<gid_t> found = find_group(group);
    if (!found.ok()) return found.error();
    gid = found.value();
  }
  EndpointGuard guard(path, mode, gid);
  if (Status status = guard.lock(); !status.ok()) return status.error();
  if (Status status = guard.clear_stale_socket(); !status.ok()) return status.error();
  if (Status status = guard.listen(); !status.ok()) return status.error();
  return guard;
}

EndpointGuard::EndpointGuard(EndpointGuard&& other) noexcept
    : path_(std::move(other.path_)),
      mode_(other.mode_),
      gid_(other.gid_),
      lock_fd_(std::exchange(other.lock_fd_, -1)),
      listener_fd_(std::exchange(other.listener_fd_, -1)),
      device_(other.device_),
      inode_(other.inode_),
      owns_path_(std::exchange(other.owns_path_, false)) {}

EndpointGuard::~EndpointGuard() {
  remove_path();
  if (listener_fd_ >= 0) ::close(listener_fd_);
  if (lock_fd_ >= 0) {
    // Removed while the lock is held, so that the removed file is the one that we have locked.
    unlink(lock_path().c_str());
    ::close(lock_fd_);
  }
}

int EndpointGuard::take_listener() {
  return std::exchange(listener_fd_, -1);
}

void EndpointGuard::remove_path() {
  if (std::exchange(owns_path_, false) && has_path()) unlink(path_.c_str());
}

bool EndpointGuard::has_path() const {
  struct stat found {};
  return lstat(path_.c_str(), &found) == 0 && found.st_dev == device_ && found.st_ino == inode_;
}

bool EndpointGuard::has_lock() const {
  struct stat locked {};
  struct stat found {};
  return fstat(lock_fd_, &locked) == 0 && lstat(lock_path().c_str(), &found) == 0 &&
         same_file(locked, found);
}

bool EndpointGuard::is_displaced() const {
  return owns_path_ && !(has_path() && has_lock());
}

Status EndpointGuard::reclaim() {
  if (!has_lock()) {
    const int old_fd = lock_fd_;
    if (Status status = lock(); !status.ok()) return status;
    ::close(old_fd);
  }
  if (has_path()) return Nothing{};
  if (Status status = clear_stale_socket(); !status.ok()) return status;
  return listen();
}

Status EndpointGuard::lock() {
  for (;;) {
    const int fd = open(lock_path().c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
      const std::string hint =
          errno == ENOENT ? " (its directory must exist before the sidecar starts)" : "";
      return Error{"cannot create " + lock_path() + ": " + reason(errno) + hint};
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
      const int error = errno;
      ::close(fd);
      if (error == EWOULDBLOCK) return in_use(path_);
      return Error{"cannot lock " + lock_path() + ": " + reason(error)};
    }
    // A sidecar that stops removes its lock file; a lock on a removed file protects nothing.
    const int old_fd = std::exchange(lock_fd_, fd);
    if (has_lock()) {
      SocketGate::keep_from_children(fd);
      return Nothing{};
    }
    lock_fd_ = old_fd;
    ::close(fd);
  }
}

Status EndpointGuard::clear_stale_socket() const {
  struct stat found {};
  if (lstat(path_.c_str(), &found) != 0) {
    if (errno == ENOENT) return Nothing{};
    return Error{"cannot examine " + path_ + ": " + reason(errno)};
  }
  if (!S_ISSOCK(found.st_mode)) {
    return Error{path_ + " exists and is not a socket: remove it, or choose another endpoint"};
  }
  switch (const int error = probe(path_)) {
    case 0:
    case EAGAIN:  // its backlog is full: somebody listens
      return in_use(path_);
    case ENOENT:
      return Nothing{};
    case ECONNREFUSED:
      break;
    default:
      return Error{"cannot tell whether a process listens on " + path_ + ": " + reason(error)};
  }
  if (unlink(path_.c_str()) != 0 && errno != ENOENT) {
    return Error{"cannot remove the stale socket " + path_ + ": " + reason(errno)};
  }
  return Nothing{};
}

Status EndpointGuard::listen() {
  if (listener_fd_ >= 0) ::close(listener_fd_);
  listener_fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const sockaddr_un address = address_of(path_);
  // The file gets the mode of the unbound socket: only for us.
  if (listener_fd_ < 0 || fchmod(listener_fd_, 0600) != 0 ||
      bind(listener_fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return Error{"cannot bind " + path_ + ": " + reason(errno)};
  }
  struct stat bound {};
  if (lstat(path_.c_str(), &bound) != 0) {
    return Error{"cannot examine " + path_ + ": " + reason(errno)};
  }
  device_ = bound.st_dev;
  inode_ = bound.st_ino;
  owns_path_ = true;
  if (gid_ && lchown(path_.c_str(), static_cast<uid_t>(-1), *gid_) != 0) {
    return Error{"cannot give " + path_ + " to the group " + std::to_string(*gid_) +
                 " of socket_group: " + reason(errno)};
  }
  if (chmod(path_.c_str(), mode_) != 0) {
    return Error{"cannot set the mode of " + path_ + ": " + reason(errno)};
  }
  if (::listen(listener_fd_, backlog_max) != 0) {
    return Error{"cannot listen on " + path_ + ": " + reason(errno)};
  }
  return Nothing{};
}

}  // namespace outrider::sidecar
