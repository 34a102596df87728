#include "sidecar/config/options.hpp"

#include <algorithm>
#include <array>

#include "proto/frame_writer.hpp"
#include "sidecar/base/field_path.hpp"
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
using Dest = DestinationConfig;
using Disk = SpoolConfig;
using Sched = ScheduleConfig;

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

// clang-format off
std::vector<Option> make_options() {  // NOLINT(readability-function-size): it is the table
  constexpr std::string_view ingest = "ingest";
  constexpr std::string_view dest = "destination";
  constexpr std::string_view spool = "spool";
  constexpr std::string_view schedule = "schedule";
  constexpr std::string_view shutdown = "shutdown";
  constexpr std::string_view log = "log";
  return {
    {ingest, "endpoint", every_type, lines(&Ingest::endpoints, "endpoint", check_bind_endpoint),
     "Where apps connect: ipc://PATH, tcp://HOST:PORT, or inproc://NAME when embedded."},
    {ingest, "confirm_endpoint", every_type,
     text(&Ingest::confirm_endpoint, "endpoint", check_bind_endpoint),
     "Where apps connect to deliver with confirmation, when there is a spool: as endpoint."},
    {ingest, "frame_bytes_max", every_type, size(&Ingest::frame_bytes_max, proto::sdk_frame_bytes, gib),
     "Larger frames are refused. The SDK sends 256KiB at most, unless it is told another size."},
    {ingest, "event_bytes_max", every_type, size(&Ingest::event_bytes_max, 64, gib),
     "Larger events are refused; at most frame_bytes_max."},
    {ingest, "unrouted", every_type,
     choice(&Ingest::unrouted, {{"accept", Unrouted::accept}, {"refuse", Unrouted::refuse}}),
     "An event to be confirmed that no destination takes: accept confirms it, and it goes nowhere; "
     "refuse says so to its client. The log names each such topic once in either case."},
    {ingest, "socket_mode", every_type, octal_mode(&Ingest::socket_mode),
     "Permission bits of an ipc socket; apps need to write to it."},
    {ingest, "socket_group", every_type, text(&Ingest::socket_group, "group", check_group),
     "Group of an ipc socket; not set: the group that the sidecar runs as."},

    {dest, "type", every_type, choice(&Dest::type, type_names),
     "What kind of destination this is."},
    {dest, "topics", every_type, comma_list(&Dest::topics, "patterns", check_pattern),
     "What it gets: topic patterns, joined by commas; * is one token, > is the rest."},
    {dest, "exclude", every_type, comma_list(&Dest::exclude, "patterns", check_pattern),
     "What it does not get, though `topics` names it: topic patterns, joined by commas."},
    {dest, "format", every_type,
     choice(&Dest::format, {{"json", BodyFormat::json}, {"ndjson", BodyFormat::ndjson},
                            {"msgpack", BodyFormat::msgpack},
                            {"cloudevents", BodyFormat::cloudevents},
                            {"payload", BodyFormat::payload}}),
     "How events are written: json is an array of objects, ndjson one object a line, msgpack an "
     "array of maps, cloudevents CloudEvents 1.0 in JSON, payload the event's data alone, one event "
     "a request. Files, standard output and zmq get the objects or maps one by one instead."},
    {dest, "cloudevents_mode", http,
     choice(&Dest::cloudevents_mode, {{"batch", CloudEventsMode::batch},
                                      {"structured", CloudEventsMode::structured},
                                      {"binary", CloudEventsMode::binary}}),
     "batch is an array of events, structured one event a request, binary one event's data with "
     "everything else in headers."},
    {dest, "cloudevents_source", every_type,
     text(&Dest::cloudevents_source, "URI reference", check_uri_reference),
     "The `source` of each CloudEvent; the event's host is put behind it."},
    {dest, "compression", http,
     choice(&Dest::compression, {{"none", Compression::none}, {"gzip", Compression::gzip},
                                 {"zstd", Compression::zstd}}),
     "How bodies are compressed; the receiver must know it."},
    {dest, "compression_level", http, count(&Dest::compression_level, 1, 19),
     "From fast to small; gzip has levels up to 12, zstd up to 19."},
    {dest, "redact", every_type, comma_list(&Dest::redact, "field paths", check_field_path),
     "Fields whose values become \"[redacted]\", as in data.password, data.card.*; * is any one key "
     "or index."},
    {dest, "drop_fields", every_type, comma_list(&Dest::drop_fields, "field paths", check_drop),
     "Fields that are left out."},
    {dest, "rename_field", every_type,
     lines(&Dest::rename_fields, "PATH: NAME", check_rename),
     "A field that gets another name in the same place, as in data.uid: user_id."},
    {dest, "static_field", every_type,
     lines(&Dest::static_fields, "PATH: VALUE", check_static_field),
     "A field that each event gets, as in data.env: production."},
    {dest, "sample", every_type, share(&Dest::sample_rate, 0.000001, 1.0),
     "The share of the events that is sent, chosen by id; what is sent tells the share."},

    {dest, "url", http | zmq, lines(&Dest::urls, "URL", check_filled),
     "Where to send: for http a URL, http://unix:/PATH:/REST for a Unix socket; of several, each "
     "request takes the healthy one with the least on its way. For zmq an endpoint (ipc://PATH, "
     "tcp://HOST:PORT). Required for both. May hold {fields} of the event behind the host when one "
     "event is sent at a time."},
    {dest, "path", file, text(&Dest::path, "path", check_path),
     "The file to append to. Required for file."},
    {dest, "method", http, text(&Dest::method, "HTTP method", check_method),
     "The method of each request; may hold {fields}, as url."},
    {dest, "header", http, lines(&Dest::headers, "Name: value", check_header),
     "A header to send with each request; may hold {fields}, as url. Secrets belong into "
     "secret_header."},
    {dest, "secret_header", http,
     lines(&Dest::secret_headers, "Name: SOURCE", check_secret_header),
     "A header whose value is read from a source: a path, credential:NAME (systemd's) or env:NAME."},
    {dest, "bearer_token_file", http,
     text(&Dest::bearer_token_file, "source", check_secret_source),
     "Source of a token, sent as Authorization: Bearer."},
    {dest, "basic_auth_file", http,
     text(&Dest::basic_auth_file, "source", check_basic_auth_source),
     "Source of user:password, sent as Authorization: Basic."},
    {dest, "signing_secret_file", http,
     lines(&Dest::signing_secret_files, "source", check_signing_source),
     "Source of the secrets that sign each request as a Standard Webhook: whsec_ (HMAC) or whsk_ "
     "(ed25519), one a line, the newest first."},
    {dest, "ca_file", http, text(&Dest::ca_file, "path", check_path),
     "Certificates (PEM) to trust instead of the system's; read again when it changes."},
    {dest, "cert_file", http, text(&Dest::cert_file, "path", check_cert_file),
     "The client's own certificate (PEM); read again when it changes."},
    {dest, "key_file", http, text(&Dest::key_file, "path", check_key_file),
     "The key (PEM) of cert_file; read again when it changes."},
    {dest, "tls_version_min", http,
     choice(&Dest::tls_version_min, {{"1.2", TlsVersion::tls12}, {"1.3", TlsVersion::tls13}}),
     "The oldest TLS that is spoken."},
    {dest, "tls_server_name", http, text(&Dest::tls_server_name, "host name", check_host_name),
     "The name that the receiver's certificate must have; not set: the host of the url."},
    {dest, "http_version", http,
     choice(&Dest::http_version, {{"1.1", HttpVersion::http1}, {"2", HttpVersion::http2}}),
     "2 puts requests side by side on one connection; without TLS it is spoken unasked. Over TLS "
     "a url that loses an answer by it is asked over HTTP/1.1 for ten minutes."},
    {dest, "redirects_max", http, count(&Dest::redirects_max, 0, 10),
     "Redirects that are followed; 0: a 3xx is a dead letter."},
    {dest, "proxy", http, text(&Dest::proxy, "none | environment | URL", check_proxy),
     "How to get there: none, environment (http_proxy, https_proxy, no_proxy), or an http://, "
     "https:// or socks5h:// URL."},
    {dest, "proxy_auth_file", http,
     text(&Dest::proxy_auth_file, "source", check_basic_auth_source),
     "Source of user:password for the proxy."},
    {dest, "deny_private_addresses", http, flag(&Dest::deny_private_addresses),
     "true: never connects to an address that is not public, whatever name it has."},
    {dest, "connection_age_max", http, duration(&Dest::connection_age_max, 1s, 24h),
     "Connections older than this are not used again, so that a changed address is found."},

    {dest, "socket", zmq,
     choice(&Dest::zmq_pattern, {{"pub", ZmqPattern::pub}, {"push", ZmqPattern::push}}),
     "pub gives each event to every subscriber, push to one of the workers."},
    {dest, "bind", zmq, flag(&Dest::zmq_bind),
     "true: others connect to url; false: the sidecar connects to url."},
    {dest, "send_events_max", zmq, count(&Dest::zmq_send_events_max, 0, 10'000'000),
     "Events that may wait in ZeroMQ for one peer; 0: 10000 for pub, 200 for push. What is over it, "
     "pub drops and counts, and push keeps in the queue. What waits there is lost with its peer."},

    {dest, "batch_events_max", every_type, count(&Dest::batch_events_max, 1, 100'000),
     "A batch is sent when it has this many events."},
    {dest, "batch_bytes_max", every_type, size(&Dest::batch_bytes_max, kib, gib),
     "A batch is sent when its body has this many bytes; at most queue_bytes_max."},
    {dest, "body_bytes_max", every_type, size(&Dest::body_bytes_max, kib, gib),
     "An event whose body alone is larger is a dead letter. Counted before compression."},
    {dest, "batch_delay", every_type, duration(&Dest::batch_delay, 0ms, 1h),
     "A batch is sent when its oldest event has waited this long; at once when nothing else is "
     "on its way."},
    {dest, "queue_events_max", every_type, count(&Dest::queue_events_max, 1, 100'000'000),
     "Events that may wait in memory."},
    {dest, "queue_bytes_max", every_type, size(&Dest::queue_bytes_max, 4 * kib, 1024 * gib),
     "Bytes of events that may wait in memory."},
    {dest, "when_full", every_type,
     choice(&Dest::when_full, {{"drop_newest", WhenFull::drop_newest},
                               {"drop_oldest", WhenFull::drop_oldest},
                               {"spool", WhenFull::spool}}),
     "What a full queue gives up: the event that comes, or the one that waited longest; either way "
     "events of low priority go first and those of high priority last. Or nothing: what comes goes "
     "to disk and back."},
    {dest, "spool_order", every_type,
     choice(&Dest::spool_order, {{"oldest_first", SpoolOrder::oldest_first},
                                 {"fresh_first", SpoolOrder::fresh_first}}),
     "While events wait on disk, new ones wait behind them, or overtake them as far as there is "
     "room in memory."},
    {dest, "spool_bytes_max", every_type, size(&Dest::spool_bytes_max, mib, 1024 * gib),
     "Bytes of its events that may be on disk, those in memory that were confirmed among them."},
    {dest, "spool_age_max", every_type, duration(&Dest::spool_age_max, 1s, 366 * 24h),
     "An event that was on disk for so long is a dead letter once an attempt fails that the "
     "destination has answered, and that comes a tenth of this after its first in this run."},
    {dest, "ordering", every_type,
     choice(&Dest::ordering, {{"none", Ordering::none}, {"key", Ordering::key}}),
     "key: events with the same key arrive in order, also over retries; others overtake them."},

    {dest, "concurrency_min", http, count(&Dest::concurrency_min, 1, 256),
     "Requests that may always be on their way at the same time; with concurrency_max the same, "
     "nothing is found out."},
    {dest, "concurrency_max", http, count(&Dest::concurrency_max, 1, 256),
     "Requests on their way at the same time; how many are best is found out, between the two."},
    {dest, "rate_max", every_type,
     field(&Dest::rate_max, "rates", parse_rates, format_rates),
     "What leaves at most, on average: events, requests, bytes of bodies, as in 500 events/s, "
     "10 requests/s, 1MiB/s; also by m and h."},
    {dest, "timeout", http | zmq, duration(&Dest::timeout, 1ms, 1h),
     "A request that takes longer is tried again; push waits this long for a peer that takes "
     "more."},
    {dest, "connect_timeout", http, duration(&Dest::connect_timeout, 1ms, 1h),
     "The part of it that connecting may take."},
    {dest, "retry_initial", every_type, duration(&Dest::retry_initial, 1ms, 24h),
     "Longest wait before the first retry; each wait is random, from 0 to its longest."},
    {dest, "retry_max", every_type, duration(&Dest::retry_max, 1ms, 24h),
     "The longest wait doubles with each retry up to this."},
    {dest, "retry_age_max", every_type, duration(&Dest::retry_age_max, 1ms, 366 * 24h),
     "A batch that was tried for so long is a dead letter."},
    {dest, "retry_attempts_max", every_type, count(&Dest::retry_attempts_max, 0, 1'000'000),
     "A batch that was tried so often is a dead letter; 0 means that only age counts."},
    {dest, "retry_share_max", every_type, share(&Dest::retry_share_max, 0.0, 1.0),
     "Retries are at most this share of the requests, but always 10 a second."},
    {dest, "breaker_failures", every_type, count(&Dest::breaker_failures, 0, 1'000'000),
     "So many failures in a row open the circuit breaker: everything waits but one probe; 0: never."},
    {dest, "breaker_failure_rate", every_type, share(&Dest::breaker_failure_rate, 0.0, 1.0),
     "So does this share of failures among the requests of the last 10 s, of 20 at least; 0%: "
     "never."},
    {dest, "status_actions", http,
     field(&Dest::status_actions, "actions", parse_status_actions, format_status_actions),
     "What a status means where it differs from the usual: STATUS:ACTION, joined by commas, each "
     "status once, as in 409:ok, 520-527:retry; an action is ok, retry, split, hold, disable or "
     "dead."},

    {schedule, "cron", every_type, text(&Sched::cron, "cron expression", check_cron),
     "When it is due: minute, hour, day of month, month, day of week, as in "
     "30 3 * * mon-fri; or @hourly, @daily, @weekly, @monthly, @yearly. Required."},
    {schedule, "timezone", every_type, text(&Sched::timezone, "time zone", check_time_zone),
     "Whose clock that is: a name as in Europe/Berlin, UTC, or local for the machine's own. A time "
     "that a change of the clocks leaves out is run right behind it, one that comes twice is run "
     "the first time; hours that begin with * follow real time instead."},
    {schedule, "topic", every_type, text(&Sched::topic, "topic", check_topic),
     "The topic of its events. Required."},
    {schedule, "data", every_type, text(&Sched::data, "JSON", check_json),
     "The data of its events."},
    {schedule, "missed", every_type,
     choice(&Sched::missed, {{"skip", MissedRuns::skip}, {"once", MissedRuns::once},
                             {"all", MissedRuns::all}}),
     "Runs that were due while the sidecar was not running: skip leaves them out, once makes one "
     "event for them, the newest, all one for each."},
    {schedule, "missed_max", every_type, count(&Sched::missed_max, 1, 1000),
     "With missed = all, only the newest so many are made up for."},
    {schedule, "key", every_type, text(&Sched::key, "key", check_key_text),
     "The ordering key of its events."},
    {schedule, "priority", every_type,
     choice(&Sched::priority, {{"low", proto::Priority::low}, {"normal", proto::Priority::normal},
                               {"high", proto::Priority::high}}),
     "The priority of its events."},
    {schedule, "ttl", every_type, duration(&Sched::ttl, 0ms, 366 * 24h),
     "Events older than this, counted from when they were due, are not sent; 0: they never expire."},

    {spool, "path", every_type, text(&Disk::path, "path", check_path),
     "The database that keeps what must not be lost; made if there is none. Not set: no spool."},
    {spool, "sync", every_type,
     choice(&Disk::sync, {{"full", SpoolSync::full}, {"normal", SpoolSync::normal}}),
     "full: what is confirmed survives a loss of power. normal: it survives a crash of the sidecar, "
     "and a loss of power costs the last moments."},
    {spool, "bytes_max", every_type, size(&Disk::bytes_max, mib, 1024 * gib),
     "Bytes of events that may be on disk, of all destinations together."},
    {spool, "free_bytes_min", every_type, size(&Disk::free_bytes_min, 0, 1024 * gib),
     "Nothing new is stored while less than this is free on the disk."},
    {spool, "dead_events_max", every_type, count(&Disk::dead_events_max, 0, 100'000'000),
     "Dead letters that are kept; the oldest go first."},
    {spool, "dead_bytes_max", every_type, size(&Disk::dead_bytes_max, 0, 1024 * gib),
     "Bytes of dead letters that are kept; the oldest go first."},
    {spool, "dead_age_max", every_type, duration(&Disk::dead_age_max, 1s, 3660 * 24h),
     "How long a dead letter is kept."},

    {shutdown, "linger", every_type, duration(&Config::shutdown_linger, 0ms, 1h),
     "How long a stop may wait for the queues to empty."},

    {log, "level", every_type,
     choice(&Config::log_level, {{"debug", LogLevel::debug}, {"info", LogLevel::info},
                                 {"warn", LogLevel::warn}, {"error", LogLevel::error}}),
     "The least important lines to write."},
    {log, "format", every_type,
     choice(&Config::log_format, {{"text", LogFormat::text}, {"json", LogFormat::json}}),
     "Lines for people or JSON lines for machines, on stderr."},
  };
}

/// Named by the contract, not done by this version.
struct Later {
  std::string_view section;
  std::string_view key;
  std::string_view value;
};
constexpr std::array later = {
    Later{"admin", "", ""},
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
      {"ingest", "ingest", "How events come in."},
      {"destination", "destination.NAME",
       "Where events go; one section a destination, each with a name of its own (1 to 64 of "
       "A-Z a-z 0-9 _ -).",
       "type"},
      {"schedule", "schedule.NAME",
       "Events that the sidecar makes itself, again and again; one section a schedule, each with a "
       "name of its own (1 to 40 of A-Z a-z 0-9 _ -). Each run is one event, also over crashes. "
       "Its "
       "id is NAME/2026-01-31T12:00:00Z, the time (UTC) that it was due, which is its time too.",
       "cron"},
      {"spool",
       "spool",
       "What is kept on disk: confirmed, scheduled and spilled events, dead letters.",
       {}},
      {"shutdown", "shutdown", "How the sidecar stops."},
      {"log", "log", "What the sidecar says of itself."},
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

bool is_for_later(std::string_view section, std::string_view key, std::string_view value) {
  return std::any_of(later.begin(), later.end(), [&](const Later& row) {
    return row.section == section && row.key == key && row.value == value;
  });
}

}  // namespace outrider::sidecar
