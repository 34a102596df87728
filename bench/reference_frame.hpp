// A frame of reference events, and the records that ingest makes of it.
// Used by the benchmarks of single steps, which need the same input as the whole sidecar gets.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include <msgpack.hpp>

#include "bench/reference_event.hpp"
#include "proto/frame_reader.hpp"
#include "proto/frame_writer.hpp"
#include "sidecar/base/record.hpp"

namespace outrider::bench {

inline constexpr std::uint64_t reference_time_ns = 1'790'000'000'123'456'789;

inline std::string reference_frame(std::uint32_t events) {
  proto::FrameHeaderFields fields;
  fields.sequence = 1;
  fields.host = "web-07";
  std::string frame = proto::frame_head(fields, events);
  msgpack::sbuffer data;
  msgpack::packer<msgpack::sbuffer> packer(data);
  for (std::uint32_t i = 0; i < events; ++i) {
    std::uint8_t head[proto::event_head_bytes_max(reference_topic.size())];
    const std::uint8_t* end =
        proto::write_event_head(head, 3, reference_topic, reference_time_ns + i * 1'234'567);
    data.clear();
    pack_reference_data(packer, i);
    frame.append(reinterpret_cast<const char*>(head), static_cast<std::size_t>(end - head));
    frame.append(data.data(), data.size());
  }
  return frame;
}

/// Checks the whole frame and calls `visit(EventView)` for each event; a refusal ends the program.
template <typename Visit>
void read_frame(proto::FrameReader& reader, const std::string& frame, const Visit& visit) {
  if (reader.open(proto::as_bytes(frame)) != proto::Refusal::none) std::abort();
  for (std::size_t left = reader.event_count(); left > 0; --left) {
    proto::EventView event;
    if (reader.next(event) != proto::Refusal::none) std::abort();
    visit(event);
  }
}

inline std::vector<std::vector<std::uint8_t>> reference_records(proto::FrameReader& reader,
                                                                const std::string& frame) {
  std::vector<std::vector<std::uint8_t>> records;
  read_frame(reader, frame, [&](const proto::EventView& event) {
    const std::vector<std::uint8_t> id(16, 0x42);
    const sidecar::RecordContext context{.id = id, .host = "web-07", .arrived = {}};
    records.emplace_back(sidecar::record_bytes(event, context));
    sidecar::write_record(event, context, records.back().data());
  });
  return records;
}

}  // namespace outrider::bench
