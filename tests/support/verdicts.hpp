// Verdicts on the events of an attempt, as transports without an answer give them.
#pragma once

#include <algorithm>
#include <cstdint>

#include "sidecar/deliver/transport.hpp"

namespace outrider::test {

/// So many from the front went out, and the first of these were lost; the rest was not tried.
inline void send_in_part(sidecar::Completion& completion, std::size_t events, std::size_t sent,
                         std::size_t lost) {
  completion.result = sidecar::AttemptResult::sent;
  completion.verdicts.assign(lost, {sidecar::EventFate::lost});
  completion.verdicts.resize(sent, {sidecar::EventFate::taken});
  completion.verdicts.resize(events, {sidecar::EventFate::untried});
}

inline std::uint32_t events_of(const sidecar::Completion& completion, sidecar::EventFate fate) {
  return static_cast<std::uint32_t>(
      std::ranges::count(completion.verdicts, fate, &sidecar::EventVerdict::fate));
}

}  // namespace outrider::test
