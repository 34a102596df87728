// The storage settings of the spool, made from the configuration. Used by Host, and by the
// simulation in place of Host. Pure function.
#pragma once

#include "sidecar/config/config.hpp"
#include "sidecar/spool/store_keeper.hpp"

namespace outrider::sidecar {

inline StorageSettings storage_settings(const Config& config) {
  StorageSettings settings{
      .path = config.spool.path,
      .is_synced = config.spool.sync == SpoolSync::full,
      .bytes_max = config.spool.bytes_max,
      .free_bytes_min = config.spool.free_bytes_min,
      .dead = {config.spool.dead_events_max, config.spool.dead_bytes_max,
               config.spool.dead_age_max},
      .log_bytes = StoreKeeper::log_bytes,
      .lanes = {},
  };
  for (const DestinationConfig& destination : config.destinations) {
    settings.lanes.push_back(destination.name);
  }
  return settings;
}

}  // namespace outrider::sidecar
