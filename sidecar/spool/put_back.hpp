// PutBack: the events that a stop, or the end of a destination, sends back to disk, in their order.
//
// Used by Backlog, which adds every event that it gives up, and by Lane, which decides: if all of
// them stand on disk already they stay where they are; else all are written anew before everything
// else, so that their order holds, and those that stood there are settled.
// Owns copies of the records, in blocks. Limits: none of its own; the queue's.
#pragma once

#include <vector>

#include "sidecar/base/record.hpp"
#include "sidecar/spool/lane_order.hpp"

namespace outrider::sidecar {

struct PutBack {
  struct Saved {
    RecordOrigin origin;
    std::uint64_t bytes;
  };

  std::vector<Block> blocks;
  std::vector<Saved> saved;   ///< those that stand on disk
  std::uint64_t unsaved = 0;  ///< how many do not

  void add(const RecordView& record, const Now& now) {
    const std::size_t bytes = stored_record_bytes(record);
    if (record.origin) {
      saved.push_back({*record.origin, bytes});
    } else {
      ++unsaved;
    }
    const bool is_full =
        !blocks.empty() && (blocks.back().events >= Store::block_events_max ||
                            blocks.back().records.size() + bytes > Store::block_bytes_max);
    if (blocks.empty() || is_full) blocks.emplace_back();
    Block& block = blocks.back();
    block.records.resize(block.records.size() + bytes);
    write_stored_record(record, now, block.records.data() + block.records.size() - bytes);
    ++block.events;
  }
};

}  // namespace outrider::sidecar
