#include "sidecar/config/explain.hpp"

#include "sidecar/base/text.hpp"
#include "sidecar/base/units.hpp"
#include "sidecar/config/messages.hpp"
#include "sidecar/config/options.hpp"
#include "sidecar/config/policy_text.hpp"

namespace outrider::sidecar {
namespace {

std::string shown(const Option& option, const std::string& value) {
  if (value.empty()) return "(not set)";
  if (option.key == "header") return without_secret(value);
  if (option.key == "url") return without_user_info(value);
  return value;
}

std::string setting_line(std::string_view key, const std::string& value,
                         const std::string& origin) {
  constexpr std::size_t origin_column = 60;
  std::string line = "  " + std::string(key) + " = " + value;
  line += line.size() < origin_column ? std::string(origin_column - line.size(), ' ') : "  ";
  return line + origin + "\n";
}

std::string explain_section(const LoadedConfig& loaded, std::string_view section,
                            const std::string& title, const DestinationConfig& destination) {
  std::string text = "[" + title + "]\n";
  for (const Option& option : options()) {
    if (option.section != section) continue;
    if ((option.types & only(destination.type)) == 0) continue;
    std::vector<std::string> values = option.value.format(loaded.config, destination);
    if (values.empty()) values.emplace_back();
    const auto origins = loaded.origins.find(title + "." + std::string(option.key));
    for (std::size_t i = 0; i < values.size(); ++i) {
      const bool is_given = origins != loaded.origins.end() && i < origins->second.size();
      text += setting_line(option.key, shown(option, values[i]),
                           is_given ? origins->second[i].text() : "default");
    }
  }
  return text + "\n";
}

std::string joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : ", ") + part;
  return text;
}

std::string what_it_gets(const DestinationConfig& destination) {
  const bool gets_all = joined(destination.topics) == ">";
  std::string text = gets_all ? "gets every event" : "gets topics " + joined(destination.topics);
  if (!destination.exclude.empty()) text += ", except topics " + joined(destination.exclude);
  return text;
}

std::string format_name(const DestinationConfig& destination) {
  return find_option("destination", "format")->value.format(Config{}, destination).front();
}

std::string compressed(const DestinationConfig& destination) {
  switch (destination.compression) {
    case Compression::none:
      return "";
    case Compression::gzip:
      return ", compressed by gzip";
    case Compression::zstd:
      break;
  }
  return ", compressed by zstd";
}

