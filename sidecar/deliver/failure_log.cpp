#include "sidecar/deliver/failure_log.hpp"

#include "sidecar/base/text.hpp"
#include "sidecar/base/units.hpp"

namespace outrider::sidecar {
namespace {

constexpr Duration interval = std::chrono::seconds(10);
constexpr std::size_t detail_bytes_max = 256;

std::string detail_of(const Completion& completion) {
  return printable(completion.detail, detail_bytes_max);
}

}  // namespace

void FailureLog::write(LogLevel level, std::string_view message, const Completion& completion) {
  log_.write(level, message,
             {{"destination", destination_},
              {"status", std::to_string(completion.status)},
              {"detail", detail_of(completion)}});
}

void FailureLog::failed(const Completion& completion, const Now& now) {
  if (told_ != Told::nothing || now.mono < next_failed_) return;
  next_failed_ = now.mono + interval;
  write(LogLevel::warn, "request failed; its events are kept and tried again", completion);
}

void FailureLog::opened(const Completion& completion, const Now& now) {
  if (told_ != Told::nothing || now.mono < next_opened_) return;
  told_ = Told::open;
  next_opened_ = now.mono + interval;
  write(LogLevel::warn, "destination is down; it is probed until it answers, its events are kept",
        completion);
}

void FailureLog::held(const Completion& completion) {
  if (told_ == Told::held) return;
  told_ = Told::held;
  write(LogLevel::error, "destination refuses our credentials; its events are held", completion);
}

void FailureLog::recovered(Duration outage) {
  if (std::exchange(told_, Told::nothing) == Told::nothing) return;
  log_.info("destination recovered",
            {{"destination", destination_}, {"failed_for", format_duration(outage)}});
}

void FailureLog::gone(const Completion& completion) {
  write(LogLevel::error, "destination is gone; nothing more is sent to it", completion);
}

void FailureLog::buried(const Batch& batch, std::uint32_t events, std::string_view reason,
                        const Completion& completion, const Now& now) {
  buried_untold_ += events;
  if (now.mono < next_buried_) return;
  log_.error("dead letters", {{"destination", destination_},
                              {"reason", std::string(reason)},
                              {"events", std::to_string(buried_untold_)},
                              {"status", std::to_string(completion.status)},
                              {"attempts", std::to_string(batch.attempts)},
                              {"batch_id", batch.id},
                              {"detail", detail_of(completion)}});
  buried_untold_ = 0;
  next_buried_ = now.mono + interval;
}

}  // namespace outrider::sidecar
