#include "sidecar/deliver/failure_log.hpp"

#include "sidecar/base/text.hpp"
#include "sidecar/base/units.hpp"

namespace outrider::sidecar {
namespace {

constexpr Duration interval = std::chrono::seconds(10);
constexpr Duration reminder_interval = std::chrono::hours(1);
constexpr std::size_t detail_bytes_max = 256;

std::string_view name_of(DeadReason reason) {
  return dead_reasons[static_cast<std::size_t>(reason)].name;
}

std::string detail_of(const Completion& completion) {
  return without_secrets(printable(completion.detail, detail_bytes_max));
}

std::string status_of(const Completion& completion) {
  return completion.status == 0 ? "none" : std::to_string(completion.status);
}

}  // namespace

void FailureLog::write(LogLevel level, std::string_view message, const Completion& completion,
                       std::uint64_t queued) {
  log_.write(level, message,
             {{"destination", destination_},
              {"status", status_of(completion)},
              {"queued", std::to_string(queued)},
              {"detail", detail_of(completion)}});
}

void FailureLog::failed(const Completion& completion, const Now& now) {
  if (told_ != Told::nothing || now.mono < next_failed_) return;
  next_failed_ = now.mono + interval;
  log_.warn("request failed; its events are kept and tried again",
            {{"destination", destination_},
             {"status", status_of(completion)},
             {"detail", detail_of(completion)}});
}

void FailureLog::opened(const Completion& completion, std::uint64_t queued, const Now& now) {
  const bool is_new = told_ == Told::nothing && now.mono >= next_opened_;
  const bool is_due = told_ == Told::open && now.mono >= next_reminder_;
  if (!is_new && !is_due) return;
  told_ = Told::open;
  next_opened_ = now.mono + interval;
  next_reminder_ = now.mono + reminder_interval;
  write(LogLevel::warn, "destination is down; it is probed until it answers, its events are kept",
        completion, queued);
}

void FailureLog::held(const Completion& completion, std::uint64_t queued, const Now& now) {
  if (told_ == Told::held && now.mono < next_reminder_) return;
  told_ = Told::held;
  next_reminder_ = now.mono + reminder_interval;
  write(LogLevel::error, "destination refuses our credentials; its events are held", completion,
        queued);
}

void FailureLog::recovered(Duration outage) {
  if (std::exchange(told_, Told::nothing) == Told::nothing) return;
  log_.info("destination recovered",
            {{"destination", destination_}, {"failed_for", format_duration(outage)}});
}

void FailureLog::gone(const Completion& completion, std::uint64_t queued) {
  write(LogLevel::error, "destination is gone; nothing more is sent to it", completion, queued);
}

void FailureLog::buried(const Batch& batch, std::uint32_t events, DeadReason reason,
                        const Completion& completion, const Now& now) {
  Buried& row = untold(reason);
  row.events += events;
  if (now.mono < row.next_line) return;
  log_.error("dead letters", {{"destination", destination_},
                              {"reason", std::string(name_of(reason))},
                              {"events", std::to_string(std::exchange(row.events, 0))},
                              {"status", std::to_string(completion.status)},
                              {"attempts", std::to_string(batch.attempts)},
                              {"batch_id", batch.id},
                              {"detail", detail_of(completion)}});
  row.next_line = now.mono + interval;
}

void FailureLog::finish() {
  for (const DeadReasonRow& row : dead_reasons) {
    const std::uint64_t events = std::exchange(untold(row.reason).events, 0);
    if (events == 0) continue;
    log_.error("dead letters", {{"destination", destination_},
                                {"reason", std::string(row.name)},
                                {"events", std::to_string(events)}});
  }
}

}  // namespace outrider::sidecar
