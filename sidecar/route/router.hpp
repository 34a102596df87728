// Router: finds the destinations of an event's topic.
//
// Used by Dispatcher. Immutable: another configuration is another router. The patterns of all
// destinations form one tree of tokens, as in NATS, so that
// the cost depends on the topic's tokens and not on the number of patterns. Results are cached:
// most events have a known topic and cost one look-up.
//
// Thread: one router, one thread. Limits: remembers topics_remembered_max topics, then starts
// again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sidecar/base/destination_handle.hpp"

namespace outrider::sidecar {

inline constexpr std::size_t topics_remembered_max = 4096;

/// The patterns of one destination.
struct Route {
  DestinationHandle destination = 0;
  std::vector<std::string> topics;   ///< patterns of which one must match
  std::vector<std::string> exclude;  ///< patterns of which none may match
};

class Router {
 public:
  explicit Router(std::vector<Route> routes);
  ~Router();
  Router(Router&&) noexcept;
  Router& operator=(Router&&) noexcept;

  struct Answer {
    /// The destinations that get this topic, in ascending order; valid until the next call.
    std::span<const DestinationHandle> destinations;
    /// Nodes of the tree that were looked at; 0 for a topic that was remembered.
    std::size_t steps;
  };
  Answer route(std::string_view topic);
  const std::vector<Route>& routes() const { return routes_; }

 private:
  struct Node;
  struct Matched;
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };
  template <typename Value>
  using ByText = std::unordered_map<std::string, Value, Hash, std::equal_to<>>;

  void add(std::string_view pattern, DestinationHandle destination, bool is_exclude);
  std::size_t match(std::string_view topic, Matched& matched);

  std::vector<Route> routes_;
  std::unique_ptr<Node> root_;
  std::vector<const Node*> here_;  ///< the nodes that the tokens so far lead to
  std::vector<const Node*> next_;
  ByText<std::vector<DestinationHandle>> remembered_;
};

}  // namespace outrider::sidecar
