#include "sidecar/app/encode_settings.hpp"

#include <utility>

#include "sidecar/config/field_rules.hpp"

namespace outrider::sidecar {
namespace {

std::string_view cloudevents_format(CloudEventsMode mode) {
  switch (mode) {
    case CloudEventsMode::batch:
      return "cloudevents_batch";
    case CloudEventsMode::structured:
      return "cloudevents_structured";
    case CloudEventsMode::binary:
      break;
  }
  return "cloudevents_binary";
}

/// A request's body is one array or one event; files and message sockets get the events one by one.
std::string_view format_name(const DestinationConfig& config) {
  const bool is_request = config.type == DestinationType::http;
  switch (config.format) {
    case BodyFormat::json:
      return is_request ? "json" : "ndjson";
    case BodyFormat::ndjson:
      return "ndjson";
    case BodyFormat::msgpack:
      return is_request ? "msgpack" : "msgpack_stream";
    case BodyFormat::cloudevents:
      return is_request ? cloudevents_format(config.cloudevents_mode) : "cloudevents_lines";
    case BodyFormat::payload:
      break;
  }
  return is_request ? "payload" : "payload_lines";
}

std::string_view compression_name(Compression compression) {
  switch (compression) {
    case Compression::none:
      return "";
    case Compression::gzip:
      return "gzip";
    case Compression::zstd:
      break;
  }
  return "zstd";
}

}  // namespace

Result<EncodeSettings> make_encode_settings(const DestinationConfig& config) {
  EncodeSettings settings;
  settings.format = format_name(config);
  settings.sample_rate = config.sample_rate;
  settings.cloudevents_source = config.cloudevents_source;
  // Files and message sockets take events, not bodies.
  if (config.type == DestinationType::http) {
    settings.compression = compression_name(config.compression);
    settings.compression_level = static_cast<int>(config.compression_level);
  }
  Result<FieldRules> rules = read_field_rules(config);
  if (!rules.ok()) return rules.error();
  settings.rules = std::move(rules.value());
  return settings;
}

}  // namespace outrider::sidecar
