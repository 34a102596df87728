// DestinationConfig: everything that one [destination.NAME] section can say, checked and final.
//
// Used by the composition root, which hands each part of a destination its own piece. The rows that
// parse, document and explain these fields are in options.cpp; the defaults are only here. A
// *source* is the place of a secret: a path, credential:NAME or env:NAME (secret.hpp). Thread:
// plain values, immutable after loading.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sidecar/base/clock.hpp"

namespace outrider::sidecar {

enum class DestinationType : std::uint8_t { http, file, stdout_, zmq };
enum class BodyFormat : std::uint8_t { json, ndjson, msgpack, cloudevents, payload };
enum class CloudEventsMode : std::uint8_t { batch, structured, binary };
enum class Compression : std::uint8_t { none, gzip, zstd };
enum class WhenFull : std::uint8_t { drop_newest, drop_oldest, spool };
enum class SpoolOrder : std::uint8_t { oldest_first, fresh_first };
enum class Ordering : std::uint8_t { none, key };
/// The fate of a destination's events when a reload removes it.
enum class OnRemove : std::uint8_t { drain, spool, drop };
enum class ZmqPattern : std::uint8_t { pub, push };
enum class HttpVersion : std::uint8_t { http1, http2 };
enum class TlsVersion : std::uint8_t { tls12, tls13 };

/// The meaning of an answer for the events that were sent.
enum class Outcome : std::uint8_t {
  delivered,
  retry,    ///< the same batch again, later
  split,    ///< too large: both halves are tried
  hold,     ///< not authorised: nothing is dropped, the destination is probed until it is
  disable,  ///< gone: nothing is sent there any more
  dead,     ///< this batch will never be taken
};

/// The meaning of the statuses from `first` to `last`, in place of the outcome table.
struct StatusAction {
  int first = 0;
  int last = 0;
  Outcome outcome = Outcome::dead;

  bool operator==(const StatusAction&) const = default;
};

/// At most this amount leaves in a second, on average; 0: no limit.
struct RateLimits {
  double events_per_s = 0;
  double requests_per_s = 0;
  double bytes_per_s = 0;

  bool operator==(const RateLimits&) const = default;
};

struct DestinationConfig {
  std::string name;
  DestinationType type = DestinationType::http;

  // Selection.
  std::vector<std::string> topics = {">"};
  std::vector<std::string> exclude;
  double sample_rate = 1;  ///< share of the events that are kept
  OnRemove on_remove = OnRemove::drain;
  Duration on_remove_max = std::chrono::minutes(5);

  // Body.
  BodyFormat format = BodyFormat::json;
  CloudEventsMode cloudevents_mode = CloudEventsMode::batch;
  std::string cloudevents_source = "/outrider";
  Compression compression = Compression::none;
  std::uint64_t compression_level = 1;
  std::vector<std::string> redact;         ///< field paths
  std::vector<std::string> drop_fields;    ///< field paths
  std::vector<std::string> rename_fields;  ///< "PATH: NAME"
  std::vector<std::string> static_fields;  ///< "PATH: VALUE"

  // Where it goes: http.
  std::vector<std::string> urls;  ///< zmq: endpoints
  std::string method = "POST";
  std::vector<std::string> headers;  ///< "Name: value"
  HttpVersion http_version = HttpVersion::http1;
  std::uint64_t redirects_max = 0;
  std::string proxy = "none";  ///< none, environment, or a URL
  std::string proxy_auth_file;
  bool deny_private_addresses = false;
  Duration connection_age_max = std::chrono::minutes(5);
  Duration timeout = std::chrono::seconds(30);
  Duration connect_timeout = std::chrono::seconds(5);

  // Who we are, and who they are.
  std::string ca_file;
  std::string cert_file;
  std::string key_file;
  TlsVersion tls_version_min = TlsVersion::tls12;
  std::string tls_server_name;                    ///< empty: the host of the url
  std::string bearer_token_file;                  ///< source
  std::string basic_auth_file;                    ///< source; holds user:password
  std::vector<std::string> secret_headers;        ///< "Name: SOURCE"
  std::vector<std::string> signing_secret_files;  ///< sources

  // Where it goes: file, zmq.
  std::string path;
  ZmqPattern zmq_pattern = ZmqPattern::pub;
  bool zmq_bind = false;
  std::uint64_t zmq_send_events_max = 0;  ///< high-water mark of a peer; see zmq_events_a_peer

  // How much at a time.
  std::uint64_t batch_events_max = 500;
  std::uint64_t batch_bytes_max = 1ULL << 20U;
  std::uint64_t body_bytes_max = 16ULL << 20U;
  Duration batch_delay = std::chrono::milliseconds(200);
  std::uint64_t concurrency_min = 1;
  std::uint64_t concurrency_max = 16;
  RateLimits rate_max;
  Ordering ordering = Ordering::none;

  // Queue.
  std::uint64_t queue_events_max = 100'000;
  std::uint64_t queue_bytes_max = 64ULL << 20U;
  WhenFull when_full = WhenFull::drop_newest;
  SpoolOrder spool_order = SpoolOrder::oldest_first;
  std::uint64_t spool_bytes_max = 1ULL << 30U;
  Duration spool_age_max = std::chrono::hours(7 * 24);

  // Failures.
  std::vector<StatusAction> status_actions;
  Duration retry_initial = std::chrono::seconds(1);
  Duration retry_max = std::chrono::minutes(5);
  Duration retry_age_max = std::chrono::hours(24);
  std::uint64_t retry_attempts_max = 0;  ///< 0: no limit but age
  double retry_share_max = 0.2;          ///< of all requests
  std::uint64_t breaker_failures = 5;    ///< in a row; 0: never by these
  double breaker_failure_rate = 0.5;     ///< of the requests of the last 10 s; 0: never by this
};

/// Events that ZeroMQ may hold for one peer. Events that it holds for a worker are out of our
/// control, so there are only as many as its speed needs; events that it cannot hold for a
/// subscriber are lost.
inline std::uint64_t zmq_events_a_peer(const DestinationConfig& config) {
  if (config.zmq_send_events_max != 0) return config.zmq_send_events_max;
  return config.zmq_pattern == ZmqPattern::pub ? 10'000 : 200;
}

}  // namespace outrider::sidecar
