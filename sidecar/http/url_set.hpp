// UrlSet: which of a destination's urls the next request uses, and which are healthy.
//
// Used by CurlTransport. A request uses the healthy url with the fewest requests in flight, in turn
// if several have equally few. A failure makes a url unhealthy for its own backoff (exponential,
// full jitter; at least Retry-After if the answer has it). After that, one request probes it, with
// the full timeout of any request: one that is cut short would arrive twice. Its success makes the
// url healthy again. Requests that were in flight when a url became unhealthy are no new
// information. If no url is healthy, the one whose backoff ends first is used at once, but one that
// asked for a pause only if all did: the destination does the waiting, and settle() returns how
// long. A url that is gone is not used any more; the destination is gone when all urls are. Thread:
// one set, one thread. Plain state, no I/O.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sidecar/base/clock.hpp"
#include "sidecar/base/random.hpp"
#include "sidecar/deliver/backoff.hpp"
#include "sidecar/deliver/outcome.hpp"
#include "sidecar/deliver/transport.hpp"

namespace outrider::sidecar {

class UrlSet {
 public:
  /// A request's claim on a url; to be given back by exactly one of the members below.
  struct Ticket {
    std::size_t url = 0;
    std::uint64_t number = 0;
  };

  UrlSet(std::size_t urls, BackoffLimits backoff, std::uint64_t seed)
      : urls_(urls), backoff_(backoff), random_(seed) {}

  Ticket take(const Now& now);

  /// The url did its part.
  void succeeded(Ticket ticket);

  /// It did not. Returns whether another url is healthy.
  bool failed(Ticket ticket, std::optional<Duration> retry_after, const Now& now);

  /// The effect of a request's completion on its url, by one of the two above; and the effect of
  /// the other urls on the completion: whether there is an alternative, how long all must pause,
  /// and whether any url is left. Returns whether the url did its part.
  bool settle(Ticket ticket, Outcome outcome, Completion& completion, const Now& now);

  /// How long it takes until some url may be tried again; zero if one may now.
  Duration wait(const Now& now) const;

  /// How long it takes until some url has had the rest that it asked for.
  Duration rest(const Now& now) const;

  bool is_healthy(std::size_t url) const { return urls_[url].failures == 0 && !urls_[url].is_gone; }
  bool is_gone(std::size_t url) const { return urls_[url].is_gone; }

  /// The request was given up; that says nothing of the url.
  void cancelled(Ticket ticket) { --urls_[ticket.url].in_flight; }

 private:
  struct Url {
    std::size_t in_flight = 0;
    std::uint32_t failures = 0;  ///< in a row; 0: healthy
    MonoTime ill_until{};
    MonoTime rests_until{};                 ///< by Retry-After; not beyond ill_until
    std::uint64_t last_before_failure = 0;  ///< tickets up to this one tell nothing new
    bool is_gone = false;                   ///< and is until the next start
  };

  std::size_t choose(const Now& now) const;
  bool has_healthy_but(std::size_t url, const Now& now) const;
  Duration until_first(MonoTime Url::*moment, const Now& now) const;

  std::vector<Url> urls_;
  BackoffLimits backoff_;
  Random random_;
  std::size_t last_taken_ = 0;
  std::uint64_t last_number_ = 0;
};

}  // namespace outrider::sidecar
