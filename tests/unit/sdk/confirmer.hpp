// A sidecar's confirm socket for tests: binds a ROUTER socket, checks every frame with the real
// FrameReader, keeps the frames and answers what it is told to.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <zmq.h>

#include "proto/confirm.hpp"
#include "proto/frame_reader.hpp"
#include "unit/sdk/receiver.hpp"

namespace outrider::test {

struct ConfirmedFrame {
  std::string peer;  ///< the connection it came by
  std::string bytes;
  std::string client_id;
  std::uint64_t sequence = 0;
  std::vector<std::string> datas{};  ///< msgpack, of each event
  std::vector<std::uint64_t> at_ns{};
};

class Confirmer {
 public:
  explicit Confirmer(const std::string& endpoint, void* shared_context = nullptr)
      : context_(shared_context == nullptr ? zmq_ctx_new() : shared_context),
        owns_context_(shared_context == nullptr) {
    socket_ = zmq_socket(context_, ZMQ_ROUTER);
    const int linger_ms = 0;
    zmq_setsockopt(socket_, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
    EXPECT_EQ(zmq_bind(socket_, endpoint.c_str()), 0) << zmq_strerror(zmq_errno());
  }
  ~Confirmer() {
    zmq_close(socket_);
    if (owns_context_) zmq_ctx_term(context_);
  }
  Confirmer(const Confirmer&) = delete;
  Confirmer& operator=(const Confirmer&) = delete;

  /// Reads one frame, if one comes within the time, and puts it behind `frames`.
  bool receive_frame(std::chrono::milliseconds timeout) {
    const int timeout_ms = static_cast<int>(timeout.count());
    zmq_setsockopt(socket_, ZMQ_RCVTIMEO, &timeout_ms, sizeof timeout_ms);
    ConfirmedFrame frame;
    bool is_last = true;
    if (!receive_part(frame.peer, is_last)) return false;
    EXPECT_FALSE(is_last);
    EXPECT_TRUE(receive_part(frame.bytes, is_last));
    EXPECT_TRUE(is_last) << "a frame has one part";
    read(frame);
    frames.push_back(std::move(frame));
    return true;
  }

  /// Reads until there are `count` frames in all.
  bool receive(std::size_t count) {
    while (frames.size() < count) {
      if (!receive_frame(patience)) return false;
    }
    return frames.size() == count;
  }

  /// Answers a frame; by default that it is taken.
  void answer(const ConfirmedFrame& frame, std::uint64_t status = 0,
              std::vector<proto::RefusedEvent> refused = {}) {
    send(frame.peer, proto::write_confirm_answer({frame.sequence, status, std::move(refused)}));
  }
  void send(std::string peer, std::string message) {
    send_part(peer, ZMQ_SNDMORE);
    send_part(message, 0);
  }

  std::vector<ConfirmedFrame> frames;

 private:
  void read(ConfirmedFrame& frame) {
    proto::FrameReader reader({8U << 20U, 2U << 20U});
    ASSERT_EQ(reader.open(proto::as_bytes(frame.bytes)), proto::Refusal::none);
    frame.client_id = proto::as_text(reader.header().client_id);
    frame.sequence = reader.header().sequence;
    EXPECT_EQ(frame.client_id.size(), 16U);
    EXPECT_GT(frame.sequence, 0U);
    for (std::size_t i = 0; i < reader.event_count(); ++i) {
      proto::EventView event;
      ASSERT_EQ(reader.next(event), proto::Refusal::none);
      frame.datas.emplace_back(proto::as_text(event.data));
      frame.at_ns.push_back(event.attributes.at_ns);
    }
  }

  bool receive_part(std::string& part, bool& is_last) {
    zmq_msg_t message;
    zmq_msg_init(&message);
    const bool has_part = zmq_msg_recv(&message, socket_, 0) >= 0;
    if (has_part) {
      part.assign(static_cast<const char*>(zmq_msg_data(&message)), zmq_msg_size(&message));
      is_last = zmq_msg_more(&message) == 0;
    }
    zmq_msg_close(&message);
    return has_part;
  }

  void send_part(const std::string& part, int flags) {
    zmq_msg_t message;
    zmq_msg_init_size(&message, part.size());
    if (!part.empty()) std::memcpy(zmq_msg_data(&message), part.data(), part.size());
    if (zmq_msg_send(&message, socket_, flags) < 0) zmq_msg_close(&message);
  }

  void* context_;
  bool owns_context_;
  void* socket_;
};

/// Runs a function again and again on a thread, until it is stopped or goes out of scope.
class Background {
 public:
  explicit Background(std::function<void()> step)
      : thread_([this, step = std::move(step)] {
          while (!is_stopped_) step();
        }) {}
  ~Background() { stop(); }

  void stop() {
    is_stopped_ = true;
    if (thread_.joinable()) thread_.join();
  }

 private:
  std::atomic<bool> is_stopped_ = false;
  std::thread thread_;
};

/// A sidecar that takes everything.
inline void confirm_next(Confirmer& confirmer) {
  if (confirmer.receive_frame(std::chrono::milliseconds(10))) {
    confirmer.answer(confirmer.frames.back());
  }
}

}  // namespace outrider::test
