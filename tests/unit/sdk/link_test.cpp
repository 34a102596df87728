// A link to a process that is there and does nothing, as a debugger or a stopped container leaves
// it, and one that cannot be made for the moment.
#include "sdk/src/link.hpp"

#include <cerrno>
#include <optional>
#include <string>
#include <utility>

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

#include "sdk/src/client.hpp"
#include "unit/sdk/address_space.hpp"
#include "unit/sdk/receiver.hpp"

namespace {

bool is_next_socket_refused = false;

}  // namespace

/// As libzmq answers that runs out of descriptors before its context has threads.
extern "C" [[gnu::visibility("default")]] void* zmq_socket(void* context, int type) {
  if (std::exchange(is_next_socket_refused, false)) {
    errno = EMFILE;
    return nullptr;
  }
  static const auto real = reinterpret_cast<void* (*)(void*, int)>(dlsym(RTLD_NEXT, "zmq_socket"));
  return real(context, type);
}

namespace outrider::sdk {
namespace {

using test::eventually;

/// A process with a bound socket, which libzmq answers for as long as it runs, and which reads all
/// that comes.
class OtherProcess {
 public:
  explicit OtherProcess(const std::string& endpoint, int type = ZMQ_ROUTER) : pid_(fork()) {
    if (pid_ != 0) return;
    void* const socket = zmq_socket(zmq_ctx_new(), type);
    if (zmq_bind(socket, endpoint.c_str()) != 0) _exit(1);
    for (;;) zmq_recv(socket, nullptr, 0, 0);
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

LinkOptions quick(const std::string& endpoint, LinkKind kind) {
  LinkOptions options;
  options.kind = kind;
  options.endpoint = endpoint;
  options.send_frames_max = 1;
  options.reconnect_initial_ms = 5;
  options.reconnect_max_ms = 20;
  return options;
}

TEST(Link, HeartbeatsFindAPeerThatHangsAndThatGoesOn) {
  const test::ScratchFolder folder;
  const OtherProcess peer(folder.endpoint());
  LinkOptions options = quick(folder.endpoint(), LinkKind::dealer);
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

/// A context starts its threads with its first socket, and not where that one could not be made.
TEST(Link, ThreadsAreAskedForUntilThereWasASocket) {
  const test::ScratchFolder folder;
  const pid_t child = fork();
  if (child == 0) {
    const test::AddressSpace space;
    Link link(quick(folder.endpoint(), LinkKind::push));
    is_next_socket_refused = true;
    if (link.open()) _exit(2);
    if (!space.leave_room_for(0)) _exit(3);
    if (link.open()) _exit(4);
    if (!space.end()) _exit(5);
    _exit(link.open() ? 0 : 6);
  }
  EXPECT_EQ(test::wait_for_end(child), 0) << "libzmq has aborted, or the status is not 0";
}

/// A client whose sidecar is another process, with one socket of this type.
class StoppedSidecar : public testing::Test {
 protected:
  void start(int type) {
    peer_.emplace(folder_.endpoint(), type);
    const std::string endpoint = folder_.endpoint();
    outrider_options options = default_options();
    options.endpoint = options.confirm_endpoint = endpoint.c_str();
    options.reconnect_initial_ms = 5;
    options.reconnect_max_ms = 20;
    options.send_frames_max = 2;
    ASSERT_TRUE(read_options(options, options_));
  }
  outrider_event event() const {
    outrider_event event{};
    event.struct_bytes = sizeof event;
    event.topic = "t";
    event.topic_bytes = 1;
    event.data = data_.data();
    event.data_bytes = data_.size();
    return event;
  }

  const test::ScratchFolder folder_;
  std::optional<OtherProcess> peer_;
  ClientOptions options_;
  /// A string of msgpack, as long as a frame.
  const std::string data_ = std::string("\xdb\x00\x03\x00\x00", 5) + std::string(0x30000, 'x');
};

TEST_F(StoppedSidecar, IsFoundByTheHeartbeatsOfAClientThatDelivers) {
  start(ZMQ_ROUTER);
  EXPECT_EQ(options_.courier.link.heartbeat_ms, 10'000) << "outrider.h: within 20 seconds";
  options_.courier.link.heartbeat_ms = 500;
  Client client(options_);
  ASSERT_EQ(client.deliver(event(), {}), OUTRIDER_OK);
  EXPECT_TRUE(eventually([&] { return client.stats().confirm_connected == 1; }));
  peer_->stop();
  EXPECT_TRUE(eventually([&] { return client.stats().confirm_connected == 0; }));
  peer_->go_on();
  EXPECT_TRUE(eventually([&] { return client.stats().confirm_connected == 1; }));
  client.close(0);
}

TEST_F(StoppedSidecar, CountsAsThereForAClientThatEmitsUntilItIsFullAndLosesNothing) {
  start(ZMQ_PULL);
  EXPECT_EQ(options_.shipper.link.heartbeat_ms, 0) << "a full sidecar would not answer";
  Client client(options_);
  ASSERT_EQ(client.emit(event()), OUTRIDER_OK);
  ASSERT_TRUE(eventually([&] { return client.stats().connected == 1; }));
  peer_->stop();
  EXPECT_TRUE(eventually([&] {
    client.emit(event());
    return client.stats().connected == 0;
  }));
  peer_->go_on();
  EXPECT_EQ(client.flush(static_cast<std::uint32_t>(test::patience.count())), OUTRIDER_OK);
  EXPECT_TRUE(eventually([&] { return client.stats().connected == 1; }));
  EXPECT_EQ(client.stats().unknown_events, 0U);
  EXPECT_EQ(client.close(), OUTRIDER_OK);
}

}  // namespace
}  // namespace outrider::sdk
