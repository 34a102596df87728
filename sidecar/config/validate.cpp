#include "sidecar/config/validate.hpp"

#include <algorithm>
#include <functional>
#include <map>

#include "sidecar/base/event_template.hpp"
#include "sidecar/base/field_path.hpp"
#include "sidecar/base/text.hpp"
#include "sidecar/base/units.hpp"
#include "sidecar/config/checks.hpp"
#include "sidecar/config/http_url.hpp"
#include "sidecar/config/messages.hpp"
#include "sidecar/config/options.hpp"
#include "sidecar/config/pem.hpp"

namespace outrider::sidecar {
namespace {

/// The settings of one section, with what is known of them.
class SectionView {
 public:
  SectionView(LoadedConfig& loaded, const std::set<std::string, std::less<>>& failed,
              std::string title, Origin fallback, std::vector<Problem>& problems)
      : loaded_(loaded),
        failed_(failed),
        title_(std::move(title)),
        fallback_(std::move(fallback)),
        problems_(problems) {}

  bool has_failed(const std::string& key) const { return failed_.contains(title_ + "." + key); }
  bool is_given(const std::string& key) const {
    return loaded_.origins.contains(title_ + "." + key);
  }

  /// Where the value stands, else where its section begins.
  Origin origin(const std::string& key, std::size_t index = 0) const {
    const auto found = loaded_.origins.find(title_ + "." + key);
    if (found != loaded_.origins.end() && index < found->second.size()) return found->second[index];
    const auto section = loaded_.origins.find(title_);
    return section != loaded_.origins.end() ? section->second.front() : fallback_;
  }
  void complain(const Origin& origin, std::string message) const {
    problems_.push_back({origin, std::move(message)});
  }
  void warn(const Origin& origin, const std::string& message) const {
    loaded_.warnings.push_back(origin.text() + ": " + message);
  }

  /// Complains at the place of whichever of the two was written when `low` is more than `high`.
  template <typename T, typename Format>
  void must_not_exceed(const std::string& low_key, T low, const std::string& high_key, T high,
                       Format format) const {
    if (has_failed(low_key) || has_failed(high_key) || low <= high) return;
    complain(origin(is_given(low_key) ? low_key : high_key),
             low_key + " (" + format(low) + ") is more than " + high_key + " (" + format(high) +
                 "); raise the one or lower the other");
  }

  void must_be_distinct(const std::string& key, const std::vector<std::string>& values) const {
    if (has_failed(key)) return;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto end = values.begin() + static_cast<std::ptrdiff_t>(i);
      const auto same = std::find(values.begin(), end, values[i]);
      if (same == end) continue;
      const auto first = static_cast<std::size_t>(same - values.begin());
      complain(origin(key, i), key + " " + in_quotes(without_user_info(values[i])) +
                                   " is given twice; the first is at " + origin(key, first).text());
    }
  }

