#include "sidecar/encode/payload_encoder.hpp"

#include "sidecar/encode/header_line.hpp"
#include "sidecar/encode/json_body_encoder.hpp"
#include "sidecar/encode/sample_rate.hpp"

namespace outrider::sidecar {
namespace {

constexpr Framing single_framing = {"", "", "", "", "application/json", true};
constexpr Framing line_framing = {"", "", "\n", "", "application/x-ndjson"};

class PayloadEncoder final : public JsonBodyEncoder {
 public:
  PayloadEncoder(const Framing& framing, double sample_rate)
      : JsonBodyEncoder(framing), sample_rate_(sample_rate) {}

 private:
  void write_event(const RecordView& record, JsonWriter& out) override { write_data(record, out); }

  void add_headers(const RecordView& record, std::vector<std::string>& headers) override {
    add_traceparent(record, headers);
    if (is_sampled(sample_rate_))
      headers.push_back("sample-rate: " + sample_rate_text(sample_rate_));
  }

  double sample_rate_;
};

}  // namespace

std::unique_ptr<Encoder> make_payload_encoder(const EncodeSettings& settings) {
  return std::make_unique<PayloadEncoder>(single_framing, settings.sample_rate);
}

std::unique_ptr<Encoder> make_payload_lines_encoder(const EncodeSettings& settings) {
  return std::make_unique<PayloadEncoder>(line_framing, settings.sample_rate);
}

}  // namespace outrider::sidecar
