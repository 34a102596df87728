// What checking and encoding cost, an event, each alone: CPU time, the median of several rounds.
// Prints JSON lines {"name", "value", "unit"}. With more than one core they also tell how much of
// its speed msgpack-c keeps when two threads encode at once, each into a buffer of its own.
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "bench/figures.hpp"
#include "bench/reference_frame.hpp"
#include "sidecar/encode/encoder.hpp"

namespace outrider::bench {
namespace {

constexpr std::uint32_t events_a_frame = 500;
constexpr int frames_a_round = 100;
constexpr int rounds = 15;

/// `work` handles one frame of events.
template <typename Work>
void measure(const std::string& name, const Work& work) {
  std::vector<double> samples;
  for (int round = 0; round < rounds; ++round) {
    const double begin_ns = cpu_ns();
    for (int frame = 0; frame < frames_a_round; ++frame) work();
    samples.push_back((cpu_ns() - begin_ns) / (frames_a_round * events_a_frame));
  }
  print_figure(name, quantile(samples, 0.5), "ns");
}

void run() {
  const std::string frame = reference_frame(events_a_frame);
  proto::FrameReader reader({.frame_bytes_max = 4U << 20U, .event_bytes_max = 1U << 20U});
  measure("validate", [&] { read_frame(reader, frame, [](const proto::EventView&) {}); });

  const auto records = reference_records(reader, frame);
  for (const sidecar::EncoderRow& row : sidecar::encoder_rows()) {
    const auto encoder = row.make();
    sidecar::Body body;
    measure("transcode_" + std::string(row.name), [&] {
      encoder->begin(body);
      for (const auto& record : records) encoder->add(sidecar::read_record(record.data()), body);
      encoder->end(body);
    });
  }
}

}  // namespace
}  // namespace outrider::bench

int main() {
  outrider::bench::run();
  return 0;
}