 private:
  LoadedConfig& loaded_;
  const std::set<std::string, std::less<>>& failed_;
  std::string title_;
  Origin fallback_;
  std::vector<Problem>& problems_;
};

using SectionOf = std::function<SectionView(const std::string& title)>;

void validate_ingest(const IngestConfig& ingest, const SectionView& section) {
  section.must_not_exceed("event_bytes_max", ingest.event_bytes_max, "frame_bytes_max",
                          ingest.frame_bytes_max, format_size);
  section.must_be_distinct("endpoint", ingest.endpoints);
}

void validate_urls(const DestinationConfig& destination, const SectionView& section) {
  const bool is_http = destination.type == DestinationType::http;
  for (std::size_t i = 0; i < destination.urls.size() && !section.has_failed("url"); ++i) {
    const std::string& url = destination.urls[i];
    const Status status = is_http ? check_http_url(url) : check_endpoint(url);
    if (!status.ok()) {
      section.complain(section.origin("url", i), "url: " + status.error().message);
    } else if (is_http && is_plain_http_elsewhere(url)) {
      section.warn(section.origin("url", i),
                   "url " + in_quotes(without_user_info(url)) +
                       " is plain http to another machine; everybody on the way can read the "
                       "events");
    }
  }
  section.must_be_distinct("url", destination.urls);
}

void validate_required(const DestinationConfig& destination, const SectionView& section) {
  const bool needs_url =
      destination.type == DestinationType::http || destination.type == DestinationType::zmq;
  const bool needs_path = destination.type == DestinationType::file;
  if ((!needs_url || section.is_given("url")) && (!needs_path || section.is_given("path"))) return;
  section.complain(section.origin(""), "[destination." + destination.name + "] of type " +
                                           std::string(name_of(destination.type)) + " needs " +
                                           (needs_url ? "a url" : "a path"));
}

/// The name of a header, "Name: value", in small letters.
std::string header_name(const std::string& header) {
  return to_lower(trim(std::string_view(header).substr(0, header.find(':'))));
}

/// The same header from two places would be sent twice.
void validate_headers(const DestinationConfig& destination, const SectionView& section) {
  if (section.has_failed("header") || section.has_failed("secret_header")) return;
  std::map<std::string, std::string> origin_of;
  const auto add = [&](const std::string& name, const std::string& key, std::size_t index) {
    const auto [first, is_new] = origin_of.emplace(name, key);
    if (is_new || (key == "header" && first->second == key)) return;
    section.complain(
        section.origin(key, index),
        "header " + in_quotes(name) + " is set twice, by " + first->second + " and by " + key);
  };
  if (section.is_given("bearer_token_file")) add("authorization", "bearer_token_file", 0);
  if (section.is_given("basic_auth_file")) add("authorization", "basic_auth_file", 0);
  for (std::size_t i = 0; i < destination.secret_headers.size(); ++i) {
    add(header_name(destination.secret_headers[i]), "secret_header", i);
  }
  for (std::size_t i = 0; i < destination.headers.size(); ++i) {
    add(header_name(destination.headers[i]), "header", i);
  }
}

void validate_format(const DestinationConfig& destination, const SectionView& section) {
  const auto belongs_to = [&](const char* key, bool is_right, const char* to) {
    if (!section.is_given(key) || section.has_failed(key) || is_right) return;
    section.complain(section.origin(key), std::string(key) + " is for " + to);
  };
  const bool is_cloudevents = destination.format == BodyFormat::cloudevents;
  if (!section.has_failed("format")) {
    belongs_to("cloudevents_mode", is_cloudevents, "format = cloudevents");
    belongs_to("cloudevents_source", is_cloudevents, "format = cloudevents");
  }
  const std::size_t rules = destination.redact.size() + destination.drop_fields.size() +
                            destination.rename_fields.size() + destination.static_fields.size();
  if (rules > field_rules_max) {
    section.complain(section.origin("redact"),
                     "redact, drop_fields, rename_field and static_field have " +
                         std::to_string(rules) + " rules together; at most " +
                         std::to_string(field_rules_max) + " are allowed");
  }
  if (section.has_failed("compression") || section.has_failed("compression_level")) return;
  belongs_to("compression_level", destination.compression != Compression::none,
             "compression = gzip or zstd");
  constexpr std::uint64_t gzip_level_max = 12;
  if (destination.compression == Compression::gzip &&
      destination.compression_level > gzip_level_max) {
    section.complain(section.origin("compression_level"), "gzip has levels up to 12");
  }
}

/// The events of a batch cannot all be named in one request line.
void validate_templates(const DestinationConfig& destination, const SectionView& section) {
  const bool sends_one_event = destination.format == BodyFormat::payload ||
                               (destination.format == BodyFormat::cloudevents &&
                                destination.cloudevents_mode != CloudEventsMode::batch);
  if (destination.type != DestinationType::http || sends_one_event ||
      section.has_failed("format")) {
    return;
  }
  const auto must_be_constant = [&](const std::string& key, std::size_t index,
                                    std::string_view text, EventTemplate::Place place) {
    const Result<EventTemplate> parsed = EventTemplate::parse(text, place);
    if (!parsed.ok() || parsed.value().is_constant()) return;
    section.complain(section.origin(key, index),
                     key +
                         " holds {fields} of an event, but each request takes many; write "
                         "format = payload, or cloudevents with cloudevents_mode = structured "
                         "or binary, or {{ and }} for braces");
  };
  for (std::size_t i = 0; i < destination.urls.size(); ++i) {
    const Result<HttpUrl> url = parse_http_url(destination.urls[i]);
    if (url.ok()) must_be_constant("url", i, url.value().target, EventTemplate::Place::url);
  }
  must_be_constant("method", 0, destination.method, EventTemplate::Place::method);
  for (std::size_t i = 0; i < destination.headers.size(); ++i) {
    must_be_constant("header", i, destination.headers[i], EventTemplate::Place::header);
  }
}

void validate_connection(const DestinationConfig& destination, const SectionView& section) {
  const bool has_proxy = destination.proxy != "none";
  if (has_proxy && destination.deny_private_addresses && !section.has_failed("proxy")) {
    section.complain(section.origin("deny_private_addresses"),
                     "deny_private_addresses needs proxy = none: a proxy connects to addresses "
                     "that nobody here sees");
  }
  for (std::size_t i = 0; i < destination.urls.size(); ++i) {
    const Result<HttpUrl> url = parse_http_url(destination.urls[i]);
    if (!destination.deny_private_addresses || !url.ok() || url.value().unix_path.empty()) continue;
    section.complain(section.origin("url", i),
                     "a Unix socket is on this machine, which deny_private_addresses forbids");
  }
  if (!has_proxy && section.is_given("proxy_auth_file")) {
    section.complain(section.origin("proxy_auth_file"), "proxy_auth_file needs a proxy");
  }
}

void validate_identity(const DestinationConfig& destination, const SectionView& section) {
  if (section.is_given("key_file") && !section.is_given("cert_file")) {
    section.complain(section.origin("key_file"), "key_file needs a cert_file");
  }
  if (section.is_given("cert_file") && !section.has_failed("cert_file") &&
      !section.has_failed("key_file")) {
    const Status pair = check_key_pair_files(destination.cert_file, destination.key_file);
    if (!pair.ok()) section.complain(section.origin("cert_file"), pair.error().message);
  }
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
                     "topics is empty; write patterns, or leave it out for all topics");
    return;
  }
  const auto is_excluded = [&](const std::string& topic) {
    return std::any_of(destination.exclude.begin(), destination.exclude.end(),
                       [&](const std::string& pattern) { return covers(pattern, topic); });
  };
  if (std::all_of(destination.topics.begin(), destination.topics.end(), is_excluded)) {
    section.warn(section.origin("exclude"), "exclude covers all topics of " +
                                                in_quotes(destination.name) +
                                                "; it will never get an event");
  }
}

