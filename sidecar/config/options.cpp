#include "sidecar/config/options.hpp"

#include <algorithm>
#include <array>

#include "proto/frame_writer.hpp"
#include "sidecar/base/field_path.hpp"
#include "sidecar/config/admin_address.hpp"
#include "sidecar/config/bindings.hpp"
#include "sidecar/config/checks.hpp"
#include "sidecar/config/endpoint.hpp"
#include "sidecar/config/pem.hpp"
#include "sidecar/config/schedule_checks.hpp"
#include "sidecar/config/secret.hpp"
#include "sidecar/config/signing_secret.hpp"

namespace outrider::sidecar {
namespace {

using namespace std::chrono_literals;

using Ingest = IngestConfig;
using Admin = AdminConfig;
using Dest = DestinationConfig;
using Disk = SpoolConfig;
using Sched = ScheduleConfig;
using enum Reload;

constexpr std::uint64_t kib = 1ULL << 10U;
constexpr std::uint64_t mib = 1ULL << 20U;
constexpr std::uint64_t gib = 1ULL << 30U;

constexpr Types http = only(DestinationType::http);
constexpr Types file = only(DestinationType::file);
constexpr Types zmq = only(DestinationType::zmq);

const Choices<DestinationType> type_names = {{"http", DestinationType::http},
                                             {"file", DestinationType::file},
                                             {"stdout", DestinationType::stdout_},
                                             {"zmq", DestinationType::zmq}};

// The groups of rows, in the order of the rows.
constexpr OptionGroup ingest{"ingest"};
constexpr OptionGroup target{"destination", "Target and routing",
                             "Where a destination sends, and which events it receives."};
constexpr OptionGroup body{"destination", "Body", "How events are written, and what is left out."};
constexpr OptionGroup web{"destination", "HTTP and TLS",
                          "The request, its credentials and its connection."};
constexpr OptionGroup fanout{"destination", "ZeroMQ", "The socket of a zmq destination."};
constexpr OptionGroup pace{"destination", "Retry and pacing",
                           "How fast requests go out, and how failures are handled."};
constexpr OptionGroup queue{"destination", "Batches and queue",
                            "When a batch is sent, and how many events wait in memory."};
constexpr OptionGroup lane{"destination", "Spool",
                           "This destination's events on disk; these keys require [spool]."};
constexpr OptionGroup schedule{"schedule"};
constexpr OptionGroup spool{"spool"};
constexpr OptionGroup admin{"admin"};
constexpr OptionGroup shutdown{"shutdown"};
constexpr OptionGroup log{"log"};

// clang-format off
std::vector<Option> make_options() {  // NOLINT(readability-function-size): it is the table
  return {
    {ingest, "endpoint", every_type, restart,
     lines(&Ingest::endpoints, "endpoint", check_bind_endpoint),
     "Socket for `emit`: ipc://PATH, tcp://HOST:PORT, or inproc://NAME when embedded."},
    {ingest, "confirm_endpoint", every_type, restart,
     text(&Ingest::confirm_endpoint, "endpoint", check_bind_endpoint),
     "Socket for `deliver`; requires [spool]; same syntax as `endpoint`."},
    {ingest, "frame_bytes_max", every_type, restart,
     size(&Ingest::frame_bytes_max, proto::sdk_frame_bytes, gib),
     "Maximum frame size; larger frames are refused. The SDK sends frames of at most 256KiB unless "
     "it is configured otherwise."},
    {ingest, "event_bytes_max", every_type, restart, size(&Ingest::event_bytes_max, 64, gib),
     "Maximum event size, at most frame_bytes_max; larger events are refused."},
    {ingest, "unrouted", every_type, live,
     choice(&Ingest::unrouted, {{"accept", Unrouted::accept}, {"refuse", Unrouted::refuse}}),
     "Answer to a `deliver` event that no destination takes: accept or refuse. accept confirms the "
     "event and discards it; refuse returns an error to the client. In both cases the log names "
     "each such topic once, up to 256 topics."},
    {ingest, "socket_mode", every_type, restart, octal_mode(&Ingest::socket_mode),
     "Permission bits of ipc sockets; apps need write permission."},
    {ingest, "socket_group", every_type, restart, text(&Ingest::socket_group, "group", check_group),
     "Group of ipc sockets; not set: the group that the sidecar runs as."},

    {target, "type", every_type, restart, choice(&Dest::type, type_names),
     "Destination type."},
    {target, "url", http | zmq, new_requests, lines(&Dest::urls, "URL", check_filled),
     "URL (http) or endpoint (zmq) to send to; required for both types. For http, the path of a "
     "Unix socket is written as http://unix:/PATH:/REST. With several URLs, each request goes to "
     "the healthy one with the fewest requests in flight. With one event per request, the part "
     "after the host may contain {fields} of the event. For zmq, the endpoint is ipc://PATH or "
     "tcp://HOST:PORT."},
    {target, "path", file, new_requests, text(&Dest::path, "path", check_path),
     "File to append to; required for type file."},
    {target, "topics", every_type, live, comma_list(&Dest::topics, "patterns", check_pattern),
     "Comma-separated topic patterns to receive: `*` matches one token, a final `>` the rest."},
    {target, "exclude", every_type, live, comma_list(&Dest::exclude, "patterns", check_pattern),
     "Comma-separated topic patterns to leave out, even if `topics` matches them."},
    {target, "sample", every_type, live, share(&Dest::sample_rate, 0.000001, 1.0),
     "Share of the events to send, chosen by event id. Each event that is sent carries the share; "
     "the others are counted as sampled."},
    {target, "on_remove", every_type, live,
     choice(&Dest::on_remove, {{"drain", OnRemove::drain}, {"spool", OnRemove::spool},
                               {"drop", OnRemove::drop}}),
     "Fate of the events of a destination that a reload removes. drain sends them, for at most "
     "on_remove_max; spool keeps them on disk and requires [spool]; drop discards them. When the "
     "time is over, the rest goes to disk, or is dropped without a spool. Events on disk wait "
     "there for a destination of this name. Scheduled events always do."},
    {target, "on_remove_max", every_type, live, duration(&Dest::on_remove_max, 0ms, 24h),
     "Time that a removed destination may take to send or put away its events."},

    {body, "format", every_type, restart,
     choice(&Dest::format, {{"json", BodyFormat::json}, {"ndjson", BodyFormat::ndjson},
                            {"msgpack", BodyFormat::msgpack},
                            {"cloudevents", BodyFormat::cloudevents},
                            {"payload", BodyFormat::payload}}),
     "Body format. json is an array of objects, ndjson one object per line, msgpack an array of "
     "maps, cloudevents CloudEvents 1.0 in JSON, and payload the event's data alone, one event per "
     "request. Destinations of type file, stdout and zmq get the objects or maps one by one."},
    {body, "cloudevents_mode", http, restart,
     choice(&Dest::cloudevents_mode, {{"batch", CloudEventsMode::batch},
                                      {"structured", CloudEventsMode::structured},
                                      {"binary", CloudEventsMode::binary}}),
     "CloudEvents content mode. batch sends an array of events, structured one event per request, "
     "and binary the data of one event, with everything else in headers."},
    {body, "cloudevents_source", every_type, new_requests,
     text(&Dest::cloudevents_source, "URI reference", check_uri_reference),
     "The `source` of each CloudEvent; the event's host is appended."},
    {body, "compression", http, restart,
     choice(&Dest::compression, {{"none", Compression::none}, {"gzip", Compression::gzip},
                                 {"zstd", Compression::zstd}}),
     "Compression of the body; the receiver must support it."},
    {body, "compression_level", http, new_requests, count(&Dest::compression_level, 1, 12),
     "Compression level, from fast to small. Bodies over 1MiB are compressed at level 1, as all "
     "destinations wait meanwhile."},
    {body, "redact", every_type, new_requests,
     comma_list(&Dest::redact, "field paths", check_field_path),
     "Comma-separated fields whose values become \"[redacted]\". Examples are data.password and "
     "`data.card.*`; `*` matches any one key or index."},
    {body, "drop_fields", every_type, new_requests,
     comma_list(&Dest::drop_fields, "field paths", check_drop),
     "Comma-separated fields to leave out."},
    {body, "rename_field", every_type, new_requests,
     lines(&Dest::rename_fields, "PATH: NAME", check_rename),
     "Field to rename in place, as in data.uid: user_id."},
    {body, "static_field", every_type, new_requests,
     lines(&Dest::static_fields, "PATH: VALUE", check_static_field),
     "Field to add to each event, as in data.env: production."},
    {body, "body_bytes_max", every_type, new_requests, size(&Dest::body_bytes_max, kib, gib),
     "Maximum body size before compression; an event whose body alone is larger is a dead letter."},

    {web, "method", http, new_requests, text(&Dest::method, "HTTP method", check_method),
     "Request method; may contain {fields} as in `url`."},
    {web, "header", http, new_requests, lines(&Dest::headers, "Name: value", check_header),
     "Request header; may contain {fields} as in `url`. Use secret_header for secrets."},
    {web, "secret_header", http, new_requests,
     lines(&Dest::secret_headers, "Name: SOURCE", check_secret_header),
     "Request header whose value is read from a source. A source is a file path, credential:NAME "
     "(systemd) or env:NAME."},
    {web, "bearer_token_file", http, new_requests,
     text(&Dest::bearer_token_file, "source", check_secret_source),
     "Source of the token for Authorization: Bearer."},
    {web, "basic_auth_file", http, new_requests,
     text(&Dest::basic_auth_file, "source", check_basic_auth_source),
     "Source of user:password for Authorization: Basic."},
    {web, "signing_secret_file", http, new_requests,
     lines(&Dest::signing_secret_files, "source", check_signing_source),
     "Source of the secrets that sign each request as a Standard Webhook. One secret per line, the "
     "newest first: whsec_ (HMAC) or whsk_ (ed25519)."},
    {web, "ca_file", http, new_requests, text(&Dest::ca_file, "path", check_path),
     "CA certificates (PEM) to trust instead of the system's; reloaded when the file changes."},
    {web, "cert_file", http, new_requests, text(&Dest::cert_file, "path", check_cert_file),
     "Client certificate (PEM); reloaded when the file changes."},
    {web, "key_file", http, new_requests, text(&Dest::key_file, "path", check_key_file),
     "Private key (PEM) of cert_file; reloaded when the file changes. If it is not set, the key is "
     "read from cert_file."},
    {web, "tls_version_min", http, new_requests,
     choice(&Dest::tls_version_min, {{"1.2", TlsVersion::tls12}, {"1.3", TlsVersion::tls13}}),
     "Oldest TLS version to use."},
    {web, "tls_server_name", http, new_requests,
     text(&Dest::tls_server_name, "host name", check_host_name),
     "Name that the receiver's certificate must be valid for; not set: the host of `url`."},
    {web, "http_version", http, new_requests,
     choice(&Dest::http_version, {{"1.1", HttpVersion::http1}, {"2", HttpVersion::http2}}),
     "HTTP version; 2 sends requests in parallel on one connection. Without TLS, HTTP/2 is used "
     "without negotiation. Over TLS, a URL that loses an answer over HTTP/2 gets HTTP/1.1 for ten "
     "minutes."},
    {web, "redirects_max", http, new_requests, count(&Dest::redirects_max, 0, 10),
     "Redirects to follow; 0: a 3xx answer makes a dead letter."},
    {web, "proxy", http, new_requests, text(&Dest::proxy, "none | environment | URL", check_proxy),
     "Proxy: none, environment, or an http://, https:// or socks5h:// URL. environment reads the "
     "variables http_proxy, https_proxy and no_proxy."},
    {web, "proxy_auth_file", http, new_requests,
     text(&Dest::proxy_auth_file, "source", check_basic_auth_source),
     "Source of user:password for the proxy."},
    {web, "deny_private_addresses", http, new_requests, flag(&Dest::deny_private_addresses),
     "true: never connect to an address that is not public, whatever its host name; requires proxy "
     "= none."},
    {web, "connection_age_max", http, new_requests, duration(&Dest::connection_age_max, 1s, 24h),
     "Maximum age of a connection; older ones are not reused, so that address changes are "
     "noticed."},

    {fanout, "socket", zmq, restart,
     choice(&Dest::zmq_pattern, {{"pub", ZmqPattern::pub}, {"push", ZmqPattern::push}}),
     "pub sends each event to every subscriber, push to one of the workers."},
    {fanout, "bind", zmq, restart, flag(&Dest::zmq_bind),
     "true: listen on `url`; false: connect to `url`."},
    {fanout, "send_events_max", zmq, restart, count(&Dest::zmq_send_events_max, 0, 10'000'000),
     "Events that ZeroMQ may buffer for one peer; 0: 10000 for pub, 200 for push. Beyond this "
     "number, pub drops and counts events, and push keeps them in the queue. Events that are "
     "buffered for a peer are lost with it."},

    {pace, "concurrency_min", http, live, count(&Dest::concurrency_min, 1, 256),
     "Lower bound of the adaptive limit on parallel requests. If it equals concurrency_max, the "
     "limit is fixed."},
    {pace, "concurrency_max", http, live, count(&Dest::concurrency_max, 1, 256),
     "Maximum number of parallel requests. The sidecar adapts the limit to the receiver, between "
     "concurrency_min and concurrency_max."},
    {pace, "rate_max", every_type, live,
     field(&Dest::rate_max, "rates", parse_rates, format_rates),
     "Average limits on events, requests and body bytes per s, m or h, comma-separated. An example "
     "is 500 events/s, 10 requests/s, 1MiB/s."},
    {pace, "timeout", http | zmq, new_requests, duration(&Dest::timeout, 1ms, 1h),
     "Request timeout; a request that takes longer is retried. push waits this long for a peer "
     "that accepts more events."},
    {pace, "connect_timeout", http, new_requests, duration(&Dest::connect_timeout, 1ms, 1h),
     "Connect timeout; counts towards `timeout`."},
    {pace, "retry_initial", every_type, new_requests, duration(&Dest::retry_initial, 1ms, 24h),
     "Maximum wait before the first retry. Each wait is random, between 0 and its maximum."},
    {pace, "retry_max", every_type, new_requests, duration(&Dest::retry_max, 1ms, 24h),
     "Limit of the maximum wait, which doubles with each retry."},
    {pace, "retry_age_max", every_type, live, duration(&Dest::retry_age_max, 1ms, 366 * 24h),
     "Time that a batch is retried before it becomes a dead letter."},
    {pace, "retry_attempts_max", every_type, live, count(&Dest::retry_attempts_max, 0, 1'000'000),
     "Attempts before a batch becomes a dead letter; 0: only retry_age_max applies."},
    {pace, "retry_share_max", every_type, live, share(&Dest::retry_share_max, 0.0, 1.0),
     "Maximum share of retries among the requests; 10 retries per second are always allowed."},
    {pace, "breaker_failures", every_type, live, count(&Dest::breaker_failures, 0, 1'000'000),
     "Failures in a row that open the circuit breaker; 0: never. While the breaker is open, all "
     "events wait and one request at a time probes the destination."},
    {pace, "breaker_failure_rate", every_type, live, share(&Dest::breaker_failure_rate, 0.0, 1.0),
     "The breaker also opens when this share of at least 20 requests in 10 s has failed; 0%: "
     "never."},
    {pace, "status_actions", http, new_requests,
     field(&Dest::status_actions, "actions", parse_status_actions, format_status_actions),
     "Exceptions to the usual meaning of a status, as in 409:ok, 520-527:retry. The value is a "
     "comma-separated list of STATUS:ACTION, in which each status may occur once. Actions are ok, "
     "retry, split, hold, disable and dead."},

    {queue, "batch_events_max", every_type, live, count(&Dest::batch_events_max, 1, 100'000),
     "A batch is sent when it has this many events."},
    {queue, "batch_bytes_max", every_type, live, size(&Dest::batch_bytes_max, kib, gib),
     "A batch is sent when its body has this size; at most queue_bytes_max and body_bytes_max."},
    {queue, "batch_delay", every_type, live, duration(&Dest::batch_delay, 0ms, 1h),
     "A batch is sent when its oldest event has waited this long. A batch is sent at once when "
     "nothing else is in flight."},
    {queue, "queue_events_max", every_type, live, count(&Dest::queue_events_max, 1, 100'000'000),
     "Maximum number of events waiting in memory."},
    {queue, "queue_bytes_max", every_type, live, size(&Dest::queue_bytes_max, 4 * kib, 1024 * gib),
     "Maximum bytes of events waiting in memory."},
    {queue, "when_full", every_type, live,
     choice(&Dest::when_full, {{"drop_newest", WhenFull::drop_newest},
                               {"drop_oldest", WhenFull::drop_oldest},
                               {"spool", WhenFull::spool}}),
     "Overflow policy: drop the newest event, drop the oldest, or send new events to disk and "
     "back. drop_oldest drops the event that has waited longest. spool drops nothing while there is "
     "room on disk. Only events from `emit` are dropped, low priorities first and high priorities "
     "last."},
    {queue, "ordering", every_type, restart,
     choice(&Dest::ordering, {{"none", Ordering::none}, {"key", Ordering::key}}),
     "key: events with the same key arrive in order, also across retries; other events overtake "
     "them."},

    {lane, "spool_order", every_type, restart,
     choice(&Dest::spool_order, {{"oldest_first", SpoolOrder::oldest_first},
                                 {"fresh_first", SpoolOrder::fresh_first}}),
     "Order of new events while others wait on disk. oldest_first sends the events on disk first; "
     "fresh_first sends new events first while there is room in memory."},
    {lane, "spool_bytes_max", every_type, live, size(&Dest::spool_bytes_max, mib, 1024 * gib),
     "Maximum bytes of this destination's events on disk. Confirmed events count even while they "
     "are also in memory."},
    {lane, "spool_age_max", every_type, live, duration(&Dest::spool_age_max, 1s, 366 * 24h),
     "Time on disk after which an event is given up. The event becomes a dead letter when the "
     "destination answers an attempt with a failure, and that attempt is at least a tenth of this "
     "time after the event's first attempt in this run."},

    {schedule, "cron", every_type, live, text(&Sched::cron, "cron expression", check_cron),
     "Cron expression, as in `30 3 * * mon-fri`; required. The fields are minute, hour, day of "
     "month, month and day of week; @hourly, @daily, @weekly, @monthly and @yearly are allowed "
     "too."},
    {schedule, "timezone", every_type, live, text(&Sched::timezone, "time zone", check_time_zone),
     "Time zone of the cron expression: a name such as Europe/Berlin, UTC, or local for the "
     "machine's own. When the clocks change, a run at a time that is skipped happens right after "
     "the gap, and a run at a time that occurs twice happens the first time. Hours that begin with "
     "`*` follow real time instead."},
    {schedule, "topic", every_type, live, text(&Sched::topic, "topic", check_topic),
     "Topic of the events; required."},
    {schedule, "data", every_type, live, text(&Sched::data, "JSON", check_json),
     "Data of the events."},
    {schedule, "missed", every_type, live,
     choice(&Sched::missed, {{"skip", MissedRuns::skip}, {"once", MissedRuns::once},
                             {"all", MissedRuns::all}}),
     "Policy for runs that were due while the sidecar was not running. skip leaves these runs out, "
     "once makes one event for the newest of them, and all makes one event for each."},
    {schedule, "missed_max", every_type, live, count(&Sched::missed_max, 1, 1000),
     "Maximum number of missed runs to make up for with missed = all; the newest are kept."},
    {schedule, "key", every_type, live, text(&Sched::key, "key", check_key_text),
     "Ordering key of the events."},
    {schedule, "priority", every_type, live,
     choice(&Sched::priority, {{"low", proto::Priority::low}, {"normal", proto::Priority::normal},
                               {"high", proto::Priority::high}}),
     "Priority of the events."},
    {schedule, "ttl", every_type, live, duration(&Sched::ttl, 0ms, 366 * 24h),
     "Time after the due time when an undelivered event expires; 0: never."},

    {spool, "path", every_type, restart, text(&Disk::path, "path", check_path),
     "Database file of the spool, created if it is missing; not set: no spool."},
    {spool, "sync", every_type, restart,
     choice(&Disk::sync, {{"full", SpoolSync::full}, {"normal", SpoolSync::normal}}),
     "Durability of confirmed events. full: confirmed events survive a power loss. normal: they "
     "survive a crash of the sidecar, and a power loss costs the last moments."},
    {spool, "bytes_max", every_type, restart, size(&Disk::bytes_max, mib, 1024 * gib),
     "Maximum bytes of events on disk, of all destinations together."},
    {spool, "free_bytes_min", every_type, restart, size(&Disk::free_bytes_min, 0, 1024 * gib),
     "Minimum free space on the disk; below it, nothing new is stored."},
    {spool, "dead_events_max", every_type, restart, count(&Disk::dead_events_max, 0, 100'000'000),
     "Maximum number of dead letters to keep; the oldest are deleted first."},
    {spool, "dead_bytes_max", every_type, restart, size(&Disk::dead_bytes_max, 0, 1024 * gib),
     "Maximum bytes of dead letters to keep; the oldest are deleted first."},
    {spool, "dead_age_max", every_type, restart, duration(&Disk::dead_age_max, 1s, 3660 * 24h),
     "Time that a dead letter is kept."},

    {admin, "listen", every_type, restart, text(&Admin::listen, "address", check_admin_address),
     "Address of the admin interface: unix://PATH, tcp://HOST:PORT, or none. Not set: the socket "
     "admin.sock in the folder of the first ipc endpoint of [ingest]; none without such an endpoint "
     "and in embedded mode. tcp requires token_file. An address that other machines can reach "
     "requires cert_file too."},
    {admin, "socket_mode", every_type, restart, octal_mode(&Admin::socket_mode),
     "Permission bits of the Unix socket. Whoever has write permission may pause destinations and "
     "stop the sidecar."},
    {admin, "socket_group", every_type, restart, text(&Admin::socket_group, "group", check_group),
     "Group of the Unix socket; not set: the group that the sidecar runs as."},
    {admin, "token_file", every_type, restart,
     text(&Admin::token_file, "source", check_token_source),
     "Source of the token that a request must send as Authorization: Bearer. /healthz, /readyz and "
     "/metrics need none. With a token, the Unix socket requires it too."},
    {admin, "cert_file", every_type, restart, text(&Admin::cert_file, "path", check_cert_file),
     "Certificate (PEM) of the admin interface, with its chain; turns on TLS. Requires tcp."},
    {admin, "key_file", every_type, restart, text(&Admin::key_file, "path", check_key_file),
     "Private key (PEM) of cert_file. If it is not set, the key is read from cert_file."},
    {admin, "read_only", every_type, restart, flag(&Admin::read_only),
     "true: refuse all requests that change something."},
    {admin, "payloads", every_type, Reload::restart,
     choice(&Admin::payloads, {{"none", Payloads::none}, {"redacted", Payloads::redacted},
                               {"full", Payloads::full}}),
     "How much the interface shows of the answers of receivers, which may repeat an event or a "
     "secret. none: nothing. redacted: their size. full: their first bytes."},

    {shutdown, "linger", every_type, live, duration(&Config::shutdown_linger, 0ms, 1h),
     "Maximum time to empty the queues at shutdown."},

    {log, "level", every_type, live,
     choice(&Config::log_level, {{"debug", LogLevel::debug}, {"info", LogLevel::info},
                                 {"warn", LogLevel::warn}, {"error", LogLevel::error}}),
     "Lowest level that is logged."},
    {log, "format", every_type, restart,
     choice(&Config::log_format, {{"text", LogFormat::text}, {"json", LogFormat::json}}),
     "Format of the log on stderr: text for people, json for machines (JSON lines)."},
  };
}

/// Named by the contract, not done by this version.
struct Later {
  std::string_view section;
  std::string_view key;
  std::string_view value;
};
constexpr std::array later = {
    Later{"destination", "type", "nats"},
};
// clang-format on

}  // namespace

const std::vector<Option>& options() {
  static const std::vector<Option> table = make_options();
  return table;
}

const std::vector<Section>& sections() {
  static const std::vector<Section> table = {
      {"ingest", "ingest", "How the sidecar receives events from apps."},
      {"destination", "destination.NAME",
       "Where events are sent. One section per destination, each with a unique name (1 to 64 "
       "characters of `A-Za-z0-9_-`).",
       "type"},
      {"schedule", "schedule.NAME",
       "Events that the sidecar makes on a schedule. One section per schedule, each with a unique "
       "name (1 to 40 characters of `A-Za-z0-9_-`). Each run makes one event, also across crashes. "
       "Its id "
       "is NAME/2026-01-31T12:00:00Z: the time (UTC) that it was due, which is also its time.",
       "cron"},
      {"spool",
       "spool",
       "Storage on disk for confirmed, scheduled and overflow events, for events undelivered at "
       "shutdown, and for dead letters.",
       {}},
      {"admin", "admin", "The HTTP interface for operators and their tools (docs/openapi.json)."},
      {"shutdown", "shutdown", "How the sidecar stops."},
      {"log", "log", "The sidecar's log."},
  };
  return table;
}

const Section* find_repeatable(std::string_view name) {
  const auto row = std::find_if(sections().begin(), sections().end(), [&](const Section& section) {
    return section.is_repeatable() && section.name == name;
  });
  return row == sections().end() ? nullptr : &*row;
}

const Option* find_option(std::string_view section, std::string_view key) {
  const auto row = std::find_if(options().begin(), options().end(), [&](const Option& option) {
    return option.section == section && option.key == key;
  });
  return row == options().end() ? nullptr : &*row;
}

std::vector<std::string_view> keys_of(std::string_view section) {
  std::vector<std::string_view> keys;
  for (const Option& option : options()) {
    if (option.section == section) keys.push_back(option.key);
  }
  return keys;
}

std::string_view name_of(DestinationType type) {
  for (const auto& [name, candidate] : type_names) {
    if (candidate == type) return name;
  }
  return {};
}

std::string names_of(Types types) {
  if (types == every_type) return "any";
  std::string names;
  for (const auto& [name, type] : type_names) {
    if ((types & only(type)) != 0) names += (names.empty() ? "" : " or ") + std::string(name);
  }
  return names;
}

std::string_view name_of(Reload reload) {
  switch (reload) {
    case Reload::live:
      return "live";
    case Reload::new_requests:
      return "new requests";
    case Reload::restart:
      return "restart";
  }
  return {};
}

Reload reload_of(const Option& option, DestinationType type) {
  if (option.section != "destination" || type != DestinationType::zmq) return option.reload;
  // A socket cannot be bound twice, and its peers hold events.
  return option.key == "url" || option.key == "timeout" ? Reload::restart : option.reload;
}

bool is_for_later(std::string_view section, std::string_view key, std::string_view value) {
  return std::any_of(later.begin(), later.end(), [&](const Later& row) {
    return row.section == section && row.key == key && row.value == value;
  });
}

}  // namespace outrider::sidecar
