// Config: everything that the configuration file and the command line can say, checked and final.
//
// Used by the composition root (app), which hands each part the piece that is its own. The rows
// that parse, document and explain these fields stand in options.cpp; defaults stand here, once.
// Thread: plain values, immutable after loading.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sidecar/base/clock.hpp"
#include "sidecar/base/log.hpp"

namespace outrider::sidecar {

enum class DestinationType : std::uint8_t { http, file, stdout_, zmq };
enum class BodyFormat : std::uint8_t { json, ndjson, msgpack, cloudevents, payload };
enum class CloudEventsMode : std::uint8_t { batch, structured, binary };
enum class Compression : std::uint8_t { none, gzip, zstd };
enum class WhenFull : std::uint8_t { drop_newest, drop_oldest };
enum class ZmqPattern : std::uint8_t { pub, push };

struct IngestConfig {
  /// ipc://PATH, tcp://HOST:PORT, inproc://NAME
  std::vector<std::string> endpoints = {"ipc:///run/outrider/outrider.sock"};
  std::uint64_t frame_bytes_max = 4ULL << 20U;
  std::uint64_t event_bytes_max = 1ULL << 20U;
  std::uint32_t socket_mode = 0660;  ///< permission bits of an ipc socket
  std::string socket_group;          ///< group of an ipc socket; empty: the process's own
};

struct DestinationConfig {
  std::string name;
  DestinationType type = DestinationType::http;
  std::vector<std::string> topics = {">"};
  std::vector<std::string> exclude;

  // http
  std::vector<std::string> urls;  ///< http: one; zmq: one or more endpoints
  std::string method = "POST";
  std::vector<std::string> headers;  ///< "Name: value"
  std::string ca_file;
  std::string cert_file;
  std::string key_file;
  std::string bearer_token_file;
  std::string basic_auth_file;  ///< holds user:password
  // file
  std::string path;
  // zmq
  ZmqPattern zmq_pattern = ZmqPattern::pub;
  bool zmq_bind = false;
  std::uint64_t zmq_send_events_max = 10'000;  ///< high-water mark of a peer, in messages

  BodyFormat format = BodyFormat::json;
  CloudEventsMode cloudevents_mode = CloudEventsMode::batch;
  Compression compression = Compression::none;
  std::string cloudevents_source = "/outrider";
  std::uint64_t compression_level = 0;     ///< 0: the default
  std::vector<std::string> redact;         ///< data.KEY
  std::vector<std::string> drop_fields;    ///< data.KEY
  std::vector<std::string> rename_fields;  ///< data.KEY: NAME
  std::vector<std::string> static_fields;  ///< data.KEY: VALUE
  double sample_rate = 1;                  ///< in (0, 1]
  std::uint64_t batch_events_max = 500;
  std::uint64_t batch_bytes_max = 1ULL << 20U;
  Duration batch_delay = std::chrono::milliseconds(200);
  std::uint64_t queue_events_max = 100'000;
  std::uint64_t queue_bytes_max = 64ULL << 20U;
  WhenFull when_full = WhenFull::drop_newest;
  std::uint64_t concurrency_max = 4;
  Duration timeout = std::chrono::seconds(30);
  Duration connect_timeout = std::chrono::seconds(5);
  Duration retry_initial = std::chrono::seconds(1);
  Duration retry_max = std::chrono::minutes(5);
  Duration retry_age_max = std::chrono::hours(24);
  std::uint64_t retry_attempts_max = 0;  ///< 0: no limit but age
};

struct Config {
  IngestConfig ingest;
  std::vector<DestinationConfig> destinations;
  Duration shutdown_linger = std::chrono::seconds(10);
  LogLevel log_level = LogLevel::info;
  LogFormat log_format = LogFormat::text;
};

}  // namespace outrider::sidecar
