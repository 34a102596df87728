// Whether this process could open a socket, a file or a spool at a path or an address, found out
// without opening it.
//
// Used by probe.cpp. Makes nothing, holds nothing, sends nothing. Thread: any; it hangs if the file
// system hangs. Fails with: a Finding that says what is wrong and what to do.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <sys/socket.h>

#include "sidecar/config/config.hpp"
#include "sidecar/config/endpoint.hpp"

namespace outrider::sidecar {

struct Finding {
  enum class Kind : std::uint8_t {
    error,    ///< it cannot be opened
    in_use,   ///< it cannot be opened while another process has it, perhaps a running sidecar
    warning,  ///< it can be opened, and that is probably not meant
  };
  Kind kind = Kind::error;
  std::string text;
};
using Findings = std::vector<Finding>;

/// A Unix socket to listen on; `group` may be empty.
Findings probe_socket(const std::string& path, const std::string& group);

/// A file to append to.
Findings probe_file(const std::string& path);

/// Where a destination of type stdout writes.
Findings probe_standard_output(int fd = 1);

Findings probe_spool(const SpoolConfig& spool);

/// TCP addresses to listen on. Remembers those it has seen, for two may exclude each other.
class TcpProbe {
 public:
  Findings look(const Endpoint& endpoint);

 private:
  struct Seen {
    sockaddr_storage address;
    std::uint16_t port;
  };
  std::vector<Seen> seen_;
};

/// The same text for paths that lead to the same file, by links of either kind; of a file that is
/// not there yet, its plain_path().
std::string file_identity(const std::string& path);

/// The path without links, `.` and `..`, as far as it exists.
std::string plain_path(const std::string& path);

}  // namespace outrider::sidecar
