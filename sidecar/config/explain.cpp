#include "sidecar/config/explain.hpp"

#include "sidecar/base/units.hpp"
#include "sidecar/config/messages.hpp"
#include "sidecar/config/options.hpp"

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

std::string where_it_goes(const DestinationConfig& destination) {
  std::vector<std::string> urls;
  for (const std::string& url : destination.urls) urls.push_back(without_user_info(url));
  switch (destination.type) {
    case DestinationType::http:
      return "sends them by " + destination.method + " to " + joined(urls) + " as " +
             format_name(destination);
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

std::string how_it_batches(const DestinationConfig& destination) {
  std::string text =
      "A batch leaves at once when nothing else is on its way, otherwise when it has " +
      std::to_string(destination.batch_events_max) + " events or " +
      format_size(destination.batch_bytes_max) + " or is " +
      format_duration(destination.batch_delay) + " old";
  if (destination.type == DestinationType::http) {
    text += "; at most " + std::to_string(destination.concurrency_max) +
            " requests are on their way at a time";
  }
  return text + ".";
}

std::string what_it_holds(const DestinationConfig& destination) {
  std::string text = "It keeps at most " + std::to_string(destination.queue_events_max) +
                     " events or " + format_size(destination.queue_bytes_max) +
                     " waiting in memory; when that is full, ";
  text += destination.when_full == WhenFull::drop_newest
              ? "an event that comes is dropped and counted."
              : "the oldest events are dropped and counted to make room.";
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
  return text + "; then it is a dead letter, counted and logged.";
}

std::string in_plain_words(const DestinationConfig& destination) {
  return destination.name + " " + what_it_gets(destination) + " and " + where_it_goes(destination) +
         ". " + how_it_batches(destination) + " " + what_it_holds(destination) + " " +
         how_it_retries(destination) + "\n";
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
