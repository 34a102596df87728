// Blocks of numbered records of several sizes, for tests of LaneOrder. Plain functions.
#pragma once

#include <vector>

#include "sidecar/spool/lane_order.hpp"
#include "unit/spool/spool_fixture.hpp"

namespace outrider::sidecar {

inline std::size_t bytes_of(std::uint64_t number) {
  static const std::size_t bytes = stored_record(0).size();
  return bytes + number % 7;
}

inline Block block_at(BlockId id, const std::vector<std::uint64_t>& numbers) {
  Block block;
  block.id = id;
  for (const std::uint64_t number : numbers) {
    const Bytes record = stored_record(number, number % 7);
    block.records.insert(block.records.end(), record.begin(), record.end());
    ++block.events;
  }
  return block;
}

inline Amount amount_of(const Block& block) {
  return {block.events, block.records.size()};
}

}  // namespace outrider::sidecar
