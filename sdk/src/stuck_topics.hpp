// StuckTopics: the topics whose delivered events wait for a full destination, and the bytes of
// these events, so that one destination cannot use the whole budget. A topic is also stuck if none
// of its events waits but the sidecar has reported that its destination is full.
//
// Used by Unconfirmed, under its lock. Fails with: std::bad_alloc; then nothing has changed.
// Limits: one entry for each topic of a kept event, and the patterns of one answer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/confirm.hpp"
#include "sdk/src/batch.hpp"

namespace outrider::sdk {

class StuckTopics {
 public:
  void add(const Batch& batch);
  /// A batch that was added has ended, in one piece or in several.
  void remove(const Batch& batch) noexcept;

  /// The sidecar's last report.
  void know(std::vector<proto::TopicSet> full) noexcept { full_ = std::move(full); }

  bool holds(std::string_view topic) const;
  std::size_t bytes() const { return bytes_; }

 private:
  std::map<std::string, std::uint64_t, std::less<>> topics_;  ///< and how many events each has
  std::vector<proto::TopicSet> full_;
  std::size_t bytes_ = 0;
};

}  // namespace outrider::sdk
