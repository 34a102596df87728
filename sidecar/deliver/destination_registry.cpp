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

void DestinationRegistry::park(DestinationHandle handle) {
  std::unique_ptr<Destination> parked = std::move(slots_.at(handle));
  std::erase(all_, parked.get());
  by_name_.erase(parked->name());
  parked_[parked->name()] = std::move(parked);
}

std::unique_ptr<Destination> DestinationRegistry::take_parked(std::string_view name) {
  const auto found = parked_.find(name);
  if (found == parked_.end()) return nullptr;
  std::unique_ptr<Destination> taken = std::move(found->second);
  parked_.erase(found);
  return taken;
}

std::vector<Destination*> DestinationRegistry::known() const {
  std::vector<Destination*> known = all_;
  for (const auto& [name, parked] : parked_) known.push_back(parked.get());
  return known;
}

Destination* DestinationRegistry::find_known(std::string_view name) const {
  if (Destination* const active = find(name)) return active;
  const auto found = parked_.find(name);
  return found == parked_.end() ? nullptr : found->second.get();
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
