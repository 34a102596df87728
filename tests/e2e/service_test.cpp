// What systemd hears of a sidecar, on a real notify socket.

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "e2e/e2e_fixture.hpp"

namespace outrider::test {
namespace {

/// $NOTIFY_SOCKET
class ServiceManager {
 public:
  explicit ServiceManager(const std::string& path) {
    fd_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  ~ServiceManager() { close(fd_); }
  ServiceManager(const ServiceManager&) = delete;
  ServiceManager& operator=(const ServiceManager&) = delete;

  /// The next message; empty if none comes in time.
  std::string next(std::chrono::milliseconds patience = 20s) const {
    pollfd waiting{fd_, POLLIN, 0};
    if (poll(&waiting, 1, static_cast<int>(patience.count())) != 1) return "";
    char text[512];
    const ssize_t size = recv(fd_, text, sizeof text, 0);
    return size > 0 ? std::string(text, static_cast<std::size_t>(size)) : "";
  }
  /// Passes over others.
  bool hears(const std::string& part) const {
    for (;;) {
      const std::string message = next();
      if (message.empty()) return false;
      if (message.find(part) != std::string::npos) return true;
    }
  }

 private:
  int fd_ = -1;
};

TEST(Service, ALoopThatDoesNotTurnGivesNoSignOfLife) {
  const TempDir dir;
  const ServiceManager systemd(dir.file("notify"));
  Sidecar sidecar(dir, "[destination.audit]\ntype = stdout\n", true,
                  {"NOTIFY_SOCKET=" + dir.file("notify"), "WATCHDOG_USEC=200000"});
  EXPECT_EQ(systemd.next(), "READY=1\nSTATUS=running with 1 destination");
  EXPECT_TRUE(systemd.hears("WATCHDOG=1"));
  EXPECT_TRUE(systemd.hears("WATCHDOG=1")) << "an idle loop wakes up for it";

  sidecar.process().signal(SIGSTOP);
  // What it had said before it stood still, at most.
  while (!systemd.next(500ms).empty()) {
  }
  EXPECT_EQ(systemd.next(500ms), "");
  sidecar.process().signal(SIGCONT);
  EXPECT_TRUE(systemd.hears("WATCHDOG=1"));

  sidecar.process().signal(SIGTERM);
  EXPECT_TRUE(systemd.hears("STOPPING=1\nSTATUS=stopping: delivers what it holds"));
  EXPECT_TRUE(systemd.hears("EXTEND_TIMEOUT_USEC=15000000"));
  EXPECT_EQ(sidecar.process().wait(), 0);
}

TEST(Service, AReloadIsSaidFromBeginToEnd) {
  const TempDir dir;
  const ServiceManager systemd(dir.file("notify"));
  const std::string audit = "[destination.audit]\ntype = stdout\n";
  Sidecar sidecar(dir, audit, true, {"NOTIFY_SOCKET=" + dir.file("notify")});
  EXPECT_EQ(systemd.next(), "READY=1\nSTATUS=running with 1 destination");
  write_file(dir.file("outrider.conf"), audit +
                                            "[destination.log]\ntype = file\nformat = ndjson\n" +
                                            "path = " + dir.file("log.ndjson") + "\n");
  sidecar.process().signal(SIGHUP);
  EXPECT_TRUE(systemd.next().starts_with("RELOADING=1\nMONOTONIC_USEC="));
  EXPECT_EQ(systemd.next(), "READY=1\nSTATUS=running with 2 destinations");
  EXPECT_EQ(sidecar.stop(), 0);
}

TEST(Service, WithoutAWatchdogThereIsNoSignOfLife) {
  const TempDir dir;
  const ServiceManager systemd(dir.file("notify"));
  Sidecar sidecar(dir, "[destination.audit]\ntype = stdout\n", true,
                  {"NOTIFY_SOCKET=" + dir.file("notify")});
  EXPECT_EQ(systemd.next(), "READY=1\nSTATUS=running with 1 destination");
  EXPECT_EQ(systemd.next(500ms), "");
  EXPECT_EQ(sidecar.stop(), 0);
}

}  // namespace
}  // namespace outrider::test
