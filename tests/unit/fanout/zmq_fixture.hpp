// A zmq transport between sockets of real ZeroMQ, over ipc in a folder of its own: for tests.
#pragma once

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zmq.h>

#include "sidecar/base/time_left.hpp"
#include "sidecar/fanout/zmq_transport.hpp"
#include "sidecar/net/zmq_context.hpp"
#include "support/memory_log.hpp"
#include "support/temp_dir.hpp"
#include "support/verdicts.hpp"
#include "support/zmtp_client.hpp"
#include "unit/fanout/event_batch.hpp"

namespace outrider::sidecar {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::Batch;
using testing::HasSubstr;

struct ZmqClose {
  void operator()(void* socket) const { zmq_close(socket); }
};
using Socket = std::unique_ptr<void, ZmqClose>;

struct ZmqTerm {
  void operator()(void* context) const { zmq_ctx_term(context); }
};

struct Message {
  std::string topic;
  std::string event;
  bool operator==(const Message&) const = default;
};

class ZmqTransportTest : public testing::Test {
 protected:
  std::string open(ZmqPattern pattern, bool bind = true, std::string url = "") {
    config_.name = "fan";
    config_.zmq_pattern = pattern;
    config_.zmq_bind = bind;
    config_.format = BodyFormat::ndjson;
    config_.urls = {url.empty() ? url_ : url};
    Result<std::unique_ptr<Transport>> made =
        make_zmq_transport(config_, context_->get(), reactor_, log_);
    if (!made.ok()) return made.error().message;
    transport_ = std::move(made.value());
    return "";
  }

  Socket peer(int type, int high_water_mark = 1000, bool bind = false) {
    Socket socket(zmq_socket(peers_.get(), type));
    set(socket, ZMQ_RCVHWM, high_water_mark);
    set(socket, ZMQ_LINGER, 0);
    EXPECT_EQ(bind ? zmq_bind(socket.get(), url_.c_str()) : zmq_connect(socket.get(), url_.c_str()),
              0);
    return socket;
  }

  /// A subscriber whose subscription has arrived.
  Socket subscriber(const std::string& topic, int high_water_mark = 1000) {
    Socket socket = peer(ZMQ_SUB, high_water_mark);
    zmq_setsockopt(socket.get(), ZMQ_SUBSCRIBE, topic.data(), topic.size());
    // Events until one arrives; then all before the newest, so that none is on its way any more.
    // The newest may be lost at a high-water mark: then another one is sent.
    set(socket, ZMQ_RCVTIMEO, 5);
    const std::string probe = topic + "probe";
    std::string sent;
    std::string received;
    for (int i = 0; i < 6000 && (received.empty() || received != sent); ++i) {
      sent = std::to_string(i);
      Batch batch(0, 0);
      batch.add(probe, sent);
      send(batch);
      received = receive(socket).event;
      if (received.empty()) continue;
      set(socket, ZMQ_RCVTIMEO, 1000);
      while (!received.empty() && received != sent) received = receive(socket).event;
    }
    set(socket, ZMQ_RCVTIMEO, 20'000);
    EXPECT_EQ(received, sent);
    return socket;
  }

  /// The transport ends the connection of whoever sends that. libzmq reads on as the transport
  /// takes note of what has come.
  bool ends_after(const test::ZmtpClient& peer, std::string bytes) {
    bool has_ended = false;
    for (int i = 0; i < 20'000 && !has_ended; ++i) {
      const ssize_t sent = bytes.empty() ? 0 : peer.write_some(bytes);
      if (sent > 0) bytes.erase(0, static_cast<std::size_t>(sent));
      finish_one(milliseconds(1));
      has_ended = peer.wait_for_end(0);
    }
    return has_ended;
  }

  static std::string subscription(bool is_command, const std::string& topic) {
    if (!is_command) return test::ZmtpClient::part('\1' + topic, false);
    const std::string body = "\x09SUBSCRIBE" + topic;
    return {'\4' + std::string(1, static_cast<char>(body.size())) + body};
  }

  static void set(const Socket& socket, int option, int value) {
    zmq_setsockopt(socket.get(), option, &value, sizeof value);
  }

  static Message receive(const Socket& socket) {
    std::string topic(100, '\0');
    std::string event(100'000, '\0');
    const int topic_bytes = zmq_recv(socket.get(), topic.data(), topic.size(), 0);
    if (topic_bytes < 0) return {};
    const int event_bytes = zmq_recv(socket.get(), event.data(), event.size(), 0);
    topic.resize(static_cast<std::size_t>(topic_bytes));
    event.resize(static_cast<std::size_t>(event_bytes));
    return {topic, event};
  }

  /// One completion, or that of id 0 when `patience` is over. Sleeps on the reactor alone.
  Completion finish_one(Duration patience = seconds(30)) {
    const MonoTime deadline = clock_.now().mono + patience;
    for (;;) {
      transport_->collect(clock_.now(), done_);
      const MonoTime now = clock_.now().mono;
      if (!done_.empty() || now >= deadline) break;
      reactor_.wait(time_left(std::min(transport_->next_deadline(), deadline), now));
    }
    if (done_.empty()) return {};
    Completion completion = done_.front();
    done_.erase(done_.begin());
    return completion;
  }

  Completion send(const Batch& batch) {
    transport_->start(batch.attempt(1), {});
    return finish_one();
  }

  /// Events beyond all marks: the healthy subscriber gets each, and one that does not read loses.
  void expect_that_only_others_lose(const Socket& healthy) {
    const Batch batch(1, 20'000);
    std::uint32_t lost = 0;
    for (int i = 0; i < 300; ++i) {
      lost += test::events_of(send(batch), EventFate::lost);
      ASSERT_EQ(receive(healthy).topic, "orders.paid") << i;
    }
    EXPECT_GT(lost, 0U);
  }

  test::TempDir dir_;
  const std::string url_ = "ipc://" + dir_.file("s.sock");
  SystemClock clock_;
  Reactor reactor_;
  test::MemoryLog log_;
  DestinationConfig config_;
  std::unique_ptr<void, ZmqTerm> peers_{zmq_ctx_new()};
  std::unique_ptr<ZmqContext> context_ = std::make_unique<ZmqContext>();
  std::unique_ptr<Transport> transport_;
  std::vector<Completion> done_;
};

}  // namespace outrider::sidecar
