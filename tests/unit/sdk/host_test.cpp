// What a host process does that libzmq does not survive: it can have no more threads, or closes
// descriptors that are not its own. Each in a child process, whose limits and descriptors are its
// own.
#include <chrono>
#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "outrider/client.hpp"
#include "unit/sdk/address_space.hpp"
#include "unit/sdk/receiver.hpp"

namespace outrider::test {
namespace {

using namespace std::chrono_literals;

constexpr int skipped = 77;

Options quick(const std::string& endpoint) {
  Options options;
  options.endpoint = endpoint.c_str();
  options.reconnect_initial_ms = 5;
  options.reconnect_max_ms = 20;
  return options;
}

template <typename InChild>
pid_t fork_and(const InChild& in_child) {
  const pid_t child = fork();
  if (child == 0) _exit(in_child());
  return child;
}

/// The exit status; -1 if a signal ended the child, as abort() does.
int status_of(pid_t child) {
  const int status = wait_for_end(child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(Host, WithoutThreadsNothingIsConnectedAndTheEventIsSentLater) {
  ScratchFolder folder;
  const std::string endpoint = folder.endpoint();
  Receiver receiver(endpoint);
  const std::string socket = endpoint.substr(6);
  ASSERT_EQ(chmod(socket.c_str(), 0777), 0);
  ASSERT_EQ(chmod(socket.substr(0, socket.rfind('/')).c_str(), 0755), 0);
  const int status = status_of(fork_and([&] {
    // Nobody has this one, so that the limit counts this process alone: two threads.
    constexpr uid_t user = 54'321;
    rlimit limit{2, 64};
    if (setrlimit(RLIMIT_NPROC, &limit) != 0 || setuid(user) != 0) return skipped;
    Client client(quick(endpoint));
    if (client.emit("t", 1) != Status::ok) return 2;
    if (client.flush(100ms)) return 3;
    if (client.stats().connected != 0 || client.stats().buffered_events != 1) return 4;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NPROC, &limit) != 0) return 5;
    return client.flush(patience) ? 0 : 6;
  }));
  if (status == skipped) GTEST_SKIP() << "needs root, for a user of its own";
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(receiver.receive(1));
}

/// None for the client's own thread, or for that one and none of libzmq's.
TEST(Host, WithoutAddressSpaceForThreadsTheEventIsSentLater) {
  for (const std::uint64_t threads : {0U, 1U, 2U}) {
    ScratchFolder folder;
    const std::string endpoint = folder.endpoint();
    Receiver receiver(endpoint);
    ASSERT_EQ(status_of(fork_and([&] {
                const AddressSpace space;
                Client client(quick(endpoint));
                if (!space.leave_room_for(threads)) return 2;
                if (client.emit("t", 1) != Status::ok) return 3;
                if (client.flush(100ms)) return 4;
                const outrider_stats stats = client.stats();
                if (stats.connected != 0 || stats.buffered_events != 1) return 5;
                if (!space.end()) return 6;
                return client.flush(patience) ? 0 : 7;
              })),
              0)
        << "room for " << threads;
    EXPECT_TRUE(receiver.receive(1));
  }
}

/// Closes them all, and takes their numbers for a file.
void take_all_descriptors(const std::string& file) {
  constexpr int fds_max = 256;
  for (int fd = 3; fd < fds_max; ++fd) close(fd);
  while (open(file.c_str(), O_RDWR) < fds_max) {
  }
}

/// Both ways for a daemon to close what it has not opened; nothing is written to what it opens.
TEST(Host, ADaemonClosesDescriptorsAfterAForkOrAClose) {
  ScratchFolder folder;
  const std::string endpoint = folder.endpoint();
  Receiver receiver(endpoint);
  std::string name = "/tmp/outrider-host-XXXXXX";
  const int file = mkstemp(name.data());
  ASSERT_GE(file, 0);
  Client client(quick(endpoint));
  ASSERT_EQ(client.emit("t", 1), Status::ok);
  ASSERT_TRUE(client.flush(patience));
  EXPECT_EQ(status_of(fork_and([&] {
              take_all_descriptors(name);
              client.emit("t", 2);
              if (!client.flush(patience) || client.close(patience) != Status::ok) return 2;
              take_all_descriptors(name);
              Client next(quick(endpoint));
              next.emit("t", 3);
              return next.flush(patience) ? 0 : 3;
            })),
            0);
  EXPECT_TRUE(receiver.receive(3));
  struct stat now {};
  EXPECT_EQ(fstat(file, &now), 0);
  EXPECT_EQ(now.st_size, 0);
  close(file);
  unlink(name.c_str());
}

}  // namespace
}  // namespace outrider::test
