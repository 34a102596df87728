// A source of frames that are to be confirmed, which the test fills and whose answers it sees.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "proto/confirm.hpp"
#include "sidecar/ingest/confirm_source.hpp"

namespace outrider::test {

class FakeConfirmSource final : public sidecar::ConfirmSource {
 public:
  std::optional<sidecar::PeerFrame> receive() override {
    if (is_closed || frames.empty()) return std::nullopt;
    current_ = std::move(frames.front());
    frames.pop_front();
    if (on_read) on_read(current_.first, current_.second);
    return sidecar::PeerFrame{current_.first, proto::as_bytes(current_.second)};
  }
  void answer(std::string_view peer, std::string_view bytes) override {
    proto::ConfirmAnswer answer;
    EXPECT_TRUE(proto::read_confirm_answer(proto::as_bytes(bytes), answer));
    if (on_answer) on_answer(std::string(peer), answer);
    answers.emplace_back(peer, std::move(answer));
  }
  void stop_listening() override { is_listening = false; }
  void close() override { is_closed = true; }

  std::deque<std::pair<std::string, std::string>> frames;  ///< peer and frame
  std::deque<std::pair<std::string, proto::ConfirmAnswer>> answers;
  std::function<void(const std::string& peer, const std::string& frame)> on_read;
  std::function<void(const std::string& peer, const proto::ConfirmAnswer&)> on_answer;
  bool is_listening = true;
  bool is_closed = false;

 private:
  std::pair<std::string, std::string> current_;
};

}  // namespace outrider::test
