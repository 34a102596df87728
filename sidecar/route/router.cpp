#include "sidecar/route/router.hpp"

#include <algorithm>

#include "proto/topic.hpp"

namespace outrider::sidecar {
namespace {

bool any_matches(const std::vector<std::string>& patterns, std::string_view topic) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const std::string& pattern) { return proto::matches(pattern, topic); });
}

}  // namespace

std::span<const std::uint32_t> Router::route(std::string_view topic) {
  const auto found = remembered_.find(topic);
  if (found != remembered_.end()) return found->second;

  std::vector<std::uint32_t> targets;
  for (std::uint32_t i = 0; i < routes_.size(); ++i) {
    if (any_matches(routes_[i].topics, topic) && !any_matches(routes_[i].exclude, topic)) {
      targets.push_back(i);
    }
  }
  if (remembered_.size() >= topics_remembered_max) remembered_.clear();
  return remembered_.emplace(topic, std::move(targets)).first->second;
}

}  // namespace outrider::sidecar
