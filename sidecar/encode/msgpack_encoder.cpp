#include "sidecar/encode/msgpack_encoder.hpp"

#include <array>

#include "sidecar/base/uuid.hpp"
#include "sidecar/encode/time_text.hpp"

namespace outrider::sidecar {
namespace {

void put(std::string& out, std::uint32_t byte) {
  out.push_back(static_cast<char>(byte));
}

/// Every text around the data has at most 255 bytes.
void put_text(std::string& out, std::string_view text) {
  if (text.size() < 32) {
    put(out, 0xa0U | static_cast<std::uint32_t>(text.size()));
  } else {
    put(out, 0xd9);
    put(out, static_cast<std::uint32_t>(text.size()));
  }
  out.append(text);
}

void put_array(std::string& out, std::uint32_t count) {
  if (count < 16) return put(out, 0x90U | count);
  const bool is_short = count <= 0xffff;
  put(out, is_short ? 0xdc : 0xdd);
  for (int shift = is_short ? 8 : 24; shift >= 0; shift -= 8) put(out, (count >> shift) & 0xffU);
}

class MsgpackEncoder final : public Encoder {
 public:
  void begin(Body& body, std::uint32_t event_count) override {
    body.clear();
    put_array(body.bytes, event_count);
  }

  void add(const RecordView& record, Body& body) override;
  void end(Body& /*body*/) override {}

  std::string_view content_type() const override { return "application/msgpack"; }

 private:
  TimeText time_;
};

void MsgpackEncoder::add(const RecordView& record, Body& body) {
  std::string& out = body.bytes;
  const std::uint32_t optional_count = (record.key.empty() ? 0U : 1U) +
                                       (record.trace.empty() ? 0U : 1U) +
                                       (record.host.empty() ? 0U : 1U);
  put(out, 0x80U | (4U + optional_count));
  put_text(out, "id");
  if (record.id_is_text) {
    put_text(out, proto::as_text(record.id));
  } else {
    std::array<char, uuid_text_bytes> text;
    write_uuid_text(record.id, text.data());
    put_text(out, {text.data(), text.size()});
  }
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
  body.event_ends.push_back(static_cast<std::uint32_t>(out.size()));
}

}  // namespace

std::unique_ptr<Encoder> make_msgpack_encoder() {
  return std::make_unique<MsgpackEncoder>();
}

}  // namespace outrider::sidecar
