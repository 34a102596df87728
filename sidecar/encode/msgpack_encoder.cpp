#include "sidecar/encode/msgpack_encoder.hpp"

#include <bit>

#include "sidecar/base/time_text.hpp"
#include "sidecar/encode/msgpack_bytes.hpp"
#include "sidecar/encode/sample_rate.hpp"

namespace outrider::sidecar {
namespace {

void put_double(std::string& out, double value) {
  put(out, 0xcb);
  put_big_endian(out, std::bit_cast<std::uint64_t>(value), 8);
}

/// The head of an array 32, which is written before the number of events is known.
constexpr std::size_t array_head_bytes = 5;

class MsgpackEncoder final : public Encoder {
 public:
  MsgpackEncoder(bool is_array, double sample_rate)
      : is_array_(is_array), sample_rate_(sample_rate) {}

  void begin(Body& body) override {
    body.clear();
    if (is_array_) body.bytes.append(array_head_bytes, '\0');
  }

  void add(const RecordView& record, Body& body) override;

  void end(Body& body) override {
    if (!is_array_) return;
    const auto count = static_cast<std::uint32_t>(body.event_ends.size());
    body.bytes[0] = static_cast<char>(0xdd);
    for (std::uint32_t i = 1; i < array_head_bytes; ++i) {
      body.bytes[i] = static_cast<char>((count >> (8 * (4 - i))) & 0xffU);
    }
  }

  std::string_view content_type() const override { return "application/msgpack"; }

 private:
  bool is_array_;
  double sample_rate_;
  TimeText time_;
};

void MsgpackEncoder::add(const RecordView& record, Body& body) {
  std::string& out = body.bytes;
  const std::uint32_t optional_count =
      (record.key.empty() ? 0U : 1U) + (record.trace.empty() ? 0U : 1U) +
      (record.host.empty() ? 0U : 1U) + (is_sampled(sample_rate_) ? 1U : 0U);
  put(out, 0x80U | (4U + optional_count));
  put_text(out, "id");
  IdSpace id_space;
  put_text(out, id_text(record, id_space));
  put_text(out, "topic");
  put_text(out, record.topic);
  put_text(out, "time");
  put_text(out, time_.format_ns(record.time_ns));
  put_text(out, "data");
  out.append(proto::as_text(record.data));
  const auto put_optional = [&](std::string_view name, std::string_view value) {
    if (value.empty()) return;
    put_text(out, name);
    put_text(out, value);
  };
  put_optional("key", record.key);
  put_optional("trace", record.trace);
  put_optional("host", record.host);
  if (is_sampled(sample_rate_)) {
    put_text(out, "sample_rate");
    put_double(out, sample_rate_);
  }
  body.event_ends.push_back(static_cast<std::uint32_t>(out.size()));
}

}  // namespace

std::unique_ptr<Encoder> make_msgpack_encoder(const EncodeSettings& settings) {
  return std::make_unique<MsgpackEncoder>(true, settings.sample_rate);
}

std::unique_ptr<Encoder> make_msgpack_stream_encoder(const EncodeSettings& settings) {
  return std::make_unique<MsgpackEncoder>(false, settings.sample_rate);
}

}  // namespace outrider::sidecar
