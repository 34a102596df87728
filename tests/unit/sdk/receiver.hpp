// A sidecar's socket for tests: binds a PULL socket in a folder of its own, checks every frame with
// the real FrameReader and keeps the events.
#pragma once

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

#include "proto/frame_reader.hpp"

namespace outrider::test {

/// Long enough for a loaded machine under a sanitizer; only failing tests wait that long.
inline constexpr std::chrono::milliseconds patience{20'000};

/// Asks again and again for a condition that waits a moment itself, as for a frame.
template <typename Condition>
bool comes_true(const Condition& condition) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
  }
  return true;
}

/// The same for a number in stats, which nobody tells when it changes.
template <typename Condition>
bool eventually(const Condition& condition) {
  return comes_true([&] {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return false;
  });
}

/// A number that some threads count up and others wait for.
class Counter {
 public:
  void add() {
    const std::lock_guard guard(mutex_);
    ++value_;
    changed_.notify_all();
  }
  std::uint64_t value() const {
    const std::lock_guard guard(mutex_);
    return value_;
  }
  /// False: not within the test's patience.
  bool reaches(std::uint64_t value) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, patience, [&] { return value_ >= value; });
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t value_ = 0;
};

/// Waits for the end of a child, and returns its status as waitpid() does; one that takes too long
/// is killed.
inline int wait_for_end(pid_t child) {
  pollfd ended{static_cast<int>(syscall(SYS_pidfd_open, child, 0)), POLLIN, 0};
  EXPECT_GE(ended.fd, 0);
  const bool has_ended = poll(&ended, 1, static_cast<int>(patience.count())) == 1;
  close(ended.fd);
  if (!has_ended) kill(child, SIGKILL);
  int status = -1;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return status;
}

class ScratchFolder {
 public:
  ScratchFolder() {
    std::array<char, 32> name{"/tmp/outrider-XXXXXX"};
    path_ = mkdtemp(name.data());
  }
  ~ScratchFolder() {
    unlink((path_ + "/s").c_str());
    rmdir(path_.c_str());
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  std::string endpoint() const { return "ipc://" + path_ + "/s"; }

 private:
  std::string path_;
};

struct ReceivedEvent {
  std::string topic;
  std::uint64_t time_ns;
  std::string data;  ///< msgpack
  std::string id;
  bool id_is_text;
  std::string key;
  std::string trace;
  std::uint64_t at_ns;
  std::uint64_t ttl_ms;
  proto::Priority priority;
  std::string client_id;
};

class Receiver {
 public:
  explicit Receiver(const std::string& endpoint, void* shared_context = nullptr,
                    int waiting_frames_max = 1'000)
      : context_(shared_context == nullptr ? zmq_ctx_new() : shared_context),
        owns_context_(shared_context == nullptr) {
    socket_ = zmq_socket(context_, ZMQ_PULL);
    zmq_setsockopt(socket_, ZMQ_RCVHWM, &waiting_frames_max, sizeof waiting_frames_max);
    EXPECT_EQ(zmq_bind(socket_, endpoint.c_str()), 0) << zmq_strerror(zmq_errno());
  }
  ~Receiver() {
    zmq_close(socket_);
    if (owns_context_) zmq_ctx_term(context_);
  }
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;

  /// Reads one frame, if one comes within the time.
  bool receive_frame(std::chrono::milliseconds timeout) {
    const int timeout_ms = static_cast<int>(timeout.count());
    zmq_setsockopt(socket_, ZMQ_RCVTIMEO, &timeout_ms, sizeof timeout_ms);
    zmq_msg_t message;
    zmq_msg_init(&message);
    const bool has_frame = zmq_msg_recv(&message, socket_, 0) >= 0;
    if (has_frame) {
      take({static_cast<const std::uint8_t*>(zmq_msg_data(&message)), zmq_msg_size(&message)});
    }
    zmq_msg_close(&message);
    return has_frame;
  }

  /// Reads until `count` events have come in all, or nothing comes any more.
  bool receive(std::size_t count) {
    while (events.size() < count) {
      if (!receive_frame(patience)) return false;
    }
    return events.size() == count;
  }

  /// Reads what is there.
  void drain() {
    while (receive_frame(std::chrono::milliseconds(200))) {
    }
  }

  std::vector<ReceivedEvent> events;
  std::map<std::string, std::uint64_t> drops;  ///< as the last frame that had some said
  std::size_t frames = 0;
  std::size_t largest_frame_bytes = 0;
  std::uint64_t last_sequence = 0;
  std::uint64_t pid = 0;
  std::string library;
  std::string host;

 private:
  void take(proto::ByteView frame) {
    ++frames;
    largest_frame_bytes = std::max(largest_frame_bytes, frame.size());
    ASSERT_EQ(reader_.open(frame), proto::Refusal::none);
    const proto::FrameHeader& header = reader_.header();
    last_sequence = header.sequence;
    pid = header.pid;
    library = header.library;
    host = header.host;
    proto::for_each_drop(header.drops, [&](std::string_view reason, std::uint64_t count) {
      drops[std::string(reason)] = count;
    });
    const std::string client_id(proto::as_text(header.client_id));
    for (std::size_t i = 0; i < reader_.event_count(); ++i) {
      proto::EventView event;
      ASSERT_EQ(reader_.next(event), proto::Refusal::none);
      const proto::Attributes& attributes = event.attributes;
      events.push_back({std::string(event.topic), event.time_ns,
                        std::string(proto::as_text(event.data)),
                        std::string(proto::as_text(attributes.id)), attributes.id_is_text,
                        std::string(attributes.key), std::string(attributes.trace),
                        attributes.at_ns, attributes.ttl_ms, attributes.priority, client_id});
    }
  }

  void* context_;
  bool owns_context_;
  void* socket_;
  proto::FrameReader reader_{{8U << 20U, 2U << 20U}};
};

}  // namespace outrider::test
