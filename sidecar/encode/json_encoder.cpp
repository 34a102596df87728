#include "sidecar/encode/json_encoder.hpp"

#include "sidecar/encode/json_body_encoder.hpp"
#include "sidecar/encode/sample_rate.hpp"

namespace outrider::sidecar {
namespace {

constexpr Framing array_framing = {"[", ",", "", "]", "application/json"};
constexpr Framing line_framing = {"", "", "\n", "", "application/x-ndjson"};

class JsonEncoder final : public JsonBodyEncoder {
 public:
  JsonEncoder(const Framing& framing, double sample_rate)
      : JsonBodyEncoder(framing),
        sample_rate_member_(
            is_sampled(sample_rate) ? ",\"sample_rate\":" + sample_rate_text(sample_rate) : "") {}

 private:
  void write_event(const RecordView& record, JsonWriter& out) override;

  std::string sample_rate_member_;
};

void JsonEncoder::write_event(const RecordView& record, JsonWriter& out) {
  const auto write_optional = [&](std::string_view name, std::string_view value) {
    if (value.empty()) return;
    out.raw(name);
    out.string(value);
  };
  IdSpace id_space;
  out.raw("{\"id\":");
  out.string(id_text(record, id_space));
  out.raw(",\"topic\":");
  out.string(record.topic);
  out.raw(",\"time\":\"");
  out.raw(time_of(record));
  out.raw("\",\"data\":");
  write_data(record, out);
  write_optional(",\"key\":", record.key);
  write_optional(",\"trace\":", record.trace);
  write_optional(",\"host\":", record.host);
  out.raw(sample_rate_member_);
  out.put('}');
}

}  // namespace

std::unique_ptr<Encoder> make_json_encoder(const EncodeSettings& settings) {
  return std::make_unique<JsonEncoder>(array_framing, settings.sample_rate);
}

std::unique_ptr<Encoder> make_ndjson_encoder(const EncodeSettings& settings) {
  return std::make_unique<JsonEncoder>(line_framing, settings.sample_rate);
}

}  // namespace outrider::sidecar
