#include "sidecar/http/url_set.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

namespace outrider::sidecar {

std::size_t UrlSet::choose(const Now& now) const {
  enum Rank { due_for_a_probe, healthy, ill, gone };
  const auto order = [&](std::size_t url) {
    const Url& it = urls_[url];
    const bool is_due = it.in_flight == 0 && it.ill_until <= now.mono;
    // Even a healthy one rests: an answer of before its last failure may ask for it.
    const bool rests = it.rests_until > now.mono;
    const bool is_healthy = it.failures == 0 && !rests;
    const Rank rank = it.is_gone ? gone : is_healthy ? healthy : is_due ? due_for_a_probe : ill;
    return std::tuple(rank, rests, rank == ill ? it.ill_until : MonoTime{}, it.in_flight);
  };
  std::size_t best = (last_taken_ + 1) % urls_.size();
  for (std::size_t i = 2; i <= urls_.size(); ++i) {
    const std::size_t url = (last_taken_ + i) % urls_.size();
    if (order(url) < order(best)) best = url;
  }
  return best;
}

UrlSet::Ticket UrlSet::take(const Now& now) {
  last_taken_ = choose(now);
  ++urls_[last_taken_].in_flight;
  return {last_taken_, ++last_number_};
}

bool UrlSet::has_healthy_but(std::size_t url, const Now& now) const {
  for (std::size_t other = 0; other < urls_.size(); ++other) {
    const Url& it = urls_[other];
    if (other != url && is_healthy(other) && it.rests_until <= now.mono) return true;
  }
  return false;
}

/// Until the first of those that are left.
Duration UrlSet::until_first(MonoTime Url::*moment, const Now& now) const {
  MonoTime first = never;
  for (const Url& url : urls_) {
    if (!url.is_gone) first = std::min(first, url.*moment);
  }
  return first == never ? Duration::zero() : std::max(first - now.mono, Duration::zero());
}

Duration UrlSet::wait(const Now& now) const {
  return until_first(&Url::ill_until, now);
}

Duration UrlSet::rest(const Now& now) const {
  return until_first(&Url::rests_until, now);
}

void UrlSet::succeeded(Ticket ticket) {
  Url& url = urls_[ticket.url];
  --url.in_flight;
  if (ticket.number > url.last_before_failure) url.failures = 0;
}

bool UrlSet::failed(Ticket ticket, std::optional<Duration> retry_after, const Now& now) {
  Url& url = urls_[ticket.url];
  --url.in_flight;
  Duration pause = retry_after.value_or(Duration::zero());
  url.rests_until = std::max(url.rests_until, now.mono + pause);
  if (ticket.number > url.last_before_failure) {
    url.last_before_failure = last_number_;
    pause = std::max(pause, backoff(backoff_, ++url.failures, random_));
  }
  url.ill_until = std::max(url.ill_until, now.mono + pause);
  return has_healthy_but(ticket.url, now);
}

bool UrlSet::settle(Ticket ticket, Outcome outcome, Completion& completion, const Now& now) {
  if (outcome == Outcome::disable) {
    urls_[ticket.url].is_gone = true;
    completion.others_remain =
        std::ranges::any_of(urls_, [](const Url& it) { return !it.is_gone; });
    if (!completion.others_remain) {
      cancelled(ticket);
      return false;
    }
    completion.retry_after.reset();
  } else if (outcome != Outcome::retry && outcome != Outcome::hold) {
    succeeded(ticket);
    return true;
  }
  const std::optional<Duration> asked = std::exchange(completion.retry_after, std::nullopt);
  completion.has_alternative = failed(ticket, asked, now);
  if (completion.has_alternative) return false;
  // It was asked of this url; the others rest for as long as they must.
  const Duration pause = std::max(rest(now), std::min(asked.value_or(Duration::zero()), wait(now)));
  if (asked || pause > Duration::zero()) completion.retry_after = pause;
  return false;
}

}  // namespace outrider::sidecar
