#include "sidecar/deliver/outcome.hpp"

namespace outrider::sidecar {

Outcome outcome_of(AttemptResult result, int status) {
  if (result == AttemptResult::failed) return Outcome::retry;
  if (result != AttemptResult::answered) return Outcome::delivered;
  if (status >= 200 && status < 300) return Outcome::delivered;
  if (status >= 500 && status < 600) return Outcome::retry;
  switch (status) {
    case 408:
    case 425:
    case 429:
      return Outcome::retry;
    case 413:
      return Outcome::split;
    case 401:
    case 403:
      return Outcome::hold;
    case 410:
      return Outcome::disable;
    default:
      return Outcome::dead;
  }
}

}  // namespace outrider::sidecar
