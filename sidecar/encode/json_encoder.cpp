#include "sidecar/encode/json_encoder.hpp"

#include <array>

#include "sidecar/base/uuid.hpp"
#include "sidecar/encode/json_value.hpp"
#include "sidecar/encode/json_writer.hpp"
#include "sidecar/base/time_text.hpp"

namespace outrider::sidecar {
namespace {

/// What stands around the objects.
struct Framing {
  std::string_view open;
  std::string_view between;
  std::string_view after_each;
  std::string_view close;
  std::string_view content_type;
};
constexpr Framing array_framing = {"[", ",", "", "]", "application/json"};
constexpr Framing line_framing = {"", "", "\n", "", "application/x-ndjson"};

class JsonEncoder final : public Encoder {
 public:
  explicit JsonEncoder(const Framing& framing) : framing_(framing) {}

  void begin(Body& body) override {
    body.clear();
    body.bytes.append(framing_.open);
  }

  void add(const RecordView& record, Body& body) override {
    if (!body.event_ends.empty()) body.bytes.append(framing_.between);
    out_.clear();
    write_object(record);
    out_.raw(framing_.after_each);
    body.bytes.append(out_.text());
    body.event_ends.push_back(static_cast<std::uint32_t>(body.bytes.size()));
  }

  void end(Body& body) override { body.bytes.append(framing_.close); }

  std::string_view content_type() const override { return framing_.content_type; }

 private:
  void write_object(const RecordView& record);
  void write_id(const RecordView& record);
  void write_optional(std::string_view name, std::string_view value);

  const Framing& framing_;
  JsonWriter out_;
  TimeText event_time_;
  TimeText time_in_data_;  // of its own: such times would drive out the second of the events
};

void JsonEncoder::write_object(const RecordView& record) {
  out_.raw("{\"id\":");
  write_id(record);
  out_.raw(",\"topic\":");
  out_.string(record.topic);
  out_.raw(",\"time\":\"");
  out_.raw(event_time_.format_ns(record.time_ns));
  out_.raw("\",\"data\":");
  write_json_value(record.data, time_in_data_, out_);
  write_optional(",\"key\":", record.key);
  write_optional(",\"trace\":", record.trace);
  write_optional(",\"host\":", record.host);
  out_.put('}');
}

void JsonEncoder::write_id(const RecordView& record) {
  if (record.id_is_text) return out_.string(proto::as_text(record.id));
  std::array<char, uuid_text_bytes> text;
  write_uuid_text(record.id, text.data());
  out_.put('"');
  out_.raw({text.data(), text.size()});
  out_.put('"');
}

void JsonEncoder::write_optional(std::string_view name, std::string_view value) {
  if (value.empty()) return;
  out_.raw(name);
  out_.string(value);
}

}  // namespace

std::unique_ptr<Encoder> make_json_encoder() {
  return std::make_unique<JsonEncoder>(array_framing);
}

std::unique_ptr<Encoder> make_ndjson_encoder() {
  return std::make_unique<JsonEncoder>(line_framing);
}

}  // namespace outrider::sidecar
