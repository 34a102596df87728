#include "sidecar/app/encode_settings.hpp"

#include <gtest/gtest.h>

namespace outrider::sidecar {
namespace {

std::string_view format_of(DestinationType type, BodyFormat format,
                           CloudEventsMode mode = CloudEventsMode::batch) {
  DestinationConfig config;
  config.type = type;
  config.format = format;
  config.cloudevents_mode = mode;
  return make_encode_settings(config).value().format;
}

TEST(EncodeSettings, RequestsTakeArraysOrOneEvent) {
  const auto http = DestinationType::http;
  EXPECT_EQ(format_of(http, BodyFormat::json), "json");
  EXPECT_EQ(format_of(http, BodyFormat::ndjson), "ndjson");
  EXPECT_EQ(format_of(http, BodyFormat::msgpack), "msgpack");
  EXPECT_EQ(format_of(http, BodyFormat::payload), "payload");
  EXPECT_EQ(format_of(http, BodyFormat::cloudevents), "cloudevents_batch");
  EXPECT_EQ(format_of(http, BodyFormat::cloudevents, CloudEventsMode::structured),
            "cloudevents_structured");
  EXPECT_EQ(format_of(http, BodyFormat::cloudevents, CloudEventsMode::binary),
            "cloudevents_binary");
}

TEST(EncodeSettings, FilesAndMessageSocketsTakeEventsOneByOne) {
  for (const auto type : {DestinationType::file, DestinationType::stdout_, DestinationType::zmq}) {
    EXPECT_EQ(format_of(type, BodyFormat::json), "ndjson");
    EXPECT_EQ(format_of(type, BodyFormat::ndjson), "ndjson");
    EXPECT_EQ(format_of(type, BodyFormat::msgpack), "msgpack_stream");
    EXPECT_EQ(format_of(type, BodyFormat::payload), "payload_lines");
    EXPECT_EQ(format_of(type, BodyFormat::cloudevents, CloudEventsMode::binary),
              "cloudevents_lines");
  }
}

TEST(EncodeSettings, EveryCombinationHasAnEncoder) {
  for (const auto type : {DestinationType::http, DestinationType::file}) {
    for (const auto format : {BodyFormat::json, BodyFormat::ndjson, BodyFormat::msgpack,
                              BodyFormat::cloudevents, BodyFormat::payload}) {
      for (const auto compression : {Compression::none, Compression::gzip, Compression::zstd}) {
        DestinationConfig config;
        config.type = type;
        config.format = format;
        config.compression = compression;
        const auto encoder = make_encoder(make_encode_settings(config).value());
        ASSERT_NE(encoder, nullptr);
        const bool is_plain = compression == Compression::none || type != DestinationType::http;
        EXPECT_EQ(encoder->content_encoding().empty(), is_plain);
        EXPECT_FALSE(encoder->is_single() && type != DestinationType::http);
      }
    }
  }
}

TEST(EncodeSettings, RulesArriveInTheirPlaces) {
  DestinationConfig config;
  config.redact = {"data.password", "data.card.*"};
  config.drop_fields = {"data.debug"};
  config.rename_fields = {"data.uid: user_id"};
  config.static_fields = {"data.env: production"};
  config.sample_rate = 0.5;
  config.cloudevents_source = "/shop";
  config.compression = Compression::zstd;
  config.compression_level = 7;
  const auto settings = make_encode_settings(config);
  ASSERT_TRUE(settings.ok());
  EXPECT_EQ(settings.value().rules.redact.size(), 2U);
  EXPECT_EQ(settings.value().rules.drop.size(), 1U);
  EXPECT_EQ(settings.value().rules.rename.at(0).name, "user_id");
  EXPECT_EQ(settings.value().rules.fixed.at(0).value, "production");
  EXPECT_EQ(settings.value().sample_rate, 0.5);
  EXPECT_EQ(settings.value().cloudevents_source, "/shop");
  EXPECT_EQ(settings.value().compression_level, 7);
}

TEST(EncodeSettings, ARuleThatCannotBeReadIsNotLeftOut) {
  const auto error = [](const auto& set) {
    DestinationConfig config;
    set(config);
    const auto settings = make_encode_settings(config);
    return settings.ok() ? "" : settings.error().message;
  };
  using Config = DestinationConfig;
  EXPECT_TRUE(error([](Config& config) { config.redact = {"password"}; }).starts_with("redact: "));
  EXPECT_NE(error([](Config& config) { config.drop_fields = {"data"}; }), "");
  EXPECT_NE(error([](Config& config) { config.rename_fields = {"data.a"}; }), "");
  EXPECT_NE(error([](Config& config) { config.static_fields = {"data.*: a"}; }), "");
  EXPECT_EQ(error([](Config& config) {
              config.redact.assign(field_rules_max, "data.a");
              config.drop_fields = {"data.b"};
            }),
            "redact, drop_fields, rename_field and static_field have more than 64 rules together; "
            "write fewer, or use data.*");
}

}  // namespace
}  // namespace outrider::sidecar
