#include "sidecar/app/report.hpp"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "sidecar/base/text.hpp"

namespace outrider::sidecar {
namespace {

constexpr std::size_t reason_bytes_max = 64;

using Counts = std::vector<std::pair<std::string, std::uint64_t>>;

/// " (name 3, name 1)", or nothing.
std::string in_brackets(const Counts& counts) {
  std::string text;
  for (const auto& [name, count] : counts) {
    if (count == 0) continue;
    text += text.empty() ? " (" : ", ";
    text += fmt::format("{} {}", printable(name, reason_bytes_max), count);
  }
  return text.empty() ? text : text + ")";
}

/// Temporary refusals, or permanent ones.
Counts refusals(const IngestCounters& counters, bool are_for_later) {
  Counts counts;
  for (const proto::RefusalRow& row : proto::refusals) {
    const auto number = static_cast<std::size_t>(row.refusal);
    if (proto::is_for_later(number) != are_for_later) continue;
    counts.emplace_back(row.name, counters.refused[number]);
  }
  return counts;
}

std::uint64_t total(const Counts& counts) {
  std::uint64_t sum = 0;
  for (const auto& [name, count] : counts) sum += count;
  return sum;
}

std::string losses(const Ledger& ledger) {
  Counts counts;
  for (const DropReasonRow& row : drop_reasons) {
    if (row.reason == DropReason::linger) continue;
    counts.emplace_back(row.name, ledger.dropped_for(row.reason));
  }
  for (const DeadReasonRow& row : dead_reasons) {
    counts.emplace_back("dead: " + std::string(row.name), ledger.dead_for(row.reason));
  }
  return in_brackets(counts);
}

std::string recovered(const Ledger& ledger) {
  if (ledger.recovered == 0) return {};
  return fmt::format(" ({} of the accepted events were already on disk)", ledger.recovered);
}

}  // namespace

bool Report::is_balanced() const {
  return std::all_of(destinations.begin(), destinations.end(),
                     [](const DestinationReport& row) { return row.ledger.is_balanced(); });
}

bool Report::has_losses() const {
  return std::any_of(destinations.begin(), destinations.end(),
                     [](const DestinationReport& row) { return row.ledger.lost() > 0; });
}

std::string format_report(const Report& report) {
  std::string text = "ledger\n";
  auto out = std::back_inserter(text);
  fmt::format_to(out, "  ingest: {} frames, {} events accepted, {} to no destination\n",
                 report.ingest.frames, report.ingest.events, report.unrouted);
  if (report.ingest.frames_refused + report.ingest.events_refused > 0) {
    fmt::format_to(out, "  refused: {} frames, {} events{}\n", report.ingest.frames_refused,
                   report.ingest.events_refused, in_brackets(refusals(report.ingest, false)));
  }
  // One event may be put off many times.
  if (const Counts put_off = refusals(report.ingest, true); total(put_off) > 0) {
    fmt::format_to(out, "  put off: {} times{}; clients send the events again\n", total(put_off),
                   in_brackets(put_off));
  }
  const ConfirmCounters& confirmed = report.confirmed;
  if (confirmed.frames + confirmed.frames_again + confirmed.frames_refused > 0) {
    fmt::format_to(out, "  confirmed: {} frames, {} of them sent again; {} could not be stored\n",
                   confirmed.frames + confirmed.frames_again, confirmed.frames_again,
                   confirmed.frames_refused);
  }
  if (report.frames_missing > 0) {
    fmt::format_to(out, "  lost on the way: {} frames\n", report.frames_missing);
  }
  if (report.lost_by_last_run > 0) {
    fmt::format_to(
        out,
        "  unknown: {} events were only in memory when the last run ended without a shutdown\n",
        report.lost_by_last_run);
  }
  if (!report.client_drops.empty()) {
    fmt::format_to(out, "  dropped by clients:{}\n",
                   in_brackets({report.client_drops.begin(), report.client_drops.end()}));
  }
  std::size_t width = std::string_view("destination").size();
  for (const auto& row : report.destinations) width = std::max(width, row.name.size());
  fmt::format_to(out, "  {:<{}} {:>12} {:>12} {:>10} {:>10} {:>8} {:>9} {:>9} {:>8} {:>9}\n",
                 "destination", width, "accepted", "delivered", "left", "dropped", "dead",
                 "spooled", "scheduled", "queued", "in flight");
  for (const auto& [name, ledger] : report.destinations) {
    // Events that remained at the end of the shutdown have their own column.
    const std::uint64_t left = ledger.dropped_for(DropReason::linger);
    fmt::format_to(out, "  {:<{}} {:>12} {:>12} {:>10} {:>10} {:>8} {:>9} {:>9} {:>8} {:>9}{}{}\n",
                   name, width, ledger.accepted, ledger.delivered, left,
                   ledger.dropped_total() - left, ledger.dead_total(), ledger.spooled,
                   ledger.scheduled, ledger.queued, ledger.in_flight, losses(ledger),
                   recovered(ledger));
  }
  text += report.is_balanced() ? "  every accepted event is accounted for\n"
                               : "  THE LEDGER DOES NOT ADD UP: please report this\n";
  return text;
}

}  // namespace outrider::sidecar
