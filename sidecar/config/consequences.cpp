#include "sidecar/config/consequences.hpp"

#include <algorithm>

#include "sidecar/base/text.hpp"
#include "sidecar/base/units.hpp"
#include "sidecar/config/checks.hpp"
#include "sidecar/config/policy_text.hpp"
#include "sidecar/cron/cron_expression.hpp"
#include "sidecar/cron/time_zone.hpp"

namespace outrider::sidecar {
namespace {

using Dest = DestinationConfig;

bool is_http(const Dest& it) {
  return it.type == DestinationType::http;
}

std::string when_it_sends(const Dest& it) {
  std::string text = "Sends one event per request";
  if (!sends_one_event(it)) {
    text = "Sends a batch at once while nothing is in flight; otherwise when it has " +
           counted(it.batch_events_max, "event") + " or " + format_size(it.batch_bytes_max) +
           " or has waited " + format_duration(it.batch_delay);
  }
  if (is_http(it)) {
    const std::string most = counted(it.concurrency_max, "request");
    text += it.concurrency_min == it.concurrency_max
                ? "; " + most + " in parallel"
                : "; " + std::to_string(it.concurrency_min) + " to " + most +
                      " in parallel, as the receiver can take";
  }
  const std::string rates = format_rates(it.rate_max);
  return text + (rates.empty() ? "" : "; on average at most " + rates) + ".";
}

std::string when_a_request_fails(const Dest& it) {
  const std::string timeout = format_duration(it.timeout);
  if (is_http(it)) {
    return "A request fails after " + format_duration(std::min(it.connect_timeout, it.timeout)) +
           " without a connection, or after " + timeout + " without an answer.";
  }
  const bool is_push = it.type == DestinationType::zmq && it.zmq_pattern == ZmqPattern::push;
  return is_push ? "A message fails when no worker takes it within " + timeout + "." : "";
}

std::string how_long_it_retries(const Dest& it) {
  const std::string unit = sends_one_event(it) ? "event" : "batch";
  if (it.retry_attempts_max == 1)
    return "A failed " + unit + " is not retried: it is a dead letter.";
  std::string text = "A failed " + unit + " is retried after a random wait of up to " +
                     format_duration(it.retry_initial) + ", doubling up to " +
                     format_duration(it.retry_max) + ", for " + format_duration(it.retry_age_max);
  if (it.retry_attempts_max != 0) {
    text += " or " + std::to_string(it.retry_attempts_max) + " attempts";
  }
  return text + "; then it is a dead letter.";
}

std::string when_the_spool_gives_up(const Dest& it, const SpoolConfig& spool) {
  if (spool.path.empty()) return "";
  return "An event that has been on disk for " + format_duration(it.spool_age_max) +
         " is a dead letter after an answered failure, once this run has tried it for a tenth of "
         "that.";
}

std::string when_the_breaker_opens(const Dest& it) {
  std::string when;
  if (it.breaker_failures != 0) when = counted(it.breaker_failures, "failure") + " in a row";
  if (it.breaker_failure_rate != 0) {
    when += (when.empty() ? "" : ", or ") + format_share(it.breaker_failure_rate) +
            " failures among at least 20 requests in 10s";
  }
  if (when.empty()) return "Failures never open the circuit breaker.";
  return "The circuit breaker opens after " + when +
         ". While it is open, one request at a time probes the destination.";
}

/// The outcome table, as far as settings change it.
std::string what_answers_mean(const Dest& it) {
  if (!is_http(it)) return "";
  std::string text =
      "2xx is delivered. 408, 421, 425, 429, 5xx and no answer are retried, after Retry-After if "
      "given. ";
  if (!sends_one_event(it)) text += "413 halves the batch. ";
  text +=
      it.urls.size() > 1
          ? "401, 403 and 407 suspend the URL, or the destination if no other URL is up, until a "
            "probe succeeds. 410 disables the URL, and with its last URL the destination. "
          : "401, 403 and 407 suspend the destination until a probe succeeds. 410 disables the "
            "destination. ";
  if (it.redirects_max != 0) {
    text += "Up to " + counted(it.redirects_max, "redirect") + " are followed. ";
  }
  text += "Any other status is a dead letter";
  if (it.status_actions.empty()) return text + ".";
  return text + "; exceptions: " + format_status_actions(it.status_actions) + ".";
}

std::string what_a_full_queue_loses(const Dest& it, const SpoolConfig& spool) {
  std::string text = "The queue is full at " + counted(it.queue_events_max, "event") + " or " +
                     format_size(it.queue_bytes_max) + "; then ";
  if (it.when_full == WhenFull::spool) {
    return text + "new events go to disk. At " + format_size(it.spool_bytes_max) +
           " on disk, or at " + format_size(spool.bytes_max) +
           " of all destinations together, events from `emit` are dropped, low priority first.";
  }
  text += it.when_full == WhenFull::drop_newest ? "new" : "the oldest";
  // Events from `deliver` or from a schedule are on disk as well.
  return text + " events" + (spool.path.empty() ? "" : " from `emit`") +
         " are dropped, low priority first.";
}

std::string what_zeromq_loses(const Dest& it) {
  if (it.type != DestinationType::zmq) return "";
  const bool is_pub = it.zmq_pattern == ZmqPattern::pub;
  return "ZeroMQ buffers up to " + counted(zmq_events_a_peer(it), "event") + " per " +
         (is_pub ? "subscriber and drops the rest" : "worker; the rest wait in the queue") +
         ". Events that are buffered for a peer are lost with it.";
}

Sentences without_empty(Sentences sentences) {
  std::erase(sentences, "");
  return sentences;
}

}  // namespace

Sentences consequences(const Dest& it, const SpoolConfig& spool) {
  return without_empty({when_it_sends(it), when_a_request_fails(it), how_long_it_retries(it),
                        when_the_spool_gives_up(it, spool), when_the_breaker_opens(it),
                        what_answers_mean(it), what_a_full_queue_loses(it, spool),
                        what_zeromq_loses(it)});
}

Sentences consequences(const ScheduleConfig& schedule, WallTime now) {
  constexpr int runs_shown = 3;
  const CronExpression expression = CronExpression::parse(schedule.cron).value();
  const TimeZone zone = TimeZone::load(schedule.timezone).value();
  std::string text;
  Instant after = std::chrono::floor<std::chrono::seconds>(now);
  for (int i = 0; i < runs_shown; ++i) {
    const std::optional<Instant> next = expression.next_after(after, zone);
    if (!next) break;
    text += (text.empty() ? "" : ", ") + zone.text(*next);
    after = *next;
  }
  return {"The next runs are " + text + "."};
}

Sentences consequences(const Config& config) {
  const bool has_spool = !config.spool.path.empty();
  const bool keeps_dead =
      has_spool && config.spool.dead_events_max != 0 && config.spool.dead_bytes_max != 0;
  return {"A shutdown waits up to " + format_duration(config.shutdown_linger) +
              " for the queues to empty; events left after that are " +
              (has_spool ? "written to the spool." : "lost and counted."),
          std::string("Dead letters are counted and logged") +
              (keeps_dead ? ", and kept in the spool for up to " +
                                format_duration(config.spool.dead_age_max) + "."
                          : ", but not kept.")};
}

}  // namespace outrider::sidecar
