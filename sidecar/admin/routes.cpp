#include "sidecar/admin/routes.hpp"

#include <algorithm>
#include <set>
#include <type_traits>
#include <utility>
#include <vector>

#include "sidecar/admin/control_body.hpp"
#include "sidecar/admin/health.hpp"
#include "sidecar/admin/json_output.hpp"
#include "sidecar/admin/metrics.hpp"
#include "sidecar/admin/snapshot_json.hpp"
#include "sidecar/base/level_names.hpp"
#include "sidecar/base/text.hpp"
#include "sidecar/base/units.hpp"
#include "sidecar/inspect/dead_jobs.hpp"

namespace outrider::sidecar {
namespace {

constexpr std::string_view name_mark = "{name}";

HttpAnswer text_answer(const Health& health) {
  HttpAnswer answer;
  answer.status = health.is_good ? 200 : 503;
  answer.content_type = "text/plain; charset=utf-8";
  answer.body = std::make_shared<const std::string>(health.reason + "\n");
  return answer;
}

HttpAnswer no_snapshot() {
  return error_answer(503, "the sidecar starts, or its loop is silent: nothing is known yet");
}

HttpAnswer no_such_path() {
  return error_answer(404, "there is no such path; docs/openapi.json lists them");
}

/// The part of `path` at {name} in `pattern`; nothing if they do not match.
std::optional<std::string_view> match_path(std::string_view pattern, std::string_view path) {
  const std::size_t mark = pattern.find(name_mark);
  if (mark == std::string_view::npos) {
    return pattern == path ? std::optional(std::string_view()) : std::nullopt;
  }
  const std::string_view head = pattern.substr(0, mark);
  const std::string_view tail = pattern.substr(mark + name_mark.size());
  if (path.size() <= head.size() + tail.size() || !path.starts_with(head) ||
      !path.ends_with(tail)) {
    return std::nullopt;
  }
  const std::string_view name = path.substr(head.size(), path.size() - head.size() - tail.size());
  return name.find('/') == std::string_view::npos ? std::optional(name) : std::nullopt;
}

std::optional<HttpAnswer> refuse_twice(const HttpRequest::Pairs& arguments) {
  std::set<std::string_view> names;
  for (const auto& [name, value] : arguments) {
    if (names.insert(name).second) continue;
    return error_answer(400, "the query gives \"" + printable(name, 64) + "\" twice; send it once");
  }
  return std::nullopt;
}

const DestinationSnapshot* find(const Snapshot& snapshot, std::string_view name) {
  const auto found = std::ranges::find(snapshot.destinations, name, &DestinationSnapshot::name);
  return found == snapshot.destinations.end() ? nullptr : &*found;
}

HttpAnswer unknown_destination(std::string_view name) {
  return error_answer(404, "there is no destination \"" + printable(name, 64) +
                               "\"; GET /v1/destinations lists them");
}

}  // namespace

HttpAnswer json_answer(std::string text, unsigned status) {
  HttpAnswer answer;
  answer.status = status;
  text += '\n';
  answer.body = std::make_shared<const std::string>(std::move(text));
  return answer;
}

HttpAnswer error_answer(unsigned status, std::string_view message) {
  JsonOutput json;
  json.object([&] { json.member("error", message); });
  return json_answer(json.take(), status);
}

struct Routes::Row {
  enum class Kind : std::uint8_t { open, read, change };

  std::string_view path;
  Kind kind;
  HttpAnswer (Routes::*answer)(const HttpRequest& request, std::string_view name);

