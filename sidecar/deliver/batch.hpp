// Batch: the events of one request, from the moment they leave the queue until they are settled.
//
// Used by Destination. The records are kept over all attempts; the body is encoded when the batch
// is sent and let go while it waits for the next attempt. Owns all its bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sidecar/base/clock.hpp"
#include "sidecar/base/record.hpp"
#include "sidecar/deliver/transport.hpp"
#include "sidecar/encode/encoder.hpp"

namespace outrider::sidecar {

struct Batch {
  std::string id;  ///< the same over all attempts; a single event's batch has the event's id
  std::vector<std::uint8_t> records;
  std::uint32_t events = 0;
  std::uint32_t attempts = 0;
  MonoTime first_attempt_at{};

  // Only while an attempt is under way.
  AttemptId attempt_id = 0;
  Body body;
  std::vector<std::string_view> topics;

  /// Calls `visit(RecordView)` for every event, oldest first.
  template <typename Visit>
  void for_each(const Visit& visit) const {
    for (std::size_t at = 0; at < records.size();) {
      const RecordView record = read_record(records.data() + at);
      visit(record);
      at += record.bytes.size();
    }
  }
};

}  // namespace outrider::sidecar
