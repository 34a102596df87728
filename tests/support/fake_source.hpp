// A frame source that the test fills.
#pragma once

#include <deque>
#include <functional>
#include <string>

#include "sidecar/ingest/frame_source.hpp"

namespace outrider::test {

class FakeSource final : public sidecar::FrameSource {
 public:
  std::optional<proto::ByteView> receive() override {
    if (is_closed || frames.empty()) return std::nullopt;
    current_ = std::move(frames.front());
    frames.pop_front();
    if (on_read) on_read(current_);
    return proto::as_bytes(current_);
  }
  void stop_listening() override { is_listening = false; }
  void close() override { is_closed = true; }

  std::deque<std::string> frames;
  std::function<void(const std::string& frame)> on_read;
  bool is_listening = true;
  bool is_closed = false;

 private:
  std::string current_;
};

}  // namespace outrider::test
