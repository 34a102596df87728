#include "sidecar/deliver/outcome.hpp"

#include <algorithm>

namespace outrider::sidecar {

namespace {

Outcome usual_outcome_of(int status) {
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
    case 407:
      return Outcome::hold;
    case 410:
      return Outcome::disable;
    default:
      return Outcome::dead;
  }
}

}  // namespace

Outcome outcome_of(AttemptResult result, int status, const std::vector<StatusAction>& actions) {
  switch (result) {
    case AttemptResult::failed:
      return Outcome::retry;
    case AttemptResult::unsendable:
      return Outcome::dead;
    case AttemptResult::sent:
    case AttemptResult::sent_some:
      return Outcome::delivered;
    case AttemptResult::answered:
      break;
  }
  const auto action = std::find_if(actions.begin(), actions.end(), [&](const StatusAction& row) {
    return row.first <= status && status <= row.last;
  });
  return action != actions.end() ? action->outcome : usual_outcome_of(status);
}

}  // namespace outrider::sidecar
