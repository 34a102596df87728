// Records that carry a number, for tests of what comes behind ingest.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sidecar/base/record.hpp"
#include "support/frames.hpp"

namespace outrider::test {

struct NumberedRecord {
  std::string_view topic = "orders.paid";
  std::uint64_t number = 1;  ///< data is {"n": number}; also the last byte of the id
  std::uint64_t time_ns = 1'000'000'000;
  std::uint64_t ttl_ms = 0;
  sidecar::Now arrived = {};
  std::string_view key = {};
  proto::Priority priority = proto::Priority::normal;
};

inline std::vector<std::uint8_t> numbered_record(const NumberedRecord& options = {}) {
  const std::string data = numbered_data(options.number);
  std::vector<std::uint8_t> id(16, 0);
  id[15] = static_cast<std::uint8_t>(options.number);
  proto::EventView event;
  event.topic = options.topic;
  event.time_ns = options.time_ns;
  event.data = proto::as_bytes(data);
  event.attributes.ttl_ms = options.ttl_ms;
  event.attributes.key = options.key;
  event.attributes.priority = options.priority;
  const sidecar::RecordContext context{id, {}, options.arrived};
  std::vector<std::uint8_t> record(sidecar::record_bytes(event, context));
  sidecar::write_record(event, context, record.data());
  return record;
}

}  // namespace outrider::test
