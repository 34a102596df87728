#include "sidecar/admin/snapshot_json.hpp"

#include <cstddef>
#include <functional>

#include "proto/refusal.hpp"
#include "sidecar/admin/json_output.hpp"
#include "sidecar/base/ledger.hpp"
#include "sidecar/base/level_names.hpp"
#include "sidecar/base/text.hpp"

namespace outrider::sidecar {
namespace {

/// Counters in an array as an object; `rows` give their names in its order.
template <typename Rows, typename Counts>
void write_by_reason(JsonOutput& json, std::string_view name, const Rows& rows,
                     const Counts& counts) {
  json.object(name, [&] {
    for (const auto& row : rows)
      json.member(row.name, counts[static_cast<std::size_t>(row.reason)]);
  });
}

void write(JsonOutput& json, const Ledger& ledger) {
  json.object("ledger", [&] {
    json.member("accepted", ledger.accepted);
    json.member("delivered", ledger.delivered);
    write_by_reason(json, "dropped", drop_reasons, ledger.dropped);
    write_by_reason(json, "dead", dead_reasons, ledger.dead);
    json.member("queued", ledger.queued);
    json.member("in_flight", ledger.in_flight);
    json.member("spooled", ledger.spooled);
    json.member("scheduled", ledger.scheduled);
    json.member("recovered", ledger.recovered);
  });
}

void write(JsonOutput& json, std::string_view name, const DurationHistogram& histogram) {
  json.object(name, [&] {
    json.array("le_s", [&] {
      for (const Duration bound : DurationHistogram::bounds) json.value(bound);
    });
    json.array("counts", [&] {
      for (const std::uint64_t count : histogram.counts) json.value(count);
    });
    json.member("sum_s", histogram.sum.count());
  });
}

void write_pause(JsonOutput& json, const std::optional<PauseSnapshot>& pause) {
  if (!pause) {
    json.key("pause");
    json.null();
    return;
  }
  json.object("pause", [&] {
    json.member("since", pause->since);
    json.member("until", pause->until);
    json.member("who", pause->who);
  });
}

void write_time_to_loss(JsonOutput& json, const std::optional<TimeToLoss>& time_to_loss) {
  if (!time_to_loss) {
    json.key("time_to_loss");
    json.null();
    return;
  }
  json.object("time_to_loss", [&] {
    json.member("left_s", time_to_loss->left);
    json.member("limit", name_of(time_to_loss->limit));
  });
}

void write_requests(JsonOutput& json, const DestinationSnapshot& it) {
  json.member("concurrency_limit", it.concurrency_limit);
  json.member("requests_in_flight", it.requests_in_flight);
  json.member("retries", it.retries);
  json.object("requests", [&] {
    for (std::size_t i = 0; i < status_classes; ++i) {
      json.member(name_of(static_cast<StatusClass>(i)), it.requests[i]);
    }
  });
  write(json, "request_time", it.request_time);
  write(json, "settle_time", it.settle_time);
}

void write_waiting(JsonOutput& json, const DestinationSnapshot& it) {
  json.member("queue_bytes", it.queue_bytes);
  json.member("queue_events_max", it.queue_events_max);
  json.member("queue_bytes_max", it.queue_bytes_max);
  json.member("oldest_age_s", it.oldest_age);
  json.member("lane_bytes", it.lane_bytes);
  json.member("lane_bytes_max", it.lane_bytes_max);
  json.member("arrival_rate_per_s", it.arrival_rate_per_s);
  write_time_to_loss(json, it.time_to_loss);
}

void write(JsonOutput& json, const DestinationSnapshot& it, Payloads payloads) {
  json.object([&] {
    json.member("name", it.name);
    json.member("type", it.type);
    write(json, it.ledger);
    json.member("breaker", name_of(it.breaker));
    json.member("open_for_s", it.open_for);
    json.member("breaker_openings", it.breaker_openings);
    json.member("is_held", it.is_held);
    json.member("is_disabled", it.is_disabled);
    json.member("is_removed", it.is_removed);
    json.member("paused_for_s", it.paused_for);
    write_pause(json, it.pause);
    json.member("last_failure", it.last_failure);
    json.member("last_answer", receiver_words(it.last_answer, payloads));
    write_requests(json, it);
    write_waiting(json, it);
    json.array("urls", [&] {
      for (const UrlSnapshot& url : it.urls) {
        json.object([&] {
          json.member("url", url.url);
          json.member("is_healthy", url.is_healthy);
          json.member("is_gone", url.is_gone);
        });
      }
    });
  });
}

void write_destinations(JsonOutput& json, const Snapshot& snapshot, Payloads payloads) {
  json.array("destinations", [&] {
    for (const DestinationSnapshot& it : snapshot.destinations) write(json, it, payloads);
  });
}

void write(JsonOutput& json, const IngestSnapshot& it) {
  json.object("ingest", [&] {
    json.member("frames", it.frames);
    json.member("events", it.events);
    json.member("frames_refused", it.frames_refused);
    json.member("events_refused", it.events_refused);
    json.object("refused", [&] {
      for (const proto::RefusalRow& row : proto::refusals) {
        json.member(row.name, it.refused[static_cast<std::size_t>(row.refusal)]);
      }
    });
    json.member("frames_confirmed", it.frames_confirmed);
    json.member("events_confirmed", it.events_confirmed);
    json.member("frames_missing", it.frames_missing);
    json.member("unrouted", it.unrouted);
    json.object("client_drops", [&] {
      for (const auto& [reason, count] : it.client_drops) json.member(reason, count);
    });
    json.member("clients", it.clients);
    json.member("connections", it.connections);
    json.member("connections_refused", it.connections_refused);
    json.member("connections_cut_off", it.connections_cut_off);
  });
}

void write_schedules(JsonOutput& json, const Snapshot& snapshot) {
  json.array("schedules", [&] {
    for (const ScheduleSnapshot& it : snapshot.schedules) {
      json.object([&] {
        json.member("name", it.name);
        json.member("last", it.last);
        json.member("next", it.next);
        json.member("runs", it.runs);
        json.member("missed", it.missed);
        json.member("late", it.late);
      });
    }
  });
}

void write_spool(JsonOutput& json, const std::optional<SpoolSnapshot>& spool) {
  if (!spool) {
    json.key("spool");
    json.null();
    return;
  }
  json.object("spool", [&] {
    json.member("bytes", spool->bytes);
    json.member("bytes_max", spool->bytes_max);
    json.member("database_bytes", spool->database_bytes);
    json.member("log_bytes", spool->log_bytes);
    json.member("free_page_bytes", spool->free_page_bytes);
    json.member("disk_free_bytes", spool->disk_free_bytes);
    json.member("dead_events", spool->dead_events);
    json.member("dead_bytes", spool->dead_bytes);
    json.member("transactions", spool->transactions);
    write(json, "transaction_time", spool->transaction_time);
    json.member("is_failing", spool->is_failing);
  });
}

void write_process(JsonOutput& json, const Snapshot& snapshot) {
  json.object("loop", [&] {
    json.member("turns", snapshot.loop.turns);
    json.member("busy_s", snapshot.loop.busy);
    json.member("longest_turn_s", snapshot.loop.longest_turn);
  });
  json.object("config", [&] {
    json.member("file", snapshot.config.file);
    json.member("hash", snapshot.config.hash);
    json.member("generation", snapshot.config.generation);
    json.member("loaded_at", snapshot.config.loaded_at);
    json.member("is_last_reload_good", snapshot.config.is_last_reload_good);
  });
}

void write_all(JsonOutput& json, const Snapshot& snapshot, Payloads payloads) {
  json.object("snapshot", [&] {
    json.member("number", snapshot.number);
    json.member("taken_at", snapshot.taken_at_wall);
    json.member("boot_id", snapshot.boot_id);
    json.member("started_at", snapshot.started_at);
    json.member("phase", name_of(snapshot.phase));
    json.member("version", snapshot.version);
    json.member("log_lines_dropped", snapshot.log_lines_dropped);
    write(json, snapshot.ingest);
    write_destinations(json, snapshot, payloads);
    write_schedules(json, snapshot);
    write_spool(json, snapshot.spool);
    write_process(json, snapshot);
  });
}

/// An answer: what each has, then what `write_part` adds.
std::string answer(const Snapshot& snapshot, Duration age,
                   const std::function<void(JsonOutput&)>& write_part) {
  JsonOutput json;
  json.object([&] {
    json.member("taken_at", snapshot.taken_at_wall);
    json.member("age_s", age);
    json.member("boot_id", snapshot.boot_id);
    write_part(json);
  });
  return json.take();
}

}  // namespace

std::string redaction_of(std::size_t bytes) {
  return "[redacted, " + counted(bytes, "byte") + "]";
}

std::string receiver_words(std::string_view words, Payloads payloads) {
  if (words.empty() || payloads == Payloads::none) return {};
  if (payloads == Payloads::full) return std::string(words);
  return redaction_of(words.size());
}

std::string stats_json(const Snapshot& snapshot, Duration age, Payloads payloads) {
  return answer(snapshot, age, [&](JsonOutput& json) { write_all(json, snapshot, payloads); });
}

std::string destinations_json(const Snapshot& snapshot, Duration age, Payloads payloads) {
  return answer(snapshot, age,
                [&](JsonOutput& json) { write_destinations(json, snapshot, payloads); });
}

std::string destination_json(const Snapshot& snapshot, Duration age,
                             const DestinationSnapshot& destination, Payloads payloads) {
  return answer(snapshot, age, [&](JsonOutput& json) {
    json.key("destination");
    write(json, destination, payloads);
  });
}

std::string clients_json(const Snapshot& snapshot, Duration age) {
  return answer(snapshot, age, [&](JsonOutput& json) { write(json, snapshot.ingest); });
}

std::string schedules_json(const Snapshot& snapshot, Duration age) {
  return answer(snapshot, age, [&](JsonOutput& json) { write_schedules(json, snapshot); });
}

std::string spool_json(const Snapshot& snapshot, Duration age) {
  return answer(snapshot, age, [&](JsonOutput& json) { write_spool(json, snapshot.spool); });
}

std::string changes_json(const Snapshot* snapshot, Duration age, const std::vector<Change>& changes,
                         Payloads payloads) {
  JsonOutput json;
  json.object([&] {
    json.member("taken_at", snapshot == nullptr ? WallTime{} : snapshot->taken_at_wall);
    json.member("age_s", snapshot == nullptr ? std::optional<Duration>() : age);
    json.member("boot_id", snapshot == nullptr ? std::string() : snapshot->boot_id);
    json.array("changes", [&] {
      for (const Change& change : changes) {
        json.object([&] {
          json.member("number", change.number);
          json.member("at", change.at);
          json.member("level", level_name(change.level));
          json.member("kind", change.kind);
          json.member("message", change.message);
          json.object("fields", [&] {
            for (const auto& [name, value] : change.fields) {
              const bool is_receivers = name == receiver_words_field;
              json.member(name, is_receivers ? receiver_words(value, payloads) : value);
            }
          });
        });
      }
    });
  });
  return json.take();
}

}  // namespace outrider::sidecar
