// A destination's part of a snapshot; destination.hpp.

#include <algorithm>

#include "sidecar/config/options.hpp"
#include "sidecar/deliver/destination.hpp"
#include "sidecar/observe/snapshot.hpp"
#include "sidecar/observe/time_to_loss.hpp"

namespace outrider::sidecar {
namespace {

/// The counts of rates_.
enum Flow : std::uint8_t { emitted_events, emitted_bytes, confirmed_events, confirmed_bytes, gone };

}  // namespace

void Destination::note_rates(const Now& now) {
  const Amount confirmed = lane_ != nullptr ? lane_->confirmed() : Amount{};
  // Events that are lost with the transport at the end have been counted as delivered before.
  const std::uint64_t gone =
      ledger_.delivered + ledger_.dropped_for(DropReason::linger) + ledger_.dead_total();
  rated_accepted_ = ledger_.accepted;
  rates_.note({emitted_.events, emitted_.bytes, confirmed.events, confirmed.bytes, gone}, now);
}

bool Destination::can_send(const Now& now) const {
  return !pacer_.is_open() && !settler_.is_held() && !settler_.is_disabled() && !pause_.is_on() &&
         pacer_.paused_until() <= now.mono;
}

DestinationSnapshot Destination::snapshot(const Now& now) {
  note_rates(now);
  DestinationSnapshot it;
  it.name = name_;
  it.type = name_of(type_);
  it.ledger = ledger_;
  // Events that the transport holds now were held since they were sent. So the number of those that
  // have left never falls.
  const std::uint64_t inside = std::min(held(), ledger_.delivered);
  told_delivered_ = std::clamp(told_delivered_, ledger_.delivered - inside, ledger_.delivered);
  it.ledger.in_flight += ledger_.delivered - told_delivered_;
  it.ledger.delivered = told_delivered_;

  it.is_removed = is_leaving();
  // A parked one has only counters.
  if (!transport_) {
    it.breaker_openings = pacer_.openings();
    it.retries = meter_.retries;
    it.requests = meter_.requests;
    it.request_time = meter_.request_time;
    it.settle_time = meter_.settle_time;
    return it;
  }
  fill_health(it, now);
  it.requests_in_flight = in_flight_.size();
  it.concurrency_limit = pacer_.concurrency_limit();
  it.retries = meter_.retries;
  it.requests = meter_.requests;
  it.request_time = meter_.request_time;
  it.settle_time = meter_.settle_time;

  it.queue_events_max = backlog_.limits().events_max;
  it.queue_bytes_max = backlog_.limits().bytes_max;
  it.queue_bytes = backlog_.held().bytes;
  MonoTime oldest = backlog_.oldest();
  for (const BatchPtr& batch : in_flight_) oldest = std::min(oldest, batch->arrived);
  if (oldest != never) it.oldest_age = std::max(now.mono - oldest, Duration::zero());
  it.lane_bytes = lane_bytes();
  it.lane_bytes_max = lane_ != nullptr ? lane_->bytes_max() : 0;
  fill_time_to_loss(it, now);
  it.urls = transport_->urls();
  return it;
}

void Destination::fill_health(DestinationSnapshot& to, const Now& now) const {
  if (pacer_.is_open()) {
    const bool is_probed = std::ranges::any_of(
        in_flight_, [this](const BatchPtr& batch) { return pacer_.is_probe(batch->attempt_id); });
    to.breaker = is_probed ? BreakerState::half_open : BreakerState::open;
    to.open_for = now.mono - pacer_.open_since();
  }
  to.breaker_openings = pacer_.openings();
  to.is_held = settler_.is_held();
  to.is_disabled = settler_.is_disabled();
  if (pacer_.paused_until() > now.mono) to.paused_for = pacer_.paused_until() - now.mono;
  if (const auto& pause = pause_.pause()) to.pause = {pause->since, pause->until_wall, pause->who};
  to.last_failure = meter_.last_failure;
  to.last_answer = meter_.last_answer;
}

/// As time_to_loss.hpp says.
void Destination::fill_time_to_loss(DestinationSnapshot& to, const Now& now) const {
  const auto rates = rates_.per_s(now);
  const double events = rates[emitted_events] + rates[confirmed_events];
  const double bytes = rates[emitted_bytes] + rates[confirmed_bytes];
  to.arrival_rate_per_s = events;
  if (events <= 0) return;
  const double stays = can_send(now) ? std::max(0.0, 1 - rates[gone] / events) : 1;
  const bool goes_to_disk = lane_ != nullptr && (goes_to_disk_ || settler_.is_disabled());
  if (rates[emitted_events] > 0 && !goes_to_disk && !settler_.is_disabled()) {
    const Amount held = backlog_.held();
    shorten(to.time_to_loss,
            {LossLimit::queue_events, left_of(to.queue_events_max, held.events), events * stays});
    shorten(to.time_to_loss,
            {LossLimit::queue_bytes, left_of(to.queue_bytes_max, held.bytes), bytes * stays});
  }
  if (lane_ == nullptr) return;
  to.lane_growth_bytes_per_s = (goes_to_disk ? bytes : rates[confirmed_bytes]) * stays;
  shorten(to.time_to_loss, {LossLimit::lane_bytes, left_of(to.lane_bytes_max, to.lane_bytes),
                            to.lane_growth_bytes_per_s});
}

}  // namespace outrider::sidecar
