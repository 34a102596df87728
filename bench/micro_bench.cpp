// What checking, encoding and compressing cost, an event of a batch of 500, each alone: CPU time,
// the median of several rounds. And how much more two threads encode than one when they share
// nothing, which says what the machine's second core is worth. And the time of an answer to a
// scrape of the metrics. Prints JSON lines {"name", "value", "unit"}.
#include <algorithm>
#include <barrier>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "bench/figures.hpp"
#include "bench/reference_frame.hpp"
#include "sidecar/admin/metrics.hpp"
#include "sidecar/encode/compressor.hpp"
#include "sidecar/encode/encoder.hpp"
#include "tests/support/full_snapshot.hpp"

namespace outrider::bench {
namespace {

constexpr std::uint32_t events_a_frame = 500;
constexpr int frames_a_round = 100;
constexpr int rounds = 15;
constexpr std::uint32_t burst_events = 20'000;
constexpr int bursts = 40;

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

/// One rule of each kind.
sidecar::FieldRules reference_rules() {
  return {.redact = {sidecar::parse_field_path("data.tags.*").value()},
          .drop = {sidecar::parse_drop("data.items").value()},
          .rename = {sidecar::parse_rename("data.user_id: uid").value()},
          .fixed = {sidecar::parse_static_field("data.env: production").value()}};
}

void run() {
  const std::string frame = reference_frame(events_a_frame);
  proto::FrameReader reader({.frame_bytes_max = 4U << 20U, .event_bytes_max = 1U << 20U});
  measure("validate", [&] { read_frame(reader, frame, [](const proto::EventView&) {}); });

  const auto records = reference_records(reader, frame);
  const auto encode_with = [&](sidecar::Encoder& encoder, sidecar::Body& body) {
    encoder.begin(body);
    for (const auto& record : records) encoder.add(sidecar::read_record(record.data()), body);
    encoder.end(body);
  };
  for (const sidecar::EncoderRow& row : sidecar::encoder_rows()) {
    const auto encoder = row.make({});
    if (encoder->is_single()) continue;
    sidecar::Body body;
    measure("transcode_" + std::string(row.name), [&] { encode_with(*encoder, body); });
  }

  const auto redacting = sidecar::make_encoder({.rules = reference_rules()});
  sidecar::Body redacted;
  measure("transcode_json_with_rules", [&] { encode_with(*redacting, redacted); });

  sidecar::Body plain;
  encode_with(*sidecar::make_encoder({}), plain);
  for (const sidecar::CompressorRow& row : sidecar::compressor_rows()) {
    const auto compressor = row.make(row.level_default);
    std::string out(compressor->bound(plain.bytes.size()), '\0');
    measure("compress_" + std::string(row.name),
            [&] { compressor->compress(plain.bytes, out.data()); });
  }
}

/// One answer to a scrape, of so many destinations and as many schedules.
void measure_metrics(std::size_t destinations) {
  const sidecar::Snapshot snapshot = test::full_snapshot(destinations);
  std::vector<double> samples_ms;
  for (int round = 0; round < rounds; ++round) {
    const double begin_ns = cpu_ns();
    const std::string text = sidecar::format_metrics(snapshot, {});
    samples_ms.push_back((cpu_ns() - begin_ns) / 1e6);
  }
  print_figure("metrics_" + std::to_string(destinations), quantile(samples_ms, 0.5), "ms");
}

/// Events a second that so many threads encode together, as the best of several bursts, each from
/// the first thread's begin to the last one's end.
double encode_rate(std::size_t threads) {
  using Clock = std::chrono::steady_clock;
  std::barrier start(static_cast<std::ptrdiff_t>(threads));
  std::vector<std::vector<Clock::time_point>> begins(bursts), ends(bursts);
  for (int burst = 0; burst < bursts; ++burst) {
    begins[burst].resize(threads);
    ends[burst].resize(threads);
  }
  std::vector<std::thread> encoders;
  for (std::size_t thread = 0; thread < threads; ++thread) {
    encoders.emplace_back([&, thread] {
      msgpack::sbuffer buffer;
      msgpack::packer<msgpack::sbuffer> packer(buffer);
      for (int burst = 0; burst < bursts; ++burst) {
        start.arrive_and_wait();
        begins[burst][thread] = Clock::now();
        for (std::uint32_t i = 0; i < burst_events; ++i) {
          buffer.clear();
          pack_reference_data(packer, i);
        }
        ends[burst][thread] = Clock::now();
      }
    });
  }
  for (std::thread& encoder : encoders) encoder.join();
  double best = 0;
  for (int burst = 0; burst < bursts; ++burst) {
    const std::chrono::duration<double> passed =
        std::ranges::max(ends[burst]) - std::ranges::min(begins[burst]);
    best = std::max(best, static_cast<double>(threads) * burst_events / passed.count());
  }
  return best;
}

}  // namespace
}  // namespace outrider::bench

int main() {
  outrider::bench::run();
  outrider::bench::measure_metrics(100);
  outrider::bench::measure_metrics(1024);
  const double one = outrider::bench::encode_rate(1);
  outrider::bench::print_figure("encode_two_threads_ratio", outrider::bench::encode_rate(2) / one,
                                "x");
  return 0;
}
