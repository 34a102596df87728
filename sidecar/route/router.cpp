#include "sidecar/route/router.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "proto/topic.hpp"

namespace outrider::sidecar {
namespace {

void make_set(std::vector<DestinationHandle>& handles) {
  std::ranges::sort(handles);
  handles.erase(std::unique(handles.begin(), handles.end()), handles.end());
}

}  // namespace

/// Destinations of which a pattern matches.
struct Router::Matched {
  std::vector<DestinationHandle> topics;
  std::vector<DestinationHandle> exclude;

  void add(const Matched& other) {
    topics.insert(topics.end(), other.topics.begin(), other.topics.end());
    exclude.insert(exclude.end(), other.exclude.begin(), other.exclude.end());
  }
};

/// Where patterns with the same first tokens have come to.
struct Router::Node {
  ByText<std::unique_ptr<Node>> tokens;
  std::unique_ptr<Node> any_token;  ///< after a `*`
  Matched end;                      ///< of patterns that end here
  Matched rest;                     ///< of those that continue with `>`: one token more, or many
};

Router::Router(std::vector<Route> routes)
    : routes_(std::move(routes)), root_(std::make_unique<Node>()) {
  for (const auto& [destination, topics, exclude] : routes_) {
    for (const std::string& pattern : topics) add(pattern, destination, false);
    for (const std::string& pattern : exclude) add(pattern, destination, true);
  }
}

Router::~Router() = default;
Router::Router(Router&&) noexcept = default;
Router& Router::operator=(Router&&) noexcept = default;

void Router::add(std::string_view pattern, DestinationHandle destination, bool is_exclude) {
  Node* node = root_.get();
  const auto note = [&](Matched& matched) {
    (is_exclude ? matched.exclude : matched.topics).push_back(destination);
  };
  while (!pattern.empty()) {
    const std::string_view token = proto::take_token(pattern);
    if (token == ">") return note(node->rest);
    std::unique_ptr<Node>& next = token == "*" ? node->any_token : node->tokens[std::string(token)];
    if (!next) next = std::make_unique<Node>();
    node = next.get();
  }
  note(node->end);
}

Router::Answer Router::route(std::string_view topic) {
  const auto found = remembered_.find(topic);
  if (found != remembered_.end()) return {found->second, 0};

  Matched matched;
  const std::size_t steps = match(topic, matched);
  make_set(matched.topics);
  make_set(matched.exclude);
  std::vector<DestinationHandle> destinations;
  std::ranges::set_difference(matched.topics, matched.exclude, std::back_inserter(destinations));
  if (remembered_.size() >= topics_remembered_max) remembered_.clear();
  return {remembered_.emplace(topic, std::move(destinations)).first->second, steps};
}

/// Goes down all ways at once, token by token. Returns how many nodes it looked at.
std::size_t Router::match(std::string_view topic, Matched& matched) {
  std::size_t steps = 0;
  here_ = {root_.get()};
  while (!topic.empty() && !here_.empty()) {
    const std::string_view token = proto::take_token(topic);
    next_.clear();
    for (const Node* node : here_) {
      ++steps;
      matched.add(node->rest);
      const auto found = node->tokens.find(token);
      if (found != node->tokens.end()) next_.push_back(found->second.get());
      if (node->any_token) next_.push_back(node->any_token.get());
    }
    std::swap(here_, next_);
  }
  for (const Node* node : here_) matched.add(node->end);
  return steps + here_.size();
}

}  // namespace outrider::sidecar
