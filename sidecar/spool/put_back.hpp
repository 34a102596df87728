// PutBack: the events that a stop, or the end of a destination, sends back to disk, in their order.
//
// Used by Backlog, which adds every event that it gives up, and by Lane, which decides: if all of
// them are already on disk, they stay where they are; otherwise all are written again before
// everything else, so that their order is kept, and the old copies are settled. Each keeps the time
// at which it was first stored: a block has events of one second. Owns copies of the records, in
// blocks. Limits: none of its own; the queue's.
#pragma once

#include <vector>

#include "sidecar/base/record.hpp"
#include "sidecar/spool/store.hpp"

namespace outrider::sidecar {

class PutBack {
 public:
  struct Saved {
    RecordOrigin origin;
    std::uint64_t bytes;
  };

  std::vector<Block> blocks;
  std::vector<Saved> saved;   ///< those that are on disk
  std::uint64_t unsaved = 0;  ///< how many are not

  /// `created_ns`: since when it is on disk.
  void add(const RecordView& record, std::uint64_t created_ns, const Now& now) {
    const std::size_t bytes = stored_record_bytes(record);
    if (record.origin) {
      saved.push_back({*record.origin, bytes});
    } else {
      ++unsaved;
    }
    if (blocks.empty() || !has_room(blocks.back(), bytes, created_ns)) {
      blocks.emplace_back().created_ns = created_ns;
    }
    Block& block = blocks.back();
    block.records.resize(block.records.size() + bytes);
    write_stored_record(record, now, block.records.data() + block.records.size() - bytes);
    ++block.events;
  }

 private:
  static bool has_room(const Block& block, std::size_t bytes, std::uint64_t created_ns) {
    constexpr std::uint64_t second_ns = 1'000'000'000;
    return Store::has_room(block, bytes) && created_ns >= block.created_ns &&
           created_ns - block.created_ns < second_ns;
  }
};

}  // namespace outrider::sidecar
