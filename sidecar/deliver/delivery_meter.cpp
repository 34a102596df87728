#include "sidecar/deliver/delivery_meter.hpp"

#include <utility>

#include "sidecar/base/text.hpp"
#include "sidecar/observe/snapshot.hpp"

namespace outrider::sidecar {
namespace {

static_assert(DeliveryMeter::status_classes == outrider::sidecar::status_classes);

constexpr std::size_t failure_bytes_max = 256;

StatusClass class_of(const Completion& completion) {
  if (completion.result == AttemptResult::sent) return StatusClass::success;
  const int digit = completion.status / 100;
  const bool is_known = completion.result == AttemptResult::answered && digit >= 1 && digit <= 5;
  return is_known ? static_cast<StatusClass>(digit) : StatusClass::none;
}

}  // namespace

void DeliveryMeter::note_end(const Completion& completion, Duration time) {
  if (completion.result == AttemptResult::unsendable) return;
  ++requests[static_cast<std::size_t>(class_of(completion))];
  if (completion.result != AttemptResult::failed) request_time.add(time);
}

void DeliveryMeter::note_failure(const Completion& completion) {
  if (completion.status == 0 && completion.detail.empty()) return;
  std::string detail = without_secrets(printable(completion.detail, failure_bytes_max));
  last_failure = completion.status == 0 ? "" : std::to_string(completion.status);
  last_answer.clear();
  if (completion.quotes_receiver()) {
    last_answer = std::move(detail);
  } else if (!detail.empty()) {
    last_failure += (last_failure.empty() ? "" : ": ") + detail;
  }
}

}  // namespace outrider::sidecar