  std::string_view methods() const { return kind == Kind::change ? "POST" : "GET, HEAD"; }
  bool takes(std::string_view method) const {
    return kind == Kind::change ? method == "POST" : method == "GET" || method == "HEAD";
  }
};

struct Routes::Match {
  const Row* row = nullptr;
  std::string_view name;
};

const std::vector<Routes::Row>& Routes::rows() {
  static const std::vector<Row> table = {
      {"/healthz", Row::Kind::open, &Routes::health},
      {"/readyz", Row::Kind::open, &Routes::readiness},
      {"/metrics", Row::Kind::open, &Routes::metrics},
      {"/v1/stats", Row::Kind::read, &Routes::part<stats_json>},
      {"/v1/destinations", Row::Kind::read, &Routes::part<destinations_json>},
      {"/v1/destinations/{name}", Row::Kind::read, &Routes::destination},
      {"/v1/clients", Row::Kind::read, &Routes::part<clients_json>},
      {"/v1/schedules", Row::Kind::read, &Routes::part<schedules_json>},
      {"/v1/spool", Row::Kind::read, &Routes::part<spool_json>},
      {"/v1/changes", Row::Kind::read, &Routes::changes},
      {"/v1/destinations/{name}/pause", Row::Kind::change, &Routes::pause},
      {"/v1/destinations/{name}/resume", Row::Kind::change, &Routes::resume},
      {"/v1/drain", Row::Kind::change, &Routes::drain},
      {"/v1/log-level", Row::Kind::change, &Routes::log_level},
      {"/v1/reload", Row::Kind::change, &Routes::reload},
      {"/v1/reload/{name}", Row::Kind::read, &Routes::reload_outcome},
      {"/v1/dead", Row::Kind::read, &Routes::dead_list},
      {"/v1/dead/retry", Row::Kind::change, &Routes::dead_change<DeadAction::retry>},
      {"/v1/dead/drop", Row::Kind::change, &Routes::dead_change<DeadAction::drop>},
      {"/v1/dead/jobs", Row::Kind::read, &Routes::dead_jobs},
      {"/v1/dead/jobs/{name}", Row::Kind::read, &Routes::dead_job},
      {"/v1/dead/jobs/{name}/cancel", Row::Kind::change, &Routes::dead_cancel},
      {"/v1/dead/{name}", Row::Kind::read, &Routes::dead_letter},
  };
  return table;
}

std::vector<std::string> Routes::list() {
  std::vector<std::string> lines;
  for (const Row& row : rows()) {
    lines.push_back(std::string(row.methods()) + " " + std::string(row.path));
  }
  return lines;
}

Routes::Match Routes::match(const HttpRequest& request) {
  for (const Row& row : rows()) {
    if (const auto name = match_path(row.path, request.path)) return {&row, *name};
  }
  return {};
}

std::optional<HttpAnswer> Routes::refuse(const HttpRequest& head) {
  const Match found = match(head);
  if (found.row == nullptr) return no_such_path();
  if (!found.row->takes(head.method)) {
    HttpAnswer answer = error_answer(
        405, "the path does not take this method; it takes " + std::string(found.row->methods()));
    answer.headers.emplace_back("Allow", found.row->methods());
    return answer;
  }
  if (auto twice = refuse_twice(head.arguments)) return twice;
  if (auto misdirected = refuse_misdirected(head, rules_)) return misdirected;
  if (found.row->kind == Row::Kind::open) return std::nullopt;
  if (auto stranger = refuse_stranger(head, rules_)) return stranger;
  return found.row->kind == Row::Kind::change ? refuse_change(head, rules_) : std::nullopt;
}

HttpAnswer Routes::answer(const HttpRequest& request) {
  const Match found = match(request);
  if (found.row == nullptr) return no_such_path();
  return (this->*found.row->answer)(request, found.name);
}

HttpAnswer Routes::health(const HttpRequest&, std::string_view) {
  const auto view = reader_.read();
  return text_answer(health_of(view.snapshot.get(), view.silence));
}

HttpAnswer Routes::readiness(const HttpRequest& request, std::string_view) {
  const auto view = reader_.read();
  return text_answer(readiness_of(view.snapshot.get(), view.silence,
                                  request.argument("destination").value_or("")));
}

HttpAnswer Routes::metrics(const HttpRequest&, std::string_view) {
  const auto view = reader_.read();
  if (view.snapshot == nullptr) return no_snapshot();
  HttpAnswer answer;
  answer.content_type = "text/plain; version=0.0.4; charset=utf-8";
  // While the loop is silent, the age is all that changes.
  const bool is_same = metrics_text_ != nullptr && metrics_number_ == view.snapshot->number &&
                       view.age < SnapshotReader::reuse_max;
  if (!is_same) {
    metrics_text_ = std::make_shared<const std::string>(format_metrics(*view.snapshot, view.age));
    metrics_number_ = view.snapshot->number;
  }
  answer.body = metrics_text_;
  return answer;
}

template <auto write>
HttpAnswer Routes::part(const HttpRequest&, std::string_view) {
  const auto view = reader_.read();
  if (view.snapshot == nullptr) return no_snapshot();
  if constexpr (std::is_invocable_v<decltype(write), const Snapshot&, Duration, Payloads>) {
    return json_answer(write(*view.snapshot, view.age, rules_.payloads));
  } else {
    return json_answer(write(*view.snapshot, view.age));
  }
}

HttpAnswer Routes::destination(const HttpRequest&, std::string_view name) {
  const auto view = reader_.read();
  if (view.snapshot == nullptr) return no_snapshot();
  const DestinationSnapshot* const found = find(*view.snapshot, name);
  if (found == nullptr) return unknown_destination(name);
  return json_answer(destination_json(*view.snapshot, view.age, *found, rules_.payloads));
}

HttpAnswer Routes::changes(const HttpRequest& request, std::string_view) {
  std::uint64_t since = 0;
  if (const auto text = request.argument("since")) {
    const Result<std::uint64_t> number = parse_count(*text);
    if (!number.ok()) return error_answer(400, "since: " + number.error().message);
    since = number.value();
  }
  const auto view = reader_.read();
  return json_answer(
      changes_json(view.snapshot.get(), view.age, world_.changes.since(since), rules_.payloads));
}

HttpAnswer Routes::pause(const HttpRequest& request, std::string_view name) {
  const Result<Duration> duration = read_pause_body(request.body, pause_max);
  if (!duration.ok()) return error_answer(400, duration.error().message);
  if (auto unknown = refuse_unknown(name)) return *unknown;
  ControlRequest control;
  control.action = ControlAction::pause;
  control.destination = name;
  control.duration = duration.value();
  return carry_out(std::move(control), request.peer, "pause", name);
}

HttpAnswer Routes::resume(const HttpRequest& request, std::string_view name) {
  const Status empty = read_empty_body(request.body);
  if (!empty.ok()) return error_answer(400, empty.error().message);
  if (auto unknown = refuse_unknown(name)) return *unknown;
  ControlRequest control;
  control.action = ControlAction::resume;
  control.destination = name;
  return carry_out(std::move(control), request.peer, "resume", name);
}

HttpAnswer Routes::drain(const HttpRequest& request, std::string_view) {
  const Status empty = read_empty_body(request.body);
  if (!empty.ok()) return error_answer(400, empty.error().message);
  ControlRequest control;
  control.action = ControlAction::drain;
  return carry_out(std::move(control), request.peer, "drain", "sidecar");
}

HttpAnswer Routes::log_level(const HttpRequest& request, std::string_view) {
  const Result<LogLevel> level = read_level_body(request.body);
  if (!level.ok()) return error_answer(400, level.error().message);
  ControlRequest control;
  control.action = ControlAction::log_level;
  control.level = level.value();
  return carry_out(std::move(control), request.peer, "log-level", level_name(level.value()));
}

namespace {

HttpAnswer outcome_answer(std::uint64_t ticket, const std::optional<ReloadOutcome>& outcome) {
  JsonOutput json;
  json.object([&] {
    json.member("action", "reload");
    json.member("is_done", outcome.has_value());
    json.member("ticket", ticket);
    if (!outcome) return;
    json.member("result", name_of(outcome->result));
    json.member("generation", outcome->generation);
    json.array("lines", [&] {
      for (const std::string& line : outcome->lines) json.value(line);
    });
    if (outcome->result != ReloadResult::applied) {
      json.member("error", outcome->lines.empty() ? "" : outcome->lines.front());
    }
  });
  unsigned status = 202;
  if (outcome) {
    status = outcome->result == ReloadResult::applied   ? 200
             : outcome->result == ReloadResult::refused ? 422
                                                        : 409;
  }
  return json_answer(json.take(), status);
}

}  // namespace

/// It reads files: whoever waits longer than others may asks for the outcome by the ticket.
HttpAnswer Routes::reload(const HttpRequest& request, std::string_view) {
  const Status empty = read_empty_body(request.body);
  if (!empty.ok()) return error_answer(400, empty.error().message);
  const Duration patience = reader_.is_loop_silent() ? Duration::zero() : SnapshotReader::patience;
  const std::uint64_t ticket = world_.reloads.ask(request.peer);
  world_.log.info("an operator's request", {{"action", "reload"},
                                            {"target", "configuration"},
                                            {"who", request.peer},
                                            {"result", "begun"}});
  const auto outcome = world_.reloads.wait_for(ticket, patience);
  reader_.expect_change();
  return outcome_answer(ticket, outcome);
}

HttpAnswer Routes::reload_outcome(const HttpRequest&, std::string_view name) {
  const Result<std::uint64_t> ticket = parse_count(name);
  if (!ticket.ok()) return error_answer(400, "the ticket: " + ticket.error().message);
  return outcome_answer(ticket.value(), world_.reloads.outcome(ticket.value()));
}

std::optional<HttpAnswer> Routes::refuse_unknown(std::string_view name) {
  const auto view = reader_.read();
  if (view.snapshot == nullptr || find(*view.snapshot, name) != nullptr) return std::nullopt;
  return unknown_destination(name);
}

HttpAnswer Routes::carry_out(ControlRequest control, const std::string& who,
                             std::string_view action, std::string_view target) {
  control.who = who;
  std::future<Status> answer = world_.control.post(std::move(control));
  const Duration patience = reader_.is_loop_silent() ? Duration::zero() : SnapshotReader::patience;
  const bool is_done = answer.wait_for(patience) == std::future_status::ready;
  reader_.expect_change();
  const Status status = is_done ? answer.get() : Status(Nothing{});
  std::string result = is_done ? "done" : "waits for the loop";
  if (!status.ok()) result = status.error().message;
  world_.log.info("an operator's request", {{"action", std::string(action)},
                                            {"target", std::string(target)},
                                            {"who", who},
                                            {"result", result}});
  if (!status.ok()) return error_answer(409, result);
  JsonOutput json;
  json.object([&] {
    json.member("action", action);
    json.member("target", target);
    json.member("is_done", is_done);
  });
  return json_answer(json.take(), is_done ? 200 : 202);
}

}  // namespace outrider::sidecar
