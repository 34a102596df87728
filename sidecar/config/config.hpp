// Config: everything that the configuration file and the command line can say, checked and final.
//
// Used by the composition root (app), which hands each part its own piece. The rows that parse,
// document and explain these fields are in options.cpp; the defaults are only here. Thread: plain
// values, immutable after loading.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sidecar/base/clock.hpp"
#include "sidecar/base/log.hpp"
#include "sidecar/config/destination_config.hpp"
#include "sidecar/config/schedule_config.hpp"

namespace outrider::sidecar {

/// The answer to an event to be confirmed that no destination takes.
enum class Unrouted : std::uint8_t { accept, refuse };

struct IngestConfig {
  /// ipc://PATH, tcp://HOST:PORT, inproc://NAME
  std::vector<std::string> endpoints = {"ipc:///run/outrider/outrider.sock"};
  std::string confirm_endpoint = "ipc:///run/outrider/confirm.sock";  ///< used with a spool
  std::uint64_t frame_bytes_max = 4ULL << 20U;
  std::uint64_t event_bytes_max = 1ULL << 20U;
  Unrouted unrouted = Unrouted::accept;
  std::uint32_t socket_mode = 0660;  ///< permission bits of an ipc socket
  std::string socket_group;          ///< group of an ipc socket; empty: the process's own
};

enum class SpoolSync : std::uint8_t { full, normal };

struct SpoolConfig {
  std::string path;  ///< empty: there is no spool
  SpoolSync sync = SpoolSync::full;
  std::uint64_t bytes_max = 4ULL << 30U;
  std::uint64_t free_bytes_min = 256ULL << 20U;
  std::uint64_t dead_events_max = 10'000;
  std::uint64_t dead_bytes_max = 256ULL << 20U;
  Duration dead_age_max = std::chrono::hours(30 * 24);
};

/// The file of a configuration.
struct ConfigSource {
  std::string file;  ///< as it was named
  std::string hash;  ///< SHA-256 of its bytes, in hexadecimal
};

/// The HTTP interface for operators.
/// How much the admin interface shows of what receivers write.
enum class Payloads : std::uint8_t { none, redacted, full };

struct AdminConfig {
  /// unix://PATH, tcp://HOST:PORT or none; empty: see admin_address.hpp
  std::string listen;
  std::uint32_t socket_mode = 0600;
  std::string socket_group;  ///< empty: the process's own
  std::string token_file;    ///< a secret source; empty: no token
  std::string cert_file;     ///< empty: no TLS
  std::string key_file;      ///< empty: the key is in cert_file
  bool read_only = false;
  Payloads payloads = Payloads::redacted;
};

struct Config {
  ConfigSource source;
  IngestConfig ingest;
  AdminConfig admin;
  SpoolConfig spool;
  std::vector<DestinationConfig> destinations;
  std::vector<ScheduleConfig> schedules;
  Duration shutdown_linger = std::chrono::seconds(10);
  LogLevel log_level = LogLevel::info;
  LogFormat log_format = LogFormat::text;
};

}  // namespace outrider::sidecar