void validate_destination(const DestinationConfig& destination, const IngestConfig& ingest,
                          const SectionView& section) {
  if (!section.has_failed("type")) {
    validate_required(destination, section);
    validate_urls(destination, section);
  }
  validate_format(destination, section);
  validate_templates(destination, section);
  validate_connection(destination, section);
  validate_identity(destination, section);
  validate_headers(destination, section);
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
  if (ingest.event_bytes_max > destination.queue_bytes_max) {
    section.warn(section.origin("queue_bytes_max"),
                 "queue_bytes_max (" + format_size(destination.queue_bytes_max) +
                     ") is less than ingest.event_bytes_max (" +
                     format_size(ingest.event_bytes_max) + "); events between are dropped");
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
  for (const DestinationConfig& destination : config.destinations) {
    validate_destination(destination, config.ingest, section("destination." + destination.name));
  }
  validate_ca_files(config, section);
  if (config.destinations.empty() && problems.empty()) {
    problems.push_back(
        {nowhere, "there is no [destination.NAME] section; events would go nowhere"});
  }
  if (config.destinations.size() > destinations_max) {
    problems.push_back({nowhere, "there are " + std::to_string(config.destinations.size()) +
                                     " destinations; at most " + std::to_string(destinations_max) +
                                     " are allowed"});
  }
}

}  // namespace outrider::sidecar
