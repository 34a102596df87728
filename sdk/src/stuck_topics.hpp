// StuckTopics: of which topics delivered events wait because a destination of theirs is full, and
// how much they take, so that one destination does not get the whole budget. A topic is one of
// these also if no event of it waits, but the sidecar has said that its destination is full.
//
// Used by Unconfirmed, under its lock. Fails with: std::bad_alloc, and has changed nothing then.
// Limits: one entry for each topic of an event that is kept anyway, and what one answer says.
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

  /// What the sidecar has said last.
  void know(std::vector<proto::TopicSet> full) noexcept { full_ = std::move(full); }

  bool holds(std::string_view topic) const;
  std::size_t bytes() const { return bytes_; }

 private:
  std::map<std::string, std::uint64_t, std::less<>> topics_;  ///< and how many events each has
  std::vector<proto::TopicSet> full_;
  std::size_t bytes_ = 0;
};

}  // namespace outrider::sdk
