// What checking and encoding cost, an event: CPU time, the least of several rounds.
//
//     build/release/bench/micro_bench
//
// prints one JSON line a figure: {"name":...,"value":...,"unit":"ns"}.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <string>
#include <vector>

#include <msgpack.hpp>

#include "proto/frame_reader.hpp"
#include "proto/frame_writer.hpp"
#include "sidecar/base/record.hpp"
#include "sidecar/encode/encoder.hpp"

namespace outrider::sidecar {
namespace {

constexpr std::uint32_t events_a_frame = 300;
constexpr int frames_a_round = 200;
constexpr int rounds = 25;

/// The data of the reference event: 9 fields, 213 bytes.
std::string reference_data(std::uint32_t n) {
  msgpack::sbuffer buffer;
  msgpack::packer<msgpack::sbuffer> packer(buffer);
  const auto field = [&](const char* name, const auto& value) {
    packer.pack(name);
    packer.pack(value);
  };
  packer.pack_map(9);
  field("order_id", "ord_" + std::to_string(100'000'000 + n));
  field("user_id", 4'000'000 + n);
  field("amount", 49.99 + n);
  field("currency", "EUR");
  field("item_count", 3);
  field("host", "web-07.eu-west-1.shop.internal");
  field("duration_ms", 12.8125 + n * 0.001);
  field("first_order", false);
  packer.pack("tags");
  packer.pack_map(3);
  field("region", "eu-west-1");
  field("plan", "enterprise");
  field("campaign", "spring-sale-2026");
  return {buffer.data(), buffer.size()};
}

std::string reference_frame() {
  proto::FrameHeaderFields fields;
  fields.sequence = 1;
  fields.host = "web-07";
  std::string frame = proto::frame_head(fields, events_a_frame);
  for (std::uint32_t n = 0; n < events_a_frame; ++n) {
    constexpr std::string_view topic = "orders.paid";
    std::uint8_t head[proto::event_head_bytes_max(topic.size())];
    const std::uint8_t* end =
        proto::write_event_head(head, 3, topic, 1'790'000'000'000'000'000 + n * 1'234'567);
    frame.append(reinterpret_cast<const char*>(head), static_cast<std::size_t>(end - head));
    frame.append(reference_data(n));
  }
  return frame;
}

double cpu_ns() {
  timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

/// Prints the least CPU time that one event took in a round; `work` handles one frame of events.
template <typename Work>
void measure(const std::string& name, const Work& work) {
  double least_ns = 1e18;
  for (int round = 0; round < rounds; ++round) {
    const double begin_ns = cpu_ns();
    for (int frame = 0; frame < frames_a_round; ++frame) work();
    least_ns = std::min(least_ns, (cpu_ns() - begin_ns) / (frames_a_round * events_a_frame));
  }
  std::printf("{\"name\":\"%s\",\"value\":%.1f,\"unit\":\"ns\"}\n", name.c_str(), least_ns);
}

int run() {
  const std::string frame = reference_frame();
  proto::FrameReader reader({.frame_bytes_max = 4U << 20U, .event_bytes_max = 1U << 20U});
  std::uint64_t refused = 0;
  const auto read_frame = [&](const auto& visit) {
    refused += reader.open(proto::as_bytes(frame)) == proto::Refusal::none ? 0 : 1;
    for (std::size_t i = reader.event_count(); i > 0; --i) {
      proto::EventView event;
      refused += reader.next(event) == proto::Refusal::none ? 0 : 1;
      visit(event);
    }
  };
  measure("validate", [&] { read_frame([](const proto::EventView&) {}); });

  std::vector<std::vector<std::uint8_t>> records;
  read_frame([&](const proto::EventView& event) {
    const std::vector<std::uint8_t> id(16, 0x42);
    const RecordContext context{.id = id, .host = "web-07", .arrived_ns = 1};
    records.emplace_back(record_bytes(event, context));
    write_record(event, context, records.back().data());
  });
  for (const EncoderRow& row : encoder_rows()) {
    const std::unique_ptr<Encoder> encoder = row.make();
    Body body;
    measure("transcode_" + std::string(row.name), [&] {
      encoder->begin(body);
      for (const auto& record : records) encoder->add(read_record(record.data()), body);
      encoder->end(body);
    });
  }
  return refused == 0 ? 0 : 1;
}

}  // namespace
}  // namespace outrider::sidecar

int main() {
  return outrider::sidecar::run();
}
