// Router: which destinations an event's topic goes to.
//
// Used by the dispatcher in app. Patterns are tried once a topic; the answer is remembered, so that
// an event costs one look-up however many destinations there are.
// Thread: one router, one thread. Limits: remembers topics_remembered_max topics, then starts anew.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace outrider::sidecar {

inline constexpr std::size_t topics_remembered_max = 4096;

struct Route {
  std::vector<std::string> topics;   ///< patterns of which one must match
  std::vector<std::string> exclude;  ///< patterns of which none may match
};

class Router {
 public:
  /// `routes[i]` are the patterns of destination i.
  explicit Router(std::vector<Route> routes) : routes_(std::move(routes)) {}

  /// Indices of the destinations that get this topic; valid until the next call.
  std::span<const std::uint32_t> route(std::string_view topic);
  /// The patterns of a destination.
  const Route& patterns(std::size_t destination) const { return routes_[destination]; }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };

  std::vector<Route> routes_;
  std::unordered_map<std::string, std::vector<std::uint32_t>, Hash, std::equal_to<>> remembered_;
};

}  // namespace outrider::sidecar
