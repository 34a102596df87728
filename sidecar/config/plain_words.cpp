#include "sidecar/config/plain_words.hpp"

#include "sidecar/base/text.hpp"
#include "sidecar/base/units.hpp"
#include "sidecar/config/checks.hpp"
#include "sidecar/config/messages.hpp"
#include "sidecar/config/options.hpp"
#include "sidecar/config/policy_text.hpp"

namespace outrider::sidecar {
namespace {

std::string joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : ", ") + part;
  return text;
}

std::string counted(std::uint64_t count, const std::string& noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

/// What is sent and retried as a whole.
std::string unit(const DestinationConfig& destination) {
  return sends_one_event(destination) ? "An event" : "A batch";
}

std::string what_it_gets(const DestinationConfig& destination) {
  const bool gets_all = joined(destination.topics) == ">";
  std::string text = gets_all ? "gets every event" : "gets topics " + joined(destination.topics);
  if (!destination.exclude.empty()) text += ", except topics " + joined(destination.exclude);
  return text;
}

std::string value_of(std::string_view key, const DestinationConfig& destination) {
  return find_option("destination", key)->value.format({Config{}, destination, {}}).front();
}

std::string format_name(const DestinationConfig& destination) {
  std::string text = value_of("format", destination);
  if (destination.format != BodyFormat::cloudevents) return text;
  if (destination.type == DestinationType::http) {
    text += " in " + value_of("cloudevents_mode", destination) + " mode";
  }
  return text + " with the source " + url_without_secrets(destination.cloudevents_source);
}

std::string compressed(const DestinationConfig& destination) {
  if (destination.compression == Compression::none) return "";
  return ", compressed by " + value_of("compression", destination) + " at level " +
         std::to_string(destination.compression_level);
}

std::string where_it_goes(const DestinationConfig& destination) {
  std::vector<std::string> urls;
  for (const std::string& url : destination.urls) urls.push_back(url_without_secrets(url));
  switch (destination.type) {
    case DestinationType::http:
      return std::string("sends ") + (sends_one_event(destination) ? "each" : "them") + " by " +
             destination.method + " to " + joined(urls) +
             (urls.size() > 1 ? ", each request to the one that is up and least busy," : "") +
             " as " + format_name(destination) + compressed(destination);
    case DestinationType::file:
      return "appends them to " + destination.path + " as " + format_name(destination);
    case DestinationType::stdout_:
      return "writes them to standard output as " + format_name(destination);
    case DestinationType::zmq:
      break;
  }
  return std::string("sends each as a ZeroMQ message in ") + format_name(destination) +
         (destination.zmq_pattern == ZmqPattern::pub ? " to every subscriber, "
                                                     : " to one of the workers, ") +
         (destination.zmq_bind ? "bound to " : "connected to ") + joined(urls);
}

std::string named(const std::string& noun, const std::vector<std::string>& headers) {
  std::vector<std::string> names;
  names.reserve(headers.size());
  for (const std::string& header : headers) {
    names.emplace_back(trim(std::string_view(header).substr(0, header.find(':'))));
  }
  return noun + (names.size() == 1 ? " " : "s ") + joined(names);
}

std::string how_it_connects(const DestinationConfig& destination) {
  if (destination.type != DestinationType::http) return "";
  std::string text;
  if (destination.http_version == HttpVersion::http2) text += " It speaks HTTP/2.";
  text += " No connection is used for longer than " +
          format_duration(destination.connection_age_max) + ".";
  if (destination.proxy != "none") {
    text += destination.proxy == "environment"
                ? " It uses the proxy that the environment names"
                : " It uses the proxy " + url_without_secrets(destination.proxy);
    text += destination.proxy_auth_file.empty() ? "." : ", with a user and password.";
  }
  if (destination.deny_private_addresses) text += " It connects to public addresses only.";
  return text;
}

std::string how_it_is_secured(const DestinationConfig& destination) {
  if (destination.type != DestinationType::http) return "";
  std::string text;
  const auto add = [&](bool is_so, const std::string& sentence) {
    if (is_so) text += " " + sentence + ".";
  };
  add(!destination.ca_file.empty(),
      "It trusts the certificates in " + destination.ca_file + " instead of the system's");
  add(!destination.tls_server_name.empty(),
      "The receiver's certificate must be for " + destination.tls_server_name);
  add(destination.tls_version_min == TlsVersion::tls13, "It speaks TLS 1.3 or newer");
  add(!destination.cert_file.empty(),
      "It shows the certificate in " + destination.cert_file +
          (destination.key_file.empty() ? "" : ", whose key is in " + destination.key_file));
  add(!destination.bearer_token_file.empty(), "It sends a bearer token");
  add(!destination.basic_auth_file.empty(), "It sends a user and password");
  add(!destination.headers.empty(), "It sends the " + named("header", destination.headers));
  add(!destination.secret_headers.empty(),
      "It sends the " + named("secret header", destination.secret_headers));
  add(!destination.signing_secret_files.empty(), "Each request is signed as a Standard Webhook");
  return text;
}

std::string how_it_changes(const DestinationConfig& destination) {
  std::string text;
  const auto add = [&](const char* what, const std::vector<std::string>& fields) {
    if (!fields.empty()) text += (text.empty() ? " It " : ", ") + (what + joined(fields));
  };
  add("redacts ", destination.redact);
  add("leaves out ", destination.drop_fields);
  add("renames ", destination.rename_fields);
  std::vector<std::string> added;
  for (const std::string& field : destination.static_fields) {
    added.push_back(line_without_secret(field));
  }
  add("adds ", added);
  if (!text.empty()) text += ".";
  if (destination.sample_rate < 1) {
    text += " Of the events it keeps " + format_share(destination.sample_rate) +
            ", the rest is counted as sampled.";
  }
  return text;
}

std::string requests_at_a_time(const DestinationConfig& destination) {
  const std::uint64_t min = destination.concurrency_min;
  const std::uint64_t max = destination.concurrency_max;
  if (min == max) {
    return "; " + counted(max, "request") + (max == 1 ? " is on its way" : " are on their way") +
           " at a time";
  }
  return "; " + std::to_string(min) + " to " + std::to_string(max) +
         " requests are on their way at a time, as many as the receiver answers without queueing "
         "them";
}

std::string how_it_batches(const DestinationConfig& destination) {
  std::string text = "Each event is a request of its own";
  if (!sends_one_event(destination)) {
    text = "A batch leaves at once when nothing else is on its way, otherwise when it has " +
           counted(destination.batch_events_max, "event") + " or " +
           format_size(destination.batch_bytes_max) + " or is " +
           format_duration(destination.batch_delay) + " old";
  }
  if (destination.type == DestinationType::http) text += requests_at_a_time(destination);
  const std::string rates = format_rates(destination.rate_max);
  if (!rates.empty()) text += "; on average at most " + rates + " leave";
  text += ". An event whose body alone is larger than " + format_size(destination.body_bytes_max) +
          " is a dead letter.";
  if (destination.ordering == Ordering::key) {
    text += " Events with the same key arrive in order, also over retries.";
  }
  return text;
}

std::string what_it_holds(const DestinationConfig& destination) {
  std::string text = "It keeps at most " + counted(destination.queue_events_max, "event") + " or " +
                     format_size(destination.queue_bytes_max) +
                     " waiting in memory; when that is full, ";
  if (destination.when_full == WhenFull::spool) {
    text += "what comes goes to disk and back.";
  } else {
    text += destination.when_full == WhenFull::drop_newest
                ? "an event that comes is dropped and counted"
                : "the oldest events are dropped and counted to make room";
    text += ", low priority first and high priority last.";
  }
  if (destination.type == DestinationType::zmq) {
    text += " What is over " + counted(destination.zmq_send_events_max, "message") +
            " for a slow peer is dropped and counted.";
  }
  return text;
}

std::string what_fails(const DestinationConfig& destination) {
  const std::string timeout = format_duration(destination.timeout);
  if (destination.type == DestinationType::http) {
    // Connecting is a part of the request.
    const Duration connecting = std::min(destination.connect_timeout, destination.timeout);
    return "A request fails that has no connection after " + format_duration(connecting) +
           " or no answer after " + timeout + ". ";
  }
  if (destination.type == DestinationType::zmq && destination.zmq_pattern == ZmqPattern::push) {
    return "A message fails that no worker takes within " + timeout + ". ";
  }
  return "";
}

std::string how_it_retries(const DestinationConfig& destination) {
  std::string text = what_fails(destination) + unit(destination);
  if (destination.retry_attempts_max == 1) {
    return text + " that fails is not tried again: it is a dead letter, counted and logged.";
  }
  text += " that fails and may yet succeed is tried again after a random wait of up to " +
          format_duration(destination.retry_initial) + ", doubling up to " +
          format_duration(destination.retry_max) + ", for " +
          format_duration(destination.retry_age_max);
  if (destination.retry_attempts_max != 0) {
    text += " or " + std::to_string(destination.retry_attempts_max) + " attempts";
  }
  text += "; then it is a dead letter, counted and logged.";
  if (destination.retry_share_max < 1) {
    text += " Retries are at most " + format_share(destination.retry_share_max) +
            " of the requests, but always 10 a second.";
  }
  return text;
}

std::string when_it_pauses(const DestinationConfig& destination) {
  std::string when;
  if (destination.breaker_failures != 0) {
    when = counted(destination.breaker_failures, "failure") + " in a row";
  }
  if (destination.breaker_failure_rate != 0) {
    when += (when.empty() ? "" : ", or ") + format_share(destination.breaker_failure_rate) +
            " failures among the requests of 10s,";
  }
  if (when.empty()) return "";
  std::string text = "After " + when + " one request at a time probes it until it answers.";
  if (destination.type == DestinationType::http &&
      destination.concurrency_min != destination.concurrency_max) {
    text += " Then it starts slowly: " + counted(destination.concurrency_min, "request") +
            " at a time, and twice as many with each round of answers.";
  }
  return text;
}

std::string what_answers_mean(const DestinationConfig& destination) {
  if (destination.type != DestinationType::http) return "";
  std::string text =
      "2xx is delivered; 408, 421, 425, 429, 5xx and no answer are tried again, after Retry-After "
      "if "
      "there is one; ";
  if (!sends_one_event(destination)) text += "413 halves the batch; ";
  text +=
      "401 and 403 hold everything, and one request at a time probes whether they are mended; 410 "
      "ends the ";
  if (destination.urls.size() > 1) text += "url, and with the last one the ";
  text += "destination; any other status makes a dead letter";
  text +=
      destination.redirects_max == 0
          ? ", a redirect too"
          : "; redirects are followed, " + std::to_string(destination.redirects_max) + " at most";
  text += ".";
  if (!destination.status_actions.empty()) {
    text += " Different from that: " + format_status_actions(destination.status_actions) + ".";
  }
  return text;
}

std::string what_is_on_disk(const DestinationConfig& destination) {
  return "On disk, at most " + format_size(destination.spool_bytes_max) +
         ": what was confirmed, what has a later date, what is left when the sidecar stops, and "
         "dead letters. After " +
         format_duration(destination.spool_age_max) +
         " an event that is answered with a failure is not tried again, once this run has tried it "
         "for a tenth of that. " +
         (destination.spool_order == SpoolOrder::oldest_first
              ? "What waits there goes before what comes."
              : "What comes goes before what waits there, while there is room in memory.");
}

}  // namespace

std::string plain_words(const DestinationConfig& destination, bool has_spool) {
  std::string text = destination.name + " " + what_it_gets(destination) + " and " +
                     where_it_goes(destination) + ".\n";
  for (const auto& describe : {how_it_connects, how_it_is_secured, how_it_changes, how_it_batches,
                               what_it_holds, how_it_retries, when_it_pauses, what_answers_mean}) {
    const std::string sentences = describe(destination);
    if (!sentences.empty()) text += "  " + std::string(trim(sentences)) + "\n";
  }
  if (has_spool) text += "  " + what_is_on_disk(destination) + "\n";
  return text;
}

}  // namespace outrider::sidecar
