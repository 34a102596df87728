// DestinationRegistry: the destinations of a running sidecar, each under its handle.
//
// Used by App, which fills it, and by the parts that look a destination up or visit all of them. A
// handle is a slot. Slots only grow: the slot of a removed destination stays empty, so that a late
// message finds "gone" and never another destination.
//
// A removed destination is parked: its counters go on when its name comes back, so that none falls.
//
// Thread: the sidecar's one. Owns: the destinations. Limits: 8 bytes for each handle ever given,
// and a destination without events for each name that was removed.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sidecar/base/destination_handle.hpp"
#include "sidecar/deliver/destination.hpp"

namespace outrider::sidecar {

class DestinationRegistry {
 public:
  /// The next handle, whose slot is empty.
  DestinationHandle reserve();
  /// Fills a reserved slot. The destination is the last of all().
  void put(DestinationHandle handle, std::unique_ptr<Destination> destination);
  /// Empties a slot for good. The destination, which has been parked, is among known() still.
  void park(DestinationHandle handle);
  /// One of this name that was parked, and is forgotten; or null.
  std::unique_ptr<Destination> take_parked(std::string_view name);
  /// From now on all() has these names first, in this order.
  void order_by(const std::vector<std::string>& names);

  /// Null: it is gone, or not there yet.
  Destination* find(DestinationHandle handle) const {
    return handle < slots_.size() ? slots_[handle].get() : nullptr;
  }
  Destination* find(std::string_view name) const;
  std::optional<DestinationHandle> handle_of(std::string_view name) const;

  /// Without those that are parked, in the order of the configuration.
  const std::vector<Destination*>& all() const { return all_; }
  std::size_t size() const { return all_.size(); }
  /// All of them, and those that are parked.
  std::vector<Destination*> known() const;
  /// As find(), of all that are known.
  Destination* find_known(std::string_view name) const;
  std::size_t parked() const { return parked_.size(); }

 private:
  std::vector<std::unique_ptr<Destination>> slots_;
  std::vector<Destination*> all_;
  std::map<std::string, DestinationHandle, std::less<>> by_name_;
  std::map<std::string, std::unique_ptr<Destination>, std::less<>> parked_;
};

}  // namespace outrider::sidecar
