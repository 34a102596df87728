// A body of events, as a transport is given it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sidecar/deliver/transport.hpp"

namespace outrider::test {

using sidecar::Attempt;
using sidecar::AttemptId;

/// A body of ndjson with what an attempt says about it.
class Batch {
 public:
  Batch(std::size_t events, std::size_t event_bytes, const std::string& topic = "orders.paid") {
    for (std::size_t i = 0; i < events; ++i) add(topic, std::string(event_bytes, 'x'));
  }
  void add(const std::string& topic, const std::string& event) {
    topics_text_.push_back(std::make_unique<std::string>(topic));
    topics_.emplace_back(*topics_text_.back());
    body_ += event + '\n';
    ends_.push_back(static_cast<std::uint32_t>(body_.size()));
  }
  Attempt attempt(AttemptId id) const { return {id, body_, &ends_, &topics_, "batch"}; }

 private:
  std::string body_;
  std::vector<std::uint32_t> ends_;
  std::vector<std::unique_ptr<std::string>> topics_text_;
  std::vector<std::string_view> topics_;
};

}  // namespace outrider::test
