#include "sidecar/deliver/outcome.hpp"

#include <algorithm>

namespace outrider::sidecar {

namespace {

Outcome usual_outcome_of(int status) {
  if (status >= 200 && status < 300) return Outcome::delivered;
  if (status >= 500 && status < 600) return Outcome::retry;
  switch (status) {
    case 408:
    case 421:
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

const StatusAction* find_action(int status, const std::vector<StatusAction>& actions) {
  const auto found = std::find_if(actions.begin(), actions.end(), [&](const StatusAction& row) {
    return row.first <= status && status <= row.last;
  });
  return found != actions.end() ? &*found : nullptr;
}

}  // namespace

Outcome outcome_of(const Completion& completion, const std::vector<StatusAction>& actions) {
  switch (completion.result) {
    case AttemptResult::failed:
      return Outcome::retry;
    case AttemptResult::unsendable:
      return Outcome::dead;
    case AttemptResult::sent:
      return Outcome::delivered;
    case AttemptResult::answered:
      break;
  }
  // A receiver that will never take this size gives no time for sending it again.
  const bool is_busy =
      completion.status == 413 && (completion.is_for_now || completion.retry_after);
  if (is_busy && find_action(completion.status, actions) == nullptr) return Outcome::retry;
  const Outcome outcome = outcome_of(completion.status, actions);
  return outcome == Outcome::disable && completion.others_remain ? Outcome::retry : outcome;
}

Outcome outcome_of(int status, const std::vector<StatusAction>& actions) {
  const StatusAction* const action = find_action(status, actions);
  return action != nullptr ? action->outcome : usual_outcome_of(status);
}

Outcome unproved_split(int status) {
  switch (usual_outcome_of(status)) {
    case Outcome::retry:
    case Outcome::disable:
      return Outcome::retry;
    case Outcome::hold:
      return Outcome::hold;
    default:
      return Outcome::split;
  }
}

}  // namespace outrider::sidecar
