#include "sidecar/encode/cloudevents_encoder.hpp"

#include <algorithm>

#include "sidecar/base/percent.hpp"
#include "sidecar/encode/header_line.hpp"
#include "sidecar/encode/json_body_encoder.hpp"
#include "sidecar/encode/sample_rate.hpp"

namespace outrider::sidecar {
namespace {

constexpr Framing batch_framing = {"[", ",", "", "]", "application/cloudevents-batch+json"};
constexpr Framing structured_framing = {"", "", "", "", "application/cloudevents+json", true};
constexpr Framing line_framing = {"", "", "\n", "", "application/x-ndjson"};
constexpr Framing binary_framing = {"", "", "", "", "application/json", true};

/// How many bytes at the text's begin are a character that no attribute may have: a control
/// character or a noncharacter of Unicode. Of invalid UTF-8 the writers take care.
std::size_t forbidden_bytes(std::string_view text) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<std::uint8_t>(text[i]) : std::uint8_t{0};
  };
  if (byte(0) < 0x20 || byte(0) == 0x7f) return 1;
  if (byte(0) == 0xc2 && byte(1) >= 0x80 && byte(1) < 0xa0) return 2;
  if (byte(0) == 0xef && byte(1) == 0xb7 && byte(2) >= 0x90 && byte(2) <= 0xaf) return 3;
  if (byte(0) == 0xef && byte(1) == 0xbf && byte(2) >= 0xbe) return 3;
  const bool is_last_of_plane =
      (byte(1) & 0xfU) == 0xf && byte(2) == 0xbf && byte(3) >= 0xbe && byte(3) <= 0xbf;
  return byte(0) >= 0xf0 && is_last_of_plane ? 4 : 0;
}

/// A text of an event as CloudEvents allows it; forbidden characters are percent-encoded.
std::string_view attribute_text(std::string_view text, std::string& space) {
  const bool is_plain =
      std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
  if (is_plain) return text;
  space.clear();
  while (!text.empty()) {
    const std::size_t forbidden = forbidden_bytes(text);
    const std::size_t bytes = std::max<std::size_t>(forbidden, 1);
    append_percent_encoded(
        text.substr(0, bytes), [&](char) { return forbidden == 0; }, space);
    text.remove_prefix(bytes);
  }
  return space;
}

/// The attributes as they are in every mode.
class Attributes {
 public:
  explicit Attributes(const EncodeSettings& settings)
      : source_(settings.cloudevents_source),
        sampled_rate_(is_sampled(settings.sample_rate) ? one_of(settings.sample_rate) : 0) {}

  /// One source for each host that events come from. Characters that a URI reference does not have
  /// are percent-encoded in the host's name.
  std::string_view source_of(const RecordView& record) {
    if (record.host.empty()) return source_;
    if (record.host != host_ || source_with_host_.empty()) {
      host_ = record.host;
      source_with_host_ = source_;
      if (!source_.ends_with('/')) source_with_host_ += '/';
      append_percent_encoded(host_, is_unreserved, source_with_host_);
    }
    return source_with_host_;
  }

  /// One in this many events was kept; 0: all.
  std::uint64_t sampled_rate() const { return sampled_rate_; }

 private:
  std::string source_;
  std::uint64_t sampled_rate_;
  std::string host_;  ///< of the last event; most batches have few hosts
  std::string source_with_host_;
};

class StructuredEncoder final : public JsonBodyEncoder {
 public:
  StructuredEncoder(const Framing& framing, const EncodeSettings& settings)
      : JsonBodyEncoder(framing), attributes_(settings) {}

 private:
  void write_event(const RecordView& record, JsonWriter& out) override;

  void add_headers(const RecordView& record, std::vector<std::string>& headers) override {
    add_traceparent(record, headers);
  }

  Attributes attributes_;
};

void StructuredEncoder::write_event(const RecordView& record, JsonWriter& out) {
  IdSpace id_space;
  std::string space;
  out.raw(R"({"specversion":"1.0","id":)");
  out.string(attribute_text(id_text(record, id_space), space));
  out.raw(R"(,"source":)");
  out.string(attributes_.source_of(record));
  out.raw(R"(,"type":)");
  out.string(record.topic);
  out.raw(R"(,"time":")");
  out.raw(time_of(record));
  out.raw(R"(","datacontenttype":"application/json")");
  if (!record.key.empty()) {
    out.raw(R"(,"partitionkey":)");
    out.string(attribute_text(record.key, space));
  }
  if (is_traceparent(record.trace)) {
    out.raw(R"(,"traceparent":)");
    out.string(record.trace);
  }
  if (attributes_.sampled_rate() != 0) {
    out.raw(R"(,"sampledrate":)");
    out.unsigned_integer(attributes_.sampled_rate());
  }
  out.raw(R"(,"data":)");
  write_data(record, out);
  out.put('}');
}

class BinaryEncoder final : public JsonBodyEncoder {
 public:
  explicit BinaryEncoder(const EncodeSettings& settings)
      : JsonBodyEncoder(binary_framing), attributes_(settings) {}

 private:
  void write_event(const RecordView& record, JsonWriter& out) override { write_data(record, out); }
  void add_headers(const RecordView& record, std::vector<std::string>& headers) override;

  Attributes attributes_;
};

void BinaryEncoder::add_headers(const RecordView& record, std::vector<std::string>& headers) {
  IdSpace id_space;
  std::string space;
  headers.push_back("ce-specversion: 1.0");
  headers.push_back(encoded_header("ce-id", attribute_text(id_text(record, id_space), space)));
  headers.push_back(encoded_header("ce-source", attributes_.source_of(record)));
  headers.push_back(encoded_header("ce-type", record.topic));
  headers.push_back(encoded_header("ce-time", time_of(record)));
  if (!record.key.empty()) {
    headers.push_back(encoded_header("ce-partitionkey", attribute_text(record.key, space)));
  }
  if (is_traceparent(record.trace))
    headers.push_back(encoded_header("ce-traceparent", record.trace));
  if (attributes_.sampled_rate() != 0) {
    headers.push_back("ce-sampledrate: " + std::to_string(attributes_.sampled_rate()));
  }
  add_traceparent(record, headers);
}

}  // namespace

std::unique_ptr<Encoder> make_cloudevents_batch_encoder(const EncodeSettings& settings) {
  return std::make_unique<StructuredEncoder>(batch_framing, settings);
}

std::unique_ptr<Encoder> make_cloudevents_structured_encoder(const EncodeSettings& settings) {
  return std::make_unique<StructuredEncoder>(structured_framing, settings);
}

std::unique_ptr<Encoder> make_cloudevents_lines_encoder(const EncodeSettings& settings) {
  return std::make_unique<StructuredEncoder>(line_framing, settings);
}

std::unique_ptr<Encoder> make_cloudevents_binary_encoder(const EncodeSettings& settings) {
  return std::make_unique<BinaryEncoder>(settings);
}

}  // namespace outrider::sidecar
