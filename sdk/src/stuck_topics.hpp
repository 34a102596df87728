// StuckTopics: of which topics delivered events wait because a destination of theirs is full, and
// how much they take, so that one destination does not get the whole budget.
//
// Used by Courier, under its lock. Fails with: std::bad_alloc, and has changed nothing then.
// Limits: one entry for each topic of an event that is kept anyway.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "sdk/src/batch.hpp"

namespace outrider::sdk {

class StuckTopics {
 public:
  void add(const Batch& batch);
  /// A batch that was added has ended, in one piece or in several.
  void remove(const Batch& batch) noexcept;

  bool holds(std::string_view topic) const { return topics_.find(topic) != topics_.end(); }
  std::size_t bytes() const { return bytes_; }

 private:
  std::map<std::string, std::uint64_t, std::less<>> topics_;  ///< and how many events each has
  std::size_t bytes_ = 0;
};

}  // namespace outrider::sdk
