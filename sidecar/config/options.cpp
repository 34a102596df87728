#include "sidecar/config/options.hpp"

#include <algorithm>
#include <array>

#include "sidecar/config/bindings.hpp"
#include "sidecar/config/checks.hpp"
#include "sidecar/config/secret.hpp"

namespace outrider::sidecar {
namespace {

using namespace std::chrono_literals;

using Ingest = IngestConfig;
using Dest = DestinationConfig;

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
std::vector<Option> make_options() {
  constexpr std::string_view ingest = "ingest";
  constexpr std::string_view dest = "destination";
  constexpr std::string_view shutdown = "shutdown";
  constexpr std::string_view log = "log";
  return {
    {ingest, "endpoint", every_type, lines(&Ingest::endpoints, "endpoint", check_endpoint),
     "Where apps connect: ipc://PATH, tcp://HOST:PORT, or inproc://NAME when embedded."},
    {ingest, "frame_bytes_max", every_type, size(&Ingest::frame_bytes_max, kib, gib),
     "Larger frames are refused."},
    {ingest, "event_bytes_max", every_type, size(&Ingest::event_bytes_max, 64, gib),
     "Larger events are refused; at most frame_bytes_max."},
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
                            {"msgpack", BodyFormat::msgpack}}),
     "How events are written: json is an array of objects, ndjson one object a line, msgpack an "
     "array of maps. Files, standard output and zmq get the objects or maps one by one instead."},

    {dest, "url", http | zmq, lines(&Dest::urls, "URL", check_filled),
     "Where to send: http takes one http:// or https:// URL, zmq one or more endpoints "
     "(ipc://PATH, tcp://HOST:PORT). Required for http and zmq."},
    {dest, "path", file, text(&Dest::path, "path", check_filled),
     "The file to append to. Required for file."},
    {dest, "method", http, text(&Dest::method, "HTTP method", check_method),
     "The method of each request."},
    {dest, "header", http, lines(&Dest::headers, "Name: value", check_header),
     "A header to send with each request. Secrets are better kept in a token file."},
    {dest, "ca_file", http, text(&Dest::ca_file, "path", check_readable_file),
     "Certificates (PEM) to trust instead of the system's."},
    {dest, "cert_file", http, text(&Dest::cert_file, "path", check_readable_file),
     "The client's own certificate (PEM)."},
    {dest, "key_file", http, text(&Dest::key_file, "path", check_readable_file),
     "The key (PEM) of cert_file."},
    {dest, "bearer_token_file", http,
     text(&Dest::bearer_token_file, "path", check_secret_source),
     "A file with a token on one line, sent as Authorization: Bearer."},
    {dest, "basic_auth_file", http,
     text(&Dest::basic_auth_file, "path", check_basic_auth_source),
     "A file with user:password on one line, sent as Authorization: Basic."},

    {dest, "socket", zmq,
     choice(&Dest::zmq_pattern, {{"pub", ZmqPattern::pub}, {"push", ZmqPattern::push}}),
     "pub gives each event to every subscriber, push to one of the workers."},
    {dest, "bind", zmq, choice(&Dest::zmq_bind, {{"true", true}, {"false", false}}),
     "true: others connect to url; false: the sidecar connects to url."},
    {dest, "send_events_max", zmq, count(&Dest::zmq_send_events_max, 1, 10'000'000),
     "Events that may wait for one peer; what is over it is dropped and counted."},

    {dest, "batch_events_max", every_type, count(&Dest::batch_events_max, 1, 100'000),
     "A batch is sent when it has this many events."},
    {dest, "batch_bytes_max", every_type, size(&Dest::batch_bytes_max, kib, gib),
     "A batch is sent when it has this many bytes; at most queue_bytes_max."},
    {dest, "batch_delay", every_type, duration(&Dest::batch_delay, 0ms, 1h),
     "A batch is sent when its oldest event has waited this long; at once when nothing else is "
     "on its way."},
    {dest, "queue_events_max", every_type, count(&Dest::queue_events_max, 1, 100'000'000),
     "Events that may wait in memory."},
    {dest, "queue_bytes_max", every_type, size(&Dest::queue_bytes_max, 4 * kib, 1024 * gib),
     "Bytes of events that may wait in memory."},
    {dest, "when_full", every_type,
     choice(&Dest::when_full, {{"drop_newest", WhenFull::drop_newest},
                               {"drop_oldest", WhenFull::drop_oldest}}),
     "What a full queue gives up: the event that comes, or the one that waited longest."},

    {dest, "concurrency_max", http, count(&Dest::concurrency_max, 1, 256),
     "Requests on their way at the same time."},
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
    Later{"spool", "", ""},
    Later{"admin", "", ""},
    Later{"ingest", "confirm_endpoint", ""},
    Later{"destination", "signing_secret_file", ""},
    Later{"destination", "compression", ""},
    Later{"destination", "rate_max", ""},
    Later{"destination", "type", "nats"},
    Later{"destination", "format", "cloudevents"},
    Later{"destination", "format", "payload"},
    Later{"destination", "when_full", "spool"},
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
       "A-Z a-z 0-9 _ -)."},
      {"shutdown", "shutdown", "How the sidecar stops."},
      {"log", "log", "What the sidecar says of itself."},
  };
  return table;
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
