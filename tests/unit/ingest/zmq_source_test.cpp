#include "sidecar/ingest/zmq_source.hpp"

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <zmq.h>

#include "sidecar/ingest/zmq_listener.hpp"
#include "sidecar/net/zmq_context.hpp"
#include "support/memory_log.hpp"
#include "support/temp_dir.hpp"
#include "support/zmtp_client.hpp"

namespace outrider::sidecar {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

/// A client: one PUSH socket, in a context of its own so that inproc cannot be meant by mistake.
class Client {
 public:
  Client(void* context, const std::string& endpoint, int linger_ms = 0)
      : socket_(zmq_socket(context, ZMQ_PUSH)) {
    zmq_setsockopt(socket_, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
    const int timeout_ms = 20'000;
    zmq_setsockopt(socket_, ZMQ_SNDTIMEO, &timeout_ms, sizeof timeout_ms);
    zmq_connect(socket_, endpoint.c_str());
  }
  ~Client() { zmq_close(socket_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  bool send(const std::string& bytes, int flags = 0) {
    return zmq_send(socket_, bytes.data(), bytes.size(), flags) >= 0;
  }

 private:
  void* socket_;
};

class ZmqSourceTest : public testing::Test {
 protected:
  ZmqSourceTest() { zmq_ctx_set(client_context_.get(), ZMQ_MAX_SOCKETS, 4096); }

  std::string open(std::vector<std::string> endpoints) {
    source_.reset();
    config_.endpoints = std::move(endpoints);
    Result<std::unique_ptr<FrameSource>> opened =
        open_zmq_source(config_, context_.get(), reactor_, log_);
    if (!opened.ok()) return opened.error().message;
    source_ = std::move(opened.value());
    return "";
  }

  /// Where the source says that it listens, for ports that the system chose.
  std::string listening_on(const std::string& scheme) {
    for (const std::string& line : log_.lines) {
      const auto at = line.find("endpoint=" + scheme);
      if (at != std::string::npos) return line.substr(at + 9);
    }
    return "";
  }

  /// What comes within the deadline, sleeping on the reactor alone, until there are `count` frames.
  std::vector<std::string> receive(std::size_t count) {
    std::vector<std::string> frames;
    const MonoTime deadline = clock_.now().mono + seconds(60);
    while (clock_.now().mono < deadline) {
      while (const std::optional<proto::ByteView> frame = source_->receive()) {
        frames.emplace_back(proto::as_text(*frame));
      }
      if (frames.size() >= count) break;
      reactor_.wait(deadline - clock_.now().mono);
    }
    return frames;
  }

  test::TempDir dir_;
  const std::string path_ = dir_.file("s.sock");
  const std::string ipc_ = "ipc://" + path_;
  SystemClock clock_;
  Reactor reactor_;
  test::MemoryLog log_;
  IngestConfig config_;
  ZmqContext client_context_;
  ZmqContext context_;
  std::unique_ptr<FrameSource> source_;
};

TEST_F(ZmqSourceTest, ReceivesFromEveryEndpoint) {
  ASSERT_EQ(open({ipc_, "ipc://" + dir_.file("t.sock"), "tcp://127.0.0.1:*", "inproc://app"}), "");
  Client a(client_context_.get(), ipc_);
  Client b(client_context_.get(), "ipc://" + dir_.file("t.sock"));
  Client c(client_context_.get(), listening_on("tcp://"));
  Client d(context_.get(), "inproc://app");
  a.send("a");
  b.send("b");
  c.send("c");
  d.send("d");
  EXPECT_THAT(receive(4), testing::UnorderedElementsAre("a", "b", "c", "d"));
  EXPECT_EQ(source_->receive(), std::nullopt);
}

TEST_F(ZmqSourceTest, WakesTheReactorForEachFrameThatComesLater) {
  ASSERT_EQ(open({ipc_}), "");
  Client client(client_context_.get(), ipc_);
  for (int i = 0; i < 200; ++i) {
    client.send(std::to_string(i));
    ASSERT_EQ(receive(1), std::vector<std::string>{std::to_string(i)});
  }
}

TEST_F(ZmqSourceTest, ServesAThousandClients) {
  ASSERT_EQ(open({ipc_}), "");
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 1000; ++i) {
    clients.push_back(std::make_unique<Client>(client_context_.get(), ipc_));
    clients.back()->send(std::to_string(i));
  }
  std::vector<std::string> frames = receive(1000);
  std::sort(frames.begin(), frames.end());
  EXPECT_EQ(std::unique(frames.begin(), frames.end()) - frames.begin(), 1000);
}

TEST_F(ZmqSourceTest, LosesNothingOfAClientThatEndsBeforeItIsHeard) {
  ASSERT_EQ(open({ipc_}), "");
  {
    ZmqContext context;
    Client client(context.get(), ipc_, 20'000);
    for (int i = 0; i < 500; ++i) client.send(std::string(100, 'x'));
  }
  EXPECT_EQ(receive(500).size(), 500U);
}

TEST_F(ZmqSourceTest, TurnsAMessageOfSeveralPartsIntoOneEmptyFrame) {
  ASSERT_EQ(open({ipc_}), "");
  Client client(client_context_.get(), ipc_);
  client.send("one", ZMQ_SNDMORE);
  client.send("two", ZMQ_SNDMORE);
  client.send("three");
  client.send("good");
  EXPECT_EQ(receive(2), (std::vector<std::string>{"", "good"}));
}

TEST_F(ZmqSourceTest, PassesOversizedFramesOnAndCutsMonstersOff) {
  config_.frame_bytes_max = 1U << 20U;
  ASSERT_EQ(open({ipc_}), "");
  {
    Client client(client_context_.get(), ipc_);
    client.send(std::string(16U << 20U, 'x'));
    EXPECT_EQ(receive(1).at(0).size(), 16U << 20U);
  }
  Client monster(client_context_.get(), ipc_);
  monster.send(std::string((16U << 20U) + 1, 'x'));
  Client client(client_context_.get(), ipc_);
  client.send("good");
  EXPECT_EQ(receive(1), std::vector<std::string>{"good"});
}

TEST_F(ZmqSourceTest, SetsModeOfTheSocket) {
  config_.socket_mode = 0600;
  ASSERT_EQ(open({ipc_}), "");
  struct stat found {};
  ASSERT_EQ(stat(path_.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 07777U, 0600U);
}

TEST_F(ZmqSourceTest, StillReceivesFromThoseConnectedAfterItStoppedListening) {
  ASSERT_EQ(open({ipc_}), "");
  Client client(client_context_.get(), ipc_);
  client.send("before");
  ASSERT_EQ(receive(1).size(), 1U);
  source_->stop_listening();
  EXPECT_FALSE(std::filesystem::exists(path_));
  for (int i = 0; i < 100; ++i) client.send("after");
  EXPECT_EQ(receive(100).size(), 100U);
}

TEST_F(ZmqSourceTest, LeavesNothingBehindAndCanBeOpenedAgain) {
  ASSERT_EQ(open({ipc_}), "");
  source_->close();
  source_->close();
  EXPECT_EQ(source_->receive(), std::nullopt);
  EXPECT_TRUE(std::filesystem::is_empty(dir_.path()));
  ASSERT_EQ(open({ipc_}), "");
  Client client(client_context_.get(), ipc_);
  client.send("again");
  EXPECT_EQ(receive(1), std::vector<std::string>{"again"});
}

TEST_F(ZmqSourceTest, RefusesASecondSidecar) {
  ASSERT_EQ(open({ipc_, "tcp://127.0.0.1:*"}), "");
  IngestConfig second;
  second.endpoints = {ipc_};
  EXPECT_THAT(open_zmq_source(second, context_.get(), reactor_, log_).error().message,
              HasSubstr("another sidecar listens on " + path_));
  second.endpoints = {"ipc://" + dir_.file("free.sock"), listening_on("tcp://")};
  EXPECT_THAT(open_zmq_source(second, context_.get(), reactor_, log_).error().message,
              HasSubstr("is in use"));
  EXPECT_FALSE(std::filesystem::exists(dir_.file("free.sock")));
  Client client(client_context_.get(), ipc_);
  client.send("still here");
  EXPECT_EQ(receive(1), std::vector<std::string>{"still here"});
}

TEST_F(ZmqSourceTest, RefusesEndpointsThatCannotBe) {
  EXPECT_THAT(open({"udp://127.0.0.1:1"}), HasSubstr("must begin with ipc://"));
  EXPECT_THAT(open({"tcp://nonsense"}), HasSubstr("cannot listen on tcp://nonsense"));
  EXPECT_THAT(open({"ipc://" + std::string(200, 'x')}), HasSubstr("at most 107"));
}

TEST_F(ZmqSourceTest, AnswersAClientThatComesBackUnderItsIdentity) {
  config_.confirm_endpoint = ipc_;
  auto opened = open_zmq_confirm_source(config_, context_.get(), reactor_, log_);
  ASSERT_TRUE(opened.ok());
  ConfirmSource& source = *opened.value();
  // The first one's connection stays open, as of a machine that has lost its network.
  std::vector<void*> clients;
  for (const char* name : {"first", "again"}) {
    void* client = zmq_socket(client_context_.get(), ZMQ_DEALER);
    clients.push_back(client);
    const int linger_ms = 0;
    const int timeout_ms = 20'000;
    zmq_setsockopt(client, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
    zmq_setsockopt(client, ZMQ_RCVTIMEO, &timeout_ms, sizeof timeout_ms);
    zmq_setsockopt(client, ZMQ_ROUTING_ID, "me", 2);
    ASSERT_EQ(zmq_connect(client, ipc_.c_str()), 0);
    ASSERT_EQ(zmq_send(client, name, 5, 0), 5);
    std::optional<PeerFrame> frame;
    const MonoTime deadline = clock_.now().mono + seconds(20);
    while (!(frame = source.receive()) && clock_.now().mono < deadline) {
      reactor_.wait(std::chrono::milliseconds(100));
    }
    ASSERT_TRUE(frame) << name;
    EXPECT_EQ(proto::as_text(frame->frame), name);
    source.answer(frame->peer, name);
    char answer[16];
    ASSERT_EQ(zmq_recv(client, answer, sizeof answer, 0), 5);
    EXPECT_EQ(std::string(answer, 5), name);
  }
  EXPECT_EQ(log_.count("reconnected under its ZeroMQ identity"), 1);
  for (void* client : clients) zmq_close(client);
  source.close();
}

TEST_F(ZmqSourceTest, KeepsSoManyAnswersForAClientThatDoesNotRead) {
  config_.confirm_endpoint = ipc_;
  auto opened = open_zmq_confirm_source(config_, context_.get(), reactor_, log_);
  ASSERT_TRUE(opened.ok());
  ConfirmSource& source = *opened.value();
  const test::ZmtpClient client(path_);
  ASSERT_TRUE(client.greet("DEALER"));
  ASSERT_TRUE(client.write_all(test::ZmtpClient::part("frame", false)));
  std::optional<PeerFrame> frame;
  const MonoTime deadline = clock_.now().mono + seconds(20);
  while (!(frame = source.receive()) && clock_.now().mono < deadline) {
    reactor_.wait(std::chrono::milliseconds(100));
  }
  ASSERT_TRUE(frame);
  const std::string peer = frame->peer;
  const std::string answer(16'000, 'a');
  constexpr std::size_t header_bytes = 9;
  constexpr std::size_t window = ZmqListener::unanswered_max;
  for (int round = 0; round < 100; ++round) {
    for (std::size_t i = 0; i < window; ++i) source.answer(peer, answer);
    const std::size_t bytes = window * (answer.size() + header_bytes);
    ASSERT_EQ(client.read_some(bytes, 20'000), bytes) << "a client that reads loses none";
  }
  constexpr std::size_t all = ZmqListener::answers_max;
  for (std::size_t i = 0; i < 20 * all; ++i) source.answer(peer, answer);
  // Those that wait here, and what the kernel and libzmq had taken on their way.
  EXPECT_LT(client.read_some(SIZE_MAX, 500), all * answer.size() + (2U << 20U));
  source.close();
}

TEST_F(ZmqSourceTest, ClosesWhenTheApplicationEndsItsContext) {
  ASSERT_EQ(open({"inproc://app"}), "");
  zmq_ctx_shutdown(context_.get());
  EXPECT_EQ(source_->receive(), std::nullopt);
}

}  // namespace
}  // namespace outrider::sidecar
