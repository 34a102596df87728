// UnroutedLog: says once of each topic that no destination takes it.
//
// Used by App. Thread: one. Borrows: the log. Limits: names topics_max topics; of those beyond, one
// line in more_interval says how many events there were.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>

#include "sidecar/base/clock.hpp"
#include "sidecar/base/line_limit.hpp"
#include "sidecar/base/log.hpp"

namespace outrider::sidecar {

class UnroutedLog {
 public:
  static constexpr std::size_t topics_max = 256;
  static constexpr Duration more_interval = std::chrono::minutes(10);

  explicit UnroutedLog(Log& log) : log_(log) {}

  void note(std::string_view topic, const Now& now);

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };

  Log& log_;
  std::unordered_set<std::string, Hash, std::equal_to<>> named_;
  std::uint64_t unsaid_ = 0;
  LineLimit more_limit_{more_interval};
};

}  // namespace outrider::sidecar
