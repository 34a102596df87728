#include "sidecar/app/limit_probe.hpp"

#include <algorithm>
#include <string>

#include <sys/resource.h>

#include "sidecar/admin/admin_server.hpp"
#include "sidecar/base/thread_probe.hpp"
#include "sidecar/base/units.hpp"
#include "sidecar/fanout/zmq_transport.hpp"

namespace outrider::sidecar {
namespace {

using Kind = Finding::Kind;

/// With less there is not even an empty spool.
constexpr std::uint64_t new_spool_bytes = 128U << 10U;

bool writes_files(const Config& config) {
  const auto& all = config.destinations;
  return std::any_of(all.begin(), all.end(), [](const DestinationConfig& destination) {
    return destination.type == DestinationType::file;
  });
}

/// With room for some clients.
std::uint64_t enough_files(std::uint64_t needed) {
  constexpr std::uint64_t clients = 20;
  return (needed + clients) * 4 / 3 + 1;
}

}  // namespace

Findings probe_descriptors(const Config& config, std::uint64_t needed) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return {};
  const auto with_admin = [&](std::uint64_t files) {
    return needed + AdminServer::descriptors_needed(config, files);
  };
  // The sidecar raises its own limit up to the hard one. Clients get descriptors below three
  // quarters of it (socket_gate.hpp).
  if (limit.rlim_max - limit.rlim_max / 4 > with_admin(limit.rlim_max)) return {};
  const std::uint64_t enough = enough_files(with_admin(2 * enough_files(needed)));
  return {{Kind::error,
           "this process may open only " + std::to_string(limit.rlim_max) +
               " files and sockets; the configuration needs " +
               std::to_string(with_admin(limit.rlim_max)) +
               " before the first client connects, and a quarter of the limit is reserved for the "
               "sidecar itself; set ulimit -n, or LimitNOFILE= in the unit, to at least " +
               std::to_string(enough)}};
}

Findings probe_memory(const Config& config, const MemoryLimit& limit) {
  std::uint64_t queue_bytes = 0;
  for (const DestinationConfig& destination : config.destinations) {
    queue_bytes += destination.queue_bytes_max;
  }
  // The largest parts of "Sizing the memory" in operations.md.
  constexpr std::uint64_t own_bytes = 20ULL << 20U;
  constexpr std::uint64_t ingest_bytes = 128ULL << 20U;
  const std::uint64_t sockets = config.spool.path.empty() ? 1 : 2;
  const std::uint64_t needed = own_bytes + sockets * ingest_bytes + queue_bytes + queue_bytes / 4;
  if (limit.bytes == 0 || needed <= limit.bytes) return {};
  return {{Kind::warning, "the queues may take " + format_size(queue_bytes) +
                              " together, and with everything else about " +
                              format_size(needed >> 20U << 20U) + ", but " + limit.owner +
                              " only " + format_size(limit.bytes >> 20U << 20U) +
                              " of memory; lower queue_bytes_max and use when_full = spool" +
                              (limit.cure.empty() ? "" : ", or raise " + limit.cure)}};
}

std::size_t threads_needed(const Config& config) {
  constexpr std::size_t zmq_threads = 2, signals = 1, files = 1, names = 1, storage_and_mark = 2;
  std::size_t count =
      zmq_threads + signals + files + names + (config.spool.path.empty() ? 0 : storage_and_mark);
  if (admin_address(config).kind != AdminAddress::Kind::none) {
    count += config.spool.path.empty() ? 1 : 2;  // dead letters
  }
  for (const DestinationConfig& destination : config.destinations) {
    const bool has_writer =
        destination.type == DestinationType::file || destination.type == DestinationType::stdout_;
    if (has_writer) ++count;
    if (destination.type == DestinationType::zmq && has_own_context(destination)) count += 3;
  }
  return count;
}

Findings probe_thread_limit(const Config& config) {
  // `run` has a thread for the log already, and `check` has none.
  constexpr std::size_t main_and_log = 2;
  const std::size_t here = std::clamp<std::size_t>(threads_now(), 1, main_and_log);
  const Status threads = probe_threads(threads_needed(config) + main_and_log - here);
  if (threads.ok()) return {};
  return {{Kind::in_use, threads.error().message}};
}

Findings probe_file_size(const Config& config) {
  rlimit limit{};
  if (getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return {};
  const SpoolConfig& spool = config.spool;
  const std::uint64_t stored = spool.bytes_max + spool.dead_bytes_max;
  const bool has_spool = !spool.path.empty();
  const std::uint64_t needed = has_spool ? stored + stored / 10 : 0;
  if (limit.rlim_cur >= needed && !writes_files(config)) return {};
  const bool is_too_small = has_spool && limit.rlim_cur < new_spool_bytes;
  return {{is_too_small ? Kind::error : Kind::warning,
           "this process may not write files larger than " + format_size(limit.rlim_cur) +
               (limit.rlim_cur < needed ? "; the spool may take " + format_size(needed)
                                        : "; `file` destinations fail at that size") +
               "; raise ulimit -f, or LimitFSIZE= in the unit"}};
}

}  // namespace outrider::sidecar
