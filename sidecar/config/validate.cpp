#include "sidecar/config/validate.hpp"

#include <algorithm>
#include <functional>
#include <map>

#include "sidecar/base/field_path.hpp"
#include "sidecar/base/text.hpp"
#include "sidecar/base/units.hpp"
#include "sidecar/config/checks.hpp"
#include "sidecar/config/endpoint.hpp"
#include "sidecar/config/messages.hpp"
#include "sidecar/config/options.hpp"
#include "sidecar/config/pem.hpp"
#include "sidecar/config/schedule_checks.hpp"
#include "sidecar/config/secret_files.hpp"
#include "sidecar/config/section_view.hpp"
#include "sidecar/config/topic_cover.hpp"
#include "sidecar/config/validate_admin.hpp"
#include "sidecar/config/validate_http.hpp"

namespace outrider::sidecar {
namespace {

using SectionOf = std::function<SectionView(const std::string& title)>;

/// Events come in, or go out, unencrypted and without a question who asks.
void warn_of_reach(const std::string& key, const std::string& text, std::size_t index,
                   const SectionView& section) {
  const Result<Endpoint> endpoint = parse_bind_endpoint(text);
  if (!endpoint.ok() || is_on_this_machine(endpoint.value())) return;
  section.warn_of(key,
                  in_quotes(text) +
                      " can be reached from other machines without encryption or authentication; "
                      "use 127.0.0.1 or ipc://, or block the port in a firewall",
                  index);
}

void warn_of_mode(std::uint32_t mode, const SectionView& section) {
  if ((mode & 0002U) != 0) {
    section.warn_of("socket_mode",
                    "every user of this machine can send events; set 0660, and socket_group");
  } else if ((mode & 0020U) == 0) {
    section.warn_of("socket_mode",
                    "apps of other users cannot connect, because that requires write permission; "
                    "set 0660, and socket_group");
  }
}

void validate_ingest(const IngestConfig& ingest, const SectionView& section) {
  section.must_not_exceed("event_bytes_max", ingest.event_bytes_max, "frame_bytes_max",
                          ingest.frame_bytes_max, format_size);
  section.must_be_distinct("endpoint", ingest.endpoints);
  for (std::size_t i = 0; i < ingest.endpoints.size() && !section.has_failed("endpoint"); ++i) {
    warn_of_reach("endpoint", ingest.endpoints[i], i, section);
  }
  const bool has_ipc =
      std::any_of(ingest.endpoints.begin(), ingest.endpoints.end(),
                  [](const std::string& endpoint) { return endpoint.starts_with("ipc://"); });
  if (!section.is_given("socket_mode") && !section.is_given("socket_group")) return;
  if (!has_ipc && ingest.confirm_endpoint.starts_with("tcp://")) {
    for (const char* key : {"socket_mode", "socket_group"}) {
      if (section.is_given(key)) section.warn_of(key, "has no effect: no endpoint is ipc");
    }
  } else if (!section.has_failed("socket_mode")) {
    warn_of_mode(ingest.socket_mode, section);
  }
}

void validate_spool(const Config& config, const SectionView& spool, const SectionView& ingest) {
  if (!config.spool.path.empty() || spool.has_failed("path")) {
    const auto& endpoints = config.ingest.endpoints;
    const std::string& confirm = config.ingest.confirm_endpoint;
    if (std::find(endpoints.begin(), endpoints.end(), confirm) != endpoints.end()) {
      ingest.complain_of(
          "confirm_endpoint",
          in_quotes(confirm) + " is also an endpoint of [ingest]; choose a different one");
    }
    if (!ingest.has_failed("confirm_endpoint")) {
      warn_of_reach("confirm_endpoint", confirm, 0, ingest);
    }
    for (const auto& [key, limit] : {std::pair{"dead_events_max", config.spool.dead_events_max},
                                     std::pair{"dead_bytes_max", config.spool.dead_bytes_max}}) {
      if (limit == 0 && !spool.has_failed(key))
        spool.warn_of(key, "with 0, no dead letters are kept");
    }
    return;
  }
  if (ingest.is_given("confirm_endpoint")) {
    ingest.complain_of("confirm_endpoint", "requires a spool; set [spool] path");
  }
  for (const char* key : {"sync", "bytes_max", "free_bytes_min", "dead_events_max",
                          "dead_bytes_max", "dead_age_max"}) {
    if (!spool.is_given(key)) continue;
    spool.complain_of(key, "requires a spool; set [spool] path");
  }
}

void validate_spooling(const DestinationConfig& destination, const SpoolConfig& spool,
                       const SectionView& section) {
  if (destination.spool_order == SpoolOrder::fresh_first && destination.ordering == Ordering::key) {
    section.complain_of("spool_order",
                        "fresh_first conflicts with ordering = key; choose one of them");
  }
  if (!spool.path.empty()) {
    if (destination.type == DestinationType::zmq && !section.has_failed("type")) {
      section.warn_of(
          "type",
          "zmq acknowledges nothing: a confirmed event leaves the spool when ZeroMQ has "
          "taken it, and is lost if the peer disconnects before it reads the event");
    }
    if (section.is_given("spool_bytes_max") && !section.has_failed("spool_bytes_max") &&
        destination.spool_bytes_max > spool.bytes_max) {
      section.warn_of("spool_bytes_max",
                      format_size(destination.spool_bytes_max) + " exceeds bytes_max of [spool] (" +
                          format_size(spool.bytes_max) + "), which applies first");
    }
    return;
  }
  if (destination.when_full == WhenFull::spool && !section.has_failed("when_full")) {
    section.complain_of(
        "when_full", "spool requires [spool] path; set it, or choose drop_newest or drop_oldest");
  }
  if (destination.on_remove == OnRemove::spool && !section.has_failed("on_remove")) {
    section.complain_of("on_remove",
                        "spool requires [spool] path; set it, or choose drain or drop");
  }
  for (const char* key : {"spool_order", "spool_bytes_max", "spool_age_max"}) {
    if (section.is_given(key)) section.complain_of(key, "requires a spool; set [spool] path");
  }
}

void validate_endpoints(const DestinationConfig& destination, const SectionView& section) {
  for (std::size_t i = 0; i < destination.urls.size() && !section.has_failed("url"); ++i) {
    const std::string& url = destination.urls[i];
    const Result<Endpoint> endpoint =
        destination.zmq_bind ? parse_bind_endpoint(url) : parse_connect_endpoint(url);
    if (!endpoint.ok()) {
      section.complain_of("url", endpoint.error().message, i);
    } else if (destination.zmq_bind) {
      warn_of_reach("url", url, i, section);
    } else if (!is_on_this_machine(endpoint.value())) {
      section.warn_of("url",
                      in_quotes(url) +
                          " is on another machine, and nothing is encrypted; anyone on the network "
                          "path can read the events",
                      i);
    }
  }
  section.must_be_distinct("url", destination.urls);
}

void validate_required(const DestinationConfig& destination, const SectionView& section) {
  const bool needs_url =
      destination.type == DestinationType::http || destination.type == DestinationType::zmq;
  const bool needs_path = destination.type == DestinationType::file;
  if ((!needs_url || section.is_given("url")) && (!needs_path || section.is_given("path"))) return;
  section.complain(section.origin(""),
                   "[destination." + destination.name + "] has no " + (needs_url ? "url" : "path") +
                       "; type " + std::string(name_of(destination.type)) + " requires one");
}

void validate_field_rules(const DestinationConfig& destination, const SectionView& section) {
  const std::size_t rules = destination.redact.size() + destination.drop_fields.size() +
                            destination.rename_fields.size() + destination.static_fields.size();
  if (rules > field_rules_max) {
    section.complain(section.origin("redact"),
                     "redact, drop_fields, rename_field and static_field have " +
                         std::to_string(rules) + " rules together; at most " +
                         std::to_string(field_rules_max) + " are allowed");
  }
  if (section.has_failed("static_field")) return;
  // Each would add a field, and the map would have one key twice.
  std::map<std::string, std::size_t, std::less<>> first;
  for (std::size_t i = 0; i < destination.static_fields.size(); ++i) {
    const std::string_view text = destination.static_fields[i];
    const std::string path(trim(text.substr(0, text.find(':'))));
    const auto [same, is_new] = first.emplace(path, i);
    if (is_new) continue;
    section.complain_of("static_field",
                        in_quotes(path) + " is given twice; the first is at " +
                            section.origin("static_field", same->second).text(),
                        i);
  }
}

void validate_format(const DestinationConfig& destination, const SectionView& section) {
  const auto belongs_to = [&](const char* key, bool is_right, const char* to) {
    if (!section.is_given(key) || section.has_failed(key) || is_right) return;
    section.complain_of(key, std::string("applies only with ") + to);
  };
  const bool is_cloudevents = destination.format == BodyFormat::cloudevents;
  if (!section.has_failed("format")) {
    belongs_to("cloudevents_mode", is_cloudevents, "format = cloudevents");
    belongs_to("cloudevents_source", is_cloudevents, "format = cloudevents");
  }
  if (destination.type == DestinationType::file && destination.format == BodyFormat::msgpack) {
    section.warn_of(
        "format",
        "msgpack has no line ends; if the sidecar is killed in the middle of a write, readers of "
        "the file cannot tell where the next event begins; use json if the file must survive that");
  }
  if (section.has_failed("compression") || section.has_failed("compression_level")) return;
  belongs_to("compression_level", destination.compression != Compression::none,
             "compression = gzip or zstd");
}

/// Each file once: to parse the system's certificates for each of many destinations takes long.
void validate_ca_files(const Config& config, const SectionOf& section) {
  std::map<std::string, Status> checked;
  for (const DestinationConfig& destination : config.destinations) {
    const SectionView view = section("destination." + destination.name);
    const std::string& file = destination.ca_file;
    if (file.empty() || view.has_failed("ca_file")) continue;
    auto found = checked.find(file);
    if (found == checked.end()) found = checked.emplace(file, check_ca_file(file)).first;
    if (found->second.ok()) continue;
    view.complain(view.origin("ca_file"), "ca_file: " + found->second.error().message);
  }
}

void validate_topics(const DestinationConfig& destination, const SectionView& section) {
  if (section.has_failed("topics") || section.has_failed("exclude")) return;
  if (destination.topics.empty()) {
    section.complain(section.origin("topics"),
                     "topics is empty; write patterns, or remove the key to receive all topics");
    return;
  }
  if (std::all_of(destination.topics.begin(), destination.topics.end(),
                  [&](const std::string& topic) { return covers(destination.exclude, topic); })) {
    section.warn(section.origin("exclude"), "exclude covers all topics of " +
                                                in_quotes(destination.name) +
                                                "; it never receives an event");
  }
}

void validate_destination(const DestinationConfig& destination, const IngestConfig& ingest,
                          const SectionView& section) {
  if (!section.has_failed("type")) {
    validate_required(destination, section);
    if (destination.type == DestinationType::http) validate_http(destination, section);
    if (destination.type == DestinationType::zmq) validate_endpoints(destination, section);
  }
  warn_of_readers(destination, section);
  validate_field_rules(destination, section);
  validate_format(destination, section);
  validate_topics(destination, section);
  section.must_not_exceed("batch_bytes_max", destination.batch_bytes_max, "queue_bytes_max",
                          destination.queue_bytes_max, format_size);
  section.must_not_exceed("batch_bytes_max", destination.batch_bytes_max, "body_bytes_max",
                          destination.body_bytes_max, format_size);
  section.must_not_exceed("concurrency_min", destination.concurrency_min, "concurrency_max",
                          destination.concurrency_max,
                          [](std::uint64_t count) { return std::to_string(count); });
  section.must_not_exceed("retry_initial", destination.retry_initial, "retry_max",
                          destination.retry_max, format_duration);
  if (!sends_one_event(destination) &&
      destination.batch_events_max > destination.queue_events_max &&
      !section.has_failed("batch_events_max") && !section.has_failed("queue_events_max")) {
    section.warn(section.origin(section.is_given("batch_events_max") ? "batch_events_max"
                                                                     : "queue_events_max"),
                 "batch_events_max (" + std::to_string(destination.batch_events_max) +
                     ") exceeds queue_events_max (" + std::to_string(destination.queue_events_max) +
                     "); a batch can never have that many events");
  }
  if (ingest.event_bytes_max > destination.queue_bytes_max) {
    section.warn(section.origin("queue_bytes_max"),
                 "queue_bytes_max (" + format_size(destination.queue_bytes_max) +
                     ") is less than ingest.event_bytes_max (" +
                     format_size(ingest.event_bytes_max) +
                     "); events of a size in between are dropped");
  }
}

}  // namespace

void validate(LoadedConfig& loaded, const std::set<std::string, std::less<>>& failed,
              const std::string& file, std::vector<Problem>& problems) {
  const Config& config = loaded.config;
  const Origin nowhere{file, 1};
  const auto section = [&](const std::string& title) {
    return SectionView(loaded, failed, title, nowhere, problems);
  };
  validate_ingest(config.ingest, section("ingest"));
  validate_spool(config, section("spool"), section("ingest"));
  validate_admin(config, section("admin"));
  for (const DestinationConfig& destination : config.destinations) {
    const SectionView view = section("destination." + destination.name);
    validate_destination(destination, config.ingest, view);
    validate_spooling(destination, config.spool, view);
  }
  validate_ca_files(config, section);
  for (const ScheduleConfig& schedule : config.schedules) {
    validate_schedule(schedule, config, section("schedule." + schedule.name));
  }
  if (config.destinations.empty() && problems.empty()) {
    problems.push_back(
        {nowhere, "there is no [destination.NAME] section, so no events would be sent; add one"});
  }
  const auto must_not_exceed = [&](std::size_t count, const char* noun, std::size_t max) {
    if (count <= max) return;
    problems.push_back({nowhere, "there are " + std::to_string(count) + " " + noun + "; at most " +
                                     std::to_string(max) + " are allowed"});
  };
  must_not_exceed(config.destinations.size(), "destinations", destinations_max);
  must_not_exceed(config.schedules.size(), "schedules", schedules_max);
}

}  // namespace outrider::sidecar
