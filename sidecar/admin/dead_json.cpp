#include "sidecar/admin/dead_json.hpp"

#include "sidecar/admin/json_output.hpp"
#include "sidecar/admin/snapshot_json.hpp"
#include "sidecar/base/text.hpp"
#include "sidecar/base/time_text.hpp"
#include "sidecar/base/units.hpp"
#include "sidecar/encode/event_json.hpp"

namespace outrider::sidecar {
namespace {

void write_head(JsonOutput& json, const DeadHead& letter) {
  TimeText time;
  json.member("id", static_cast<std::uint64_t>(letter.id));
  json.member("event_id", letter.event);
  json.member("destination", letter.destination);
  json.member("topic", letter.topic);
  json.member("reason", letter.reason);
  json.member("status", static_cast<std::uint64_t>(letter.status));
  json.member("attempts", std::uint64_t{letter.attempts});
  json.member("first", time.format_ns(letter.first_ns));
  json.member("first_ns", letter.first_ns);
  json.member("last", time.format_ns(letter.last_ns));
  json.member("last_ns", letter.last_ns);
  json.member("bytes", letter.bytes);
}

void write_event(JsonOutput& json, const Bytes& record, Payloads payloads) {
  json.key("event");
  if (record.empty() || payloads == Payloads::none) return json.null();
  if (payloads == Payloads::redacted) return json.value(redaction_of(record.size()));
  EventJson event;
  json.raw_object(printable_json(event.object(read_record(record.data()))));
}

void write_job(JsonOutput& json, const DeadJob& job) {
  json.object([&] {
    json.member("id", job.id);
    json.member("action", name_of(job.action));
    json.member("target", job.target);
    json.member("who", job.who);
    json.member("key", job.key);
    json.member("state", name_of(job.state));
    json.member("expected", job.expected);
    json.member("counted", job.counted);
    json.member("changed", job.changed);
    json.member("gone", job.gone);
    json.member("asked_at", job.asked_at);
    json.member("ended_at", job.ended_at);
    json.member("error", job.error);
  });
}

}  // namespace

std::string dead_list_json(const DeadList& list) {
  JsonOutput json;
  json.object([&] {
    json.member("total", list.total);
    json.key("next");
    list.page.next ? json.value(static_cast<std::uint64_t>(*list.page.next)) : json.null();
    json.array("letters", [&] {
      for (const DeadHead& letter : list.page.letters) {
        json.object([&] { write_head(json, letter); });
      }
    });
  });
  return json.take();
}

std::string dead_letter_json(const DeadWhole& letter, Payloads payloads) {
  JsonOutput json;
  json.object([&] {
    write_head(json, letter.head);
    json.member("answer", receiver_words(letter.answer, payloads));
    json.member("is_damaged", letter.record.empty());
    write_event(json, letter.record, payloads);
  });
  return json.take();
}

std::string dead_job_json(const DeadJob& job) {
  JsonOutput json;
  write_job(json, job);
  return json.take();
}

std::string dead_jobs_json(const std::vector<DeadJob>& jobs) {
  JsonOutput json;
  json.object([&] {
    json.array("jobs", [&] {
      for (const DeadJob& job : jobs) write_job(json, job);
    });
  });
  return json.take();
}

}  // namespace outrider::sidecar
