#include "sidecar/app/encode_settings.hpp"

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

template <typename Rule>
Status read_rules(const char* option, const std::vector<std::string>& texts,
                  Result<Rule> (*parse)(std::string_view), std::vector<Rule>& rules) {
  for (const std::string& text : texts) {
    auto rule = parse(text);
    if (!rule.ok()) return rule.error().with_prefix(option);
    rules.push_back(std::move(rule.value()));
  }
  return Nothing{};
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
  FieldRules& rules = settings.rules;
  for (const Status& status :
       {read_rules("redact", config.redact, parse_field_path, rules.redact),
        read_rules("drop_fields", config.drop_fields, parse_drop, rules.drop),
        read_rules("rename_field", config.rename_fields, parse_rename, rules.rename),
        read_rules("static_field", config.static_fields, parse_static_field, rules.fixed)}) {
    if (!status.ok()) return status.error();
  }
  if (rules.size() > field_rules_max) {
    return Error{"redact, drop_fields, rename_field and static_field have more than " +
                 std::to_string(field_rules_max) + " rules together; write fewer, or use data.*"};
  }
  return settings;
}

}  // namespace outrider::sidecar
