// Weather: how the outside world treats one url, for a while: probabilities of what an attempt
// meets.
//
// Used by the Receiver, whose answers it decides. Plain values.
#pragma once

#include "sidecar/base/clock.hpp"
#include "sidecar/base/random.hpp"

namespace outrider::test {

struct Weather {
  double failure = 0;          ///< no answer: refused, reset
  double lost_answer = 0;      ///< received, but the answer never came
  double overloaded = 0;       ///< 408, 421, 425, 429 or 5xx, often with Retry-After
  double refused = 0;          ///< 400, 404, a redirect, or a status that nobody knows
  double unsendable = 0;       ///< no request can be made of it
  double conflict = 0;         ///< 409, which the configuration may call delivered
  double unauthorised = 0;     ///< 401, 403 or 407
  double gone = 0;             ///< 410
  double too_large = 0;        ///< 413 for batches of more than one event
  bool hates_sevens = false;   ///< 413 for whatever holds an event whose number ends in 7
  double congested = 0;        ///< takes only a part
  double subscriber_full = 0;  ///< and of that one is lost
  double late = 0;             ///< of what failed: some answer comes after all, when it is over
  double garbled = 0;          ///< a body that is cut or no text; a status beside a failure
  double odd_pause = 0;        ///< Retry-After where none belongs, or one that makes no sense
  sidecar::Duration latency_max = std::chrono::milliseconds(1);
};

inline Weather random_weather(sidecar::Random& random) {
  Weather weather;
  const auto unit = [&] { return static_cast<double>(random.below(1000)) / 1000.0; };
  const auto sometimes = [&] { return random.chance(0.3) ? 0.9 * unit() : 0.0; };
  weather.failure = random.chance(0.2) ? 1.0 : sometimes();
  weather.lost_answer = sometimes();
  weather.overloaded = sometimes();
  weather.unsendable = 0.2 * sometimes();
  weather.conflict = sometimes();
  weather.refused = sometimes();
  weather.unauthorised = sometimes();
  weather.gone = random.chance(0.02) ? 0.5 : 0.0;
  weather.too_large = sometimes();
  weather.hates_sevens = random.chance(0.2);
  weather.congested = sometimes();
  weather.subscriber_full = 0.5;
  weather.late = sometimes();
  weather.garbled = sometimes();
  weather.odd_pause = random.chance(0.05) ? 0.2 : 0.0;
  weather.latency_max = std::chrono::milliseconds(random.below(2000));
  return weather;
}

}  // namespace outrider::test
