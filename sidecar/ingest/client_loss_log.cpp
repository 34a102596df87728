#include "sidecar/ingest/client_loss_log.hpp"

#include <string>
#include <utility>

#include <fmt/format.h>

namespace outrider::sidecar {

void ClientLossLog::look(const ClientTable& clients, const Now& now) {
  if (clients.news() == said_news_) return;
  is_waiting_ = !limit_.take(now);
  if (is_waiting_) return;
  std::string reasons;
  for (const auto& [reason, events] : clients.drops()) {
    const std::uint64_t more = events - std::exchange(said_drops_[reason], events);
    if (more > 0) reasons += fmt::format("{}{} {}", reasons.empty() ? "" : ", ", reason, more);
  }
  const std::uint64_t frames = clients.frames_missing();
  log_.warn("clients lost events before they reached the sidecar",
            {{"dropped_by_clients", reasons.empty() ? "none" : std::move(reasons)},
             {"frames_that_never_came", std::to_string(frames - said_frames_)}});
  said_frames_ = frames;
  said_news_ = clients.news();
}

}  // namespace outrider::sidecar
