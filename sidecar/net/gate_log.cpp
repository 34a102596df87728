#include "sidecar/net/gate_log.hpp"

#include <string>
#include <utility>

#include <sys/resource.h>

namespace outrider::sidecar {

void GateLog::look(const Now& now) {
  if (now.mono < next_look_) return;
  next_look_ = now.mono + look_interval;
  const SocketGate::Counts counts = count_();
  if (counts.refused > said_.refused && refused_limit_.take(now)) tell_refused(counts);
  if (now.mono >= cut_off_limit_.next_line() && tell_cut_off(counts)) cut_off_limit_.take(now);
}

void GateLog::tell_refused(const SocketGate::Counts& counts) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const auto for_clients = static_cast<std::uint64_t>(SocketGate::descriptors_for_clients_max());
  // Those for clients are the lowest numbers, which others may have taken before.
  const bool are_clients = counts.open > for_clients / 4;
  log_.error(are_clients
                 ? "new clients are refused: descriptors run out; raise the limit of open files "
                   "(LimitNOFILE in the unit), or look for clients that connect too often"
                 : "new clients are refused: descriptors run out, and clients are not the cause; "
                   "raise the limit of open files (LimitNOFILE in the unit)",
             {{"connections", std::to_string(counts.refused - said_.refused)},
              {"open_files_limit", std::to_string(limit.rlim_cur)},
              {"for_clients", std::to_string(for_clients)},
              {"clients", std::to_string(counts.open)}});
  said_.refused = counts.refused;
}

/// False: there was nothing to tell.
bool GateLog::tell_cut_off(const SocketGate::Counts& counts) {
  const auto since = [&](std::uint64_t SocketGate::Counts::*count) {
    return counts.*count - said_.*count;
  };
  struct Row {
    const char* name;
    std::uint64_t count;
    std::string hint;
  };
  using Counts = SocketGate::Counts;
  const std::string met = std::string("a ") + counts.other_type + " socket connects where " +
                          counts.taken_types + " belongs; ";
  const Row rows[] = {
      {"http_requests", since(&Counts::http),
       "the endpoint speaks ZeroMQ, not HTTP; send with the SDK, `outrider emit` or a ZeroMQ PUSH "
       "socket"},
      {"tls", since(&Counts::tls), "the endpoint speaks ZeroMQ without TLS"},
      {"other_socket_types", since(&Counts::other_socket),
       met + "ingest.endpoint takes PUSH, ingest.confirm_endpoint takes DEALER"},
      {"not_zeromq", since(&Counts::not_zeromq),
       "clients need ZeroMQ 3 or later, without a security mechanism"},
      {"beyond_limits", since(&Counts::beyond_limits),
       "see ingest.frame_bytes_max; no client of the SDK sends such messages"},
      {"too_many_or_long_subscriptions", since(&Counts::oversubscribed),
       "subscribe to fewer topics, or to their common prefix"},
      {"message_without_end", since(&Counts::stalled),
       "a client stopped in the middle of a large frame"},
  };
  bool has_news = false;
  for (const Row& row : rows) {
    if (row.count == 0) continue;
    has_news = true;
    log_.warn("closed client connections because of invalid traffic",
              {{row.name, std::to_string(row.count)}, {"hint", row.hint}});
  }
  if (const std::uint64_t left = since(&Counts::left); left > 0) {
    has_news = true;
    // A socket of another type ends the connection itself, often before it has named its type.
    log_.info("clients disconnected during the ZeroMQ handshake",
              {{"connections", std::to_string(left)},
               {"hint",
                "a program that ends at once does this; if it does not, its socket has another "
                "type: ingest.endpoint takes PUSH, ingest.confirm_endpoint takes DEALER"}});
  }
  if (const std::uint64_t made = since(&Counts::made_cut_off); made > 0) {
    has_news = true;
    log_.warn("closed fan-out connections because of invalid traffic",
              {{"connections", std::to_string(made)},
               {"hint",
                "a zmq destination must connect to a SUB or PULL socket without a security "
                "mechanism; check its url"}});
  }
  if (!has_news) return false;
  const std::uint64_t refused = said_.refused;
  said_ = counts;
  said_.refused = refused;
  return true;
}

}  // namespace outrider::sidecar
