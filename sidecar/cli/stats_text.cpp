#include "sidecar/cli/stats_text.hpp"

#include <array>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <string_view>

#include "sidecar/admin/health.hpp"
#include "sidecar/base/text.hpp"
#include "sidecar/cli/text_table.hpp"

namespace outrider::sidecar {
namespace {

constexpr std::size_t text_bytes_max = 200;
/// Somebody should look now.
constexpr double loss_alarm_s = 15 * 60;
/// The sidecar looks no further ahead.
constexpr double loss_horizon_s = 7 * 24 * 3600;

template <typename... Values>
std::string formatted(const char* format, Values... values) {
  std::array<char, 64> text;
  std::snprintf(text.data(), text.size(), format, values...);
  return text.data();
}

std::string count_text(const JsonView& value) {
  const auto count = value.count();
  return count ? std::to_string(*count) : "-";
}

/// "1 client", "2 clients", "- clients".
std::string counted_text(const JsonView& value, const std::string& noun) {
  const auto count = value.count();
  return count ? counted(*count, noun) : "- " + noun + "s";
}

std::string size_text(const JsonView& value) {
  const auto bytes = value.count();
  return bytes ? rough_size(*bytes) : "-";
}

std::string duration_text(const JsonView& value) {
  const auto seconds = value.number();
  return seconds ? rough_duration(*seconds) : "-";
}

std::string rate_text(std::optional<double> rate) {
  return rate ? formatted("%.1f", *rate) : "-";
}

/// To the second.
std::string time_text(const JsonView& value) {
  const std::string text = value.text();
  constexpr std::size_t bytes = sizeof("2026-01-31T12:00:00") - 1;
  return text.size() > bytes ? printable(text.substr(0, bytes), bytes) + "Z" : "-";
}

/// All members together but `but`; empty if there are none.
std::optional<std::uint64_t> total(const JsonView& counts, std::string_view but = {}) {
  std::optional<std::uint64_t> sum;
  counts.for_each_member([&](const std::string& name, const JsonView& value) {
    if (name != but) sum = sum.value_or(0) + value.count().value_or(0);
  });
  return sum;
}

/// "buffer_full 3, expired 1"; empty if all are 0.
std::string list_of_counts(const JsonView& counts) {
  std::string text;
  counts.for_each_member([&](const std::string& name, const JsonView& value) {
    if (value.count().value_or(0) == 0) return;
    text += (text.empty() ? "" : ", ") + printable(name, text_bytes_max) + " " + count_text(value);
  });
  return text;
}

// The process -------------------------------------------------------------------------------------

StatsLine health_line(const JsonView& answer, const JsonView& snapshot) {
  const auto age = answer["age_s"].number();
  const double silence_max = std::chrono::duration<double>(loop_silence_max).count();
  const std::string phase = snapshot["phase"].text();
  StatsLine line;
  if (age && *age > silence_max) {
    line = {"SILENT: the loop does not answer; these figures are " + rough_duration(*age) + " old",
            Severity::alarm};
  } else if (phase == "running") {
    line.text = "ok: running since " + time_text(snapshot["started_at"]);
  } else {
    line = {(phase.empty() ? "-" : printable(phase, text_bytes_max)) + ": started at " +
                time_text(snapshot["started_at"]),
            Severity::warning};
  }
  line.text += ", version " + printable(snapshot["version"].text(), text_bytes_max);
  const JsonView config = snapshot["config"];
  const std::string file = config["file"].text();
  if (!file.empty()) {
    line.text += ", configuration " + printable(file, text_bytes_max) + " of " +
                 time_text(config["loaded_at"]);
  }
  return line;
}

StatsLine ingest_line(const JsonView& ingest, const StatsRates* rates) {
  StatsLine line{"ingest: " + count_text(ingest["events"]) + " events accepted", {}};
  if (rates != nullptr) line.text += " (" + rate_text(rates->accepted) + "/s)";
  line.text += ", " + count_text(ingest["events_confirmed"]) + " of them confirmed, " +
               count_text(ingest["events_refused"]) + " refused, " +
               count_text(ingest["unrouted"]) + " without a destination; " +
               counted_text(ingest["clients"], "client") + ", " +
               counted_text(ingest["connections"], "connection");
  const std::string refused = list_of_counts(ingest["refused"]);
  if (!refused.empty()) line.text += "; refused: " + refused;
  const std::string drops = list_of_counts(ingest["client_drops"]);
  if (!drops.empty()) line.text += "; lost by clients: " + drops;
  const auto missing = ingest["frames_missing"].count().value_or(0);
  if (missing > 0) line.text += "; frames that never came: " + std::to_string(missing);
  const bool has_losses = !drops.empty() || missing > 0 || !refused.empty();
  line.severity = has_losses ? Severity::warning : Severity::normal;
  return line;
}

StatsLine spool_line(const JsonView& spool) {
  if (!spool.is_there()) return {"spool: none", {}};
  StatsLine line{"spool: " + size_text(spool["bytes"]) + " of " + size_text(spool["bytes_max"]) +
                     ", " + size_text(spool["disk_free_bytes"]) + " free on its disk, " +
                     counted_text(spool["dead_events"], "dead letter") + " of " +
                     size_text(spool["dead_bytes"]),
                 {}};
  if (spool["is_failing"].is_true()) {
    line.text += "; THE LAST TRANSACTION WAS NOT WRITTEN";
    line.severity = Severity::alarm;
  }
  return line;
}

// Destinations ------------------------------------------------------------------------------------

StatsLine operator_pause(const JsonView& it) {
  const std::string until = time_text(it["pause"]["until"]);
  return {until == "-" ? "paused" : "paused until " + until, Severity::warning};
}

/// One word that says whether it sends, and for how long it has not or will not.
StatsLine state_of(const JsonView& it) {
  if (it["is_removed"].is_true()) return {"removed", Severity::normal};
  if (it["is_disabled"].is_true()) return {"gone", Severity::alarm};
  if (it["is_held"].is_true()) return {"held", Severity::alarm};
  if (it["pause"].is_there()) return operator_pause(it);
  const std::string breaker = it["breaker"].text();
  if (breaker == "open") return {"down " + duration_text(it["open_for_s"]), Severity::alarm};
  if (breaker == "half_open") return {"probing", Severity::warning};
  if (it["paused_for_s"].is_there()) {
    return {"waits " + duration_text(it["paused_for_s"]), Severity::warning};
  }
  return {breaker.empty() ? "-" : "up", Severity::normal};
}

std::string loss_text(const JsonView& loss) {
  const auto left_s = loss["left_s"].number();
  if (!left_s) return "-";
  if (*left_s >= loss_horizon_s) return "> 7d";
  return rough_duration(*left_s) + " (" + loss["limit"].text() + ")";
}

struct DestinationRow {
  std::vector<std::string> cells;
  Severity severity = Severity::normal;
};

DestinationRow destination_row(const JsonView& it, const StatsRates* rates) {
  const StatsLine state = state_of(it);
  const JsonView ledger = it["ledger"];
  const auto dropped = total(ledger["dropped"], "sampled");
  const auto dead = total(ledger["dead"]);
  const std::string name = it["name"].text();
  const auto left_s = it["time_to_loss"]["left_s"].number();
  DestinationRow row;
  row.cells = {name, state.text, rate_text(it["arrival_rate_per_s"].number())};
  if (rates != nullptr) {
    const auto rate = rates->delivered.find(name);
    row.cells.push_back(
        rate_text(rate == rates->delivered.end() ? std::nullopt : std::optional(rate->second)));
  }
  for (const char* term : {"queued", "in_flight", "spooled", "delivered"}) {
    row.cells.push_back(count_text(ledger[term]));
  }
  row.cells.push_back(dropped ? std::to_string(*dropped) : "-");
  row.cells.push_back(dead ? std::to_string(*dead) : "-");
  row.cells.push_back(duration_text(it["oldest_age_s"]));
  row.cells.push_back(loss_text(it["time_to_loss"]));
  row.severity = state.severity;
  if (left_s && *left_s < loss_alarm_s) row.severity = Severity::alarm;
  const bool has_losses = dropped.value_or(0) + dead.value_or(0) > 0;
  if (has_losses && row.severity == Severity::normal) row.severity = Severity::warning;
  return row;
}

/// The lines of a table; `severities` are those of its rows.
void append(std::vector<StatsLine>& lines, const TextTable& table,
            const std::vector<Severity>& severities) {
  const std::string text = table.text();
  std::size_t row = 0;
  for (std::size_t at = 0; at < text.size(); ++row) {
    const std::size_t end = text.find('\n', at);
    const bool is_head = row == 0 || row > severities.size();
    lines.push_back({text.substr(at, end - at), is_head ? Severity::normal : severities[row - 1]});
    at = end + 1;
  }
}

void append_destinations(std::vector<StatsLine>& lines, const JsonView& destinations,
                         const StatsRates* rates) {
  std::vector<std::string> head = {"destination", "state", "in/s"};
  if (rates != nullptr) head.emplace_back("out/s");
  for (const char* name : {"queued", "in flight", "spooled", "delivered", "dropped", "dead",
                           "oldest", "time to loss"}) {
    head.emplace_back(name);
  }
  TextTable table(head);
  std::vector<Severity> severities;
  std::vector<StatsLine> failures;
  destinations.for_each([&](const JsonView& it) {
    DestinationRow row = destination_row(it, rates);
    table.add(std::move(row.cells));
    severities.push_back(row.severity);
    const StatsLine state = state_of(it);
    std::string failure = it["last_failure"].text();
    if (state.severity == Severity::normal || failure.empty()) return;
    if (const std::string answer = it["last_answer"].text(); !answer.empty()) {
      failure += ": " + answer;
    }
    failures.push_back({printable(it["name"].text(), text_bytes_max) + ": the last failure was " +
                            printable(failure, text_bytes_max),
                        state.severity});
  });
  lines.push_back({});
  append(lines, table, severities);
  if (!failures.empty()) lines.push_back({});
  lines.insert(lines.end(), failures.begin(), failures.end());
}

void append_schedules(std::vector<StatsLine>& lines, const JsonView& schedules) {
  TextTable table({"schedule", "last run", "next run", "runs", "missed", "late"});
  std::vector<Severity> severities;
  schedules.for_each([&](const JsonView& it) {
    table.add({it["name"].text(), time_text(it["last"]), time_text(it["next"]),
               count_text(it["runs"]), count_text(it["missed"]), count_text(it["late"])});
    const bool is_bad = it["missed"].count().value_or(0) + it["late"].count().value_or(0) > 0;
    severities.push_back(is_bad ? Severity::warning : Severity::normal);
  });
  if (table.rows() == 0) return;
  lines.push_back({});
  append(lines, table, severities);
}

}  // namespace

std::string rough_duration(double seconds) {
  if (seconds < 10) return formatted("%.1fs", seconds);
  const auto whole = static_cast<std::uint64_t>(seconds);
  struct Unit {
    std::uint64_t seconds;
    char name;
  };
  constexpr std::array units = {Unit{86'400, 'd'}, Unit{3'600, 'h'}, Unit{60, 'm'}, Unit{1, 's'}};
  for (std::size_t i = 0; i + 1 < units.size(); ++i) {
    if (whole < units[i].seconds) continue;
    const std::uint64_t rest = whole % units[i].seconds / units[i + 1].seconds;
    return formatted("%" PRIu64 "%c%" PRIu64 "%c", whole / units[i].seconds, units[i].name, rest,
                     units[i + 1].name);
  }
  return std::to_string(whole) + "s";
}

StatsMark mark_of(const JsonView& answer, MonoTime read_at) {
  StatsMark mark;
  mark.boot_id = answer["boot_id"].text();
  const std::chrono::duration<double> age(answer["age_s"].number().value_or(0));
  mark.taken_at = read_at - std::chrono::duration_cast<Duration>(age);
  mark.accepted = answer["snapshot"]["ingest"]["events"].count();
  answer["snapshot"]["destinations"].for_each([&](const JsonView& it) {
    const auto delivered = it["ledger"]["delivered"].count();
    if (delivered) mark.delivered.emplace(it["name"].text(), *delivered);
  });
  return mark;
}

StatsRates rates_between(const StatsMark& before, const StatsMark& now) {
  // Closer together, it is one snapshot, and the rest is the time that its answers took.
  constexpr Duration interval_min = std::chrono::milliseconds(100);
  StatsRates rates;
  const Duration interval = now.taken_at - before.taken_at;
  if (before.boot_id != now.boot_id || interval < interval_min) return rates;
  const double seconds = std::chrono::duration<double>(interval).count();
  if (before.accepted && now.accepted && *now.accepted >= *before.accepted) {
    rates.accepted = static_cast<double>(*now.accepted - *before.accepted) / seconds;
  }
  for (const auto& [name, delivered] : now.delivered) {
    const auto earlier = before.delivered.find(name);
    if (earlier == before.delivered.end() || earlier->second > delivered) continue;
    rates.delivered[name] = static_cast<double>(delivered - earlier->second) / seconds;
  }
  return rates;
}

std::vector<StatsLine> stats_lines(const JsonView& answer, const StatsRates* rates) {
  const JsonView snapshot = answer["snapshot"];
  std::vector<StatsLine> lines = {health_line(answer, snapshot),
                                  ingest_line(snapshot["ingest"], rates),
                                  spool_line(snapshot["spool"])};
  append_destinations(lines, snapshot["destinations"], rates);
  append_schedules(lines, snapshot["schedules"]);
  return lines;
}

std::string render(const std::vector<StatsLine>& lines, bool has_colours) {
  constexpr std::array colours = {"", "\x1b[33m", "\x1b[31m"};  // by Severity
  std::string text;
  for (const StatsLine& line : lines) {
    const bool is_coloured = has_colours && line.severity != Severity::normal;
    if (is_coloured) text += colours[static_cast<std::size_t>(line.severity)];
    text += line.text;
    text += is_coloured ? "\x1b[0m\n" : "\n";
  }
  return text;
}

}  // namespace outrider::sidecar
