#include "sidecar/deliver/drop_log.hpp"

#include <string_view>

namespace outrider::sidecar {
namespace {

constexpr Duration interval = std::chrono::seconds(10);

std::uint64_t lost_of(const Ledger& ledger) {
  return ledger.dropped_total() - ledger.dropped_for(DropReason::sampled);
}

}  // namespace

void DropLog::know(const Ledger& ledger) {
  told_total_ = lost_of(ledger);
  told_ = before_ = ledger.dropped;
}

void DropLog::look(const Ledger& ledger, const Now& now) {
  const bool has_news = lost_of(ledger) != told_total_;
  if (!is_dropping_) {
    if (!has_news) return;
    is_dropping_ = true;
    before_ = told_;
    write("events are dropped", ledger, before_);
  } else if (now.mono < next_line_) {
    return;
  } else if (has_news) {
    write("events are still dropped", ledger, told_);
  } else {
    is_dropping_ = false;
    write("no more events are dropped", ledger, before_);
  }
  next_line_ = now.mono + interval;
}

void DropLog::finish(const Ledger& ledger) {
  if (is_dropping_ || lost_of(ledger) != told_total_) {
    write("events were dropped", ledger, is_dropping_ ? before_ : told_);
  }
  is_dropping_ = false;
}

/// With what was dropped since those counts.
void DropLog::write(std::string_view message, const Ledger& ledger, const Counts& since) {
  std::uint64_t events = 0;
  std::string reasons;
  for (const DropReasonRow& row : drop_reasons) {
    if (row.reason == DropReason::sampled) continue;
    const auto index = static_cast<std::size_t>(row.reason);
    const std::uint64_t dropped = ledger.dropped[index] - since[index];
    if (dropped == 0) continue;
    events += dropped;
    if (!reasons.empty()) reasons += ", ";
    reasons.append(row.name).append(" ").append(std::to_string(dropped));
  }
  told_total_ = lost_of(ledger);
  told_ = ledger.dropped;
  log_.error(message, {{"destination", destination_},
                       {"events", std::to_string(events)},
                       {"reasons", std::move(reasons)},
                       {"queued", std::to_string(ledger.queued)}});
}

}  // namespace outrider::sidecar
