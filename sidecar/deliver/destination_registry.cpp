#include "sidecar/deliver/destination_registry.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace outrider::sidecar {

DestinationHandle DestinationRegistry::reserve() {
  slots_.emplace_back();
  return static_cast<DestinationHandle>(slots_.size() - 1);
}

void DestinationRegistry::put(DestinationHandle handle, std::unique_ptr<Destination> destination) {
  assert(slots_.at(handle) == nullptr && !by_name_.contains(destination->name()));
  all_.push_back(destination.get());
  by_name_[destination->name()] = handle;
  slots_[handle] = std::move(destination);
}

std::unique_ptr<Destination> DestinationRegistry::take(DestinationHandle handle) {
  std::unique_ptr<Destination> taken = std::move(slots_.at(handle));
  std::erase(all_, taken.get());
  by_name_.erase(taken->name());
  return taken;
}

void DestinationRegistry::order_by(const std::vector<std::string>& names) {
  std::map<std::string_view, std::size_t> places;
  for (const std::string& name : names) places.emplace(name, places.size());
  std::ranges::stable_sort(all_, {}, [&](const Destination* destination) {
    const auto found = places.find(destination->name());
    return found == places.end() ? names.size() : found->second;
  });
}

Destination* DestinationRegistry::find(std::string_view name) const {
  const auto handle = handle_of(name);
  return handle ? find(*handle) : nullptr;
}

std::optional<DestinationHandle> DestinationRegistry::handle_of(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace outrider::sidecar