std::string where_it_goes(const DestinationConfig& destination) {
  std::vector<std::string> urls;
  for (const std::string& url : destination.urls) urls.push_back(without_user_info(url));
  switch (destination.type) {
    case DestinationType::http:
      return "sends them by " + destination.method + " to " + joined(urls) +
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

std::string how_it_changes(const DestinationConfig& destination) {
  std::string text;
  const auto add = [&](const char* what, const std::vector<std::string>& fields) {
    if (!fields.empty()) text += (text.empty() ? " It " : ", ") + (what + joined(fields));
  };
  add("redacts ", destination.redact);
  add("leaves out ", destination.drop_fields);
  add("renames ", destination.rename_fields);
  add("adds ", destination.static_fields);
  if (!text.empty()) text += ".";
  if (destination.sample_rate < 1) {
    text += " Of the events it keeps " + format_share(destination.sample_rate) +
            ", the rest is counted as sampled.";
  }
  return text;
}

std::string how_it_batches(const DestinationConfig& destination) {
  const bool is_single = destination.format == BodyFormat::payload ||
                         (destination.format == BodyFormat::cloudevents &&
                          destination.cloudevents_mode != CloudEventsMode::batch);
  std::string text =
      is_single ? "Each event is a request of its own"
                : "A batch leaves at once when nothing else is on its way, otherwise when it has " +
                      std::to_string(destination.batch_events_max) + " events or " +
                      format_size(destination.batch_bytes_max) + " or is " +
                      format_duration(destination.batch_delay) + " old";
  if (destination.type == DestinationType::http) {
    text += destination.concurrency_min == destination.concurrency_max
                ? "; " + std::to_string(destination.concurrency_max)
                : "; " + std::to_string(destination.concurrency_min) + " to " +
                      std::to_string(destination.concurrency_max);
    text += " requests are on their way at a time";
    if (destination.concurrency_min != destination.concurrency_max) {
      text += ", as many as the receiver answers without queueing them";
    }
  }
  const std::string rates = format_rates(destination.rate_max);
  if (!rates.empty()) text += "; on average at most " + rates + " leave";
  text += ".";
  if (destination.ordering == Ordering::key) {
    text += " Events with the same key arrive in order, also over retries.";
  }
  return text;
}

std::string what_it_holds(const DestinationConfig& destination) {
  std::string text = "It keeps at most " + std::to_string(destination.queue_events_max) +
                     " events or " + format_size(destination.queue_bytes_max) +
                     " waiting in memory; when that is full, ";
  text += destination.when_full == WhenFull::drop_newest
              ? "an event that comes is dropped and counted"
              : "the oldest events are dropped and counted to make room";
  text += ", low priority first and high priority last.";
  if (destination.type == DestinationType::zmq) {
    text += " What is over " + std::to_string(destination.zmq_send_events_max) +
            " messages for a slow peer is dropped and counted.";
  }
  return text;
}

std::string how_it_retries(const DestinationConfig& destination) {
  if (destination.retry_attempts_max == 1) {
    return "A batch that fails is not tried again: it is a dead letter, counted and logged.";
  }
  std::string text =
      "A batch that fails and may yet succeed is tried again after a random wait of up to " +
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
    when = std::to_string(destination.breaker_failures) + " failures in a row";
  }
  if (destination.breaker_failure_rate != 0) {
    when += (when.empty() ? "" : ", or ") + format_share(destination.breaker_failure_rate) +
            " failures among the requests of 10s,";
  }
  if (when.empty()) return "";
  return " After " + when + " one request at a time probes it until it answers.";
}

std::string what_answers_mean(const DestinationConfig& destination) {
  if (destination.type != DestinationType::http) return "";
  std::string text =
      " 2xx is delivered; 408, 425, 429, 5xx and no answer are tried again, after Retry-After if "
      "there is one; 413 halves the batch; 401 and 403 hold everything until they are mended; 410 "
      "ends the destination; any other status makes a dead letter";
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

std::string how_it_is_secured(const DestinationConfig& destination) {
  if (destination.type != DestinationType::http) return "";
  std::string text;
  const auto add = [&](bool is_so, const std::string& sentence) {
    if (is_so) text += " " + sentence;
  };
  add(!destination.cert_file.empty(), "It shows a certificate of its own.");
  add(!destination.bearer_token_file.empty(), "It sends a bearer token.");
  add(!destination.basic_auth_file.empty(), "It sends a user and password.");
  add(!destination.signing_secret_files.empty(), "Each request is signed as a Standard Webhook.");
  add(destination.deny_private_addresses, "It connects to public addresses only.");
  add(destination.proxy != "none", destination.proxy == "environment"
                                       ? "It uses the proxy that the environment names."
                                       : "It uses the proxy " + destination.proxy + ".");
  return text;
}

std::string in_plain_words(const DestinationConfig& destination) {
  std::string text = destination.name + " " + what_it_gets(destination) + " and " +
                     where_it_goes(destination) + ".\n";
  for (const auto& describe : {how_it_is_secured, how_it_changes, how_it_batches, what_it_holds,
                               how_it_retries, when_it_pauses, what_answers_mean}) {
    const std::string sentences = describe(destination);
    if (!sentences.empty()) text += "  " + std::string(trim(sentences)) + "\n";
  }
  return text;
}

}  // namespace

std::string explain(const LoadedConfig& loaded) {
  std::string text;
  for (const Section& section : sections()) {
    if (section.name != "destination") {
      text += explain_section(loaded, section.name, std::string(section.title), {});
      continue;
    }
    for (const DestinationConfig& destination : loaded.config.destinations) {
      text += explain_section(loaded, section.name, "destination." + destination.name, destination);
    }
  }
  for (const DestinationConfig& destination : loaded.config.destinations) {
    text += in_plain_words(destination);
  }
  for (const std::string& warning : loaded.warnings) text += "warning: " + warning + "\n";
  return text;
}

CheckReport check_config(const std::string& path, const std::vector<std::string>& arguments) {
  const LoadResult result = load_config(path, arguments);
  if (result.ok()) return {true, explain(result.loaded)};
  CheckReport report;
  for (const Error& error : result.errors) report.text += error.message + "\n";
  return report;
}

}  // namespace outrider::sidecar
