#include "sidecar/ingest/gate_log.hpp"

#include <string>
#include <utility>

#include <sys/resource.h>

namespace outrider::sidecar {

void GateLog::tick() {
  const SocketGate::Counts now = SocketGate::counts();
  if (refused_quiet_ > 0) --refused_quiet_;
  if (now.refused > said_.refused && refused_quiet_ == 0) {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    const auto for_clients = static_cast<std::uint64_t>(SocketGate::descriptors_for_clients_max());
    // Those for clients are the lowest numbers, which others may have taken before.
    const bool are_clients = now.open >= for_clients / 2;
    log_.error(
        are_clients
            ? "new clients are refused: descriptors run out; raise the limit of open files "
              "(LimitNOFILE in the unit), or look for clients that connect too often"
            : "new clients are refused: descriptors run out, and it is not clients that hold "
              "them; raise the limit of open files (LimitNOFILE in the unit)",
        {{"connections", std::to_string(now.refused - said_.refused)},
         {"open_files_limit", std::to_string(limit.rlim_cur)},
         {"for_clients", std::to_string(for_clients)},
         {"clients", std::to_string(now.open)}});
    said_.refused = now.refused;
    refused_quiet_ = quiet_ticks;
  }
  if (cut_off_quiet_ > 0) --cut_off_quiet_;
  const std::uint64_t cut_off = now.cut_off - said_.cut_off;
  const std::uint64_t oversubscribed = now.oversubscribed - said_.oversubscribed;
  const std::uint64_t stalled = now.stalled - said_.stalled;
  if (cut_off + oversubscribed + stalled > 0 && cut_off_quiet_ == 0) {
    log_.warn("clients are cut off for what they send",
              {{"not_zeromq_or_message_too_large", std::to_string(cut_off)},
               {"too_many_or_long_subscriptions", std::to_string(oversubscribed)},
               {"message_without_end", std::to_string(stalled)}});
    said_.cut_off = now.cut_off;
    said_.oversubscribed = now.oversubscribed;
    said_.stalled = now.stalled;
    cut_off_quiet_ = quiet_ticks;
  }
}

}  // namespace outrider::sidecar
