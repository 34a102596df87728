// A link to a process that is there and does nothing, as a debugger or a stopped container leaves
// it.
#include "sdk/src/link.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

#include "unit/sdk/receiver.hpp"

namespace outrider::sdk {
namespace {

/// A process with a bound ROUTER socket, which libzmq answers for as long as it runs.
class OtherProcess {
 public:
  explicit OtherProcess(const std::string& endpoint) : pid_(fork()) {
    if (pid_ != 0) return;
    void* const socket = zmq_socket(zmq_ctx_new(), ZMQ_ROUTER);
    if (zmq_bind(socket, endpoint.c_str()) != 0) _exit(1);
    for (;;) pause();
  }
  ~OtherProcess() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  OtherProcess(const OtherProcess&) = delete;
  OtherProcess& operator=(const OtherProcess&) = delete;

  void stop() const { kill(pid_, SIGSTOP); }
  void go_on() const { kill(pid_, SIGCONT); }

 private:
  const pid_t pid_;
};

TEST(Link, HeartbeatsFindAPeerThatHangsAndThatGoesOn) {
  const test::ScratchFolder folder;
  const OtherProcess peer(folder.endpoint());
  LinkOptions options;
  options.kind = LinkKind::dealer;
  options.endpoint = folder.endpoint();
  options.send_frames_max = 1;
  options.reconnect_initial_ms = 5;
  options.reconnect_max_ms = 20;
  options.heartbeat_ms = 500;
  Link link(options);
  ASSERT_TRUE(link.open());
  const int nobody_wakes = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  const auto becomes = [&](bool is_connected) {
    return test::comes_true([&] {
      link.wait(nobody_wakes, false, 10);
      return link.is_connected() == is_connected;
    });
  };
  EXPECT_TRUE(becomes(true));
  peer.stop();
  EXPECT_TRUE(becomes(false));
  peer.go_on();
  EXPECT_TRUE(becomes(true));
  ::close(nobody_wakes);
}

}  // namespace
}  // namespace outrider::sdk
