#include "sdk/src/wake.hpp"

#include <array>

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace outrider::sdk {

bool Wake::End::is_ours() const {
  struct stat file {};
  const int number = fd.load();
  return number >= 0 && fstat(number, &file) == 0 && S_ISSOCK(file.st_mode) &&
         file.st_ino == inode.load();
}

Wake::~Wake() {
  for (const End* end : {&sleeper_, &waker_}) {
    if (end->is_ours()) ::close(end->fd.load());
  }
}

bool Wake::open() {
  std::array<int, 2> made{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, made.data()) != 0) {
    return false;
  }
  auto fd = made.begin();
  for (End* end : {&sleeper_, &waker_}) {
    if (end->is_ours()) ::close(end->fd.load());
    struct stat file {};
    fstat(*fd, &file);
    end->inode.store(file.st_ino);
    end->fd.store(*fd++);
  }
  return true;
}

void Wake::wake() const {
  if (!waker_.is_ours()) return;
  const char one = 1;
  // Fails only when the socket is full, and then the thread is awake.
  [[maybe_unused]] const ssize_t sent = ::send(waker_.fd.load(), &one, sizeof one, MSG_NOSIGNAL);
}

void Wake::drain() const {
  std::array<char, 256> wakes;
  while (::recv(fd(), wakes.data(), wakes.size(), 0) == static_cast<ssize_t>(wakes.size())) {
  }
}

}  // namespace outrider::sdk
